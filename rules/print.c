/*
 * print - the compiled set as text: canonical (rules_print: it parses to the
 * same set, and printing that gives the same text), and with what -t -v says
 * beside it (rules_describe).
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

	if (relative && a->thing != NO_THING)
		name += strlen(d->things[a->thing]) + 1;
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
	} else if (a->op == OP_IN) {
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

/* ---- rules ---- */

static void
print_text(const struct text *t, struct buf *b)
{
	put(b, "\"");
	put_str(b, t->raw);
	put(b, "\"");
}

void
print_action(const struct action *a, struct buf *b)
{
	put(b, rules_action_name(a->kind));
	if (a->kind == RULES_REJECT || a->kind == RULES_TEMPFAIL) {
		(void)buf_printf(
		    b, " %u %.*s ", a->code, PN_STR_ARG(a->status));
		print_text(&a->text, b);
	} else if (a->kind == RULES_QUARANTINE && a->name.n > 0) {
		put(b, " class ");
		put_str(b, a->name);
	} else if (a->kind == RULES_HEADER) {
		put(b, " add ");
		print_string(b, a->name);
		put(b, " ");
		print_text(&a->text, b);
	} else if (a->kind == RULES_SUBJECT_PREFIX) {
		put(b, " prefix ");
		print_text(&a->text, b);
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
print_clauses(const struct rules *r, const struct rule *rule, struct buf *b)
{
	if (rule->when != NULL) {
		put(b, "\t\twhen ");
		print_expr(r, rule->when, b);
		put(b, ";\n");
	}
	if (rule->unless != NULL) {
		put(b, "\t\tunless ");
		print_expr(r, rule->unless, b);
		put(b, ";\n");
	}
	if (rule->on_unknown != NULL) {
		put(b, "\t\ton unknown ");
		print_actions(rule->on_unknown, b);
	}
	put(b, "\t\tthen ");
	print_actions(rule->then, b);
}

static void
print_rule(const struct rules *r, const struct rule *rule, struct buf *b)
{
	put(b, "\trule ");
	put_str(b, rule->name);
	put(b, " {\n");
	print_clauses(r, rule, b);
	for (const struct test_clause *t = rule->tests; t != NULL; t = t->next)
		print_test(t, b);
	put(b, "\t}\n");
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
	if (r->policy.n == 0)
		return;
	put(b, "policy ");
	put_str(b, r->policy);
	put(b, " {\n");
	for (size_t i = 0; i < r->n_rules; i++)
		print_rule(r, r->rules[i], b);
	put(b, "}\n");
}

/* ---- -t -v ---- */

static void
describe_atoms(const struct rules *r, const struct expr *x, struct buf *b)
{
	const struct rules_decl *decl;

	if (x == NULL)
		return;
	if (x->kind == EXPR_TEST) {
		decl = &r->decls->facts[x->atom->fact];
		put(b, "\t\t# ");
		put_str(b, x->atom->canonical);
		(void)buf_printf(b, ": known at %s, tested by the %s\n",
		    r->decls->stages[decl->stage],
		    x->atom->content ? "inspector" : "worker");
	}
	for (const struct expr *k = x->first; k != NULL; k = k->next)
		describe_atoms(r, k, b);
}

static bool
refuses(const struct rule *rule)
{
	for (const struct action *a = rule->then; a != NULL; a = a->next)
		if (a->kind == RULES_REJECT || a->kind == RULES_TEMPFAIL)
			return true;
	return false;
}

/* An allow of a later stage comes too late for this refusal. */
static void
warn_of_late_allows(
    const struct rules *r, const struct rule *rule, struct buf *b)
{
	for (size_t i = 0; refuses(rule) && i < r->n_rules; i++) {
		const struct rule *late = r->rules[i];

		if (late->allows && late->stage > rule->stage)
			(void)buf_printf(b,
			    "\t\t# warning: refuses at %s, before rule %.*s "
			    "can allow at %s\n",
			    r->decls->stages[rule->stage],
			    PN_STR_ARG(late->name),
			    r->decls->stages[late->stage]);
	}
}

void
rules_describe(const struct rules *r, struct buf *b)
{
	for (size_t i = 0; i < r->n_rules; i++) {
		const struct rule *rule = r->rules[i];

		(void)buf_printf(b, "rule %.*s (%s:%u), judged at %s\n",
		    PN_STR_ARG(rule->name), rule->pos.file, rule->pos.line,
		    r->decls->stages[rule->stage]);
		print_clauses(r, rule, b);
		describe_atoms(r, rule->when, b);
		describe_atoms(r, rule->unless, b);
		warn_of_late_allows(r, rule, b);
	}
	(void)buf_printf(b,
	    "%zu rules, %u tests in the inspector, %u in the worker, "
	    "%zu texts to search\n",
	    r->n_rules, r->n_content, r->n_worker, r->n_groups);
}
