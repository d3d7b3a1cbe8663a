/*
 * rules: several policies. Each case is a policy file and a session; what is
 * compared is what an engine would hear at each stage, judging connect, helo
 * and mail once, rcpt for each recipient by his policy, and the message once
 * for each policy.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>

#include "rules_facts.h"

#define M RULES_MESSAGE
#define RCPTS_MAX 4

struct session {
	struct rules *r;
	struct rules_run *run;
	struct arena *arena;
	const struct test_value *values;
	uint32_t n_parts;
	const char *rcpts[RCPTS_MAX + 1]; /* NULL-terminated */
	unsigned policies[RCPTS_MAX];
	struct rules_result early[MAIL + 1], at_rcpt[RCPTS_MAX];
	struct buf said;
};

/* The mail with one recipient, or with those of one policy. */
static struct test_mail
mail_for(struct session *s, unsigned policy, const char *rcpt)
{
	struct test_value *v = arena_alloc(s->arena, 64 * sizeof(*v));
	size_t n = 0;

	for (; s->values[n].fact != NULL; n++)
		v[n] = s->values[n];
	for (size_t i = 0; s->rcpts[i] != NULL; i++)
		if (rcpt == NULL ? s->policies[i] == policy
				 : rcpt == s->rcpts[i])
			v[n++] =
			    (struct test_value){ "rcpt", M, s->rcpts[i], "" };
	v[n].fact = NULL;
	return (struct test_mail){ .values = v, .n_parts = s->n_parts };
}

static void
say_texts(struct buf *b, const struct rules_effect *f)
{
	const struct pn_str texts[] = { f->status, f->name, f->value, f->text,
		f->address, f->group };

	for (size_t i = 0; i < PN_COUNT(texts); i++)
		if (texts[i].n > 0)
			(void)buf_printf(b, " %.*s", PN_STR_ARG(texts[i]));
}

static void
say_effect(struct buf *b, const struct rules_effect *f)
{
	static const char *const edits[] = { "add", "set", "remove", "insert" };
	static const char *const names[] = { "accept", "allow", "tag", "reject",
		"tempfail", "quarantine", "hold", "discard", "redirect",
		"header",
		"subject", "strip", "copy", "rcpt add", "rcpt remove", "sender", "score",
		"delay", "note" };

	(void)buf_printf(b, "; %s%s%.*s: %s", f->shadow ? "(shadow) " : "",
	    f->early ? "(early) " : "", PN_STR_ARG(f->rule), names[f->action]);
	if (f->action == RULES_SCORE)
		(void)buf_printf(b, " %+lld", (long long)f->score);
	if (f->action == RULES_HEADER)
		(void)buf_printf(b, " %s", edits[f->edit]);
	if (f->action == RULES_STRIP)
		(void)buf_printf(b, " %u", f->thing);
	if (f->action == RULES_DELAY)
		(void)buf_printf(b, " %llu", (unsigned long long)f->delay_ms);
	say_texts(b, f);
	if (f->copy)
		(void)buf_puts(b, " copy");
}

static void
say(struct session *s, const char *where, unsigned policy,
    const struct rules_result *r)
{
	if (r->n_effects == 0 && !r->allowed && r->score == 0 && !r->degraded)
		return;
	(void)buf_printf(
	    &s->said, "%s%s", buf_len(&s->said) ? "\n" : "", where);
	if (policy != RULES_NO_POLICY)
		(void)buf_printf(&s->said, " [%.*s]",
		    PN_STR_ARG(rules_policy_name(s->r, policy)));
	for (size_t i = 0; i < r->n_effects; i++)
		say_effect(&s->said, &r->effects[i]);
	if (r->score != 0)
		(void)buf_printf(&s->said, "; score %lld", (long long)r->score);
	if (r->allowed)
		(void)buf_puts(&s->said, "; allowed");
	if (r->degraded)
		(void)buf_puts(&s->said, "; degraded");
}

static void
judge_one(struct session *s, unsigned policy, unsigned stage,
    const struct test_mail *mail, const struct rules_result *const *earlier,
    size_t n, struct rules_result *out)
{
	struct rules_facts facts = FACTS_OF(mail);
	struct rules_answers *a = NULL;

	if (stage == MESSAGE)
		a = rules_inspect(s->r, s->run, &facts, s->arena);
	assert_int_equal(rules_judge(s->r, s->run, policy, stage, &facts, a,
			     earlier, n, s->arena, out),
	    0);
}

