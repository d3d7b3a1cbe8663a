/*
 * modules - the `module` blocks of postern.conf: which filter modules there
 * are beside the built-in ones, loaded by dlopen, and the settings of both.
 *
 * Read by config.c into struct module_list, which lies in the policy's arena;
 * policy.c makes the chain of it and closes the files when the policy goes. In
 * the master and postern(1); children inherit what is loaded. Who reads the
 * settings alone (config_items without load_modules) loads nothing: blocks
 * are then lines as they stand there.
 */
#ifndef PROXY_MODULES_H
#define PROXY_MODULES_H

#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "base/lex.h"
#include "mail/chain.h"

/* Which file a module was loaded from. dlopen() gives the same code again
 * while a policy that has it lives, whatever lies on the disk by then. */
struct module_file {
	const char *path; /* NULL: built in */
	void *handle;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

/* A line of the block: "timeout", "on", or an option. */
struct module_line {
	const char *name;
	struct pn_str value; /* as one would write it */
	struct lex_pos at;   /* of the first value */
};

struct module_conf {
	const char *name;
	struct lex_pos at;
	struct chain_module chain; /* filter, settings, what the block says */
	struct module_file file;
	const char *written;       /* FILE, or NULL */
	struct module_line *lines;
	size_t n_lines;
};

struct module_list {
	struct module_conf *all;
	size_t n;
};

struct reader;
struct setting;
struct config_line;
typedef void config_take(void *arg, const struct config_line *);

/* `module NAME [FILE] { ... }` or `module NAME [FILE];`: a setting_read. */
int config_read_module(struct reader *, const struct setting *,
    const struct lex_token *key, void *at, struct error *e);
/* The blocks in force: as lines of config_each(), as a postern.conf. */
void modules_each(const struct module_list *, config_take *, void *arg);
void modules_print(const struct module_list *, struct buf *);

/* Built-in ones, each with its block if there is one, then the loaded ones,
 * then more[n_more]. */
int modules_chain(struct chain *, const struct module_list *,
    const struct pn_filter *const *builtin, size_t n_builtin,
    const struct chain_module *more, size_t n_more, struct arena *,
    struct error *e);
void modules_close(const struct module_list *);
/* -1: a module of now is loaded already, from a file that has changed. */
int modules_unchanged(const struct module_list *old,
    const struct module_list *now, struct error *e);
/* "modules_changed":["module x: ..."], of those whose files changed since they
 * were loaded, into an open JSON object; nothing when none did. */
void modules_changed_json(const struct module_list *, struct buf *);

#endif
