/* view - see view.h. Parts are made here; mime and archive say which. */
#include <stdio.h>

#include "inspect/part.h"

const struct view_limits view_limits_default = {
	.max_headers = 1000,
	.max_depth = 32,
	.max_parts = 2000,
	.max_archive_depth = 5,
	.max_archive_members = 10000,
	.max_unpacked = 64u << 20,
	.max_unpacked_total = 256u << 20,
	.max_text = 1u << 20,
	.max_text_total = 8u << 20,
	.max_links = 2000,
	.max_urls = 1000,
};

struct view *
view_new(struct pn_str raw, const struct view_limits *limits,
    struct arena *arena)
{
	struct view *v = arena_alloc(arena, sizeof(*v));
	struct place top = { .path = PN_STR("") };

	if (v == NULL)
		return NULL;
	v->raw = raw.p == NULL ? PN_STR_V("") : raw;
	v->limits = *limits;
	v->arena = arena;
	top.entity = v->raw;
	mime_read(v, &top, v->raw);
	return v;
}

bool
view_is_raw(const struct view *v, struct pn_str s)
{
	uintptr_t from = (uintptr_t)v->raw.p, at = (uintptr_t)s.p;

	return at >= from && at - from <= v->raw.n &&
	    s.n <= v->raw.n - (at - from);
}

size_t
view_unpackable(const struct view *v)
{
	return v->limits.max_unpacked_total - v->unpacked;
}

bool
view_may_unpack(struct view *v, size_t n)
{
	if (n > v->limits.max_unpacked || n > view_unpackable(v)) {
		v->defects |= PN_DEFECT_LIMIT;
		return false;
	}
	v->unpacked += n;
	return true;
}

/* What opens a file is how its name ends. */
static struct pn_str
name_end(struct pn_str name)
{
	return pn_str_sub(name, name.n > VIEW_NAME ? name.n - VIEW_NAME : 0,
	    VIEW_NAME);
}

static bool
long_name(const struct param_values *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->v[i].n > VIEW_NAME)
			return true;
	return false;
}

/* container/name; what has no name is called by its number. */
static struct pn_str
path_of(const struct view *v, const struct place *place,
    const struct param_values *names)
{
	char number[32];
	struct pn_str name = names->n > 0 ? name_end(names->v[0]) :
					    PN_STR_V("");
	char *p;

	if (name.n == 0) {
		int n = snprintf(number, sizeof(number), "part-%u", v->n_parts);

		name = (struct pn_str){ number, (size_t)n };
	}
	p = arena_alloc(v->arena, place->path.n + 1 + name.n);
	if (p == NULL)
		return (struct pn_str){ NULL, 0 };
	if (place->path.n == 0) {
		memcpy(p, name.p, name.n);
		return (struct pn_str){ p, name.n };
	}
	memcpy(p, place->path.p, place->path.n);
	p[place->path.n] = '/';
	memcpy(p + place->path.n + 1, name.p, name.n);
	return (struct pn_str){ p, place->path.n + 1 + name.n };
}

struct pn_part *
view_add(struct view *v, const struct place *place,
    const struct param_values *names, struct pn_str type)
{
	struct pn_part *p = NULL;

	if (v->n_parts < v->limits.max_parts)
		p = arena_alloc(v->arena, sizeof(*p));
	if (p != NULL) {
		p->path = path_of(v, place, names);
		p->names = arena_alloc(v->arena,
		    names->n * sizeof(*p->names));
	}
	if (p == NULL || p->path.p == NULL || p->names == NULL) {
		v->defects |= PN_DEFECT_LIMIT;
		return NULL;
	}
	for (size_t i = 0; i < names->n; i++)
		p->names[p->n_names++] = name_end(names->v[i]);
	if (long_name(names)) {
		p->flags |= PN_PART_LIMIT;
		v->defects |= PN_DEFECT_LIMIT;
	}
	p->view = v;
	p->number = v->n_parts++;
	p->depth = place->depth;
	p->entity = place->entity;
	p->lies = place->lies;
	p->type = type;
	p->magic = "";
	if (v->last != NULL)
		v->last->next = p;
	else
		v->first = p;
	v->last = p;
	return p;
}

static struct pn_str
drop_end(struct pn_str s)
{
	while (s.n > 0 && ((unsigned char)s.p[s.n - 1] <= ' ' ||
	    s.p[s.n - 1] == '.'))
		s.n--;
	return s;
}

bool
view_has_ending(const struct pn_part *p, const char *const *endings)
{
	for (size_t i = 0; i < p->n_names; i++) {
		struct pn_str name = drop_end(p->names[i]);

		for (const char *const *e = endings; *e != NULL; e++) {
			size_t n = strlen(*e);

			if (name.n > n && pn_str_caseeq(pn_str_sub(name,
				name.n - n, n), (struct pn_str){ *e, n }))
				return true;
		}
	}
	return false;
}

/* Decode at least n bytes of a leaf's head, or all there is. */
static void
read_head(struct pn_part *p, size_t n)
{
	struct view *v = p->view;
	size_t room = decode_room(p->encoding, p->bytes);
	struct decoded d;
	char *out;

	if (n > room)
		n = room;
	if (p->encoding == ENCODING_NONE) {
		p->head = pn_str_sub(p->bytes, 0, n);
		p->head_whole = n == p->bytes.n;
		return;
	}
	out = n <= v->limits.max_unpacked ? arena_alloc(v->arena, n) : NULL;
	if (out == NULL) {
		v->defects |= PN_DEFECT_LIMIT;
		p->flags |= PN_PART_LIMIT;
		return;
	}
	d = decode(p->encoding, p->bytes, out, n);
	p->head = (struct pn_str){ out, d.n };
	p->head_whole = d.used == p->bytes.n;
	if (d.broken) {
		p->flags |= PN_PART_BROKEN;
		v->defects |= PN_DEFECT_BROKEN;
	}
	if (d.resumed) {
		p->flags |= PN_PART_AMBIGUOUS;
		v->defects |= PN_DEFECT_AMBIGUOUS;
	}
}

struct pn_str
view_head(struct pn_part *p, size_t n)
{
	if (n > p->head.n && !p->head_whole && !p->member && !p->container) {
		/* Grow by doubling: asking for ever more stays linear. */
		size_t want = p->head.n == 0 ? VIEW_HEAD : 2 * p->head.n;

		read_head(p, n > want ? n : want);
	}
	return pn_str_sub(p->head, 0, n);
}

uint64_t
view_size(struct pn_part *p)
{
	if (!p->sized) {
		p->size = p->head_whole ? p->head.n :
					  decode_size(p->encoding, p->bytes);
		p->sized = true;
	}
	return p->size;
}
