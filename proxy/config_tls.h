/* config_tls - see config_tls.c: the lines about TLS, for the blocks. */
#ifndef PROXY_CONFIG_TLS_H
#define PROXY_CONFIG_TLS_H

#include "proxy/setting.h"

/* at: struct tls_listen */
setting_read config_read_listen_tls, config_read_client_certs;
setting_print config_print_listen_tls, config_print_client_certs;
/* What the lines of one block mean together. */
int config_check_listen_tls(const struct tls_listen *,
    const struct lex_token *name, struct error *e);
/* at: struct tls_next */
setting_read config_read_next_tls;
setting_print config_print_next_tls;

/* Once all is read: what upstreams of level dane need. */
int config_settle_dane(struct reader *, struct error *e);

/* As rules_lint(): certificates that have ended or soon will. */
size_t config_lint_tls(const struct smtp_conf *, struct buf *);

#endif