static void
judge_early(struct session *s)
{
	static const char *const names[] = { "connect", "helo", "mail" };
	const struct rules_result *earlier[] = { &s->early[0], &s->early[1] };
	struct test_mail mail = mail_for(s, 0, "");
	unsigned policy = rules_policy_early(s->r);

	for (unsigned stage = CONNECT; stage <= MAIL; stage++) {
		judge_one(
		    s, policy, stage, &mail, earlier, stage, &s->early[stage]);
		say(s, names[stage], RULES_NO_POLICY, &s->early[stage]);
	}
}

static void
judge_rcpts(struct session *s)
{
	const struct rules_result *earlier[] = { &s->early[0], &s->early[1],
		&s->early[2] };

	for (size_t i = 0; s->rcpts[i] != NULL; i++) {
		struct test_mail mail = mail_for(s, 0, s->rcpts[i]);
		struct rules_facts facts = FACTS_OF(&mail);

		s->policies[i] = rules_policy_for(s->r, s->run, &facts);
		judge_one(
		    s, s->policies[i], RCPT, &mail, earlier, 3, &s->at_rcpt[i]);
		say(s, s->rcpts[i], s->policies[i], &s->at_rcpt[i]);
	}
}

static void
judge_message(struct session *s, unsigned policy)
{
	const struct rules_result *earlier[3 + RCPTS_MAX];
	struct test_mail mail = mail_for(s, policy, NULL);
	struct rules_result out;
	size_t n = 0, n_rcpts = 0;

	for (; n < 3; n++)
		earlier[n] = &s->early[n];
	for (size_t i = 0; s->rcpts[i] != NULL; i++)
		if (s->policies[i] == policy) {
			earlier[n++] = &s->at_rcpt[i];
			n_rcpts++;
		}
	if (n_rcpts == 0)
		return;
	judge_one(s, policy, MESSAGE, &mail, earlier, n, &out);
	say(s, "message", policy, &out);
}

/* The whole session under those policies, as text in `said`. */
static void
transcribe(const char *text, const struct test_value *values, const char *rcpts,
    struct buf *said)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct session s = { .arena = arena_new(1 << 20),
		.run = rules_run_new(),
		.values = values,
		.n_parts = 3 };
	char list[200], *save = NULL, *rcpt;
	struct error e = { .text = "" };
	size_t n = 0;

	(void)snprintf(list, sizeof(list), "%s", rcpts);
	for (rcpt = strtok_r(list, " ", &save); rcpt != NULL && n < RCPTS_MAX;
	     rcpt = strtok_r(NULL, " ", &save))
		s.rcpts[n++] = rcpt;
	s.r = compile_text(pn_str_of(text), "", arena, &e);
	if (s.r == NULL)
		print_error("%s\n%s\n", text, e.text);
	assert_non_null(s.r);
	judge_early(&s);
	judge_rcpts(&s);
	for (unsigned i = 0; i < rules_policies(s.r); i++)
		judge_message(&s, i);
	judge_message(&s, RULES_NO_POLICY);
	*said = s.said;
	rules_run_free(s.run);
	rules_free(s.r);
	arena_free(s.arena);
	arena_free(arena);
}

static void
hold(const char *text, const struct test_value *values, const char *rcpts,
    const char *want)
{
	struct buf said = { 0 };

	transcribe(text, values, rcpts, &said);
	if (!pn_str_eq(buf_str(&said), pn_str_of(want)))
		print_error("%s\nwant:\n%s\ngot:\n%.*s\n", text, want,
		    PN_STR_ARG(buf_str(&said)));
	assert_true(pn_str_eq(buf_str(&said), pn_str_of(want)));
	buf_fini(&said);
}

static const struct test_value letter[] = {
	{ "client.ip", M, "192.0.2.7", "" },
	{ "client.name", M, "mx.a.example", "" },
	{ "helo.name", M, "host-77.a.example", "" },
	{ "listener", M, "*:25", "" },
	{ "sender", M, "ann@a.example", "" },
	{ "direction", M, "inbound", "" },
	{ "tls.version", M, "?", "" },
	{ "size", M, "2048", "" },
	{ "subject", M, "Invoice 123456 due", "" },
	{ "part.ext", 0, "exe", "" },
	{ "part.path", 0, "one.exe", "" },
	{ "part.ext", 1, "txt", "" },
	{ "part.path", 1, "two-22.txt", "" },
	{ "part.ext", 2, "exe", "" },
	{ "part.path", 2, "three-33.exe", "" },
	{ .fact = NULL },
};

