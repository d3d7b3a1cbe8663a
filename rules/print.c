/*
 * print - the compiled set as text: canonical (rules_print: it parses to the
 * same set, and printing that gives the same text).
 */
#include "rules/tree.h"

/* Everything here appends to a buf without a cap. */
static void
put(struct buf *b, const char *s)
{
	(void)buf_puts(b, s);
}

static void
put_str(struct buf *b, struct pn_str s)
{
	(void)buf_add_str(b, s);
}

void
print_string(struct buf *b, struct pn_str s)
{
	put(b, "\"");
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\n' || c == '\r' || c == '\t')
			put(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
		else if (c == '"' || c == '\\')
			(void)buf_printf(b, "\\%c", c);
		else
			(void)buf_add(b, &c, 1);
	}
	put(b, "\"");
}

static void
print_word(struct buf *b, const struct word *w)
{
	if (w->quoted)
		print_string(b, w->text);
	else
		put_str(b, w->text);
}

/* The largest unit that leaves no rest: it parses back to the same. */
static void
print_number(struct buf *b, int64_t v)
{
	static const char units[] = { 'G', 'M', 'K' };

	for (int i = 0; v >= 1024 && i < 3; i++) {
		int64_t unit = (int64_t)1 << (30 - 10 * i);

		if (v % unit == 0) {
			(void)buf_printf(
			    b, "%lld%c", (long long)(v / unit), units[i]);
			return;
		}
	}
	(void)buf_printf(b, "%lld", (long long)v);
}

/* ---- atoms ---- */

static void
print_fact(const struct rules_decls *d, const struct atom *a, bool relative,
    struct buf *b)
{
	static const char *const suffix[] = { [FIELD_WHOLE] = "",
		[FIELD_LOCAL] = ".local",
		[FIELD_DOMAIN] = ".domain",
		[FIELD_DISPLAY] = ".display" };
	const char *name = d->facts[a->fact].name;

	if (relative && a->thing != NO_THING) {
		const char *rest = name + strlen(d->things[a->thing]) + 1;

		/* "depth" alone would be the keyword. */
		if (!rules_is_reserved(pn_str_of(rest)))
			name = rest;
	}
	put(b, name);
	put(b, suffix[a->field]);
	if (a->key.n > 0) {
		put(b, "(");
		print_string(b, a->key);
		put(b, ")");
	}
}

static void
print_values(struct buf *b, const struct word *w, const char *between)
{
	for (; w != NULL; w = w->next) {
		print_word(b, w);
		if (w->next != NULL)
			put(b, between);
	}
}

void
print_atom(const struct rules_decls *d, const struct atom *a, bool relative,
    struct buf *b)
{
	enum value_type type = d->facts[a->fact].type;

	print_fact(d, a, relative, b);
	if (a->op == OP_HOLDS)
		return;
	(void)buf_printf(b, " %s ", rules_op_name(a->op));
	if (a->pattern != NULL) {
		put(b, "/");
		put_str(b, pattern_text(a->pattern));
		put(b, "/");
		put_str(b, pattern_flags(a->pattern));
	} else if (a->op == OP_IN || a->op == OP_CLAIMS) {
		print_values(b, a->values, " ");
	} else if (a->op == OP_IS || a->op == OP_IS_NOT) {
		print_values(b, a->values, " or ");
	} else if (type == VALUE_NUMBER) {
		print_number(b, a->number);
	} else if (type == VALUE_IP) {
		put_str(b, a->values->text);
	} else {
		print_string(b, a->text);
	}
}

/* ---- expressions ---- */

/* Does it need parentheses as an operand of that kind? */
static bool
binds_looser(const struct expr *x, enum expr_kind within)
{
	return x->kind == EXPR_OR || (x->kind == EXPR_AND && within != EXPR_OR);
}

static void print(
    const struct rules *r, const struct expr *x, bool relative, struct buf *b);

