/*
 * object - a verdict as one line of JSON in the log (`log_verdicts json`), for
 * programs that count and draw. Called for each message that a door has done
 * with, also those without one that were refused at RCPT.
 */
#include "engine/run.h"

#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"

#define RCPTS_MAX 100 /* named; the rest is counted */
#define RULES_MAX 100

static void
put_time(struct buf *b)
{
	struct timespec now;
	char text[40];
	struct tm tm;
	size_t n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(
	    text + n, sizeof(text) - n, ".%06ldZ", now.tv_nsec / 1000);
	json_cstr(b, "time", text);
}

static void
put_verdict(struct buf *b, const struct verdict *v, uint16_t code,
    bool mta_holds)
{
	json_cstr(b, "action", verdict_action_name(v->action));
	json_str(b, "rule", v->rule);
	if (v->action == VERDICT_QUARANTINE)
		json_str(b, "class", v->class_name);
	if (mta_holds && v->hold)
		json_cstr(b, "held", "mta");
	json_int(b, "code", code);
	if (v->reply.code != 0 && v->reply.code == code) {
		json_cstr(b, "status", v->reply.status);
		json_str(b, "text", v->reply.text);
	}
	json_bool(b, "degraded", v->degraded);
}

static void
put_client(struct buf *b, const struct client *c)
{
	json_str(b, "client", c->ip);
	json_str(b, "name", c->name);
	json_str(b, "helo", c->helo);
	json_bool(b, "authenticated", c->login.n > 0);
	json_str(b, "listener", c->listener);
}

static void
put_envelope(struct buf *b, const struct envelope *e)
{
	const struct rcpt *r;
	unsigned n = 0, refused = 0;

	json_str(b, "sender", e->address);
	json_begin_array(b, "recipients");
	TAILQ_FOREACH (r, &e->rcpts, next) {
		refused += !r->accepted;
		if (n++ < RCPTS_MAX)
			json_str(b, NULL, r->address);
	}
	json_end_array(b);
	json_int(b, "accepted", e->n_accepted);
	json_int(b, "refused", refused);
}

bool
effect_is_first(
    const struct transaction *t, const struct stage_result *at, size_t nth)
{
	const struct stage_result *s;
	unsigned order = at->rules.effects[nth].order;

	STAILQ_FOREACH (s, &t->past->results, next) {
		size_t n = s == at ? nth : s->rules.n_effects;

		for (size_t i = 0; i < n; i++)
			if (s->rules.effects[i].order == order)
				return false;
		if (s == at)
			break;
	}
	return true;
}

/* Rules that fired, or those that would have, were they not in shadow. */
static void
put_rules(
    struct buf *b, const char *key, const struct transaction *t, bool shadow)
{
	const struct stage_result *s;
	unsigned n = 0;

	json_begin_array(b, key);
	if (t->past != NULL)
		STAILQ_FOREACH (s, &t->past->results, next)
			for (size_t i = 0;
			     i < s->rules.n_effects && n < RULES_MAX; i++)
				if (s->rules.effects[i].shadow == shadow &&
				    effect_is_first(t, s, i)) {
					n++;
					json_str(
					    b, NULL, s->rules.effects[i].rule);
				}
	json_end_array(b);
}

void
log_verdict(const struct transaction *t, uint16_t code)
{
	struct buf b = { 0 };

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	json_begin_object(&b, NULL);
	put_time(&b);
	json_cstr(&b, "id", t->id);
	put_verdict(&b, final_verdict(t), code, t->door == DOOR_MILTER);
	put_client(&b, &t->client);
	put_envelope(&b, &t->envelope);
	json_int(&b, "size", t->spool ? (int64_t)spool_size(t->spool) : 0);
	json_str(&b, "policy", t->policy);
	json_int(&b, "score", t->score);
	put_rules(&b, "fired", t, false);
	put_rules(&b, "shadow", t, true);
	if (t->upstream.n > 0)
		json_str(&b, "upstream", t->upstream);
	if (t->server.n > 0)
		json_str(&b, "server", t->server);
	if (t->queue_id.n > 0)
		json_str(&b, "queue", t->queue_id);
	if (t->normalised)
		json_cstr(&b, "changed", "line-ends");
	json_end_object(&b);
	log_object(buf_str(&b));
	buf_fini(&b);
}
