/*
 * tree - what a policy is made of, shared by the files of rules/ alone.
 *
 * parse.c makes it from text, check.c resolves its names and hangs atoms on
 * it, judge.c walks it, print.c writes it out again. All of it lives in the
 * builder's arena and is read-only once compiled.
 */
#ifndef RULES_TREE_H
#define RULES_TREE_H

#include <setjmp.h>

#include "rules/lists.h"
#include "rules/rules.h"

#define NO_THING UINT32_MAX
#define NESTING_MAX 100    /* parentheses and nots within one another */
#define VALUES_MAX 100000  /* members of one set, words of one test */
#define VALUES_ASKED 65536 /* of one fact; what is beyond is unknown */
#define UNKNOWNS_ASKED 64  /* in a row; who has lost count says it for ever */

/* ---- expressions ---- */

enum field { FIELD_WHOLE, FIELD_LOCAL, FIELD_DOMAIN, FIELD_DISPLAY };

enum op {
	OP_EQ, OP_NE, OP_LT, OP_GT, OP_LE, OP_GE, OP_MATCH, OP_NOMATCH,
	OP_CONTAINS, OP_IN, OP_IS, OP_IS_NOT, OP_HOLDS
};
#define OPS 13

/* `fact op value` as written. */
struct test {
	struct word name;
	struct word key;    /* of header("X-Y") */
	bool has_key;
	enum op op;
	struct lex_pos op_pos;
	struct word *values; /* what stands after the op; regex: its text */
	struct pn_str flags; /* regex */
};

struct atom;

enum expr_kind { EXPR_AND, EXPR_OR, EXPR_NOT, EXPR_QUANT, EXPR_TEST };
enum quant { QUANT_ANY, QUANT_ALL, QUANT_NO };

struct expr {
	enum expr_kind kind;
	struct lex_pos pos;
	struct expr *first; /* its operands, by .next */
	struct expr *next;

	enum quant quant;
	bool top;           /* at top; else at any depth */
	struct word thing_name;
	uint32_t thing;     /* index into rules_decls.things */
	uint32_t quant_id;  /* from 0 over the whole set */

	struct test *test;  /* EXPR_TEST; EXPR_QUANT of the short form */
	const struct atom *atom; /* EXPR_TEST, when checked */
};

/* ---- texts with $facts in them ---- */

struct piece {
	struct pn_str literal; /* escapes resolved; used when !is_fact */
	bool is_fact;
	uint32_t fact;
	enum field field;
	uint32_t thing;
	struct piece *next;
};

struct text {
	struct pn_str raw; /* escapes as written */
	struct lex_pos pos;
	struct piece *pieces;
};

/* ---- rules ---- */

struct action {
	enum rules_action kind;
	struct lex_pos pos;
	uint16_t code;
	struct pn_str status;
	struct pn_str name; /* header's name, quarantine's class */
	struct text text;   /* reply, prefix, header's value */
	struct action *next;
};

struct given {
	struct word name, key, value;
	bool has_key;
	struct given *next;
};

struct test_clause {
	struct word name, file, expect;
	struct pn_str path; /* file behind its base directory */
	struct given *given;
	size_t n_given;
	struct lex_pos pos;
	struct test_clause *next;
};

struct rule {
	struct pn_str name;
	struct lex_pos pos;
	struct expr *when, *unless;
	struct action *then, *on_unknown;
	struct test_clause *tests;
	unsigned order;
	unsigned stage;
	bool allows;
	struct rule *next;
};

/* ---- atoms ---- */

struct pattern;

struct atom {
	uint32_t fact;
	enum field field;
	struct pn_str key;
	uint32_t thing;     /* index into decls.things, or NO_THING */
	enum op op;
	const struct word *values; /* as written */
	int64_t number;
	struct pn_str text;       /* = != contains */
	struct pn_str *words;     /* is */
	size_t n_words;
	const struct list **lists; /* in */
	size_t n_lists;
	const struct nets *nets;   /* in and = of an ip */
	const struct pattern *pattern;
	bool content;
	uint32_t index; /* among the content atoms, or among the worker's */
	struct pn_str canonical; /* with the fact's full name */
	struct atom *next;       /* in the order they were met */
};

/* Content atoms on one text: a fact (of a thing, under a key). */
struct group {
	uint32_t fact;
	struct pn_str key;
	uint32_t thing;
	const struct atom **atoms;
	size_t n_atoms;
};

struct rules {
	struct arena *arena;
	const struct rules_decls *decls;
	unsigned n_stages, rcpt_stage;
	uint32_t n_things;
	struct list *lists;
	struct pn_str policy;
	struct rule **rules; /* [n_rules], file order */
	size_t n_rules;
	const struct rule ***at_stage; /* [n_stages]: NULL-terminated */
	const struct atom **content;   /* [n_content] */
	uint32_t n_content;
	uint32_t n_worker;
	uint32_t n_quants;
	struct group *groups;
	size_t n_groups;
	const struct pattern *patterns; /* by .next */
	bool *uses;          /* [decls->n_facts] */
	bool *thing_content; /* [n_things]: the inspector says how many */
	struct rules_test *tests;
	size_t n_tests;
};

struct pattern_memory;

struct rules_builder {
	struct arena *arena;
	const struct rules_decls *decls;
	jmp_buf full; /* where an allocation past the arena's cap goes */
	struct rules *rules;
	struct list **last_list;
	struct rule *first_rule, **last_rule;
	size_t n_rules;
	struct lex_pos policy_pos;
	bool has_policy;
	struct pn_str source; /* the caller's text last seen, and our copy */
	struct pn_str copy;
	const char *copy_file;
	const char *base_dir;
	struct pattern_memory *memory;
	struct pattern *patterns;
	bool compiled; /* what it made outside the arena changed hands */
	struct atom *atoms, **last_atom;
	struct atom **table; /* by canonical text; builder's own memory */
	size_t n_table, n_atoms;
	struct error *e;
};

