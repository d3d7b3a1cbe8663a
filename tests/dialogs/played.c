/*
 * played - an engine and a keeper that do what the mail itself asks for: for
 * the dialogues' doors, in place of libengine's.
 *
 * RCPT to rejected@ or later@ is refused by the rcpt stage, MAIL from
 * rejected@ by the mail stage. A first header field `X-Verdict:` says reject,
 * tempfail, quarantine, hold, discard, tag, dot (a tag whose field begins with
 * one); with `slow-` in front the engine is pending first. `X-Keeper: away`
 * and `X-Keeper: full` make the keeper fail, `X-Keeper: slow` makes it slow.
 * redirect, copy, rcpt-add, rcpt-remove and keep change who gets it, sender and
 * sender-null from whom; abroad adds somebody elsewhere. HELO early and MAIL from early@ are refused on the spot, as is the
 * connection itself where the program says so. RCPT to slow@ is answered late;
 * RCPT to other@ is told to come back alone.
 */
#include "tests/dialogs/played.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/keep.h"
#include "engine/map.h"

struct keep_ticket {
	struct event *timer;
	keep_done *done;
	void *arg;
	enum keep_result kept;
};

/* ---- the engine ---- */

struct engine_run {
	struct event *timer;
	struct transaction *t;
	bool woken;
};

static void
wake_up(evutil_socket_t fd, short what, void *arg)
{
	struct engine_run *r = arg;

	(void)fd;
	(void)what;
	r->woken = true;
	r->t->wake(r->t);
}

/* The value of the first field if it is called so. */
static struct pn_str
first_field(struct transaction *t, struct pn_str name)
{
	struct pn_str text = spool_at(t->spool, 0);
	const char *end = text.n ? memchr(text.p, '\r', text.n) : NULL;

	if (end == NULL || !pn_str_starts(text, name))
		return (struct pn_str){ 0 };
	return pn_str_sub(text, name.n, (size_t)(end - text.p) - name.n);
}

static void
decide(struct transaction *t, struct verdict *v, struct pn_str what)
{
	static const struct {
		struct pn_str word;
		struct verdict v;
	} known[] = {
		{ PN_STR("reject"), { .action = VERDICT_REJECT,
			.rule = PN_STR("r"),
			.reply = { 550, "5.7.1", PN_STR("not here") } } },
		{ PN_STR("tempfail"), { .action = VERDICT_TEMPFAIL,
			.reply = { 451, "4.7.1", PN_STR("not now") } } },
		{ PN_STR("quarantine"), { .action = VERDICT_QUARANTINE,
			.class_name = PN_STR("default") } },
		{ PN_STR("hold"), { .action = VERDICT_QUARANTINE,
			.class_name = PN_STR("hold"), .hold = true,
			.reason = PN_STR("suspicious") } },
		{ PN_STR("discard"), { .action = VERDICT_DISCARD } },
		{ PN_STR("tag"), { .action = VERDICT_TAG } },
		{ PN_STR("dot"), { .action = VERDICT_TAG } },
	};
	struct pn_str field = pn_str_eq(what, PN_STR_V("dot"))
	    ? PN_STR_V(".X-Tag")
	    : PN_STR_V("X-Tag");

	for (size_t i = 0; i < PN_COUNT(known); i++)
		if (pn_str_eq(what, known[i].word))
			*v = known[i].v;
	if (v->action == VERDICT_TAG)
		must(edits_add(&t->edits, t->arena, EDIT_HEADER_ADD,
			 field, PN_STR_V("yes")) == 0);
}

