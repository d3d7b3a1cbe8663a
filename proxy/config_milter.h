/* config_milter - see config_milter.c: what config.c and policy.c use of it. */
#ifndef PROXY_CONFIG_MILTER_H
#define PROXY_CONFIG_MILTER_H

#include "proxy/setting.h"

/* at: struct engine_conf */
setting_read config_read_milter;
void config_milters_print(const struct engine_conf *, struct buf *);
void config_milters_each(const struct engine_conf *,
    const struct config_origins *, config_take *, void *arg);
/* Room for each as a module of the chain, and who it is there once that is
 * built. */
const struct chain_module *config_milters_modules(const struct engine_conf *,
    struct arena *);
void config_milters_find(struct engine_conf *, const struct chain *);

#endif
