/*
 * lint - what is allowed and cannot be meant: rules that never fire, or never
 * count; tests that say nothing; policies, lists and groups that nothing uses;
 * thresholds out of reach; refusals that come before an allow; regexes that
 * take too long.
 *
 * For posternd -t -v. A warning never keeps a policy from being used, and a
 * policy without warnings may still be wrong.
 */
#include "rules/lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

#define SCRATCH_MAX (64u << 20)

/* One rule in one policy, with its condition as rows. */
struct looked {
	const struct placed *at;
	struct rows rows;
	const struct action *verdict; /* NULL: it only edits */
	bool other; /* it does something besides its verdict */
};

void
lint_warn(struct lint *l, const struct lex_pos *pos, const char *fmt, ...)
{
	struct warning *w;
	va_list ap;

	for (size_t i = 0; i < l->n; i++)
		if (l->warnings[i].pos.line == pos->line &&
		    l->warnings[i].pos.column == pos->column &&
		    strcmp(l->warnings[i].pos.file, pos->file) == 0)
			return; /* one for a place */
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 16;
		l->warnings =
		    xrealloc(l->warnings, l->room * sizeof(*l->warnings));
	}
	w = &l->warnings[l->n++];
	w->pos = *pos;
	va_start(ap, fmt);
	(void)vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
}

