/*
 * rules: the grammar of postern-rules(5) and the parser are about the same
 * language. Policies are made from the EBNF that stands in the page: each must
 * be grammatical for the parser, and what compiles must print to what parses
 * to the same text. Every alternative, option and repetition of the grammar
 * must have been in one that compiled, and have been left out of one.
 *
 * Names, types and values are not in the grammar: a maker fills them in by what
 * stands around, and what it gets wrong (two verdicts in one rule) is thrown
 * away.
 */
#include "cm.h"

#include <cdb.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "grammar.h"
#include "rules_facts.h"

#define TOKENS_MAX 4000
#define TRIES_MAX 150000
#define SEEN_ENOUGH 3
#define ACCEPTED_ENOUGH 3000
#define NAMES_MAX 24

struct token {
	struct pn_str text;	/* a literal's */
	struct pn_str terminal; /* n 0: a literal */
	struct pn_str rule;	/* in which it stands */
	char out[96];
};

struct names {
	char name[NAMES_MAX][16];
	size_t n;
};

enum value_kind {
	VALUES_NONE,
	VALUES_ADDRESS,
	VALUES_NET,
	VALUES_STRING,
	VALUES_NUMBER,
	VALUES_DIRECTION,
	VALUES_MAGIC,
	VALUES_BOOL
};

struct made_policy {
	char name[16], base[16];
	struct names rules, groups;
};

struct maker {
	struct grammar *g;
	uint32_t seed;
	struct token tokens[TOKENS_MAX];
	size_t n;
	bool full;
	/* while names are filled in */
	unsigned next_name;
	struct names addresses, nets, texts, exts, people, policies_named;
	struct made_policy policies[NAMES_MAX];
	size_t n_policies;
	enum value_kind set_kind, values;
	bool in_ext, in_people, listing;
	unsigned part_depth, depth;
};

static char folder[] = "/tmp/postern-grammar.XXXXXX";

static unsigned
choose(struct maker *m, unsigned n)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 17;
	m->seed ^= m->seed << 5;
	return m->seed % n;
}

#define ONE_OF(m, ...)                                                         \
	((const char *const[]){ __VA_ARGS__ })[choose(                         \
	    (m), PN_COUNT(((const char *const[]){ __VA_ARGS__ })))]

static bool
is_literal(const struct maker *m, size_t i, const char *text)
{
	return i < m->n && m->tokens[i].terminal.n == 0 &&
	       pn_str_eq(m->tokens[i].text, pn_str_of(text));
}

static bool
is_one_of(const struct maker *m, size_t i, const char *const *texts, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (is_literal(m, i, texts[k]))
			return true;
	return false;
}

/* ---- by the grammar ---- */

static void
push(struct maker *m, const struct node *n, struct pn_str rule)
{
	if (m->n == TOKENS_MAX) {
		m->full = true;
		return;
	}
	m->tokens[m->n++] = (struct token){ .text = n->text,
		.terminal =
		    n->kind == TERMINAL ? n->text : (struct pn_str){ NULL, 0 },
		.rule = rule };
}

static void expand(
    struct maker *m, struct node *n, unsigned depth, struct pn_str rule);

static void
expand_choice(
    struct maker *m, struct node *n, unsigned depth, struct pn_str rule)
{
	struct node *of[32];
	size_t count = 0;

	for (struct node *k = n->first; k != NULL && count < 32; k = k->next)
		if (grammar_depth(k) <= depth)
			of[count++] = k;
	if (count == 0)
		for (struct node *k = n->first; k != NULL; k = k->next)
			if (count == 0 ||
			    grammar_depth(k) < grammar_depth(of[0]))
				of[count = 0] = k, count = 1;
	n = of[choose(m, (unsigned)count)];
	n->now++;
	expand(m, n, depth, rule);
}

/* What a rule says twice it may not, and it must say what to do. */
static const char *
clause_word(const struct maker *m, size_t at)
{
	static const char *const once[] = { "when", "unless", "on", "then",
		"mode", "always", "early" };

	for (size_t i = 0; i < PN_COUNT(once); i++)
		if (at < m->n &&
		    pn_str_eq(m->tokens[at].text, pn_str_of(once[i])))
			return once[i];
	return NULL;
}