static const struct {
	const char *name, *policy, *rcpts, *want;
} cases[] = {
	/* ---- whom a policy is for ---- */
	{ "the first that fits, else the one without for",
	    "set staff = c@x.example; "
	    "policy default { rule d { when size > 1; then tag; } }"
	    "policy a for rcpt a@x.example { rule a { when size > 1; "
	    "then tag; } }"
	    "policy b for rcpt @x.example staff and client 192.0.2.0/24 { rule "
	    "b { when size > 1; then tag; } }",
	    "a@x.example b@X.example c@y.example",
	    "message [default]; d: tag\n"
	    "message [a]; a: tag\n"
	    "message [b]; b: tag" },
	{ "conditions are joined by and, values by or",
	    "policy a for sender @b.example @a.example and direction outbound "
	    "{ rule r { then tag; } }"
	    "policy b for sender @a.example and direction outbound inbound "
	    "and listener x:1 *:25 { rule r { then tag; } }",
	    "a@x.example", "a@x.example [b]; r: tag" },
	{ "unknown and absent do not hold",
	    "policy a for login any { rule r { then tag; } }"
	    "policy b for login ann { rule r { then tag; } }"
	    "policy c { rule s { then tag; } }",
	    "a@x.example", "a@x.example [c]; s: tag" },
	{ "no policy fits",
	    "policy a for client 10.0.0.0/8 { rule r { then tag; } }",
	    "a@x.example", "" },
	{ "default is named so though others extend it and have no for",
	    "policy default { rule r { then tag; } }"
	    "policy strict extends default { rule s { then tag; } }",
	    "a@x.example", "connect; r: tag" },
	{ "a base is for nobody",
	    "policy base { rule r { then tag; } }"
	    "policy real extends base { rule s { then tag; } }",
	    "a@x.example", "connect; r: tag; s: tag" },
	/* ---- what is inherited ---- */
	{ "one clause replaced, its place kept, new ones behind",
	    "policy default { rule one { when size > 1; then note \"1\"; }"
	    " rule two { then note \"2\"; } rule three { then note \"3\"; } }"
	    "policy b extends default for rcpt @x.example {"
	    " rule four { then note \"4\"; } rule one { then note \"uno\"; }"
	    " rule two off; rule three { when size > 9K; } }",
	    "a@y.example a@x.example",
	    "a@y.example [default]; two: note 2; three: note 3\n"
	    "a@x.example [b]; four: note 4\n"
	    "message [default]; one: note 1\n"
	    "message [b]; one: note uno" },
	{ "over three levels, taken out and put back",
	    "policy a { rule x { then note \"a\"; } rule y { then note \"y\"; "
	    "} }"
	    "policy b extends a { rule x { unless size > 9K; } rule y off; }"
	    "policy c extends b { rule y { then note \"new\"; }"
	    " rule x { then note \"c\"; } }",
	    "a@x.example",
	    "connect; y: note new\n"
	    "message [c]; x: note c" },
	{ "thresholds and groups singly",
	    "policy default { threshold tag 5; threshold reject 9 \"spam\";"
	    " group g cap 6; rule s { then score +20 in g; } }"
	    "policy b extends default for rcpt b@x.example { threshold reject "
	    "6; "
	    "}"
	    "policy c extends default for rcpt c@x.example { group g cap 10;"
	    " threshold tag off; }",
	    "a@x.example b@x.example c@x.example",
	    "a@x.example [default]; threshold tag: tag; s: score +20 g; score "
	    "6\n"
	    "b@x.example [b]; threshold tag: tag; threshold reject: reject "
	    "5.7.1 "
	    "spam; s: score +20 g; score 6\n"
	    "c@x.example [c]; threshold reject: reject 5.7.1 spam; s: score "
	    "+20 "
	    "g; score 10\n"
	    "message [default]; score 6\n"
	    "message [b]; score 6\n"
	    "message [c]; score 10" },
	/* ---- stages ---- */
	{ "a for anywhere moves all but early to rcpt",
	    "policy default { rule soon { early; when client.ip = 192.0.2.7;"
	    " then note \"soon\"; } rule late { when client.ip = 192.0.2.7;"
	    " then note \"late\"; } }"
	    "policy b extends default for rcpt b@x.example { }",
	    "a@x.example b@x.example",
	    "connect; (early) soon: note soon\n"
	    "a@x.example [default]; late: note late\n"
	    "b@x.example [b]; soon: note soon; late: note late" },
	{ "without any for stages are those of the facts",
	    "policy p { rule a { when client.ip = 192.0.2.7; then note \"a\"; }"
	    " rule b { early; when helo.name ~ /host/; then tempfail; }"
	    " rule c { when sender.domain = \"a.example\"; then note \"c\"; } "
	    "}",
	    "a@x.example",
	    "connect; a: note a\n"
	    "helo; (early) b: tempfail 4.7.1 please try again later\n"
	    "mail; c: note c" },
	/* ---- allow ---- */
	{ "allow skips its own and later stages but for always",
	    "policy p { rule nay { when client.ip = 192.0.2.7; then reject "
	    "\"n\"; "
	    "} rule yes { when client.ip = 192.0.2.7; then allow; }"
	    " rule late { when size > 1; then reject \"l\"; }"
	    " rule ever { always; when size > 1; then note \"ever\"; } }",
	    "a@x.example",
	    "connect; yes: allow; allowed\nhelo; allowed\nmail; allowed\n"
	    "a@x.example [p]; allowed\n"
	    "message [p]; ever: note ever; allowed" },
	{ "the message is allowed if all of its recipients are",
	    "policy p { rule yes { when rcpt = a@x.example; then allow; }"
	    " rule late { when size > 1; then tag; } }",
	    "a@x.example b@x.example",
	    "a@x.example [p]; yes: allow; allowed\n"
	    "message [p]; late: tag" },
	{ "and each of two alike",
	    "policy p { rule yes { when rcpt in @x.example; then allow; }"
	    " rule late { when size > 1; then tag; } }",
	    "a@x.example b@x.example",
	    "a@x.example [p]; yes: allow; allowed\n"
	    "b@x.example [p]; yes: allow; allowed\n"
	    "message [p]; allowed" },
	{ "in shadow it allows nothing",
	    "policy p { rule yes { mode shadow; when size > 1; then allow; }"
	    " rule late { when size > 1; then tag; } }",
	    "a@x.example", "message [p]; (shadow) yes: allow; late: tag" },
	/* ---- scores ---- */
	{ "once a rule however many recipients, and over stages",
	    "policy p { threshold quarantine 6 class spam;"
	    " rule c { when client.ip = 192.0.2.7; then score +1 \"client\"; }"
	    " rule r { when rcpt in @x.example; then score +2 \"rcpt\"; }"
	    " rule m { when size > 1; then score +3 \"size\"; }"
	    " rule say { when score > 5; then header set X-Spam \"is $score\"; "
	    "} }",
	    "a@x.example b@x.example",
	    "connect; c: score +1 client; score 1\n"
	    "helo; score 1\nmail; score 1\n"
	    "a@x.example [p]; r: score +2 rcpt; score 3\n"
	    "b@x.example [p]; r: score +2 rcpt; score 3\n"
	    "message [p]; threshold quarantine: quarantine spam; m: score +3 "
	    "size; say: header set X-Spam is 6; score 6" },
	{ "a group counts as far as its cap, both ways",
	    "policy p { group dns cap 4; group good cap 2;"
	    " rule a { then score +3 in dns; } rule b { then score +3 in dns; }"
	    " rule c { then score -1 in dns; } rule d { then score -5 in good; "
	    "}"
	    " rule e { then score +7; } }",
	    "a@x.example",
	    "connect; a: score +3 dns; b: score +3 dns; c: score -1 dns; d: "
	    "score -5 good; e: score +7; score 9\n"
	    "helo; score 9\nmail; score 9\na@x.example [p]; score 9\n"
	    "message [p]; score 9" },
	{ "negative thresholds and tests",
	    "policy p { rule good { then score -3; }"
	    " rule trust { when score < -2 and score != -4; then note "
	    "\"$score\"; "
	    "} }",
	    "a@x.example",
	    "connect; good: score -3; trust: note -3; score -3\n"
	    "helo; score -3\nmail; score -3\na@x.example [p]; score -3\n"
	    "message [p]; score -3" },
	{ "nothing adds: known at the message, and nought",
	    "policy p { rule r { when score = 0; then tag; } }", "a@x.example",
	    "message [p]; r: tag" },
	{ "shadow does not count",
	    "policy p { threshold tag 2; rule a { mode shadow; then score +5; }"
	    " rule b { then score +1; } }",
	    "a@x.example",
	    "connect; (shadow) a: score +5; b: score +1; score 1\n"
	    "helo; score 1\nmail; score 1\na@x.example [p]; score 1\n"
	    "message [p]; score 1" },
	{ "what an early rule of another policy added is not this one's",
	    "policy default { rule e { early; then score +4; } }"
	    "policy b extends default for rcpt b@x.example {"
	    " rule e { then score +1; } }"
	    "policy c extends default for rcpt c@x.example { }"
	    "policy d for rcpt d@x.example { rule s { when score < 9;"
	    " then note \"$score\"; } }",
	    "a@x.example b@x.example c@x.example d@x.example",
	    "connect; (early) e: score +4; score 4\nhelo; score 4\nmail; score "
	    "4\n"
	    "a@x.example [default]; score 4\n"
	    "b@x.example [b]; e: score +1; score 1\n"
	    "c@x.example [c]; e: score +4; score 4\n"
	    "message [default]; score 4\n"
	    "message [b]; score 1\n"
	    "message [c]; score 4\n"
	    "message [d]; s: note 0" },
	{ "an allow keeps the score of what was marked always",
	    "policy p { rule a { when size > 1; then allow, score +1; }"
	    " rule b { always; when size > 1; then score +2; }"
	    " rule c { when size > 1; then score +4; }"
	    " rule d { always; when score = 3; then note \"d\"; } }",
	    "a@x.example",
	    "message [p]; a: allow; a: score +1; b: score +2; d: note d; score "
	    "3; allowed" },
	/* ---- what a rule can do ---- */
	{ "all that changes the message waits for it",
	    "policy p { rule a { then header add A \"1\", header set B \"2\", "
	    "header remove C, header insert D \"4\", subject prefix \"S \"; }"
	    " rule b { then redirect r@x.example; }"
	    " rule c { then copy c@x.example, rcpt add e@x.example, rcpt "
	    "remove "
	    "f@x.example; }"
	    " rule d { then quarantine class odd copy, tag; }"
	    " rule e { then quarantine copy; }"
	    " rule n { then delay 1500ms, note \"n\"; } }",
	    "a@x.example",
	    "connect; n: delay 1500; n: note n\n"
	    "message [p]; a: header add A 1; a: header set B 2; a: header "
	    "remove "
	    "C; a: header insert D 4; a: subject S ; b: redirect r@x.example; "
	    "c: copy c@x.example; c: rcpt add e@x.example; c: rcpt remove "
	    "f@x.example; d: quarantine odd copy; d: tag; e: quarantine copy" },
	{ "held, and from somebody else",
	    "policy p { rule a { then hold \"$size bytes\"; }"
	    " rule b { then hold; } rule c { then sender set <>; }"
	    " rule d { then sender set n@x.example, note \"d\"; } }",
	    "a@x.example",
	    "connect; b: hold\n"
	    "message [p]; a: hold 2048 bytes; c: sender; d: sender "
	    "n@x.example; d: note d" },
	{ "strip takes all that were found, each with its note",
	    "policy p { rule s { when any part ( ext = \"exe\" ); then strip "
	    "part with note \"no $part.path\"; }"
	    " rule t { when any part ( ext = \"txt\" ) and any part ( path ~ "
	    "/three/ ) and no part is zip; then strip part; }"
	    " rule u { when size > 1 or any part ( ext = \"pdf\" ); then strip "
	    "part; } }",
	    "a@x.example",
	    "message [p]; s: strip 0 no one.exe; s: strip 2 no three-33.exe; "
	    "t: "
	    "strip 1; t: strip 2" },
	{ "named groups in the rule's texts",
	    "policy p { rule s { when subject ~ /invoice\\s+(?<nr>\\d{5,})/i;"
	    " then score +3 \"lure $nr.\"; }"
	    " rule h { when helo.name ~ /^host-(?<nr>\\d+)(?<rest>x)?/ and not "
	    "sender ~ /(?<nr>bob)/; then note \"$nr-$rest|\"; }"
	    " rule p { when any part ( path ~ /-(?<nr>\\d+)/ and ext = \"txt\" "
	    ");"
	    " then note \"$part.path $nr\"; }"
	    " rule q { when any part ( path ~ /-(?<nr>\\d+)/ and ext = \"exe\" "
	    ");"
	    " then note \"$nr\"; }"
	    " rule o { when client.name ~ /(?<a>none)/ or client.name ~ "
	    "/(?<a>mx)/; then note \"$a\"; } }",
	    "a@x.example",
	    "connect; o: note mx\n"
	    "mail; h: note 77-|\n"
	    "message [p]; s: score +3 lure 123456.; p: note two-22.txt 22; q: "
	    "note unknown; score 3" },
	{ "in shadow an unknown rule degrades nothing",
	    "policy p { rule s { mode shadow; when tls.version = \"x\"; then "
	    "tag; "
	    "} rule t { mode live; when size > 1; then tag; } }",
	    "a@x.example", "message [p]; t: tag" },
	{ "an override may bring it live",
	    "policy default { rule s { mode shadow; when size > 1; then tag; } "
	    "}"
	    "policy b extends default for rcpt @x.example { rule s { mode "
	    "live; "
	    "} }",
	    "a@x.example b@y.example",
	    "message [default]; (shadow) s: tag\n"
	    "message [b]; s: tag" },
};