/* An expression as text, cut where it gets long. */
static const char *
shown(const struct lint *l, const struct expr *x, char out[100])
{
	struct buf b = { 0 };

	print_expr(l->r, x, &b);
	(void)snprintf(out, 100, "%.*s%s",
	    (int)(buf_len(&b) < 96 ? buf_len(&b) : 96), buf_data(&b),
	    buf_len(&b) > 96 ? "..." : "");
	for (char *c = out; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	buf_fini(&b);
	return out;
}

/* ---- rules that can never fire ---- */

static void
warn_of_never(struct lint *l, const struct rule *rule,
    const struct literal *here, const struct literal *there)
{
	char a[100], b[100];

	if (there == NULL)
		lint_warn(l, &here->x->pos,
		    "rule \"%s\" can never fire: %s%s %s", VIS(rule->name),
		    here->positive ? "" : "not ", shown(l, here->x, a),
		    here->x->kind == EXPR_TEST &&
			    here->x->atom->fact == l->r->score
			? "is out of reach of the score"
			: "is true of nothing");
	else
		lint_warn(l, &here->x->pos,
		    "rule \"%s\" can never fire: %s%s contradicts %s%s",
		    VIS(rule->name), here->positive ? "" : "not ",
		    shown(l, here->x, a), there->positive ? "" : "not ",
		    shown(l, there->x, b));
}

/* ---- scores ---- */

/* What one policy's rules can add; each group within its cap. */
struct sum {
	const struct cap *cap;
	int64_t least, most;
};

static void
add_score(struct sum *sum, int64_t score)
{
	sum->least += score < 0 ? score : 0;
	sum->most += score > 0 ? score : 0;
}

static struct bounds
bounds_of(const struct policy *policy)
{
	struct sum sums[64] = { { .cap = NULL } };
	struct bounds all;
	size_t n = 1;

	for (const struct placed *at = policy->placed; at; at = at->next) {
		const struct action *a = at->rule->adds;
		const struct cap *cap;
		size_t i = 0;

		if (a == NULL || at->rule->shadow)
			continue;
		cap =
		    a->group.text.n ? policy_cap(policy, a->group.text) : NULL;
		while (cap != NULL && i < n && sums[i].cap != cap)
			i++;
		if (i == PN_COUNT(sums))
			return (struct bounds){ INT64_MIN, INT64_MAX };
		if (i == n)
			sums[n++] = (struct sum){ .cap = cap };
		add_score(&sums[i], a->score);
	}
	all = (struct bounds){ sums[0].least, sums[0].most };
	for (size_t i = 1; i < n; i++) {
		int64_t cap = sums[i].cap->most;

		all.least += sums[i].least < -cap ? -cap : sums[i].least;
		all.most += sums[i].most > cap ? cap : sums[i].most;
	}
	return all;
}

static bool
adds_in_shadow(const struct policy *policy)
{
	for (const struct placed *at = policy->placed; at; at = at->next)
		if (at->rule->adds != NULL && at->rule->shadow)
			return true;
	return false;
}

static void
look_at_threshold(struct lint *l, const struct policy *policy,
    const struct rule *rule, const struct bounds *score)
{
	int64_t n = rule->when->atom->number;

	if (n <= score->most)
		return;
	lint_warn(l, &rule->pos,
	    "%s %lld is never reached: the rules of policy \"%s\" add at most "
	    "%lld%s",
	    VIS(rule->name), (long long)n, VIS(policy->name),
	    (long long)score->most,
	    adds_in_shadow(policy) ? " (those in shadow nothing)" : "");
}

/* ---- rules that never count ---- */

/* How much stronger a verdict is than accept. */
static int
strength(enum rules_action kind)
{
	static const int strengths[RULES_ACTIONS] = { [RULES_TAG] = 1,
		[RULES_REDIRECT] = 2,
		[RULES_DISCARD] = 3,
		[RULES_TEMPFAIL] = 4,
		[RULES_HOLD] = 5,
		[RULES_QUARANTINE] = 6,
		[RULES_REJECT] = 7 };

	return strengths[kind];
}

static bool
refuses(const struct action *a)
{
	return a != NULL && strength(a->kind) >= strength(RULES_DISCARD);
}

static bool
passes(const struct action *a)
{
	return a != NULL && (a->kind == RULES_ACCEPT || a->kind == RULES_ALLOW);
}

static struct looked
look(struct lint *l, const struct placed *at)
{
	const struct rule *rule = at->rule;
	struct looked k = { .at = at,
		.rows = lint_rows(l, rule->when, rule->unless) };

	for (const struct action *a = rule->then; a != NULL; a = a->next) {
		bool verdict = a->kind <= RULES_REDIRECT &&
			       !(a->kind == RULES_QUARANTINE && a->copy);

		if (verdict)
			k.verdict = a;
		else
			k.other = true;
	}
	return k;
}

static bool
same_rows(const struct lint *l, const struct rows *a, const struct rows *b)
{
	return lint_covers(l, a, b) && lint_covers(l, b, a);
}

/* b stands behind a; a's condition is true wherever b's is. */
static void
compare(struct lint *l, const struct looked *a, const struct looked *b)
{
	const struct rule *x = a->at->rule, *y = b->at->rule;
	bool same = same_rows(l, &a->rows, &b->rows);

	if (x->allows && !y->always && !y->allows &&
	    a->at->stage <= b->at->stage)
		lint_warn(l, &y->pos,
		    "rule \"%s\" never counts: wherever it fires, rule \"%s\" "
		    "(line %u) allows",
		    VIS(y->name), VIS(x->name), x->pos.line);
	else if (same && ((passes(a->verdict) && refuses(b->verdict)) ||
			     (refuses(a->verdict) && passes(b->verdict))))
		lint_warn(l, &y->pos,
		    "rule \"%s\" contradicts rule \"%s\" (line %u): the same "
		    "condition, %s here and %s there",
		    VIS(y->name), VIS(x->name), x->pos.line,
		    rules_action_name(b->verdict->kind),
		    rules_action_name(a->verdict->kind));
	else if (a->verdict != NULL && b->verdict != NULL && !b->other &&
		 !x->allows && !y->allows && y->on_unknown == NULL &&
		 (x->always || !y->always) &&
		 a->at->stage <= b->at->stage &&
		 strength(a->verdict->kind) >= strength(b->verdict->kind))
		lint_warn(l, &y->pos,
		    "rule \"%s\" never counts: wherever it fires, rule \"%s\" "
		    "(line %u) %ss, too",
		    VIS(y->name), VIS(x->name), x->pos.line,
		    rules_action_name(a->verdict->kind));
}

/* Is either written in this policy? What is inherited was told there. */
static bool
is_new(
    const struct policy *policy, const struct looked *a, const struct looked *b)
{
	return a->at->rule->policy == policy->nr ||
	       b->at->rule->policy == policy->nr;
}

#define PAIRS_MAX                                                              \
	2000 /* rules of a policy that are compared with each other            \
	      */

static void
look_at_pairs(struct lint *l, const struct policy *policy,
    const struct looked *of, size_t n)
{
	for (size_t i = 0; i < n && i < PAIRS_MAX; i++)
		for (size_t k = 0; k < n && k < PAIRS_MAX; k++) {
			const struct rule *x = of[i].at->rule;
			const struct rule *y = of[k].at->rule;
			bool before = i < k || (x->allows && !y->allows);

			if (i == k || !before || x->shadow || y->shadow ||
			    x->kind != RULE_PLAIN || y->kind != RULE_PLAIN ||
			    !is_new(policy, &of[i], &of[k]))
				continue;
			if (lint_covers(l, &of[i].rows, &of[k].rows))
				compare(l, &of[i], &of[k]);
		}
}

/* An allow of a later stage comes too late for this refusal. */
static void
look_at_late_allows(
    struct lint *l, const struct policy *policy, const struct looked *refusal)
{
	const struct placed *at = refusal->at, *late = policy->placed;
	const struct action *v = refusal->verdict;

	if (v == NULL ||
	    (v->kind != RULES_REJECT && v->kind != RULES_TEMPFAIL) ||
	    at->rule->shadow || at->rule->always)
		return;
	for (; late != NULL; late = late->next)
		if (late->rule->allows && !late->rule->shadow &&
		    late->stage > at->stage &&
		    (late->rule->policy == policy->nr ||
			at->rule->policy == policy->nr))
			lint_warn(l, &at->rule->pos,
			    "rule \"%s\" refuses at %s, before rule \"%s\" "
			    "(line %u) can allow at %s",
			    VIS(at->rule->name), l->r->decls->stages[at->stage],
			    VIS(late->rule->name), late->rule->pos.line,
			    l->r->decls->stages[late->stage]);
}

/* A weaker threshold as high as a stronger one is passed with it. */
static void
look_at_thresholds(struct lint *l, const struct policy *policy,
    const struct looked *of, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			const struct rule *x = of[i].at->rule;
			const struct rule *y = of[k].at->rule;

			if (x->kind == RULE_THRESHOLD &&
			    y->kind == RULE_THRESHOLD &&
			    is_new(policy, &of[i], &of[k]) &&
			    strength(of[i].verdict->kind) >
				strength(of[k].verdict->kind) &&
			    x->when->atom->number <= y->when->atom->number)
				lint_warn(l, &y->pos,
				    "%s %lld never counts: %s %lld (line %u) "
				    "is passed before",
				    VIS(y->name),
				    (long long)y->when->atom->number,
				    VIS(x->name),
				    (long long)x->when->atom->number,
				    x->pos.line);
		}
}

