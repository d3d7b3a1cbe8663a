/*
 * prefilter - see prefilter.h. One automaton of Aho and Corasick for all the
 * literals of a group, in lower case, dense over classes of bytes; and for
 * patterns without a literal, a map of the pairs of bytes that a text has.
 *
 * Long texts are read in four places at once: a step waits for memory, and
 * four wait no longer than one. Each lane reads on into the next by the length
 * of a literal.
 */
#include "rules/prefilter.h"

#include <stdlib.h>

#include "base/mem.h"
#include "rules/literal.h"

#define WORTH_IT 3	      /* atoms that have something to look for */
#define TABLE_MAX (32u << 20) /* bytes of an automaton */
#define BUILD_MAX ((size_t)256 << 20)
#define ONE_LANE 256 /* bytes: shorter texts are read in one go */
#define GATE_KINDS 64
#define GATE_BLOCK 4096
#define RARITY_MIN (10 * 4) /* of what `contains` looks for */

/* A literal of an atom. */
struct needle {
	uint32_t atom;
	uint32_t n;
	const char *p; /* lower case when fold */
	bool fold;
	struct range before;
};

/* An atom that needs one of some pairs: a bit a kind of the second byte. */
struct gate {
	uint32_t atom;
	uint64_t after[GATE_KINDS]; /* [kind of the first] */
};

struct prefilter {
	size_t n_atoms, n_words;
	uint64_t *always; /* atoms that are tested whatever is found */
	uint32_t *closed; /* those of them that a literal or a gate opens */
	uint32_t *open;	  /* and those that nothing is known of */
	size_t n_closed, n_open;

	unsigned char class[256];
	unsigned n_classes;
	uint32_t n_states;
	/* A state is its row's offset in next. Those from first_found on have
	 * found something: found[state number - first] starts a list of needles
	 * in lists, ended by NONE. */
	uint32_t *next;
	uint32_t first_found;
	uint32_t *found;
	uint32_t *lists;
	struct needle *needles;
	size_t n_needles, longest;

	struct gate *gates;
	size_t n_gates;
	size_t size;
};
#define NONE UINT32_MAX

/* ---- building ---- */

struct state {
	uint32_t *next; /* [classes]; 0: none, or the root */
	uint32_t fail;
	uint32_t first;	 /* needle that ends here, or NONE */
	uint32_t number; /* in the order of the finished table */
	bool finds;	 /* itself, or a suffix of it */
};

struct building {
	struct rules_builder *b;
	struct arena *memory;
	struct prefilter *pf;
	struct state *states;
	uint32_t *same; /* [needle]: the next that ends in the same state */
	uint32_t *queue;
	size_t room;
};

static bool
says_no(const struct atom *a)
{
	return a->op == OP_NOMATCH || a->op == OP_NE;
}

static bool
has_text(const struct atom *a)
{
	return (a->op == OP_CONTAINS || a->op == OP_EQ) && a->text.n > 0 &&
	       rarity_of(a->text) >= RARITY_MIN;
}

static size_t
count_needles(const struct atom *a)
{
	if (a->pattern == NULL)
		return has_text(a);
	return pattern_need(a->pattern)->literals.set.n;
}

static bool
has_gate(const struct atom *a)
{
	return a->pattern != NULL && count_needles(a) == 0 &&
	       pattern_need(a->pattern)->n_pairs > 0;
}

/* Of a text its beginning will do; the test itself looks at all of it. */
static void
add_text(struct prefilter *pf, uint32_t i, const struct atom *a)
{
	struct pn_str head = pn_str_sub(a->text, 0, WINDOW_MAX);

	pf->needles[pf->n_needles++] = (struct needle){
		.atom = i, .n = (uint32_t)head.n, .p = head.p, .fold = true
	};
}

static void
add_needles(struct prefilter *pf, uint32_t i, const struct atom *a)
{
	const struct literals *l;

	if (a->pattern == NULL) {
		add_text(pf, i, a);
		return;
	}
	l = &pattern_need(a->pattern)->literals;
	for (uint32_t k = 0; k < l->set.n; k++)
		pf->needles[pf->n_needles++] = (struct needle){ .atom = i,
			.n = (uint32_t)l->set.s[k].n,
			.p = l->set.s[k].p,
			.fold = l->set.fold,
			.before = l->before };
}

