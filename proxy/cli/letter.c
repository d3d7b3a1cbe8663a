/*
 * letter - postern explain --for-sender: what became of a message, in words
 * one can send to who sent it. It tells what he was told already, and nothing
 * of rules, scores or files.
 */
#include <string.h>

#include "cli/cli.h"

static bool
is_action(const json_t *m, const char *want)
{
	return member_is(m, "action", want);
}

/* "refused", "deferred", "held", "accepted": by what the client heard. */
static const char *
outcome_of(const json_t *m)
{
	json_int_t code = json_integer_value(json_object_get(m, "code"));

	if (code >= 500)
		return "refused";
	if (code >= 400)
		return "deferred";
	/* The quarantine's own object says no action, but a class. */
	return is_action(m, "quarantine") || member(m, "class").n > 0
		   ? "held"
		   : "accepted";
}

static const char *
sentence_of(const char *outcome)
{
	static const struct {
		const char *outcome, *sentence;
	} known[] = { { "refused", "was refused" },
		{ "deferred", "was put off; a mail server tries again by "
			      "itself" },
		{ "held", "was received and waits to be looked at" },
		{ "accepted", "was accepted" } };

	for (size_t i = 0; i < PN_COUNT(known); i++)
		if (strcmp(known[i].outcome, outcome) == 0)
			return known[i].sentence;
	return "";
}

static json_t *
reply_text(json_int_t code, const json_t *said)
{
	if (json_integer_value(json_object_get(said, "code")) != code)
		return json_sprintf("%lld", (long long)code);
	return json_sprintf("%lld %s %s", (long long)code,
	    json_string_value(json_object_get(said, "status")),
	    json_string_value(json_object_get(said, "text")));
}

/* "550 5.7.1 text"; the bare code when it was the next hop's word. */
static json_t *
reply_of(const json_t *m)
{
	json_int_t code = json_integer_value(json_object_get(m, "code"));

	if (code < 400)
		return json_string("");
	return reply_text(
	    code, json_object_get(json_object_get(m, "trace"), "verdict"));
}

/* The action by which a rule refused this recipient, or NULL. */
static const json_t *
refusal(const json_t *trace, struct pn_str rcpt, json_int_t code)
{
	const json_t *stage, *rule, *a;
	size_t i, j, k;

	json_array_foreach(json_object_get(trace, "stages"), i, stage)
	{
		if (member(stage, "rcpt").n == 0 ||
		    !pn_str_eq(member(stage, "rcpt"), rcpt))
			continue;
		json_array_foreach(json_object_get(stage, "rules"), j, rule)
		    json_array_foreach(json_object_get(rule, "actions"), k,
			a) if (json_integer_value(json_object_get(a, "code")) ==
			       code) return a;
	}
	return NULL;
}

/* Recipients that were refused while others got the message. */
static json_t *
refused_of(const json_t *m)
{
	const json_t *trace = json_object_get(m, "trace"), *r;
	json_t *all = json_array();
	size_t i;

	json_array_foreach(json_object_get(trace, "refused"), i, r)
	{
		json_int_t code =
		    json_integer_value(json_object_get(r, "code"));
		json_t *o = json_object();

		(void)json_object_set(o, "rcpt", json_object_get(r, "rcpt"));
		(void)json_object_set_new(o, "reply",
		    reply_text(code, refusal(trace, member(r, "rcpt"), code)));
		(void)json_array_append_new(all, o);
	}
	return all;
}

/* "a@x, b@y": all it was addressed to. */
static json_t *
recipients_of(const json_t *m)
{
	const json_t *list = json_object_get(m, "recipients");
	const json_t *trace = json_object_get(m, "trace"), *r;
	json_t *all = json_array();
	size_t i;

	if (json_is_string(list)) {
		const char *s = json_string_value(list);

		while (*s != '\0') {
			size_t n = strcspn(s, ",");

			/* "+3": so many more */
			(void)json_array_append_new(all,
			    *s == '+'
				? json_sprintf("%.*s more", (int)n - 1, s + 1)
				: json_stringn(s, n));
			s += n + (s[n] == ',');
		}
		return all;
	}
	if (!json_is_array(list))
		list = json_object_get(trace, "recipients");
	json_array_foreach(list, i, r)(void) json_array_append(
	    all, json_is_object(r) ? json_object_get(r, "path") : (json_t *)r);
	return all;
}

static json_t *
letter_of(const json_t *m)
{
	const char *outcome = outcome_of(m);
	json_t *o = json_object();

	(void)json_object_set(o, "ref", json_object_get(m, "id"));
	(void)json_object_set(o, "time_us", json_object_get(m, "time_us"));
	(void)json_object_set(o, "sender", json_object_get(m, "sender"));
	(void)json_object_set_new(o, "recipients", recipients_of(m));
	(void)json_object_set_new(o, "outcome", json_string(outcome));
	(void)json_object_set_new(o, "reply", reply_of(m));
	if (json_integer_value(json_object_get(m, "code")) < 400)
		(void)json_object_set_new(o, "refused", refused_of(m));
	return o;
}

/* Who was refused before they named anybody sent no message. */
static void
show_envelope(const json_t *l)
{
	const json_t *rcpts = json_object_get(l, "recipients"), *r;
	bool none = json_array_size(rcpts) == 0;
	size_t i;

	(void)fputs(none ? "Your connection of " : "Your message of ", stdout);
	show_time(stdout, json_object_get(l, "time_us"));
	if (none)
		return;
	(void)fputs(" from <", stdout);
	show_text(stdout, member(l, "sender"));
	(void)fputs("> to", stdout);
	json_array_foreach(rcpts, i, r)
	{
		(void)fputs(i > 0 ? ", <" : " <", stdout);
		show_value(stdout, r);
		(void)putchar('>');
	}
}

static void
show_letter(const json_t *l)
{
	struct pn_str reply = member(l, "reply");
	const json_t *r;
	size_t i;

	show_envelope(l);
	(void)printf(" %s",
	    sentence_of(json_string_value(json_object_get(l, "outcome"))));
	if (reply.n > 0) {
		(void)fputs(": ", stdout);
		show_text(stdout, reply);
	}
	json_array_foreach(json_object_get(l, "refused"), i, r)
	{
		(void)fputs("; for <", stdout);
		show_text(stdout, member(r, "rcpt"));
		(void)fputs("> it was refused: ", stdout);
		show_text(stdout, member(r, "reply"));
	}
	(void)fputs(". Reference: ", stdout);
	show_text(stdout, member(l, "ref"));
	(void)fputs(".\n", stdout);
}

void
letter(const struct cli *c, const json_t *message)
{
	json_t *l = letter_of(message);

	if (c->json)
		print_json(l);
	else
		show_letter(l);
	json_decref(l);
}
