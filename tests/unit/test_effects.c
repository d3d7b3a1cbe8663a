/*
 * effects and strip: what fired rules make of a transaction, without rules: the
 * effects are this test's own.
 */
#include "cm.h"

#include <stdio.h>

#include "engine/run.h"

static const struct spool_conf conf = { .dir = "/tmp", .max_memory = 1 << 20 };

struct bench {
	struct spool_pool *pool;
	struct transaction *t;
	struct stage_result result;
	struct rules_effect effects[16];
	struct fact_thing parts[16];
};

/* A mail to a@x, b@x and c@x whose rules found what bench_fire() says. */
static void
bench_up(struct bench *b, const char *text)
{
	struct error e;

	*b = (struct bench){ .pool = spool_pool_new(&conf),
		.t = transaction_new() };
	b->t->past = arena_alloc(b->t->arena, sizeof(*b->t->past));
	STAILQ_INIT(&b->t->past->results);
	b->t->past->findings.things[THING_PART].v = b->parts;
	b->result.stage = STAGE_MESSAGE;
	b->result.rules.effects = b->effects;
	STAILQ_INSERT_TAIL(&b->t->past->results, &b->result, next);
	for (const char *const *to =
		 (const char *const[]){ "a@x", "b@x", "c@x", NULL };
	     *to != NULL; to++) {
		struct rcpt *r = envelope_add_address(
		    &b->t->envelope, b->t->arena, pn_str_of(*to));

		r->added = false;
		r->code = 250;
	}
	b->t->spool = spool_new(b->pool);
	assert_int_equal(spool_append(b->t->spool, pn_str_of(text), &e), 0);
}

static void
bench_down(struct bench *b)
{
	transaction_free(b->t);
	spool_pool_free(b->pool);
}

static struct rules_effect *
fire(struct bench *b, enum rules_action action)
{
	size_t n = b->result.rules.n_effects++;
	struct rules_effect *e = &b->effects[n];

	assert_true(n < PN_COUNT(b->effects));
	*e = (struct rules_effect){
		.action = action, .order = (unsigned)n, .rule = PN_STR("r")
	};
	return e;
}

static void
act(struct bench *b)
{
	effects_join(b->t, &b->t->verdict, &b->result.rules, true);
	assert_int_equal(effects_stage(b->t, &b->result.rules), 0);
	assert_int_equal(effects_message(b->t), 0);
}

/* "a@x,b@x": whom it goes to. */
static const char *
onward(struct bench *b)
{
	const char *all = "";
	const struct rcpt *r;

	TAILQ_FOREACH (r, &transaction_onward(b->t)->rcpts, next)
		all = arena_printf(b->t->arena, "%s%s%.*s%s", all,
		    all[0] ? "," : "", PN_STR_ARG(r->address),
		    r->quiet ? "?" : "");
	return all;
}

/* ---- recipients ---- */

