/* keep - see keep.h: the flat forms, one pack and one unpack a struct. */
#include "mail/keep.h"

#define OUTCOMES_MAX 100000

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
	return !u->failed;
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