/* Letters keep apart, for what they are is what most patterns are about. */
static unsigned
gate_kind(unsigned char c)
{
	static const char marks[] = "$%!.-@";
	const char *at = c == '\0' ? NULL : strchr(marks, c);

	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= 'A' && c <= 'Z')
		return 26 + c - 'A';
	if (c >= '0' && c <= '9')
		return 52;
	if (at != NULL)
		return 53 + (unsigned)(at - marks);
	return c == ' '	  ? 59
	       : c < ' '  ? 60
	       : c >= 128 ? 61
	       : c >= '[' ? 62
			  : 63;
}

static uint64_t
gate_kinds(const struct bytes *b)
{
	uint64_t kinds = 0;

	for (unsigned c = 0; c < 256; c++)
		if (bytes_have(b, (unsigned char)c))
			kinds |= (uint64_t)1 << gate_kind((unsigned char)c);
	return kinds;
}

static void
add_gate(struct prefilter *pf, uint32_t i, const struct need *need)
{
	struct gate *g = &pf->gates[pf->n_gates++];

	g->atom = i;
	for (uint32_t k = 0; k < need->n_pairs; k++) {
		uint64_t one = gate_kinds(&need->pairs[k].one);
		uint64_t next = gate_kinds(&need->pairs[k].next);

		for (unsigned kind = 0; kind < GATE_KINDS; kind++)
			if (one >> kind & 1)
				g->after[kind] |= next;
	}
}

static void
add_atom(struct prefilter *pf, uint32_t i, const struct atom *a)
{
	bool closed = true;

	if (count_needles(a) > 0)
		add_needles(pf, i, a);
	else if (has_gate(a))
		add_gate(pf, i, pattern_need(a->pattern));
	else
		closed = false;
	if (closed && !says_no(a))
		return;
	pf->always[i / 64] |= (uint64_t)1 << i % 64;
	if (closed)
		pf->closed[pf->n_closed++] = i;
	else
		pf->open[pf->n_open++] = i;
}

/* A class for each byte that some needle has; 0 for all others. */
static void
make_classes(struct prefilter *pf)
{
	pf->n_classes = 1;
	for (size_t i = 0; i < pf->n_needles; i++) {
		const struct needle *n = &pf->needles[i];

		pf->longest = n->n > pf->longest ? n->n : pf->longest;
		for (uint32_t k = 0; k < n->n; k++) {
			unsigned char c = (unsigned char)pn_lower(n->p[k]);

			if (pf->class[c] == 0 && pf->n_classes < 256)
				pf->class[c] = (unsigned char)pf->n_classes++;
		}
	}
	for (unsigned c = 'A'; c <= 'Z'; c++)
		pf->class[c] = pf->class[c | 32];
}

static bool
new_state(struct building *m)
{
	struct prefilter *pf = m->pf;
	struct state *s = &m->states[pf->n_states];

	s->next = arena_alloc(m->memory, pf->n_classes * sizeof(*s->next));
	s->first = NONE;
	pf->n_states++;
	return s->next != NULL;
}

static bool
add_to_trie(struct building *m, uint32_t i)
{
	const struct needle *n = &m->pf->needles[i];
	uint32_t at = 0;

	for (uint32_t k = 0; k < n->n; k++) {
		unsigned class = m->pf->class[(unsigned char)pn_lower(n->p[k])];

		if (m->states[at].next[class] == 0) {
			m->states[at].next[class] = m->pf->n_states;
			if (!new_state(m))
				return false;
		}
		at = m->states[at].next[class];
	}
	m->same[i] = m->states[at].first;
	m->states[at].first = i;
	m->states[at].finds = true;
	return true;
}

/* Breadth first: what a state's longest proper suffix does is known. */
static void
link_states(struct building *m)
{
	size_t head = 0, tail = 1;

	while (head < tail) {
		struct state *s = &m->states[m->queue[head]];
		struct state *fail = &m->states[s->fail];
		bool root = m->queue[head++] == 0;

		s->finds = s->finds || fail->finds;
		for (unsigned c = 0; c < m->pf->n_classes; c++) {
			uint32_t to = s->next[c];
			uint32_t other = root ? 0 : fail->next[c];

			if (to == 0) {
				s->next[c] = other;
				continue;
			}
			m->states[to].fail = other;
			m->queue[tail++] = to;
		}
	}
}

