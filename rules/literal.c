/*
 * literal - see literal.h. The sets are those of RE2's FilteredRE2 ("exact" and
 * what is required), chosen by how rare they are in mail rather than by length:
 * "http" is a bad thing to look for, "xq" a good one.
 *
 * Everything here errs to one side: a set may have strings that no match has,
 * it never lacks one.
 */
#include "rules/literal.h"

#define RARE_ENOUGH (26 * 4) /* a longer window would find nothing less */
#define LITERAL_RARITY_MIN (10 * 4)
#define COPIES_MAX 4 /* of x in x{n}, the rest is a gap */
#define LENGTH_MAX (1u << 30)

/* ---- bytes ---- */

void
bytes_add(struct bytes *b, unsigned char c)
{
	b->has[c / 64] |= (uint64_t)1 << c % 64;
}

bool
bytes_have(const struct bytes *b, unsigned char c)
{
	return b->has[c / 64] >> c % 64 & 1;
}

static void
bytes_join(struct bytes *to, const struct bytes *b)
{
	for (int i = 0; i < 4; i++)
		to->has[i] |= b->has[i];
}

/* 2 to the power of minus so many quarters. */
static double
share_of(int rarity)
{
	static const double roots[] = { 1, 0.8409, 0.7071, 0.5946 };

	return roots[rarity % 4] / (double)((uint64_t)1 << rarity / 4);
}

static double
bytes_share(const struct bytes *b)
{
	double share = 0;

	for (unsigned c = 0; c < 256; c++)
		if (bytes_have(b, (unsigned char)c))
			share += share_of(rarity_alone((char)c));
	return share;
}

/* ---- ranges ---- */

static uint32_t
add(uint32_t a, uint32_t b)
{
	return a >= LENGTH_MAX || b >= LENGTH_MAX - a ? UNBOUND : a + b;
}

static uint32_t
times(uint32_t a, uint32_t n)
{
	return a == 0 || n == 0 ? 0 : a >= LENGTH_MAX / n ? UNBOUND : a * n;
}

/* A text of more than LENGTH_MAX bytes there is not: its least is that. */
static struct range
range_add(struct range a, struct range b)
{
	uint32_t min = add(a.min, b.min);

	return (struct range){ min == UNBOUND ? LENGTH_MAX : min,
		add(a.max, b.max) };
}

static struct range
range_hull(struct range a, struct range b)
{
	return (struct range){ a.min < b.min ? a.min : b.min,
		a.max > b.max ? a.max : b.max };
}

static uint32_t
at_most(uint64_t n, uint32_t most)
{
	return n < most ? (uint32_t)n : most;
}

/* ---- strings ---- */

static void *
take(struct analysis *l, size_t n)
{
	void *p = arena_alloc(l->scratch, n);

	if (p == NULL)
		l->failed = true;
	return p;
}

static struct strings
strings_new(struct analysis *l, uint32_t n, bool fold)
{
	struct strings set = { take(l, n * sizeof(struct pn_str)), n, fold };

	if (set.s == NULL)
		set.n = 0;
	return set;
}

/* The set of the empty text alone: every text begins with it. */
static struct strings
strings_any(struct analysis *l)
{
	struct strings set = strings_new(l, 1, false);

	if (set.n > 0)
		set.s[0] = (struct pn_str){ "", 0 };
	return set;
}

static struct pn_str
glued(struct analysis *l, struct pn_str a, struct pn_str b, bool fold)
{
	char *p = take(l, a.n + b.n);

	if (p == NULL)
		return (struct pn_str){ "", 0 };
	for (size_t i = 0; i < a.n; i++)
		p[i] = fold ? pn_lower(a.p[i]) : a.p[i];
	for (size_t i = 0; i < b.n; i++)
		p[a.n + i] = fold ? pn_lower(b.p[i]) : b.p[i];
	return (struct pn_str){ p, a.n + b.n };
}

static size_t
longest(const struct strings *set)
{
	size_t n = 0;

	for (uint32_t i = 0; i < set->n; i++)
		n = set->s[i].n > n ? set->s[i].n : n;
	return n;
}

static bool
strings_has(const struct strings *set, struct pn_str s)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (pn_str_eq(set->s[i], s))
			return true;
	return false;
}

/* Each of a with each of b behind it; false: too many, too long. */
static bool
strings_product(struct analysis *l, const struct strings *a,
    const struct strings *b, struct strings *out)
{
	bool fold = a->fold || b->fold;

	if (a->n * b->n > SET_MAX || longest(a) + longest(b) > STRING_MAX)
		return false;
	*out = strings_new(l, a->n * b->n, fold);
	out->n = 0;
	for (uint32_t i = 0; i < a->n && !l->failed; i++)
		for (uint32_t k = 0; k < b->n && !l->failed; k++) {
			struct pn_str s = glued(l, a->s[i], b->s[k], fold);

			if (!strings_has(out, s))
				out->s[out->n++] = s;
		}
	return true;
}

