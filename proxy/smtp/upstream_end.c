/*
 * upstream_end - the ways a connection to a next hop ends: what its owner
 * hears, the log and the counters. Called by the other files of upstream.
 */
#include <string.h>

#include "base/log.h"
#include "smtp/door.h"
#include "smtp/upstream_inside.h"

void
upstream_hang_up(struct upstream *u)
{
	resolve_cancel(u->resolve);
	u->resolve = NULL;
	upstream_dane_cancel(u);
	wire_close(&u->wire);
	buf_clear(&u->queue);
	buf_clear(&u->expected);
	u->outstanding = 0;
	u->writing = u->ended = u->out_of_step = u->doubtful = false;
	u->sure = SURE_NOT;
	u->engaged = u->challenged = false;
	u->open = u->ending = u->at_rest = u->renewing = false;
	u->step = STEP_NONE;
	u->at = UPSTREAM_DOWN;
}

/* All are away: none was dialled. */
static const char *
server_name(const struct upstream *u)
{
	return u->server != NULL ? u->server->name : "none";
}

bool
upstream_is_news(const struct upstream *u)
{
	return !u->looking || u->server == NULL ||
	    u->server->outage.failures == 0;
}

static void
give_up(struct upstream *u, const struct reply *failure, const char *why)
{
	upstream_hang_up(u);
	plan_fini(&u->plan);
	again_end(u);
	u->at = UPSTREAM_FAILED;
	u->failure = *failure;
	if (!u->looking)
		log_warn(u->id, "upstream",
		    "upstream=%s server=%s why=\"%s\" status=%s",
		    u->conf.hop->conf->name, server_name(u), why,
		    failure->status);
	u->wake_due = true;
}

void
upstream_fail(struct upstream *u, const char *status, struct pn_str text,
    const char *why)
{
	struct reply failure = { .code = 451, .text = text };
	bool dialling = u->at == UPSTREAM_DIALLING;

	memcpy(failure.status, status, strlen(status) + 1);
	count_upstream(&u->conf.hop->smtp->count, u->conf.hop->conf->name,
	    status);
	upstream_hang_up(u);
	if (!dialling || !upstream_dial_next(u))
		give_up(u, &failure, why);
}

void
upstream_fail_nobody(struct upstream *u, const struct reply *failure)
{
	count_upstream(&u->conf.hop->smtp->count, u->conf.hop->conf->name,
	    failure->status);
	give_up(u, failure, u->domain != NULL ? u->domain : "no address");
}

void
upstream_fail_dial(struct upstream *u, const char *why)
{
	if (u->renewing) { /* a kept one that is no more; no news of the server */
		upstream_dial_anew(u);
		return;
	}
	if (u->at == UPSTREAM_DIALLING)
		server_failed(u->server,
		    loop_now_ms(u->conf.loop) - u->dialled_ms, why);
	upstream_fail(u, "4.4.1", PN_STR_V("The next hop is not available"), why);
}

/* Without the codes, a line each: reply_put() puts them back. */
static void
keep_no(struct upstream *u, const struct reply_lines *r)
{
	struct pn_str rest = r->raw;

	buf_clear(&u->no);
	while (rest.n > 0) {
		const char *lf = memchr(rest.p, '\n', rest.n);
		size_t n = lf != NULL ? (size_t)(lf - rest.p) + 1 : rest.n;

		if (buf_len(&u->no) > 0)
			(void)buf_puts(&u->no, "\n");
		(void)buf_add_str(&u->no, pn_str_sub(rest, 4, n > 6 ? n - 6 : 0));
		rest = pn_str_sub(rest, n, rest.n);
	}
}

/* It is well, and is asked for the next client as if nothing had been. */
void
upstream_fail_client(struct upstream *u, const struct reply_lines *r)
{
	keep_no(u, r);
	log_info(u->id, "upstream",
	    "upstream=%s server=%s result=refused code=%u text=\"%s\"",
	    u->conf.hop->conf->name, server_name(u), r->code,
	    VIS(reply_text(r)));
	upstream_hang_up(u);
	plan_fini(&u->plan);
	again_end(u);
	u->failure = (struct reply){ .code = r->code,
		.text = buf_str(&u->no) };
	u->at = UPSTREAM_FAILED;
	u->wake_due = true;
}

void
upstream_fail_lost(struct upstream *u, const char *why)
{
	if (again_dial(u))
		return;
	upstream_fail(u, "4.4.2", PN_STR_V("The connection to the next hop was lost"),
	    why);
}

/*
 * The guard: without the configured channel the next hop would take every
 * stranger for us, and perhaps relay for him. An operator must act.
 */
void
upstream_fail_identity(
    struct upstream *u, const char *what, const struct reply_lines *r)
{
	if (r != NULL)
		log_error(u->id, "identity",
		    "upstream=%s server=%s what=\"%s\" code=%u text=\"%s\"",
		    u->conf.hop->conf->name, server_name(u), what,
		    r->code, VIS(reply_text(r)));
	else
		log_error(u->id, "identity",
		    "upstream=%s server=%s what=\"%s\"",
		    u->conf.hop->conf->name, server_name(u), what);
	upstream_fail(u, "4.3.5", PN_STR_V("Server configuration error"), what);
}

void
upstream_fail_anyhow(struct upstream *u, const char *why)
{
	if (u->at == UPSTREAM_DIALLING)
		upstream_fail_dial(u, why);
	else
		upstream_fail_lost(u, why);
}
