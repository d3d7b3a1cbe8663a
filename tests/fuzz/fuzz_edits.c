/*
 * fuzz_edits - a message's header as the worker walks it, and what rules make
 * of it. Lines that say what to change come first: "+NAME: VALUE" adds, "<"
 * inserts, "=" sets, "^" puts in front, "-NAME" removes, "@FROM SIZE TEXT" and
 * "*TEXT" replace bytes of the body; the first other line ends them and belongs
 * to the message.
 *
 * Without edits a message stays as it is; a field removed is gone, one set is
 * there once: to do either again changes nothing. And an MTA that is asked to
 * do the same writes the same message.
 *
 * Covers: proxy/mail/edits.c proxy/mail/field.c proxy/mail/edit_header.c
 *     proxy/mail/edit_ops.c proxy/mail/edit_ranges.c proxy/mail/edit_text.c
 */
#include "base/buf.h"
#include "base/must.h"
#include "mail/edits.h"

#include "tests/unit/mta.h"

#include <stdint.h>
#include <stdlib.h>

#define FIRST 64 /* bytes of the spool's first piece */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Over the message to out; false: they cannot all be done. */
static bool
apply(struct spool_pool *pool, const struct edits *edits, struct pn_str message,
    struct buf *out)
{
	struct arena *a = arena_new(4 << 20);
	struct spool *s = spool_new(pool);
	struct edit_cursor c = { 0 };
	struct edit_ranges ranges;
	struct pn_str piece;
	struct error e;
	bool done;

	must(spool_append(s, pn_str_sub(message, 0, FIRST), &e) == 0);
	must(spool_append(s, pn_str_sub(message, FIRST, SIZE_MAX), &e) == 0);
	done = edits_resolve(edits, s, a, &ranges, &e) == 0;
	while (done && (piece = edit_cursor_peek(&c, &ranges, s)).n > 0) {
		must(buf_add_str(out, piece));
		edit_cursor_skip(&c, piece.n);
	}
	must(!done || buf_len(out) == edit_ranges_size(&ranges));
	spool_free(s);
	arena_free(a);
	return done;
}

static bool
is_name(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ':')
			return false;
	return s.n > 0 && s.n <= 76; /* as rules have it */
}

static bool
add_range(struct edits *edits, struct arena *a, const char *line)
{
	char *end;
	size_t from = strtoul(line, &end, 10), n = strtoul(end, &end, 10);

	return edits_add_range(edits, a, from, n, pn_str_of(end)) == 0;
}

/* False: the line is none of ours. */
static bool
add(struct edits *edits, struct arena *a, struct pn_str line)
{
	static const char signs[] =
	    "+<=-^"; /* in the order of enum edit_kind */
	const char *sign = line.n > 0 ? strchr(signs, line.p[0]) : NULL;
	const char *colon;
	struct pn_str name;

	line = arena_str(a, line);
	if (line.n == 0 || memchr(line.p, '\r', line.n) ||
	    memchr(line.p, '\0', line.n))
		return false;
	if (line.p[0] == '@')
		return add_range(edits, a, line.p + 1);
	if (line.p[0] == '*')
		return edits_add_body(
			   edits, a, pn_str_sub(line, 1, SIZE_MAX)) == 0;
	colon = memchr(line.p, ':', line.n);
	name = pn_str_sub(
	    line, 1, colon != NULL ? (size_t)(colon - line.p) - 1 : SIZE_MAX);
	return sign != NULL && is_name(name) &&
	       edits_add(edits, a, (enum edit_kind)(sign - signs), name,
		   pn_str_sub(line, 1 + name.n + (colon != NULL), SIZE_MAX)) ==
		   0;
}

/* The edit alone, twice over what others made. */
static void
again(struct spool_pool *pool, const struct edit *edit, struct pn_str message)
{
	struct edits one = STAILQ_HEAD_INITIALIZER(one);
	struct buf once = { 0 }, twice = { 0 };
	struct edit copy = *edit;

	STAILQ_INSERT_HEAD(&one, &copy, next);
	must(apply(pool, &one, message, &once));
	must(apply(pool, &one, buf_str(&once), &twice));
	must(pn_str_eq(buf_str(&once), buf_str(&twice)));
	buf_fini(&once);
	buf_fini(&twice);
}

static void
agree(struct spool_pool *pool, const struct edits *edits, struct pn_str message,
    struct pn_str made)
{
	struct arena *a = arena_new(64 << 20);
	struct spool *s = spool_new(pool);
	struct buf theirs = { 0 };
	struct error e;
	struct mta mta;

	must(spool_append(s, message, &e) == 0);
	if (mta_read(&mta, a, message)) {
		must(mta_edit(&mta, edits, s, &theirs));
		must(pn_str_eq(buf_str(&theirs), made));
	}
	buf_fini(&theirs);
	spool_free(s);
	arena_free(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct spool_conf conf = { .dir = "/tmp", .max_memory = 1 << 20 };
	struct pn_str rest = { (const char *)data, size };
	struct edits edits = STAILQ_HEAD_INITIALIZER(edits);
	struct spool_pool *pool = spool_pool_new(&conf);
	struct arena *a = arena_new(4 << 20);
	struct buf out = { 0 };
	const struct edit *e;
	const char *lf;

	while (rest.n > 0 && (lf = memchr(rest.p, '\n', rest.n)) != NULL &&
	       add(&edits, a, pn_str_sub(rest, 0, (size_t)(lf - rest.p))))
		rest = pn_str_sub(rest, (size_t)(lf - rest.p) + 1, SIZE_MAX);
	if (apply(pool, &edits, rest, &out)) {
		must(!STAILQ_EMPTY(&edits) || pn_str_eq(buf_str(&out), rest));
		agree(pool, &edits, rest, buf_str(&out));
		STAILQ_FOREACH (e, &edits, next)
			if (e->kind == EDIT_HEADER_REMOVE ||
			    e->kind == EDIT_HEADER_SET)
				again(pool, e, buf_str(&out));
	}
	buf_fini(&out);
	arena_free(a);
	spool_pool_free(pool);
	return 0;
}