/* ---- one policy ---- */

/* What the rule of the base does at once it does for everybody. */
static void
look_at_overrides(struct lint *l, const struct policy *policy)
{
	for (const struct rule *r = policy->own; r != NULL; r = r->next) {
		const struct rule *first = r->over;

		while (first != NULL && first->over != NULL)
			first = first->over;
		if (policy->conds != NULL && first != NULL && first->early &&
		    l->r->fallback != NULL &&
		    policy_has(l->r->fallback, first->order))
			lint_warn(l, &r->pos,
			    "rule \"%s\" of policy \"%s\" (line %u) is early: "
			    "it is asked for everybody, whatever stands here",
			    VIS(first->name), VIS(l->r->fallback->name),
			    first->pos.line);
	}
}

static void
look_at_rule(struct lint *l, const struct policy *policy,
    const struct looked *k, const struct bounds *score)
{
	const struct literal *here, *there;
	const struct rule *rule = k->at->rule;

	if (rule->policy != policy->nr)
		return;
	if (rule->kind == RULE_THRESHOLD)
		look_at_threshold(l, policy, rule, score);
	else if (lint_never(l, &k->rows, score, &here, &there))
		warn_of_never(l, rule, here, there);
}

static void
look_at_policy(struct lint *l, const struct policy *policy)
{
	struct looked *of = xcalloc(policy->n_placed + 1, sizeof(*of));
	struct bounds score = bounds_of(policy);
	size_t n = 0;

	for (const struct placed *at = policy->placed; at; at = at->next)
		of[n++] = look(l, at);
	for (size_t i = 0; i < n; i++) {
		look_at_rule(l, policy, &of[i], &score);
		look_at_late_allows(l, policy, &of[i]);
	}
	look_at_pairs(l, policy, of, n);
	look_at_thresholds(l, policy, of, n);
	look_at_overrides(l, policy);
	free(of);
}

/* ---- whom policies are for ---- */

