/* config_keeper - see config_keeper.c: what config.c alone uses of it. */
#ifndef PROXY_CONFIG_KEEPER_H
#define PROXY_CONFIG_KEEPER_H

#include "proxy/setting.h"

/* at: struct daemon_conf */
setting_read config_read_metrics;
setting_print config_print_metrics;
/* at: struct keeper_settings */
setting_read config_read_retry, config_read_class;
setting_print config_print_retry;
void config_classes_each(const struct keeper_settings *,
    const struct config_origins *, config_take *, void *arg);
void config_classes_print(const struct keeper_settings *, struct buf *);

#endif
