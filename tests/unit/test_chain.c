/* chain: core facts in their places, modules' facts behind, and what is
 * refused. */
#include "cm.h"

#include "mail/chain.h"

static enum pn_step
hook(struct pn_mail *m)
{
	(void)m;
	return PN_NEXT;
}

struct settings {
	const char *text;
	int64_t number, size, duration;
	bool flag;
};

static const struct pn_option options[] = {
	{ "text", PN_OPT_STRING, offsetof(struct settings, text), "abc", "" },
	{ "number", PN_OPT_NUMBER, offsetof(struct settings, number), "-7",
	    "" },
	{ "size", PN_OPT_SIZE, offsetof(struct settings, size), "2K", "" },
	{ "wait", PN_OPT_DURATION, offsetof(struct settings, duration), "3s",
	    "" },
	{ "flag", PN_OPT_BOOL, offsetof(struct settings, flag), "yes", "" },
	{ 0 }
};

static const struct pn_fact_decl reader_facts[] = { { .name = "part.name",
							.type = PN_STRING,
							.stage =
							    PN_STAGE_MESSAGE,
							.flags = PN_FACT_MANY },
	{ .name = "header",
	    .type = PN_STRING,
	    .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_KEYED | PN_FACT_MANY },
	{ 0 } };
static const struct pn_filter reader = { .abi = PN_ABI,
	.name = "reader",
	.facts = reader_facts,
	.inspect = hook,
	.options = options,
	.settings_size = sizeof(struct settings) };

static const struct pn_fact_decl asker_facts[] = {
	{ .name = "asked", .type = PN_BOOL, .stage = PN_STAGE_HELO },
	{ .name = "late", .type = PN_NUMBER, .stage = PN_STAGE_MESSAGE }, { 0 }
};
static const struct pn_filter asker = {
	.abi = PN_ABI, .name = "asker", .facts = asker_facts, .connect = hook
};

static void
core_facts_come_first(void **state)
{
	static const struct {
		const char *name;
		enum core_fact index;
		enum value_type type;
		enum stage stage;
	} want[] = {
		{ "client.ip", FACT_CLIENT_IP, VALUE_IP, STAGE_CONNECT },
		{ "client.fcrdns", FACT_CLIENT_FCRDNS, VALUE_WORD,
		    STAGE_CONNECT },
		{ "client.early-talker", FACT_CLIENT_EARLY, VALUE_BOOL,
		    STAGE_CONNECT },
		{ "helo.verb", FACT_HELO_VERB, VALUE_STRING, STAGE_HELO },
		{ "tls.cipher", FACT_TLS_CIPHER, VALUE_STRING, STAGE_HELO },
		{ "login", FACT_LOGIN, VALUE_STRING, STAGE_MAIL },
		{ "sender", FACT_SENDER, VALUE_ADDRESS, STAGE_MAIL },
		{ "rcpt", FACT_RCPT, VALUE_ADDRESS, STAGE_RCPT },
		{ "size", FACT_SIZE, VALUE_NUMBER, STAGE_MESSAGE },
		{ "mime.ambiguous", FACT_MIME_AMBIGUOUS, VALUE_BOOL,
		    STAGE_MESSAGE },
		{ "inspect.failed", FACT_INSPECT_FAILED, VALUE_BOOL,
		    STAGE_MESSAGE },
	};
	struct arena *a = arena_new(1 << 16);
	struct chain c;
	struct error e;

	(void)state;
	assert_int_equal(chain_build(&c, NULL, 0, a, &e), 0);
	assert_int_equal(c.n_facts, CORE_FACTS);
	for (uint32_t i = 0; i < c.n_facts; i++)
		assert_non_null(c.facts[i].name);
	for (size_t i = 0; i < PN_COUNT(want); i++) {
		const struct chain_fact *f = &c.facts[want[i].index];

		assert_int_equal(chain_find(&c, want[i].name), want[i].index);
		assert_int_equal(f->type, want[i].type);
		assert_int_equal(f->stage, want[i].stage);
		assert_false(f->content);
		assert_int_equal(f->module, CHAIN_CORE);
	}
	assert_int_equal(chain_find(&c, "client.ipv9"), -1);
	arena_free(a);
}

static void
modules_add_theirs(void **state)
{
	const struct pn_filter *both[] = { &reader, &asker };
	struct arena *a = arena_new(1 << 16);
	const struct settings *s;
	const struct chain_fact *f;
	struct chain c;
	struct error e;

	(void)state;
	assert_int_equal(chain_build(&c, both, 2, a, &e), 0);
	assert_int_equal(c.n_modules, 2);
	assert_int_equal(c.n_facts, CORE_FACTS + 4);
	f = &c.facts[chain_find(&c, "part.name")];
	assert_true(f->content && f->many && f->of_thing && !f->keyed);
	assert_int_equal(f->thing, THING_PART);
	assert_int_equal(f->module, 0);
	f = &c.facts[chain_find(&c, "header")];
	assert_true(f->content && f->many && f->keyed && !f->of_thing);
	f = &c.facts[chain_find(&c, "late")];
	assert_true(!f->content && f->stage == STAGE_MESSAGE && f->module == 1);
	s = c.modules[0].settings;
	assert_string_equal(s->text, "abc");
	assert_int_equal(s->number, -7);
	assert_int_equal(s->size, 2048);
	assert_int_equal(s->duration, 3000);
	assert_true(s->flag);
	arena_free(a);
}

