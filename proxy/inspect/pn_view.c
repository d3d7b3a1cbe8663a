/* pn_view - the message as .inspect hooks see it, and the facts they give of
 * its parts and addresses: see filter.h for what each pn_* promises. */
#include "inspect/host_inside.h"
#include "inspect/mailbox.h"
#include "inspect/part.h"
#include "inspect/urls.h"
#include "mail/pn_mail.h"

/* ---- the view, for modules ---- */

struct pn_str
pn_raw(struct pn_mail *m)
{
	const struct view *v = host_view(m);

	return v ? v->raw : PN_STR_V("");
}

struct pn_str
host_field_text(struct view *v, struct header_field *f)
{
	bool unknown = false;

	if (f->text.p == NULL) {
		f->text = header_decode(header_unfold(f->body, v->arena),
		    v->arena, &unknown);
		if (unknown)
			v->defects |= PN_DEFECT_CHARSET;
	}
	return f->text;
}

struct header_field *
host_field(struct view *v, struct pn_str name, unsigned nth)
{
	struct header *h = &v->header;

	for (size_t i = 0; i < h->n; i++)
		if (pn_str_caseeq(h->fields[i].name, name) && nth-- == 0)
			return &h->fields[i];
	return NULL;
}

bool
pn_header(struct pn_mail *m, struct pn_str name, unsigned nth,
    struct pn_str *value)
{
	struct view *v = host_view(m);
	struct header_field *f = v ? host_field(v, name, nth) : NULL;

	if (f != NULL)
		*value = host_field_text(v, f);
	return f != NULL;
}

bool
pn_header_raw(struct pn_mail *m, struct pn_str name, unsigned nth,
    struct pn_str *value)
{
	struct view *v = host_view(m);
	const struct header_field *f = v ? host_field(v, name, nth) : NULL;

	if (f != NULL)
		*value = f->body;
	return f != NULL;
}

/* Asked for one after the other, each is found where the last one ended. */
bool
pn_mailbox(struct pn_mail *m, struct pn_str field, unsigned nth,
    struct pn_str *display, struct pn_str *local, struct pn_str *domain)
{
	struct view *v = host_view(m);
	struct mailbox b;

	if (v == NULL)
		return false;
	if (v->mailbox.field.p != field.p || v->mailbox.field.n != field.n ||
	    v->mailbox.nth > nth) {
		v->mailbox.field = field;
		v->mailbox.nth = 0;
		v->mailbox.at = 0;
	}
	do {
		if (!mailbox_next(field, &v->mailbox.at, &b, v->arena))
			return false;
	} while (v->mailbox.nth++ < nth);
	*display = b.display;
	*local = b.local;
	*domain = b.domain;
	return true;
}

struct pn_part *
pn_first_part(struct pn_mail *m)
{
	struct view *v = host_view(m);

	return v ? v->first : NULL;
}

struct pn_part *
pn_next_part(struct pn_mail *m, struct pn_part *p)
{
	(void)m; /* the part knows its place */
	return p->next;
}

unsigned
pn_part_depth(struct pn_part *p)
{
	return p->depth;
}

bool
pn_part_is_container(struct pn_part *p)
{
	return p->container;
}

bool
pn_part_is_member(struct pn_part *p)
{
	return p->member;
}

bool
pn_part_name(struct pn_part *p, unsigned nth, struct pn_str *name)
{
	if (nth < p->n_names)
		*name = p->names[nth];
	return nth < p->n_names;
}

struct pn_str
pn_part_path(struct pn_part *p)
{
	return p->path;
}

struct pn_str
pn_part_type(struct pn_part *p)
{
	return p->type;
}

struct pn_str
pn_part_magic(struct pn_part *p)
{
	return pn_str_of(p->magic);
}

struct pn_str
pn_part_head(struct pn_part *p, size_t n)
{
	return view_head(p, n);
}

uint64_t
pn_part_size(struct pn_part *p)
{
	return view_size(p);
}

unsigned
pn_part_flags(struct pn_part *p)
{
	return p->flags;
}

unsigned
pn_mime_defects(struct pn_mail *m)
{
	const struct view *v = host_view(m);

	return v ? v->defects : 0;
}

bool
pn_wanted(struct pn_mail *m, const char *name)
{
	const struct chain_fact *f = pn_mail_declared(m, name);

	if (f != NULL)
		return f->wanted;
	for (unsigned i = 0; i < THINGS; i++)
		if (strcmp(thing_names[i], name) == 0)
			return m->chain->wanted[i];
	return false;
}

static void
give_of(struct pn_mail *m, enum thing kind, uint32_t number, const char *name,
    struct value v)
{
	const struct chain_fact *f = pn_mail_declared(m, name);

