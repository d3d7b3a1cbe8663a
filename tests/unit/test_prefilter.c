/*
 * prefilter: what it rules out, PCRE2 rules out too. Patterns made at random
 * are asked of texts made from them and bent, through the rules and one by one
 * through PCRE2 as plainly as it can be called: the answers are the same.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>

#include "corpus.h"
#include "patterns.h"
#include "plain_pcre.h"
#include "raw_facts.h"
#include "rules_facts.h"

#include "base/log.h"
#include "rules/literal.h"
#include "rules/prefilter.h"

#define ROUNDS 120
#define PATTERNS 24
#define TEXTS 40

/* ---- chance ---- */

static uint64_t seed = 1;

static unsigned
chance(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static const char *
one_of(const char *const *from, unsigned n)
{
	return from[chance(n)];
}
#define ONE_OF(table) one_of(table, PN_COUNT(table))

/* ---- patterns ---- */

/* What was added since it was so long. */
static struct pn_str
since(const struct buf *b, size_t before)
{
	return pn_str_sub(buf_str(b), before, buf_len(b));
}

/* Written into text; what it matches, more or less, into sample. */
struct made {
	struct buf text, sample;
};

static const char *const words[] = { "ab", "kite", "sk", "viagra", "a", "b",
	"Xq", "k", "S", "0", "free", "zz", "http:", "\xc3\xa9", "K", "-", "q7",
	"ss", " ", "=", "@", ", ", "{x", "}" };
static const char *const classes[][2] = { { "[abc]", "b" }, { "[^abc]", "x" },
	{ "[a-k]", "k" }, { "[[:alpha:]]", "s" }, { "[[:^upper:]]", "u" },
	{ "[^[:lower:]]", "L" }, { "[^[:^lower:]]", "l" }, { "\\d", "7" },
	{ "\\D", "d" }, { "\\w", "k" }, { "\\W", "%" }, { "\\s", " " },
	{ "\\S", "s" }, { "\\h", " " }, { "\\v", "\n" }, { "\\R", "\r\n" },
	{ ".", "." }, { "[]x]", "]" }, { "[^]x]", "k" }, { "[\\]k-]", "-" },
	{ "[\\x41-\\x5a]", "K" }, { "\\x4b", "K" }, { "\\x{6b}", "k" },
	{ "\\t", "\t" }, { "\\.", "." }, { "[kK]", "K" }, { "[^k]", "s" },
	{ "[\\d\\s]", "3" }, { "[%$]", "$" }, { "\\N", "n" },
	{ "[[:punct:]]", "!" }, { "[\\W_]", "_" }, { "[^\\w]", " " },
	{ "\\Qa.k\\E", "a.k" }, { "\\Qx+\\E", "x+" }, { "[S-k]", "a" },
	{ "[\xc3\xa9k]", "\xc3\xa9" }, { "[^\xc3\xa9]", "k" } };
static const char *const empties[] = { "^", "$", "\\b", "\\B", "\\A", "\\z",
	"\\Z", "(?=.)", "(?!zz)", "(?<=k)", "(?<!x)", "(?=\\w{2})" };
/* What is not read, and may stand anywhere. */
static const char *const odd[] = { "\\K", "(?#x)", "\\E", "(?<n>k)", "(a)",
	"\\1", "(?1)", "(?(1)a|b)", "\\Q\\E", "(?|(a)|b)", "\\pL", "\\X",
	"[[:cntrl:]]", "(?x: a b )", "(?^:a)", "\\o{141}", "\\141", "\\cA",
	"(?>ab|a)", "\\N{U+4b}" };
static const char *const repeats[] = { "*", "+", "?", "{2}", "{1,3}", "{2,}",
	"*?", "+?", "??", "{0}", "{0,2}", "++", "*+", "?+", "{1,3}?", "{5}",
	"{7,9}", "{1,}+" };

static void make(struct made *, unsigned depth);

static void
make_group(struct made *m, unsigned depth)
{
	static const char *const opens[] = { "(", "(?:", "(?i:", "(?-i:", "(?>",
		"(?s:", "(?<name>", "(?=", "(?!", "(?i)(?:" };
	unsigned alternatives = 1 + chance(3), kept;
	size_t before = buf_len(&m->sample);
	struct buf sample = { 0 };

	buf_puts(&m->text, ONE_OF(opens));
	kept = chance(alternatives);
	for (unsigned i = 0; i < alternatives; i++) {
		buf_puts(&m->text, i > 0 ? "|" : "");
		make(m, depth + 1);
		if (i == kept)
			buf_add_str(&sample, since(&m->sample, before));
		m->sample.end = m->sample.start + before;
	}
	buf_puts(&m->text, ")");
	buf_add_str(&m->sample, buf_str(&sample));
	buf_fini(&sample);
}

static void
make_item(struct made *m, unsigned depth)
{
	unsigned what = chance(100), i;
	size_t before = buf_len(&m->sample);
	struct buf once = { 0 };

	if (what < 45) {
		const char *word = ONE_OF(words);

		buf_puts(&m->text, word);
		buf_puts(&m->sample, word);
	} else if (what < 68) {
		i = chance(PN_COUNT(classes));
		buf_puts(&m->text, classes[i][0]);
		buf_puts(&m->sample, classes[i][1]);
	} else if (what < 85 && depth < 4) {
		make_group(m, depth);
	} else if (what < 93) {
		buf_puts(&m->text, ONE_OF(empties));
	} else if (what < 95) {
		buf_puts(&m->text, chance(2) ? "(?i)" : "(?-i)");
	} else if (what < 96) {
		buf_puts(&m->text, ONE_OF(odd));
	}
	if (chance(4) > 0)
		return;
	buf_puts(&m->text, ONE_OF(repeats));
	buf_add_str(&once, since(&m->sample, before));
	for (i = chance(5); i > 0; i--)
		buf_add_str(&m->sample, buf_str(&once));
	buf_fini(&once);
}

static void
make(struct made *m, unsigned depth)
{
	for (unsigned n = 1 + chance(5); n > 0; n--)
		make_item(m, depth);
	if (depth == 0 && chance(5) == 0) {
		buf_puts(&m->text, "|");
		make(m, 1);
	}
}

/* ---- texts ---- */

static void
add_junk(struct buf *b, unsigned n)
{
	static const char *const junk[] = { "a", "b", "k", "K", "s", "S", " ",
		"\r\n", "\n", "\r", "7", "xq", "AB", "free", "\xe2\x84\xaa",
		"\xc5\xbf", "\xc3\xa9", "\xc3\x89", "\xff", "\x80", "zz", "%",
		"$9", "=", "{", "ss", "kk", "aaaa", "...", "-" };

	while (n-- > 0)
		buf_puts(b, ONE_OF(junk));
}

/* Some bytes are changed, left out or come twice; or their case is. */
static void
bend(struct buf *to, struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		switch (chance(24)) {
		case 0:
			break;
		case 1:
			add_junk(to, 1);
			break;
		case 2:
			buf_add(to, &s.p[i], 1);
			/* fall through */
		default:
			buf_add(to, &s.p[i], 1);
		}
}

static void
turn_case(struct buf *to, struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) &&
		    chance(2))
			c ^= 32;
		buf_add(to, &c, 1);
	}
}