/* Who gets it: new@ instead, or too; all but b@. */
static void
change(struct transaction *t, struct pn_str what)
{
	struct envelope *onward;
	struct rcpt *r, *next;

	if (pn_str_eq(what, PN_STR_V("keep")))
		t->copy = (struct verdict){ .action = VERDICT_QUARANTINE,
			.class_name = PN_STR("copies") };
	if (what.n == 0 || memmem("redirect copy rcpt-add rcpt-remove abroad "
				  "sender sender-null", 60, what.p, what.n) ==
		NULL)
		return;
	t->onward = onward = arena_alloc(t->arena, sizeof(*onward));
	must(onward != NULL &&
	    envelope_copy(onward, &t->envelope, t->arena) == 0);
	t->verdict.action = VERDICT_TAG;
	for (r = TAILQ_FIRST(&onward->rcpts); r != NULL; r = next) {
		next = TAILQ_NEXT(r, next);
		if (pn_str_eq(what, PN_STR_V("redirect")) ||
		    (pn_str_eq(what, PN_STR_V("rcpt-remove")) &&
			pn_str_eq(r->local, PN_STR_V("b"))))
			envelope_remove_rcpt(onward, r);
	}
	if (pn_str_starts(what, PN_STR_V("sender")))
		must(envelope_set_sender(onward, t->arena,
			 what.n > 6 ? PN_STR_V("")
				    : PN_STR_V("other@example.com")) == 0);
	if (pn_str_eq(what, PN_STR_V("rcpt-remove")) ||
	    pn_str_starts(what, PN_STR_V("sender")))
		return;
	r = envelope_add_address(onward, t->arena,
	    pn_str_eq(what, PN_STR_V("abroad"))
		? PN_STR_V("new@elsewhere.example")
		: PN_STR_V("new@example.com"));
	must(r != NULL);
	r->quiet = !pn_str_eq(what, PN_STR_V("redirect"));
}

static enum engine_turn
judge(struct engine *g, struct transaction *t)
{
	struct pn_str what = first_field(t, PN_STR_V("X-Verdict: "));
	bool slow = pn_str_starts(what, PN_STR_V("slow-"));

	if (slow && t->run == NULL) {
		t->run = xcalloc(1, sizeof(*t->run));
		t->run->t = t;
		t->run->timer = evtimer_new(loop_base(g->loop), wake_up, t->run);
		must(event_add(t->run->timer, loop_timeout(g->loop, 300)) == 0);
	}
	if (slow && !t->run->woken)
		return ENGINE_PENDING;
	engine_cancel(g, t);
	decide(t, &t->verdict, slow ? pn_str_sub(what, 5, what.n) : what);
	change(t, what);
	return ENGINE_DONE;
}

enum engine_turn
engine_run(struct engine *g, struct transaction *t, enum stage stage)
{
	struct verdict no = { .action = VERDICT_ACCEPT };

	t->early = no;
	t->delay_ms = 0;
	if (stage == STAGE_MESSAGE)
		return judge(g, t);
	if (stage == STAGE_CONNECT)
		decide(t, &t->early, pn_str_of(g->early));
	if ((stage == STAGE_HELO &&
		pn_str_eq(t->client.helo, PN_STR_V("early"))) ||
	    (stage == STAGE_MAIL &&
		pn_str_eq(t->envelope.local, PN_STR_V("early"))))
		decide(t, &t->early, PN_STR_V("reject"));
	if (stage == STAGE_MAIL &&
	    pn_str_eq(t->envelope.local, PN_STR_V("rejected")))
		decide(t, &t->verdict, PN_STR_V("reject"));
	if (stage == STAGE_RCPT) {
		if (pn_str_eq(t->rcpt->local, PN_STR_V("rejected")))
			decide(t, &no, PN_STR_V("reject"));
		if (pn_str_eq(t->rcpt->local, PN_STR_V("later")))
			decide(t, &no, PN_STR_V("tempfail"));
		t->rcpt_verdict = no;
		if (pn_str_eq(t->rcpt->local, PN_STR_V("other")))
			t->rcpt_verdict = (struct verdict){
				.action = VERDICT_TEMPFAIL,
				.reply = { 452, "4.5.3",
				    PN_STR("send this recipient separately") }
			};
		if (pn_str_eq(t->rcpt->local, PN_STR_V("slow")))
			t->delay_ms = 200;
	}
	return ENGINE_DONE;
}

