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
	OP_CONTAINS, OP_IN, OP_CLAIMS, OP_IS, OP_IS_NOT, OP_HOLDS
};
#define OPS 14

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
	bool has_quant_id;

	struct test *test;  /* EXPR_TEST; EXPR_QUANT of the short form */
	const struct atom *atom; /* EXPR_TEST, when checked */
};

/* ---- texts with $facts in them ---- */

enum piece_kind { PIECE_LITERAL, PIECE_FACT, PIECE_CAPTURE };
struct piece {
	enum piece_kind kind;
	struct pn_str literal; /* escapes resolved; or the capture's name */
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
	enum rules_header_edit edit;
	struct pn_str name; /* header's name, quarantine's class */
	bool copy;	    /* quarantine */
	struct pn_str address;
	int64_t score;
	struct word group;  /* text.n 0: none */
	uint64_t delay_ms;
	struct text text;   /* reply, prefix, header's value, why, note */
	bool has_text;	    /* of those that may do without */
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

/* A named group of a regex after `~` in `when`: what $name stands for. */
struct named {
	const struct atom *atom;
	uint32_t index;		  /* among its pattern's named ones */
	const struct expr *quant; /* the `any` around it, or NULL */
	struct named *next;
};

/* What a rule says itself; the rest it has from the rule it overrides. */
enum clause {
	CLAUSE_WHEN = 1,
	CLAUSE_UNLESS = 2,
	CLAUSE_UNKNOWN = 4,
	CLAUSE_THEN = 8,
	CLAUSE_MODE = 16,
	CLAUSE_ALWAYS = 32,
	CLAUSE_EARLY = 64
};

/* Thresholds are rules, too: named "threshold reject", over `score`. */
enum rule_kind { RULE_PLAIN, RULE_THRESHOLD, RULE_OFF };

struct rule {
	enum rule_kind kind;
	struct pn_str name;
	struct lex_pos pos;
	unsigned policy;   /* in which it is written */
	struct rule *over; /* of the base: what it overrides or takes out */
	unsigned own;	   /* enum clause */
	struct expr *when, *unless;
	struct action *then, *on_unknown;
	struct test_clause *tests;
	bool shadow, always, early;
	struct named *named;
	unsigned order; /* unique; an override's lies at what it overrides */
	unsigned stage; /* of its facts, `score` aside */
	bool allows;
	const struct action *adds; /* its `score`, if any */
	bool reads;		   /* asks for the score */
	struct rule *next;	   /* in its policy */
	struct rule *overs, **last_over, *next_over; /* of what is overridden */
};

/* ---- conditions in settings ---- */

struct condition {
	unsigned id, stage;
	struct lex_pos pos;
	struct expr *expr;
	struct condition *next;
};

/* ---- policies ---- */

/* rcpt @sales.example.com partners */
struct cond {
	struct word fact; /* as written */
	struct word *values;
	const struct atom *atom;
	struct cond *next;
};

/* group NAME cap N; */
struct cap {
	struct pn_str name;
	struct lex_pos pos;
	int64_t most;
	struct cap *next;
};

/* A rule in one policy's list: one struct rule may stand in several. */
struct placed {
	struct rule *rule;
	unsigned stage;
	bool early; /* answered at once */
	struct placed *next;
};

/* The rules of one stage, and a place in its trace for each atom that the
 * worker asks for them: .slots[atom->index]. */
struct staged {
	const struct placed **rules;
	size_t n_rules;
	uint32_t *slots;
	uint32_t n_slots;
};

struct policy {
	struct pn_str name;
	struct lex_pos pos;
	unsigned nr;
	const struct policy *base;
	bool is_base; /* of another */
	struct cond *conds;
	struct rule *own, **last_own; /* as written, `off` among them */
	struct cap *caps, **last_cap; /* written here */
	struct placed *placed;	      /* all that hold, by rising order */
	struct placed **last_placed;  /* while it is read */
	size_t n_placed;
	struct staged *at_stage;	 /* [n_stages] */
	unsigned score_stage;		 /* from which on `score` is known */
	bool scores;			 /* some rule adds or reads */
	struct policy *next;
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
	const struct list **lists; /* in, claims */
	size_t n_lists;
	const struct nets *nets;   /* in and = of an ip */
	const struct pattern *pattern;
	bool content;
	uint32_t index; /* among the content atoms, or among the worker's */
	struct pn_str canonical; /* with the fact's full name */
	struct atom *next;       /* in the order they were met */
};

struct prefilter;

/* Content atoms on one text: a fact (of a thing, under a key), or a field. */
struct group {
	uint32_t fact;
	enum field field;
	struct pn_str key;
	uint32_t thing;
	const struct prefilter *prefilter; /* NULL: each atom is tested */
	const struct atom **atoms;
	size_t n_atoms;
};

struct rules {
	struct arena *arena;
	const struct rules_decls *decls;
	unsigned n_stages, rcpt_stage;
	uint32_t n_things;
	struct list *lists;
	struct policy **policies; /* [n_policies], file order */
	size_t n_policies;
	const struct policy *fallback; /* for whom no `for` holds, or NULL */
	bool any_for;
	unsigned n_orders;
	struct condition *conditions;
	unsigned n_conditions;
	const struct atom *atoms; /* all, by .next */
	uint32_t score; /* the fact; its value is the policy's */
	const struct atom **content;   /* [n_content] */
	uint32_t n_content;
	uint32_t n_worker;
	uint32_t n_quants;
	struct group *groups;
	size_t n_groups;
	const struct pattern *patterns; /* by .next */
	bool *uses;          /* [decls->n_facts] */
	bool *thing_used;    /* [n_things]: some rule asks for any, all or no */
	bool *thing_content; /* [n_things]: the inspector says how many */
	struct rules_test *tests;
	size_t n_tests;
};

struct pattern_memory;

/* The rules of the policy being read, by name. */
struct roster_entry {
	struct pn_str name;
	struct placed *placed;
	const struct rule *own; /* written in this policy */
};
struct roster {
	struct roster_entry *slots; /* open addressing; .name.p NULL: free */
	size_t n_slots, n_used;	    /* a power of two */
};

struct rules_builder {
	struct arena *arena;
	const struct rules_decls *decls;
	jmp_buf full; /* where an allocation past the arena's cap goes */
	struct rules *rules;
	struct list **last_list;
	struct policy *policies, **last_policy;
	struct condition **last_condition;
	struct roster roster;
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
	struct arena *scratch;  /* of the analysis of one pattern */
	struct arena *building; /* of one automaton */
	struct error *e;
};

/* From the builder's arena; does not return when it is full. */
void *rules_alloc(struct rules_builder *, size_t n);
struct pn_str rules_copy(struct rules_builder *, struct pn_str);

/* parse_words.c, parse_action.c: words that stand for something everywhere. */
bool rules_is_reserved(struct pn_str word);
const char *rules_op_name(enum op);
/* "accept" ... "note"; its first word. */
const char *rules_action_name(enum rules_action);
const char *rules_edit_name(enum rules_header_edit);

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
/* After this PCRE2 allocates nothing and frees nothing of the arena. */
void pattern_memory_close(struct pattern_memory *);
/* The same text and flags give the same pattern. */
int pattern_compile(struct rules_builder *, const struct word *regex,
    struct pn_str flags, const struct pattern **out, struct error *e);
enum tri pattern_match(const struct pattern *, struct rules_run *,
    struct pn_str subject, struct match *);
/*
 * The same where a match can begin in some places only: LANES spans, each
 * empty where to < from, in order but perhaps overlapping.
 */
#define LANES 4
struct span {
	size_t from, to; /* both may begin a match */
};
enum tri pattern_match_in(const struct pattern *, struct rules_run *,
    struct pn_str subject, const struct span[LANES], struct match *);
struct need;
const struct need *pattern_need(const struct pattern *);
/* Does a search take time that grows no faster than the text? */
bool pattern_is_tame(const struct pattern *);
struct pattern_scratch *pattern_scratch_new(void);
void pattern_scratch_free(struct pattern_scratch *);
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

/* parse_policy.c */
const struct cap *policy_cap(const struct policy *, struct pn_str group);
/* Is what this rule says also a policy's? */
bool policy_has(const struct policy *, unsigned order);

/* place.c: after the rules are checked: orders, stages, who judges whom. */
void rules_order(struct rules_builder *);
int rules_place(struct rules_builder *, struct error *);

/* text.c */
struct pn_str named_name(const struct named *);

/*
 * run.c: time. What is over when the wall's clock says so may only have been
 * kept waiting: then the processor's clock has the same time again to say no.
 */
struct budget {
	uint64_t half_ns;
	uint64_t wall_end;
	uint64_t cpu_end; /* 0: not begun */
};
uint64_t run_now(struct rules_run *);
void budget_start(struct budget *, uint64_t now, uint64_t ns);
/* Is so much of it left now? */
bool budget_has(
    struct rules_run *, struct budget *, uint64_t now, uint64_t ns);
/* A message, or a judging, begins. */
void run_begin(struct rules_run *);
/* The pattern met a limit: what to say of it. */
enum rules_limit run_strike(struct rules_run *, const struct pattern *);
bool run_is_benched(struct rules_run *, const struct pattern *);

/* What prefilter.c found in a text. */
struct candidates {
	uint64_t *set; /* a bit an atom of the group: it has to be tested */
	struct span (*spans)[LANES]; /* [atom]: where a match may begin */
	size_t room; /* atoms there is memory for */
};

struct strike;
struct rules_run {
	struct pattern_scratch *scratch;
	struct candidates candidates;
	struct rules_clock clock;
	struct rules_limits limits;
	struct rules_spent spent;
	enum rules_limit limit; /* why the last unknown pattern was that */
	struct budget message;
	uint64_t messages; /* begun so far */
	struct strike *strikes;
	size_t n_strikes;
	struct rules_cost *costs; /* NULL: nobody wants to know */
	const struct rules_test *live; /* its rule is, though in shadow */
};


/* check.c */
struct scope {
	uint32_t thing; /* inside its quantifier, or NO_THING */
};

/* fact.c */
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
/* Without the braces that mean nothing. */
struct pn_str key_bare(const struct rules_decl *, struct pn_str key);
int key_known(const struct rules_decl *, const struct word *key,
    struct error *e);

/* atoms.c */
int atom_make(struct rules_builder *, const struct scope *, const struct test *,
    const struct atom **out, struct error *e);
void atoms_number(struct rules_builder *);

/* ask.c */
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
/* The same where the prefilter has found that, and where, it may hold. */
enum tri atom_test_in(const struct atom *, const struct rules_decl *,
    struct rules_run *, const struct value *, const struct span[LANES],
    struct match *m);
/* All the fact's values; *seen and m (unless absent) are of the one that
 * decided, or the last. m->text lies in m. */
enum tri atom_ask(const struct rules *, const struct atom *, struct rules_run *,
    const struct rules_facts *, uint32_t thing, enum value_state *seen,
    struct match *m);

/* answers.c */
struct answer {
	uint8_t all;    /* enum tri: of the message, or of every thing */
	uint8_t *each;  /* [n of that thing], or NULL: see .all */
	uint8_t limit;  /* enum rules_limit: the last that was met */
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
enum tri answers_get(const struct rules_answers *, const struct atom *,
    uint32_t thing);

/* judge.c: what explain.c prints. */
/* One a recipient and atom: so they are small, and share their texts. */
struct seen {
	uint32_t text : 26; /* index into .texts, if known */
	uint32_t asked : 1;
	uint32_t result : 2; /* enum tri */
	uint32_t state : 2;  /* enum value_state */
};
struct seen_text {
	struct pn_str text; /* up to MATCH_KEPT bytes */
	struct pn_str *captures; /* [the pattern's named ones], if true */
};
/* What the worker saw of one atom in the thing that decided a quantifier. */
struct thing_seen {
	const struct atom *atom;
	struct seen seen;
	struct thing_seen *next;
};
struct quant_seen {
	bool asked;
	uint8_t result;
	uint32_t n;     /* things looked at */
	uint32_t thing; /* the first that decided, or NO_THING */
	struct thing_seen *of; /* that one */
};
enum outcome { SILENT, FIRED, UNKNOWN, SKIPPED, ALLOWED };
/* One a recipient and rule, in the order of the policy's .at_stage. Its
 * effects are those with its order from the first one on. */
struct judged {
	uint32_t first_effect : 28;
	uint32_t outcome : 3; /* enum outcome */
};
/* What one rule added to the score, at this stage or before. */
struct addition {
	unsigned order;
	struct pn_str rule, group;
	const struct rules_effect *before; /* of an earlier result, or NULL */
	int64_t add, counted;
};
struct rules_trace {
	unsigned stage;
	const struct policy *policy;
	const struct placed *const *rules; /* [n_judged] */
	struct judged *judged;
	size_t n_judged;
	struct seen *seen; /* [the stage's n_slots] */
	struct seen_text *texts;
	size_t n_texts, room;
	struct quant_seen *quants; /* [n_quants] */
	const struct rules_answers *answers;
	const struct rules_effect *effects;
	size_t n_effects;
	bool scored; /* the score is known from this stage on */
	int64_t score;
	struct addition *additions; /* by rising order */
	size_t n_additions;
};

/* What was seen of an atom that the worker asks for a rule of that stage. */
struct seen *trace_seen(const struct rules_trace *, const struct atom *);

/* print.c */
void print_string(struct buf *, struct pn_str);
void print_atom(const struct rules_decls *, const struct atom *, bool relative,
    struct buf *);
void print_expr(const struct rules *, const struct expr *, struct buf *);
void print_clauses(const struct rules *, const struct rule *, unsigned which,
    struct buf *);
/* `policy NAME extends BASE for ...`, no more. */
void print_heading(const struct policy *, struct buf *);

#endif