static void
make_text(struct buf *to, const struct made *patterns, unsigned n)
{
	unsigned size = chance(4) ? chance(8) : 100 + chance(900);
	const struct made *m = &patterns[chance(n)];

	add_junk(to, size);
	if (chance(3))
		buf_add_str(to, buf_str(&m->sample));
	else if (chance(2))
		bend(to, buf_str(&m->sample));
	else
		turn_case(to, buf_str(&m->sample));
	add_junk(to, chance(4) ? chance(8) : 100 + chance(900));
}

/* ---- asking both ---- */

/* One atom's answer, and the text of its first match. */
struct said {
	enum tri tri;
	struct pn_str match;
};

/* In broken UTF-8 a search for a line's beginning finds one in some places or
 * in others, as it is called: only whether there is a match is compared. */
static bool
tells_match(const struct atom *atom)
{
	struct pn_str flags = pattern_flags(atom->pattern);

	return atom->op == OP_MATCH &&
	       (flags.n == 0 || flags.p[flags.n - 1] != 'u');
}

static struct said
ask_plainly(const struct atom *atom, struct pn_str text, bool jit)
{
	pcre2_code *code = plain_code(
	    pattern_text(atom->pattern), pattern_flags(atom->pattern), jit);
	pcre2_match_data *data = pcre2_match_data_create(300, NULL);
	PCRE2_SIZE *pair = pcre2_get_ovector_pointer(data);
	struct said said = { TRI_UNKNOWN, { "", 0 } };
	int n = pcre2_match(code, (PCRE2_SPTR)text.p, text.n, 0, 0, data, NULL);

	if (n > 0 && pair[1] >= pair[0] && tells_match(atom))
		said.match = pn_str_sub(text, pair[0], pair[1] - pair[0]);
	said.match = pn_str_sub(said.match, 0, MATCH_KEPT);
	if (n > 0 || n == PCRE2_ERROR_NOMATCH)
		said.tri = tri_of((n > 0) == (atom->op == OP_MATCH));
	pcre2_match_data_free(data);
	pcre2_code_free(code);
	return said;
}