static bool
strings_union(struct analysis *l, const struct strings *a,
    const struct strings *b, struct strings *out)
{
	bool fold = a->fold || b->fold;

	if (a->n + b->n > SET_MAX)
		return false;
	*out = strings_new(l, a->n + b->n, fold);
	out->n = 0;
	for (uint32_t i = 0; i < a->n + b->n && !l->failed; i++) {
		struct pn_str from = i < a->n ? a->s[i] : b->s[i - a->n];
		struct pn_str s =
		    glued(l, from, (struct pn_str){ "", 0 }, fold);

		if (!strings_has(out, s))
			out->s[out->n++] = s;
	}
	return true;
}

/* ---- literals ---- */

/* The rarest WINDOW_MAX bytes of s, or fewer that are rare enough. */
static struct pn_str
window_of(const struct analysis *l, struct pn_str s, int *rarity)
{
	struct pn_str best = { s.p, 0 };

	*rarity = -1;
	for (size_t i = 0; i < s.n; i++) {
		int sum = rarity_alone(s.p[i]);

		for (size_t n = 1;; n++) {
			bool last = n == WINDOW_MAX || i + n == s.n;
			int worth = sum;

			if ((last || sum >= RARE_ENOUGH) && sum > *rarity &&
			    sum > LITERAL_RARITY_MIN &&
			    rarity_is_common(l, pn_str_sub(s, i, n)))
				worth = LITERAL_RARITY_MIN;
			if (worth > *rarity && (last || worth >= RARE_ENOUGH)) {
				*rarity = worth;
				best = pn_str_sub(s, i, n);
			}
			if (last || worth >= RARE_ENOUGH)
				break;
			sum += rarity_behind(s.p[i + n - 1], s.p[i + n]);
		}
	}
	return best;
}

/* Of many, one is found more often. */
static int
rarity_of_set(int least, uint32_t n)
{
	for (; n > 1; n /= 2)
		least -= 4;
	return least;
}

/* The set, cut to its windows, that far behind the beginning. */
static struct literals
literals_of(struct analysis *l, const struct strings *set, struct range at)
{
	struct range cut = { UNBOUND, 0 };
	struct literals out = { .set.fold = set->fold };
	int least = INT32_MAX;

	out.set = strings_new(l, set->n, set->fold);
	out.set.n = 0;
	for (uint32_t i = 0; i < set->n && !l->failed; i++) {
		int rarity;
		struct pn_str w = window_of(l, set->s[i], &rarity);
		struct range here = { (uint32_t)(w.p - set->s[i].p),
			(uint32_t)(w.p - set->s[i].p) };

		if (w.n == 0)
			return (struct literals){ .rarity = -1 };
		cut = range_hull(cut, here);
		least = rarity < least ? rarity : least;
		if (!strings_has(&out.set, w))
			out.set.s[out.set.n++] = w;
	}
	out.before = range_add(at, cut);
	out.rarity = rarity_of_set(least, out.set.n);
	return out;
}

/* A known place is worth some rarity: the search starts there. */
static int
worth(const struct literals *a)
{
	if (a->set.n == 0)
		return -1;
	return a->rarity + (a->before.max < 256 ? 16 : 0);
}

static void
consider(struct literals *best, struct literals other)
{
	if (worth(&other) > worth(best))
		*best = other;
}

static void
consider_strings(struct analysis *l, struct literals *best,
    const struct strings *set, struct range at)
{
	consider(best, literals_of(l, set, at));
}

static void
consider_behind(
    struct literals *best, const struct literals *other, struct range at)
{
	struct literals moved = *other;

	moved.before = range_add(at, other->before);
	consider(best, moved);
}

struct literals
part_literals(struct analysis *l, const struct part *p)
{
	struct literals best = p->best;

	consider_strings(l, &best, &p->head, (struct range){ 0, 0 });
	if (!p->exact)
		consider_strings(l, &best, &p->tail, p->tail_at);
	if (best.rarity < LITERAL_RARITY_MIN)
		best = (struct literals){ .rarity = -1 };
	return best;
}

/* ---- parts ---- */

struct part
part_empty(struct analysis *l)
{
	struct strings any = strings_any(l);

	return (struct part){ .exact = true,
		.head = any,
		.tail = any,
		.best = { .rarity = -1 },
		.ways = 1 };
}

