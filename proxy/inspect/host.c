/* host - see host.h: .inspect hooks are run, what they give is collected, and
 * rules are told. */
#include "inspect/host.h"

#include <stdatomic.h>

#include "base/must.h"
#include "inspect/host_inside.h"
#include "inspect/part.h"
#include "inspect/urls.h"
#include "mail/pn_mail.h"

#define GIVEN_MAX (64u << 20) /* bytes of facts, a module and message */
#define FACTS_AT_FIRST 32
#define ALLOC_MAX (64u << 20) /* of pn_alloc(), likewise */

/* What host_run() keeps beside its result. */
struct host {
	struct host_result result; /* first: ask.arg points here */
	struct view *view;
	const struct chain *chain;
	uint32_t room;             /* of result.facts */
	uint32_t *start;           /* [n_ranks + 1] where each thing's facts begin */
	uint32_t n_ranks;          /* things of all kinds, and the message */
	size_t given;              /* bytes of what this module gave */
	bool too_much;
	struct {                   /* the last value found, for the nth after it */
		uint32_t fact, thing, at;
		unsigned nth;
	} last;
};

struct view *
host_view(struct pn_mail *m)
{
	struct host *h = m->owner;

	if (m->content)
		return h->view;
	m->dropped++;
	return NULL;
}

/* ---- collecting ---- */

static bool
copy_text(struct arena *a, struct pn_str *s)
{
	if (s->n > 0)
		*s = arena_str(a, *s);
	return s->n == 0 || s->p != NULL;
}

static void
add_fact(struct host *h, uint32_t index, uint32_t thing, const struct value *v)
{
	struct host_result *r = &h->result;

	if (r->n_facts == h->room) {
		uint32_t room = h->room == 0 ? FACTS_AT_FIRST : h->room * 2;
		struct fact_of *more = arena_alloc(h->view->arena,
		    room * sizeof(*more));

		if (more == NULL) {
			r->truncated = true;
			return;
		}
		if (r->n_facts > 0)
			memcpy(more, r->facts, r->n_facts * sizeof(*more));
		r->facts = more;
		h->room = room;
	}
	r->facts[r->n_facts++] = (struct fact_of){ index, thing, *v };
}

static void
on_fact(struct pn_mail *m, uint32_t index, uint32_t thing,
    const struct value *given)
{
	struct host *h = m->owner;
	struct value v = *given;

	h->given += sizeof(struct fact_of) + v.str.n + v.local.n + v.domain.n +
	    v.display.n;
	if (h->given > GIVEN_MAX) {
		h->too_much = true;
		return;
	}
	if (!copy_text(m->arena, &v.str) || !copy_text(m->arena, &v.local) ||
	    !copy_text(m->arena, &v.domain) ||
	    !copy_text(m->arena, &v.display)) {
		h->result.truncated = true;
		return;
	}
	add_fact(h, index, thing, &v);
}

static const struct pn_mail_ops ops = { .fact = on_fact };

/* The module has no answer: what it might have said is not known, unless the
 * mail is to go on as if it had found nothing. */
static void
give_unknown(struct host *h, uint32_t module)
{
	const struct host_result *r = &h->result;

	if (h->chain->modules[module].on_unavailable == CHAIN_ACCEPT)
		return;
	for (uint32_t i = 0; i < h->chain->n_facts; i++) {
		const struct chain_fact *f = &h->chain->facts[i];
		struct value v = { .state = VALUE_UNKNOWN, .type = f->type };

		if (f->module != module || !f->content || f->keyed)
			continue;
		if (!f->of_thing)
			add_fact(h, i, FACT_OF_MESSAGE, &v);
		for (uint32_t t = 0; f->of_thing && t < r->things[f->thing].n; t++)
			add_fact(h, i, t, &v);
	}
}

/* Where it lies; message_size_limit keeps the numbers small. */
static struct fact_thing
thing_of(const struct pn_part *p)
{
	struct pn_str raw = p->view->raw;
	struct fact_thing t = {
		.depth = p->depth > 255 ? 255 : (uint8_t)p->depth,
		.flags = (uint8_t)(p->lies |
		    (p->flags & PN_PART_AMBIGUOUS ? THING_AMBIGUOUS : 0)),
	};

	if (raw.n <= UINT32_MAX) {
		t.from = (uint32_t)(p->entity.p - raw.p);
		t.size = (uint32_t)p->entity.n;
	}
	return t;
}

