/* kept - see kept.h. */
#include "smtp/kept.h"

#include "smtp/door.h"
#include "smtp/upstream_inside.h"

#define REST_MS 1000

void
kept_init(struct kept *k)
{
	*k = (struct kept){ .all = TAILQ_HEAD_INITIALIZER(k->all) };
}

static void
take_off(struct upstream *u)
{
	struct kept *k = &u->server->kept;

	TAILQ_REMOVE(&k->all, u, next);
	k->n--;
	u->kept = false;
}

static void
drop(struct upstream *u)
{
	take_off(u);
	upstream_free(u);
}

/* Nobody took it at once. False: it has waited long enough. */
static bool
grows_old(struct upstream *u)
{
	const struct smtp_upstream *c = u->conf.hop->conf;

	if (u->old || u->server->kept.n > c->keep ||
	    c->keep_idle_ms <= REST_MS)
		return false;
	u->old = true;
	u->at_rest = false;
	upstream_arm(u);
	return true;
}

/* It was closed, its time is over, or a warm one was greeted. */
static void
woken(void *arg)
{
	struct upstream *u = arg;

	if (u->at == UPSTREAM_DIALLING)
		return;
	if (u->at == UPSTREAM_READY && !u->at_rest)
		upstream_arm(u);
	else if (u->at != UPSTREAM_READY || !grows_old(u))
		drop(u);
}

uint64_t
kept_patience(const struct upstream *u)
{
	return u->old ? u->conf.hop->conf->keep_idle_ms - REST_MS : REST_MS;
}

static void
put_on(struct upstream *u, struct kept *k)
{
	u->conf.wake = woken;
	u->conf.arg = u;
	u->kept = true;
	TAILQ_INSERT_HEAD(&k->all, u, next);
	k->n++;
}

void
kept_give(struct upstream *u)
{
	struct kept *k;

	if (u == NULL)
		return;
	if (!upstream_may_serve(u) || u->server->kept.closed ||
	    u->server->draining) {
		upstream_free(u);
		return;
	}
	k = &u->server->kept;
	if (k->n >= u->conf.hop->conf->keep &&
	    TAILQ_LAST(&k->all, kept_list)->old)
		drop(TAILQ_LAST(&k->all, kept_list));
	u->at_rest = u->holding = u->old = false;
	put_on(u, k);
	upstream_arm(u);
}

struct upstream *
kept_take(struct server *s, struct pn_str helo)
{
	struct upstream *u, *best = NULL;

	TAILQ_FOREACH (u, &s->kept.all, next) {
		if (u->at != UPSTREAM_READY || u->outstanding > 0)
			continue;
		if (best == NULL)
			best = u;
		if (!pn_str_eq(helo, buf_str(&u->told)))
			continue;
		best = u;
		break;
	}
	if (best != NULL)
		take_off(best);
	return best;
}

static void
warm(struct server *s)
{
	struct smtp *smtp = s->hop->smtp;
	struct upstream *u = upstream_new(&(struct upstream_conf){
	    .loop = smtp->loop, .hop = s->hop,
	    .hostname = smtp->conf->hostname });

	upstream_probe(u, s, pn_str_of(smtp->conf->hostname));
	if (u->at == UPSTREAM_DIALLING)
		put_on(u, &s->kept);
	else
		upstream_free(u);
}

/* Each time a mail comes, so that an idle gateway holds none. */
void
kept_warm(struct hop *hop)
{
	struct server *s;

	if (hop->conf->mx)
		return; /* whoever it was may never hear of us again */
	TAILQ_FOREACH (s, &hop->servers, next)
		while (!s->draining && !s->kept.closed && s->outage.failures == 0 &&
		    s->kept.n < hop->conf->warm) {
			unsigned before = s->kept.n;

			warm(s);
			if (s->kept.n == before)
				break;
		}
}

void
kept_empty(struct kept *k)
{
	struct upstream *u;

	while ((u = TAILQ_FIRST(&k->all)) != NULL)
		drop(u);
}

void
kept_close(struct kept *k)
{
	k->closed = true;
	kept_empty(k);
}
