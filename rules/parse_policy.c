/*
 * parse_policy - a policy: what it extends, whom it is for, its groups,
 * thresholds and rules; and what it has from its base, name by name.
 *
 * A base stands earlier in the file, so that all it has is known here. A rule
 * of the same name takes the base's place in the list and has from it every
 * clause that it does not name itself; what is inherited as it is stays one
 * struct rule in several lists. Called by parse.c.
 */
#include "rules/parse.h"

#include "base/log.h"
#include "base/suggest.h"

/* By name, among what stands before. */
static struct policy *
find(const struct rules_builder *b, struct pn_str name)
{
	struct policy *p = b->policies;

	while (p != NULL && !pn_str_eq(p->name, name))
		p = p->next;
	return p;
}

const struct cap *
policy_cap(const struct policy *policy, struct pn_str group)
{
	for (; policy != NULL; policy = policy->base)
		for (const struct cap *c = policy->caps; c; c = c->next)
			if (pn_str_eq(c->name, group))
				return c;
	return NULL;
}

/* ---- the list of rules ---- */

/* Texts are cut anew for each rule: what they may name depends on its when. */
static struct action *
copy_actions(struct parser *p, const struct action *a)
{
	struct action *first = NULL, **last = &first;

	for (; a != NULL; a = a->next) {
		*last = rules_alloc(p->b, sizeof(*a));
		**last = *a;
		last = &(*last)->next;
	}
	return first;
}

/* The rule takes what it does not say itself from the one it overrides. */
static void
take_from_base(struct parser *p, struct rule *r)
{
	const struct rule *over = r->over;

	if (!(r->own & CLAUSE_WHEN))
		r->when = over->when;
	if (!(r->own & CLAUSE_UNLESS))
		r->unless = over->unless;
	if (!(r->own & CLAUSE_UNKNOWN))
		r->on_unknown = copy_actions(p, over->on_unknown);
	if (!(r->own & CLAUSE_THEN))
		r->then = copy_actions(p, over->then);
	if (!(r->own & CLAUSE_MODE))
		r->shadow = over->shadow;
	r->always |= over->always;
	r->early |= over->early;
}

/* The root of its overrides: their orders lie at the root's. */
static void
hang_on_root(struct rule *r)
{
	struct rule *root = r->over;

	r->last_over = &r->overs;
	if (root == NULL)
		return;
	while (root->over != NULL)
		root = root->over;
	*root->last_over = r;
	root->last_over = &r->next_over;
}

static int
check_is_new(struct parser *p, const char *what, const struct word *name)
{
	const struct rule *r = roster_find(&p->b->roster, name->text)->own;

	if (r == NULL)
		return 0;
	return lex_error(p->e, &name->pos, "%s \"%s\" stands already at %s:%u",
	    what, VIS(name->text), r->pos.file, r->pos.line);
}

static struct rule *
rule_new(struct parser *p, struct policy *policy, const struct word *name)
{
	struct rule *r = rules_alloc(p->b, sizeof(*r));
	struct roster_entry *entry = roster_find(&p->b->roster, name->text);

	r->name = name->text;
	r->pos = name->pos;
	r->policy = policy->nr;
	if (entry->placed != NULL)
		r->over = entry->placed->rule;
	entry->own = r;
	hang_on_root(r);
	*policy->last_own = r;
	policy->last_own = &r->next;
	return r;
}

/* rule NAME off; */
static int
take_out(struct parser *p, struct policy *policy, const struct word *name)
{
	struct roster_entry *entry = roster_find(&p->b->roster, name->text);
	struct suggest s = suggest_for(name->text);
	char near[96];

	if (entry->placed == NULL) {
		for (struct placed *of = policy->placed; of; of = of->next)
			if (of->rule != NULL)
				suggest_try(&s, of->rule->name);
		return lex_error(p->e, &name->pos,
		    "policy \"%s\" has no \"%s\" from another policy to "
		    "take out%s",
		    VIS(policy->name), VIS(name->text),
		    suggest_text(&s, near, sizeof(near)));
	}
	rule_new(p, policy, name)->kind = RULE_OFF;
	roster_take_out(policy, entry);
	return lex_expect(p->l, ";", p->e);
}

static int
parse_rule(struct parser *p, struct policy *policy)
{
	static const char *const words[] = { "off" };
	struct lex_token t;
	struct word name;
	struct rule *r;

	if (parse_name(p, "the name of a rule", &name) < 0 ||
	    check_is_new(p, "rule", &name) < 0 || lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "off"))
		return take_out(p, policy, &name);
	if (!lex_is(&t, "{"))
		return parse_unexpected(
		    p->e, &t, "\"{\" or \"off\"", words, PN_COUNT(words));
	r = rule_new(p, policy, &name);
	if (parse_rule_body(p, r) < 0)
		return -1;
	if (r->over != NULL)
		take_from_base(p, r);
	if (r->then == NULL)
		return lex_error(
		    p->e, &r->pos, "rule \"%s\" has no \"then\"", VIS(r->name));
	if ((r->own & CLAUSE_EARLY) && policy->conds != NULL)
		return lex_error(p->e, &r->pos,
		    "rule \"%s\" cannot be early: whom policy \"%s\" is for "
		    "is known at rcpt",
		    VIS(r->name), VIS(policy->name));
	roster_place(p, policy, r);
	return 0;
}

