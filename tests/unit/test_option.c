/* option: what each kind of option takes, presets, and .setup. */
#include "cm.h"

#include "mail/option.h"

struct settings {
	const char *text;
	int64_t number, size, wait;
	bool flag;
	struct pn_list list;
	struct pn_table table;
	const struct pn_service *service;
};

#define OPTION(word, kind, member, preset_)                                    \
	{ .name = (word),                                                      \
		.type = (kind),                                                \
		.offset = offsetof(struct settings, member),                   \
		.preset = (preset_) }

static const struct pn_option options[] = {
	OPTION("text", PN_OPT_STRING, text, "abc"),
	OPTION("number", PN_OPT_NUMBER, number, "-7"),
	OPTION("size", PN_OPT_SIZE, size, "2K"),
	OPTION("wait", PN_OPT_DURATION, wait, "3s"),
	OPTION("flag", PN_OPT_BOOL, flag, "yes"),
	OPTION("list", PN_OPT_LIST, list, "one"),
	OPTION("table", PN_OPT_TABLE, table, ""),
	OPTION("service", PN_OPT_SERVICE, service, ""),
	{ .name = NULL },
};
enum { TEXT, NUMBER, SIZE, WAIT, FLAG, LIST, TABLE, SERVICE };

static void
presets_are_values(void **state)
{
	const struct pn_filter f = { .name = "f", .options = options,
		.settings_size = sizeof(struct settings) };
	struct arena *a = arena_new(1 << 16);
	struct settings s = { 0 };
	struct error e;

	(void)state;
	assert_int_equal(options_preset(&f, &s, a, &e), 0);
	assert_string_equal(s.text, "abc");
	assert_int_equal(s.number, -7);
	assert_int_equal(s.size, 2048);
	assert_int_equal(s.wait, 3000);
	assert_true(s.flag);
	assert_int_equal(s.list.n, 1);
	assert_string_equal(s.list.words[0], "one");
	assert_int_equal(s.table.n, 0);
	assert_null(s.service);
	arena_free(a);
}

/* Its members would lie outside what the module made room for. */
static void
settings_are_large_enough(void **state)
{
	const struct pn_filter f = { .name = "f", .options = options,
		.settings_size = sizeof(struct settings) - 1 };
	struct arena *a = arena_new(1 << 16);
	struct settings s = { 0 };
	struct error e;

	(void)state;
	assert_int_equal(options_preset(&f, &s, a, &e), -1);
	assert_string_equal(e.text,
	    "module f: option \"service\" has no place in its settings");
	arena_free(a);
}

static void
words_are_taken_or_refused(void **state)
{
	static const struct {
		int option;
		const char *word;
		const char *wrong; /* NULL: taken */
	} cases[] = {
		{ TEXT, "", NULL },
		{ NUMBER, "12", NULL },
		{ NUMBER, "12x", "is not a number" },
		{ NUMBER, "", "is not a number" },
		{ SIZE, "1G", NULL },
		{ SIZE, "-1", "is not a size (64K, 50M, 1G)" },
		{ WAIT, "7d", NULL },
		{ WAIT, "7", "is not a time (500ms, 30s, 5m, 2h, 7d)" },
		{ FLAG, "no", NULL },
		{ FLAG, "on", "is not yes or no" },
		{ SERVICE, "unix:/run/x", NULL },
		{ SERVICE, "unix:run/x", "is not unix:/PATH or inet:HOST:PORT" },
		{ SERVICE, "inet:127.0.0.1:1", NULL },
		{ SERVICE, "inet:[::1]:65535", NULL },
		{ SERVICE, "inet:mx.example:25", NULL },
		{ SERVICE, "inet:mx.example:0",
		    "is not unix:/PATH or inet:HOST:PORT" },
		{ SERVICE, "inet:mx.example:65536",
		    "is not unix:/PATH or inet:HOST:PORT" },
		{ SERVICE, "inet:mx.example:1K",
		    "is not unix:/PATH or inet:HOST:PORT" },
		{ SERVICE, "inet:mx.example:",
		    "is not unix:/PATH or inet:HOST:PORT" },
		{ SERVICE, "inet:m/x:25", "is not unix:/PATH or inet:HOST:PORT" },
		{ SERVICE, "inet::25", "is not unix:/PATH or inet:HOST:PORT" },
		{ SERVICE, "mx.example:25",
		    "is not unix:/PATH or inet:HOST:PORT" },
	};
	struct arena *a = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct pn_str word = pn_str_of(cases[i].word);
		struct settings s = { 0 };
		struct error why = { .text = "" };
		int got = option_give(&options[cases[i].option], &word, 1, &s,
		    a, &why);

		assert_int_equal(got, cases[i].wrong ? -1 : 0);
		if (cases[i].wrong != NULL)
			assert_string_equal(why.text, cases[i].wrong);
	}
	arena_free(a);
}