/* States that find something get the highest numbers. */
static uint32_t
number_states(struct building *m)
{
	uint32_t plain = 0, finding = 0;

	for (uint32_t i = 0; i < m->pf->n_states; i++)
		if (!m->states[i].finds)
			m->states[i].number = plain++;
	for (uint32_t i = 0; i < m->pf->n_states; i++)
		if (m->states[i].finds)
			m->states[i].number = plain + finding++;
	return plain;
}

static void
write_rows(struct building *m)
{
	struct prefilter *pf = m->pf;

	pf->next = rules_alloc(
	    m->b, (size_t)pf->n_states * pf->n_classes * sizeof(*pf->next));
	for (uint32_t i = 0; i < pf->n_states; i++) {
		const struct state *s = &m->states[i];
		uint32_t *row = pf->next + (size_t)s->number * pf->n_classes;

		for (unsigned c = 0; c < pf->n_classes; c++)
			row[c] = m->states[s->next[c]].number * pf->n_classes;
	}
}

/* The needles that end in each finding state: its own, and its suffixes'. */
static void
write_lists(struct building *m, uint32_t plain)
{
	struct prefilter *pf = m->pf;
	size_t n = 0;

	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1) {
			pf->lists = rules_alloc(m->b, n * sizeof(*pf->lists));
			pf->found = rules_alloc(
			    m->b, (pf->n_states - plain) * sizeof(*pf->found));
			pf->size += n * sizeof(*pf->lists);
		}
		n = 0;
		for (uint32_t i = 0; i < pf->n_states; i++) {
			if (!m->states[i].finds)
				continue;
			if (pass == 1)
				pf->found[m->states[i].number - plain] =
				    (uint32_t)n;
			for (uint32_t s = i; s != 0; s = m->states[s].fail)
				for (uint32_t k = m->states[s].first; k != NONE;
				     k = m->same[k], n++)
					if (pass == 1)
						pf->lists[n] = k;
			if (pass == 1)
				pf->lists[n] = NONE;
			n++;
		}
	}
}

static bool
make_automaton(struct building *m)
{
	struct prefilter *pf = m->pf;
	size_t most = 1;
	uint32_t plain;

	make_classes(pf);
	for (size_t i = 0; i < pf->n_needles; i++)
		most += pf->needles[i].n;
	if (most * pf->n_classes * sizeof(uint32_t) > TABLE_MAX)
		return false;
	m->states = arena_alloc(m->memory, most * sizeof(*m->states));
	m->queue = arena_alloc(m->memory, most * sizeof(*m->queue));
	m->same =
	    arena_alloc(m->memory, (pf->n_needles + 1) * sizeof(*m->same));
	if (m->states == NULL || m->queue == NULL || m->same == NULL ||
	    !new_state(m))
		return false;
	for (uint32_t i = 0; i < pf->n_needles; i++)
		if (!add_to_trie(m, i))
			return false;
	link_states(m);
	plain = number_states(m);
	pf->first_found = plain * pf->n_classes;
	write_rows(m);
	write_lists(m, plain);
	pf->size += (size_t)pf->n_states * pf->n_classes * sizeof(*pf->next);
	return true;
}

static struct prefilter *
prefilter_alloc(
    struct rules_builder *b, const struct atom *const *atoms, size_t n)
{
	struct prefilter *pf = rules_alloc(b, sizeof(*pf));
	size_t needles = 0, gates = 0;

	for (size_t i = 0; i < n; i++) {
		needles += count_needles(atoms[i]);
		gates += has_gate(atoms[i]);
	}
	pf->n_atoms = n;
	pf->n_words = (n + 63) / 64;
	pf->always = rules_alloc(b, pf->n_words * sizeof(*pf->always));
	pf->closed = rules_alloc(b, n * sizeof(*pf->closed));
	pf->open = rules_alloc(b, n * sizeof(*pf->open));
	pf->needles = rules_alloc(b, needles * sizeof(*pf->needles));
	pf->gates = rules_alloc(b, gates * sizeof(*pf->gates));
	pf->size = sizeof(*pf) + pf->n_words * sizeof(*pf->always) +
		   2 * n * sizeof(*pf->open) + needles * sizeof(*pf->needles) +
		   gates * sizeof(*pf->gates);
	return pf;
}

