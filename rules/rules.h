/*
 * rules - the policy language: text in, verdict out. A library that knows no
 * mail, no filter and no socket; it asks through struct rules_facts.
 *
 * A policy is compiled once by the master into an arena (sealed afterwards,
 * inherited by fork): sets, maps, rules, their expressions, and the *atoms*
 * they are made of: one test on one fact, equal ones shared. An atom on a
 * fact that the inspector gives (rules_decl.content) is a content atom: it is
 * evaluated in the inspector (rules_inspect), all else in the worker
 * (rules_judge), where expressions and quantifiers always are.
 *
 *   parse -> check (names, types, stages; errors with a suggestion) -> atoms
 *   -> patterns (PCRE2 JIT)        rules_inspect: content atoms -> answers
 *                                  rules_judge:   answers + facts -> verdict
 *
 * Threads: a compiled set is read-only and may be used by many; scratch space
 * (match data) is in struct rules_run, one a loop.
 */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include <limits.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/lex.h"
#include "base/pack.h"
#include "base/stamp.h"
#include "base/value.h"

/* ---- what can be asked about: declared by the caller ---- */

/*
 * One declared fact. name "client.ip"; "part.name" is a fact of the thing
 * "part" (what stands before the dot of a name listed in rules_decls.things).
 */
struct rules_decl {
	const char *name;
	enum value_type type;
	unsigned stage;           /* earliest at which it is known: index into
				     rules_decls.stages */
	bool content;             /* given by the inspector */
	bool keyed;               /* takes a name: header("X-Spam") */
	const char *const *keys;  /* the only names it takes, NULL-terminated;
				     NULL: any */
	bool braces;              /* a name may stand in braces, which mean
				     nothing: macro("{i}") */
	bool many;                /* may have several values; an atom is true if
				     it is true of any of them */
	bool below_zero;          /* VALUE_NUMBER: it may be */
	const char *module;       /* who gives it */
	const char *const *words; /* VALUE_WORD: NULL-terminated list */
	const char *help;         /* one line for `postern facts` */
};

/* A name that exists in a module that is not loaded: for the error text
 * `fact "dmarc" needs module dmarc, which is not loaded`. */
struct rules_absent {
	const char *name;
	const char *module; /* NULL: `fact "milter.x.action" needs a block
			       "milter NAME { ... }"` */
};

struct rules_decls {
	const struct rules_decl *facts; /* a fact's index here is its name on
					   the wire and in struct facts */
	uint32_t n_facts;
	const char *const *things;      /* NULL-terminated: "part" */
	const char *const *stages;      /* NULL-terminated, in order */
	const struct rules_absent *absent;
	size_t n_absent;
};

/* ---- compiling ---- */

struct rules;

/*
 * Items (set, map, policy) are read from config text one after the other;
 * proxy/config.c owns the top level and hands over when it meets one of the
 * words rules_is_item() knows. decls is borrowed for the life of the result.
 */
struct rules_builder;
struct rules_builder *rules_builder_new(struct arena *, const struct rules_decls *);
void rules_builder_free(struct rules_builder *);
bool rules_is_item(struct pn_str word);
/*
 * One whole item; its first word is the lexer's next token. Relative paths of
 * maps and test files are taken from base_dir (the including file's folder).
 */
int rules_parse_item(struct rules_builder *, struct lex *, const char *base_dir,
    struct error *e);
/*
 * A condition that stands in somebody's setting (`when EXPR;`), up to its ";",
 * which is left: by *id it is asked for once the set is compiled. What it asks
 * about is known at rcpt at the latest; else compiling is an error there.
 */
int rules_parse_condition(struct rules_builder *, struct lex *, unsigned *id,
    struct error *e);
/*
 * Check, find stages, share atoms, compile patterns. The set lives in the
 * builder's arena, borrows the builder's texts (copy first: the caller's text
 * may go). NULL and *e.
 */
struct rules *rules_compile(struct rules_builder *, struct error *e);
/* In the master only, before the arena goes: PCRE2's JIT memory. */
void rules_free(struct rules *);

