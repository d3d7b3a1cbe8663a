/*
 * milter_message - a message as a milter's changes leave it, in a spool of its
 * own: the next milter reads it, and the next hop gets it. Called by milters.c
 * when a milter has answered the end of the message.
 *
 * Changes are done in their order, as Postfix does them: the n-th field of a
 * name is counted in the header as it stands at that moment. Positions are
 * counted from 0 with the Received field in front that an MTA would have put
 * there by now: a milter that signs inserts at 1, behind it. We have none, so
 * 0 and 1 both mean the top, in the order in which an MTA would have them.
 */
#include "engine/milter_talk.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "mail/field.h"

#define FIELDS_MAX 50000 /* of a header that is changed */
#define WORK_MAX 10000000 /* fields that are looked at for all changes: less
			     than a second, in which nobody else is served */

/* ---- text to lines ---- */

static int
end_line(struct milter_lines *l, struct error *e)
{
	l->cr = l->mid = false;
	return spool_append(l->to, PN_STR_V("\r\n"), e);
}

static int
add_run(struct milter_lines *l, struct pn_str run, struct error *e)
{
	if (run.n == 0)
		return 0;
	if (!l->mid && run.p[0] == '.')
		spool_set_dotted(l->to);
	l->mid = true;
	return spool_append(l->to, run, e);
}

int
milter_lines_add(struct milter_lines *l, struct pn_str text, struct error *e)
{
	while (text.n > 0) {
		size_t n = 0;

		if (l->cr && text.p[0] != '\n' && end_line(l, e) < 0)
			return -1;
		while (n < text.n && text.p[n] != '\r' && text.p[n] != '\n')
			n++;
		if (add_run(l, pn_str_sub(text, 0, n), e) < 0)
			return -1;
		if (n < text.n && text.p[n] == '\r')
			l->cr = true;
		else if (n < text.n && end_line(l, e) < 0)
			return -1;
		text = pn_str_sub(text, n + 1, text.n);
	}
	return 0;
}

int
milter_lines_end(struct milter_lines *l, struct error *e)
{
	return l->cr || l->mid ? end_line(l, e) : 0;
}

/* ---- the header ---- */

/* A field: where it lies, or the text that takes its place. */
struct entry {
	size_t start, end;
	char *text; /* NULL: from the spool */
	size_t text_n;
	char name[FIELD_NAME_MAX];
	size_t name_n;
};

struct header {
	struct entry *v; /* [n]; the first stands for the MTA's own Received */
	size_t n, room;
	size_t end; /* of the header, in the spool */
	size_t work;
};

static struct entry *
insert(struct header *h, size_t at)
{
	if (h->n == h->room) {
		h->room = h->room ? 2 * h->room : 64;
		h->v = xrealloc(h->v, h->room * sizeof(*h->v));
	}
	memmove(&h->v[at + 1], &h->v[at], (h->n - at) * sizeof(*h->v));
	h->n++;
	h->v[at] = (struct entry){ 0 };
	return &h->v[at];
}

static int
read_header(struct header *h, struct spool *s, struct error *e)
{
	struct field f = { .start = 0 };

	(void)insert(h, 0);
	while (field_read(s, &f)) {
		struct entry *new = insert(h, h->n);

		if (h->n > FIELDS_MAX)
			return error_set(e, "the header has more than %d "
			    "fields", FIELDS_MAX);
		new->start = f.start;
		new->end = f.end;
		new->name_n = f.name_n;
		memcpy(new->name, f.name, sizeof(f.name));
		f.start = f.end;
	}
	h->end = f.start;
	return 0;
}

static void
header_fini(struct header *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->v[i].text);
	free(h->v);
}

/* Each line behind the first must begin with a blank: else it would be
 * another field, or the end of the header. */
static void
add_value(struct buf *b, struct pn_str value)
{
	for (size_t i = 0; i < value.n; i++) {
		bool crlf = value.p[i] == '\r' && i + 1 < value.n &&
		    value.p[i + 1] == '\n';

		if (value.p[i] != '\r' && value.p[i] != '\n') {
			(void)buf_add(b, &value.p[i], 1); /* no cap */
			continue;
		}
		i += crlf;
		(void)buf_puts(b, "\r\n");
		if (i + 1 == value.n ||
		    (value.p[i + 1] != ' ' && value.p[i + 1] != '\t'))
			(void)buf_puts(b, "\t");
	}
}

bool
milter_is_field_name(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ':')
			return false;
	return s.n > 0;
}

static void
write_field(struct entry *to, const struct milter_change *c,
    bool leading_space)
{
	struct buf b = { 0 };
	struct pn_str value = c->value;

	while (value.n > 0 && strchr("\r\n", value.p[value.n - 1]) != NULL)
		value.n--;
	(void)buf_add_str(&b, c->name);
	(void)buf_puts(&b, leading_space ? ":" : ": ");
	add_value(&b, value);
	(void)buf_puts(&b, "\r\n");
	free(to->text);
	to->text = xstrndup(buf_str(&b));
	to->text_n = buf_len(&b);
	to->name_n = c->name.n;
	memcpy(to->name, c->name.p,
	    c->name.n < sizeof(to->name) ? c->name.n : sizeof(to->name));
	buf_fini(&b);
}

