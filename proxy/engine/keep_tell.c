/*
 * keep_tell - what a keeper is told without having asked: a summary of each
 * mail, this worker's counters, what is said of modules. Nobody waits for it:
 * summaries are dropped, and counted, where no keeper listens; of the others a
 * new keeper hears all.
 *
 * Summaries gather in one frame until it is full or FLUSH_MS old. Called by the
 * engine and the doors, and by keep.c as keepers come and go.
 */
#include "engine/keep_inside.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#define FLUSH_BYTES (64 * 1024)
#define FLUSH_MS 200

/* What is said of a module or its part. */
struct said {
	STAILQ_ENTRY(said) next;
	char *module, *part, *text;
	uint64_t time_us;
	bool changed; /* since the keeper heard of it */
};

/* ---- summaries ---- */

static void
flush(struct keep *k)
{
	(void)event_del(&k->flush); /* assigned: cannot fail */
	if (k->ipc == NULL || buf_len(&k->summaries) == 0)
		return;
	if (ipc_queued(k->ipc) > BEHIND_MAX ||
	    !ipc_send(k->ipc, KEEP_VERDICT, 0, buf_data(&k->summaries),
	    buf_len(&k->summaries), -1))
		k->dropped++;
	buf_clear(&k->summaries);
	if (k->dropped > 0)
		log_warn("", "history-dropped", "batches=%llu",
		    (unsigned long long)k->dropped);
	k->dropped = 0;
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

/* A trace that has no room in a frame is named, not cut: half a JSON text
 * explains nothing. */
static void
pack_fitting(const struct keep_summary *s, struct buf *b)
{
	struct keep_summary shorter = *s;
	char note[80];

	keep_summary_pack(s, b);
	if (buf_len(b) <= IPC_MAX)
		return;
	buf_clear(b);
	(void)snprintf(note, sizeof(note), "{\"omitted\":%zu}", s->trace.n);
	shorter.trace = pn_str_of(note);
	shorter.rcpts = pn_str_sub(s->rcpts, 0, FLUSH_BYTES / 2);
	keep_summary_pack(&shorter, b);
}

void
keep_summary(struct keep *k, const struct keep_summary *s)
{
	struct buf one = { 0 };

	if (k == NULL)
		return;
	MUST_BE(k, KEEP);
	pack_fitting(s, &one);
	if (buf_len(&k->summaries) + buf_len(&one) > FLUSH_BYTES) {
		flush(k);
		if (buf_len(&k->summaries) > 0) { /* no keeper: nobody waits */
			k->dropped++;
			buf_clear(&k->summaries);
		}
	}
	if (buf_len(&k->summaries) == 0)
		must(event_add(&k->flush, loop_timeout(k->loop, FLUSH_MS)) == 0);
	(void)buf_add_str(&k->summaries, buf_str(&one)); /* no cap */
	buf_fini(&one);
}

/* ---- counters ---- */

struct stats *
keep_stats(struct keep *k)
{
	return k ? k->stats : NULL;
}

static void
send_stats(struct keep *k, struct buf *b)
{
	if (buf_len(b) > 0)
		(void)ipc_send(k->ipc, KEEP_STATS, 0, buf_data(b), buf_len(b),
		    -1); /* gone: the next keeper hears it all */
	buf_clear(b);
}

/* A keeper that is behind hears of it the next time. */
void
keep_tell_stats(struct keep *k)
{
	struct stat_series *s;
	struct buf b = { 0 };

	if (k == NULL || k->ipc == NULL || ipc_queued(k->ipc) > BEHIND_MAX)
		return;
	MUST_BE(k, KEEP);
	for (size_t i = 0; (s = stats_at(k->stats, i)) != NULL; i++) {
		if (!s->changed)
			continue;
		s->changed = false;
		keep_stat_pack(&(struct keep_stat){ pn_str_of(s->name),
		    pn_str_of(s->labels), s->gauge, s->value }, &b);
		if (buf_len(&b) > FLUSH_BYTES)
			send_stats(k, &b);
	}
	send_stats(k, &b);
	buf_fini(&b);
}

static void
tell_all_stats(struct keep *k)
{
	struct stat_series *s;

	for (size_t i = 0; (s = stats_at(k->stats, i)) != NULL; i++)
		s->changed = true;
	keep_tell_stats(k);
}

/* ---- what is said of modules ---- */

static struct said *
said_of(struct keep *k, struct pn_str module, struct pn_str part)
{
	struct said *s;

	STAILQ_FOREACH (s, &k->said, next)
		if (pn_str_eq(module, pn_str_of(s->module)) &&
		    pn_str_eq(part, pn_str_of(s->part)))
			return s;
	if (k->n_said == KEEP_SAID_MAX)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->module = xstrndup(module);
	s->part = xstrndup(part);
	k->n_said++;
	STAILQ_INSERT_TAIL(&k->said, s, next);
	return s;
}

bool
keep_say(struct keep *k, struct pn_str module, struct pn_str part,
    struct pn_str text)
{
	struct timespec now;
	struct said *s = k != NULL ? said_of(k, module, part) : NULL;
	bool other;

	if (s == NULL)
		return false;
	other = s->text == NULL ? text.n > 0
				: !pn_str_eq(text, pn_str_of(s->text));
	if (!other && part.n > 0)
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	free(s->text);
	s->text = xstrndup(text);
	s->time_us = (uint64_t)now.tv_sec * 1000000 +
	    (uint64_t)now.tv_nsec / 1000;
	s->changed = true;
	return other;
}

static void
tell_said(struct keep *k)
{
	struct buf b = { 0 };
	struct said *s;

	if (k->ipc == NULL || ipc_queued(k->ipc) > BEHIND_MAX)
		return;
	STAILQ_FOREACH (s, &k->said, next) {
		if (!s->changed)
			continue;
		s->changed = false;
		keep_said_pack(&(struct keep_said){ pn_str_of(s->module),
		    pn_str_of(s->part), pn_str_of(s->text), s->time_us }, &b);
		if (buf_len(&b) < FLUSH_BYTES && STAILQ_NEXT(s, next) != NULL)
			continue;
		(void)ipc_send(k->ipc, KEEP_SAID, 0, buf_data(&b), buf_len(&b),
		    -1); /* gone: the next keeper hears it all */
		buf_clear(&b);
	}
	if (buf_len(&b) > 0)
		(void)ipc_send(k->ipc, KEEP_SAID, 0, buf_data(&b), buf_len(&b),
		    -1); /* likewise */
	buf_fini(&b);
}

static void
tell_all_said(struct keep *k)
{
	struct said *s;

	STAILQ_FOREACH (s, &k->said, next)
		s->changed = true;
	tell_said(k);
}

static void
said_free(struct keep *k)
{
	struct said *s;

	while ((s = STAILQ_FIRST(&k->said)) != NULL) {
		STAILQ_REMOVE_HEAD(&k->said, next);
		free(s->module);
		free(s->part);
		free(s->text);
		free(s);
	}
}

static void
on_count(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	keep_tell_stats(arg);
	tell_said(arg);
}

/* ---- all of it ---- */

void
keep_tell_init(struct keep *k)
{
	k->stats = stats_new();
	STAILQ_INIT(&k->said);
	event_assign(&k->flush, loop_base(k->loop), -1, 0, on_flush, k);
	event_assign(&k->count, loop_base(k->loop), -1, EV_PERSIST, on_count, k);
	must(event_add(&k->count, loop_timeout(k->loop, KEEP_STATS_MS)) == 0);
}

void
keep_tell_all(struct keep *k)
{
	tell_all_stats(k);
	tell_all_said(k);
	flush(k);
}

void
keep_tell_fini(struct keep *k)
{
	flush(k);
	keep_tell_stats(k);
	tell_said(k);
	(void)event_del(&k->flush); /* assigned: cannot fail */
	(void)event_del(&k->count);
	stats_free(k->stats);
	said_free(k);
	buf_fini(&k->summaries);
}