static bool
same(const struct said *a, const struct said *b)
{
	return a->tri == b->tri && pn_str_eq(a->match, b->match);
}

/* "/text/flags" where PCRE2 accepts it and the policy's words can hold it. */
static bool
add_rule(struct buf *policy, struct made *m, unsigned i)
{
	static const char *const flags[] = { "", "i", "u", "iu", "s", "m", "im",
		"is", "x", "ix" };
	struct pn_str f = pn_str_of(ONE_OF(flags));
	pcre2_code *code = plain_code(buf_str(&m->text), f, false);

	if (code == NULL)
		return false;
	pcre2_code_free(code);
	buf_printf(
	    policy, "rule r%u { when raw %s /", i, chance(8) ? "~" : "!~");
	buf_add_str(policy, buf_str(&m->text));
	buf_printf(policy, "/%s; then tag; }\n", f.p);
	return true;
}

struct counted {
	uint64_t asked, held, ruled_out, unknown, by_jit;
};

static bool
is_at_lf(const struct said *said)
{
	return said->match.n > 0 && said->match.p[0] == '\n';
}

/*
 * PCRE2's two matchers differ: having failed at a CR, the slow one goes on
 * behind the LF that follows; the fast one tries that first where its search
 * for the first bytes leads it there, which depends on where it began. Ours is
 * fast and begins in other places: a match it finds at an LF is one, though
 * they may both have passed over it.
 */
static void
compare_with_jit(const struct atom *atom, struct pn_str text,
    const struct said *got, const struct said *slow, struct counted *counted)
{
	struct said fast = ask_plainly(atom, text, true);

	counted->by_jit++;
	if (!same(got, &fast) && !is_at_lf(got))
		fail_msg("%s: plainly %d \"%s\", %d \"%s\" by JIT; here %d "
			 "\"%s\" in \"%s\"",
		    VIS(atom->canonical), slow->tri, VIS(slow->match), fast.tri,
		    VIS(fast.match), got->tri, VIS(got->match), VIS(text));
}

static void
compare(const struct rules *r, struct rules_run *run, struct pn_str text,
    struct counted *counted)
{
	struct rules_facts facts = RAW_FACTS(&text);
	struct arena *arena = arena_new(16 << 20);
	struct rules_answers *a = rules_inspect(r, run, &facts, arena);

	assert_non_null(a);
	for (uint32_t i = 0; i < r->n_content; i++) {
		const struct atom *atom = r->content[i];
		struct said got = { answers_get(a, atom, 0), { "", 0 } };
		struct said slow = ask_plainly(atom, text, false);

		if (got.tri == TRI_TRUE && tells_match(atom))
			got.match = a->of[i].match;
		counted->asked++;
		counted->unknown += got.tri == TRI_UNKNOWN;
		counted->held += got.tri == TRI_TRUE;
		if (got.tri != TRI_UNKNOWN && slow.tri != TRI_UNKNOWN &&
		    !same(&got, &slow))
			compare_with_jit(atom, text, &got, &slow, counted);
	}
	arena_free(arena);
}

