/*
 * edit_ops - what edits make of a header, as operations of the milter protocol.
 * See edits.h. An MTA counts the fields of a name: what is done from the last
 * one upward moves none that is still to be counted.
 */
#include "mail/edit_header.h"

struct collector {
	struct arena *arena;
	struct spool *spool;
	struct edit_ops in_front, fields, at_end;
	bool behind; /* the fields: what is new stands at the end */
	bool failed;
};

/* The field's value as it is: the spool may have it in pieces. */
static void
put_value(struct buf *b, struct spool *s, const struct field *f)
{
	struct pn_str piece;

	for (size_t at = f->colon; at < f->end; at += piece.n) {
		piece = pn_str_sub(spool_at(s, at), 0, f->end - at);
		if (piece.n == 0)
			break; /* not to be read: resolving says so */
		(void)buf_add_str(b, piece);
	}
}

/* In the arena with LF for CRLF and without the last line end. */
static struct pn_str
folded_with_lf(struct arena *a, struct pn_str s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	if (out == NULL)
		return (struct pn_str){ NULL, 0 };
	if (pn_str_ends(s, PN_STR_V("\n")))
		s.n--;
	if (pn_str_ends(s, PN_STR_V("\r")))
		s.n--;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\r' || i + 1 == s.n || s.p[i + 1] != '\n')
			out[n++] = s.p[i];
	out[n] = '\0';
	return (struct pn_str){ out, n };
}

static struct edit_op *
op_new(struct collector *c, enum edit_op_kind kind, struct pn_str name,
    struct pn_str value)
{
	struct edit_op *op = arena_alloc(c->arena, sizeof(*op));

	if (op == NULL)
		return NULL;
	op->kind = kind;
	op->name = arena_str(c->arena, name);
	op->value = folded_with_lf(c->arena, value);
	return op->name.p == NULL || op->value.p == NULL ? NULL : op;
}

/* "Name: value": the text of a whole field, behind its colon. */
static struct pn_str
value_of(const struct header_change *change)
{
	return pn_str_sub(change->text, change->name.n + 1, SIZE_MAX);
}

static struct edit_op *
field_op(struct collector *c, const struct header_change *change)
{
	const struct field *f = change->field;
	struct pn_str name = { f->name, f->name_n };
	struct buf value = { 0 };
	struct edit_op *op;

	if (change->gone)
		return change->text.n == 0
			   ? op_new(c, EDIT_OP_DELETE, name, PN_STR_V(""))
			   : op_new(c, EDIT_OP_CHANGE, change->name,
				 value_of(change));
	(void)buf_add_str(&value, change->text); /* no cap */
	put_value(&value, c->spool, f);
	op = op_new(c, EDIT_OP_CHANGE, name, buf_str(&value));
	buf_fini(&value);
	return op;
}

static void
take(void *arg, const struct header_change *change)
{
	struct collector *c = arg;
	struct edit_op *op;

	if (change->field != NULL)
		op = field_op(c, change);
	else
		op = op_new(c, c->behind ? EDIT_OP_ADD : EDIT_OP_INSERT,
		    change->name, value_of(change));
	if (op == NULL) {
		c->failed = true;
		return;
	}
	op->nth = change->nth;
	if (change->field != NULL)
		STAILQ_INSERT_HEAD(&c->fields, op, next);
	else if (c->behind)
		STAILQ_INSERT_TAIL(&c->at_end, op, next);
	else
		STAILQ_INSERT_HEAD(&c->in_front, op, next);
}

int
edits_header_ops(const struct edits *edits, struct spool *s, struct arena *a,
    struct edit_ops *out, struct error *e)
{
	struct collector c = { .arena = a,
		.spool = s,
		.in_front = STAILQ_HEAD_INITIALIZER(c.in_front),
		.fields = STAILQ_HEAD_INITIALIZER(c.fields),
		.at_end = STAILQ_HEAD_INITIALIZER(c.at_end) };
	struct header_walk w = { .edits = edits,
		.spool = s,
		.take = take,
		.arg = &c };

	STAILQ_INIT(out);
	if (header_walk_init(&w, a) < 0)
		return error_set(e, "edits: out of memory for this mail");
	header_walk_front(&w);
	(void)header_walk_fields(&w);
	c.behind = true;
	header_walk_end(&w);
	header_walk_fini(&w);
	STAILQ_CONCAT(out, &c.fields);
	STAILQ_CONCAT(out, &c.in_front);
	STAILQ_CONCAT(out, &c.at_end);
	return c.failed ? error_set(e, "edits: out of memory for this mail") : 0;
}