static void
print_operand(const struct rules *r, const struct expr *x,
    enum expr_kind within, bool relative, struct buf *b)
{
	bool group = binds_looser(x, within);

	put(b, group ? "( " : "");
	print(r, x, relative, b);
	put(b, group ? " )" : "");
}

static void
print_quant(const struct rules *r, const struct expr *x, struct buf *b)
{
	static const char *const names[] = {
		[QUANT_ANY] = "any", [QUANT_ALL] = "all", [QUANT_NO] = "no"
	};

	(void)buf_printf(b, "%s %s at %s ( ", names[x->quant],
	    r->decls->things[x->thing], x->top ? "top" : "any depth");
	print(r, x->first, true, b);
	put(b, " )");
}

static bool
ends_in_is(const struct expr *x)
{
	const struct expr *last = x->first;

	if (x->kind == EXPR_TEST)
		return x->atom->op == OP_IS || x->atom->op == OP_IS_NOT;
	if (x->kind == EXPR_NOT)
		return ends_in_is(last) && !binds_looser(last, EXPR_NOT);
	if (x->kind != EXPR_AND)
		return false;
	while (last->next != NULL)
		last = last->next;
	return ends_in_is(last);
}

static bool
begins_with_a_word(const struct expr *x)
{
	while (x->kind == EXPR_AND)
		x = x->first;
	return x->kind == EXPR_TEST && x->atom->op == OP_HOLDS;
}

/* `( magic is zip ) or broken`: else "broken" would be one more word. */
static void
print_chain(
    const struct rules *r, const struct expr *x, bool relative, struct buf *b)
{
	for (const struct expr *k = x->first; k != NULL; k = k->next) {
		bool apart = x->kind == EXPR_OR && k->next != NULL &&
			     ends_in_is(k) && begins_with_a_word(k->next);

		put(b, apart ? "( " : "");
		print_operand(r, k, x->kind, relative, b);
		put(b, apart ? " )" : "");
		if (k->next != NULL)
			put(b, x->kind == EXPR_AND ? " and " : " or ");
	}
}

static void
print(const struct rules *r, const struct expr *x, bool relative, struct buf *b)
{
	switch (x->kind) {
	case EXPR_TEST:
		print_atom(r->decls, x->atom, relative, b);
		return;
	case EXPR_QUANT:
		print_quant(r, x, b);
		return;
	case EXPR_NOT:
		put(b, "not ");
		print_operand(r, x->first, EXPR_NOT, relative, b);
		return;
	default:
		print_chain(r, x, relative, b);
	}
}

void
print_expr(const struct rules *r, const struct expr *x, struct buf *b)
{
	print(r, x, false, b);
}

/* ---- actions ---- */

static void
print_text(const struct text *t, struct buf *b)
{
	put(b, " \"");
	put_str(b, t->raw);
	put(b, "\"");
}

static void
print_name(const char *before, struct pn_str name, struct buf *b)
{
	if (name.n > 0)
		(void)buf_printf(b, " %s%.*s", before, PN_STR_ARG(name));
}

static void
print_header(const struct action *a, struct buf *b)
{
	(void)buf_printf(b, " %s ", rules_edit_name(a->edit));
	print_string(b, a->name);
	if (a->edit != RULES_HEADER_REMOVE)
		print_text(&a->text, b);
}

static void
print_score(const struct action *a, struct buf *b)
{
	(void)buf_printf(b, " %+lld", (long long)a->score);
	if (a->has_text)
		print_text(&a->text, b);
	print_name("in ", a->group.text, b);
}

static void
print_strip(const struct action *a, struct buf *b)
{
	put(b, " part");
	if (!a->has_text)
		return;
	put(b, " with note");
	print_text(&a->text, b);
}

