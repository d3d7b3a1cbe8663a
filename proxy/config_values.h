/*
 * config_values - the values of postern.conf that are more than one plain word,
 * number or size: how each is read and printed. Called by config.c's table.
 */
#ifndef PROXY_CONFIG_VALUES_H
#define PROXY_CONFIG_VALUES_H

#include "proxy/setting.h"

/* at: struct smtp_conf */
setting_read config_read_networks, config_read_domains;
setting_print config_print_networks, config_print_domains;

/* at: const char *. A resolver's is as libunbound writes it, "::1@53"; a log's
 * is "stderr", "syslog FACILITY" or a path. */
setting_read config_read_hostname, config_read_control, config_read_resolver,
    config_read_field_name, config_read_log;
setting_print config_print_control, config_print_resolver,
    config_print_optional_path, config_print_field_name, config_print_log;

/* at: unsigned, and uint64_t in ms */
setting_read config_read_workers, config_read_map_check;

/* at: unsigned, the place of a word: enum log_level, enum smtp_bare_newline,
 * enum engine_mixed; and bool */
setting_read config_read_level, config_read_bare, config_read_mixed,
    config_read_verdicts;
setting_print config_print_level, config_print_bare, config_print_mixed,
    config_print_verdicts;

/* at: struct daemon_conf */
setting_read config_read_style;
setting_print config_print_style;

#endif
