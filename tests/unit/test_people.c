/*
 * rules: who a display name claims to be; base: letters as a reader takes
 * them. Tables of what must be seen and of what must not.
 */
#include "cm.h"

#include <stdio.h>

#include "base/fold.h"
#include "base/utf8.h"
#include "rules/tree.h"
#include "rules_facts.h"

static const char people[] =
    "people ceo {\n"
    "    name \"Ada Meyer\", \"Thomas Martin\", \"Бог Дан\";\n"
    "    name \"Illya Cornwall\", \"Meyer, Zoë\", \"Ngo Minh-Thu\";\n"
    "    address ada@example.com, \"ada.meyer@example.net\";\n"
    "}\n"
    "people desk { name \"Helpdesk\", \"O'Brien\"; }\n";

struct claim {
	const char *said;
	bool claims;
};

static const struct claim of_ceo[] = {
	/* as it is written */
	{ "Ada Meyer", true },
	{ "ada meyer", true },
	{ "ADA MEYER", true },
	{ "  Ada   Meyer  ", true },
	{ "\"Ada Meyer\"", true },
	{ "'Ada Meyer'", true },
	{ "Ada_Meyer", true },
	{ "Ada.Meyer", true },
	{ "Ada-Meyer", true },
	{ "AdaMeyer", true },
	{ "A d a  M e y e r", true },
	{ "A.d.a M.e.y.e.r", true },
	{ "Ada M e y e r", true },
	{ "A.d.a. Meyer (CEO)", true },
	{ "Ada M e y e r h o f", false },
	{ "Adam Eyer", false },
	{ "A Da Meyer", false },
	/* more words */
	{ "Ada Meyer (CEO)", true },
	{ "Ada Meyer - CEO", true },
	{ "Ada Meyer, CEO", true },
	{ "Ada Meyer | Example", true },
	{ "Ada Meyer via Docs", true },
	{ "Dr. Ada Meyer", true },
	{ "CEO (Ada Meyer)", true },
	{ "Ada (CEO) Meyer", true },
	{ "[EXTERNAL] Ada Meyer", true },
	{ "Ada Meyer <mallory@example.org>", true },
	/* turned around */
	{ "Meyer, Ada", true },
	{ "MEYER,ADA", true },
	{ "Meyer, Dr. Ada", true },
	{ "Meyer, Ada (CEO)", true },
	{ "Meyer (Sales), Ada", true },
	{ "Meyer, Ada, CEO", true },
	{ "Example GmbH, Meyer, Ada", true },
	{ "Zoe Meyer", true },
	{ "Meyer, Zoe", true },
	/* accents, other alphabets, other widths */
	{ "Àda Mêyër", true },
	{ "Ada Meyer\xcc\x81", true },
	{ "\xd0\x90"
	  "d\xd0\xb0 M\xd0\xb5y\xd0\xb5r",
	    true }, /* А а е */
	{ "\xce\x91"
	  "da \xce\x9c"
	  "eyer",
	    true }, /* Α Μ */
	{ "\xef\xbc\xa1\xef\xbd\x84\xef\xbd\x81 \xef\xbc\xad"
	  "eyer",
	    true },
	{ "\xf0\x9d\x90\x80\xf0\x9d\x90\x9d\xf0\x9d\x90\x9a Meyer", true },
	{ "\xf0\x9d\x93\x90\xf0\x9d\x93\xad\xf0\x9d\x93\xaa Meyer", true },
	{ "\xe2\x92\xb6\xe2\x93\x93\xe2\x93\x90 Meyer", true }, /* circled */
	{ "\xe1\xb4\x80\xe1\xb4\x85\xe1\xb4\x80 Meyer",
	    true }, /* small capitals */
	{ "A\xe2\x80\x8b"
	  "da Me\xc2\xadyer",
	    true }, /* joiners */
	{ "\xe2\x80\xae"
	  "Ada\xc2\xa0Meyer\xe2\x80\x8f",
	    true },
	{ "Ada\xe3\x80\x80Meyer", true },
	{ "\xf0\x9f\x91\x8b Ada Meyer \xf0\x9f\x91\x8b", true }, /* pictures */
	{ "Ada M\xff"
	  "eyer",
	    true },		   /* no UTF-8 */
	{ "Illya Comwall", true }, /* rn, m */
	{ "lllya Cornwall", true },
	{ "I1lya C0rnwall", true },
	{ "|llya Cornvvall", true }, /* vv, w */
	{ "БОГ ДАН", true },
	{ "бог дан", true },
	{ "Ngo Minh Thu", true },
	{ "Ngô Minh Thư", true },
	/* an address */
	{ "ada@example.com", true },
	{ "Ada <ada@example.com>", true },
	{ "'ADA@Example.com'", true },
	{ "please answer ada.meyer@example.net.", true },
	{ "ada\xef\xbc\xa0"
	  "example.com",
	    true }, /* @ */
	{ "\xd0\xb0"
	  "da@example.com",
	    true },
	/* somebody else */
	{ "", false },
	{ "Ada", false },
	{ "Meyer", false },
	{ "Adam Meyers", false },
	{ "Adam Meyer", false },
	{ "Ada Meyers", false },
	{ "Ada Meyerhof", false },
	{ "Nada Meyer", false },
	{ "Ada B. Meyer", false },
	{ "A. Meyer", false },
	{ "Adam Eyer", false },
	{ "Ad Ameyer", false },
	{ "Meyer Ada", false },
	{ "Ada, Meyer", false },
	{ "Ada Meyer-Schulz", false },
	{ "Eva-Ada Meyer", false },
	{ "Ada Meyer's assistant", false },
	{ "Martin Thomas", false },
	{ "Thomas, Martin", false },
	{ "Ada | Meyer", false },
	{ "Ada (Meyer)", false },
	{ "Ida Meyer", false },
	{ "Ala Meyer", false },
	{ "Ada Maier", false },
	{ "Ilya Cornwall", false },
	{ "A d a M e y e r h o f", false },
	{ "ada@example.org", false },
	{ "ada@example.com.example.org", false },
	{ "bada@example.com", false },
	{ "ada.meyer", true },
	{ "Helpdesk", false },
	{ "\xff\xfe", false },
	{ "()[]<>,,,", false },
};