/* What may be slow is worth being ruled out, even alone. */
static size_t
worth_of(const struct atom *a)
{
	if (count_needles(a) == 0 && !has_gate(a))
		return 0;
	return a->pattern != NULL && !pattern_is_tame(a->pattern) ? WORTH_IT
								  : 1;
}

const struct prefilter *
prefilter_new(
    struct rules_builder *b, const struct atom *const *atoms, size_t n)
{
	struct building m = { .b = b };
	size_t worth = 0;

	for (size_t i = 0; i < n; i++)
		worth += worth_of(atoms[i]);
	if (worth < WORTH_IT)
		return NULL;
	if (b->building == NULL)
		b->building = arena_new(BUILD_MAX);
	m.memory = b->building;
	m.pf = prefilter_alloc(b, atoms, n);
	for (uint32_t i = 0; i < n; i++)
		add_atom(m.pf, i, atoms[i]);
	if (!make_automaton(&m))
		m.pf = NULL;
	arena_reset(b->building);
	return m.pf;
}

size_t
prefilter_size(const struct prefilter *pf)
{
	return pf->size;
}

/* ---- scanning ---- */

struct scan {
	const struct prefilter *pf;
	struct candidates *to;
	struct pn_str text;
	size_t lane; /* bytes of each but the last */
};

static bool
is_set(const uint64_t *set, uint32_t i)
{
	return set[i / 64] >> i % 64 & 1;
}

static void
set_spans(struct candidates *to, uint32_t atom, struct span first)
{
	to->spans[atom][0] = first;
	for (int i = 1; i < LANES; i++)
		to->spans[atom][i] = (struct span){ 1, 0 };
}

static void
widen(struct span *s, size_t from, size_t at)
{
	if (s->to < s->from) {
		*s = (struct span){ from, at };
		return;
	}
	s->from = from < s->from ? from : s->from;
	s->to = at > s->to ? at : s->to;
}

static bool
same_bytes(const char *text, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] != p[i])
			return false;
	return true;
}

/* The needle ends in front of `end`. One that begins in the next lane is found
 * there: else a lane could begin behind what only the next one reads whole. */
static void
found_needle(struct scan *s, const struct needle *n, size_t end, int lane)
{
	struct candidates *to = s->to;
	size_t at = end - n->n, from = 0;

	if (at < n->before.min ||
	    (lane < LANES - 1 && at >= (size_t)(lane + 1) * s->lane) ||
	    (!n->fold && !same_bytes(s->text.p + at, n->p, n->n)))
		return;
	if (n->before.max == UNBOUND)
		lane = 0; /* from the text's beginning, wherever it was found */
	else if (at > n->before.max)
		from = at - n->before.max;
	if (!is_set(to->set, n->atom)) {
		to->set[n->atom / 64] |= (uint64_t)1 << n->atom % 64;
		set_spans(to, n->atom, (struct span){ 1, 0 });
	}
	widen(&to->spans[n->atom][lane], from, at - n->before.min);
}

static void
found_state(struct scan *s, uint32_t state, size_t end, int lane)
{
	const struct prefilter *pf = s->pf;
	const uint32_t *list =
	    pf->lists + pf->found[(state - pf->first_found) / pf->n_classes];

	for (; *list != NONE; list++)
		found_needle(s, &pf->needles[*list], end, lane);
}

/* From `from` on in the state; ends at `to`. */
static void
scan_lane(struct scan *s, uint32_t state, size_t from, size_t to, int lane)
{
	const struct prefilter *pf = s->pf;

	for (size_t i = from; i < to; i++) {
		state =
		    pf->next[state + pf->class[(unsigned char)s->text.p[i]]];
		if (state >= pf->first_found)
			found_state(s, state, i + 1, lane);
	}
}