/* They are there once a module has asked for them. */
static bool
list_urls(struct host *h)
{
	struct fact_things *t = &h->result.things[THING_URL];
	const struct urls *urls = h->view->urls;

	if (urls == NULL || urls->n == t->n)
		return true;
	t->v = arena_alloc(h->view->arena, urls->n * sizeof(*t->v));
	if (t->v == NULL)
		return false;
	t->n = urls->n;
	for (const struct pn_url *u = urls->first; u != NULL; u = u->next)
		t->v[u->number] = thing_of(u->part);
	return true;
}

static void
run_module(struct host *h, uint32_t module)
{
	struct host_result *r = &h->result;
	struct pn_mail m = {
		.chain = h->chain,
		.module = module,
		.stage = STAGE_MESSAGE,
		.content = true,
		.arena = h->view->arena,
		.room = ALLOC_MAX,
		.ops = &ops,
		.owner = h,
	};
	struct chain_trouble trouble = { .module = module };
	uint32_t before = r->n_facts;

	h->given = 0;
	h->too_much = false;
	h->view->mail = &m;
	if (h->view->running != NULL)
		atomic_store(h->view->running, (uint64_t)module + 1);
	trouble.failed =
	    h->chain->modules[module].filter->inspect(&m) != PN_NEXT ||
	    h->too_much;
	h->view->mail = NULL;
	if (h->view->running != NULL)
		atomic_store(h->view->running, 0);
	if (!list_urls(h))
		r->truncated = trouble.failed = true;
	if (trouble.failed) {
		r->n_facts = before;
		give_unknown(h, module);
	}
	r->dropped += m.dropped;
	trouble.dropped = m.dropped;
	if (trouble.failed || trouble.dropped > 0)
		r->troubles[r->n_troubles++] = trouble;
}

/* Things of one kind behind those of another, the message behind all. */
static uint32_t
rank_of(const struct host *h, uint32_t fact, uint32_t thing)
{
	const struct chain_fact *f = &h->chain->facts[fact];
	uint32_t rank = thing;

	if (thing == FACT_OF_MESSAGE)
		return h->n_ranks - 1;
	for (unsigned kind = 0; kind < f->thing; kind++)
		rank += h->result.things[kind].n;
	return rank;
}

static uint32_t
rank_at(const struct host *h, const struct fact_of *f)
{
	return rank_of(h, f->index, f->thing);
}

/* Sort by rank, keeping order within: start[] says where each begins. */
static bool
sort_facts(struct host *h)
{
	struct host_result *r = &h->result;
	struct arena *a = h->view->arena;
	struct fact_of *sorted = arena_alloc(a, r->n_facts * sizeof(*sorted));
	uint32_t *next;

	h->n_ranks = 1;
	for (unsigned kind = 0; kind < THINGS; kind++)
		h->n_ranks += r->things[kind].n;
	next = arena_alloc(a, (h->n_ranks + 1) * sizeof(*next));
	h->start = arena_alloc(a, (h->n_ranks + 1) * sizeof(*h->start));
	if (sorted == NULL || next == NULL || h->start == NULL)
		return false;
	for (uint32_t i = 0; i < r->n_facts; i++)
		h->start[rank_at(h, &r->facts[i]) + 1]++;
	for (uint32_t t = 1; t < h->n_ranks + 1; t++)
		h->start[t] += h->start[t - 1];
	memcpy(next, h->start, (h->n_ranks + 1) * sizeof(*next));
	for (uint32_t i = 0; i < r->n_facts; i++)
		sorted[next[rank_at(h, &r->facts[i])]++] = r->facts[i];
	r->facts = sorted;
	return true;
}

/* ---- what rules ask ---- */

static void
get_header(struct host *h, struct pn_str name, unsigned nth, struct value *out)
{
	struct header_field *f = host_field(h->view, name, nth);

	out->type = VALUE_STRING;
	if (f == NULL) {
		/* Past a limit there may have been one. */
		out->state = h->view->header.cut ? VALUE_UNKNOWN : VALUE_ABSENT;
		return;
	}
	out->str = host_field_text(h->view, f);
	out->state = out->str.p == NULL ? VALUE_UNKNOWN : VALUE_KNOWN;
}