static void
remember(const struct grammar *g, unsigned counts[NODES_MAX][2])
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		counts[i][0] = g->nodes[i].now;
		counts[i][1] = g->nodes[i].now_left_out;
	}
}

static void
take_back(struct maker *m, size_t at, unsigned counts[NODES_MAX][2])
{
	m->n = at;
	for (size_t i = 0; i < m->g->n_nodes; i++) {
		m->g->nodes[i].now = counts[i][0];
		m->g->nodes[i].now_left_out = counts[i][1];
	}
}

static void
expand_clauses(struct maker *m, struct node *n, unsigned depth)
{
	static unsigned before[NODES_MAX][2];
	const char *said[16];
	size_t n_said = 0;
	bool then = false;

	for (unsigned tries = 0; !then || choose(m, 3); tries++) {
		size_t at = m->n;
		const char *word;
		bool again = false;

		remember(m->g, before);
		expand(m, n->first, depth, PN_STR_V("rule"));
		word = clause_word(m, at);
		for (size_t i = 0; i < n_said; i++)
			again |= word != NULL && strcmp(said[i], word) == 0;
		if (again) {
			take_back(m, at, before);
		} else if (word != NULL) {
			said[n_said++] = word;
			then |= strcmp(word, "then") == 0;
		}
		if (tries > 60 || m->full)
			return;
	}
}

static void
expand_repeat(
    struct maker *m, struct node *n, unsigned depth, struct pn_str rule)
{
	/* Seldom in expressions, which are in one another. */
	bool chain = pn_str_eq(rule, PN_STR_V("expr")) ||
		     pn_str_eq(rule, PN_STR_V("and"));
	unsigned times = depth < 2 ? 0
			 : chain   ? choose(m, 5) / 4
				   : choose(m, 3);

	if (pn_str_eq(rule, PN_STR_V("rule"))) {
		n->now++;
		expand_clauses(m, n, depth);
		return;
	}
	*(times > 0 ? &n->now : &n->now_left_out) += 1;
	while (times-- > 0)
		expand(m, n->first, depth, rule);
}

/* Is the policy at hand one that extends another? */
static bool
extends_another(const struct maker *m)
{
	size_t i = m->n;

	while (i > 0 && !(is_literal(m, i - 1, "policy")))
		i--;
	return is_literal(m, i + 1, "extends");
}

/* What no policy that compiles has where it stands: tried again. */
static bool
is_hopeless(const struct maker *m, size_t at, struct pn_str rule)
{
	static const char *const verdicts[] = { "accept", "tag", "reject",
		"tempfail", "quarantine", "hold", "discard", "redirect",
		"allow" };
	bool verdict = is_one_of(m, at, verdicts, PN_COUNT(verdicts));

	if (pn_str_eq(rule, PN_STR_V("action")) && at > 0) {
		if (is_literal(m, at - 1, "unknown"))
			return !verdict || is_literal(m, at, "allow") ||
			       is_literal(m, m->n - 1, "copy");
		return is_literal(m, at - 1, ",") && verdict;
	}
	if (pn_str_eq(rule, PN_STR_V("rule")) ||
	    pn_str_eq(rule, PN_STR_V("threshold")))
		return is_literal(m, m->n - 2, "off") && !extends_another(m);
	return false;
}

static void
expand_rule(struct maker *m, struct node *n, unsigned depth)
{
	unsigned before[NODES_MAX][2];
	size_t at = m->n;

	remember(m->g, before);
	for (unsigned tries = 0; tries < 20; tries++) {
		take_back(m, at, before);
		n->now++;
		expand(
		    m, n->rule->body, depth > 0 ? depth - 1 : 0, n->rule->name);
		if (!is_hopeless(m, at, n->rule->name))
			return;
	}
}

