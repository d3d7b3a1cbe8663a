/*
 * answers - what the inspector found: made there (rules_inspect), packed into
 * the answer frame, and unpacked by the worker as if a liar had written it.
 *
 *   frame   u32 content atoms, u32 count of each thing, then an entry for
 *           each atom that is not false everywhere, by rising index, and
 *           u32 END, u32 known: atoms from that index on did not fit and are
 *           unknown
 *   entry   u32 index, u8 how, [how MIXED: 2 bits a thing], u8 has match and
 *           twice the limit that was met, [u32 thing, match, the pattern's
 *           named captures]
 */
#include "rules/tree.h"

#include "base/must.h"
#include "rules/prefilter.h"

#define THINGS_MAX 65536      /* more than any view has */
#define FRAME_MAX (40 * 1024) /* bytes of entries; what is over is unknown */
#define END UINT32_MAX

enum how { ALL_TRUE = 1, ALL_UNKNOWN, MIXED };

static struct rules_answers *
answers_new(const struct rules *r, struct arena *arena)
{
	struct rules_answers *a = arena_alloc(arena, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->rules = r;
	a->n_things = arena_alloc(arena, r->n_things * sizeof(*a->n_things));
	a->of = arena_alloc(arena, r->n_content * sizeof(*a->of));
	return a->n_things != NULL && a->of != NULL ? a : NULL;
}

static uint32_t
count_of(const struct rules_answers *a, const struct atom *atom)
{
	return atom->thing == NO_THING ? 1 : a->n_things[atom->thing];
}

enum tri
answers_get(
    const struct rules_answers *a, const struct atom *atom, uint32_t thing)
{
	const struct answer *answer = &a->of[atom->index];

	if (answer->each == NULL || thing >= count_of(a, atom))
		return (enum tri)answer->all;
	return (enum tri)answer->each[thing];
}

/* ---- finding them ---- */

struct inspection {
	const struct rules *r;
	struct rules_run *run;
	const struct rules_facts *facts;
	struct arena *arena;
	struct rules_answers *a;
};

static struct pn_str
kept(struct arena *arena, struct pn_str s)
{
	return arena_str(arena, pn_str_sub(s, 0, MATCH_KEPT));
}

static int
keep_match(struct inspection *in, const struct atom *atom, struct answer *to,
    uint32_t thing, const struct match *m)
{
	uint32_t n = atom->pattern ? pattern_n_captures(atom->pattern) : 0;

	if (to->has_match)
		return 0;
	to->has_match = true;
	to->thing = thing;
	to->match = kept(in->arena, m->text);
	to->captures = arena_alloc(in->arena, n * sizeof(*to->captures));
	if (to->match.p == NULL || to->captures == NULL)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		if (i < m->n_captures)
			to->captures[i] = kept(in->arena, m->captures[i].text);
		if (i < m->n_captures && to->captures[i].p == NULL)
			return -1;
	}
	return 0;
}

struct asking {
	struct inspection *in;
	const struct group *g;
	const struct rules_decl *decl;
	uint32_t thing;
	const struct value *v;
};

static void
spend(struct rules_run *run, size_t which, uint64_t began, bool hit)
{
	struct rules_cost *c = &run->costs[which];

	c->ns += run_now(run) - began;
	c->tests++;
	c->hits += hit;
}

/* One atom on one value. spans: where its pattern may match, or NULL. */
static int
test_atom(const struct asking *q, const struct atom *atom,
    const struct span spans[LANES])
{
	struct answer *to = &q->in->a->of[atom->index];
	uint8_t *tri = to->each ? &to->each[q->thing] : &to->all;
	struct rules_run *run = q->in->run;
	uint64_t began = run->costs != NULL ? run_now(run) : 0;
	struct match m;
	enum tri one;

	if (*tri == TRI_TRUE)
		return 0;
	run->limit = RULES_NO_LIMIT;
	one = spans != NULL ? atom_test_in(atom, q->decl, run, q->v, spans, &m)
			    : atom_test(atom, q->decl, run, q->v, &m);
	if (run->costs != NULL)
		spend(run, atom->index, began, one == TRI_TRUE);
	if (one != TRI_FALSE)
		*tri = (uint8_t)one;
	if (run->limit != RULES_NO_LIMIT)
		to->limit = (uint8_t)run->limit;
	return one == TRI_TRUE ? keep_match(q->in, atom, to, q->thing, &m) : 0;
}