	if (f != NULL && f->of_thing && f->thing != kind)
		m->dropped++;
	else
		pn_mail_give(m, number, name, &v);
}

static void
give_of_part(struct pn_part *p, const char *name, struct value v)
{
	give_of(p->view->mail, THING_PART, p->number, name, v);
}

void
pn_part_fact(struct pn_part *p, const char *name, enum pn_bool b)
{
	give_of_part(p, name, pn_value_bool(b));
}

void
pn_part_fact_str(struct pn_part *p, const char *name, struct pn_str s)
{
	give_of_part(p, name, pn_value_str(s));
}

void
pn_part_fact_number(struct pn_part *p, const char *name, int64_t n)
{
	give_of_part(p, name, pn_value_number(n));
}

void
pn_part_fact_word(struct pn_part *p, const char *name, const char *word)
{
	give_of_part(p, name, pn_value_word(word));
}

void
pn_part_fact_unknown(struct pn_part *p, const char *name)
{
	give_of_part(p, name, pn_value_unknown());
}

/* ---- texts and addresses, for modules ---- */

static bool
nth_text(struct pn_mail *m, unsigned nth, struct pn_str *out, bool *more,
    texts_nth *get)
{
	struct view *v = host_view(m);
	const struct texts *all = v != NULL ? view_texts(v) : NULL;
	struct pn_str s = all != NULL ? get(all, nth) : PN_STR_V("");

	if (more != NULL)
		*more = all != NULL && all->cut;
	if (all == NULL || s.p == NULL)
		return false;
	*out = s;
	return true;
}

bool
pn_text(struct pn_mail *m, unsigned nth, struct pn_str *out, bool *more)
{
	return nth_text(m, nth, out, more, texts_seen);
}

bool
pn_html(struct pn_mail *m, unsigned nth, struct pn_str *out, bool *more)
{
	return nth_text(m, nth, out, more, texts_source);
}

bool
pn_hidden(struct pn_mail *m, unsigned nth, struct pn_str *out, bool *more)
{
	return nth_text(m, nth, out, more, texts_hidden);
}

uint64_t
pn_invisible(struct pn_mail *m)
{
	struct view *v = host_view(m);

	return v != NULL ? view_texts(v)->invisible : 0;
}

struct pn_url *
pn_first_url(struct pn_mail *m)
{
	struct view *v = host_view(m);

	return v != NULL ? view_urls(v)->first : NULL;
}

struct pn_url *
pn_next_url(struct pn_mail *m, struct pn_url *u)
{
	(void)m; /* it knows its place */
	return u->next;
}

bool
pn_more_urls(struct pn_mail *m)
{
	struct view *v = host_view(m);

	return v != NULL && view_urls(v)->cut;
}

struct pn_str
pn_url_scheme(struct pn_url *u)
{
	return u->url.scheme;
}

struct pn_str
pn_url_host(struct pn_url *u)
{
	return u->url.host;
}

struct pn_str
pn_url_domain(struct pn_url *u)
{
	return u->url.domain;
}

struct pn_str
pn_url_path(struct pn_url *u)
{
	return u->url.path;
}

struct pn_str
pn_url_query(struct pn_url *u)
{
	return u->url.query;
}

struct pn_str
pn_url_whole(struct pn_url *u)
{
	return u->url.whole;
}

struct pn_str
pn_url_text(struct pn_url *u)
{
	return u->text;
}

const char *
pn_url_kind(struct pn_url *u)
{
	static const char *const words[] = { [HTML_LINK] = "link",
		[HTML_IMAGE] = "image", [HTML_FORM] = "form",
		[HTML_REFRESH] = "refresh", [HTML_OTHER] = "other",
		[URL_TEXT] = "text" };

	return words[u->kind];
}

unsigned
pn_url_flags(struct pn_url *u)
{
	return (u->url.ip ? PN_URL_IP : 0u) | (u->url.user ? PN_URL_USER : 0u) |
	       (u->mismatch ? PN_URL_MISLEADS : 0u);
}

void
pn_url_fact(struct pn_mail *m, struct pn_url *u, const char *name,
    enum pn_bool b)
{
	give_of(m, THING_URL, u->number, name, pn_value_bool(b));
}

void
pn_url_fact_str(struct pn_mail *m, struct pn_url *u, const char *name,
    struct pn_str s)
{
	give_of(m, THING_URL, u->number, name, pn_value_str(s));
}

void
pn_url_fact_number(struct pn_mail *m, struct pn_url *u, const char *name,
    int64_t n)
{
	give_of(m, THING_URL, u->number, name, pn_value_number(n));
}

void
pn_url_fact_word(struct pn_mail *m, struct pn_url *u, const char *name,
    const char *word)
{
	give_of(m, THING_URL, u->number, name, pn_value_word(word));
}
