/*
 * findings - see findings.h. Packed by the inspector, unpacked and checked by
 * the worker's pool. The answer, numbers little-endian (base/pack):
 *
 *   u8 version | u8 flags | u32 defects |
 *   of each kind of thing: u32 n | n things | str answers (rules' own form) |
 *   u32 n | n facts | u32 n | n troubles
 *   thing = u8 depth | u8 flags | u32 from | u32 size
 *   fact = u32 index | u32 thing | u8 state | u8 type | value of that type
 *   trouble = u32 module | u32 dropped | u8 failed
 */
#include "inspect/findings.h"

#include "base/must.h"
#include "inspect/inspector.h"

#define FORM 3 /* of both frames; another is not read */
#define FLAG_TRUNCATED 1u
#define FLAG_ANSWERS 2u
#define FLAGS 3u
#define DEFECTS                                                                \
	(PN_DEFECT_AMBIGUOUS | PN_DEFECT_BROKEN | PN_DEFECT_LIMIT |            \
	    PN_DEFECT_CHARSET)
#define FACT_HEAD 10 /* bytes of a fact before its value */
#define THING_SIZE 10
#define TROUBLE_SIZE 9
#define IP_TEXT_MAX 45

/* ---- the request ---- */

void
inspect_request_pack(const struct inspect_request *r, struct buf *b)
{
	pack_u8(b, FORM);
	pack_u8(b, r->in_slot);
	pack_u32(b, r->slot);
	pack_u64(b, r->size);
}

bool
inspect_request_unpack(struct inspect_request *r, struct unpack *u)
{
	uint8_t version = unpack_u8(u);
	uint8_t in_slot = unpack_u8(u);

	*r = (struct inspect_request){ .in_slot = in_slot == 1,
		.slot = unpack_u32(u),
		.size = unpack_u64(u) };
	if (version != FORM || in_slot > 1 || r->slot >= INSPECT_SLOTS ||
	    (!r->in_slot && (r->slot != 0 || r->size != u->n)) ||
	    (r->in_slot && u->n != 0))
		unpack_fail(u);
	return !u->failed;
}

/* ---- packing ---- */

/* At most FINDINGS_VALUE_MAX bytes, not ending within a UTF-8 sequence. */
static struct pn_str
shortened(struct pn_str s)
{
	if (s.n <= FINDINGS_VALUE_MAX)
		return s;
	s.n = FINDINGS_VALUE_MAX;
	for (int i = 0; i < 3 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80; i++)
		s.n--;
	return s;
}

static size_t
value_size(const struct value *v)
{
	if (v->state != VALUE_KNOWN)
		return 0;
	switch (v->type) {
	case VALUE_NUMBER:
		return 8;
	case VALUE_BOOL:
		return 1;
	case VALUE_STRING:
	case VALUE_IP:
	case VALUE_WORD:
		return 4 + shortened(v->str).n;
	case VALUE_ADDRESS:
		return 16 + shortened(v->str).n + shortened(v->local).n +
		       shortened(v->domain).n + shortened(v->display).n;
	}
	return 0;
}

static void
pack_value(const struct value *v, struct buf *b)
{
	if (v->state != VALUE_KNOWN)
		return;
	switch (v->type) {
	case VALUE_NUMBER:
		pack_u64(b, (uint64_t)v->number);
		return;
	case VALUE_BOOL:
		pack_u8(b, v->number != 0);
		return;
	case VALUE_STRING:
	case VALUE_IP:
	case VALUE_WORD:
		pack_str(b, shortened(v->str));
		return;
	case VALUE_ADDRESS:
		pack_str(b, shortened(v->str));
		pack_str(b, shortened(v->local));
		pack_str(b, shortened(v->domain));
		pack_str(b, shortened(v->display));
		return;
	}
}

static void
pack_fact(const struct fact_of *f, struct buf *b)
{
	pack_u32(b, f->index);
	pack_u32(b, f->thing);
	pack_u8(b, (uint8_t)f->value.state);
	pack_u8(b, (uint8_t)f->value.type);
	pack_value(&f->value, b);
}

/* Facts of the message or of things, in order, while there is room for them. */
static uint32_t
pack_facts(
    const struct findings *f, bool of_message, size_t room, struct buf *b)
{
	uint32_t packed = 0;

	for (uint32_t i = 0; i < f->n_facts; i++) {
		const struct fact_of *fact = &f->facts[i];

		if ((fact->thing == FACT_OF_MESSAGE) != of_message)
			continue;
		if (FACT_HEAD + value_size(&fact->value) > room - buf_len(b))
			break;
		pack_fact(fact, b);
		packed++;
	}
	return packed;
}

