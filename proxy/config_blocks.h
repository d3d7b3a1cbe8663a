/* config_blocks - see config_blocks.c: what config*.c alone use of it. */
#ifndef PROXY_CONFIG_BLOCKS_H
#define PROXY_CONFIG_BLOCKS_H

#include "proxy/setting.h"

/* at: struct smtp_conf */
setting_read config_read_upstream;
/* Words by enum smtp_identity, NULL-terminated. */
extern const char *const config_identities[];
/* The upstream of that name, or NULL: then this says so, and returns -1. */
const struct smtp_upstream *config_find_upstream(
    const struct smtp_conf *, struct pn_str name);
int config_no_upstream(
    const struct smtp_conf *, const struct lex_token *name, struct error *e);
/* The folders that upstreams deliver to, for the keeper. */
void config_gather_maildirs(struct reader *);
void config_blocks_print(const struct smtp_conf *, struct buf *);
void config_blocks_each(const struct smtp_conf *,
    const struct config_origins *, config_take *, void *arg);

/* For whoever has blocks of his own: where the n-th one stands, remembered,
 * and one block told to config_each()'s callee. */
void config_keep_origin(struct reader *, struct block_origin **all, size_t n,
    const struct block_origin *);
void config_block_each(const struct setting *table, const char *kind,
    const char *name, const struct block_origin *, const void *from,
    config_take *, void *arg);

#endif
