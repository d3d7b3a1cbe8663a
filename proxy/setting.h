/*
 * setting - tables of settings: a word, how its value is read and printed,
 * where it goes, what it is when nobody writes it, and between which limits.
 *
 * The machinery under config.c, which alone uses it. A table is an array that
 * a NULL name ends; settings_read() reads the lines of one block (or of a
 * whole file) by it.
 */
#ifndef PROXY_SETTING_H
#define PROXY_SETTING_H

#include "proxy/config.h"

#define SETTINGS_MAX 128 /* of one table */

struct reader;
struct route_block;
struct server_at;
struct setting;

/* The value, up to the ";" that the caller takes. at: the member. */
typedef int setting_read(struct reader *, const struct setting *,
    const struct lex_token *key, void *at, struct error *e);
/* "" when it is not set; of one that repeats, a line each. */
typedef void setting_print(const void *at, struct buf *);

struct setting {
	const char *name;
	setting_read *read;
	setting_print *print; /* NULL: not a plain setting */
	size_t offset;
	const char *preset;	  /* as one would write it; NULL: none */
	const char *least, *most; /* likewise; NULL: no limit */
	enum {
		SETTING_REPEATS = 1, /* may stand more than once */
		SETTING_CLOSED = 2   /* reads its own end: no ";" after it */
	} flags;
};

/* Where each setting of a table was written first; .line 0: nowhere. */
struct settings_seen {
	struct lex_pos at[SETTINGS_MAX];
	struct seen_again {
		const struct setting *setting;
		struct lex_pos at;
	} * again; /* [n_again], in order: those that repeat, but for blocks */
	size_t n_again;
};

/* A block's settings, and where the block itself begins. */
struct block_origin {
	struct lex_pos at;
	struct settings_seen seen;
};

/* Of a route, and of each of its lines. */
struct route_origin {
	struct lex_pos at;
	const struct lex_pos *lines; /* [n_lines] of the smtp_route */
	const struct lex_pos *maps;  /* [n_maps] */
	struct lex_pos otherwise;
};

/* Of each setting in force (config.h). */
struct config_origins {
	struct settings_seen top;
	struct block_origin *upstreams; /* [conf->smtp.n_upstreams] */
	struct route_origin *routes;	/* [conf->smtp.n_routes] */
	struct block_origin *listeners; /* [conf->smtp.n_listeners] */
	struct block_origin *milters;	/* [conf->milter.n_listeners] */
	struct block_origin *peers; /* [conf->engine.n_milters] */
	struct block_origin *classes;	/* [conf->keeper.settings.n_classes] */
};

/* What one config_read() carries around. */
struct reader {
	struct config *conf;
	struct arena *arena;
	const struct config_items *items; /* used at the top level alone */
	struct lex *lex;		  /* of the file being read */
	unsigned depth;			  /* of includes */
	size_t text_bytes;		  /* of all files so far */
	struct config_origins *origins;
	struct lex_token *routes;	  /* [conf->smtp.n_listeners]: the name
					     of the upstream or route, not looked
					     up yet */
	struct server_at *servers;	  /* of all upstreams */
	size_t n_servers;
	struct route_block *route_blocks; /* [conf->smtp.n_routes] */
	struct lex_token *milter_routes;  /* [conf->milter.n_listeners] */
};

/* Presets into *into. */
void settings_preset(struct reader *, const struct setting *table, void *into);
/*
 * Lines by the table until "}" (taken), or the file's end when block is NULL.
 * block names it in errors: "an upstream block".
 */
int settings_read(struct reader *, const struct setting *table,
    struct settings_seen *, const char *block, void *into, struct error *e);
void settings_print(const struct setting *table, const char *indent,
    const void *from, struct buf *);
/* Each plain setting of the table, with its value as text: "" for none. seen
 * NULL: none was written. */
void settings_each(const struct setting *table, const struct settings_seen *,
    const char *block, const void *from, config_take *take, void *arg);
bool settings_seen(const struct setting *table, const struct settings_seen *,
    const char *name);

/*
 * done: of reading key's setting. The line at which that came to its end begins
 * with a word that begins a setting: where key's has none and ran on into it,
 * -1 and an error that tells what is missing at the end of key's. Else done.
 */
int setting_ended(struct lex_seen *, const struct lex_token *key, int done,
    struct error *);

/* A word or a string; the string's escapes are resolved into the arena. */
int setting_value(struct reader *, const struct lex_token *key,
    struct lex_token *value, struct error *e);
/* NUL-terminated, in the arena. */
const char *setting_text(struct reader *, struct pn_str);
/* Where the file being read lies: what paths in it are relative to. */
const char *setting_folder(struct reader *);
/* Array a of n elements with room for one more, zeroed. */
void *setting_grow(struct reader *, const void *a, size_t n, size_t size);

/* One of a NULL-terminated list of words; its place in it. */
int setting_one_of(const struct lex_token *, const char *const *words,
    const char *what, unsigned *place, struct error *e);
/* ... as the value of key. */
int setting_choice(struct reader *, const struct lex_token *key,
    const char *const *words, const char *what, unsigned *place,
    struct error *e);
/* An address or network. */
int setting_net(const struct lex_token *, struct site_net *, struct error *e);
/* One or more of them up to the ";", behind those that are there; and how they
 * are written. */
int setting_nets(struct reader *, const struct lex_token *key,
    const struct site_net **nets, size_t *n, struct error *e);
void setting_print_nets(const struct site_net *, size_t n, struct buf *);

/* The plain kinds, by the type of the member. */
setting_read setting_read_count;    /* unsigned */
setting_read setting_read_size;	    /* size_t */
setting_read setting_read_duration; /* uint64_t, ms */
setting_read setting_read_yesno;    /* bool */
setting_read setting_read_word;	    /* const char * */
setting_read setting_read_path;	    /* const char *, absolute */
setting_print setting_print_count, setting_print_size, setting_print_duration,
    setting_print_yesno, setting_print_word;

#endif