static const struct claim of_desk[] = {
	{ "Helpdesk", true },
	{ "HELP\xc2\xad"
	  "DESK",
	    true },
	{ "Helpdesk (IT)", true },
	{ "OBrien", true },
	{ "O\xe2\x80\x99"
	  "Brien",
	    true },
	{ "O`Brien", true },
	{ "Helpdesk Team", false },
	{ "Help Desk", false },
	{ "My Helpdesk", false },
	{ "Ada O'Brien", false },
	{ "ada@example.com", false },
};

static void
check_claims(
    const struct rules *r, const char *name, const struct claim *c, size_t n)
{
	const struct list *l = list_find(r, pn_str_of(name));

	assert_non_null(l);
	for (size_t i = 0; i < n; i++)
		if (people_claimed(l->people, pn_str_of(c[i].said)) !=
		    tri_of(c[i].claims))
			fail_msg("%s: \"%s\" should%s", name, c[i].said,
			    c[i].claims ? "" : " not");
}

static void
who_is_claimed(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct error e;
	struct rules *r = compile_text(pn_str_of(people), "", arena, &e);

	(void)state;
	if (r == NULL)
		fail_msg("%s", e.text);
	check_claims(r, "ceo", of_ceo, PN_COUNT(of_ceo));
	check_claims(r, "desk", of_desk, PN_COUNT(of_desk));
	rules_free(r);
	arena_free(arena);
}

/* Too long, or too many words: nobody knows. */
static void
limits_are_unknown(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct error e;
	struct rules *r = compile_text(pn_str_of(people), "", arena, &e);
	const struct people *p = list_find(r, PN_STR_V("ceo"))->people;
	char said[4097];

	(void)state;
	memset(said, 'a', sizeof(said));
	assert_int_equal(
	    people_claimed(p, (struct pn_str){ said, 4096 }), TRI_FALSE);
	assert_int_equal(
	    people_claimed(p, (struct pn_str){ said, 4097 }), TRI_UNKNOWN);
	for (size_t i = 1; i < 1026; i += 2)
		said[i] = ' ';
	assert_int_equal(
	    people_claimed(p, (struct pn_str){ said, 1024 }), TRI_FALSE);
	assert_int_equal(
	    people_claimed(p, (struct pn_str){ said, 1026 }), TRI_UNKNOWN);
	rules_free(r);
	arena_free(arena);
}

/* ---- in rules ---- */

static struct value from;

static void
get_from(void *arg, uint32_t fact, uint32_t thing, struct pn_str key,
    unsigned nth, struct value *out)
{
	(void)arg;
	(void)thing;
	(void)key;
	*out = (struct value){ .state = VALUE_ABSENT };
	if (nth == 0 && strcmp(test_facts[fact].name, "from") == 0)
		*out = from;
}