/* Without them what the rules ask of the content is unknown. */
static bool
pack_answers(const struct findings *f, struct buf *b)
{
	if (f->answers != NULL)
		rules_answers_pack(f->answers, b);
	if (!b->full)
		return true;
	buf_clear(b);
	return false;
}

static void
pack_things(const struct fact_things *t, struct buf *b)
{
	pack_u32(b, t->n);
	for (uint32_t i = 0; i < t->n; i++) {
		pack_u8(b, t->v[i].depth);
		pack_u8(b, t->v[i].flags);
		pack_u32(b, t->v[i].from);
		pack_u32(b, t->v[i].size);
	}
}

/* Bytes of the frame beside answers and facts. */
static size_t
head_size(const struct findings *f)
{
	size_t n = 2 + 4 + 4 + 4 + 4 + TROUBLE_SIZE * f->n_troubles;

	for (unsigned i = 0; i < THINGS; i++)
		n += 4 + THING_SIZE * f->things[i].n;
	return n;
}

static void
pack_troubles(const struct findings *f, struct buf *b)
{
	pack_u32(b, f->n_troubles);
	for (uint32_t i = 0; i < f->n_troubles; i++) {
		pack_u32(b, f->troubles[i].module);
		pack_u32(b, f->troubles[i].dropped);
		pack_u8(b, f->troubles[i].failed);
	}
}

void
findings_pack(const struct findings *f, struct buf *b)
{
	const size_t head = head_size(f);
	struct buf answers = { .max = FINDINGS_MAX - head }, facts = { 0 };
	unsigned flags = f->answers != NULL ? FLAG_ANSWERS : 0;
	unsigned defects = f->defects;
	size_t room;
	uint32_t n;

	must(head < FINDINGS_MAX); /* view_limits: parts and members */
	if (!pack_answers(f, &answers)) {
		flags = 0;
		defects |= PN_DEFECT_LIMIT;
	}
	/* Those of the message first: a thousand parts must not push out the
	 * sender. */
	room = answers.max - buf_len(&answers);
	n = pack_facts(f, true, room, &facts);
	n += pack_facts(f, false, room, &facts);
	if (n < f->n_facts || f->truncated)
		flags |= FLAG_TRUNCATED;
	pack_u8(b, FORM);
	pack_u8(b, (uint8_t)flags);
	pack_u32(b, defects);
	for (unsigned i = 0; i < THINGS; i++)
		pack_things(&f->things[i], b);
	pack_str(b, buf_str(&answers));
	pack_u32(b, n);
	(void)buf_add_str(b, buf_str(&facts)); /* b has no cap */
	pack_troubles(f, b);
	buf_fini(&answers);
	buf_fini(&facts);
}

/* ---- unpacking: nothing is believed ---- */

static struct pn_str
unpack_text(struct unpack *u)
{
	struct pn_str s = unpack_str(u);

	if (s.n > FINDINGS_VALUE_MAX)
		unpack_fail(u);
	return s;
}

static bool
is_word_of(struct pn_str s, const char *const *words)
{
	for (; words != NULL && *words != NULL; words++)
		if (pn_str_eq(s, pn_str_of(*words)))
			return true;
	return false;
}

static bool
is_ip_text(struct pn_str s)
{
	static const char letters[] = "0123456789abcdefABCDEF:.";

	for (size_t i = 0; i < s.n; i++)
		if (memchr(letters, s.p[i], sizeof(letters) - 1) == NULL)
			return false;
	return s.n > 0 && s.n <= IP_TEXT_MAX;
}

static void
unpack_value(struct value *v, const struct chain_fact *f, struct unpack *u)
{
	switch (f->type) {
	case VALUE_NUMBER:
		v->number = (int64_t)unpack_u64(u);
		return;
	case VALUE_BOOL:
		v->number = unpack_u8(u);
		if (v->number > 1)
			unpack_fail(u);
		return;
	case VALUE_STRING:
		v->str = unpack_text(u);
		return;
	case VALUE_IP:
		v->str = unpack_text(u);
		if (!is_ip_text(v->str))
			unpack_fail(u);
		return;
	case VALUE_WORD:
		v->str = unpack_text(u);
		if (!is_word_of(v->str, f->words))
			unpack_fail(u);
		return;
	case VALUE_ADDRESS:
		v->str = unpack_text(u);
		v->local = unpack_text(u);
		v->domain = unpack_text(u);
		v->display = unpack_text(u);
		return;
	}
	unpack_fail(u);
}

