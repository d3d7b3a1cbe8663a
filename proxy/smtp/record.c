/*
 * record - what a session leaves in the log: one line a message at info, one
 * a connection at debug.
 */
#include "base/log.h"
#include "smtp/session.h"

/* "<a@x>,<b@y>" of those that were taken, or of all when none was. */
static void
put_rcpts(struct buf *b, const struct envelope *e)
{
	const struct rcpt *r;

	TAILQ_FOREACH (r, &e->rcpts, next) {
		if (e->n_accepted > 0 && !r->accepted)
			continue;
		(void)buf_puts(b, buf_len(b) ? ",<" : "<");
		(void)buf_add_str(b, r->path);
		(void)buf_puts(b, ">");
	}
}

static void
put_line(const struct session *s, const struct verdict *v, uint16_t code,
    const char *event)
{
	const struct transaction *t = s->t;
	struct buf to = { 0 };

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	put_rcpts(&to, &t->envelope);
	log_info(t->id, event,
	    "client=%.*s name=%s helo=\"%s\" from=\"<%s>\" to=\"%s\" rcpts=%u "
	    "size=%llu action=%s rule=\"%s\" code=%u",
	    PN_STR_ARG(t->client.ip),
	    t->client.name.n ? VIS(t->client.name) : "unknown",
	    VIS(t->client.helo), VIS(t->envelope.path), VIS(buf_str(&to)),
	    t->envelope.n_accepted, (unsigned long long)s->received,
	    verdict_action_name(v->action), VIS(v->rule), code);
	buf_fini(&to);
}

void
record_message(const struct session *s, uint16_t code)
{
	put_line(s, &s->t->verdict, code, "message");
}

void
record_abandoned(struct session *s)
{
	struct transaction *t = s->t;
	const struct verdict *v = t->rcpt_verdict.action > t->verdict.action
	    ? &t->rcpt_verdict
	    : &t->verdict;
	const struct rcpt *r;
	uint16_t code = 0;

	TAILQ_FOREACH (r, &t->envelope.rcpts, next)
		if (r->code >= 400)
			code = r->code;
	if (code == 0)
		return;
	put_line(s, v, code, "refused");
	engine_summarise(s->smtp->engine, t, code);
}

void
record_connection(const struct session *s)
{
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug(s->base->id, "connection",
		    "client=%.*s port=%u messages=%u errors=%u",
		    PN_STR_ARG(s->base->client.ip), s->base->client.port,
		    s->messages, s->errors);
}
