/* record - see record.h. */
#include "engine/record.h"

#include "base/log.h"

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

/* What else rules found and did; nothing where there is nothing to say. */
static void
put_rules(struct buf *b, const struct transaction *t)
{
	if (t->policy.n > 0)
		(void)buf_printf(b, " policy=%s", VIS(t->policy));
	if (t->client.login.n > 0 && t->door == DOOR_SMTP)
		(void)buf_printf(b, " login=\"%s\"", VIS(t->client.login));
	if (t->score != 0)
		(void)buf_printf(b, " score=%lld", (long long)t->score);
	if (t->would.action != VERDICT_ACCEPT)
		(void)buf_printf(b, " would=\"%s:%s\"",
		    verdict_action_name(t->would.action), VIS(t->would.rule));
	if (t->onward != NULL) {
		struct buf to = { 0 };

		put_rcpts(&to, t->onward);
		(void)buf_printf(b, " onward=\"%s\"", VIS(buf_str(&to)));
		buf_fini(&to);
	}
	if (transaction_sender_changed(t))
		(void)buf_printf(
		    b, " onward_from=\"<%s>\"", VIS(t->onward->path));
	if (t->copy.action == VERDICT_QUARANTINE)
		(void)buf_printf(b, " copy=%s:%s", VIS(t->copy.class_name),
		    VIS(t->copy.rule));
	if (t->normalised)
		(void)buf_puts(b, " changed=line-ends");
	if (t->notes.n > 0)
		(void)buf_printf(b, " note=\"%s\"", VIS(t->notes));
}

static void
put_next_hop(struct buf *b, const struct transaction *t)
{
	if (t->upstream.n > 0)
		(void)buf_printf(b, " upstream=%s", VIS(t->upstream));
	if (t->server.n > 0)
		(void)buf_printf(b, " server=%s", VIS(t->server));
}

/* Nothing of the proxy's. */
static void
put_door(struct buf *b, const struct transaction *t)
{
	if (t->door == DOOR_SMTP)
		return;
	(void)buf_puts(b, " door=milter");
	if (t->queue_id.n > 0)
		(void)buf_printf(b, " queue=%s", VIS(t->queue_id));
	if (t->verdict.hold) /* and not by the keeper */
		(void)buf_puts(b, " held=mta");
	if (t->partial) /* size= is that of the header */
		(void)buf_puts(b, " body=unasked");
}

static void
put_line(const struct transaction *t, const struct verdict *v, uint64_t size,
    uint16_t code, const char *event)
{
	struct buf to = { 0 }, rest = { 0 };

	if (!log_wants_own())
		return;
	put_rcpts(&to, &t->envelope);
	put_next_hop(&rest, t);
	put_rules(&rest, t);
	put_door(&rest, t);
	log_info(t->id, event,
	    "client=%.*s name=%s helo=\"%s\" from=\"<%s>\" to=\"%s\" rcpts=%u "
	    "size=%llu action=%s rule=\"%s\" code=%u%.*s",
	    PN_STR_ARG(t->client.ip),
	    t->client.name.n ? VIS(t->client.name) : "unknown",
	    VIS(t->client.helo), VIS(t->envelope.path), VIS(buf_str(&to)),
	    t->envelope.n_accepted, (unsigned long long)size,
	    verdict_action_name(v->action), VIS(v->rule), code,
	    PN_STR_ARG(buf_str(&rest)));
	buf_fini(&to);
	buf_fini(&rest);
}

void
record_message(const struct transaction *t, uint64_t size, uint16_t code)
{
	put_line(t, &t->verdict, size, code, "message");
}

void
record_early(struct engine *g, struct transaction *t, uint16_t code)
{
	put_line(t, &t->early, 0, code, "refused");
	buf_clear(&t->trace); /* of a name that was refused before this one */
	engine_summarise(g, t, code);
}

void
record_abandoned(struct engine *g, struct transaction *t)
{
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
	put_line(t, v, 0, code, "refused");
	engine_summarise(g, t, code);
}

void
record_connection(
    const struct transaction *base, unsigned messages, unsigned errors)
{
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug(base->id, "connection",
		    "client=%.*s port=%u messages=%u errors=%u",
		    PN_STR_ARG(base->client.ip), base->client.port, messages,
		    errors);
}
