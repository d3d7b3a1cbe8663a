/*
 * render - a trace (engine/trace.c, rules/explain.c) for people: who wrote to
 * whom, the verdict, the rule that decided and where it stands, what the score
 * is made of, then each other rule with the values it saw. Called by explain,
 * scan and quarantine show, with traces that were stored by any version: what
 * is not there is not shown.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/render.h"

/* ---- rules ---- */

/* A rule's clause: the actions one under the other, as it lists them. */
static void
render_then(FILE *f, const json_t *actions)
{
	const json_t *a;
	size_t i;

	json_array_foreach(actions, i, a)
	{
		(void)fputs(i == 0 ? "    then " : ",\n         ", f);
		render_action(f, a);
	}
	if (json_array_size(actions) > 0)
		(void)fputc('\n', f);
}

/* FILE:LINE, and the policy where it is not the one that the head names. */
static void
render_place(
    FILE *f, const json_t *trace, const json_t *stage, const json_t *rule)
{
	struct pn_str policy = member(stage, "policy");

	if (policy.n > 0 && !pn_str_eq(policy, member(trace, "policy"))) {
		(void)fputs("policy ", f);
		show_text(f, policy);
		(void)fputs(", ", f);
	}
	if (json_object_get(rule, "file") != NULL) {
		show_text(f, member(rule, "file"));
		(void)fputc(':', f);
	} else {
		(void)fputs("line ", f);
	}
	show_value(f, json_object_get(rule, "line"));
}

/* "at rcpt of <a@x>": of whom, where there are several. */
static void
render_stage(FILE *f, const json_t *trace, const json_t *stage)
{
	size_t rcpts = json_array_size(json_object_get(trace, "recipients")) +
	    json_array_size(json_object_get(trace, "refused"));

	(void)fputs(" at ", f);
	show_text(f, member(stage, "stage"));
	if (json_object_get(stage, "rcpt") != NULL && rcpts > 1) {
		(void)fputs(" of <", f);
		show_text(f, member(stage, "rcpt"));
		(void)fputc('>', f);
	}
}

/* Its own word, which need not be what was done. */
static void
render_own_word(FILE *f, const json_t *done, struct pn_str said)
{
	json_t *own = json_deep_copy(done);

	(void)json_object_set_new(
	    own, "action", json_stringn(said.p, said.n));
	render_action(f, own);
	json_decref(own);
}

static void
render_what_was_done(FILE *f, const json_t *done, struct pn_str said)
{
	if (member_is(done, "action", "tag"))
		(void)fputs(", and changed the message", f);
	else if (!pn_str_eq(said, PN_STR_V("accept")) &&
	    !pn_str_eq(said, PN_STR_V("continue")))
		(void)fputs(", which is not obeyed", f);
}

/* Somebody else's word, who stands in no file: "milter.dkim said reject 550
 * ...", and in which fact a rule finds it. */
static void
render_said(
    FILE *f, const json_t *trace, const json_t *stage, const json_t *rule)
{
	const json_t *done = json_array_get(json_object_get(rule, "actions"), 0);
	bool passes = member_is(done, "action", "accept") || member_is(done, "action", "tag");

	(void)fputs("  ", f);
	show_text(f, member(rule, "rule"));
	(void)fputs(" said ", f);
	if (passes)
		render_own_word(f, done, member(rule, "said"));
	else
		render_action(f, done);
	render_stage(f, trace, stage);
	if (passes)
		render_what_was_done(f, done, member(rule, "said"));
	(void)fputs("\n    ", f);
	show_text(f, member(rule, "fact"));
	(void)fputs(" is ", f);
	show_text(f, member(rule, "said"));
	(void)fputc('\n', f);
}

static void
render_rule(
    FILE *f, const json_t *trace, const json_t *stage, const json_t *rule)
{
	struct telling t = { f, json_object_get(trace, "found") };

	if (json_object_get(rule, "said") != NULL) {
		render_said(f, trace, stage, rule);
		return;
	}
	(void)fputs("  ", f);
	show_text(f, member(rule, "rule"));
	(void)fputs(": ", f);
	show_text(f, member(rule, "result"));
	if (member_is(rule, "mode", "shadow"))
		(void)fputs(" in shadow", f);
	render_stage(f, trace, stage);
	(void)fputs(" (", f);
	render_place(f, trace, stage, rule);
	(void)fputs(")\n", f);
	if (member_is(rule, "result", "skipped"))
		return; /* it saw nothing */
	render_expr(&t, json_object_get(rule, "when"), "when ", 4);
	render_expr(&t, json_object_get(rule, "unless"), "unless ", 4);
	render_then(f, json_object_get(rule, "actions"));
}

