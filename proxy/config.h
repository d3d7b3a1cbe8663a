/*
 * config - postern.conf, text to structs: the daemon's own settings into
 * struct config, each folder's into the struct that folder owns. Rules are
 * other people's business: an item whose first word config_items knows is
 * handed on whole.
 *
 * Called by policy.c (and tests). Everything, the texts included, lies in
 * the given arena; nothing here is freed. Every unknown word is an error with
 * line, caret and suggestion.
 */
#ifndef PROXY_CONFIG_H
#define PROXY_CONFIG_H

#include "base/lex.h"
#include "base/log.h"
#include "engine/engine.h"
#include "inspect/inspector.h"
#include "keeper/keeper.h"
#include "mail/spool.h"
#include "milter/milter.h"
#include "proxy/modules.h"
#include "smtp/smtp.h"

#define CONFIG_TEXT_MAX (8u << 20) /* bytes of all files together */
#define CONFIG_INCLUDE_DEPTH 16

/* What only main, master and worker use. */
struct daemon_conf {
	const char *user, *inspect_user,
	    *keeper_user; /* when started as root */
	unsigned workers;
	const char *control;	/* path of the control socket */
	const char *log_target; /* as log_open() takes it */
	const char *log_postfix; /* as log_style() takes it, */
	bool log_own;		 /* and this */
	unsigned log_level;	/* enum log_level */
	uint64_t drain_timeout_ms;
	const char *metrics; /* address of the keeper's HTTP, as written; NULL */
	struct sockaddr_storage metrics_addr;
	socklen_t metrics_addr_len;
	bool metrics_public; /* not on a loopback address alone */
	uint64_t map_check_ms; /* 0: never */
};

struct config {
	struct daemon_conf daemon;
	struct smtp_conf smtp;
	struct milter_conf milter;
	struct engine_conf engine;   /* but for chain, rules, ask_client_name */
	struct inspect_conf inspect; /* but for chain, rules, limits */
	struct keeper_conf keeper;   /* but for control_uid */
	struct spool_conf spool;
	struct module_list modules;
	/* Certificates and keys, of no process that reads mail; NULL: none.
	 * The caller's, also when reading failed. */
	struct arena *secrets;
	const char *unread; /* a file this process may not read: which, where */
	const struct config_origins *origins; /* of config_read(), or NULL */
};

/* Items of the rule language: who knows their first words and reads them. */
struct config_items {
	const char *const *words; /* NULL-terminated, for suggestions */
	bool (*is_item)(struct pn_str word);
	int (*parse)(
	    void *arg, struct lex *, const char *base_dir, struct error *e);
	/* `when EXPR` of a block, up to its ";"; NULL: it is read over. */
	int (*condition)(void *arg, struct lex *, unsigned *id, struct error *e);
	void *arg;
	bool load_modules; /* no: their blocks are read over */
	const struct pn_filter *const *builtin;
	size_t n_builtin;
};

/* The file and all it includes; defaults for what they leave out. */
int config_read(struct config *, struct arena *, const char *path,
    const struct config_items *, struct error *e);
/* The log as this says. -1 and errno. */
int config_log_open(const struct daemon_conf *);
/* What is in force when nobody writes anything. */
int config_defaults(struct config *, struct arena *, struct error *e);

/* One setting in force. Borrowed while it is looked at. */
struct config_line {
	const char *block;	  /* "upstream mta", or NULL: the top level */
	const char *name;
	struct pn_str value;	  /* as one would write it; "" none */
	const struct lex_pos *at; /* where it stands; NULL: the default */
};
/* Each of them, a block's behind one another; a block itself is a line
 * without a name. */
void config_each(const struct config *, config_take *, void *arg);
/* file:line:column before what went wrong with a setting, unless that is a
 * default; or with the ith listener of a door. Both return -1. */
int config_wrap(const struct config_origins *, const char *name, struct error *);
int config_wrap_listener(const struct config_origins *, bool milter, size_t i,
    struct error *);
/* The settings in force, as a postern.conf that reads to the same. */
void config_print(const struct config *, struct buf *);

#endif
