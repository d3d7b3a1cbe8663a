/* needs: what whole policies, and then messages, have a use for. */
#include "policy_world.h"

#include "engine/run.h"

#define RULE(text) "policy default { rule r { " text " } }"

/* stages: "chmrM" of connect, helo, mail, rcpt and message. */
static const struct {
	const char *name, *text, *stages;
	bool body;
} cases[] = {
	{ "nothing", "", "", false },
	{ "an address", RULE("when client.ip = 192.0.2.1; then discard;"), "c",
	    false },
	{ "a name", RULE("when helo.name = \"x\"; then discard;"), "h", false },
	{ "a sender", RULE("when sender = a@example.com; then discard;"), "m",
	    false },
	{ "a recipient", RULE("when rcpt = a@example.com; then discard;"), "r",
	    false },
	{ "a macro", RULE("when macro(\"auth_type\") = \"PLAIN\"; then discard;"),
	    "r", false },
	{ "a subject", RULE("when subject = \"x\"; then discard;"), "M", false },
	{ "any field", RULE("when header(\"X\") = \"y\"; then tag;"), "M",
	    false },
	{ "fields, and changes to them",
	    RULE("when from.domain = \"x\"; then header add X \"$subject\", "
		 "subject prefix \"[X] \", header remove Y;"), "M", false },
	{ "whom it goes to", RULE("when subject = \"x\"; then redirect a@b.example;"),
	    "M", false },
	{ "to be held by the MTA", RULE("when subject = \"x\"; then hold;"),
	    "M", false },
	{ "a size", RULE("when size > 1M; then discard;"), "M", true },
	{ "all of it", RULE("when raw ~ /x/; then discard;"), "M", true },
	{ "a text", RULE("when text ~ /x/; then discard;"), "M", true },
	{ "parts", RULE("when any part ( name = \"x\" ); then discard;"), "M",
	    true },
	{ "ambiguity", RULE("when mime.ambiguous; then discard;"), "M", true },
	{ "no inspection", RULE("when inspect.failed; then discard;"), "M",
	    true },
	{ "in a text alone",
	    RULE("when subject = \"x\"; then note \"$size bytes\";"), "M",
	    true },
	{ "in unless",
	    RULE("when subject = \"x\"; unless text ~ /y/; then discard;"), "M",
	    true },
	{ "in shadow",
	    RULE("mode shadow; when text ~ /y/; then discard;"), "M", true },
	{ "to be kept", RULE("when subject = \"x\"; then quarantine;"), "M",
	    true },
	{ "to be kept where unknown",
	    RULE("when subject = \"x\"; on unknown quarantine; then discard;"),
	    "M", true },
	{ "to be kept for its client",
	    RULE("when client.ip = 192.0.2.1; then quarantine;"), "c", true },
	{ "a copy", RULE("when subject = \"x\"; then quarantine copy;"), "M",
	    true },
	{ "a threshold",
	    "policy default { threshold quarantine 5;"
	    " rule r { when client.ip = 192.0.2.1; then score +9; } }",
	    "c", true },
	{ "rules of a recipient",
	    "policy p for rcpt a@example.com {"
	    " rule r { when client.ip = 192.0.2.1; then discard; } }",
	    "r", false },
	{ "policies without rules",
	    "policy p for rcpt a@example.com { } policy default { }", "r",
	    false },
	{ "a base that is nobody's",
	    "policy base { rule r { when text ~ /x/; then discard; } }"
	    "policy default extends base { rule r off; }",
	    "", false },
	{ "a base that is somebody's",
	    "policy base { rule r { when text ~ /x/; then discard; } }"
	    "policy default extends base { }",
	    "M", true },
};

static const char *
stages_of(const struct engine_needs *n)
{
	static char text[STAGES + 1];
	size_t k = 0;

	for (size_t s = 0; s < STAGES; s++)
		if (n->stages[s])
			text[k++] = "chmrM"[s];
	text[k] = '\0';
	return text;
}

static void
table_of_policies(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		const struct policy *p = loaded(cases[i].text);
		const struct engine_needs *n = &p->engine.needs;

		if (strcmp(stages_of(n), cases[i].stages) != 0 ||
		    n->body != cases[i].body || n->every_body)
			fail_msg("%s: stages \"%s\", body %d", cases[i].name,
			    stages_of(n), n->body);
		policy_free(p);
	}
}

/* ---- modules that are not ours ---- */

static enum pn_step
hook(struct pn_mail *m)
{
	(void)m;
	return PN_NEXT;
}

static void
table_of_modules(void **state)
{
	static const struct {
		struct pn_filter filter;
		bool builtin;
		const char *stages;
		bool body;
	} modules[] = {
		{ { .abi = PN_ABI, .name = "m" }, false, "", false },
		{ { .abi = PN_ABI, .name = "m", .connect = hook, .mail = hook },
		    false, "cm", false },
		{ { .abi = PN_ABI, .name = "m", .end = hook }, false, "",
		    false },
		{ { .abi = PN_ABI, .name = "m", .message = hook }, false, "M",
		    true },
		{ { .abi = PN_ABI, .name = "m", .inspect = hook }, false, "",
		    true },
		{ { .abi = PN_ABI, .name = "m", .inspect = hook }, true, "",
		    false },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(modules); i++) {
		const struct chain_module m = { .filter = &modules[i].filter,
			.builtin = modules[i].builtin };
		struct arena *a = arena_new(1 << 20);
		struct chain chain;
		struct engine_conf conf = { .chain = &chain };
		struct error e;

		assert_int_equal(chain_build_from(&chain, &m, 1, a, &e), 0);
		assert_int_equal(
		    engine_needs_find(&conf.needs, &conf, a, &e), 0);
		assert_string_equal(stages_of(&conf.needs), modules[i].stages);
		assert_int_equal(conf.needs.body, modules[i].body);
		assert_int_equal(conf.needs.every_body, modules[i].body);
		arena_free(a);
	}
}