static int
test_candidates(const struct asking *q)
{
	struct rules_run *run = q->in->run;
	const struct candidates *c = &run->candidates;
	uint64_t began = run->costs != NULL ? run_now(run) : 0;

	prefilter_scan(q->g->prefilter, run, value_text(q->v, q->g->field));
	if (run->costs != NULL)
		spend(run,
		    q->in->r->n_content + (size_t)(q->g - q->in->r->groups),
		    began, false);
	for (size_t w = 0; w * 64 < q->g->n_atoms; w++)
		for (uint64_t left = c->set[w]; left != 0; left &= left - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(left);

			if (test_atom(q, q->g->atoms[i], c->spans[i]) < 0)
				return -1;
		}
	return 0;
}

/* One value of the group's text through each of its atoms, or those that the
 * prefilter leaves. */
static int
test_value(struct inspection *in, const struct group *g, uint32_t thing,
    const struct value *v)
{
	struct asking q = { in, g, &in->r->decls->facts[g->fact], thing, v };

	if (g->prefilter != NULL && v->state == VALUE_KNOWN)
		return test_candidates(&q);
	for (size_t i = 0; i < g->n_atoms; i++)
		if (test_atom(&q, g->atoms[i], NULL) < 0)
			return -1;
	return 0;
}

static int
test_thing(struct inspection *in, const struct group *g, uint32_t thing)
{
	uint32_t of = g->thing == NO_THING ? RULES_MESSAGE : thing;
	struct values at =
	    values_of(&in->r->decls->facts[g->fact], g->fact, of, g->key);
	struct value v;

	while (values_next(&at, in->facts, &v))
		if (test_value(in, g, thing, &v) < 0)
			return -1;
	return 0;
}

static int
test_group(struct inspection *in, const struct group *g)
{
	uint32_t n = g->thing == NO_THING ? 1 : in->a->n_things[g->thing];

	for (size_t i = 0; g->thing != NO_THING && i < g->n_atoms; i++) {
		struct answer *to = &in->a->of[g->atoms[i]->index];

		if ((to->each = arena_alloc(in->arena, n)) == NULL)
			return -1;
	}
	for (uint32_t thing = 0; thing < n; thing++)
		if (test_thing(in, g, thing) < 0)
			return -1;
	return 0;
}

struct rules_answers *
rules_inspect(const struct rules *r, struct rules_run *run,
    const struct rules_facts *facts, struct arena *arena)
{
	struct inspection in = { r, run, facts, arena, answers_new(r, arena) };

	if (in.a == NULL)
		return NULL;
	run_begin(run);
	for (uint32_t i = 0; i < r->n_things; i++) {
		in.a->n_things[i] =
		    facts->n_things(facts->arg, r->decls->things[i]);
		if (in.a->n_things[i] > THINGS_MAX)
			return NULL;
	}
	for (size_t i = 0; i < r->n_groups; i++)
		if (test_group(&in, &r->groups[i]) < 0)
			return NULL;
	return in.a;
}

/* ---- packing ---- */

/* How the atom stands over all its things; 0: false everywhere. */
static unsigned
how_of(const struct answer *answer, uint32_t n)
{
	uint8_t first =
	    answer->each != NULL && n > 0 ? answer->each[0] : answer->all;

	for (uint32_t i = 1; answer->each != NULL && i < n; i++)
		if (answer->each[i] != first)
			return MIXED;
	return first == TRI_TRUE      ? ALL_TRUE
	       : first == TRI_UNKNOWN ? ALL_UNKNOWN
				      : 0;
}

static void
pack_each(const uint8_t *each, uint32_t n, struct buf *b)
{
	for (uint32_t i = 0; i < n; i += 4) {
		uint8_t byte = 0;

		for (uint32_t k = 0; k < 4 && i + k < n; k++)
			byte |= (uint8_t)(each[i + k] << (2 * k));
		pack_u8(b, byte);
	}
}

static void
pack_entry(const struct rules_answers *a, const struct atom *atom, unsigned how,
    struct buf *b)
{
	const struct answer *answer = &a->of[atom->index];
	uint32_t n = atom->pattern ? pattern_n_captures(atom->pattern) : 0;

	pack_u32(b, atom->index);
	pack_u8(b, (uint8_t)how);
	if (how == MIXED)
		pack_each(answer->each, count_of(a, atom), b);
	pack_u8(b, (uint8_t)(answer->has_match | answer->limit << 1));
	if (!answer->has_match)
		return;
	pack_u32(b, answer->thing);
	pack_str(b, answer->match);
	for (uint32_t i = 0; i < n; i++)
		pack_str(b, answer->captures[i]);
}

