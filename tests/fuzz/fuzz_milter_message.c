/*
 * fuzz_milter_message - a message as a milter's answers leave it. Answers as
 * packets come first; the first that is none ends them and belongs to the
 * message.
 *
 * However odd they are, no field becomes the body or a part of it, and a new
 * body is lines that end in CRLF.
 *
 * Covers: proxy/engine/milter_message.c proxy/mail/field.c
 */
#include "engine/milter_talk.h"

#include <stdint.h>

#include "base/must.h"
#include "mail/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
text_of(struct spool *s, size_t from, struct buf *out)
{
	struct pn_str piece;

	for (; (piece = spool_at(s, from)).n > 0; from += piece.n)
		must(buf_add_str(out, piece));
}

/* Nothing but its fields was changed; one CRLF may have to part a body without
 * a header from the first of them. */
static void
must_have_body(struct spool *s, struct pn_str body)
{
	struct buf rest = { 0 };
	struct pn_str got;

	text_of(s, field_header_end(s), &rest);
	got = buf_str(&rest);
	if (got.n == body.n + 2 && pn_str_starts(got, PN_STR_V("\r\n")))
		got = pn_str_sub(got, 2, got.n);
	must(pn_str_eq(got, body));
	buf_fini(&rest);
}

static void
must_be_lines(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		must((s.p[i] != '\r' || (i + 1 < s.n && s.p[i + 1] == '\n')) &&
		    (s.p[i] != '\n' || (i > 0 && s.p[i - 1] == '\r')));
	must(s.n == 0 || s.p[s.n - 1] == '\n');
}

struct bench {
	struct arena *arena;
	struct spool *from;
	struct milter_lines body;
	struct milter_changes changes;
};

/* As milter_talk.c takes them. */
static void
take(struct bench *b, const struct milter_said *s)
{
	struct milter_change *c = arena_alloc(b->arena, sizeof(*c));
	struct error e;

	if (s->what == MILTER_REPLACE_BODY) {
		if (b->body.to == NULL)
			b->body.to = spool_like(b->from);
		must(milter_lines_add(&b->body, s->value, &e) == 0);
	} else if (c != NULL && milter_is_field_name(s->name)) {
		*c = (struct milter_change){ .what = s->what,
			.index = s->index,
			.name = s->name,
			.value = s->value };
		STAILQ_INSERT_TAIL(&b->changes, c, next);
	}
}

static void
change(struct bench *b, bool leading_space)
{
	struct spool *to;
	struct buf was = { 0 }, is = { 0 };
	struct error e;

	must(b->body.to == NULL || milter_lines_end(&b->body, &e) == 0);
	to = milter_message(b->from, &b->changes, b->body.to, leading_space, &e);
	if (to != NULL && b->body.to == NULL) {
		text_of(b->from, field_header_end(b->from), &was);
		must_have_body(to, buf_str(&was));
	} else if (to != NULL) {
		text_of(b->body.to, 0, &is);
		must_be_lines(buf_str(&is));
		must(buf_puts(&was, "\r\n") && buf_add_str(&was, buf_str(&is)));
		must_have_body(to, buf_str(&was));
	}
	spool_free(to);
	buf_fini(&was);
	buf_fini(&is);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct spool_conf conf = { "/tmp", 1u << 20, 0 };
	struct pn_str in = { (const char *)data, size };
	struct spool_pool *pool = spool_pool_new(&conf);
	struct bench b = { .arena = arena_new(1u << 20),
		.from = spool_new(pool) };
	struct milter_packet p;
	struct milter_said s;
	struct error e;
	long n;

	STAILQ_INIT(&b.changes);
	for (; (n = milter_packet_take(in, 4096, &p)) > 0 &&
	     milter_read_answer(&p, &s);
	     in = pn_str_sub(in, (size_t)n, in.n))
		take(&b, &s);
	must(spool_append(b.from, in, &e) == 0);
	change(&b, false);
	change(&b, true);
	spool_free(b.body.to);
	spool_free(b.from);
	arena_free(b.arena);
	spool_pool_free(pool);
	return 0;
}