static bool
is_letter(unsigned char c)
{
	return (c | 32) >= 'a' && (c | 32) <= 'z';
}

struct part
part_string(struct analysis *l, struct pn_str s, bool fold)
{
	struct part p = part_empty(l);

	if (l->failed)
		return p;
	p.head.s[0] = glued(l, s, (struct pn_str){ "", 0 }, fold);
	p.head.fold = fold;
	p.tail = p.head;
	p.length = (struct range){ (uint32_t)s.n, (uint32_t)s.n };
	p.span = (uint32_t)s.n;
	if (s.n > 0) {
		unsigned char first = (unsigned char)s.p[0];
		unsigned char last = (unsigned char)s.p[s.n - 1];

		bytes_add(&p.first, first);
		bytes_add(&p.last, last);
		if (fold && is_letter(first))
			bytes_add(&p.first, first ^ 32);
		if (fold && is_letter(last))
			bytes_add(&p.last, last ^ 32);
	}
	return p;
}

/* Each byte of the set as a string of its own. */
static void
spell_out(struct analysis *l, struct part *p, bool fold)
{
	struct strings all = { NULL, 0, fold };
	char *letters = take(l, SET_MAX);

	all.s = take(l, SET_MAX * sizeof(*all.s));
	for (unsigned c = 0; c < 256 && !l->failed; c++) {
		if (!bytes_have(&p->first, (unsigned char)c))
			continue;
		letters[all.n] = fold ? pn_lower((char)c) : (char)c;
		all.s[all.n] = (struct pn_str){ &letters[all.n], 1 };
		if (!strings_has(&all, all.s[all.n]))
			all.n++;
	}
	p->exact = true;
	p->head = p->tail = all;
	p->tail_at = (struct range){ 0, 0 };
}

struct part
part_class(struct analysis *l, const struct bytes *set, struct range length,
    bool exact, bool fold)
{
	struct part p = part_empty(l);
	unsigned n = 0;

	for (int i = 0; i < 4; i++)
		n += (unsigned)__builtin_popcountll(set->has[i]);
	p.exact = false;
	p.length = p.tail_at = length;
	p.span = length.max;
	p.first = p.last = *set;
	if (exact && n > 0 && n <= (fold ? 16 : 8))
		spell_out(l, &p, fold);
	return p;
}

static void
consider_pair(struct analysis *l, struct part *a, const struct part *b)
{
	double share;

	if (!l->want_pairs || a->length.min == 0 || b->length.min == 0)
		return;
	share = bytes_share(&a->last) * bytes_share(&b->first);
	if (a->n_pairs > 0 && a->pair_share <= share)
		return;
	a->pairs[0] = (struct pair){ a->last, b->first };
	a->n_pairs = 1;
	a->pair_share = share;
}

static void
join_bytes(struct analysis *l, struct part *a, const struct part *b)
{
	if (b->length.max == 0)
		return;
	consider_pair(l, a, b);
	if (b->n_pairs > 0 &&
	    (a->n_pairs == 0 || b->pair_share < a->pair_share)) {
		memcpy(a->pairs, b->pairs, sizeof(a->pairs));
		a->n_pairs = b->n_pairs;
		a->pair_share = b->pair_share;
	}
	if (a->length.min == 0)
		bytes_join(&a->first, &b->first);
	if (b->length.min > 0)
		a->last = b->last;
	else
		bytes_join(&a->last, &b->last);
}

/* The strings of a's end and b's beginning touch. */
static void
join_strings(struct analysis *l, struct part *a, const struct part *b)
{
	struct range b_tail = range_add(a->length, b->tail_at);
	struct strings both;
	bool fits = strings_product(l, &a->tail, &b->head, &both);

	if (!b->exact)
		consider_behind(&a->best, &b->best, a->length);
	if (fits && a->exact)
		a->head = both;
	if (fits && b->exact) {
		a->tail = both;
		return;
	}
	if (fits && !a->exact)
		consider_strings(l, &a->best, &both, a->tail_at);
	if (!fits && !a->exact)
		consider_strings(l, &a->best, &a->tail, a->tail_at);
	if (!fits && !b->exact)
		consider_strings(l, &a->best, &b->head, a->length);
	a->exact = false;
	a->tail = b->tail;
	a->tail_at = b_tail;
}

void
part_join(struct analysis *l, struct part *a, const struct part *b)
{
	join_bytes(l, a, b);
	join_strings(l, a, b);
	a->length = range_add(a->length, b->length);
	a->span = add(a->span, b->span);
	a->ways = at_most((uint64_t)a->ways * b->ways, WAYS_MAX);
	a->degree = at_most(a->degree + b->degree, DEGREE_MAX);
}

