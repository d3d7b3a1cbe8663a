/*
 * ask_history - the control socket's `history` (protocol.h): the question
 * read, the search run a slice a turn of the loop, the page answered. Owned by
 * keeper.c; one struct a question under way.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/must.h"
#include "keeper/inside.h"
#include "keeper/protocol.h"

struct asked_history {
	LIST_ENTRY(asked_history) next;
	struct keeper *keeper;
	struct control_call *call;
	json_t *request; /* the query's texts lie in it */
	struct history_search *search;
	struct buf answer;
	struct event turn;
};

static void
search_free(struct asked_history *a)
{
	LIST_REMOVE(a, next);
	(void)event_del(&a->turn); /* assigned: cannot fail */
	history_search_free(a->search);
	json_decref(a->request);
	buf_fini(&a->answer);
	free(a);
}

void
ask_history_free_all(struct keeper *k)
{
	struct asked_history *a;

	while ((a = LIST_FIRST(&k->searches)) != NULL)
		search_free(a);
}

static void
asker_left(void *arg)
{
	search_free(arg);
}

/* ---- slices ---- */

/* Not event_active(): that would come before whatever mail is waiting. */
static void
next_turn(struct asked_history *a)
{
	must(event_add(&a->turn, &(struct timeval){ 0, 0 }) == 0);
}

static void
answer(struct asked_history *a)
{
	json_end_array(&a->answer);
	json_bool(&a->answer, "more", history_search_more(a->search));
	control_answer(a->call, &a->answer);
	search_free(a);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct asked_history *a = arg;
	struct error e;
	int got = history_search_step(a->search, &a->answer, &e);

	(void)fd;
	(void)what;
	MUST_BE(a->keeper, KEEPER);
	if (got > 0) {
		next_turn(a);
	} else if (got == 0) {
		answer(a);
	} else {
		control_refuse(a->call, EX_IOERR, "%s", e.text);
		search_free(a);
	}
}

static void
start(struct keeper *k, struct control_call *call, const json_t *request,
    struct history_search *search)
{
	struct asked_history *a = xcalloc(1, sizeof(*a));

	a->keeper = k;
	a->call = call;
	a->request = json_incref((json_t *)request);
	a->search = search;
	LIST_INSERT_HEAD(&k->searches, a, next);
	event_assign(&a->turn, loop_base(k->loop), -1, 0, on_turn, a);
	control_wait(call, asker_left, a);
	control_begin(&a->answer);
	json_begin_array(&a->answer, "messages");
	next_turn(a);
}

void
ask_history(struct keeper *k, struct control_call *call, const json_t *request)
{
	struct mail_query q;
	const char *wrong = query_read(request, CONTROL_PAGE, &q);
	struct history_search *search;
	struct error e;

	if (wrong != NULL) {
		control_refuse(call, EX_USAGE, "%s", wrong);
		return;
	}
	search = history_search_new(k->history, &q, &e);
	if (search == NULL)
		control_refuse(call, EX_IOERR, "%s", e.text);
	else
		start(k, call, request, search);
}