/* ---- of a message ---- */

static const struct {
	const char *name, *text;
	const char *rcpts[3]; /* in front of one who is refused: '!' */
	bool wants;
} mails[] = {
	{ "no rule looks", RULE("when subject = \"x\"; then discard;"),
	    { "a@example.com" }, false },
	{ "one does", RULE("when text ~ /x/; then discard;"),
	    { "a@example.com" }, true },
	{ "it was allowed",
	    "policy default {"
	    " rule a { when sender = s@example.org; then allow; }"
	    " rule r { when text ~ /x/; then discard; } }",
	    { "a@example.com" }, false },
	{ "it was allowed, but for one that always counts",
	    "policy default {"
	    " rule a { when sender = s@example.org; then allow; }"
	    " rule r { when text ~ /x/; always; then discard; } }",
	    { "a@example.com" }, true },
	{ "allowed in shadow",
	    "policy default {"
	    " rule a { mode shadow; when sender = s@example.org; then allow; }"
	    " rule r { when text ~ /x/; then discard; } }",
	    { "a@example.com" }, true },
	{ "allowed for each recipient",
	    "policy default {"
	    " rule a { when rcpt.domain = \"example.com\"; then allow; }"
	    " rule r { when text ~ /x/; then discard; } }",
	    { "a@example.com", "b@example.com" }, false },
	{ "not allowed for one of them",
	    "policy default {"
	    " rule a { when rcpt = a@example.com; then allow; }"
	    " rule r { when text ~ /x/; then discard; } }",
	    { "a@example.com", "b@example.com" }, true },
	{ "not allowed for one who was refused",
	    "policy default {"
	    " rule a { when rcpt = a@example.com; then allow; }"
	    " rule r { when text ~ /x/; then discard; } }",
	    { "a@example.com", "!b@example.com" }, false },
	{ "the policy of nobody here looks",
	    "policy p for rcpt p@example.com {"
	    " rule r { when text ~ /x/; then discard; } }"
	    "policy default { rule s { when subject = \"x\"; then discard; } }",
	    { "a@example.com" }, false },
	{ "the policy of one looks",
	    "policy p for rcpt p@example.com {"
	    " rule r { when text ~ /x/; then discard; } }"
	    "policy default { rule s { when subject = \"x\"; then discard; } }"
	    "mixed strictest;",
	    { "a@example.com", "p@example.com" }, true },
	{ "no policy is for him",
	    "policy p for rcpt p@example.com {"
	    " rule r { when text ~ /x/; then discard; } }",
	    { "a@example.com" }, false },
	{ "to be kept already",
	    "policy default {"
	    " rule q { when client.ip = 192.0.2.1; then quarantine; }"
	    " rule a { when sender = s@example.org; then allow; } }",
	    { "a@example.com" }, true },
};

static void
nobody_waits(struct transaction *t)
{
	(void)t;
	fail_msg("nothing was to be asked");
}

static void
run(struct engine *g, struct transaction *t, enum stage stage)
{
	assert_int_equal(engine_run(g, t, stage), ENGINE_DONE);
}

static void
add_rcpt(struct engine *g, struct transaction *t, const char *address)
{
	bool refused = address[0] == '!';
	struct rcpt *r = envelope_add_address(
	    &t->envelope, t->arena, pn_str_of(address + refused));

	assert_non_null(r);
	r->added = false;
	t->rcpt = r;
	run(g, t, STAGE_RCPT);
	r->accepted = !refused;
	r->code = refused ? 550 : 250;
}

static struct transaction *
mail_from(struct engine *g)
{
	struct transaction *t = transaction_new();

	transaction_new_id(t->id, 1);
	t->wake = nobody_waits;
	t->client.ip = PN_STR_V("192.0.2.1");
	t->client.helo = PN_STR_V("client.example");
	t->envelope.path = t->envelope.address = PN_STR_V("s@example.org");
	t->envelope.local = PN_STR_V("s");
	t->envelope.domain = PN_STR_V("example.org");
	for (enum stage s = STAGE_CONNECT; s < STAGE_RCPT; s++)
		run(g, t, s);
	return t;
}

static void
table_of_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(mails); i++) {
		const struct policy *p = loaded(mails[i].text);
		struct loop *loop = loop_new();
		struct error e;
		struct engine *g =
		    engine_new(loop, &p->engine, NULL, NULL, NULL, &e);
		struct transaction *t;

		assert_non_null(g);
		t = mail_from(g);
		for (const char *const *to = mails[i].rcpts;
		     to < mails[i].rcpts + 3 && *to != NULL; to++)
			add_rcpt(g, t, *to);
		if (engine_wants_body(&p->engine, t) != mails[i].wants)
			fail_msg("%s", mails[i].name);
		transaction_free(t);
		engine_free(g);
		loop_free(loop);
		policy_free(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_policies),
		cmocka_unit_test(table_of_modules),
		cmocka_unit_test(table_of_messages),
	};

	return cmocka_run_group_tests_name("needs", tests, enter_folder,
	    leave_folder);
}