/* How many there are, in file order; 0: none. */
size_t rules_policies(const struct rules *);
struct pn_str rules_policy_name(const struct rules *, unsigned policy);

/* Canonical text that parses to the same set (base_dir "": its paths are
 * whole). */
void rules_print(const struct rules *, struct buf *);
/* What -t -v says: each rule with its stage, where its atoms run, its text. */
void rules_describe(const struct rules *, struct buf *);
/*
 * What is allowed and cannot be meant: for each warning `file:line:column:
 * warning: text`, the line and a caret, in the files' order. How many.
 * milter: there are MTAs that ask us, who tell macros and can hold mail.
 * used: is a map that no rule asks of use to others (NULL: there are none)?
 */
typedef bool rules_map_used(const void *arg, struct pn_str map);
size_t rules_lint(const struct rules *, bool milter, rules_map_used *used,
    const void *arg, struct buf *);
/* Has any rule (or interpolated text) a use for this fact? Then it is worth
 * asking the world for it. */
bool rules_uses(const struct rules *, uint32_t fact);
/* Each name under which a keyed fact is asked for, once, in no order. */
typedef void rules_key_take(void *arg, struct pn_str key);
void rules_keys(const struct rules *, uint32_t fact, rules_key_take *,
    void *arg);
/* Each text that a test of this fact, or a policy's `for`, compares it with, but
 * for those of sets and maps; and where one that says so stands. */
typedef void rules_text_take(void *arg, struct pn_str text,
    const struct lex_pos *);
void rules_texts(const struct rules *, uint32_t fact, rules_text_take *,
    void *arg);
/* Does any rule ask for any, all or no such thing (index into decls.things)? */
bool rules_counts(const struct rules *, uint32_t thing);

/* ---- asking ---- */

/*
 * Where rules ask. In the worker: facts known so far. In the inspector: the
 * message view. `thing` counts from 0; RULES_MESSAGE is the message itself.
 * nth counts a fact's values (many, keyed): ABSENT ends them.
 */
#define RULES_MESSAGE UINT32_MAX
struct rules_facts {
	void *arg;
	/* Strings live until the next call or longer. ABSENT ends a fact's
	 * values; an UNKNOWN among them does not. */
	void (*get)(void *arg, uint32_t fact, uint32_t thing, struct pn_str key,
	    unsigned nth, struct value *out);
	/* Parts, and how deep each lies: 0 is the message's own level ("top"). */
	uint32_t (*n_things)(void *arg, const char *thing);
	uint32_t (*depth)(void *arg, const char *thing, uint32_t n);
};

/*
 * Scratch: match data, JIT stack; and what is known of patterns that took too
 * long. One a loop (or thread).
 */
struct rules_run;
struct rules_run *rules_run_new(void);
void rules_run_free(struct rules_run *);

/*
 * Time that patterns may take: one in one text, all of them in one inspection
 * or judging. What takes longer is unknown; a pattern that does so in three
 * messages is not tried for a while.
 */
struct rules_limits {
	uint64_t pattern_us; /* 5 ms */
	uint64_t message_us; /* 250 ms */
	uint64_t bench_us;   /* 60 s */
};
struct rules_limits rules_run_limits(const struct rules_run *);
void rules_run_limit(struct rules_run *, const struct rules_limits *);

/* Nanoseconds, monotonic: of the wall, or of the processor. For tests. */
struct rules_clock {
	uint64_t (*now)(void *arg, bool cpu);
	void *arg;
};
void rules_run_clock(struct rules_run *, struct rules_clock);

/* What a run has done so far. */
struct rules_spent {
	uint64_t texts;      /* looked through for literals */
	uint64_t candidates; /* tests that had to be made there */
	uint64_t calls;      /* of the regex engine */
	uint64_t limits;     /* answers that are unknown for a limit */
};
struct rules_spent rules_run_spent(const struct rules_run *);