static bool
is_named(const struct entry *v, struct pn_str name)
{
	return v->name_n <= sizeof(v->name) &&
	    pn_str_caseeq((struct pn_str){ v->name, v->name_n }, name);
}

/* The nth (from 1) of that name, or h->n. The MTA's own has no name here. */
static size_t
find(const struct header *h, struct pn_str name, uint32_t nth)
{
	size_t i;

	for (i = 0; i < h->n; i++)
		if (is_named(&h->v[i], name) && nth-- <= 1)
			break;
	return i;
}

static void
delete(struct header *h, size_t at)
{
	if (at == h->n)
		return;
	free(h->v[at].text);
	h->n--;
	memmove(&h->v[at], &h->v[at + 1], (h->n - at) * sizeof(*h->v));
}

/* 0 is the first, as in Sendmail; one that is not there is added. */
static void
change(struct header *h, const struct milter_change *c, bool leading_space)
{
	size_t at = find(h, c->name, c->index == 0 ? 1 : c->index);

	if (c->value.n == 0) {
		delete(h, at);
		return;
	}
	if (at == h->n)
		(void)insert(h, at);
	write_field(&h->v[at], c, leading_space);
}

static int
do_change(struct header *h, const struct milter_change *c, bool leading_space,
    struct error *e)
{
	size_t at = c->index < h->n ? c->index : h->n;

	h->work += h->n;
	if (h->work > WORK_MAX)
		return error_set(e, "its changes of the header have no end");

	switch (c->what) {
	case MILTER_ADD_HEADER:
		write_field(insert(h, h->n), c, leading_space);
		break;
	case MILTER_INSERT_HEADER:
		write_field(insert(h, at), c, leading_space);
		break;
	case MILTER_CHANGE_HEADER:
		change(h, c, leading_space);
		break;
	default: /* of the envelope */
		break;
	}
	return 0;
}

/* ---- writing ---- */

static int
copy(struct spool *to, struct spool *from, size_t at, size_t end,
    struct error *e)
{
	struct pn_str piece;

	for (; at < end; at += piece.n) {
		piece = pn_str_sub(spool_at(from, at), 0, end - at);
		if (piece.n == 0)
			return error_set(e, "spool: cannot be read");
		if (spool_append(to, piece, e) < 0)
			return -1;
	}
	return 0;
}

static int
write_entry(struct spool *to, struct spool *from, const struct entry *v,
    struct error *e)
{
	if (v->text == NULL)
		return copy(to, from, v->start, v->end, e);
	if (v->text[0] == '.')
		spool_set_dotted(to);
	return spool_append(to, (struct pn_str){ v->text, v->text_n }, e);
}

/* A last field without a line end, or a body without a header whose first
 * line would become the rest of a field of ours. */
static bool
needs_line_end(struct spool *from, const struct header *h)
{
	int c = field_byte(from, h->end);

	if (h->end > 0)
		return field_byte(from, h->end - 1) != '\n';
	return h->n > 1 && (c == ' ' || c == '\t');
}

static int
write_all(struct spool *to, struct spool *from, const struct header *h,
    struct spool *body, struct error *e)
{
	bool late = needs_line_end(from, h);

	for (size_t i = 0; i < h->n; i++) {
		if (write_entry(to, from, &h->v[i], e) < 0)
			return -1;
		if (late && h->v[i].end == h->end && h->end > 0 &&
		    h->v[i].text == NULL &&
		    spool_append(to, PN_STR_V("\r\n"), e) < 0)
			return -1;
	}
	if (body != NULL)
		return spool_append(to, PN_STR_V("\r\n"), e) < 0 ? -1
		    : copy(to, body, 0, spool_size(body), e);
	if (late && h->end == 0 && spool_append(to, PN_STR_V("\r\n"), e) < 0)
		return -1;
	return copy(to, from, h->end, spool_size(from), e);
}

struct spool *
milter_message(struct spool *from, const struct milter_changes *changes,
    struct spool *body, bool leading_space, struct error *e)
{
	struct spool *to = spool_like(from);
	const struct milter_change *c;
	struct header h = { 0 };
	int done = read_header(&h, from, e);

	if (spool_dotted(from) || (body != NULL && spool_dotted(body)))
		spool_set_dotted(to);
	STAILQ_FOREACH (c, changes, next)
		if (done == 0)
			done = do_change(&h, c, leading_space, e);
	if (done == 0)
		done = write_all(to, from, &h, body, e);
	header_fini(&h);
	if (done == 0)
		return to;
	spool_free(to);
	return NULL;
}