static bool
fires(const char *when)
{
	static const struct test_mail nothing = { 0 };
	struct rules_facts facts = { (void *)(uintptr_t)&nothing, get_from,
		test_n_things, test_depth };
	struct arena *arena = arena_new(POLICY_ARENA);
	struct rules_run *run = rules_run_new();
	struct rules_result result;
	struct buf text = { 0 };
	struct rules *r;
	struct error e;
	bool fired;

	(void)buf_printf(&text, "%s policy p { rule r { when %s; then tag; } }",
	    people, when);
	r = compile_text(buf_str(&text), "", arena, &e);
	if (r == NULL)
		fail_msg("%s", e.text);
	assert_int_equal(
	    rules_judge(r, run, 0, MESSAGE, &facts,
		rules_inspect(r, run, &facts, arena), NULL, 0, arena, &result),
	    0);
	fired = result.n_effects == 1;
	buf_fini(&text);
	rules_free(r);
	rules_run_free(run);
	arena_free(arena);
	return fired;
}

static void
rules_ask_them(void **state)
{
	(void)state;
	from = value_of(VALUE_ADDRESS, "mallory@example.org");
	from.display = PN_STR_V("Meyer, Ada");
	assert_true(fires("from claims ceo"));
	assert_true(fires("from claims desk ceo"));
	assert_false(fires("from claims desk"));
	assert_true(fires("from.display claims ceo"));
	assert_false(fires("from.local claims ceo"));
	assert_true(fires("from claims ceo and not from.address in ceo"));
	from = value_of(VALUE_ADDRESS, "Ada@Example.com");
	assert_true(fires("from claims ceo")); /* that is what is seen */
	assert_true(fires("from.address in ceo"));
	assert_true(fires("from in ceo"));
	from.display = PN_STR_V("Somebody");
	assert_false(fires("from claims ceo"));
	assert_true(fires("from in ceo"));
}

/* ---- letters ---- */

struct letter {
	uint32_t c;
	const char *read, *look; /* "" nothing; " x" a gap */
};

static const struct letter letters[] = {
	{ 'I', "i", "l" },
	{ 'l', "l", "l" },
	{ '1', "1", "l" },
	{ '|', " |", "l" },
	{ 'O', "o", "o" },
	{ '0', "0", "o" },
	{ ' ', "  ", "  " },
	{ '\n', "  ", "  " },
	{ '-', " -", " -" },
	{ '\'', "", "" },
	{ 0xdf, "ss", "ss" },
	{ 0xc6, "ae", "ae" },
	{ 0xf8, "o", "o" },
	{ 0x0301, "", "" },
	{ 0x0410, "a", "a" },
	{ 0x0421, "c", "c" },
	{ 0x039d, "v", "n" }, /* capital nu looks like N, small like v */
	{ 0x0391, "a", "a" },
	{ 0x0406, "i", "l" },
	{ 0x0414, "\xd0\xb4", "\xd0\xb4" }, /* looks like nothing of ours */
	{ 0xff21, "a", "a" },
	{ 0xff0c, " ,", " ," },
	{ 0x1d7d8, "0", "o" },
	{ 0x1d6a3, "z", "z" },
	{ 0xfb03, "ffi", "ffi" },
	{ 0x200d, "", "" },
	{ 0x3000, "  ", "  " },
	{ 0x2011, " -", " -" },
	{ 0x4e00, "\xe4\xb8\x80", "\xe4\xb8\x80" },
	{ 0x1f600, "  ", "  " },
};

static void
check_letter(const struct letter *l, enum fold_way way, const char *want)
{
	char text[4];
	struct pn_str s = { text, utf8_put(text, l->c) };
	size_t bytes;
	struct folded f = fold_next(s, way, &bytes);
	bool gap = want[0] == ' ';

	if (bytes != s.n || (f.kind == FOLD_NOTHING) != (want[0] == '\0') ||
	    (f.kind == FOLD_GAP) != gap ||
	    !pn_str_eq((struct pn_str){ f.p, f.n }, pn_str_of(want + gap)))
		fail_msg("U+%04X, way %d: kind %d \"%.*s\"", (unsigned)l->c,
		    way, f.kind, (int)f.n, f.p);
}

static void
letters_fold(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(letters); i++) {
		check_letter(&letters[i], FOLD_READ, letters[i].read);
		check_letter(&letters[i], FOLD_LOOK, letters[i].look);
	}
}