void
engine_cancel(struct engine *g, struct transaction *t)
{
	(void)g;
	if (t->run == NULL)
		return;
	event_free(t->run->timer);
	free(t->run);
	t->run = NULL;
}

int
engine_inherit(struct engine *g, struct transaction *to,
    const struct transaction *from)
{
	(void)g;
	to->wake = from->wake;
	to->owner = from->owner;
	to->client = from->client;
	return 0;
}

/* No milters of others are played. */
void
engine_leave(struct engine *g, struct transaction *t)
{
	(void)g;
	(void)t;
}

void
engine_ask_milters(struct engine *g, const char *hostname)
{
	(void)g;
	(void)hostname;
}

/* Nobody is looked up. */
struct dns *
engine_dns(struct engine *g)
{
	(void)g;
	return NULL;
}

struct dns *
engine_secure_dns(struct engine *g)
{
	(void)g;
	return NULL;
}

uint64_t
engine_dns_timeout_ms(const struct engine *g)
{
	(void)g;
	return 0;
}

/* Nothing stands in any map. */
enum engine_map_found
engine_map_find(struct engine *g, struct pn_str map, struct pn_str key,
    struct buf *value)
{
	(void)g;
	(void)map;
	(void)key;
	(void)value;
	return ENGINE_MAP_NONE;
}

void
engine_summarise(struct engine *g, struct transaction *t, uint16_t code)
{
	(void)g;
	log_debug(t->id, "summary", "code=%u", code);
}

/* Nobody reads what is sent to unread@. */
bool
engine_wants_body(const struct engine_conf *conf, const struct transaction *t)
{
	const struct rcpt *first = TAILQ_FIRST(&t->envelope.rcpts);

	return conf->needs.body &&
	    !(first != NULL && pn_str_eq(first->local, PN_STR_V("unread")));
}

/* ---- the keeper ---- */

static void
answer(evutil_socket_t fd, short what, void *arg)
{
	struct keep_ticket *k = arg;
	keep_done *done = k->done;
	void *to = k->arg;
	enum keep_result kept = k->kept;

	(void)fd;
	(void)what;
	keep_cancel(k);
	done(to, kept, kept == KEPT ? PN_STR_V("") : PN_STR_V("no"));
}

struct keep_ticket *
keep_submit(struct keep *k, uint32_t type, const struct keep_job *job,
    struct spool *s, const struct edit_ranges *ranges, keep_done *done,
    void *arg, struct error *e)
{
	struct keep_ticket *t = xcalloc(1, sizeof(*t));
	struct pn_str head = spool_at(s, 0);

	(void)ranges;
	(void)e;
	log_info(job->id.p, "kept", "type=%d target=%s size=%llu", (int)type,
	    VIS(job->target), (unsigned long long)job->size);
	t->kept = memmem(head.p, head.n, "X-Keeper: full", 14) ? KEPT_NO_ROOM
	    : memmem(head.p, head.n, "X-Keeper: away", 14) ? KEPT_NOT
							   : KEPT;
	t->done = done;
	t->arg = arg;
	t->timer = evtimer_new(loop_base(k->loop), answer, t);
	must(event_add(t->timer,
	    loop_timeout(k->loop,
		memmem(head.p, head.n, "X-Keeper: slow", 14) ? 200 : 1)) == 0);
	return t;
}

struct stats *
keep_stats(struct keep *k)
{
	(void)k;
	return NULL;
}

void
keep_tell_stats(struct keep *k)
{
	(void)k;
}

void
keep_cancel(struct keep_ticket *t)
{
	event_free(t->timer);
	free(t);
}

void
keep_on_release(struct keep *k, keep_release *f, void *arg)
{
	(void)k;
	(void)f;
	(void)arg;
}

void
keep_on_drain(struct keep *k, keep_drain *f, void *arg)
{
	(void)k;
	(void)f;
	(void)arg;
}

void
keep_released(struct keep *k, uint64_t job, const struct keep_outcome *o)
{
	(void)k;
	(void)job;
	(void)o;
}