/* The longest unit that leaves no rest. */
static void
print_delay(uint64_t ms, struct buf *b)
{
	if (ms % 60000 == 0)
		(void)buf_printf(b, " %llum", (unsigned long long)ms / 60000);
	else if (ms % 1000 == 0)
		(void)buf_printf(b, " %llus", (unsigned long long)ms / 1000);
	else
		(void)buf_printf(b, " %llums", (unsigned long long)ms);
}

static void
print_address(const struct action *a, struct buf *b)
{
	put(b, a->kind == RULES_RCPT_ADD      ? " add "
	       : a->kind == RULES_RCPT_REMOVE ? " remove "
					      : " ");
	print_string(b, a->address);
}

static void
print_action(const struct action *a, struct buf *b)
{
	put(b, rules_action_name(a->kind));
	switch (a->kind) {
	case RULES_REJECT:
	case RULES_TEMPFAIL:
		(void)buf_printf(b, " %u %.*s", a->code, PN_STR_ARG(a->status));
		print_text(&a->text, b);
		return;
	case RULES_QUARANTINE:
		print_name("class ", a->name, b);
		put(b, a->copy ? " copy" : "");
		return;
	case RULES_HOLD:
		if (a->has_text)
			print_text(&a->text, b);
		return;
	case RULES_HEADER:
		print_header(a, b);
		return;
	case RULES_SUBJECT_PREFIX:
		put(b, " prefix");
		print_text(&a->text, b);
		return;
	case RULES_STRIP:
		print_strip(a, b);
		return;
	case RULES_SCORE:
		print_score(a, b);
		return;
	case RULES_DELAY:
		print_delay(a->delay_ms, b);
		return;
	case RULES_NOTE:
		print_text(&a->text, b);
		return;
	case RULES_SENDER:
		put(b, " set ");
		if (a->address.n == 0)
			put(b, "<>");
		else
			print_string(b, a->address);
		return;
	default:
		if (a->address.n > 0)
			print_address(a, b);
	}
}

static void
print_actions(const struct action *a, struct buf *b)
{
	for (; a != NULL; a = a->next) {
		print_action(a, b);
		put(b, a->next != NULL ? ", " : ";\n");
	}
}

/* ---- rules ---- */

static void
print_test(const struct test_clause *t, struct buf *b)
{
	put(b, "\t\ttest ");
	print_string(b, t->name.text);
	put(b, " file ");
	print_string(b, t->path);
	for (const struct given *g = t->given; g != NULL; g = g->next) {
		put(b, g == t->given ? " with " : ", ");
		put_str(b, g->name.text);
		if (g->has_key) {
			put(b, "(");
			print_string(b, g->key.text);
			put(b, ")");
		}
		put(b, " ");
		print_word(b, &g->value);
	}
	put(b, " expect ");
	put_str(b, t->expect.text);
	put(b, ";\n");
}

static void
print_condition(const struct rules *r, const char *word, const struct expr *x,
    struct buf *b)
{
	if (x == NULL)
		return;
	put(b, word);
	print_expr(r, x, b);
	put(b, ";\n");
}

static void
print_done(const char *word, const struct action *a, struct buf *b)
{
	if (a == NULL)
		return;
	put(b, word);
	print_actions(a, b);
}

/* Those of `which`: what the rule says itself, or all it has. */
void
print_clauses(const struct rules *r, const struct rule *rule, unsigned which,
    struct buf *b)
{
	if (which & CLAUSE_MODE)
		put(b,
		    rule->shadow ? "\t\tmode shadow;\n" : "\t\tmode live;\n");
	if ((which & CLAUSE_EARLY) && rule->early)
		put(b, "\t\tearly;\n");
	if ((which & CLAUSE_ALWAYS) && rule->always)
		put(b, "\t\talways;\n");
	if (which & CLAUSE_WHEN)
		print_condition(r, "\t\twhen ", rule->when, b);
	if (which & CLAUSE_UNLESS)
		print_condition(r, "\t\tunless ", rule->unless, b);
	if (which & CLAUSE_UNKNOWN)
		print_done("\t\ton unknown ", rule->on_unknown, b);
	if (which & CLAUSE_THEN)
		print_done("\t\tthen ", rule->then, b);
}

