/*
 * ask - see ask.h. One struct a question; its answer always comes from the
 * loop, never from the asking call, so a hook's own return is heard first.
 *
 * Each has an end: DNS keeps its own time, for the others there is a timer
 * here. All end with the deadline of the module's chain entry at the latest.
 */
#include "engine/ask.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/run.h"

#define ASK_MAGIC 0x61736b31u
#define MADE_MAX 1000 /* asks of one hook and stage: it asks in a circle */

struct ask {
	uint32_t magic;
	LIST_ENTRY(ask) next;
	struct hook *hook;
	const void *arg;
	struct dns_ask *dns; /* one of these, or none: it could not be sent */
	struct service_call *service;
	struct keep_ticket *ticket;
	struct event timer; /* service, counter */
	pn_dns_cb *on_dns;  /* one of these */
	pn_reply_cb *on_reply;
	pn_count_cb *on_count;
};

/* Cancelled or answered, whichever. */
static void
ask_free(struct ask *a)
{
	MUST_BE(a, ASK);
	LIST_REMOVE(a, next);
	a->hook->n_asks--;
	if (a->dns != NULL)
		dns_cancel(a->dns);
	if (a->service != NULL)
		service_cancel(a->service);
	if (a->ticket != NULL)
		keep_cancel(a->ticket);
	(void)event_del(&a->timer); /* assigned: cannot fail */
	a->magic = 0;
	free(a);
}

void
asks_cancel(struct hook *h)
{
	struct ask *a;

	while ((a = LIST_FIRST(&h->asks)) != NULL)
		ask_free(a);
}

/* ---- answers ---- */

static void
on_dns(void *arg, const struct pn_dns *said)
{
	struct ask *a = arg;
	struct hook *h = a->hook;
	struct pn_dns answer = *said;
	pn_dns_cb *then = a->on_dns;

	a->dns = NULL;
	answer.arg = a->arg;
	ask_free(a);
	if (answer.status == PN_DNS_TIMEOUT)
		module_timed_out(h);
	hook_step(h, then(&h->mail, &answer));
}

static void
replied(struct ask *a, enum pn_reply_status status, struct pn_str bytes)
{
	struct hook *h = a->hook;
	struct pn_reply reply = { status, bytes, a->arg };
	pn_reply_cb *then = a->on_reply;

	ask_free(a);
	if (status == PN_REPLY_TIMEOUT)
		module_timed_out(h);
	hook_step(h, then(&h->mail, &reply));
}

static void
counted(struct ask *a, bool known, int64_t value, uint64_t age_ms)
{
	struct hook *h = a->hook;
	struct pn_count count = { known, value, age_ms, a->arg };
	pn_count_cb *then = a->on_count;

	ask_free(a);
	hook_step(h, then(&h->mail, &count));
}

static void
on_service(void *arg, enum pn_reply_status status, struct pn_str bytes)
{
	struct ask *a = arg;

	MUST_BE(a, ASK);
	a->service = NULL;
	replied(a, status, bytes);
}

static void
on_number(void *arg, bool known, int64_t value, uint64_t age_ms)
{
	struct ask *a = arg;

	MUST_BE(a, ASK);
	a->ticket = NULL;
	counted(a, known, value, age_ms);
}

/* Its time is over, or it could not be sent at all. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;

	(void)fd;
	(void)what;
	MUST_BE(a, ASK);
	if (a->on_reply != NULL) {
		replied(a, PN_REPLY_TIMEOUT, PN_STR_V(""));
		return;
	}
	if (a->ticket != NULL)
		module_timed_out(a->hook);
	counted(a, false, 0, 0);
}

/* ---- asking ---- */

/* Milliseconds that are left; 0: it may not ask. */
static uint64_t
time_left(struct pn_mail *m, struct hook **h)
{
	uint64_t now;

	*h = (struct hook *)m;
	if (m->content || (*h)->ending) {
		m->dropped++; /* .inspect, .end: nobody could hear the answer */
		return 0;
	}
	now = loop_now_ms((*h)->engine->loop);
	if ((*h)->n_asks == PN_ASKS_MAX || (*h)->made == MADE_MAX ||
	    now >= (*h)->deadline_ms) {
		log_warn((*h)->t ? (*h)->t->id : "", "module",
		    "module=%s ask=refused why=\"%s\"",
		    m->chain->modules[m->module].filter->name,
		    now >= (*h)->deadline_ms ? "past its deadline"
					     : "too many of them");
		return 0;
	}
	return (*h)->deadline_ms - now;
}