/* A policy that stands first extends none. */
static bool
may_be_taken(const struct maker *m, const struct node *option)
{
	const struct node *first = option->first->first->first;

	if (first->kind != LITERAL ||
	    !pn_str_eq(first->text, PN_STR_V("extends")))
		return true;
	for (size_t i = 0; i + 2 < m->n; i++)
		if (is_literal(m, i, "policy"))
			return true;
	return false;
}

static void
expand(struct maker *m, struct node *n, unsigned depth, struct pn_str rule)
{
	switch (n->kind) {
	case LITERAL:
	case TERMINAL:
		push(m, n, rule);
		return;
	case RULE:
		expand_rule(m, n, depth);
		return;
	case CHOICE:
		expand_choice(m, n, depth, rule);
		return;
	case SEQUENCE:
		for (struct node *k = n->first; k != NULL; k = k->next)
			expand(m, k, depth, rule);
		return;
	case OPTION:
		if (depth > 0 && may_be_taken(m, n) && choose(m, 2)) {
			n->now++;
			expand(m, n->first, depth, rule);
		} else {
			n->now_left_out++;
		}
		return;
	case REPEAT:
		expand_repeat(m, n, depth, rule);
	}
}

/* ---- names and values ---- */

static void
add_name(struct names *names, const char *name)
{
	if (names->n < NAMES_MAX)
		(void)snprintf(names->name[names->n++], sizeof(names->name[0]),
		    "%s", name);
}

static const char *
a_name(struct maker *m, const struct names *names)
{
	return names->n ? names->name[choose(m, (unsigned)names->n)] : "none";
}

static struct made_policy *
policy_now(struct maker *m)
{
	static struct made_policy nothing;

	return m->n_policies ? &m->policies[m->n_policies - 1] : &nothing;
}

static struct made_policy *
base_now(struct maker *m)
{
	for (size_t i = 0; i < m->n_policies; i++)
		if (strcmp(m->policies[i].name, policy_now(m)->base) == 0)
			return &m->policies[i];
	return policy_now(m);
}

static void
new_policy(struct maker *m, const char *name)
{
	if (m->n_policies == NAMES_MAX) {
		m->full = true;
		return;
	}
	m->policies[m->n_policies] = (struct made_policy){ .rules.n = 0 };
	(void)snprintf(m->policies[m->n_policies].name,
	    sizeof(m->policies[0].name), "%s", name);
	m->n_policies++;
	add_name(&m->policies_named, name);
}

/* The name of something new, noted as what it will be. */
static void
name_new(struct maker *m, size_t i, char *out)
{
	struct pn_str rule = m->tokens[i].rule;

	(void)snprintf(out, 16, "n%u", m->next_name++);
	if (pn_str_eq(rule, PN_STR_V("set")) && is_literal(m, i + 2, "ext")) {
		add_name(&m->exts, out);
		m->in_ext = true;
	} else if (pn_str_eq(rule, PN_STR_V("set"))) {
		m->in_ext = false;
		m->set_kind = choose(m, 2) ? VALUES_ADDRESS : VALUES_NET;
		add_name(
		    m->set_kind == VALUES_NET ? &m->nets : &m->addresses, out);
	} else if (pn_str_eq(rule, PN_STR_V("people"))) {
		add_name(&m->people, out);
		add_name(&m->addresses, out);
	} else if (is_literal(m, i + 2, "cidr:")) {
		add_name(&m->nets, out);
	} else if (is_literal(m, i + 2, "text:")) {
		add_name(&m->addresses, out);
	} else {
		add_name(&m->texts, out);
	}
}

static void
name_policy(struct maker *m, size_t i, char *out)
{
	if (is_literal(m, i - 1, "extends")) {
		size_t before = m->n_policies - 1;

		(void)snprintf(out, 16, "%s",
		    before > 0 ? m->policies[choose(m, (unsigned)before)].name
			       : "none");
		(void)snprintf(policy_now(m)->base, 16, "%s", out);
		return;
	}
	(void)snprintf(out, 16, "%s",
	    m->n_policies == 0 && choose(m, 2) ? "default" : "p");
	if (strcmp(out, "p") == 0)
		(void)snprintf(out, 16, "p%u", m->next_name++);
	new_policy(m, out);
}