/* ---- rules by what they came to ---- */

enum group {
	DECIDED,
	ALLOWED,
	WOULD,
	FIRED,
	SHADOW,
	UNKNOWN,
	SKIPPED,
	SILENT,
	GROUPS
};

static const char *const titles[GROUPS] = { [DECIDED] = "decided by",
	[ALLOWED] = "allowed by",
	[WOULD] = "would have decided",
	[FIRED] = "also fired",
	[SHADOW] = "would have fired (mode shadow)",
	[UNKNOWN] = "unknown: something it asks about was not known",
	[SKIPPED] = "not judged, as another rule allows",
	[SILENT] = "did not fire" };

/* Was the recipient of this stage refused? */
static bool
refused_rcpt(const json_t *trace, const json_t *stage)
{
	struct pn_str rcpt = member(stage, "rcpt");
	const json_t *r;
	size_t i;

	json_array_foreach(json_object_get(trace, "refused"), i,
	    r) if (rcpt.n > 0 &&
		   pn_str_eq(member(r, "rcpt"), rcpt)) return true;
	return false;
}

static bool
refuses(const json_t *rule)
{
	const json_t *a;
	size_t i;

	json_array_foreach(json_object_get(rule, "actions"), i,
	    a) if (member_is(a, "action", "reject") ||
		   member_is(a, "action", "tempfail")) return true;
	return false;
}

/* The verdict's rule; a recipient may have been refused by one of its own. */
static bool
decided(const json_t *trace, const json_t *stage, const json_t *rule)
{
	const json_t *v = json_object_get(trace, "verdict");
	struct pn_str name = member(v, "rule");

	if (refused_rcpt(trace, stage) && refuses(rule))
		return true;
	return name.n > 0 && pn_str_eq(member(rule, "rule"), name);
}

/* In shadow, or where nothing is enforced. */
static bool
would_have(const json_t *trace, const json_t *rule)
{
	struct pn_str name = member(json_object_get(trace, "would"), "rule");

	return name.n > 0 && pn_str_eq(member(rule, "rule"), name);
}

static enum group
group_of(const json_t *trace, const json_t *stage, const json_t *rule)
{
	if (member_is(rule, "result", "fired")) {
		if (decided(trace, stage, rule) &&
		    !member_is(rule, "mode", "shadow"))
			return DECIDED;
		if (would_have(trace, rule))
			return WOULD;
		return member_is(rule, "mode", "shadow") ? SHADOW : FIRED;
	}
	/* A rule's `on unknown` decides as well as its `then`. */
	if (member_is(rule, "result", "unknown"))
		return json_array_size(json_object_get(rule, "actions")) > 0 &&
			       decided(trace, stage, rule)
			   ? DECIDED
			   : UNKNOWN;
	if (member_is(rule, "result", "allowed"))
		return member_is(rule, "mode", "shadow") ? SHADOW : ALLOWED;
	return member_is(rule, "result", "silent") ? SILENT : SKIPPED;
}

/* The rules of one group. Returns how many there were. */
static unsigned
render_group(FILE *f, const json_t *trace, enum group group)
{
	const json_t *stage, *rule;
	unsigned n = 0;
	size_t i, j;

	json_array_foreach(json_object_get(trace, "stages"), i, stage)
	    json_array_foreach(json_object_get(stage, "rules"), j, rule)
	{
		if (!json_is_object(rule) ||
		    json_object_get(rule, "score") != NULL ||
		    group_of(trace, stage, rule) != group)
			continue;
		if (n++ == 0)
			(void)fprintf(f, "\n%s\n", titles[group]);
		render_rule(f, trace, stage, rule);
		if (group <= WOULD)
			show_source(f, rule);
	}
	return n;
}

/* ---- the score ---- */

static void
render_number(FILE *f, const json_t *v)
{
	(void)fprintf(f, "%+g", json_number_value(v));
}

static void
render_addend(FILE *f, const json_t *a)
{
	const json_t *add = json_object_get(a, "add");
	const json_t *counted = json_object_get(a, "counted");

	(void)fputs("  ", f);
	render_number(f, add);
	(void)fputc(' ', f);
	show_text(f, member(a, "rule"));
	if (member(a, "why").n > 0) {
		(void)fputs(": ", f);
		show_text(f, member(a, "why"));
	}
	if (member(a, "group").n > 0) {
		(void)fputs(", in group ", f);
		show_text(f, member(a, "group"));
	}
	if (json_is_number(counted) &&
	    json_number_value(counted) != json_number_value(add)) {
		(void)fputs(", capped to ", f);
		render_number(f, counted);
	}
	(void)fputc('\n', f);
}