/* ---- thresholds and groups ---- */

/* `score >= N`, as if it had been written. */
static struct expr *
reaches(struct parser *p, const struct lex_token *n)
{
	struct expr *x = rules_alloc(p->b, sizeof(*x));

	x->kind = EXPR_TEST;
	x->pos = n->pos;
	x->test = rules_alloc(p->b, sizeof(*x->test));
	x->test->name = (struct word){ .text = PN_STR("score"), .pos = n->pos };
	x->test->op = OP_GE;
	x->test->op_pos = n->pos;
	x->test->values = rules_alloc(p->b, sizeof(*x->test->values));
	*x->test->values = parse_word_of(p->b, n);
	return x;
}

/* What stands behind the number: "text" of a reply, class of a quarantine. */
static int
parse_consequence(struct parser *p, struct action *a)
{
	struct lex_token t;
	struct word name;
	int class;

	if (a->kind == RULES_QUARANTINE) {
		class = lex_accept(p->l, "class", p->e);
		if (class <= 0)
			return class;
		if (parse_name(p, "a class of the quarantine", &name) < 0)
			return -1;
		a->name = name.text;
		a->has_text = true;
		return 0;
	}
	if (a->kind != RULES_REJECT)
		return 0;
	a->code = 554;
	a->status = PN_STR_V("5.7.1");
	a->text.raw = PN_STR_V("this message looks like spam");
	a->text.pos = a->pos;
	if (lex_peek(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind != LEX_STRING)
		return 0;
	(void)lex_next(p->l, &t, p->e); /* peeked */
	a->has_text = true;
	a->text.raw = t.text;
	a->text.pos = t.pos;
	return 0;
}

static int
parse_threshold_of(struct parser *p, struct rule *r, enum rules_action kind)
{
	struct lex_token t;
	int64_t n;

	if (lex_peek(p->l, &t, p->e) < 0 ||
	    parse_integer(p, "a score", true, &n) < 0)
		return -1;
	r->kind = RULE_THRESHOLD;
	r->when = reaches(p, &t);
	r->then = rules_alloc(p->b, sizeof(*r->then));
	r->then->kind = kind;
	r->then->pos = r->pos;
	return parse_consequence(p, r->then);
}

/* threshold tag|quarantine|reject (N ["text" | class C] | off); */
static int
parse_threshold(struct parser *p, struct policy *policy)
{
	static const struct {
		const char *word, *name;
		enum rules_action kind;
	} of[] = { { "tag", "threshold tag", RULES_TAG },
		{ "quarantine", "threshold quarantine", RULES_QUARANTINE },
		{ "reject", "threshold reject", RULES_REJECT } };
	struct lex_token t;
	struct word name;
	struct rule *r;
	size_t i = 0;
	int off;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	while (i < PN_COUNT(of) && !lex_is(&t, of[i].word))
		i++;
	if (i == PN_COUNT(of))
		return parse_unexpected(
		    p->e, &t, "tag, quarantine or reject", NULL, 0);
	name = (struct word){ .text = pn_str_of(of[i].name), .pos = t.pos };
	if (check_is_new(p, "the", &name) < 0 ||
	    (off = lex_accept(p->l, "off", p->e)) < 0)
		return -1;
	if (off)
		return take_out(p, policy, &name);
	r = rule_new(p, policy, &name);
	if (parse_threshold_of(p, r, of[i].kind) < 0)
		return -1;
	if (r->over != NULL && !r->then->has_text) {
		r->then->text = r->over->then->text;
		r->then->name = r->over->then->name;
	}
	roster_place(p, policy, r);
	return lex_expect(p->l, ";", p->e);
}

/* group NAME cap N; */
static int
parse_cap(struct parser *p, struct policy *policy)
{
	struct cap *c = rules_alloc(p->b, sizeof(*c));
	struct word name;

	if (parse_name(p, "the name of a group", &name) < 0)
		return -1;
	for (const struct cap *old = policy->caps; old; old = old->next)
		if (pn_str_eq(old->name, name.text))
			return lex_error(p->e, &name.pos,
			    "group \"%s\" stands already at %s:%u",
			    VIS(name.text), old->pos.file, old->pos.line);
	c->name = name.text;
	c->pos = name.pos;
	*policy->last_cap = c;
	policy->last_cap = &c->next;
	if (lex_expect(p->l, "cap", p->e) < 0 ||
	    parse_integer(p, "a cap", false, &c->most) < 0)
		return -1;
	return lex_expect(p->l, ";", p->e);
}

/* ---- whom it is for ---- */

/* `any` of `login any` is a keyword everywhere else. */
static int
parse_cond_values(struct parser *p, struct cond *c)
{
	struct lex_token t;

	if (!pn_str_eq(c->fact.text, PN_STR_V("login")) ||
	    lex_peek(p->l, &t, p->e) < 0 || !lex_is(&t, "any"))
		return parse_list(p, &c->values, "whom it is for");
	(void)lex_next(p->l, &t, p->e); /* peeked */
	c->values = rules_alloc(p->b, sizeof(*c->values));
	*c->values = parse_word_of(p->b, &t);
	return 0;
}

/* FACT value {value} {and FACT value {value}} */
static int
parse_for(struct parser *p, struct policy *policy)
{
	static const char *const facts[] = { "rcpt", "sender", "client",
		"listener", "login", "direction" };
	struct cond **last = &policy->conds;
	struct lex_token t;
	int more;

	do {
		if (lex_next(p->l, &t, p->e) < 0)
			return -1;
		if (t.kind != LEX_WORD || !AMONG(t.text, facts))
			return parse_unexpected(p->e, &t,
			    "rcpt, sender, client, listener, login or "
			    "direction",
			    facts, PN_COUNT(facts));
		*last = rules_alloc(p->b, sizeof(**last));
		(*last)->fact = parse_word_of(p->b, &t);
		if (parse_cond_values(p, *last) < 0)
			return -1;
		last = &(*last)->next;
		more = lex_accept(p->l, "and", p->e);
	} while (more > 0);
	return more;
}

static int
parse_base(struct parser *p, struct policy *policy)
{
	struct suggest s;
	struct word name;
	char near[96];

	if (parse_name(p, "the name of a policy", &name) < 0)
		return -1;
	policy->base = find(p->b, name.text);
	if (policy->base != NULL) {
		find(p->b, name.text)->is_base = true;
		return 0;
	}
	s = suggest_for(name.text);
	for (const struct policy *of = p->b->policies; of; of = of->next)
		suggest_try(&s, of->name);
	return lex_error(p->e, &name.pos,
	    "no policy \"%s\" stands before this one%s", VIS(name.text),
	    suggest_text(&s, near, sizeof(near)));
}

/* ---- the whole ---- */

static int
parse_policy_body(struct parser *p, struct policy *policy)
{
	static const char *const words[] = { "rule", "threshold", "group" };
	static int (*const parse[])(struct parser *,
	    struct policy *) = { parse_rule, parse_threshold, parse_cap };
	struct lex_token t;
	size_t i;

	for (;;) {
		if (lex_next(p->l, &t, p->e) < 0)
			return -1;
		if (lex_is(&t, "}"))
			return 0;
		for (i = 0; i < PN_COUNT(words) && !lex_is(&t, words[i]);)
			i++;
		if (i == PN_COUNT(words))
			return parse_unexpected(p->e, &t,
			    "a rule, threshold, group or \"}\"", words,
			    PN_COUNT(words));
		if (parse[i](p, policy) < 0)
			return -1;
	}
}

static int
parse_heading(struct parser *p, struct policy *policy)
{
	static const char *const words[] = { "extends", "for" };
	struct lex_token t;
	int is;

	is = lex_accept(p->l, "extends", p->e);
	if (is < 0 || (is && parse_base(p, policy) < 0))
		return -1;
	is = lex_accept(p->l, "for", p->e);
	if (is < 0 || (is && parse_for(p, policy) < 0))
		return -1;
	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "{"))
		return 0;
	return policy->conds != NULL
		   ? parse_unexpected(p->e, &t, "\"and\" or \"{\"", NULL, 0)
		   : parse_unexpected(p->e, &t, "extends, for or \"{\"", words,
			 PN_COUNT(words));
}

int
parse_policy(struct parser *p)
{
	struct policy *policy = rules_alloc(p->b, sizeof(*policy)), *old;
	struct word name;

	if (parse_name(p, "the name of a policy", &name) < 0)
		return -1;
	old = find(p->b, name.text);
	if (old != NULL)
		return lex_error(p->e, &name.pos,
		    "policy \"%s\" stands already at %s:%u", VIS(name.text),
		    old->pos.file, old->pos.line);
	policy->name = name.text;
	policy->pos = name.pos;
	policy->nr = (unsigned)p->b->rules->n_policies++;
	policy->last_own = &policy->own;
	policy->last_cap = &policy->caps;
	if (parse_heading(p, policy) < 0)
		return -1;
	roster_begin(p, policy);
	if (parse_policy_body(p, policy) < 0)
		return -1;
	roster_end(policy);
	*p->b->last_policy = policy;
	p->b->last_policy = &policy->next;
	return 0;
}