static void
recipients(void **state)
{
	static const struct {
		const char *name;
		struct {
			enum rules_action action;
			const char *address;
		} fired[4];
		size_t n;
		enum verdict_action verdict;
		const char *onward;
	} cases[] = {
		{ "nothing", { { 0 } }, 0, VERDICT_ACCEPT, "a@x,b@x,c@x" },
		{ "one more", { { RULES_RCPT_ADD, "d@x" } }, 1, VERDICT_TAG,
		    "a@x,b@x,c@x,d@x?" },
		{ "no more", { { RULES_RCPT_ADD, "B@X" } }, 1, VERDICT_TAG,
		    "a@x,b@x,c@x" },
		{ "one less", { { RULES_RCPT_REMOVE, "B@x" } }, 1, VERDICT_TAG,
		    "a@x,c@x" },
		{ "one less who is none", { { RULES_RCPT_REMOVE, "d@x" } }, 1,
		    VERDICT_TAG, "a@x,b@x,c@x" },
		{ "more, then less",
		    { { RULES_RCPT_ADD, "d@x" }, { RULES_RCPT_REMOVE, "d@x" } },
		    2, VERDICT_TAG, "a@x,b@x,c@x" },
		{ "none left",
		    { { RULES_RCPT_REMOVE, "a@x" },
			{ RULES_RCPT_REMOVE, "b@x" },
			{ RULES_RCPT_REMOVE, "c@x" } },
		    3, VERDICT_DISCARD, "a@x,b@x,c@x" },
		{ "all but a new one",
		    { { RULES_RCPT_REMOVE, "a@x" },
			{ RULES_RCPT_REMOVE, "b@x" }, { RULES_RCPT_ADD, "d@x" },
			{ RULES_RCPT_REMOVE, "c@x" } },
		    4, VERDICT_TAG, "d@x?" },
		{ "none left, then a new one",
		    { { RULES_RCPT_REMOVE, "a@x" },
			{ RULES_RCPT_REMOVE, "b@x" },
			{ RULES_RCPT_REMOVE, "c@x" }, { RULES_RCPT_ADD, "d@x" } },
		    4, VERDICT_TAG, "d@x?" },
		{ "a copy", { { RULES_COPY, "d@x" } }, 1, VERDICT_TAG,
		    "a@x,b@x,c@x,d@x?" },
		{ "redirected", { { RULES_REDIRECT, "d@x" } }, 1,
		    VERDICT_REDIRECT, "d@x" },
		{ "redirected to one of them", { { RULES_REDIRECT, "b@x" } }, 1,
		    VERDICT_REDIRECT, "b@x" },
		{ "redirected twice",
		    { { RULES_REDIRECT, "d@x" }, { RULES_REDIRECT, "e@x" } }, 2,
		    VERDICT_REDIRECT, "d@x" },
		{ "redirected, a copy, one more",
		    { { RULES_COPY, "f@x" }, { RULES_REDIRECT, "d@x" },
			{ RULES_RCPT_ADD, "e@x" } },
		    3, VERDICT_REDIRECT, "d@x,f@x?" },
		{ "thrown away",
		    { { RULES_COPY, "f@x" }, { RULES_DISCARD, "" } }, 2,
		    VERDICT_DISCARD, "a@x,b@x,c@x" },
		{ "held",
		    { { RULES_REDIRECT, "f@x" }, { RULES_QUARANTINE, "" } }, 2,
		    VERDICT_QUARANTINE, "a@x,b@x,c@x" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct bench b;

		bench_up(&b, "A: 1\r\n\r\n");
		for (size_t k = 0; k < cases[i].n; k++)
			fire(&b, cases[i].fired[k].action)->address =
			    pn_str_of(cases[i].fired[k].address);
		act(&b);
		if (strcmp(onward(&b), cases[i].onward) != 0 ||
		    b.t->verdict.action != cases[i].verdict)
			fail_msg("%s: %s %s", cases[i].name, onward(&b),
			    verdict_action_name(b.t->verdict.action));
		bench_down(&b);
	}
}

static void
parameters_that_all_share_go_on(void **state)
{
	static const struct {
		const char *params[3], *want;
	} cases[] = {
		{ { "NOTIFY=NEVER", "NOTIFY=NEVER", "NOTIFY=NEVER" },
		    "NOTIFY=NEVER" },
		{ { "NOTIFY=NEVER", "NOTIFY=FAILURE", "NOTIFY=NEVER" }, "" },
		{ { "", "", "" }, "" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct bench b;
		struct rcpt *r;
		size_t k = 0;

		bench_up(&b, "A: 1\r\n\r\n");
		TAILQ_FOREACH (r, &b.t->envelope.rcpts, next)
			r->params = pn_str_of(cases[i].params[k++]);
		fire(&b, RULES_REDIRECT)->address = PN_STR_V("d@x");
		act(&b);
		r = TAILQ_FIRST(&b.t->onward->rcpts);
		assert_str(r->params, cases[i].want);
		assert_true(r->added && r->accepted && !r->quiet);
		bench_down(&b);
	}
}

static void
senders(void **state)
{
	static const struct {
		const char *set[2];
		size_t n;
		bool quarantined;
		const char *want;
	} cases[] = {
		{ { 0 }, 0, false, "s@x" },
		{ { "t@x" }, 1, false, "t@x" },
		{ { "t@x", "" }, 2, false, "" },
		{ { "", "u@x" }, 2, false, "u@x" },
		{ { "t@x" }, 1, true, "s@x" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct bench b;

		bench_up(&b, "A: 1\r\n\r\n");
		b.t->envelope.path = b.t->envelope.address = PN_STR_V("s@x");
		for (size_t k = 0; k < cases[i].n; k++)
			fire(&b, RULES_SENDER)->address =
			    pn_str_of(cases[i].set[k]);
		if (cases[i].quarantined)
			(void)fire(&b, RULES_QUARANTINE);
		act(&b);
		assert_str(transaction_onward(b.t)->path, cases[i].want);
		assert_int_equal(transaction_sender_changed(b.t),
		    strcmp(cases[i].want, "s@x") != 0);
		assert_str(b.t->envelope.path, "s@x");
		assert_string_equal(onward(&b), "a@x,b@x,c@x");
		bench_down(&b);
	}
}

/* ---- the rest ---- */

static void
what_is_in_shadow_is_told_alone(void **state)
{
	struct bench b;
	struct rules_effect *e;

	(void)state;
	bench_up(&b, "A: 1\r\n\r\n");
	for (enum rules_action a = 0; a < RULES_ACTIONS; a++)
		if (b.result.rules.n_effects < PN_COUNT(b.effects)) {
			e = fire(&b, a);
			e->shadow = true;
			e->address = PN_STR_V("d@x");
			e->name = PN_STR_V("X-Name");
			e->text = PN_STR_V("text");
			e->delay_ms = 1000;
			e->early = true;
		}
	act(&b);
	assert_int_equal(b.t->verdict.action, VERDICT_ACCEPT);
	assert_int_equal(b.t->would.action, VERDICT_REJECT);
	assert_int_equal(b.t->early.action, VERDICT_ACCEPT);
	assert_true(STAILQ_EMPTY(&b.t->edits));
	assert_null(b.t->onward);
	assert_int_equal(b.t->delay_ms, 0);
	assert_int_equal(b.t->notes.n, 0);
	bench_down(&b);
}

/* Held by an MTA it goes on with its edits; by the keeper, as it came. */
static void
holds(void **state)
{
	static const struct {
		const char *name;
		bool quarantined;
		const char *class_name, *reason, *onward;
	} cases[] = {
		{ "held", false, "hold", "why", "a@x,b@x,c@x,d@x?" },
		{ "held and quarantined", true, "default", "", "a@x,b@x,c@x" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct bench b;

		bench_up(&b, "A: 1\r\n\r\n");
		fire(&b, RULES_HOLD)->text = PN_STR_V("why");
		fire(&b, RULES_RCPT_ADD)->address = PN_STR_V("d@x");
		if (cases[i].quarantined)
			(void)fire(&b, RULES_QUARANTINE);
		act(&b);
		assert_int_equal(b.t->verdict.action, VERDICT_QUARANTINE);
		assert_int_equal(b.t->verdict.hold, !cases[i].quarantined);
		assert_str(b.t->verdict.class_name, cases[i].class_name);
		assert_str(b.t->verdict.reason, cases[i].reason);
		assert_int_equal(b.t->verdict.reply.text.n, 0);
		assert_string_equal(onward(&b), cases[i].onward);
		bench_down(&b);
	}
}

static void
delays_notes_and_copies(void **state)
{
	struct bench b;
	struct rules_effect *e;
	char many[100];

	(void)state;
	bench_up(&b, "A: 1\r\n\r\n");
	fire(&b, RULES_DELAY)->delay_ms = 1000;
	fire(&b, RULES_DELAY)->delay_ms = 3000;
	fire(&b, RULES_DELAY)->delay_ms = 2000;
	fire(&b, RULES_NOTE)->text = PN_STR_V("first");
	fire(&b, RULES_NOTE)->text = PN_STR_V("first");
	fire(&b, RULES_NOTE)->text = PN_STR_V("second");
	for (int i = 0; i < 2; i++) {
		e = fire(&b, RULES_QUARANTINE);
		e->copy = true;
		e->name = i ? PN_STR_V("two") : PN_STR_V("one");
	}
	act(&b);
	assert_int_equal(b.t->delay_ms, 3000);
	assert_str(b.t->notes, "first; second");
	assert_int_equal(b.t->verdict.action, VERDICT_TAG);
	assert_int_equal(b.t->copy.action, VERDICT_QUARANTINE);
	assert_str(b.t->copy.class_name, "one");
	for (int i = 0; i < 200; i++) {
		(void)snprintf(many, sizeof(many),
		    "note number %d of a great "
		    "many that go into one line",
		    i);
		assert_int_equal(effects_note(b.t, pn_str_of(many)), 0);
	}
	assert_true(b.t->notes.n < 4200);
	assert_true(pn_str_ends(b.t->notes, PN_STR_V("; ...")));
	bench_down(&b);
}

/* ---- strip ---- */

#define TEXT                                                                   \
	"A: 1\r\nB: 2\r\n\r\n" /* 14 bytes of header */                        \
	"0123456789abcdefghijklmnopqrstuvwxyz\r\n"

static void
result_of(struct bench *b, struct buf *out)
{
	struct edit_ranges ranges;
	struct edit_cursor c = { 0 };
	struct pn_str piece;
	struct error e;

	struct spool *s = transaction_message(b->t);

	assert_int_equal(
	    edits_resolve(&b->t->edits, s, b->t->arena, &ranges, &e), 0);
	while ((piece = edit_cursor_peek(&c, &ranges, s)).n > 0) {
		(void)buf_add_str(out, piece);
		edit_cursor_skip(&c, piece.n);
	}
}

static void
strip(struct bench *b, uint32_t from, uint32_t size, uint8_t flags,
    const char *note)
{
	struct fact_things *things = &b->t->past->findings.things[THING_PART];
	struct rules_effect *e = fire(b, RULES_STRIP);

	b->parts[things->n] =
	    (struct fact_thing){ .flags = flags, .from = from, .size = size };
	e->thing = things->n++;
	e->text = pn_str_of(note);
}

#define ENTITY                                                                 \
	"Content-Type: text/plain; charset=utf-8\r\n"                          \
	"Content-Transfer-Encoding: quoted-printable\r\n"                      \
	"Content-Disposition: inline\r\n\r\n"

static void
parts_are_taken_out(void **state)
{
	static const struct {
		const char *name;
		struct {
			uint32_t from, size;
			uint8_t flags;
			const char *note;
		} parts[3];
		size_t n;
		unsigned defects;
		const char *after; /* NULL: held */
	} cases[] = {
		{ "one", { { 16, 3, 0, "gone" } }, 1, 0,
		    "A: 1\r\nB: 2\r\n\r\n01" ENTITY
		    "gone56789abcdefghijklmnopqrstuvwxyz\r\n" },
		{ "no note", { { 16, 3, 0, "" } }, 1, 0,
		    "A: 1\r\nB: 2\r\n\r\n01" ENTITY
		    "A part of this message was removed."
		    "56789abcdefghijklmnopqrstuvwxyz\r\n" },
		{ "a note with all sorts", { { 16, 3, 0, ".\xc3\xa4 =. " } }, 1,
		    0,
		    "A: 1\r\nB: 2\r\n\r\n01" ENTITY "=2E=C3=A4 =3D.=20"
		    "56789abcdefghijklmnopqrstuvwxyz\r\n" },
		{ "two notes for one place",
		    { { 16, 3, 4, "one" }, { 16, 3, 4, "two" },
			{ 16, 3, 4, "one" } },
		    3, 0,
		    "A: 1\r\nB: 2\r\n\r\n01" ENTITY
		    "one\r\ntwo56789abcdefghijklmnopqrstuvwxyz\r\n" },
		{ "one within another",
		    { { 17, 1, 0, "inner" }, { 16, 3, 0, "outer" } }, 2, 0,
		    "A: 1\r\nB: 2\r\n\r\n01" ENTITY
		    "outer\r\ninner56789abcdefghijklmnopqrstuvwxyz\r\n" },
		{ "side by side", { { 19, 3, 0, "two" }, { 16, 3, 0, "one" } },
		    2, 0,
		    "A: 1\r\nB: 2\r\n\r\n01" ENTITY "one" ENTITY
		    "two89abcdefghijklmnopqrstuvwxyz\r\n" },
		{ "lines of a text", { { 16, 3, THING_BLOCK, ".x \xc3\xa4" } },
		    1, 0,
		    "A: 1\r\nB: 2\r\n\r\n01[.x ?]\r\n"
		    "56789abcdefghijklmnopqrstuvwxyz\r\n" },
		{ "all of it", { { 0, 52, 0, "gone" } }, 1, 0,
		    "A: 1\r\nB: 2\r\nMIME-Version: 1.0\r\n"
		    "Content-Type: text/plain; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		    "gone\r\n" },
		{ "crossing", { { 16, 3, 0, "" }, { 17, 3, 0, "" } }, 2, 0,
		    NULL },
		{ "crossing, the other way",
		    { { 17, 3, 0, "" }, { 16, 3, 0, "" } }, 2, 0, NULL },
		{ "nowhere", { { 0, 0, 0, "" } }, 1, 0, NULL },
		{ "in the header", { { 3, 2, 0, "" } }, 1, 0, NULL },
		{ "begins in the header", { { 0, 20, 0, "" } }, 1, 0, NULL },
		{ "all of it and a part",
		    { { 0, 52, 0, "all" }, { 20, 5, 0, "part" } }, 2, 0,
		    "A: 1\r\nB: 2\r\nMIME-Version: 1.0\r\n"
		    "Content-Type: text/plain; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		    "all\r\npart\r\n" },
		{ "an ambiguous part", { { 16, 3, THING_AMBIGUOUS, "" } }, 1, 0,
		    NULL },
		{ "an ambiguous message", { { 16, 3, 0, "" } }, 1,
		    PN_DEFECT_AMBIGUOUS, NULL },
		{ "a broken message", { { 16, 3, 0, "" } }, 1, PN_DEFECT_BROKEN,
		    NULL },
		{ "an odd charset", { { 14, 38, 0, "x" } }, 1,
		    PN_DEFECT_CHARSET, "A: 1\r\nB: 2\r\n\r\n" ENTITY "x" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct bench b;
		struct buf out = { 0 };

		bench_up(&b, TEXT);
		b.t->past->findings.defects = cases[i].defects;
		for (size_t k = 0; k < cases[i].n; k++)
			strip(&b, cases[i].parts[k].from,
			    cases[i].parts[k].size, cases[i].parts[k].flags,
			    cases[i].parts[k].note);
		act(&b);
		if (cases[i].after == NULL) {
			if (b.t->verdict.action != VERDICT_QUARANTINE)
				fail_msg("%s: not held", cases[i].name);
			assert_str(b.t->verdict.class_name, "failed");
			assert_true(b.t->notes.n > 0);
		} else {
			assert_int_equal(b.t->verdict.action, VERDICT_TAG);
			result_of(&b, &out);
			(void)buf_add(&out, "", 1);
			if (strcmp(buf_data(&out), cases[i].after) != 0)
				fail_msg("%s: \"%s\"", cases[i].name,
				    buf_data(&out));
		}
		buf_fini(&out);
		bench_down(&b);
	}
}

static void
parts_are_taken_out_of_what_milters_left(void **state)
{
	static const struct {
		const char *name, *changed;
		uint32_t from, size;
		const char *after; /* NULL: held */
	} cases[] = {
		{ "nothing changed", TEXT, 16, 3,
		    "A: 1\r\nB: 2\r\n\r\n01" ENTITY
		    "gone56789abcdefghijklmnopqrstuvwxyz\r\n" },
		{ "a longer header",
		    "X: new\r\nA: 1\r\nB: 2\r\n\r\n"
		    "0123456789abcdefghijklmnopqrstuvwxyz\r\n",
		    16, 3,
		    "X: new\r\nA: 1\r\nB: 2\r\n\r\n01" ENTITY
		    "gone56789abcdefghijklmnopqrstuvwxyz\r\n" },
		{ "a shorter header",
		    "B: 2\r\n\r\n0123456789abcdefghijklmnopqrstuvwxyz\r\n",
		    16, 3,
		    "B: 2\r\n\r\n01" ENTITY
		    "gone56789abcdefghijklmnopqrstuvwxyz\r\n" },
		{ "the whole body",
		    "B: 2\r\n\r\n0123456789abcdefghijklmnopqrstuvwxyz\r\n",
		    14, 38, "B: 2\r\n\r\n" ENTITY "gone" },
		{ "another body", "A: 1\r\nB: 2\r\n\r\nanother\r\n", 16, 3,
		    NULL },
		{ "a longer body",
		    "A: 1\r\nB: 2\r\n\r\n"
		    "0123456789abcdefghijklmnopqrstuvwxyz\r\n+\r\n",
		    16, 3, NULL },
		{ "a shorter body", "A: 1\r\nB: 2\r\n\r\n0123456789", 16, 3,
		    NULL },
		{ "in the header", "X: new\r\nA: 1\r\nB: 2\r\n\r\n"
		    "0123456789abcdefghijklmnopqrstuvwxyz\r\n", 3, 2, NULL },
		{ "all of it, whatever it is", "A: 1\r\n\r\nanother\r\n", 0,
		    52,
		    "A: 1\r\nMIME-Version: 1.0\r\n"
		    "Content-Type: text/plain; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		    "gone\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct buf out = { 0 };
		struct bench b;
		struct error e;

		bench_up(&b, TEXT);
		b.t->changed = spool_new(b.pool);
		assert_int_equal(spool_append(b.t->changed,
				     pn_str_of(cases[i].changed), &e), 0);
		strip(&b, cases[i].from, cases[i].size, 0, "gone");
		act(&b);
		assert_int_equal(b.t->verdict.action,
		    cases[i].after ? VERDICT_TAG : VERDICT_QUARANTINE);
		if (cases[i].after != NULL) {
			result_of(&b, &out);
			(void)buf_add(&out, "", 1);
			if (strcmp(buf_data(&out), cases[i].after) != 0)
				fail_msg("%s: \"%s\"", cases[i].name,
				    buf_data(&out));
		}
		buf_fini(&out);
		bench_down(&b);
	}
}

static unsigned
dice(unsigned *seed, unsigned sides)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % sides;
}

struct range {
	size_t from, end;
};

/* Is there an outer one, or the same one before it? */
static bool
is_inside(const struct range *r, size_t n, size_t i)
{
	for (size_t k = 0; k < n; k++)
		if (k != i && r[k].from <= r[i].from && r[k].end >= r[i].end &&
		    (r[k].from < r[i].from || r[k].end > r[i].end || k < i))
			return true;
	return false;
}

/* What should come of ranges that lie beside or in each other. */
static void
expected(const struct range *r, size_t n, struct buf *out)
{
	static const char text[] = TEXT;
	size_t at = 0;

	while (at < sizeof(text) - 1) {
		size_t i = 0;

		while (i < n && (r[i].from != at || is_inside(r, n, i)))
			i++;
		if (i < n)
			(void)buf_puts(out, ENTITY "<gone>");
		else
			(void)buf_add(out, &text[at], 1);
		at = i < n ? r[i].end : at + 1;
	}
}

/* Any ranges an inspector may name: held, or the rest is octet for octet. */
static void
whatever_the_inspector_says(void **state)
{
	unsigned seed = 7, held = 0, done = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct bench b;
		struct buf out = { 0 }, want = { 0 };
		struct range ranges[4];
		unsigned n = 1 + dice(&seed, 4);

		bench_up(&b, TEXT);
		for (unsigned k = 0; k < n; k++) {
			unsigned from = dice(&seed, 52);
			unsigned size = dice(&seed, 53 - from);

			if (from == 0 && size == 52)
				size--; /* all of it is another matter */
			strip(&b, from, size, 0, "<gone>");
			ranges[k] = (struct range){ from, from + size };
		}
		act(&b);
		if (b.t->verdict.action == VERDICT_QUARANTINE) {
			held++;
		} else {
			done++;
			result_of(&b, &out);
			expected(ranges, n, &want);
			assert_int_equal(buf_len(&out), buf_len(&want));
			assert_memory_equal(
			    buf_data(&out), buf_data(&want), buf_len(&want));
		}
		buf_fini(&out);
		buf_fini(&want);
		bench_down(&b);
	}
	assert_true(held > 1000 && done > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipients),
		cmocka_unit_test(parameters_that_all_share_go_on),
		cmocka_unit_test(senders),
		cmocka_unit_test(what_is_in_shadow_is_told_alone),
		cmocka_unit_test(delays_notes_and_copies),
		cmocka_unit_test(holds),
		cmocka_unit_test(parts_are_taken_out),
		cmocka_unit_test(parts_are_taken_out_of_what_milters_left),
		cmocka_unit_test(whatever_the_inspector_says),
	};

	return cmocka_run_group_tests_name("effects", tests, NULL, NULL);
}