static void
services_say_where(void **state)
{
	static const struct {
		const char *word, *host;
		bool local, numeric;
		uint16_t port;
	} cases[] = {
		{ "unix:/run/x", "/run/x", true, true, 0 },
		{ "inet:192.0.2.1:25", "192.0.2.1", false, true, 25 },
		{ "inet:[2001:db8::1]:3310", "2001:db8::1", false, true, 3310 },
		{ "inet:scan.example:3310", "scan.example", false, false, 3310 },
	};
	struct arena *a = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct pn_str word = pn_str_of(cases[i].word);
		struct settings s = { 0 };
		struct error why;

		assert_int_equal(option_give(&options[SERVICE], &word, 1, &s, a,
		    &why), 0);
		assert_string_equal(s.service->text, cases[i].word);
		assert_string_equal(s.service->host, cases[i].host);
		assert_int_equal(s.service->local, cases[i].local);
		assert_int_equal(s.service->numeric, cases[i].numeric);
		assert_int_equal(s.service->port, cases[i].port);
	}
	arena_free(a);
}

static void
a_table_grows_by_rows(void **state)
{
	struct pn_str words[] = { PN_STR("a"), PN_STR("b"), PN_STR("c") };
	struct arena *a = arena_new(1 << 16);
	struct settings s = { 0 };
	struct error why;

	(void)state;
	for (size_t row = 0; row < 9; row++)
		assert_int_equal(option_give(&options[TABLE], words, 1 + row % 3,
		    &s, a, &why), 0);
	assert_int_equal(s.table.n, 9);
	for (size_t row = 0; row < 9; row++) {
		assert_int_equal(s.table.rows[row].n, 1 + row % 3);
		assert_string_equal(s.table.rows[row].words[0], "a");
	}
	assert_string_equal(s.table.rows[8].words[2], "c");
	arena_free(a);
}

/* ---- .setup ---- */

static bool
setup_keys(struct pn_setup *s)
{
	struct settings *to = pn_setup_settings(s);

	to->number = 42;
	return pn_setup_key(s, "fact", "a") && pn_setup_key(s, "other", "b");
}

static bool
setup_refuses(struct pn_setup *s)
{
	return pn_setup_error(s, "table", 3, "is \"%s\"", "bad\n");
}

static bool
setup_says_no(struct pn_setup *s)
{
	(void)s;
	return false;
}

static void
setup_has_its_say(void **state)
{
	struct pn_filter f = { .name = "f", .setup = setup_keys };
	const struct option_key *keys = NULL;
	struct arena *a = arena_new(1 << 16);
	struct settings s = { 0 };
	struct setup_fault fault;
	struct error e;

	(void)state;
	assert_int_equal(options_setup(&f, &s, a, &keys, &fault, &e), 0);
	assert_int_equal(s.number, 42);
	assert_string_equal(keys->fact, "other");
	assert_string_equal(keys->next->key, "a");
	assert_null(keys->next->next);

	f.setup = setup_refuses;
	assert_int_equal(options_setup(&f, &s, a, &keys, &fault, &e), -1);
	assert_string_equal(e.text, "table is \"bad?\"");
	assert_string_equal(fault.option, "table");
	assert_int_equal(fault.row, 3);

	f.setup = setup_says_no;
	assert_int_equal(options_setup(&f, &s, a, &keys, &fault, &e), -1);
	assert_string_equal(e.text, "its settings are refused");
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_are_values),
		cmocka_unit_test(settings_are_large_enough),
		cmocka_unit_test(words_are_taken_or_refused),
		cmocka_unit_test(services_say_where),
		cmocka_unit_test(a_table_grows_by_rows),
		cmocka_unit_test(setup_has_its_say),
	};

	return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
