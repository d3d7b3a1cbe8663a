/*
 * config_limits - the few of postern.conf's limits that are more than one
 * plain value. Called by config.c.
 */
#ifndef PROXY_CONFIG_LIMITS_H
#define PROXY_CONFIG_LIMITS_H

#include "proxy/setting.h"

/* limit_exceptions NET ...; at: struct smtp_limits */
setting_read config_read_exceptions;
setting_print config_print_exceptions;
/* pregreet drop|note; likewise */
setting_read config_read_pregreet;
setting_print config_print_pregreet;

#endif
