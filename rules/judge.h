/*
 * judge - one judging under way, shared by judge.c, effects.c and score.c.
 * Lives on rules_judge()'s stack; what it points to, in the caller's arena.
 */
#ifndef RULES_JUDGE_H
#define RULES_JUDGE_H

#include "rules/text.h"

struct judging {
	const struct rules *r;
	struct rules_run *run;
	const struct policy *policy;
	const struct rules_facts *facts;
	const struct rules_answers *answers;
	const struct rules_result *const *earlier;
	size_t n_earlier;
	struct arena *arena;
	struct rules_trace *trace;
	struct rules_result *out;
	size_t room; /* of out->effects */
	int64_t score;
	bool full; /* the arena is */
};

/* judge.c: does it only tell what it would do? */
bool judge_in_shadow(const struct judging *, const struct rule *);
/* Each of these is worked out once and remembered in the trace. */
enum tri judge_worker_atom(struct judging *, const struct atom *);
enum tri judge_quant(struct judging *, const struct expr *);
/* ... but for this: is a quantifier's condition true of its nth thing? */
bool judge_is_true_of(struct judging *, const struct expr *quant, uint32_t n);

/* effects.c: what a rule wants, its outcome being known. */
void effects_take(struct judging *, size_t nth);

/* score.c: what was added so far, into the trace and j->score. */
void score_add_up(struct judging *);

#endif