static void
name_rule(struct maker *m, size_t i, char *out)
{
	bool inherited = is_literal(m, i + 1, "off") || choose(m, 3) == 0;

	if (inherited && base_now(m)->rules.n > 0)
		(void)snprintf(out, 16, "%s", a_name(m, &base_now(m)->rules));
	else
		(void)snprintf(out, 16, "r%u", m->next_name++);
	if (!is_literal(m, i + 1, "off"))
		add_name(&policy_now(m)->rules, out);
}

static void
fill_name(struct maker *m, size_t i, char *out)
{
	struct pn_str rule = m->tokens[i].rule;

	if (pn_str_eq(rule, PN_STR_V("policy"))) {
		name_policy(m, i, out);
	} else if (pn_str_eq(rule, PN_STR_V("rule"))) {
		name_rule(m, i, out);
	} else if (pn_str_eq(rule, PN_STR_V("group"))) {
		(void)snprintf(out, 16, "g%u", m->next_name++);
		add_name(&policy_now(m)->groups, out);
	} else if (pn_str_eq(rule, PN_STR_V("test"))) {
		(void)snprintf(out, 16, "%s", a_name(m, &m->people));
	} else if (is_literal(m, i - 1, "in")) {
		(void)snprintf(out, 16, "%s",
		    a_name(m, choose(m, 2) ? &policy_now(m)->groups
					   : &base_now(m)->groups));
	} else if (is_literal(m, i - 1, "class")) {
		(void)snprintf(out, 16, "%s", ONE_OF(m, "odd", "attachment"));
	} else {
		name_new(m, i, out);
	}
}

/* A fact that goes with the operator behind it. */
static const char *
fact_for(struct maker *m, size_t i)
{
	static const char *const texts[] = { "contains", "~", "!~" };
	static const char *const numbers[] = { "<", ">", "<=", ">=" };
	static const char *const equals[] = { "=", "!=" };
	size_t op = i + 1;

	if (pn_str_eq(m->tokens[i].rule, PN_STR_V("fact")) &&
	    is_literal(m, op, "(") && op + 1 < m->n &&
	    pn_str_eq(m->tokens[op + 1].rule, PN_STR_V("fact"))) {
		m->values = VALUES_STRING;
		return "header";
	}
	m->listing = is_literal(m, op, "in");
	if (is_one_of(m, op, texts, PN_COUNT(texts))) {
		m->values = VALUES_STRING;
		return m->part_depth ? ONE_OF(m, "name", "path", "subject")
				     : ONE_OF(m, "subject", "raw",
					   "sender.domain", "from");
	}
	if (is_one_of(m, op, numbers, PN_COUNT(numbers))) {
		m->values = VALUES_NUMBER;
		return m->part_depth
			   ? "part.depth"
			   : ONE_OF(m, "size", "score", "archive.members");
	}
	if (is_literal(m, op, "claims"))
		return ONE_OF(m, "from", "reply-to", "subject", "from.display");
	if (is_literal(m, op, "is")) {
		m->values = m->part_depth ? VALUES_MAGIC : VALUES_DIRECTION;
		return m->part_depth ? "magic" : "direction";
	}
	if (!is_one_of(m, op, equals, PN_COUNT(equals)) && !m->listing) {
		m->values = VALUES_BOOL;
		return m->part_depth ? ONE_OF(m, "encrypted", "broken")
				     : ONE_OF(m, "mime.broken", "mime.limit");
	}
	switch (choose(m, 3)) {
	case 0:
		m->values = VALUES_ADDRESS;
		return ONE_OF(m, "sender", "rcpt", "from.address", "to");
	case 1:
		m->values = VALUES_NET;
		return "client.ip";
	default:
		m->values = VALUES_STRING;
		return m->part_depth ? "ext" : ONE_OF(m, "login", "helo.name");
	}
}