void
rules_answers_pack(const struct rules_answers *a, struct buf *b)
{
	const struct rules *r = a->rules;
	size_t room = FRAME_MAX;
	uint32_t i;

	pack_u32(b, r->n_content);
	for (i = 0; i < r->n_things; i++)
		pack_u32(b, a->n_things[i]);
	for (i = 0; i < r->n_content; i++) {
		const struct atom *atom = r->content[i];
		unsigned how = how_of(&a->of[i], count_of(a, atom));
		size_t before = buf_len(b), used;

		if (how == 0)
			continue;
		pack_entry(a, atom, how, b);
		used = buf_len(b) - before;
		if (used > room) {
			b->end -= used;
			break;
		}
		room -= used;
	}
	pack_u32(b, END);
	pack_u32(b, i);
}

/* ---- unpacking ---- */

static int
unpack_each(
    struct unpack *u, struct answer *to, uint32_t n, struct arena *arena)
{
	if ((to->each = arena_alloc(arena, n)) == NULL)
		return -1;
	for (uint32_t i = 0; i < n; i += 4) {
		unsigned byte = unpack_u8(u);

		for (uint32_t k = 0; k < 4; k++, byte >>= 2) {
			if ((byte & 3) > TRI_UNKNOWN || (i + k >= n && byte))
				unpack_fail(u);
			if (i + k < n)
				to->each[i + k] = byte & 3;
		}
	}
	return u->failed ? -1 : 0;
}

static struct pn_str
unpack_kept(struct unpack *u)
{
	struct pn_str s = unpack_str(u);

	if (s.n > MATCH_KEPT)
		unpack_fail(u);
	return s;
}

static int
unpack_match(struct unpack *u, const struct rules_answers *a,
    const struct atom *atom, struct answer *to, struct arena *arena)
{
	uint32_t n = atom->pattern ? pattern_n_captures(atom->pattern) : 0;

	to->has_match = true;
	to->thing = unpack_u32(u);
	to->match = unpack_kept(u);
	to->captures = arena_alloc(arena, n * sizeof(*to->captures));
	if (to->captures == NULL || to->thing >= count_of(a, atom) ||
	    answers_get(a, atom, to->thing) != TRI_TRUE)
		return -1;
	for (uint32_t i = 0; i < n; i++)
		to->captures[i] = unpack_kept(u);
	return u->failed ? -1 : 0;
}

static bool
may_meet_limit(const struct atom *atom)
{
	return atom->pattern != NULL || atom->op == OP_IN;
}

static int
unpack_entry(struct unpack *u, struct rules_answers *a, const struct atom *atom,
    struct arena *arena)
{
	struct answer *to = &a->of[atom->index];
	uint32_t n = count_of(a, atom);
	uint8_t how = unpack_u8(u), flags;

	if (how < ALL_TRUE || how > MIXED ||
	    (how == MIXED && atom->thing == NO_THING))
		return -1;
	to->all = how == ALL_TRUE ? TRI_TRUE : TRI_UNKNOWN;
	if (how == MIXED && (n / 4 > u->n || unpack_each(u, to, n, arena) < 0))
		return -1;
	flags = unpack_u8(u);
	to->limit = flags >> 1;
	if (to->limit >= RULES_LIMITS ||
	    (to->limit != RULES_NO_LIMIT && !may_meet_limit(atom)) || u->failed)
		return -1;
	return flags & 1 ? unpack_match(u, a, atom, to, arena) : 0;
}

static int
unpack_entries(struct unpack *u, const struct rules *r, struct rules_answers *a,
    struct arena *arena)
{
	uint32_t index, next = 0, known;

	while ((index = unpack_u32(u)) != END) {
		if (u->failed || index < next || index >= r->n_content ||
		    unpack_entry(u, a, r->content[index], arena) < 0)
			return -1;
		next = index + 1;
	}
	known = unpack_u32(u);
	if (u->failed || known < next || known > r->n_content)
		return -1;
	for (uint32_t i = known; i < r->n_content; i++)
		a->of[i].all = TRI_UNKNOWN;
	return 0;
}

struct rules_answers *
rules_answers_unpack(
    const struct rules *r, struct unpack *u, struct arena *arena)
{
	struct rules_answers *a = answers_new(r, arena);

	if (a == NULL || unpack_u32(u) != r->n_content)
		return NULL;
	for (uint32_t i = 0; i < r->n_things; i++)
		if ((a->n_things[i] = unpack_u32(u)) > THINGS_MAX)
			return NULL;
	if (u->failed || unpack_entries(u, r, a, arena) < 0)
		return NULL;
	return a;
}