/* From the builder's arena; does not return when it is full. */
void *rules_alloc(struct rules_builder *, size_t n);
struct pn_str rules_copy(struct rules_builder *, struct pn_str);

/* parse_words.c, parse_action.c: words that stand for something everywhere. */
bool rules_is_reserved(struct pn_str word);
const char *rules_op_name(enum op);
/* "accept" ... "quarantine"; NULL for the edits. */
const char *rules_action_name(enum rules_action);

/* pattern.c: the one home of PCRE2. */
#define CAPTURES_MAX 16 /* named ones of one pattern */
#define MATCH_KEPT 64   /* bytes of a match or capture that are kept */
struct capture {
	struct pn_str name;
	struct pn_str text;
};
struct match {
	struct pn_str text;
	struct capture captures[CAPTURES_MAX];
	size_t n_captures;
	char kept[MATCH_KEPT]; /* where text may point */
};
struct pattern_memory *pattern_memory_new(struct rules_builder *);
/* After this PCRE2 allocates nothing and frees nothing of the arena. */
void pattern_memory_close(struct pattern_memory *);
/* The same text and flags give the same pattern. */
int pattern_compile(struct rules_builder *, const struct word *regex,
    struct pn_str flags, const struct pattern **out, struct error *e);
enum tri pattern_match(const struct pattern *, struct rules_run *,
    struct pn_str subject, struct match *);
struct pn_str pattern_text(const struct pattern *);
struct pn_str pattern_flags(const struct pattern *);
uint32_t pattern_n_captures(const struct pattern *);
struct pn_str pattern_capture_name(const struct pattern *, uint32_t i);
/* Its groups and the whole match, as many pairs. */
uint32_t pattern_n_groups(const struct pattern *);
/* What a numbered group of the last match with this run was, which was true. */
struct pn_str pattern_group(
    const struct rules_run *, struct pn_str subject, unsigned group);
void pattern_free_all(const struct pattern *);

/* check.c */
struct scope {
	uint32_t thing; /* inside its quantifier, or NO_THING */
};

/* atoms.c; below: ask.c */
int atom_make(struct rules_builder *, const struct scope *, const struct test *,
    const struct atom **out, struct error *e);
/*
 * A fact by its written name, in scope: index, field, thing. -1 with the
 * error set (unknown, of an absent module, of a thing outside its quantifier).
 */
struct fact_ref {
	uint32_t fact;
	enum field field;
	uint32_t thing;
};
int fact_find(const struct rules_decls *, uint32_t thing,
    const struct word *name, struct fact_ref *out, struct error *e);
bool fact_exists(const struct rules_decls *, uint32_t thing,
    struct pn_str name, struct fact_ref *out);
void atoms_number(struct rules_builder *);
/*
 * A fact's values one after the other, false when there is none more. Where a
 * limit ended it, the last is unknown.
 */
struct values {
	uint32_t fact, thing;
	struct pn_str key;
	unsigned nth, most, unknowns, over;
};
struct values values_of(const struct rules_decl *, uint32_t fact,
    uint32_t thing, struct pn_str key);
bool values_next(struct values *, const struct rules_facts *, struct value *);
struct pn_str value_text(const struct value *, enum field);
/* One known or unknown value. m is filled on TRI_TRUE. */
enum tri atom_test(const struct atom *, const struct rules_decl *,
    struct rules_run *, const struct value *, struct match *m);
/* All the fact's values; *seen and m (unless absent) are of the one that
 * decided, or the last. m->text lies in m. */
enum tri atom_ask(const struct rules *, const struct atom *, struct rules_run *,
    const struct rules_facts *, uint32_t thing, enum value_state *seen,
    struct match *m);

/* answers.c */
struct answer {
	uint8_t all;    /* enum tri: of the message, or of every thing */
	uint8_t *each;  /* [n of that thing], or NULL: see .all */
	bool has_match;
	uint32_t thing; /* the match is this one's */
	struct pn_str match;
	struct pn_str *captures; /* [pattern's named ones], or NULL */
};
struct rules_answers {
	const struct rules *rules;
	uint32_t *n_things; /* [rules->n_things] */
	struct answer *of;  /* [rules->n_content] */
};
struct rules_answers *answers_new(const struct rules *, struct arena *);
enum tri answers_get(const struct rules_answers *, const struct atom *,
    uint32_t thing);

/* judge.c: what explain.c prints. */
struct seen {
	bool asked;
	uint8_t result; /* enum tri */
	uint8_t state;  /* enum value_state */
	struct pn_str text; /* up to MATCH_KEPT bytes */
};
struct quant_seen {
	bool asked;
	uint8_t result;
	uint32_t n;     /* things looked at */
	uint32_t thing; /* the first that decided, or NO_THING */
};
enum outcome { SILENT, FIRED, UNKNOWN, SKIPPED, ALLOWED };
struct judged {
	const struct rule *rule;
	enum outcome outcome;
	size_t first_effect, n_effects;
};
struct rules_trace {
	unsigned stage;
	struct judged *judged;
	size_t n_judged;
	struct seen *seen;         /* [n_worker] */
	struct quant_seen *quants; /* [n_quants] */
	const struct rules_answers *answers;
	const struct rules_effect *effects;
};

/* print.c */
void print_string(struct buf *, struct pn_str);
void print_atom(const struct rules_decls *, const struct atom *, bool relative,
    struct buf *);
void print_expr(const struct rules *, const struct expr *, struct buf *);
void print_action(const struct action *, struct buf *);

#endif