/* A fact that a test's `with` may give; what is its value? */
static const char *
fact_given(struct maker *m, size_t i)
{
	m->listing = false;
	if (is_literal(m, i + 1, "("))
		return "header"; /* of the content: thrown away */
	switch (choose(m, 4)) {
	case 0:
		m->values = VALUES_ADDRESS;
		return "sender";
	case 1:
		m->values = VALUES_NET;
		return "client.ip";
	case 2:
		m->values = VALUES_NUMBER;
		return "size";
	default:
		m->values = VALUES_STRING;
		return "login";
	}
}

static const char *
value_word(struct maker *m)
{
	switch (m->values) {
	case VALUES_ADDRESS:
		if (m->listing && choose(m, 2))
			return a_name(
			    m, choose(m, 3) ? &m->addresses : &m->texts);
		return ONE_OF(m, "a@b.example", "c@d.example");
	case VALUES_NET:
		if (m->listing)
			return choose(m, 2)
				   ? a_name(m, &m->nets)
				   : ONE_OF(m, "10.0.0.0/8", "[2001:db8::]/32");
		return ONE_OF(m, "10.1.2.3", "[::1]");
	case VALUES_NUMBER:
		return ONE_OF(m, "0", "5", "10K", "3M");
	case VALUES_DIRECTION:
		return ONE_OF(m, "inbound", "outbound", "internal");
	case VALUES_MAGIC:
		return ONE_OF(m, "zip", "pdf", "unknown");
	default:
		if (m->listing)
			return a_name(m, m->part_depth ? &m->exts : &m->texts);
		return ONE_OF(m, "ada", "x-1");
	}
}

static const char *
value_string(struct maker *m)
{
	switch (m->values) {
	case VALUES_ADDRESS:
		return m->listing || m->in_people
			   ? "\"a@b.example\""
			   : ONE_OF(m, "\"a@b.example\"", "\"\"");
	case VALUES_NET:
		return ONE_OF(m, "\"10.1.2.3\"", "\"::1\"");
	case VALUES_DIRECTION:
		return "\"inbound\"";
	default:
		return ONE_OF(
		    m, "\"x\"", "\"a \\\"b\\\" \\\\ \\t\"", "\"caf\xc3\xa9\"");
	}
}

/* After whom a policy is for, or in a set: its members. */
static void
begin_values(struct maker *m, size_t i)
{
	static const char *const whom[] = { "rcpt", "sender", "client",
		"direction", "listener", "login" };
	static const enum value_kind kinds[] = { VALUES_ADDRESS, VALUES_ADDRESS,
		VALUES_NET, VALUES_DIRECTION, VALUES_STRING, VALUES_STRING };

	for (size_t k = 0; k < PN_COUNT(whom); k++)
		if (is_literal(m, i, whom[k])) {
			m->values = kinds[k];
			m->listing = k < 3;
		}
}

static const char *
member(struct maker *m, bool word)
{
	if (m->in_ext)
		return word ? ONE_OF(m, "exe", ".Com", "TOP")
			    : ONE_OF(m, "\"scr\"", "\".7z\"");
	if (m->set_kind == VALUES_NET)
		return word ? ONE_OF(m, "10.0.0.0/8", "[::1]/128", "192.0.2.1")
			    : "\"10.9.8.7\"";
	return word ? ONE_OF(m, "a@b.example", "u@v.example")
		    : ONE_OF(m, "\"@w.example\"", "\"x@y.example\"");
}

static const char *
fill_string(struct maker *m, size_t i)
{
	struct pn_str rule = m->tokens[i].rule;

	if (pn_str_eq(rule, PN_STR_V("value")))
		return value_string(m);
	if (pn_str_eq(rule, PN_STR_V("member")))
		return member(m, false);
	if (pn_str_eq(rule, PN_STR_V("fact")))
		return ONE_OF(m, "\"X-A\"", "\"x\"");
	if (pn_str_eq(rule, PN_STR_V("people-clause")))
		return ONE_OF(m, "\"Ada Meyer\"", "\"Meyer, \\\"B\\\"\"");
	return ONE_OF(m, "\"x\"", "\"a $size b $$\"", "\"with \\\"this\\\"\"");
}