static void
scan_lanes(struct scan *s)
{
	const struct prefilter *pf = s->pf;
	const unsigned char *class = pf->class;
	const uint32_t *next = pf->next;
	const uint32_t found = pf->first_found;
	size_t overlap = pf->longest > 0 ? pf->longest - 1 : 0;
	size_t lane = (s->text.n - overlap) / LANES, n = lane + overlap;
	const unsigned char *p0 = (const unsigned char *)s->text.p;
	const unsigned char *p1 = p0 + lane, *p2 = p1 + lane, *p3 = p2 + lane;
	uint32_t a = 0, b = 0, c = 0, d = 0;

	s->lane = lane;
	for (size_t i = 0; i < n; i++) {
		a = next[a + class[p0[i]]];
		b = next[b + class[p1[i]]];
		c = next[c + class[p2[i]]];
		d = next[d + class[p3[i]]];
		if ((a >= found) | (b >= found) | (c >= found) | (d >= found)) {
			if (a >= found)
				found_state(s, a, i + 1, 0);
			if (b >= found)
				found_state(s, b, lane + i + 1, 1);
			if (c >= found)
				found_state(s, c, 2 * lane + i + 1, 2);
			if (d >= found)
				found_state(s, d, 3 * lane + i + 1, 3);
		}
	}
	scan_lane(s, d, 3 * lane + n, s->text.n, 3);
}

static bool
opens(const struct gate *g, const uint64_t *seen)
{
	for (int i = 0; i < GATE_KINDS; i++)
		if (g->after[i] & seen[i])
			return true;
	return false;
}

/* True when some gate is still shut. */
static bool
open_gates(struct scan *s, const uint64_t *seen)
{
	bool shut = false;

	for (size_t i = 0; i < s->pf->n_gates; i++) {
		const struct gate *g = &s->pf->gates[i];
		struct span all = { 0, s->text.n };

		if (!is_set(s->to->set, g->atom) && !opens(g, seen)) {
			shut = true;
			continue;
		}
		s->to->set[g->atom / 64] |= (uint64_t)1 << g->atom % 64;
		set_spans(s->to, g->atom, all);
	}
	return shut;
}

static void
scan_pairs(struct scan *s)
{
	uint64_t seen[GATE_KINDS] = { 0 };
	unsigned char kinds[256];
	size_t i = 1;
	bool shut = s->pf->n_gates > 0;

	for (unsigned c = 0; shut && c < 256; c++)
		kinds[c] = (unsigned char)gate_kind((unsigned char)c);
	while (shut && i < s->text.n) {
		size_t end =
		    s->text.n - i > GATE_BLOCK ? i + GATE_BLOCK : s->text.n;

		for (; i < end; i++)
			seen[kinds[(unsigned char)s->text.p[i - 1]]] |=
			    (uint64_t)1 << kinds[(unsigned char)s->text.p[i]];
		shut = open_gates(s, seen);
	}
}

static void
make_room(struct candidates *c, const struct prefilter *pf)
{
	if (c->room >= pf->n_atoms)
		return;
	free(c->set);
	free(c->spans);
	c->room = pf->n_words * 64;
	c->set = xcalloc(pf->n_words, sizeof(*c->set));
	c->spans = xcalloc(c->room, sizeof(*c->spans));
}

static size_t
count_set(const struct candidates *c, size_t words)
{
	size_t n = 0;

	for (size_t i = 0; i < words; i++)
		n += (size_t)__builtin_popcountll(c->set[i]);
	return n;
}

void
prefilter_scan(
    const struct prefilter *pf, struct rules_run *run, struct pn_str text)
{
	struct scan s = { pf, &run->candidates, text, text.n };

	make_room(s.to, pf);
	memset(s.to->set, 0, pf->n_words * sizeof(*s.to->set));
	if (text.n < ONE_LANE)
		scan_lane(&s, 0, 0, text.n, 0);
	else
		scan_lanes(&s);
	scan_pairs(&s);
	for (size_t i = 0; i < pf->n_closed; i++)
		if (!is_set(s.to->set, pf->closed[i]))
			set_spans(s.to, pf->closed[i], (struct span){ 1, 0 });
	for (size_t i = 0; i < pf->n_open; i++)
		set_spans(s.to, pf->open[i], (struct span){ 0, text.n });
	run->spent.texts++;
	for (size_t i = 0; i < pf->n_words; i++)
		s.to->set[i] |= pf->always[i];
	run->spent.candidates += count_set(s.to, pf->n_words);
}
