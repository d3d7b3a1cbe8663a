/* config_route - see config_route.c: what config*.c alone use of it. */
#ifndef PROXY_CONFIG_ROUTE_H
#define PROXY_CONFIG_ROUTE_H

#include "proxy/setting.h"

/* at: struct smtp_conf */
setting_read config_read_route;
/* Each line its upstream, once all is read. */
int config_resolve_routes(struct reader *, struct error *e);
/* The route of that name, or NULL and *e. */
const struct smtp_route *config_find_route(
    const struct smtp_conf *, const struct lex_token *name, struct error *e);
void config_routes_print(const struct smtp_conf *, struct buf *);
void config_routes_each(const struct smtp_conf *,
    const struct config_origins *, config_take *, void *arg);

#endif