#define FACT(what, kind, when)                                                 \
	(const struct pn_fact_decl[])                                          \
	{                                                                      \
		{ .name = what, .type = kind, .stage = when },                 \
		{                                                              \
			0                                                      \
		}                                                              \
	}
#define OPTION(...)                                                            \
	(const struct pn_option[])                                             \
	{                                                                      \
		{ __VA_ARGS__ },                                               \
		{                                                              \
			0                                                      \
		}                                                              \
	}

static void
what_cannot_be_is_refused(void **state)
{
	const struct {
		struct pn_filter filter;
		const char *says;
	} cases[] = {
		{ { .abi = PN_ABI + 1, .name = "x" }, "module ABI" },
		{ { .abi = PN_ABI,
		      .name = "x",
		      .inspect = hook,
		      .facts = FACT("size", PN_NUMBER, PN_STAGE_MESSAGE) },
		    "given by postern itself already" },
		{ { .abi = PN_ABI,
		      .name = "x",
		      .inspect = hook,
		      .facts = FACT("signature.by", PN_STRING, PN_STAGE_MESSAGE) },
		    "a thing that is not known" },
		{ { .abi = PN_ABI,
		      .name = "x",
		      .inspect = hook,
		      .facts = FACT("early", PN_BOOL, PN_STAGE_MAIL) },
		    ".inspect gives facts of stage message" },
		{ { .abi = PN_ABI,
		      .name = "x",
		      .rcpt = hook,
		      .facts = FACT("early", PN_BOOL, PN_STAGE_MAIL) },
		    "no hook can give \"early\"" },
		{ { .abi = PN_ABI,
		      .name = "x",
		      .message = hook,
		      .facts = FACT("part.x", PN_BOOL, PN_STAGE_MESSAGE) },
		    "only .inspect can give \"part.x\"" },
		{ { .abi = PN_ABI,
		      .name = "x",
		      .inspect = hook,
		      .facts = FACT("w", PN_WORD, PN_STAGE_MESSAGE) },
		    "lists no words" },
		{ { .abi = PN_ABI,
		      .name = "x",
		      .inspect = hook,
		      .facts = FACT("Bad name", PN_BOOL, PN_STAGE_MESSAGE) },
		    "cannot name a fact" },
		{ { .abi = PN_ABI,
		      .name = "x",
		      .inspect = hook,
		      .facts = FACT("t", (enum pn_type)9, PN_STAGE_MESSAGE) },
		    "no such type" },
		{ { .abi = PN_ABI,
		      .name = "x",
		      .settings_size = 8,
		      .options = OPTION("o", PN_OPT_NUMBER, 0, NULL, "") },
		    "\"o\" must be given" },
		{ { .abi = PN_ABI,
		      .name = "x",
		      .settings_size = 8,
		      .options = OPTION("o", PN_OPT_SIZE, 0, "big", "") },
		    "its preset \"big\" is not a size" },
	};
	struct chain c;
	struct error e;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		const struct pn_filter *f = &cases[i].filter;
		struct arena *a = arena_new(1 << 16);

		assert_int_equal(chain_build(&c, &f, 1, a, &e), -1);
		if (strstr(e.text, cases[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", e.text,
			    cases[i].says);
		arena_free(a);
	}
}

static void
two_modules_may_not_share(void **state)
{
	struct pn_filter twin = reader;
	const struct pn_filter *same[] = { &reader, &reader };
	const struct pn_filter *twins[] = { &reader, &twin };
	struct arena *a = arena_new(1 << 16);
	struct chain c;
	struct error e;

	(void)state;
	twin.name = "twin";
	assert_int_equal(chain_build(&c, same, 2, a, &e), -1);
	assert_string_equal(e.text, "module reader is loaded twice");
	assert_int_equal(chain_build(&c, twins, 2, a, &e), -1);
	assert_string_equal(e.text,
	    "module twin: fact \"part.name\" is given by reader already");
	arena_free(a);
}

static void
a_small_arena_is_an_error(void **state)
{
	const struct pn_filter *one[] = { &reader };
	struct arena *a = arena_new(64);
	struct chain c;
	struct error e;

	(void)state;
	assert_int_equal(chain_build(&c, one, 1, a, &e), -1);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(core_facts_come_first),
		cmocka_unit_test(modules_add_theirs),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(two_modules_may_not_share),
		cmocka_unit_test(a_small_arena_is_an_error),
	};

	return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