/* Folding what is folded changes nothing, for every character there is. */
static void
folding_is_done_once(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x110000; c++)
		for (int way = 0; way < FOLD_WAYS; way++) {
			char text[4];
			struct pn_str s = { text, utf8_put(text, c) };
			size_t bytes;
			struct folded once =
			    fold_next(s, (enum fold_way)way, &bytes);

			assert_int_equal(bytes, s.n);
			for (size_t i = 0; i < once.n; i += bytes) {
				struct pn_str rest = { once.p + i, once.n - i };
				struct folded twice =
				    fold_next(rest, (enum fold_way)way, &bytes);

				if (twice.n != bytes ||
				    memcmp(twice.p, rest.p, bytes) != 0)
					fail_msg("U+%04X", (unsigned)c);
			}
		}
}

/* ---- mistakes, printing ---- */

static const struct {
	const char *text, *error;
} mistakes[] = {
	{ "people p { }", "policy.conf:1:8: people \"p\" need a name" },
	{ "people p { address a@b; }",
	    "policy.conf:1:8: people \"p\" need a name" },
	{ "people p { name Ada; }",
	    "policy.conf:1:17: a name in quotes must stand here, not \"Ada\"" },
	{ "people p { name \"...\"; }",
	    "policy.conf:1:17: \"...\" has no letters" },
	{ "people p { name \"A\"; address ada; }",
	    "policy.conf:1:30: \"ada\" is no address" },
	{ "people p { name \"A\", ; }",
	    "policy.conf:1:22: a name in quotes must stand here, not \";\"" },
	{ "people p { nane \"A\"; }",
	    "policy.conf:1:12: name, address or \"}\" must stand here, not "
	    "\"nane\", did you mean \"name\"?" },
	{ "people p name \"A\";",
	    "policy.conf:1:10: \"{\" must stand here, not \"name\"" },
	{ "people p { name \"A\"; } set p = a;",
	    "policy.conf:1:28: \"p\" stands already at policy.conf:1" },
	{ "people ceo { name \"A\"; } policy x { rule r { when from claims "
	  "coe; "
	  "then tag; } }",
	    "policy.conf:1:63: unknown people \"coe\", did you mean \"ceo\"?" },
	{ "set ceo = a; policy x { rule r { when from claims ceo; then tag; } "
	  "}",
	    "policy.conf:1:51: \"ceo\" is a set; after \"claims\" stands the "
	    "name of a people block" },
	{ "people ceo { name \"A\"; } policy x { rule r { when from claims "
	  "\"ceo\"; then tag; } }",
	    "policy.conf:1:63: unknown people \"ceo\"" },
	{ "people ceo { name \"A\"; } policy x { rule r { when size claims "
	  "ceo; "
	  "then tag; } }",
	    "policy.conf:1:56: \"claims\" does not go with \"size\"" },
	{ "people ceo { name \"A\"; } policy x { rule r { when subject in ceo; "
	  "then tag; } }",
	    "policy.conf:1:62: people \"ceo\" holds people, and \"subject\" is "
	    "a string" },
};

static void
mistakes_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(mistakes); i++) {
		struct arena *arena = arena_new(POLICY_ARENA);
		struct error e;

		assert_null(
		    compile_text(pn_str_of(mistakes[i].text), "", arena, &e));
		if (strncmp(e.text, mistakes[i].error,
			strlen(mistakes[i].error)) != 0)
			fail_msg("want %s\ngot %s", mistakes[i].error, e.text);
		arena_free(arena);
	}
}

static void
they_print(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct buf b = { 0 };
	struct error e;
	struct rules *r = compile_text(pn_str_of(people), "", arena, &e);

	(void)state;
	rules_print(r, &b);
	assert_str(buf_str(&b),
	    "people ceo { name \"Ada Meyer\", \"Thomas Martin\", \"Бог Дан\", "
	    "\"Illya Cornwall\", \"Meyer, Zoë\", \"Ngo Minh-Thu\"; address "
	    "ada@example.com, \"ada.meyer@example.net\"; }\n"
	    "people desk { name \"Helpdesk\", \"O'Brien\"; }\n");
	buf_fini(&b);
	rules_free(r);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_claimed),
		cmocka_unit_test(limits_are_unknown),
		cmocka_unit_test(rules_ask_them),
		cmocka_unit_test(letters_fold),
		cmocka_unit_test(folding_is_done_once),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(they_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
