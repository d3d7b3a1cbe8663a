/*
 * policy - a generation's policy: configuration, filter modules and compiled
 * rules, made once, never changed.
 *
 * Made by the master (and by postern(1)) in one mapped arena that is
 * read-only when policy_load() returns; children inherit it by fork, keep no
 * counters in it, never free it and leave by _exit. Each folder owns the
 * struct it is configured by; here they are only gathered.
 */
#ifndef PROXY_POLICY_H
#define PROXY_POLICY_H

#include "proxy/config.h"

struct policy {
	struct arena *arena; /* holds this struct too */
	struct chain chain;
	struct rules *rules;
	struct daemon_conf daemon;
	struct smtp_conf smtp;
	struct milter_conf milter;
	struct engine_conf engine;
	struct inspect_conf inspect;
	struct keeper_conf keeper;
	struct spool_conf spool;
	struct module_list modules;
	struct arena *secrets; /* config.h: certificates and keys, or NULL */
	const char *unread;
	const struct config_origins *origins; /* of the settings */
};

/* postern.conf and all it includes, compiled. NULL and *e. */
const struct policy *policy_load(const char *path, struct error *e);
/*
 * Its settings, modules and facts alone: for those who ask what rules may ask
 * about while a rule is broken. skip passes over one item, as
 * config_items.parse. Has no rules and is not to be judged by.
 */
const struct policy *policy_load_facts(const char *path,
    int (*skip)(void *, struct lex *, const char *base_dir, struct error *),
    struct error *e);
/* A next hop is connected to from the clients' own addresses. */
bool policy_is_transparent(const struct policy *);
/* In the process that loaded it alone. */
void policy_free(const struct policy *);

/* What posternd -t warns of (policy_names.c), certificates that expire among it:
 * each with its line, into b, and how many. */
size_t policy_warn(const struct policy *, struct buf *b);
/* What posternd -t -v says: each setting in force, each rule, and what is warned
 * of, that among it. */
void policy_describe(const struct policy *, struct buf *);

#endif