/* Only a declared content fact, of its type, of a thing there is. */
static void
unpack_fact(struct fact_of *to, const struct chain *c,
    const struct fact_things *things, struct unpack *u)
{
	const struct chain_fact *f;
	uint8_t state, type;

	to->index = unpack_u32(u);
	to->thing = unpack_u32(u);
	state = unpack_u8(u);
	type = unpack_u8(u);
	if (u->failed || to->index >= c->n_facts) {
		unpack_fail(u);
		return;
	}
	f = &c->facts[to->index];
	to->value.state = (enum value_state)state;
	to->value.type = f->type;
	if (!f->content || f->keyed || type != f->type ||
	    (f->of_thing ? to->thing >= things[f->thing].n
			 : to->thing != FACT_OF_MESSAGE) ||
	    (state != VALUE_KNOWN && state != VALUE_UNKNOWN))
		unpack_fail(u);
	else if (state == VALUE_KNOWN)
		unpack_value(&to->value, f, u);
}

static bool
unpack_facts(struct findings *f, const struct chain *c, struct unpack *u,
    struct arena *a)
{
	f->n_facts = unpack_u32(u);
	if (u->failed || f->n_facts > u->n / FACT_HEAD)
		return false;
	f->facts = arena_alloc(a, f->n_facts * sizeof(*f->facts));
	if (f->facts == NULL)
		return false;
	for (uint32_t i = 0; i < f->n_facts && !u->failed; i++)
		unpack_fact(&f->facts[i], c, f->things, u);
	return !u->failed;
}

/* Each module once, in order, and only one that reads messages. */
static bool
unpack_troubles(struct findings *f, const struct chain *c, struct unpack *u,
    struct arena *a)
{
	int64_t last = -1;

	f->n_troubles = unpack_u32(u);
	if (u->failed || f->n_troubles > u->n / TROUBLE_SIZE)
		return false;
	f->troubles = arena_alloc(a, f->n_troubles * sizeof(*f->troubles));
	if (f->troubles == NULL)
		return false;
	for (uint32_t i = 0; i < f->n_troubles; i++) {
		struct chain_trouble *t = &f->troubles[i];
		uint8_t failed;

		t->module = unpack_u32(u);
		t->dropped = unpack_u32(u);
		failed = unpack_u8(u);
		t->failed = failed == 1;
		if (u->failed || failed > 1 || t->module >= c->n_modules ||
		    (int64_t)t->module <= last ||
		    c->modules[t->module].filter->inspect == NULL)
			return false;
		last = t->module;
	}
	return true;
}

static void
unpack_thing(struct fact_thing *t, uint64_t message, struct unpack *u)
{
	t->depth = unpack_u8(u);
	t->flags = unpack_u8(u);
	t->from = unpack_u32(u);
	t->size = unpack_u32(u);
	if ((t->flags & ~THING_FLAGS) != 0 || t->from > message ||
	    t->size > message - t->from)
		unpack_fail(u);
}

static bool
unpack_things(struct fact_things *t, uint64_t message, struct unpack *u,
    struct arena *a)
{
	t->n = unpack_u32(u);
	if (u->failed || t->n > u->n / THING_SIZE)
		return false;
	t->v = arena_alloc(a, t->n * sizeof(*t->v));
	if (t->v == NULL)
		return false;
	for (uint32_t i = 0; i < t->n; i++)
		unpack_thing(&t->v[i], message, u);
	return !u->failed;
}

static bool
unpack_answers(struct findings *f, const struct rules *r, bool expected,
    struct pn_str packed, struct arena *a)
{
	struct unpack u = unpack_of(packed.p, packed.n);

	if (!expected)
		return packed.n == 0;
	f->answers = rules_answers_unpack(r, &u, a);
	return f->answers != NULL && unpack_done(&u);
}

bool
findings_unpack(struct findings *f, const struct chain *c,
    const struct rules *r, uint64_t size, struct unpack *u, struct arena *a)
{
	uint8_t version = unpack_u8(u);
	uint8_t flags = unpack_u8(u);
	struct pn_str answers;

	*f = (struct findings){ .truncated = flags & FLAG_TRUNCATED,
		.defects = unpack_u32(u) };
	if (u->failed || version != FORM || (flags & ~FLAGS) != 0 ||
	    (f->defects & ~(unsigned)DEFECTS) != 0)
		return false;
	for (unsigned i = 0; i < THINGS; i++)
		if (!unpack_things(&f->things[i], size, u, a))
			return false;
	answers = unpack_str(u);
	return !u->failed && unpack_facts(f, c, u, a) &&
	       unpack_troubles(f, c, u, a) && unpack_done(u) &&
	       unpack_answers(f, r, flags & FLAG_ANSWERS, answers, a);
}