/* Why a pattern's answer is unknown. */
enum rules_limit {
	RULES_NO_LIMIT,
	RULES_LIMIT_PATTERN, /* its own time or steps */
	RULES_LIMIT_BENCHED, /* the same, and once too often: tried no more */
	RULES_LIMIT_ON_BENCH,
	RULES_LIMIT_MESSAGE, /* all had too much */
	RULES_LIMIT_SIZE     /* the text is too long */
};
#define RULES_LIMITS 6
/* "pattern", "benched", "on-bench", "message", "size". */
const char *rules_limit_name(enum rules_limit);

/*
 * What the inspector found: one tri-state a content atom, one vector an
 * (atom, thing), and for what was true up to 64 bytes of the match and the
 * named captures. Opaque; in the caller's arena.
 */
struct rules_answers;

/*
 * In the inspector: every content atom over the view. NULL at the arena's
 * cap, or for more than 65,536 things. A blown match limit makes that atom
 * TRI_UNKNOWN.
 */
struct rules_answers *rules_inspect(const struct rules *, struct rules_run *,
    const struct rules_facts *, struct arena *);
/* Flat, for the answer frame, at most some 44 KiB (what does not fit is
 * unknown at the other end); unpack validates against the set (counts, tri
 * values, sizes): NULL when it cannot be. Strings point into the message. */
void rules_answers_pack(const struct rules_answers *, struct buf *);
struct rules_answers *rules_answers_unpack(const struct rules *, struct unpack *,
    struct arena *);

/* A test that is unknown for a limit, and the first of the rules that ask it. */
struct rules_limited {
	enum rules_limit limit;
	struct pn_str test; /* as it is written */
	struct pn_str rule;
	const char *file;
	unsigned line;
	unsigned n_rules;
};
/* The next from *at on, which begins at 0. False: no more. */
bool rules_next_limited(const struct rules_answers *, uint32_t *at,
    struct rules_limited *out);

/* ---- conditions outside rules ---- */

/* The stage at which the last of its facts is known: rcpt at most. */
unsigned rules_condition_stage(const struct rules *, unsigned id);
enum tri rules_condition(const struct rules *, struct rules_run *, unsigned id,
    const struct rules_facts *);
/* As it would be written. */
void rules_condition_print(const struct rules *, unsigned id, struct buf *);

/* ---- judging ---- */

enum rules_action {
	/* verdicts: a rule has one at most */
	RULES_ACCEPT, RULES_ALLOW, RULES_TAG, RULES_REJECT, RULES_TEMPFAIL,
	RULES_QUARANTINE, RULES_HOLD, RULES_DISCARD, RULES_REDIRECT,
	/* what may stand beside them */
	RULES_HEADER, RULES_SUBJECT_PREFIX, RULES_STRIP, RULES_COPY,
	RULES_RCPT_ADD, RULES_RCPT_REMOVE, RULES_SENDER, RULES_SCORE, RULES_DELAY, RULES_NOTE
};
#define RULES_ACTIONS (RULES_NOTE + 1)

/* add: behind the last field. set: instead of all of that name, or added.
 * remove: all of that name. insert: before the first field. */
enum rules_header_edit {
	RULES_HEADER_ADD, RULES_HEADER_SET, RULES_HEADER_REMOVE,
	RULES_HEADER_INSERT
};

/*
 * What one fired rule wants, in file order. Text is interpolated already
 * ($part.path), in the arena, without CR LF and controls. A field that does
 * not belong to the action is zero. `quarantine copy` (copy true) is no
 * verdict: the message goes on. What changes the message or its recipients, or
 * makes a copy, is only ever found at the message stage.
 */
