/* keep - see keep.h: the flat forms, one pack and one unpack a struct. */
#include "mail/keep.h"

#include "base/stats.h"
#include "mail/transaction.h"

#define OUTCOMES_MAX 100000
#define STAT_NAME_MAX 64

struct keep_job
keep_job_of(const struct transaction *t, const struct verdict *why,
    const char *target)
{
	return (struct keep_job){ .id = pn_str_of(t->id),
		.class_name = why->class_name,
		.target = pn_str_of(target),
		.rule = why->rule,
		.trace = buf_str(&t->trace),
		.subject = t->subject,
		.size = spool_size(t->spool),
		.client = t->client,
		.envelope = t->envelope };
}

void
keep_job_pack(const struct keep_job *j, struct buf *b)
{
	pack_str(b, j->id);
	pack_str(b, j->class_name);
	pack_str(b, j->target);
	pack_str(b, j->rule);
	pack_str(b, j->trace);
	pack_str(b, j->subject);
	pack_u64(b, j->size);
	client_pack(&j->client, b);
	envelope_pack(&j->envelope, b);
}

bool
keep_job_unpack(struct keep_job *j, struct unpack *u, struct arena *a)
{
	j->id = unpack_str(u);
	j->class_name = unpack_str(u);
	j->target = unpack_str(u);
	j->rule = unpack_str(u);
	j->trace = unpack_str(u);
	j->subject = unpack_str(u);
	j->size = unpack_u64(u);
	return client_unpack(&j->client, u) &&
	    envelope_unpack(&j->envelope, u, a) && unpack_done(u);
}

void
keep_summary_pack(const struct keep_summary *s, struct buf *b)
{
	pack_str(b, s->id);
	pack_u64(b, s->time_us);
	pack_str(b, s->action);
	pack_str(b, s->rule);
	pack_u16(b, s->code);
	pack_str(b, s->client_ip);
	pack_str(b, s->sender);
	pack_str(b, s->rcpts);
	pack_u64(b, s->size);
	pack_str(b, s->trace);
	pack_str(b, s->subject);
	pack_str(b, s->policy);
	pack_u8(b, s->scored);
	pack_u64(b, (uint64_t)s->score);
	pack_str(b, s->would);
	pack_str(b, s->would_rule);
	pack_str(b, s->upstream);
	pack_str(b, s->server);
}

bool
keep_summary_unpack(struct keep_summary *s, struct unpack *u)
{
	s->id = unpack_str(u);
	s->time_us = unpack_u64(u);
	s->action = unpack_str(u);
	s->rule = unpack_str(u);
	s->code = unpack_u16(u);
	s->client_ip = unpack_str(u);
	s->sender = unpack_str(u);
	s->rcpts = unpack_str(u);
	s->size = unpack_u64(u);
	s->trace = unpack_str(u);
	s->subject = unpack_str(u);
	s->policy = unpack_str(u);
	s->scored = unpack_u8(u) != 0;
	s->score = (int64_t)unpack_u64(u);
	s->would = unpack_str(u);
	s->would_rule = unpack_str(u);
	s->upstream = unpack_str(u);
	s->server = unpack_str(u);
	return !u->failed;
}

void
keep_stat_pack(const struct keep_stat *s, struct buf *b)
{
	pack_str(b, s->name);
	pack_str(b, s->labels);
	pack_u8(b, s->gauge);
	pack_u64(b, (uint64_t)s->value);
}

/* [a-z][a-z0-9_]* */
static bool
is_name(struct pn_str s)
{
	if (s.n == 0 || s.n > STAT_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && (i == 0 ||
		    (s.p[i] != '_' && !(s.p[i] >= '0' && s.p[i] <= '9'))))
			return false;
	return true;
}

/* From behind its opening quote: where the closing one stands, or s.n. */
static size_t
value_end(struct pn_str s, size_t at)
{
	while (at < s.n && s.p[at] != '"') {
		if (s.p[at] < ' ' || s.p[at] > '~')
			return s.n;
		at += s.p[at] == '\\' ? 2 : 1;
	}
	return at < s.n ? at : s.n;
}

/* name="value"{,name="value"} of printable ASCII, or nothing. */
static bool
are_labels(struct pn_str s)
{
	size_t at = 0;

	while (at < s.n) {
		const char *eq = memchr(s.p + at, '=', s.n - at);
		size_t name_n = eq ? (size_t)(eq - (s.p + at)) : 0;

		if (!is_name(pn_str_sub(s, at, name_n)))
			return false;
		at += name_n + 1;
		if (at >= s.n || s.p[at] != '"' ||
		    (at = value_end(s, at + 1)) == s.n)
			return false;
		if (++at < s.n && (s.p[at] != ',' || ++at == s.n))
			return false;
	}
	return true;
}

bool
keep_stat_unpack(struct keep_stat *s, struct unpack *u)
{
	s->name = unpack_str(u);
	s->labels = unpack_str(u);
	s->gauge = unpack_u8(u) != 0;
	s->value = (int64_t)unpack_u64(u);
	if (!is_name(s->name) || s->labels.n >= STATS_LABELS_MAX ||
	    !are_labels(s->labels))
		unpack_fail(u);
	return !u->failed;
}

void
keep_said_pack(const struct keep_said *s, struct buf *b)
{
	pack_str(b, s->module);
	pack_str(b, s->part);
	pack_str(b, s->text);
	pack_u64(b, s->time_us);
}

bool
keep_said_unpack(struct keep_said *s, struct unpack *u)
{
	s->module = unpack_str(u);
	s->part = unpack_str(u);
	s->text = unpack_str(u);
	s->time_us = unpack_u64(u);
	return !u->failed && s->module.n > 0;
}

void
keep_counter_pack(const struct keep_counter *c, struct buf *b)
{
	pack_str(b, c->module);
	pack_str(b, c->key);
	pack_u64(b, (uint64_t)c->add);
	pack_u64(b, c->life_ms);
}

bool
keep_counter_unpack(struct keep_counter *c, struct unpack *u)
{
	c->module = unpack_str(u);
	c->key = unpack_str(u);
	c->add = (int64_t)unpack_u64(u);
	c->life_ms = unpack_u64(u);
	return unpack_done(u) && c->module.n <= KEEP_COUNTER_KEY_MAX &&
	    c->key.n <= KEEP_COUNTER_KEY_MAX;
}

void
keep_outcome_pack(const struct keep_outcome *o, struct buf *b)
{
	pack_str(b, o->id);
	pack_u32(b, o->n);
	for (uint32_t i = 0; i < o->n; i++) {
		pack_str(b, o->rcpts[i].path);
		pack_u16(b, o->rcpts[i].code);
		pack_str(b, o->rcpts[i].text);
	}
}

bool
keep_outcome_unpack(struct keep_outcome *o, struct unpack *u, struct arena *a)
{
	o->id = unpack_str(u);
	o->n = unpack_u32(u);
	if (o->n > OUTCOMES_MAX)
		unpack_fail(u);
	o->rcpts = u->failed ? NULL : arena_alloc(a, o->n * sizeof(*o->rcpts));
	if (o->rcpts == NULL)
		unpack_fail(u);
	for (uint32_t i = 0; i < o->n && !u->failed; i++) {
		o->rcpts[i].path = unpack_str(u);
		o->rcpts[i].code = unpack_u16(u);
		o->rcpts[i].text = unpack_str(u);
	}
	return unpack_done(u);
}
