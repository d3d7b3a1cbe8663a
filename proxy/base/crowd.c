/*
 * crowd - see crowd.h.
 *
 * An entry is a cache line. Its first word is what matters: 40 bits that say
 * whose it is, 24 that count; both change in one exchange, so that a count can
 * never go to somebody else's. What is counted by time is a word a kind, the
 * window's beginning and the count: where two workers meet in the moment one
 * of the crowd makes room for another, a count of it may be one off.
 */
#include "base/crowd.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/must.h"

#define SETS (CROWD_ROOM / CROWD_WAYS)
#define TAG_SHIFT 24
#define COUNT_MAX ((1u << TAG_SHIFT) - 1)
#define NOBODY (CROWD_ROOM + 1u)
#define TRIES 16 /* others were quicker that often: let it be */

struct entry {
	_Alignas(64) _Atomic uint64_t who; /* tag, count; 0: free */
	_Atomic uint32_t seen_s;
	_Atomic uint64_t rates[CROWD_RATES]; /* since when, how many */
};
_Static_assert(sizeof(struct entry) == 64, "a cache line");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "shared between processes");

struct crowd {
	uint64_t key[2];
	_Atomic uint32_t all;
	struct entry entries[CROWD_ROOM];
};

/* What a worker holds, one word each: the tag and the entry. There before the
 * count is, and until it is no more: a death in between leaves one too few. */
struct places {
	_Atomic uint32_t used; /* of held: no more was ever taken */
	_Atomic uint64_t held[]; /* 0: free */
};

struct crowd_seat {
	struct crowd *crowd;
	struct places *places; /* shared with the master */
	unsigned most;
	/* The worker's alone: places that were given back. */
	unsigned *free;
	unsigned n_free, free_room;
};

static size_t
places_size(unsigned most)
{
	return sizeof(struct places) + most * sizeof(uint64_t);
}

static void *
map_shared(size_t n)
{
	void *at = mmap(NULL, n, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(at != MAP_FAILED); /* no memory: as of xcalloc() */
	return at;
}

/* ---- whose ---- */

#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = ROTL(v[1], 13) ^ v[0];
	v[0] = ROTL(v[0], 32);
	v[2] += v[3];
	v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ROTL(v[1], 17) ^ v[2];
	v[2] = ROTL(v[2], 32);
}

/* SipHash-1-3 of at most 255 bytes: an unknown key keeps its places unknown. */
static uint64_t
hash(const uint64_t key[2], const unsigned char *p, size_t n)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u,
		key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
		key[1] ^ 0x7465646279746573u };

	for (size_t i = 0; i <= n; i += 8) {
		uint64_t word = i + 8 > n ? (uint64_t)n << 56 : 0;

		for (size_t k = i; k < n && k < i + 8; k++)
			word |= (uint64_t)p[k] << 8 * (k - i);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t
tag_of(uint64_t who)
{
	return who >> TAG_SHIFT;
}

static unsigned
count_of(uint64_t who)
{
	return (unsigned)(who & COUNT_MAX);
}

/* On a seat: 0 is a free place. */
static uint64_t
held_word(uint32_t at, uint64_t tag)
{
	return tag << TAG_SHIFT | (at + 1);
}

/* ---- entries ---- */

static void
take_back(struct crowd *c, uint32_t at, uint64_t tag)
{
	_Atomic uint64_t *who;
	uint64_t now;

	if (at >= CROWD_ROOM)
		return;
	who = &c->entries[at].who;
	now = atomic_load(who);
	while (tag_of(now) == tag && count_of(now) > 0 &&
	    !atomic_compare_exchange_weak(who, &now, now - 1))
		;
}

/* Lower than what is here is better to lose. */
static uint64_t
worth(const struct entry *e, uint64_t who)
{
	if (who == 0)
		return 0;
	return 1 + atomic_load(&e->seen_s) +
	    (count_of(who) > 0 ? (uint64_t)1 << 33 : 0);
}

/* That one's way in its set; or else the one to put it in, and *who what
 * stands there. */
static struct entry *
look(struct entry *set, uint64_t tag, uint64_t *who)
{
	struct entry *worst = NULL;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < CROWD_WAYS; i++) {
		uint64_t now = atomic_load(&set[i].who);

		if (tag_of(now) == tag) {
			*who = now;
			return &set[i];
		}
		if (worth(&set[i], now) < least) {
			least = worth(&set[i], now);
			worst = &set[i];
			*who = now;
		}
	}
	return worst;
}

static void
begin_anew(struct entry *e)
{
	for (size_t i = 0; i < CROWD_RATES; i++)
		atomic_store(&e->rates[i], 0);
}

/* One more of that one: how many there are, and where; *held says so before
 * it is so. */
static unsigned
add_one(struct crowd *c, uint64_t tag, struct entry *set, uint64_t now_s,
    uint32_t *at, _Atomic uint64_t *held)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t who;
		struct entry *e = look(set, tag, &who);
		bool there = tag_of(who) == tag;
		uint64_t next = there ? who + 1 : tag << TAG_SHIFT | 1;

		if (there && count_of(who) == COUNT_MAX)
			break;
		*at = (uint32_t)(e - c->entries);
		atomic_store(held, held_word(*at, tag));
		if (!atomic_compare_exchange_strong(&e->who, &who, next))
			continue;
		if (!there)
			begin_anew(e);
		atomic_store(&e->seen_s, (uint32_t)now_s);
		return count_of(next);
	}
	*at = NOBODY;
	atomic_store(held, held_word(NOBODY, 0));
	return 0;
}