struct rules_effect {
	enum rules_action action;
	unsigned order;         /* the rule's place in the file, unique over
				   all policies */
	struct pn_str rule;
	bool shadow;            /* told, not done: neither joined nor scored */
	bool early;             /* before rcpt: answered at once, not at RCPT */
	uint16_t code;          /* reject, tempfail */
	struct pn_str status;   /* "5.7.1" */
	struct pn_str text;     /* reply; subject prefix; score: why; note;
				   strip: what is put in its place, or "";
				   hold: why, or "" */
	enum rules_header_edit edit; /* header */
	struct pn_str name;     /* header; quarantine: class or "" */
	struct pn_str value;    /* header */
	bool copy;              /* quarantine */
	struct pn_str address;  /* redirect, copy, rcpt add and remove; sender,
				   whose "" is <> */
	int64_t score;          /* score: what it adds, uncapped */
	struct pn_str group;    /* score: n 0 without one */
	uint64_t delay_ms;      /* delay: at most 60,000 */
	uint32_t thing;         /* strip: which part, one effect for each that
				   the rule's `any part` is true of */
};

/* What one judging found. */
struct rules_result {
	unsigned stage;
	struct rules_effect *effects; /* [n_effects], file order */
	size_t n_effects;
	bool allowed;           /* an `allow` fired: later stages are skipped
				   but for rules marked always */
	bool degraded;          /* some `when` was unknown */
	int64_t score;          /* so far, capped, with that of `earlier` */
	struct rules_trace *trace; /* opaque: rules of this stage with the values they
				      saw; NULL without a policy */
};

/*
 * The policy of the recipient at hand, at rcpt: the first in the file whose
 * `for` holds, else the one for everybody else. RULES_NO_POLICY: none fits.
 */
#define RULES_NO_POLICY UINT_MAX
unsigned rules_policy_for(const struct rules *, struct rules_run *,
    const struct rules_facts *);
/* More than any effect's order. */
unsigned rules_orders(const struct rules *);
/* The policy to judge at connect, helo and mail; RULES_NO_POLICY: none. */
unsigned rules_policy_early(const struct rules *);
/* Who judges a recipient of that policy at that stage: it, or that one. */
unsigned rules_policy_at(const struct rules *, unsigned policy, unsigned stage);

/*
 * Judge one policy's rules of one stage. answers is NULL before the message
 * stage, and at it when inspection failed: content atoms are then unknown.
 * earlier is where the score so far comes from, and whether an `allow` fired:
 * the results of connect, helo and mail, and at the message stage also those
 * of rcpt of this policy's accepted recipients (allowed if all of them are).
 * With RULES_NO_POLICY nothing is judged. -1 at the arena's cap. Pure: same
 * facts, same answers, same result.
 */
int rules_judge(const struct rules *, struct rules_run *, unsigned policy,
    unsigned stage, const struct rules_facts *, const struct rules_answers *,
    const struct rules_result *const *earlier, size_t n_earlier,
    struct arena *, struct rules_result *out);

/*
 * Trace as JSON: an array, one object a rule judged at that stage, in file
 * order: {"rule","file","line","stage",["mode":"shadow",]
 * "result":"fired|silent|unknown|skipped|allowed",
 * "when":{expr tree with each atom's value and result},"actions":[...]}; where
 * the policy scores a last one {"score":N,"from":[{"rule","add","why","group",
 * "counted"}]}. Deterministic: no ids, no times.
 */
void rules_trace_json(const struct rules *, const struct rules_trace *,
    struct buf *);
/* The same without the array around it; and one effect, as in "actions". */
void rules_trace_items(const struct rules *, const struct rules_trace *,
    struct buf *);
void rules_effect_json(const struct rules_effect *, struct buf *);

/* ---- maps ---- */

/* A file that the set was made of, as it was when it was read. */
struct rules_file {
	const char *path;
	struct stamp stamp;
};
/* The i-th from 0; NULL: there are no more. The paths of maps alone. */
const struct rules_file *rules_file(const struct rules *, size_t i);

/* What a map holds for a key. */
struct rules_map_entry {
	struct buf value; /* right-hand side, $1 replaced; the caller's to
			     buf_fini(), also when nothing was found */
	const char *file;
	unsigned line; /* 0: a cdb has none */
};
/*
 * Look a key up as a rule does: an address also by its @domain, an entry
 * whose value is DUNNO not at all. TRI_UNKNOWN: a limit of PCRE2 or a broken
 * cdb. -1 and *e: there is no such map, or the key is not for it (no ip
 * address for a cidr map).
 */
