/*
 * strip - parts are taken out: the bytes of each one's MIME entity, as the
 * inspector found it in the message, are replaced by a text/plain entity that
 * carries the rule's note. RFC 2045, 2046 5.1.
 *
 * Called by effects.c. What is not raw in the message (a member of an archive,
 * an attachment of an encoded message) goes with the innermost entity around it
 * that is. Where readers may differ in what the message is, where a part lies
 * is unknown, or ranges cross, taking something out would be a guess: such a
 * message is held, class "failed", and a note in the trace says why.
 *
 * The inspector saw what came; where milters have changed the header since,
 * what goes on has the same bytes elsewhere. Of another body nothing is known.
 */
#include "engine/run.h"

#include "mail/field.h"

#define LINE_WIDTH 72
#define DEFAULT_NOTE "A part of this message was removed."

/* One piece to take out. */
struct piece {
	STAILQ_ENTRY(piece) next;
	size_t from, end;
	bool block;	  /* lines of a text, no entity */
	struct buf notes; /* lines, LF at the end of each */
};
STAILQ_HEAD(pieces, piece);

/* ---- which bytes ---- */

static bool
has_line(const struct buf *b, struct pn_str line)
{
	struct pn_str rest = buf_str((struct buf *)b);

	while (rest.n > 0) {
		const char *lf = memchr(rest.p, '\n', rest.n);
		size_t n = lf ? (size_t)(lf - rest.p) : rest.n;

		if (pn_str_eq(pn_str_sub(rest, 0, n), line))
			return true;
		rest = pn_str_sub(rest, n + 1, rest.n);
	}
	return false;
}

static void
add_note(struct piece *p, struct pn_str note)
{
	if (note.n == 0)
		note = PN_STR_V(DEFAULT_NOTE);
	if (has_line(&p->notes, note))
		return;
	(void)buf_add_str(&p->notes, note); /* no cap: in the arena already */
	(void)buf_add(&p->notes, "\n", 1);
}

/* Everything about `from` is about `to` as well. */
static void
swallow(struct piece *to, struct piece *from)
{
	struct pn_str rest = buf_str(&from->notes);

	while (rest.n > 0) {
		size_t n = (size_t)((const char *)memchr(rest.p, '\n', rest.n) -
				    rest.p);

		add_note(to, pn_str_sub(rest, 0, n));
		rest = pn_str_sub(rest, n + 1, rest.n);
	}
	buf_fini(&from->notes);
}

/* Disjoint pieces stay; of two that lie in each other the outer one does.
 * False: they cross. */
static bool
add_piece(struct pieces *all, struct piece *p)
{
	struct piece *other, *next;

	for (other = STAILQ_FIRST(all); other != NULL; other = next) {
		next = STAILQ_NEXT(other, next);
		if (p->from >= other->end || other->from >= p->end)
			continue;
		if (p->from >= other->from && p->end <= other->end) {
			swallow(other, p);
			return true;
		}
		if (other->from < p->from || other->end > p->end) {
			buf_fini(&p->notes);
			return false;
		}
		STAILQ_REMOVE(all, other, piece, next);
		swallow(p, other);
	}
	STAILQ_INSERT_TAIL(all, p, next);
	return true;
}

/* NULL: *why says what is in the way. */
static struct piece *
find_piece(
    const struct transaction *t, const struct rules_effect *e, const char **why)
{
	const struct findings *f = &t->past->findings;
	const struct fact_things *parts = &f->things[THING_PART];
	const struct fact_thing *part;
	struct piece *p;

	*why = "it is not known where the part lies";
	if (e->thing >= parts->n || (part = &parts->v[e->thing])->size == 0)
		return NULL;
	*why = "readers may differ in what the message is";
	if ((part->flags & THING_AMBIGUOUS) ||
	    (f->defects & (PN_DEFECT_AMBIGUOUS | PN_DEFECT_BROKEN)))
		return NULL;
	*why = "out of memory for this mail";
	if ((p = arena_alloc(t->arena, sizeof(*p))) == NULL)
		return NULL;
	p->from = part->from;
	p->end = (size_t)part->from + part->size;
	p->block = part->flags & THING_BLOCK;
	add_note(p, e->text);
	return p;
}

