/*
 * nets - networks: their text, and rows of them in which the first that has an
 * address is found without trying each.
 *
 * A row is one hash table over (length, masked address); an address is looked
 * for at each length that the row has. IPv4 is kept as ::ffff:a.b.c.d; in sets
 * ::/0 has it, too, in cidr maps, as in Postfix, it is a family apart. What is
 * negated is tried in turn: two of a family leave little for a third.
 */
#include "rules/tree.h"

#include "base/ip.h"

#define V4_BITS 96 /* what stands before an IPv4 address */

/* Decimal digits up to max; -1 for anything else. */
static int
small_number(struct pn_str s, int max)
{
	int v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || v > max)
			return -1;
		v = v * 10 + (s.p[i] - '0');
	}
	return s.n > 0 && v <= max ? v : -1;
}

/* Only the first bits of addr. */
static void
mask(unsigned char addr[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned here = bits > 8 * i ? bits - 8 * i : 0;

		if (here < 8)
			addr[i] &= (unsigned char)(0xff00u >> here);
	}
}

/* IPv4, however it was written: its /0 is ::ffff:0:0/96. */
static bool
is_v4(const unsigned char addr[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

const char *
net_parse(struct pn_str s, struct net *net)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	size_t n = slash != NULL ? (size_t)(slash - s.p) : s.n;
	struct pn_str ip = pn_str_sub(s, 0, n);
	unsigned char masked[16];
	int bits;
	bool v4;

	*net = (struct net){ 0 };
	if (ip.n > 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']')
		ip = pn_str_sub(ip, 1, ip.n - 2);
	if (!ip_parse(ip, net->addr, &v4))
		return "is no ip address or network";
	bits = slash == NULL
		   ? (v4 ? 32 : 128)
		   : small_number(pn_str_sub(s, n + 1, s.n), v4 ? 32 : 128);
	if (bits < 0)
		return "has no network's length behind the /";
	net->bits = (unsigned)bits + (v4 ? V4_BITS : 0);
	net->v4 = net->bits >= V4_BITS && is_v4(net->addr);
	memcpy(masked, net->addr, sizeof(masked));
	mask(masked, net->bits);
	return memcmp(masked, net->addr, sizeof(masked)) != 0
		   ? "has bits set behind its length"
		   : NULL;
}

/* ---- rows ---- */

struct nets_slot {
	unsigned char addr[16];
	unsigned bits;
	bool v4;
	size_t place; /* from 1; 0: empty */
};

struct nets {
	struct nets_slot *slots;
	size_t n_slots;	      /* power of two */
	bool lengths[2][129]; /* by family: some network has that many bits */
	const struct net *negated; /* in order */
	const size_t *negated_places;
	size_t n_negated;
};

/* Where it is, or the empty slot where it would be. */
static struct nets_slot *
slot_of(
    const struct nets *t, const unsigned char addr[16], unsigned bits, bool v4)
{
	uint64_t h = 14695981039346656037u ^ bits;
	struct nets_slot *slot;
	size_t i;

	for (size_t k = 0; k < 16; k++)
		h = (h ^ addr[k]) * 1099511628211u;
	for (i = (size_t)(h ^ (h >> 32)) & (t->n_slots - 1);;
	     i = (i + 1) & (t->n_slots - 1)) {
		slot = &t->slots[i];
		if (slot->place == 0 || (slot->bits == bits && slot->v4 == v4 &&
					    memcmp(slot->addr, addr, 16) == 0))
			return slot;
	}
}

static void
add(struct nets *t, const struct net *net, size_t place)
{
	struct nets_slot *slot = slot_of(t, net->addr, net->bits, net->v4);

	if (slot->place != 0)
		return;
	memcpy(slot->addr, net->addr, sizeof(slot->addr));
	slot->bits = net->bits;
	slot->v4 = net->v4;
	slot->place = place + 1;
	t->lengths[net->v4][net->bits] = true;
}

static void
add_as_v4(struct nets *t, struct net net, size_t place)
{
	net.v4 = true;
	add(t, &net, place);
}

/* One of IPv6 so wide that all of IPv4 is in it. */
static bool
holds_v4(const struct net *net)
{
	unsigned char mapped[16] = { [10] = 0xff, [11] = 0xff };

	mask(mapped, net->bits);
	return net->bits < V4_BITS && memcmp(mapped, net->addr, 16) == 0;
}

struct nets *
nets_new(struct rules_builder *b, const struct net *nets, size_t n,
    bool families_apart)
{
	struct nets *t = rules_alloc(b, sizeof(*t));
	struct net *negated;
	size_t *places, n_negated = 0;

	for (t->n_slots = 4; t->n_slots < 3 * n;)
		t->n_slots *= 2;
	t->slots = rules_alloc(b, t->n_slots * sizeof(*t->slots));
	for (size_t i = 0; i < n; i++)
		n_negated += nets[i].negated;
	negated = rules_alloc(b, n_negated * sizeof(*negated));
	places = rules_alloc(b, n_negated * sizeof(*places));
	for (size_t i = 0; i < n; i++) {
		if (!nets[i].negated) {
			add(t, &nets[i], i);
			if (!families_apart && holds_v4(&nets[i]))
				add_as_v4(t, nets[i], i);
			continue;
		}
		negated[t->n_negated] = nets[i];
		places[t->n_negated++] = i;
	}
	t->negated = negated;
	t->negated_places = places;
	return t;
}

static bool
net_has(const struct net *net, const unsigned char addr[16], bool v4)
{
	unsigned char masked[16];

	memcpy(masked, addr, sizeof(masked));
	mask(masked, net->bits);
	return net->v4 == v4 && memcmp(masked, net->addr, sizeof(masked)) == 0;
}

size_t
nets_first(const struct nets *t, struct pn_str ip)
{
	size_t first = NETS_NONE;
	unsigned char addr[16];
	bool v4;

	if (!ip_parse(ip, addr, &v4))
		return NETS_NONE;
	v4 = is_v4(addr);
	for (size_t i = 0; i < t->n_negated && first == NETS_NONE; i++)
		if (t->negated[i].v4 == v4 &&
		    !net_has(&t->negated[i], addr, v4))
			first = t->negated_places[i];
	for (unsigned bits = 129; bits-- > 0;) {
		const struct nets_slot *slot;

		if (!t->lengths[v4][bits])
			continue;
		mask(addr, bits); /* longest first: each only masks more */
		slot = slot_of(t, addr, bits, v4);
		if (slot->place != 0 && slot->place - 1 < first)
			first = slot->place - 1;
	}
	return first;
}