int rules_map_find(const struct rules *, struct rules_run *, struct pn_str map,
    struct pn_str key, struct rules_map_entry *, struct error *e);

/* Each entry of a map, but of a cdb, as it stands in the file: its value and
 * where its key is. take returns -1, and *e, to end it. -1 also when there is
 * no such map. */
typedef int rules_take_entry(void *arg, struct pn_str value,
    const struct lex_pos *, struct error *e);
int rules_map_each(const struct rules *, struct pn_str map, rules_take_entry *,
    void *arg, struct error *e);

/* ---- what rules cost: profile.c ---- */

/* Of one content atom, or of one group's prefilter. */
struct rules_cost {
	uint64_t ns, tests, hits;
};
size_t rules_n_costs(const struct rules *);
/* Measure into these [rules_n_costs()] from now on: the inspector's run.
 * NULL: do not. The clock is read twice an atom. */
void rules_run_costs(struct rules_run *, struct rules_cost *);

/* One rule's, with atoms that it shares counted in. */
struct rules_expense {
	struct pn_str rule, policy;
	const struct lex_pos *pos;
	struct rules_cost cost;
	unsigned atoms;
	struct pn_str dearest; /* the atom that took most of it, as text */
	uint64_t dearest_ns;
};
typedef void rules_expense_take(void *arg, const struct rules_expense *);
/* Each rule with content atoms, in file order. */
void rules_each_expense(const struct rules *, const struct rules_cost *,
    rules_expense_take *, void *arg);
/* Looking through texts for what no rule's alone is. */
uint64_t rules_prefilter_ns(const struct rules *, const struct rules_cost *);

/* ---- what rules look at and may want: uses.c ---- */

enum rules_use_kind {
	RULES_USE_FACT,   /* in a test or a text */
	RULES_USE_THINGS, /* how many there are */
	RULES_USE_ACTION  /* `then` or `on unknown` */
};
struct rules_use {
	enum rules_use_kind kind;
	uint32_t index;    /* FACT; THINGS: into decls.things */
	enum rules_action action;
	bool copy;         /* `quarantine copy` */
	unsigned stage;    /* at which its rule is judged */
	bool always;       /* ... also where something was allowed */
};
typedef void rules_use_take(void *arg, const struct rules_use *);
/* Of all rules of that policy, those in shadow too. None of one that is only
 * the base of others. */
void rules_each_use(const struct rules *, unsigned policy, rules_use_take *,
    void *arg);

/* ---- names: names.c ---- */

struct rules_name {
	enum {
		RULES_NAME_POLICY,
		RULES_NAME_RULE,
		RULES_NAME_SET,
		RULES_NAME_MAP
	} kind;
	struct pn_str name;
	struct pn_str policy; /* rule: the one it is written in */
	const char *path;     /* map: its file */
	const struct lex_pos *pos;
	bool shadow;	      /* rule */
	bool mode_here;	      /* ... and its `mode` is not inherited */
};
typedef void rules_name_take(void *arg, const struct rules_name *);
/* Sets and maps, then each policy and the rules that are written in it. */
void rules_each_name(const struct rules *, rules_name_take *, void *arg);

/* ---- tests in the policy ---- */

struct rules_test {
	unsigned policy;     /* the one it stands in: judge by that */
	struct pn_str rule;  /* the rule it stands in */
	struct pn_str name;
	struct pn_str file;  /* of the message, absolute or from the cwd */
	struct pn_str expect; /* "accept" "reject" ... "fires" "silent" */
	struct lex_pos pos;
	/* `with fact value`: what the worker's facts are */
	const struct rules_given {
		uint32_t fact;
		struct pn_str key;
		struct value value;
	} *given;
	size_t n_given;
};
size_t rules_tests(const struct rules *, const struct rules_test **out);
/* From now on the rule that this test stands in is judged as if it were live;
 * NULL: none is. */
void rules_run_live(struct rules_run *, const struct rules_test *);

#endif
