/*
 * milter_tell - what a transaction holds as packets for a milter: its client,
 * its paths, its message. Each function puts one callback, or returns why it
 * cannot be told.
 *
 * Called by milter_talk.c, which knows when each is due; owns nothing. Bytes
 * are as Sendmail and Postfix send them.
 */
#include "engine/milter_talk.h"
#include "mail/field.h"

static const char too_much[] = "it takes no more than 64 KiB at once";
static const char no_room[] = "out of memory for this mail";
static const char unreadable[] = "the message cannot be read";

const char *
milter_tell_strings(struct buf *out, enum milter_command what,
    const struct pn_str *s, size_t n)
{
	return milter_put_strings(out, what, s, n) ? NULL : too_much;
}

const char *
milter_tell_macros(struct buf *out, enum milter_command of,
    const struct pn_str *s, size_t n)
{
	return milter_put_macros(out, of, s, n) ? NULL : too_much;
}

/* ---- session and envelope ---- */

/* Who has no name is "[192.0.2.1]", as from Postfix and Sendmail. */
const char *
milter_tell_connect(struct buf *out, const struct transaction *t)
{
	const struct client *c = &t->client;
	bool six = c->ip.n > 0 && memchr(c->ip.p, ':', c->ip.n) != NULL;
	struct pn_str name = c->name;

	if (name.n == 0)
		name = pn_str_of(
		    arena_printf(t->arena, "[%.*s]", PN_STR_ARG(c->ip)));
	if (name.n == 0)
		return no_room;
	milter_put_connect(out, name, c->ip.n == 0 ? 'U' : six ? '6' : '4',
	    c->port, c->ip);
	return NULL;
}

const char *
milter_tell_path(struct buf *out, enum milter_command what, struct arena *a,
    struct pn_str path, struct pn_str params)
{
	struct pn_str words[MILTER_MACROS_MAX];
	char *head = arena_printf(a, "<%.*s>", PN_STR_ARG(path));
	size_t n = 1;

	if (head == NULL)
		return no_room;
	words[0] = pn_str_of(head);
	while ((params = pn_str_trim(params)).n > 0) {
		const char *blank = memchr(params.p, ' ', params.n);

		if (n == PN_COUNT(words))
			return "it is told no more than 63 parameters";
		words[n] = params;
		if (blank != NULL)
			words[n].n = (size_t)(blank - params.p);
		params = pn_str_sub(params, words[n++].n, params.n);
	}
	return milter_tell_strings(out, what, words, n);
}

/* ---- message ---- */

static void
add_without_cr(struct buf *b, struct pn_str s)
{
	while (s.n > 0) {
		const char *cr = memchr(s.p, '\r', s.n);
		size_t n = cr != NULL ? (size_t)(cr - s.p) : s.n;

		(void)buf_add(b, s.p, n); /* no cap */
		s = pn_str_sub(s, n + 1, s.n);
	}
}

/* Bytes [from, to) of the message; CRs go. */
static bool
gather(struct buf *b, struct spool *s, size_t from, size_t to)
{
	struct pn_str piece;

	for (; from < to; from += piece.n) {
		piece = pn_str_sub(spool_at(s, from), 0, to - from);
		if (piece.n == 0)
			return false;
		add_without_cr(b, piece);
	}
	return true;
}

/* As Sendmail does: folds as LF, and the first blank behind the colon is part
 * of what separates, unless the milter wants it. */
static const char *
tell_field(struct buf *out, struct pn_str name, struct pn_str value,
    bool leading_space)
{
	struct pn_str words[2] = { name, value };

	if (pn_str_ends(value, PN_STR_V("\n")))
		words[1].n--;
	if (!leading_space && pn_str_starts(words[1], PN_STR_V(" ")))
		words[1] = pn_str_sub(words[1], 1, words[1].n);
	return milter_tell_strings(out, MILTER_HEADER, words, 2);
}

const char *
milter_tell_field(struct buf *out, struct spool *s, const struct field *f,
    bool leading_space)
{
	struct buf name = { 0 }, value = { 0 };
	const char *why = unreadable;

	if (f->end - f->start > MILTER_DATA_MAX)
		return too_much;
	if (gather(&name, s, f->start, f->start + f->name_n) &&
	    gather(&value, s, f->colon, f->end))
		why = tell_field(out, buf_str(&name), buf_str(&value),
		    leading_space);
	buf_fini(&name);
	buf_fini(&value);
	return why;
}

const char *
milter_tell_body(struct buf *out, struct spool *s, size_t *at)
{
	size_t n = spool_size(s) - *at;
	struct pn_str piece;

	if (n > MILTER_DATA_MAX)
		n = MILTER_DATA_MAX;
	milter_put_head(out, MILTER_BODY, n);
	for (; n > 0; n -= piece.n, *at += piece.n) {
		piece = pn_str_sub(spool_at(s, *at), 0, n);
		if (piece.n == 0)
			return unreadable;
		(void)buf_add_str(out, piece); /* no cap */
	}
	return NULL;
}