/* Did a rule of this stage decide? */
static bool
decided_here(const json_t *trace, const json_t *stage)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(json_object_get(stage, "rules"), i, rule)
		if (json_object_get(rule, "score") == NULL &&
		    group_of(trace, stage, rule) == DECIDED)
			return true;
	return false;
}

/* Is there a later score of the same policy? It has all of this one in it. */
static bool
is_outdated(const json_t *stages, size_t nth)
{
	const json_t *stage = json_array_get(stages, nth), *later, *rule;
	struct pn_str policy = member(stage, "policy");
	size_t i;

	while ((later = json_array_get(stages, ++nth)) != NULL) {
		if (!pn_str_eq(member(later, "policy"), policy))
			continue;
		json_array_foreach(json_object_get(later, "rules"), i, rule)
			if (json_is_number(json_object_get(rule, "score")))
				return true;
	}
	return false;
}

static void
render_sum(FILE *f, const json_t *trace, const json_t *stage, const json_t *sum)
{
	struct pn_str policy = member(stage, "policy");
	const json_t *a;
	size_t i;

	(void)fprintf(f, "\nscore %g",
	    json_number_value(json_object_get(sum, "score")));
	render_stage(f, trace, stage);
	if (policy.n > 0 && !pn_str_eq(policy, member(trace, "policy"))) {
		(void)fputs(" in policy ", f);
		show_text(f, policy);
	}
	(void)fputc('\n', f);
	json_array_foreach(json_object_get(sum, "from"), i, a)
	    render_addend(f, a);
}

/* The last of each policy, and by which a rule decided before. */
static void
render_score(FILE *f, const json_t *trace)
{
	const json_t *stages = json_object_get(trace, "stages"), *stage, *rule;
	size_t i, j;

	json_array_foreach(stages, i, stage)
	{
		if (is_outdated(stages, i) && !decided_here(trace, stage))
			continue;
		json_array_foreach(json_object_get(stage, "rules"), j, rule)
			if (json_array_size(json_object_get(rule, "from")) > 0)
				render_sum(f, trace, stage, rule);
	}
}

/* ---- the message ---- */

static void
render_envelope(FILE *f, const json_t *trace)
{
	const json_t *r;
	size_t i;

	(void)fputs("from     <", f);
	show_text(f, member(trace, "sender"));
	(void)fputs(">\nto      ", f);
	json_array_foreach(json_object_get(trace, "recipients"), i, r)
	{
		(void)fputs(" <", f);
		show_value(f, r);
		(void)fputc('>', f);
	}
	if (json_array_size(json_object_get(trace, "recipients")) == 0)
		(void)fputs(" nobody", f);
	(void)fputc('\n', f);
	json_array_foreach(json_object_get(trace, "refused"), i, r)
	{
		(void)fputs("refused  <", f);
		show_text(f, member(r, "rcpt"));
		(void)fputs("> ", f);
		show_value(f, json_object_get(r, "code"));
		(void)fputc('\n', f);
	}
}

static void
render_client(FILE *f, const json_t *client)
{
	static const char *const known[] = { "name", "helo", "login",
		"listener" };

	(void)fputs("client  ", f);
	if (member(client, "ip").n > 0)
		(void)fputc(' ', f);
	show_text(f, member(client, "ip"));
	for (size_t i = 0; i < PN_COUNT(known); i++)
		if (member(client, known[i]).n > 0) {
			(void)fprintf(f, " %s=", known[i]);
			show_text(f, member(client, known[i]));
		}
	(void)fputc('\n', f);
}

static void
render_people(FILE *f, const json_t *trace)
{
	render_envelope(f, trace);
	render_client(f, json_object_get(trace, "client"));
	if (member(trace, "upstream").n > 0) {
		(void)fputs("upstream ", f);
		show_text(f, member(trace, "upstream"));
		(void)fputs(member(trace, "server").n > 0 ? " " : "", f);
		show_text(f, member(trace, "server"));
		(void)fputc('\n', f);
	}
}

