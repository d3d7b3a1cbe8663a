/*
 * lists - what a fact can be `in`: sets, maps, networks. Private to rules/;
 * tree.h includes it. All of it lies in the builder's arena but for the
 * mapping of a cdb; read-only once made.
 */
#ifndef RULES_LISTS_H
#define RULES_LISTS_H

#include "rules/rules.h"

#define MEMBER_MAX 1000 /* bytes of one member of a set, or key of a map */

struct rules_builder;
struct pattern;
struct cdb;
struct people;

/* Text as it was written, where it stood. */
struct word {
	struct pn_str text; /* a string's value, escapes resolved */
	struct lex_pos pos;
	bool quoted;
	struct word *next;
};

/* ---- networks: nets.c ---- */

struct net {
	unsigned char addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;
	bool v4;
	bool negated; /* every address of its family that it does not hold */
};

/* "10.0.0.0/8", "[::1]/128", "192.0.2.1". NULL or what is wrong with it. */
const char *net_parse(struct pn_str, struct net *);

/* Many of them; the first in the row that has an address is found at once. */
struct nets;
#define NETS_NONE SIZE_MAX
struct nets *nets_new(struct rules_builder *, const struct net *, size_t n,
    bool families_apart);
size_t nets_first(const struct nets *, struct pn_str ip);

/* ---- sets and maps ---- */

enum list_kind {
	LIST_PLAIN,
	LIST_EXT,
	LIST_PEOPLE,
	LIST_TEXT, /* from here on: maps */
	LIST_CIDR,
	LIST_PCRE,
	LIST_CDB
};

/* One entry of a text, cidr or pcre map. */
struct map_entry {
	struct word word; /* its key, as written; first: see list_entry() */
	struct pn_str value;
	bool negated;
	const struct pattern *pattern; /* pcre */
};

struct list {
	struct pn_str name; /* n 0: written where it is used */
	struct lex_pos pos;
	enum list_kind kind;
	struct rules_file file; /* map: what it was read from */
	struct word *members;  /* as written, in order, without doubles; of a
				  map each is a map_entry's; cdb: none */
	size_t n_members;
	size_t longest;        /* bytes of the longest member */
	struct word **slots;   /* open addressing over lower-case members */
	size_t n_slots;        /* power of two; 0: no such table */
	const struct map_entry **entries; /* cidr, pcre: [n_members] */
	const struct nets *nets;          /* cidr */
	const struct cdb *cdb;
	const struct people *people; /* their addresses are the members */
	struct list *next;
};

static inline bool
list_is_map(const struct list *l)
{
	return l->kind >= LIST_TEXT;
}

/* sets.c */
int list_add(struct rules_builder *, const struct word *name, struct list *,
    struct error *);
int list_add_set(struct rules_builder *, const struct word *name, bool ext,
    struct word *members, struct error *);
const struct list *list_find(const struct rules *, struct pn_str name);
/* An unnamed list of these; the words change hands. */
struct list *list_of(struct rules_builder *, struct word *members);
/* The member that equals value but for ASCII case, or NULL. */
const struct word *list_member(const struct list *, struct pn_str value);
/* The address itself or @domain. */
const struct word *list_member_address(
    const struct list *, struct pn_str address, struct pn_str domain);
bool address_is_valid(struct pn_str entry, bool domain_too);
/*
 * What the list says of one value. address: its domain counts, too. ip: the
 * list is a map of networks (plain lists of them are the atom's nets).
 */
enum tri list_has(const struct list *, struct rules_run *, struct pn_str value,
    struct pn_str domain);
const char *list_noun(const struct list *); /* "set" "map" "people" */
/* "holds addresses" if no fact of that type can be in it; else NULL. */
const char *list_misfit(const struct list *, enum value_type);

/* people.c */
/* The words change hands. */
int list_add_people(struct rules_builder *, const struct word *name,
    struct word *names, struct word *addresses, struct error *);
/* Does a display name claim to be one of them? Unknown: it is too long. */
enum tri people_claimed(const struct people *, struct pn_str said);
const struct word *people_names(const struct people *); /* as written */

/* map.c */
const char *list_kind_word(enum list_kind); /* "text" "cidr" "pcre" "cdb" */
/* kind is a map's. */
int list_add_map(struct rules_builder *, enum list_kind,
    const struct word *name, const struct word *file, struct pn_str path,
    struct error *);
/* What is found for a key in a map; .entry NULL in a cdb. */
struct map_hit {
	const struct map_entry *entry;
	struct pn_str key, value; /* key: what was looked for; value as it
				     stands in the file */
};
enum tri map_ask(const struct list *, struct rules_run *, struct pn_str value,
    struct pn_str domain, struct map_hit *);
/* The mappings of every cdb, given back. In the process that made them. */
void maps_close(const struct rules *);

/* map_file.c: entries of a file's text, in order, by .next. */
/* The group of $1, $(1) or ${1} at the start of s; bytes taken, 0: it is none. */
size_t map_reference(struct pn_str s, unsigned *group);
int map_read(struct rules_builder *, enum list_kind, const char *path,
    struct pn_str text, struct word **members, struct error *);

#endif