static void
print_plain_rule(const struct rules *r, const struct rule *rule, struct buf *b)
{
	put(b, "\trule ");
	put_str(b, rule->name);
	put(b, " {\n");
	print_clauses(r, rule, rule->own, b);
	for (const struct test_clause *t = rule->tests; t != NULL; t = t->next)
		print_test(t, b);
	put(b, "\t}\n");
}

/* Its name is as it is written: "threshold reject". */
static void
print_threshold(const struct rule *rule, struct buf *b)
{
	const struct action *a = rule->then;

	(void)buf_printf(b, "\t%.*s %lld", PN_STR_ARG(rule->name),
	    (long long)rule->when->atom->number);
	if (a->has_text && a->kind == RULES_QUARANTINE)
		print_name("class ", a->name, b);
	else if (a->has_text)
		print_text(&a->text, b);
	put(b, ";\n");
}

static void
print_rule(const struct rules *r, const struct rule *rule, struct buf *b)
{
	if (rule->kind == RULE_PLAIN)
		print_plain_rule(r, rule, b);
	else if (rule->kind == RULE_THRESHOLD)
		print_threshold(rule, b);
	else
		(void)buf_printf(b, "\t%s%.*s off;\n",
		    rule->over->kind == RULE_PLAIN ? "rule " : "",
		    PN_STR_ARG(rule->name));
}

/* ---- policies ---- */

void
print_heading(const struct policy *policy, struct buf *b)
{
	(void)buf_printf(b, "policy %.*s", PN_STR_ARG(policy->name));
	if (policy->base != NULL)
		print_name("extends ", policy->base->name, b);
	for (const struct cond *c = policy->conds; c != NULL; c = c->next) {
		put(b, c == policy->conds ? " for " : " and ");
		put_str(b, c->fact.text);
		put(b, " ");
		print_values(b, c->values, " ");
	}
}

static void
print_policy(const struct rules *r, const struct policy *policy, struct buf *b)
{
	print_heading(policy, b);
	put(b, " {\n");
	for (const struct cap *c = policy->caps; c != NULL; c = c->next)
		(void)buf_printf(b, "\tgroup %.*s cap %lld;\n",
		    PN_STR_ARG(c->name), (long long)c->most);
	for (const struct rule *rule = policy->own; rule; rule = rule->next)
		print_rule(r, rule, b);
	put(b, "}\n");
}

static void
print_people(const struct list *l, struct buf *b)
{
	put(b, "people ");
	put_str(b, l->name);
	put(b, " { name ");
	print_values(b, people_names(l->people), ", ");
	if (l->members != NULL) {
		put(b, "; address ");
		print_values(b, l->members, ", ");
	}
	put(b, "; }\n");
}

/* Members as they were written. */
static void
print_list(const struct list *l, struct buf *b)
{
	if (list_is_map(l)) {
		put(b, "map ");
		put_str(b, l->name);
		(void)buf_printf(b, " = %s: ", list_kind_word(l->kind));
		print_string(b, pn_str_of(l->file.path));
		put(b, ";\n");
		return;
	}
	if (l->kind == LIST_PEOPLE) {
		print_people(l, b);
		return;
	}
	put(b, "set ");
	put_str(b, l->name);
	put(b, l->kind == LIST_EXT ? " = ext(" : " = ");
	print_values(b, l->members, " ");
	put(b, l->kind == LIST_EXT ? ");\n" : ";\n");
}

void
rules_print(const struct rules *r, struct buf *b)
{
	for (const struct list *l = r->lists; l != NULL; l = l->next)
		print_list(l, b);
	for (size_t i = 0; i < r->n_policies; i++)
		print_policy(r, r->policies[i], b);
}