static void
round_of(unsigned round, struct counted *counted)
{
	struct arena *arena = arena_new_mapped(POLICY_ARENA);
	struct rules_run *run = rules_run_new();
	struct made patterns[PATTERNS] = { 0 };
	struct buf policy = { 0 }, text = { 0 };
	struct rules *r;
	struct error e;
	unsigned n = 0;

	seed = round;
	rules_run_limit(run, &(struct rules_limits){ 10000000, 60000000, 0 });
	buf_puts(&policy, "policy p {\n");
	while (n < PATTERNS) {
		buf_clear(&patterns[n].text);
		buf_clear(&patterns[n].sample);
		make(&patterns[n], 0);
		n += add_rule(&policy, &patterns[n], n);
	}
	buf_puts(&policy, "}\n");
	r = compile_text(buf_str(&policy), "", arena, &e);
	if (r == NULL)
		fail_msg("%s", e.text);
	for (int i = 0; i < TEXTS; i++) {
		buf_clear(&text);
		make_text(&text, patterns, n);
		compare(r, run, buf_str(&text), counted);
	}
	/* Too few of them with something to look for: none is ruled out. */
	if (r->groups[0].prefilter != NULL)
		counted->ruled_out +=
		    r->n_content * TEXTS - rules_run_spent(run).candidates;
	for (n = 0; n < PATTERNS; n++) {
		buf_fini(&patterns[n].text);
		buf_fini(&patterns[n].sample);
	}
	buf_fini(&policy);
	buf_fini(&text);
	rules_run_free(run);
	rules_free(r);
	arena_free(arena);
}

static void
filtered_is_as_plain(void **state)
{
	const char *rounds = getenv("PREFILTER_ROUNDS");
	unsigned n = rounds ? (unsigned)atoi(rounds) : ROUNDS;
	struct counted counted = { 0 };

	(void)state;
	for (unsigned i = 1; i <= n; i++)
		round_of(i, &counted);
	print_message("# %llu asked, %llu hold, %llu ruled out, %llu unknown, "
		      "%llu as JIT\n",
	    (unsigned long long)counted.asked, (unsigned long long)counted.held,
	    (unsigned long long)counted.ruled_out,
	    (unsigned long long)counted.unknown,
	    (unsigned long long)counted.by_jit);
	assert_true(counted.held * 10 > counted.asked);
	assert_true(counted.ruled_out * 4 > counted.asked);
	assert_true(counted.unknown * 1000 < counted.asked);
}

/* ---- what once was ruled out ---- */

/* At every place of a text that is read in lanes. */
static const char *const traps[][2] = {
	/* a character that folds to ASCII, in a class */
	{ "/[\\x{17f}][%$]/iu", "S%" },
	{ "/[\\x{212a}][%$]/iu", "k$" },
	{ "/[\\x{100}-\\x{200}][%$]/iu", "s%" },
	{ "/[\xc5\xbf][%$]/iu", "s$" },
	{ "/[1\xe2\x84\xaa][%$]/iu", "K%" },
	/* a literal within another, longer than what a lane reads of the next */
	{ "/stallion\\d|llio\\d/", "stallion5" },
	{ "/tensions\\d|nsion\\d/", "tensions5" },
	{ "/iserer\\d|miserere\\d/", "miserere5" },
};

static void
trap(const char *regex, const char *text)
{
	struct arena *arena = arena_new_mapped(POLICY_ARENA);
	struct rules_run *run = rules_run_new();
	struct counted counted = { 0 };
	struct buf policy = { 0 };
	struct rules *r;
	struct error e;
	char subject[400];

	buf_printf(&policy,
	    "policy p { rule a { when raw ~ %s; then tag; }\n"
	    "rule b { when raw ~ /viagra/; then tag; }\n"
	    "rule c { when raw ~ /xyzzyx/; then tag; }\n"
	    "rule d { when raw ~ /qqqqqqqq/; then tag; } }\n",
	    regex);
	r = compile_text(buf_str(&policy), "", arena, &e);
	if (r == NULL)
		fail_msg("%s", e.text);
	assert_non_null(r->groups[0].prefilter);
	for (size_t at = 0; at + strlen(text) <= sizeof(subject); at++) {
		memset(subject, ' ', sizeof(subject));
		memcpy(subject + at, text, strlen(text));
		compare(r, run, (struct pn_str){ subject, sizeof(subject) },
		    &counted);
	}
	assert_int_equal(counted.held, sizeof(subject) - strlen(text) + 1);
	buf_fini(&policy);
	rules_run_free(run);
	rules_free(r);
	arena_free(arena);
}