static const char *
fill_word(struct maker *m, size_t i)
{
	struct pn_str rule = m->tokens[i].rule;

	if (pn_str_eq(rule, PN_STR_V("fact"))) {
		for (size_t k = i; k-- > 0 && i - k < 8;)
			if (is_literal(m, k, "with"))
				return fact_given(m, i);
		return fact_for(m, i);
	}
	if (pn_str_eq(rule, PN_STR_V("member")))
		return member(m, true);
	if (pn_str_eq(rule, PN_STR_V("quant")))
		return ONE_OF(m, "encrypted", "zip", "broken", "pdf");
	return value_word(m);
}

static void
fill(struct maker *m, size_t i)
{
	struct token *t = &m->tokens[i];
	const char *text = NULL;

	if (pn_str_eq(t->terminal, PN_STR_V("NAME")))
		fill_name(m, i, t->out);
	else if (pn_str_eq(t->terminal, PN_STR_V("WORD")))
		text = fill_word(m, i);
	else if (pn_str_eq(t->terminal, PN_STR_V("STRING")))
		text = fill_string(m, i);
	else if (pn_str_eq(t->terminal, PN_STR_V("FILE")))
		text = is_literal(m, i - 1, "cidr:")   ? "cidr"
		       : is_literal(m, i - 1, "pcre:") ? "pcre"
		       : is_literal(m, i - 1, "cdb:")  ? "cdb"
						       : "text";
	else if (pn_str_eq(t->terminal, PN_STR_V("THING")))
		text = "part";
	else if (pn_str_eq(t->terminal, PN_STR_V("PCRE2")))
		text = ONE_OF(m, "a+b", "\\/", "(?<n>x)[\"#;]", "");
	else if (pn_str_eq(t->terminal, PN_STR_V("flags")))
		text = ONE_OF(m, "", "i", "smx", "u");
	else if (pn_str_eq(t->terminal, PN_STR_V("N")))
		text = pn_str_eq(t->rule, PN_STR_V("action"))
			   ? ONE_OF(m, "+3", "-2", "7")
			   : ONE_OF(m, "1", "5", "999999");
	else if (pn_str_eq(t->terminal, PN_STR_V("CODE")))
		text = is_literal(m, i - 1, "reject") ? "554" : "450";
	else if (pn_str_eq(t->terminal, PN_STR_V("X.Y.Z")))
		text = is_literal(m, i - 2, "reject") ? "5.6.0" : "4.2.10";
	else if (pn_str_eq(t->terminal, PN_STR_V("ADDRESS")))
		text = ONE_OF(m, "a@b.example", "\"c@e.example\"");
	else if (pn_str_eq(t->terminal, PN_STR_V("HEADER")))
		text = ONE_OF(m, "X-A", "\"X-B\"");
	else if (pn_str_eq(t->terminal, PN_STR_V("TIME")))
		text = ONE_OF(m, "500ms", "5s", "1m");
	else
		fail_msg("nothing is known to stand for %.*s",
		    PN_STR_ARG(t->terminal));
	if (text != NULL)
		(void)snprintf(t->out, sizeof(t->out), "%s", text);
}

/* Within `any part ( ... )` names are the part's. */
static void
follow_parentheses(struct maker *m, size_t i)
{
	if (is_literal(m, i, "(")) {
		m->depth++;
		if (pn_str_eq(m->tokens[i].rule, PN_STR_V("quant")))
			m->part_depth = m->depth;
	} else if (is_literal(m, i, ")")) {
		if (m->part_depth == m->depth)
			m->part_depth = 0;
		m->depth--;
	} else if (is_literal(m, i, "people")) {
		m->in_people = true;
	} else if (is_literal(m, i, "policy")) {
		m->in_people = false;
	} else if (is_literal(m, i, "address")) {
		m->values = VALUES_ADDRESS;
		m->listing = false;
	}
}