/* ---- what stands there instead ---- */

/* May it stand as it is? A dot that begins a line does not: nothing that
 * follows has to stuff it. Nor a blank that ends one. */
static bool
is_plain(struct pn_str text, size_t i, size_t used)
{
	char c = text.p[i];

	if (c == ' ')
		return i + 1 < text.n && text.p[i + 1] != '\n';
	return c > ' ' && c < 127 && c != '=' && (c != '.' || used > 0);
}

/* RFC 2045 6.7. */
static void
quoted_printable(struct buf *b, struct pn_str text)
{
	size_t used = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n') {
			(void)buf_puts(b, "\r\n");
			used = 0;
			continue;
		}
		if (used + 3 > LINE_WIDTH) {
			(void)buf_puts(b, "=\r\n");
			used = 0;
		}
		if (is_plain(text, i, used)) {
			(void)buf_add(b, &text.p[i], 1);
			used++;
		} else {
			(void)buf_printf(b, "=%02X", (unsigned char)text.p[i]);
			used += 3;
		}
	}
}

/* Lines in somebody's text, whose charset is not known here: ASCII. */
static void
plain_lines(struct buf *b, struct pn_str text)
{
	size_t used = 1;

	(void)buf_puts(b, "[");
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\n' || (c == ' ' && used > LINE_WIDTH)) {
			(void)buf_puts(b, "\r\n ");
			used = 1;
		} else if ((unsigned char)c >= ' ' && (unsigned char)c < 127) {
			(void)buf_add(b, &c, 1);
			used++;
		} else if (((unsigned char)c & 0xc0) != 0x80) {
			(void)buf_puts(b, "?");
			used++;
		}
	}
	(void)buf_puts(b, "]\r\n");
}

/* The header becomes that of a text. */
static int
replace_message(struct transaction *t, struct pn_str note)
{
	static const struct {
		enum edit_kind kind;
		struct pn_str name, value;
	} edits[] = {
		{ EDIT_HEADER_SET, PN_STR("MIME-Version"), PN_STR("1.0") },
		{ EDIT_HEADER_SET, PN_STR("Content-Type"),
		    PN_STR("text/plain; charset=utf-8") },
		{ EDIT_HEADER_SET, PN_STR("Content-Transfer-Encoding"),
		    PN_STR("quoted-printable") },
		{ EDIT_HEADER_REMOVE, PN_STR("Content-Disposition"),
		    PN_STR("") },
		{ EDIT_HEADER_REMOVE, PN_STR("Content-Description"),
		    PN_STR("") },
	};
	struct buf b = { 0 };
	int done = 0;

	for (size_t i = 0; i < PN_COUNT(edits); i++)
		done |= edits_add(&t->edits, t->arena, edits[i].kind,
		    edits[i].name, edits[i].value);
	quoted_printable(&b, note);
	(void)buf_puts(&b, "\r\n");
	done |= edits_add_body(&t->edits, t->arena, buf_str(&b));
	buf_fini(&b);
	return done;
}

static bool
is_whole(const struct transaction *t, const struct piece *p)
{
	return p->from == 0 && p->end == spool_size(t->spool);
}

static int
replace(struct transaction *t, const struct piece *p)
{
	struct pn_str note = buf_str((struct buf *)&p->notes);
	struct buf b = { 0 };
	int done;

	note.n--; /* the last line's end */
	if (is_whole(t, p))
		return replace_message(t, note);
	if (p->block) {
		plain_lines(&b, note);
	} else {
		(void)buf_puts(&b,
		    "Content-Type: text/plain; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n"
		    "Content-Disposition: inline\r\n\r\n");
		quoted_printable(&b, note);
	}
	done = edits_add_range(
	    &t->edits, t->arena, p->from, p->end - p->from, buf_str(&b));
	buf_fini(&b);
	return done;
}

