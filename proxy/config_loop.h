/* config_loop - see config_loop.c: what config*.c alone use of it. */
#ifndef PROXY_CONFIG_LOOP_H
#define PROXY_CONFIG_LOOP_H

#include "proxy/setting.h"

/* The next server of the upstream that is being read stands there. */
void config_keep_server(struct reader *, const struct smtp_upstream *,
    const struct lex_token *);
/* Once listeners have their upstreams: -1, and *e, where mail would come back. */
int config_refuse_loops(struct reader *, struct error *e);

#endif
