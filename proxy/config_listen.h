/* config_listen - see config_listen.c: what config.c alone uses of it. */
#ifndef PROXY_CONFIG_LISTEN_H
#define PROXY_CONFIG_LISTEN_H

#include "proxy/setting.h"

setting_read config_read_listen;
/* Each listener its upstream; -1: there is none of that name, or not so. */
int config_route_listeners(struct reader *, struct error *e);
void config_listen_print(const struct config *, struct buf *);
void config_listen_each(const struct config *, const struct config_origins *,
    config_take *, void *arg);

#endif