static void
fill_all(struct maker *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct token *t = &m->tokens[i];

		if (t->terminal.n > 0) {
			fill(m, i);
			continue;
		}
		follow_parentheses(m, i);
		if (pn_str_eq(t->rule, PN_STR_V("whom")))
			begin_values(m, i);
		(void)snprintf(
		    t->out, sizeof(t->out), "%.*s", PN_STR_ARG(t->text));
	}
}

/* Blanks between tokens, but not around a regex's slashes. */
static void
write_all(const struct maker *m, struct buf *b)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct token *t = &m->tokens[i];
		bool regex = is_literal(m, i, "/") ||
			     pn_str_eq(t->terminal, PN_STR_V("PCRE2"));

		(void)buf_puts(b, t->out);
		if (!regex)
			(void)buf_puts(
			    b, is_literal(m, i, ";") || is_literal(m, i, "{")
				   ? "\n"
				   : " ");
	}
}

/* ---- the property ---- */

static void
forget_now(struct grammar *g)
{
	for (size_t i = 0; i < g->n_nodes; i++)
		g->nodes[i].now = g->nodes[i].now_left_out = 0;
}

static void
count_now(struct grammar *g)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		g->nodes[i].seen += g->nodes[i].now > 0;
		g->nodes[i].left_out += g->nodes[i].now_left_out > 0;
	}
}

static bool
is_counted(const struct node *n)
{
	return n->kind == SEQUENCE || n->kind == RULE || n->kind == OPTION ||
	       n->kind == REPEAT;
}

/* The clauses of a rule are never left out: it must have a `then`. */
static bool
is_missing(const struct node *n, bool clauses)
{
	if (!is_counted(n))
		return false;
	if (n->seen < SEEN_ENOUGH)
		return true;
	return (n->kind == OPTION || n->kind == REPEAT) && !clauses &&
	       n->left_out < SEEN_ENOUGH;
}

static const struct node *
clauses_of(struct grammar *g)
{
	const struct grammar_rule *r = grammar_find(g, PN_STR_V("rule"));
	const struct node *found = NULL;

	for (size_t i = 0; r != NULL && i < g->n_nodes; i++)
		if (g->nodes[i].kind == REPEAT && g->nodes + i < r->body + 20 &&
		    g->nodes + i > r->body)
			found = &g->nodes[i];
	return found;
}

static size_t
missing(struct grammar *g)
{
	const struct node *clauses = clauses_of(g);
	size_t n = 0;

	for (size_t i = 0; i < g->n_nodes; i++)
		n += is_missing(&g->nodes[i], &g->nodes[i] == clauses);
	return n;
}

static void
print_node(const struct node *n)
{
	if (n->text.n > 0 && n->kind != OPTION && n->kind != REPEAT)
		print_error(" %.*s", PN_STR_ARG(n->text));
	for (const struct node *k = n->first; k != NULL; k = k->next)
		print_node(k);
}

static void
tell_missing(struct grammar *g)
{
	const struct node *clauses = clauses_of(g);

	for (size_t i = 0; i < g->n_nodes; i++)
		if (is_missing(&g->nodes[i], &g->nodes[i] == clauses)) {
			print_error("%s only %u times, left out %u times:",
			    g->nodes[i].kind == OPTION	 ? "an option"
			    : g->nodes[i].kind == REPEAT ? "a repetition"
							 : "an alternative",
			    g->nodes[i].seen, g->nodes[i].left_out);
			print_node(&g->nodes[i]);
			print_error("\n");
		}
}