static void
the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		print_message("%s\n", cases[i].name);
		hold(cases[i].policy, letter, cases[i].rcpts, cases[i].want);
	}
}

/* ---- properties ---- */

static unsigned
choose(uint64_t *seed, unsigned n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % n;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What was said at each stage, as a set. */
static void
sort_lines(struct buf *said, char *out, size_t room)
{
	char *line, *save = NULL, *word, *more, *words[64];
	size_t at = 0;

	(void)buf_add(said, "", 1);
	out[0] = '\0';
	for (line = strtok_r(buf_data(said), "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		size_t n = 0;

		for (word = strtok_r(line, ";", &more); word != NULL && n < 64;
		     word = strtok_r(NULL, ";", &more))
			words[n++] = word;
		qsort(words + 1, n - 1, sizeof(*words), by_text);
		for (size_t i = 0; i < n && at < room; i++)
			at += (size_t)snprintf(
			    out + at, room - at, "%s;", words[i]);
	}
}

static const char *const shuffled[] = {
	"rule a { when client.ip = 192.0.2.7; then score +3 \"a\" in g; }",
	"rule b { when size > 1; then score +3 in g; }",
	"rule c { when subject contains \"due\"; then score -4; }",
	"rule d { mode shadow; when size > 1; then reject \"d\"; }",
	"rule e { when score > 2; then tag, note \"$score\"; }",
	"rule f { always; when score < 9; then header add X \"$score\"; }",
	"rule h { when sender.domain = \"a.example\"; then tempfail; }",
	"rule i { when tls.version = \"x\"; on unknown quarantine; then tag; }",
	"rule j { when any part ( ext = \"exe\" ); then strip part; }",
	"rule k { when helo.name ~ /-(?<n>\\d+)/; then note \"$n\"; }",
	"rule l { when rcpt in @x.example; then score +2; }",
	"rule m { always; when rcpt = a@x.example; then note \"always\"; }",
	"rule n { when tls.version = \"y\"; then tag; }",
	"rule o { when size > 2K; then allow, score +1; }",
	"rule q { when rcpt = b@x.example; then allow; }",
	"threshold tag 1;",
	"threshold reject 4 \"r\";",
	"group g cap 5;",
	"rule r { mode shadow; when size > 1; then allow, score +9; }",
};

/* Not for what stands first in a text, but for all that is judged. */
static void
order_decides_nothing(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (unsigned run = 0; run < 400; run++) {
		size_t order[PN_COUNT(shuffled)];
		struct buf text[2] = { { 0 }, { 0 } }, said[2];
		static char sorted[2][8192];
		unsigned left_out = choose(&seed, PN_COUNT(shuffled) - 2);

		for (size_t i = 0; i < PN_COUNT(order); i++)
			order[i] = i;
		for (size_t i = PN_COUNT(order) - 1; i > 0; i--) {
			size_t k = choose(&seed, (unsigned)i + 1), o = order[i];

			order[i] = order[k];
			order[k] = o;
		}
		for (int t = 0; t < 2; t++) {
			(void)buf_puts(&text[t], "policy p { ");
			for (size_t i = 0; i < PN_COUNT(order); i++) {
				size_t nth = t ? order[i] : i;

				if (nth != left_out)
					(void)buf_puts(&text[t], shuffled[nth]);
			}
			(void)buf_add(&text[t], "}", 2);
			transcribe(buf_data(&text[t]), letter,
			    "a@x.example b@x.example", &said[t]);
			sort_lines(&said[t], sorted[t], sizeof(sorted[t]));
			buf_fini(&said[t]);
		}
		if (strcmp(sorted[0], sorted[1]) != 0)
			print_error("%s\n", buf_data(&text[1]));
		assert_string_equal(sorted[0], sorted[1]);
		buf_fini(&text[0]);
		buf_fini(&text[1]);
	}
}

/* Clauses that fit together in any way. */
static const char *const whens[] = { "", "when size > 1;",
	"when client.ip = 192.0.2.7;", "when subject ~ /due/;",
	"when tls.version = \"x\";", "when score > 3;",
	"when any part ( ext = \"exe\" );" };
static const char *const unlesses[] = { "", "unless size > 9K;",
	"unless sender.domain = \"a.example\";" };
static const char *const thens[] = { "then tag;", "then note \"n $size\";",
	"then reject \"no\";", "then quarantine copy, header add X \"1\";" };
static const char *const unknowns[] = { "", "on unknown tag;",
	"on unknown tempfail;" };
static const char *const modes[] = { "", "mode shadow;", "mode live;" };
static const struct {
	const char *const *of;
	unsigned n;
} kinds[] = { { whens, PN_COUNT(whens) }, { unlesses, PN_COUNT(unlesses) },
	{ thens, PN_COUNT(thens) }, { unknowns, PN_COUNT(unknowns) },
	{ modes, PN_COUNT(modes) } };

/* Rules nth of the base, of what overrides it, and of both in one. */
static void
put_rule(uint64_t *seed, unsigned nth, struct buf *base, struct buf *over,
    struct buf *whole)
{
	bool overrides = choose(seed, 2), off = choose(seed, 6) == 0;

	(void)buf_printf(base, "rule r%u {", nth);
	if (off) {
		(void)buf_printf(over, "rule r%u off; ", nth);
		overrides = false;
	} else {
		(void)buf_printf(whole, "rule r%u {", nth);
	}
	if (overrides)
		(void)buf_printf(over, "rule r%u {", nth);
	for (size_t k = 0; k < PN_COUNT(kinds); k++) {
		const char *one = kinds[k].of[choose(seed, kinds[k].n)];
		const char *own = choose(seed, 2)
				      ? kinds[k].of[choose(seed, kinds[k].n)]
				      : "";

		(void)buf_puts(base, one);
		if (overrides)
			(void)buf_puts(over, own);
		if (!off)
			(void)buf_puts(whole, overrides && *own ? own : one);
	}
	(void)buf_puts(base, "} ");
	(void)buf_puts(overrides ? over : base, overrides ? "} " : "");
	(void)buf_puts(whole, off ? "" : "} ");
}

/* An extending policy is what one would have written in full. */
static void
extending_is_writing_out(void **state)
{
	uint64_t seed = 11;

	(void)state;
	for (unsigned run = 0; run < 400; run++) {
		struct buf base = { 0 }, over = { 0 }, whole = { 0 };
		struct buf text[2] = { { 0 }, { 0 } }, said[2];

		for (unsigned n = 1 + choose(&seed, 6); n > 0; n--)
			put_rule(&seed, n, &base, &over, &whole);
		(void)buf_printf(&text[0],
		    "policy a { rule s { when size > 1; then score +4; } "
		    "%.*s } policy b extends a for rcpt b@x.example { %.*s }",
		    PN_STR_ARG(buf_str(&base)), PN_STR_ARG(buf_str(&over)));
		(void)buf_printf(&text[1],
		    "policy b for rcpt b@x.example { rule s { when size > 1; "
		    "then score +4; } %.*s }",
		    PN_STR_ARG(buf_str(&whole)));
		for (int t = 0; t < 2; t++) {
			(void)buf_add(&text[t], "", 1);
			transcribe(buf_data(&text[t]), letter, "b@x.example",
			    &said[t]);
		}
		if (!pn_str_eq(buf_str(&said[0]), buf_str(&said[1])))
			print_error(
			    "%s\n%s\n", buf_data(&text[0]), buf_data(&text[1]));
		assert_true(pn_str_eq(buf_str(&said[0]), buf_str(&said[1])));
		buf_fini(&base);
		buf_fini(&over);
		buf_fini(&whole);
		for (int t = 0; t < 2; t++) {
			buf_fini(&text[t]);
			buf_fini(&said[t]);
		}
	}
}

/* A thousand rules asked for each of a hundred recipients leave traces that a
 * mail has room for. */
static void
traces_are_small(void **state)
{
	struct arena *policy = arena_new(64 << 20);
	struct arena *arena = arena_new(2 << 20);
	struct test_mail mail = { .values = letter };
	struct rules_facts facts = FACTS_OF(&mail);
	struct rules_run *run = rules_run_new();
	struct buf text = { 0 };
	struct rules_result out;
	struct rules *r;
	struct error e;

	(void)state;
	(void)buf_puts(&text, "policy p for sender @a.example { ");
	for (unsigned i = 0; i < 1000; i++)
		(void)buf_printf(&text,
		    "rule r%u { when client.ip in 10.%u.%u.0/24 or helo.name ~ "
		    "/x%u/; then tag; } ",
		    i, i / 256, i % 256, i);
	(void)buf_puts(&text, "}");
	r = compile_text(buf_str(&text), "", policy, &e);
	assert_non_null(r);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rules_judge(r, run, 0, RCPT, &facts, NULL,
				     NULL, 0, arena, &out),
		    0);
	buf_fini(&text);
	rules_run_free(run);
	rules_free(r);
	arena_free(arena);
	arena_free(policy);
}

/* Each rule with what decided it, and where the score comes from. */
static void
the_trace_tells_why(void **state)
{
	static const char policy[] =
	    "policy p { group g cap 4;\n"
	    "rule a { when client.name ~ /^(?<host>mx)/; then score +3 "
	    "\"$host\" "
	    "in g; }\n"
	    "rule b { when size > 1K; then score +3 \"large\" in g; }\n"
	    "rule c { when rcpt = z@x.example; then allow; }\n"
	    "rule d { mode shadow; when score > 3; then redirect r@x.example, "
	    "delay 2s; }\n"
	    "rule e { when any part ( ext = \"exe\" ); then strip part with "
	    "note "
	    "\"$part.path\", quarantine class c copy, header remove X; }\n"
	    "rule f { when rcpt = none@x.example; then score +9; } }";
	static const char connect[] =
	    "[{\"rule\":\"a\",\"file\":\"policy.conf\",\"line\":2,\"stage\":"
	    "\"connect\",\"result\":\"fired\",\"when\":{\"test\":\"client.name "
	    "~ "
	    "/^(?<host>mx)/"
	    "\",\"result\":\"true\",\"value\":\"mx\",\"captures\":{"
	    "\"host\":\"mx\"}},\"actions\":[{\"action\":\"score\",\"add\":3,"
	    "\"why\":\"mx\",\"group\":\"g\"}]},{\"score\":3,\"from\":[{"
	    "\"rule\":"
	    "\"a\",\"add\":3,\"why\":\"mx\",\"group\":\"g\",\"counted\":3}]}]";
	static const char message[] =
	    "[{\"rule\":\"b\",\"file\":\"policy.conf\",\"line\":3,\"stage\":"
	    "\"message\",\"result\":\"fired\",\"when\":{\"test\":\"size > 1K\","
	    "\"result\":\"true\",\"value\":\"2048\"},\"actions\":[{\"action\":"
	    "\"score\",\"add\":3,\"why\":\"large\",\"group\":\"g\"}]},"
	    "{\"rule\":\"d\",\"file\":\"policy.conf\",\"line\":5,\"stage\":"
	    "\"message\",\"mode\":\"shadow\",\"result\":\"fired\",\"when\":{"
	    "\"test\":\"score > 3\",\"result\":\"true\",\"value\":\"4\"},"
	    "\"actions\":[{\"action\":\"redirect\",\"address\":\"r@x.example\"}"
	    ","
	    "{\"action\":\"delay\",\"ms\":2000}]},"
	    "{\"rule\":\"e\",\"file\":\"policy.conf\",\"line\":6,\"stage\":"
	    "\"message\",\"result\":\"fired\",\"when\":{\"any\":\"part\","
	    "\"at\":"
	    "\"any "
	    "depth\",\"result\":\"true\",\"of\":3,\"decided_by\":0,\"that\":{"
	    "\"test\":\"part.ext = \\\"exe\\\"\",\"result\":\"true\",\"value\":"
	    "\"exe\"}},\"actions\":[{\"action\":\"strip\",\"part\":0,\"note\":"
	    "\"one.exe\"},{\"action\":\"strip\",\"part\":2,\"note\":"
	    "\"three-33.exe\"},{\"action\":\"quarantine\",\"class\":\"c\","
	    "\"copy\":"
	    "true},{\"action\":\"header\",\"edit\":\"remove\",\"name\":\"X\"}]}"
	    ","
	    "{\"score\":4,\"from\":[{\"rule\":\"a\",\"add\":3,\"why\":\"mx\","
	    "\"group\":\"g\",\"counted\":3},{\"rule\":\"b\",\"add\":3,\"why\":"
	    "\"large\",\"group\":\"g\",\"counted\":1}]}]";
	struct arena *arena = arena_new(POLICY_ARENA);
	struct session s = { .arena = arena,
		.run = rules_run_new(),
		.values = letter,
		.n_parts = 3,
		.rcpts = { "a@x.example" } };
	const struct rules_result *earlier[] = { &s.early[0], &s.early[1],
		&s.early[2], &s.at_rcpt[0] };
	struct rules_result out;
	struct test_mail mail;
	struct buf json = { 0 };
	struct error e;

	(void)state;
	s.r = compile_text(PN_STR_V(policy), "", arena, &e);
	assert_non_null(s.r);
	judge_early(&s);
	judge_rcpts(&s);
	mail = mail_for(&s, 0, NULL);
	judge_one(&s, 0, MESSAGE, &mail, earlier, 4, &out);
	rules_trace_json(s.r, s.early[CONNECT].trace, &json);
	assert_str(buf_str(&json), connect);
	buf_clear(&json);
	rules_trace_json(s.r, out.trace, &json);
	assert_str(buf_str(&json), message);
	buf_fini(&json);
	buf_fini(&s.said);
	rules_run_free(s.run);
	rules_free(s.r);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(order_decides_nothing),
		cmocka_unit_test(extending_is_writing_out),
		cmocka_unit_test(traces_are_small),
		cmocka_unit_test(the_trace_tells_why),
	};

	return cmocka_run_group_tests_name("rules_policies", tests, NULL, NULL);
}