/* ---- seats ---- */

struct crowd *
crowd_new(void)
{
	struct crowd *c = map_shared(sizeof(*c));

	must(getrandom(c->key, sizeof(c->key), 0) == sizeof(c->key));
	return c;
}

void
crowd_forget(struct crowd *c)
{
	if (c != NULL)
		(void)munmap(c, sizeof(*c));
}

struct crowd_seat *
crowd_seat_new(struct crowd *c, unsigned most)
{
	struct crowd_seat *s = xcalloc(1, sizeof(*s));

	s->crowd = c;
	s->most = most;
	s->places = map_shared(places_size(most));
	return s;
}

void
crowd_seat_forget(struct crowd_seat *s)
{
	if (s == NULL)
		return;
	(void)munmap(s->places, places_size(s->most));
	free(s->free);
	free(s);
}

static void
one_less(struct crowd *c)
{
	uint32_t all = atomic_load(&c->all);

	while (all > 0 && !atomic_compare_exchange_weak(&c->all, &all, all - 1))
		;
}

static void
give_back(struct crowd *c, uint64_t held)
{
	take_back(c, (uint32_t)(held & COUNT_MAX) - 1, tag_of(held));
	one_less(c);
}

void
crowd_seat_free(struct crowd_seat *s)
{
	uint32_t used;

	if (s == NULL)
		return;
	/* The dead wrote it: believe nothing. */
	used = atomic_load(&s->places->used);
	for (uint32_t i = 0; i < used && i < s->most; i++) {
		uint64_t held = atomic_load(&s->places->held[i]);

		if (held != 0)
			give_back(s->crowd, held);
	}
	crowd_seat_forget(s);
}

/* ---- holding ---- */

/* From 1; 0: none is left. */
static unsigned
take_place(struct crowd_seat *s)
{
	uint32_t used;

	if (s->n_free > 0)
		return s->free[--s->n_free];
	used = atomic_load(&s->places->used);
	if (used >= s->most)
		return 0;
	atomic_store(&s->places->used, used + 1);
	return used + 1;
}

static void
leave_place(struct crowd_seat *s, unsigned place)
{
	if (s->n_free == s->free_room) {
		s->free_room = s->free_room ? 2 * s->free_room : 64;
		s->free =
		    xrealloc(s->free, s->free_room * sizeof(*s->free));
	}
	s->free[s->n_free++] = place;
}

bool
crowd_enter(struct crowd_seat *s, struct crowd_hold *h, unsigned *all)
{
	h->place = take_place(s);
	h->at = NOBODY;
	h->tag = 0;
	if (h->place == 0)
		return false;
	atomic_store(&s->places->held[h->place - 1], held_word(NOBODY, 0));
	*all = atomic_fetch_add(&s->crowd->all, 1) + 1;
	return true;
}

unsigned
crowd_is(struct crowd_seat *s, struct crowd_hold *h, const void *name, size_t n,
    uint64_t now_s)
{
	struct crowd *c = s->crowd;
	uint64_t key = hash(c->key, name, n);
	struct entry *set = &c->entries[key % SETS * CROWD_WAYS];
	_Atomic uint64_t *held;

	must(h->place > 0 && n < 256);
	held = &s->places->held[h->place - 1];
	take_back(c, h->at, h->tag);
	atomic_store(held, held_word(NOBODY, 0));
	h->at = NOBODY;
	if (n == 0)
		return 0;
	h->tag = tag_of(key) != 0 ? tag_of(key) : 1;
	return add_one(c, h->tag, set, now_s, &h->at, held);
}

void
crowd_leave(struct crowd_seat *s, struct crowd_hold *h)
{
	if (h->place == 0)
		return;
	take_back(s->crowd, h->at, h->tag);
	one_less(s->crowd);
	atomic_store(&s->places->held[h->place - 1], 0);
	leave_place(s, h->place);
	h->place = 0;
}

unsigned
crowd_count(struct crowd_seat *s, const struct crowd_hold *h, unsigned kind,
    uint64_t now_s, uint64_t window_s)
{
	struct entry *e;
	uint64_t was, next;

	must(kind < CROWD_RATES);
	if (h->place == 0 || h->at >= CROWD_ROOM)
		return 0;
	e = &s->crowd->entries[h->at];
	if (tag_of(atomic_load(&e->who)) != h->tag)
		return 0;
	atomic_store(&e->seen_s, (uint32_t)now_s);
	was = atomic_load(&e->rates[kind]);
	do {
		uint64_t since = was >> 32, n = was & UINT32_MAX;

		/* Another worker's clock may be a moment ahead. */
		if (n == 0 || (now_s >= since && now_s - since >= window_s))
			next = now_s << 32 | 1;
		else
			next = n == UINT32_MAX ? was : was + 1;
	} while (!atomic_compare_exchange_weak(&e->rates[kind], &was, next));
	return (unsigned)(next & UINT32_MAX);
}