static bool
cond_has_value(const struct cond *c, const struct word *v)
{
	const struct atom *a = c->atom;
	const char *at = v->text.n ? memrchr(v->text.p, '@', v->text.n) : NULL;
	struct pn_str domain = { at, 0 };

	for (const struct word *w = c->values; w != NULL; w = w->next)
		if (pn_str_caseeq(w->text, v->text))
			return true;
	if (a->op == OP_NE)
		return true; /* login any */
	if (a->nets != NULL && !list_is_map(a->lists[0]) &&
	    nets_first(a->nets, v->text) != NETS_NONE)
		return true;
	if (at == NULL)
		return false;
	domain = pn_str_sub(v->text, (size_t)(at - v->text.p), v->text.n);
	for (const struct word *w = c->values; w != NULL; w = w->next)
		if (pn_str_caseeq(w->text, domain))
			return true;
	return false;
}

/* Is everyone whom b is for also one whom a is for? */
static bool
cond_covers(const struct cond *a, const struct cond *b)
{
	if (!pn_str_eq(a->fact.text, b->fact.text))
		return false;
	for (const struct word *v = b->values; v != NULL; v = v->next)
		if (!cond_has_value(a, v))
			return false;
	return true;
}

static bool
policy_covers(const struct policy *a, const struct policy *b)
{
	for (const struct cond *x = a->conds; x != NULL; x = x->next) {
		const struct cond *y = b->conds;

		while (y != NULL && !cond_covers(x, y))
			y = y->next;
		if (y == NULL)
			return false;
	}
	return a->conds != NULL && b->conds != NULL;
}

static void
look_at_conds(struct lint *l)
{
	const struct rules *r = l->r;

	for (size_t i = 0; i < r->n_policies; i++) {
		const struct policy *b = r->policies[i];

		for (size_t k = 0; k < i; k++)
			if (policy_covers(r->policies[k], b))
				lint_warn(l, &b->conds->fact.pos,
				    "policy \"%s\" is never used: whom it is "
				    "for, policy \"%s\" (line %u) is for, too",
				    VIS(b->name), VIS(r->policies[k]->name),
				    r->policies[k]->pos.line);
		if (b->conds == NULL && !b->is_base && b != r->fallback)
			lint_warn(l, &b->pos,
			    "policy \"%s\" is never used: it has no \"for\", "
			    "and no policy extends it",
			    VIS(b->name));
	}
	if (r->n_policies > 0 && r->fallback == NULL)
		lint_warn(l, &r->policies[r->n_policies - 1]->pos,
		    "no policy is for everybody else: mail to those whom no "
		    "\"for\" means is judged by no rule");
}

/* ---- what nothing uses ---- */

static bool
atom_uses(const struct atom *a, const struct list *list)
{
	for (size_t i = 0; i < a->n_lists; i++)
		if (a->lists[i] == list)
			return true;
	return false;
}

static bool
expr_uses(const struct expr *x, const struct list *list)
{
	if (x == NULL)
		return false;
	if (x->kind == EXPR_TEST)
		return atom_uses(x->atom, list);
	for (const struct expr *k = x->first; k != NULL; k = k->next)
		if (expr_uses(k, list))
			return true;
	return false;
}

static bool
policy_uses(const struct policy *p, const struct list *list)
{
	for (const struct cond *c = p->conds; c != NULL; c = c->next)
		if (atom_uses(c->atom, list))
			return true;
	for (const struct rule *r = p->own; r != NULL; r = r->next)
		if (expr_uses(r->when, list) || expr_uses(r->unless, list))
			return true;
	return false;
}

static bool
condition_uses(const struct rules *r, const struct list *list)
{
	for (const struct condition *c = r->conditions; c; c = c->next)
		if (expr_uses(c->expr, list))
			return true;
	return false;
}

static void
look_at_lists(struct lint *l)
{
	for (const struct list *x = l->r->lists; x != NULL; x = x->next) {
		size_t i = 0;

		while (
		    i < l->r->n_policies && !policy_uses(l->r->policies[i], x))
			i++;
		if (list_is_map(x) && l->used != NULL &&
		    l->used(l->used_arg, x->name))
			continue;
		if (i == l->r->n_policies && !condition_uses(l->r, x))
			lint_warn(l, &x->pos, "%s \"%s\" is never used",
			    list_noun(x), VIS(x->name));
	}
}