static struct ask *
ask_new(struct hook *h, const void *arg)
{
	struct ask *a = xcalloc(1, sizeof(*a));

	a->magic = ASK_MAGIC;
	a->hook = h;
	a->arg = arg;
	event_assign(&a->timer, loop_base(h->engine->loop), -1, 0, on_timer, a);
	LIST_INSERT_HEAD(&h->asks, a, next);
	h->n_asks++;
	h->made++;
	return a;
}

static void
limit(struct ask *a, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	must(event_add(&a->timer, &tv) == 0);
}

static enum pn_step
ask_dns(struct pn_mail *m, enum dns_type type, struct pn_str name,
    pn_dns_cb *then, const void *arg)
{
	struct hook *h;
	uint64_t ms = time_left(m, &h);
	struct ask *a;

	if (ms == 0)
		return PN_FAIL;
	if (ms > h->engine->conf->dns_timeout_ms)
		ms = h->engine->conf->dns_timeout_ms;
	a = ask_new(h, arg);
	a->on_dns = then;
	a->dns = dns_ask(h->engine->dns, type, name, ms, on_dns, a);
	return PN_PENDING;
}

enum pn_step
pn_ask_dns_a(struct pn_mail *m, struct pn_str name, pn_dns_cb *then,
    const void *arg)
{
	return ask_dns(m, DNS_A, name, then, arg);
}

enum pn_step
pn_ask_dns_aaaa(struct pn_mail *m, struct pn_str name, pn_dns_cb *then,
    const void *arg)
{
	return ask_dns(m, DNS_AAAA, name, then, arg);
}

enum pn_step
pn_ask_dns_ptr(struct pn_mail *m, struct pn_str ip, pn_dns_cb *then,
    const void *arg)
{
	return ask_dns(m, DNS_PTR, ip, then, arg);
}

enum pn_step
pn_ask_dns_txt(struct pn_mail *m, struct pn_str name, pn_dns_cb *then,
    const void *arg)
{
	return ask_dns(m, DNS_TXT, name, then, arg);
}

enum pn_step
pn_ask_service(struct pn_mail *m, const struct pn_request *r,
    pn_reply_cb *then, const void *arg)
{
	struct hook *h;
	uint64_t ms = time_left(m, &h);
	struct ask *a;

	if (ms == 0 || r->service == NULL || r->whole == NULL)
		return PN_FAIL;
	a = ask_new(h, arg);
	a->on_reply = then;
	limit(a, ms);
	a->service = service_ask(h->engine->services, r, on_service, a);
	return PN_PENDING;
}

/* In .end, or where the module does not want to know. */
static enum pn_step
count_only(struct pn_mail *m, const struct keep_counter *c)
{
	struct hook *h = (struct hook *)m;

	if (m->content) {
		m->dropped++;
		return PN_FAIL;
	}
	return keep_count_only(h->engine->keep, c) ? PN_NEXT : PN_FAIL;
}

enum pn_step
pn_ask_count(struct pn_mail *m, struct pn_str key, int64_t add,
    uint64_t life_ms, pn_count_cb *then, const void *arg)
{
	struct keep_counter c = { .key = key, .add = add, .life_ms = life_ms,
		.module = pn_str_of(
		    m->chain->modules[m->module].filter->name) };
	struct hook *h;
	struct ask *a;
	uint64_t ms;

	if (then == NULL)
		return count_only(m, &c);
	if ((ms = time_left(m, &h)) == 0)
		return PN_FAIL;
	a = ask_new(h, arg);
	a->on_count = then;
	a->ticket = keep_count(h->engine->keep, &c, on_number, a);
	if (a->ticket != NULL)
		limit(a, ms);
	else
		event_active(&a->timer, EV_TIMEOUT, 0);
	return PN_PENDING;
}
