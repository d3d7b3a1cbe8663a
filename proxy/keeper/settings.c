/* settings - see settings.h. */
#include "keeper/settings.h"

#define DAY_MS 86400000ull
#define LIST_MAX 10000 /* classes, or waits */

static const struct keeper_class *
find(const struct keeper_settings *s, struct pn_str name)
{
	for (size_t i = 0; i < s->n_classes; i++)
		if (pn_str_eq(name, pn_str_of(s->classes[i].name)))
			return &s->classes[i];
	return NULL;
}

const struct keeper_class *
keeper_class_of(const struct keeper_settings *s, struct pn_str name)
{
	static const struct keeper_class otherwise = { .name = "default",
		.keep_ms = 30 * DAY_MS };
	const struct keeper_class *c = find(s, name);

	if (c == NULL)
		c = find(s, PN_STR_V("default"));
	return c ? c : &otherwise;
}

uint64_t
keeper_retry_wait_ms(const struct keeper_settings *s, uint64_t tries)
{
	uint64_t i = tries > 0 ? tries - 1 : 0;

	return s->release_retry_ms[i < s->n_release_retry ?
	    i : s->n_release_retry - 1];
}

void
keeper_settings_pack(const struct keeper_settings *s, struct buf *b)
{
	pack_u32(b, s->history_days);
	pack_u64(b, s->history_size);
	pack_u8(b, s->history_text);
	pack_u64(b, s->release_life_ms);
	pack_u32(b, (uint32_t)s->n_release_retry);
	for (size_t i = 0; i < s->n_release_retry; i++)
		pack_u64(b, s->release_retry_ms[i]);
	pack_u32(b, (uint32_t)s->n_classes);
	for (size_t i = 0; i < s->n_classes; i++) {
		pack_str(b, pn_str_of(s->classes[i].name));
		pack_u64(b, s->classes[i].keep_ms);
		pack_u64(b, s->classes[i].quota);
		pack_u8(b, s->classes[i].drop_oldest);
	}
}

/* Room for as many as the message says, or its failure. */
static void *
array(struct unpack *u, struct arena *a, size_t *n, size_t size)
{
	void *room = NULL;

	*n = unpack_u32(u);
	if (*n <= LIST_MAX)
		room = arena_alloc(a, (*n + 1) * size);
	if (room == NULL) {
		unpack_fail(u);
		*n = 0;
	}
	return room;
}

static void
unpack_class(struct keeper_class *c, struct unpack *u, struct arena *a)
{
	c->name = arena_str(a, unpack_str(u)).p;
	c->keep_ms = unpack_u64(u);
	c->quota = unpack_u64(u);
	c->drop_oldest = unpack_u8(u) != 0;
	if (c->name == NULL)
		unpack_fail(u);
}

bool
keeper_settings_unpack(struct keeper_settings *s, struct unpack *u,
    struct arena *a)
{
	uint64_t *waits;
	struct keeper_class *classes;

	s->history_days = unpack_u32(u);
	s->history_size = unpack_u64(u);
	s->history_text = unpack_u8(u) != 0;
	s->release_life_ms = unpack_u64(u);
	s->release_retry_ms = waits = array(u, a, &s->n_release_retry,
	    sizeof(*waits));
	for (size_t i = 0; i < s->n_release_retry; i++)
		waits[i] = unpack_u64(u);
	s->classes = classes = array(u, a, &s->n_classes, sizeof(*classes));
	for (size_t i = 0; i < s->n_classes; i++)
		unpack_class(&classes[i], u, a);
	if (s->n_release_retry == 0)
		unpack_fail(u);
	return unpack_done(u);
}