/* Behind those there are one is unknown where a limit cut them off: what is
 * not found in them may be in it. */
static void
get_text(struct host *h, texts_nth *of, unsigned nth, struct value *out)
{
	const struct texts *all = view_texts(h->view);

	out->str = of(all, nth);
	if (out->str.p != NULL)
		out->state = VALUE_KNOWN;
	else if (all->cut && (nth == 0 || of(all, nth - 1).p != NULL))
		out->state = VALUE_UNKNOWN;
}

static void
get_collected(struct host *h, uint32_t fact, uint32_t thing, unsigned nth,
    struct value *out)
{
	const struct host_result *r = &h->result;
	uint32_t rank = rank_of(h, fact, thing);
	uint32_t i = h->start[rank], end = h->start[rank + 1];
	unsigned skip = nth;

	if (h->last.fact == fact && h->last.thing == thing && nth > 0 &&
	    h->last.nth + 1 == nth) {
		i = h->last.at + 1;
		skip = 0;
	}
	for (; i < end; i++) {
		if (r->facts[i].index != fact || skip-- > 0)
			continue;
		*out = r->facts[i].value;
		h->last.fact = fact;
		h->last.thing = thing;
		h->last.nth = nth;
		h->last.at = i;
		return;
	}
	out->state = r->truncated ? VALUE_UNKNOWN : VALUE_ABSENT;
}

static void
get(void *arg, uint32_t fact, uint32_t thing, struct pn_str key, unsigned nth,
    struct value *out)
{
	struct host *h = arg;
	const struct chain_fact *f = &h->chain->facts[fact];

	must(fact < h->chain->n_facts);
	*out = (struct value){ .state = VALUE_ABSENT, .type = f->type };
	if (f->of_thing != (thing != RULES_MESSAGE) ||
	    (f->of_thing && thing >= h->result.things[f->thing].n))
		return;
	if (fact == h->chain->header) {
		get_header(h, key, nth, out);
	} else if (fact == h->chain->raw) {
		out->state = nth == 0 ? VALUE_KNOWN : VALUE_ABSENT;
		out->str = h->view->raw;
	} else if (fact == h->chain->text) {
		get_text(h, texts_seen, nth, out);
	} else if (fact == h->chain->html) {
		get_text(h, texts_source, nth, out);
	} else if (fact == h->chain->hidden) {
		get_text(h, texts_hidden, nth, out);
	} else if (fact == FACT_MIME_AMBIGUOUS) {
		out->state = nth == 0 ? VALUE_KNOWN : VALUE_ABSENT;
		out->number = (h->result.defects & PN_DEFECT_AMBIGUOUS) != 0;
	} else {
		get_collected(h, fact, thing, nth, out);
	}
}

static uint32_t
n_things(void *arg, const char *thing)
{
	struct host *h = arg;

	return facts_things(h->result.things, thing)->n;
}

static uint32_t
depth(void *arg, const char *thing, uint32_t n)
{
	struct host *h = arg;
	const struct fact_things *t = facts_things(h->result.things, thing);

	return n < t->n ? t->v[n].depth : 0;
}

static bool
list_parts(struct host *h)
{
	struct fact_things *t = &h->result.things[THING_PART];

	t->n = h->view->n_parts;
	t->v = arena_alloc(h->view->arena, t->n * sizeof(*t->v));
	if (t->v == NULL)
		return false;
	for (struct pn_part *p = h->view->first; p != NULL; p = p->next)
		t->v[p->number] = thing_of(p);
	return true;
}

struct host_result *
host_run(struct view *v, const struct chain *chain)
{
	struct host *h = arena_alloc(v->arena, sizeof(*h));
	struct host_result *r;

	if (h == NULL)
		return NULL;
	r = &h->result;
	h->view = v;
	h->chain = chain;
	h->last.fact = UINT32_MAX;
	r->troubles = arena_alloc(v->arena,
	    chain->n_modules * sizeof(*r->troubles));
	if (!list_parts(h) || r->troubles == NULL)
		return NULL;
	for (uint32_t i = 0; i < chain->n_modules; i++)
		if (chain->modules[i].filter->inspect != NULL)
			run_module(h, i);
	if (!sort_facts(h))
		return NULL;
	r->defects = v->defects;
	r->ask = (struct rules_facts){
		.arg = h, .get = get, .n_things = n_things, .depth = depth
	};
	return r;
}