/* In this policy or one that has the group from it. */
static bool
group_is_used(const struct rules *r, const struct cap *cap)
{
	for (size_t i = 0; i < r->n_policies; i++)
		for (const struct placed *at = r->policies[i]->placed; at;
		     at = at->next) {
			const struct action *a = at->rule->adds;

			if (a != NULL && a->group.text.n > 0 &&
			    policy_cap(r->policies[i], a->group.text) == cap)
				return true;
		}
	return false;
}

static void
look_at_groups(struct lint *l)
{
	for (size_t i = 0; i < l->r->n_policies; i++)
		for (const struct cap *c = l->r->policies[i]->caps; c;
		     c = c->next)
			if (!group_is_used(l->r, c))
				lint_warn(l, &c->pos,
				    "group \"%s\" is never used: no rule adds "
				    "to it",
				    VIS(c->name));
}

/* ---- regexes ---- */

/* Where the pattern's text begins is one behind its delimiter. */
static void
look_at_regex(struct lint *l, const struct lex_pos *delimiter,
    const struct pattern *p, const char *on)
{
	struct pattern_faults f =
	    lint_pattern(pattern_text(p), pattern_flags(p));
	struct lex_pos pos = *delimiter;

	if (f.loops_at != SIZE_MAX) {
		pos.column += 1 + (unsigned)f.loops_at;
		lint_warn(l, &pos,
		    "this %s, which may take as long as its limits allow",
		    f.loops);
	} else if (f.no_literal && on != NULL) {
		lint_warn(l, &pos,
		    "no letter of this must stand in the text: it is tried at "
		    "every byte of %s",
		    on);
	}
}

/* The whole message, or all of its text. */
static bool
is_long(const char *fact)
{
	return strcmp(fact, "raw") == 0 || strcmp(fact, "text") == 0 ||
	       strcmp(fact, "html") == 0;
}

static void
look_at_regexes(struct lint *l, const struct expr *x)
{
	const char *fact;

	if (x == NULL)
		return;
	if (x->kind == EXPR_TEST && x->atom->pattern != NULL) {
		fact = l->r->decls->facts[x->atom->fact].name;
		look_at_regex(l, &x->test->values->pos, x->atom->pattern,
		    is_long(fact) ? fact : NULL);
	}
	for (const struct expr *k = x->first; k != NULL; k = k->next)
		look_at_regexes(l, k);
}

static void
look_at_patterns(struct lint *l)
{
	for (size_t i = 0; i < l->r->n_policies; i++)
		for (const struct rule *r = l->r->policies[i]->own; r;
		     r = r->next) {
			look_at_regexes(l, r->when);
			look_at_regexes(l, r->unless);
		}
	for (const struct condition *c = l->r->conditions; c; c = c->next)
		look_at_regexes(l, c->expr);
	for (const struct list *x = l->r->lists; x != NULL; x = x->next)
		for (size_t i = 0; x->kind == LIST_PCRE && i < x->n_members;
		     i++)
			look_at_regex(l, &x->entries[i]->word.pos,
			    x->entries[i]->pattern, NULL);
}

/* ---- the whole ---- */

static int
by_place(const void *a, const void *b)
{
	const struct lex_pos *x = &((const struct warning *)a)->pos;
	const struct lex_pos *y = &((const struct warning *)b)->pos;
	int files = strcmp(x->file, y->file);

	if (files != 0)
		return files;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

static void
print_warnings(struct lint *l, struct buf *b)
{
	if (l->n > 0)
		qsort(l->warnings, l->n, sizeof(*l->warnings), by_place);
	for (size_t i = 0; i < l->n; i++) {
		struct error e;

		(void)lex_error(&e, &l->warnings[i].pos, "warning: %s",
		    l->warnings[i].text);
		(void)buf_printf(b, "%s\n", e.text); /* no cap */
	}
}

size_t
rules_lint(const struct rules *r, bool milter, rules_map_used *used,
    const void *arg, struct buf *b)
{
	struct lint l = { .r = r,
		.arena = arena_new(SCRATCH_MAX),
		.used = used,
		.used_arg = arg };

	for (size_t i = 0; i < r->n_policies; i++)
		look_at_policy(&l, r->policies[i]);
	look_at_conds(&l);
	look_at_lists(&l);
	look_at_groups(&l);
	look_at_patterns(&l);
	lint_numbers(&l);
	if (!milter)
		lint_doors(&l);
	print_warnings(&l, b);
	arena_free(l.arena);
	free(l.warnings);
	return l.n;
}