static void
traps_are_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(traps); i++)
		trap(traps[i][0], traps[i][1]);
}

/* ---- real patterns, real mail ---- */

struct reading {
	struct rules *r;
	struct rules_run *run;
	pcre2_code **codes; /* [r->n_content], with JIT: there is much to do */
	pcre2_match_data *data;
	size_t mails, read;
	struct counted counted;
};

static void
read_mail(struct pn_str mail, void *arg)
{
	struct reading *in = arg;
	struct rules_facts facts = RAW_FACTS(&mail);
	struct arena *arena = arena_new(16 << 20);
	struct rules_answers *a;

	if (in->mails++ % 25 != 0) {
		arena_free(arena);
		return;
	}
	in->read++;
	a = rules_inspect(in->r, in->run, &facts, arena);
	assert_non_null(a);
	for (uint32_t i = 0; i < in->r->n_content; i++) {
		enum tri got = answers_get(a, in->r->content[i], 0);
		int n = pcre2_match(in->codes[i], (PCRE2_SPTR)mail.p, mail.n, 0,
		    0, in->data, NULL);

		in->counted.asked++;
		in->counted.held += got == TRI_TRUE;
		in->counted.unknown += got == TRI_UNKNOWN;
		if (got != TRI_UNKNOWN && n >= PCRE2_ERROR_NOMATCH &&
		    got != tri_of(n > 0))
			fail_msg("mail %zu: %s is %d, %d plainly", in->mails,
			    VIS(in->r->content[i]->canonical), got, n);
	}
	arena_free(arena);
}

static void
real_mail_is_read_as_plainly(void **state)
{
	struct arena *arena = arena_new_mapped(64 << 20);
	struct reading in = { .run = rules_run_new(),
		.data = pcre2_match_data_create(300, NULL) };
	struct buf policy = { 0 };
	struct patterns patterns;
	struct error e;
	char path[4096];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/tests/data/patterns/mail.txt",
	    getenv("srcdir") ? getenv("srcdir") : "..");
	assert_true(patterns_read(&patterns, path));
	assert_int_equal(patterns.n, 1500);
	patterns_policy(&patterns, &policy);
	in.r = compile_text(buf_str(&policy), "", arena, &e);
	if (in.r == NULL)
		fail_msg("%s", e.text);
	assert_int_equal(in.r->n_content, 1500);
	in.codes = calloc(in.r->n_content, sizeof(pcre2_code *));
	for (uint32_t i = 0; i < in.r->n_content; i++) {
		const struct pattern *p = in.r->content[i]->pattern;

		in.codes[i] =
		    plain_code(pattern_text(p), pattern_flags(p), true);
		assert_non_null(in.codes[i]);
	}
	if (corpus_dir() != NULL) {
		corpus_each(read_mail, &in);
		print_message("# %zu mails, %llu asked, %llu hold, %llu "
			      "unknown, %llu candidates\n",
		    in.read, (unsigned long long)in.counted.asked,
		    (unsigned long long)in.counted.held,
		    (unsigned long long)in.counted.unknown,
		    (unsigned long long)rules_run_spent(in.run).candidates);
		assert_true(in.read > 0);
		assert_true(in.counted.unknown * 10000 < in.counted.asked);
		assert_true(
		    rules_run_spent(in.run).candidates * 10 < in.counted.asked);
	}
	for (uint32_t i = 0; i < in.r->n_content; i++)
		pcre2_code_free(in.codes[i]);
	free(in.codes);
	pcre2_match_data_free(in.data);
	buf_fini(&policy);
	patterns_free(&patterns);
	rules_run_free(in.run);
	rules_free(in.r);
	arena_free(arena);
	/* cmocka's skip() is a failure in TAP. They compiled, at least. */
	if (corpus_dir() == NULL)
		print_message("# POSTERN_CORPUS names no folder of mails\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(traps_are_seen),
		cmocka_unit_test(filtered_is_as_plain),
		cmocka_unit_test(real_mail_is_read_as_plainly),
	};

	return cmocka_run_group_tests_name("prefilter", tests, NULL, NULL);
}