/* ---- where milters were at work ---- */

/* The same bytes from there to the end? */
static bool
same_rest(struct spool *a, size_t at_a, struct spool *b, size_t at_b)
{
	while (at_a < spool_size(a)) {
		struct pn_str x = spool_at(a, at_a), y = spool_at(b, at_b);
		size_t n = x.n < y.n ? x.n : y.n;

		if (n == 0 || memcmp(x.p, y.p, n) != 0)
			return false;
		at_a += n;
		at_b += n;
	}
	return at_b == spool_size(b);
}

/* From offsets in what came to those in what goes on. False: there are none. */
static bool
move_pieces(const struct transaction *t, const struct pieces *pieces,
    const char **why)
{
	size_t old = field_header_end(t->spool);
	size_t new = field_header_end(t->changed);
	bool same = same_rest(t->spool, old, t->changed, new);
	struct piece *p;

	STAILQ_FOREACH (p, pieces, next) {
		if (is_whole(t, p))
			continue;
		*why = same ? "parts to remove lie in the header"
			    : "a milter has changed the body";
		if (!same || p->from < old)
			return false;
		p->from = p->from - old + new;
		p->end = p->end - old + new;
	}
	return true;
}

/* ---- all of a message ---- */

static int
hold(struct transaction *t, const struct rules_effect *e, const char *why)
{
	struct verdict v = { .action = VERDICT_QUARANTINE,
		.order = e->order,
		.rule = e->rule,
		.class_name = PN_STR("failed") };
	char *note = arena_printf(
	    t->arena, "%.*s cannot strip: %s", PN_STR_ARG(e->rule), why);

	verdict_join(&t->verdict, &v);
	return note == NULL ? -1 : effects_note(t, pn_str_of(note));
}

struct stripping {
	struct pieces pieces;
	const struct rules_effect *last, *failed;
	const char *why;
};

static int
gather(struct transaction *t, const struct rules_effect *e, void *arg)
{
	struct stripping *s = arg;
	struct piece *p;

	if (e->action != RULES_STRIP || s->failed != NULL)
		return 0;
	s->last = e;
	p = find_piece(t, e, &s->why);
	if (p != NULL && add_piece(&s->pieces, p))
		return 0;
	if (p != NULL)
		s->why = "parts to remove lie across each other";
	s->failed = e;
	return 0;
}

/* The worker reads no MIME, but knows where the header ends; the inspector's
 * word is not taken for it. */
static void
try_edits(struct transaction *t, struct stripping *s)
{
	struct edit_ranges ranges;
	struct error e;

	if (edits_resolve(&t->edits, transaction_message(t), t->arena, &ranges,
		&e) == 0)
		return;
	s->failed = s->last;
	s->why = "parts to remove lie in the header or across each other";
}

int
strip_message(struct transaction *t)
{
	struct stripping s = { .pieces = STAILQ_HEAD_INITIALIZER(s.pieces) };
	struct piece *p;
	int done = effects_walk(t, gather, &s);

	if (done == 0 && s.failed == NULL && !STAILQ_EMPTY(&s.pieces) &&
	    t->changed != NULL && !move_pieces(t, &s.pieces, &s.why))
		s.failed = s.last;
	STAILQ_FOREACH (p, &s.pieces, next) {
		if (done == 0 && s.failed == NULL)
			done = replace(t, p);
		buf_fini(&p->notes);
	}
	if (done == 0 && s.failed == NULL && s.last != NULL)
		try_edits(t, &s);
	if (done == 0 && s.failed != NULL)
		done = hold(t, s.failed, s.why);
	return done < 0 ? -1 : 0;
}