static void
render_verdict(FILE *f, const json_t *verdict)
{
	(void)fputs("verdict  ", f);
	show_text(f, member(verdict, "action"));
	if (json_object_get(verdict, "class") != NULL) {
		(void)fputs(" class ", f);
		show_text(f, member(verdict, "class"));
	}
	if (json_object_get(verdict, "held") != NULL)
		(void)fputs(", in the MTA's own hold queue", f);
	if (json_object_get(verdict, "code") != NULL) {
		(void)fputc(' ', f);
		show_value(f, json_object_get(verdict, "code"));
		(void)fputc(' ', f);
		show_text(f, member(verdict, "status"));
		(void)fputc(' ', f);
		show_text(f, member(verdict, "text"));
	}
	if (json_is_true(json_object_get(verdict, "degraded")))
		(void)fputs(" (something was unknown)", f);
	(void)fputc('\n', f);
}

static void
render_list_of(FILE *f, const char *title, const json_t *list)
{
	const json_t *v;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	(void)fprintf(f, "%-8s", title);
	json_array_foreach(list, i, v)
	{
		(void)fputc(' ', f);
		show_value(f, v);
	}
	(void)fputc('\n', f);
}

/* By whose rules, and what else they came to. */
static void
render_rest(FILE *f, const json_t *trace)
{
	const json_t *would = json_object_get(trace, "would");
	const json_t *copy = json_object_get(trace, "copy");

	if (member(trace, "policy").n > 0) {
		(void)fputs("policy   ", f);
		show_text(f, member(trace, "policy"));
		(void)fputc('\n', f);
	}
	if (would != NULL) {
		(void)fputs("would    ", f);
		show_text(f, member(would, "action"));
		(void)fputs(" by ", f);
		show_text(f, member(would, "rule"));
		(void)fputs(", but for `mode shadow` or `enforce no`\n", f);
	}
	render_list_of(f, "onward", json_object_get(trace, "onward"));
	if (json_object_get(trace, "onward_sender") != NULL) {
		(void)fputs("onward   from <", f);
		show_text(f, member(trace, "onward_sender"));
		(void)fputs(">\n", f);
	}
	if (copy != NULL) {
		(void)fputs("copy     held, class ", f);
		show_text(f, member(copy, "class"));
		(void)fputs(", by ", f);
		show_text(f, member(copy, "rule"));
		(void)fputc('\n', f);
	}
	if (member(trace, "notes").n > 0) {
		(void)fputs("notes    ", f);
		show_text(f, member(trace, "notes"));
		(void)fputc('\n', f);
	}
	render_list_of(f, "no answer from", json_object_get(trace, "away"));
}

/* Was there a message, or was it refused before? */
static bool
has_come(const json_t *trace)
{
	const json_t *stages = json_object_get(trace, "stages");
	size_t n = json_array_size(stages);

	return json_integer_value(json_object_get(trace, "size")) > 0 ||
	    (n > 0 && member_is(json_array_get(stages, n - 1), "stage", "message"));
}

/* What decided is neither a rule nor somebody's word: perhaps his silence. */
static void
render_undecided(FILE *f, const json_t *trace)
{
	struct pn_str by = member(json_object_get(trace, "verdict"), "rule");
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(trace, "away"), i, name)
	    if (by.n > 0 && pn_str_eq(by, pn_str_of(json_string_value(name))))
	{
		(void)fputs("\ndecided by\n  ", f);
		show_text(f, by);
		(void)fputs(": it had no answer (on unavailable)\n", f);
		return;
	}
	(void)fputs("\nno rule decided\n", f);
}

void
render_trace(FILE *f, const json_t *trace)
{
	if (json_object_get(trace, "omitted") != NULL) {
		(void)fputs("the trace was too large to be kept\n", f);
		return;
	}
	(void)fputs("message  ", f);
	show_text(f, member(trace, "id"));
	(void)fputc(' ', f);
	show_text(f, member(trace, "time"));
	if (has_come(trace)) {
		(void)fputs(", ", f);
		show_value(f, json_object_get(trace, "size"));
		(void)fputs(" bytes", f);
	}
	if (json_is_true(json_object_get(trace, "partial")))
		(void)fputs(" of header, no rule asks for the body", f);
	if (member(trace, "queue").n > 0) {
		(void)fputs(", to the MTA ", f);
		show_text(f, member(trace, "queue"));
	}
	(void)fputc('\n', f);
	render_people(f, trace);
	render_verdict(f, json_object_get(trace, "verdict"));
	render_rest(f, trace);
	if (json_is_true(json_object_get(trace, "truncated")))
		(void)fputs("the trace was too large to be kept whole\n", f);
	if (render_group(f, trace, DECIDED) + render_group(f, trace, ALLOWED) ==
	    0)
		render_undecided(f, trace);
	(void)render_group(f, trace, WOULD);
	render_score(f, trace);
	for (int g = FIRED; g < GROUPS; g++)
		(void)render_group(f, trace, (enum group)g);
}