/* Does the text compile? Then it prints to what prints to the same. */
static bool
check_identity(struct pn_str text)
{
	struct arena *one = arena_new(POLICY_ARENA), *two = NULL;
	struct buf first = { 0 }, second = { 0 };
	struct rules *r, *again;
	struct error e;

	r = compile_text(text, folder, one, &e);
	if (r == NULL && strstr(e.text, "must stand here") != NULL)
		fail_msg("%.*s\n%s", PN_STR_ARG(text), e.text);
	if (r != NULL) {
		two = arena_new(POLICY_ARENA);
		rules_print(r, &first);
		again = compile_text(buf_str(&first), "", two, &e);
		if (again == NULL)
			fail_msg("%.*s\nprints to\n%.*s\n%s", PN_STR_ARG(text),
			    PN_STR_ARG(buf_str(&first)), e.text);
		rules_print(again, &second);
		if (!pn_str_eq(buf_str(&first), buf_str(&second)))
			fail_msg("%.*s\nprints to\n%.*s\nand that to\n%.*s",
			    PN_STR_ARG(text), PN_STR_ARG(buf_str(&first)),
			    PN_STR_ARG(buf_str(&second)));
		rules_free(again);
	}
	rules_free(r);
	buf_fini(&first);
	buf_fini(&second);
	arena_free(one);
	arena_free(two);
	return r != NULL;
}

static bool
make_one(struct maker *m)
{
	struct grammar *g = m->g;
	struct node *item = grammar_find(g, PN_STR_V("item"))->body;
	uint32_t seed = m->seed;
	struct buf text = { 0 };
	bool accepted;

	*m = (struct maker){ .g = g, .seed = seed };
	forget_now(g);
	for (unsigned n = 2 + choose(m, 5); n > 0; n--)
		expand(m, item, 8 + choose(m, 14), PN_STR_V("item"));
	if (m->full)
		return false;
	fill_all(m);
	if (m->full)
		return false;
	write_all(m, &text);
	accepted = check_identity(buf_str(&text));
	if (accepted)
		count_now(g);
	buf_fini(&text);
	return accepted;
}

/* ---- what it needs ---- */

/* What stands between the page's GRAMMAR and the display's end. */
static struct pn_str
take_grammar(struct pn_str page)
{
	static const char begin[] =
	    ".Sh GRAMMAR\n.Bd -literal -offset indent\n";
	const char *from = memmem(page.p, page.n, begin, strlen(begin));
	const char *to;

	assert_non_null(from);
	from += strlen(begin);
	to = memmem(from, (size_t)(page.p + page.n - from), "\n.Ed", 4);
	assert_non_null(to);
	return (struct pn_str){ from, (size_t)(to - from) };
}

static void
write_file(const char *name, const char *text)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
	io_close(fd);
}

static void
write_cdb(void)
{
	struct cdb_make maker;
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/cdb", folder);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(cdb_make_start(&maker, fd), 0);
	assert_int_equal(cdb_make_add(&maker, "a@b", 3, "x", 1), 0);
	assert_int_equal(cdb_make_finish(&maker), 0);
	io_close(fd);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	write_file("text", "a@b\n");
	write_file("cidr", "10.0.0.0/8 x\n");
	write_file("pcre", "/a/ x\n");
	write_cdb();
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "text", "cidr", "pcre", "cdb" };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(names); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

static void
what_the_page_says_parses(void **state)
{
	static struct grammar g;
	static struct maker m = { .g = &g, .seed = 1 };
	const char *srcdir = getenv("srcdir");
	struct buf page = { 0 };
	char path[512];
	struct error e;
	size_t accepted = 0, tries = 0, alternatives = 0;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/contrib/man/postern-rules.5",
	    srcdir ? srcdir : ".");
	assert_int_equal(io_slurp(path, 1 << 20, &page, &e), 0);
	grammar_read(&g, take_grammar(buf_str(&page)));
	assert_true(g.n_rules > 15);
	for (; tries < TRIES_MAX &&
	       (accepted < ACCEPTED_ENOUGH || missing(&g) > 0);
	     tries++)
		accepted += make_one(&m);
	for (size_t i = 0; i < g.n_nodes; i++)
		alternatives += is_counted(&g.nodes[i]);
	print_message("# %zu productions with %zu alternatives, options and "
		      "repetitions; %zu policies of %zu compiled\n",
	    g.n_rules, alternatives, accepted, tries);
	tell_missing(&g);
	assert_int_equal(missing(&g), 0);
	assert_true(accepted >= ACCEPTED_ENOUGH);
	buf_fini(&page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_page_says_parses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
