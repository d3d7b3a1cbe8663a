/*
 * mta - what an MTA does with the operations that the milter protocol has on a
 * message: a list of fields, and a body. It knows nothing of spools and edits:
 * what it writes is compared with what edits make of the same message.
 */
#ifndef TESTS_MTA_H
#define TESTS_MTA_H

#include "base/buf.h"
#include "base/must.h"
#include "mail/edits.h"

struct mta_field {
	TAILQ_ENTRY(mta_field) next;
	struct pn_str name, value; /* folds are LF and a blank */
};

struct mta {
	struct arena *arena;
	TAILQ_HEAD(mta_fields, mta_field) fields;
	struct pn_str body;
};

static struct pn_str
mta_line(struct pn_str *rest)
{
	const char *lf = memchr(rest->p, '\n', rest->n);
	size_t n = lf != NULL ? (size_t)(lf - rest->p) + 1 : rest->n;
	struct pn_str line = pn_str_sub(*rest, 0, n);

	*rest = pn_str_sub(*rest, n, SIZE_MAX);
	return line;
}

/* Lines that an MTA sends as they are: CRLF at the end and nowhere else. */
static bool
mta_is_line(struct pn_str s)
{
	if (!pn_str_ends(s, PN_STR_V("\r\n")))
		return false;
	s.n -= 2;
	return s.n == 0 ||
	       (!memchr(s.p, '\r', s.n) && !memchr(s.p, '\0', s.n));
}

static struct mta_field *
mta_new(struct mta *m, struct pn_str name, struct pn_str value)
{
	struct mta_field *f = arena_alloc(m->arena, sizeof(*f));

	must(f != NULL);
	f->name = arena_str(m->arena, name);
	f->value = arena_str(m->arena, value);
	return f;
}

static bool
mta_read_field(struct mta *m, struct pn_str line)
{
	const char *colon = memchr(line.p, ':', line.n);
	size_t n = colon != NULL ? (size_t)(colon - line.p) : 0;
	struct pn_str value = pn_str_sub(line, n + 1, line.n - 2 - (n + 1));
	struct mta_field *f;

	for (size_t i = 0; i < n; i++)
		if (line.p[i] <= ' ' || line.p[i] > '~')
			return false;
	if (n == 0)
		return false;
	f = mta_new(m, pn_str_sub(line, 0, n), value);
	TAILQ_INSERT_TAIL(&m->fields, f, next);
	return true;
}

static void
mta_fold(struct mta *m, struct mta_field *f, struct pn_str line)
{
	char *all = arena_printf(m->arena, "%.*s\n%.*s", PN_STR_ARG(f->value),
	    (int)line.n - 2, line.p);

	must(all != NULL);
	f->value = pn_str_of(all);
}

/* False: an MTA would have made something else of it already. */
static inline bool
mta_read(struct mta *m, struct arena *a, struct pn_str message)
{
	*m = (struct mta){ .arena = a };
	TAILQ_INIT(&m->fields);
	for (;;) {
		struct pn_str line = mta_line(&message);
		struct mta_field *last = TAILQ_LAST(&m->fields, mta_fields);

		if (!mta_is_line(line))
			return false;
		if (line.n == 2)
			break;
		if (line.p[0] != ' ' && line.p[0] != '\t') {
			if (!mta_read_field(m, line))
				return false;
		} else if (last == NULL) {
			return false;
		} else {
			mta_fold(m, last, line);
		}
	}
	m->body = message;
	return true;
}

static struct mta_field *
mta_nth(struct mta *m, struct pn_str name, unsigned nth)
{
	struct mta_field *f;

	TAILQ_FOREACH (f, &m->fields, next)
		if (pn_str_caseeq(f->name, name) && --nth == 0)
			break;
	return f;
}

static inline void
mta_do(struct mta *m, const struct edit_op *op)
{
	struct mta_field *f;

	must(strlen(op->name.p) == op->name.n); /* libmilter's are C strings */
	must(strlen(op->value.p) == op->value.n);
	switch (op->kind) {
	case EDIT_OP_DELETE:
		f = mta_nth(m, op->name, op->nth);
		must(f != NULL);
		TAILQ_REMOVE(&m->fields, f, next);
		break;
	case EDIT_OP_CHANGE:
		f = mta_nth(m, op->name, op->nth);
		must(f != NULL);
		f->name = op->name;
		f->value = op->value;
		break;
	case EDIT_OP_INSERT:
		f = mta_new(m, op->name, op->value);
		TAILQ_INSERT_HEAD(&m->fields, f, next);
		break;
	case EDIT_OP_ADD:
		f = mta_new(m, op->name, op->value);
		TAILQ_INSERT_TAIL(&m->fields, f, next);
		break;
	}
}

static inline void
mta_write(const struct mta *m, struct buf *out)
{
	const struct mta_field *f;

	TAILQ_FOREACH (f, &m->fields, next) {
		(void)buf_printf(out, "%.*s:", PN_STR_ARG(f->name));
		for (size_t i = 0; i < f->value.n; i++) {
			if (f->value.p[i] == '\n')
				(void)buf_puts(out, "\r");
			(void)buf_add(out, &f->value.p[i], 1);
		}
		(void)buf_puts(out, "\r\n");
	}
	(void)buf_puts(out, "\r\n");
	(void)buf_add_str(out, m->body);
}

/* What the edits make of the message where an MTA does it. False: they cannot
 * be done. */
static inline bool
mta_edit(struct mta *m, const struct edits *edits, struct spool *s,
    struct buf *out)
{
	struct edit_ranges ranges;
	struct edit_cursor c = { 0 };
	struct buf body = { 0 };
	struct edit_ops ops;
	struct edit_op *op;
	struct pn_str piece;
	struct error e;

	if (edits_header_ops(edits, s, m->arena, &ops, &e) < 0 ||
	    edits_new_body(edits, s, m->arena, &ranges, &e) < 0)
		return false;
	STAILQ_FOREACH (op, &ops, next)
		mta_do(m, op);
	while ((piece = edit_cursor_peek(&c, &ranges, s)).n > 0) {
		(void)buf_add_str(&body, piece);
		edit_cursor_skip(&c, piece.n);
	}
	if (edits_change_body(edits))
		m->body = buf_str(&body);
	else
		must(pn_str_eq(m->body, buf_str(&body)));
	mta_write(m, out);
	buf_fini(&body);
	return true;
}

#endif