static void
alternate_pairs(struct part *a, const struct part *b)
{
	bytes_join(&a->first, &b->first);
	bytes_join(&a->last, &b->last);
	if (a->n_pairs == 0 || b->n_pairs == 0 ||
	    a->n_pairs + b->n_pairs > PAIRS_MAX) {
		a->n_pairs = 0;
		return;
	}
	memcpy(a->pairs + a->n_pairs, b->pairs, b->n_pairs * sizeof(*b->pairs));
	a->n_pairs += b->n_pairs;
	a->pair_share += b->pair_share;
}

/* One of the best of a or of the best of b; nothing where either has none. */
static struct literals
alternate_literals(
    struct analysis *l, const struct part *a, const struct part *b)
{
	struct literals of_a = part_literals(l, a), of_b = part_literals(l, b);
	struct literals out = { .before = range_hull(of_a.before, of_b.before),
		.rarity =
		    of_a.rarity < of_b.rarity ? of_a.rarity : of_b.rarity };

	if (of_a.set.n == 0 || of_b.set.n == 0 ||
	    !strings_union(l, &of_a.set, &of_b.set, &out.set))
		return (struct literals){ .rarity = -1 };
	out.rarity = rarity_of_set(out.rarity, 2);
	return out;
}

static void
alternate_strings(struct analysis *l, struct part *a, const struct part *b)
{
	struct range length = range_hull(a->length, b->length);
	struct strings head, tail;

	if (a->exact && b->exact &&
	    strings_union(l, &a->head, &b->head, &head)) {
		a->head = a->tail = head;
		return;
	}
	a->best = alternate_literals(l, a, b);
	a->tail_at = range_hull(a->tail_at, b->tail_at);
	if (!strings_union(l, &a->head, &b->head, &head))
		head = strings_any(l);
	if (!strings_union(l, &a->tail, &b->tail, &tail)) {
		tail = strings_any(l);
		a->tail_at = length;
	}
	a->exact = false;
	a->head = head;
	a->tail = tail;
}

void
part_alternate(struct analysis *l, struct part *a, const struct part *b)
{
	alternate_pairs(a, b);
	alternate_strings(l, a, b);
	a->length = range_hull(a->length, b->length);
	a->span = a->span > b->span ? a->span : b->span;
	a->ways = at_most((uint64_t)a->ways + b->ways, WAYS_MAX);
	a->degree = a->degree > b->degree ? a->degree : b->degree;
}

/* Ways and degree of x{min,max}. */
static void
repeat_cost(struct part *to, const struct part *x, uint32_t min, uint32_t max)
{
	bool plain =
	    x->ways == 1 && x->degree == 0 && x->length.min == x->length.max;
	uint64_t ways = 0, power = 1;

	to->span = times(x->span, max == UNBOUND ? LENGTH_MAX : max);
	if (max == UNBOUND) {
		to->ways = x->ways;
		to->degree = plain ? 1 : DEGREE_MAX;
		return;
	}
	to->degree = at_most((uint64_t)x->degree * max, DEGREE_MAX);
	if (plain) {
		to->ways = max - min + 1;
		return;
	}
	for (uint32_t i = 0; i <= max && ways < WAYS_MAX; i++) {
		ways += i >= min ? power : 0;
		power = at_most(power * (x->ways + 1), WAYS_MAX);
	}
	to->ways = at_most(ways, WAYS_MAX);
}

/* What is repeated too often to be spelt out, or perhaps not at all. */
static struct part
gap_of(struct analysis *l, const struct part *x, uint32_t min, uint32_t max)
{
	struct part p = part_empty(l);

	p.exact = false;
	p.length.min = times(x->length.min, min);
	if (p.length.min > LENGTH_MAX)
		p.length.min = LENGTH_MAX;
	p.length.max = max == UNBOUND ? UNBOUND : times(x->length.max, max);
	p.tail_at = p.length;
	p.first = x->first;
	p.last = x->last;
	return p;
}

void
part_repeat(struct analysis *l, struct part *p, uint32_t min, uint32_t max)
{
	struct part x = *p, all = part_empty(l);
	uint32_t copies = min < COPIES_MAX ? min : COPIES_MAX;

	if (x.length.max == 0)
		return; /* an assertion, however often */
	for (uint32_t i = 0; i < copies && !l->failed; i++)
		part_join(l, &all, &x);
	if (min == 0 && max == 1) {
		part_alternate(l, &all, &x);
	} else if (max > copies) {
		struct part gap = gap_of(l, &x, min - copies,
		    max == UNBOUND ? UNBOUND : max - copies);

		part_join(l, &all, &gap);
	}
	*p = all;
	repeat_cost(p, &x, min, max);
}
