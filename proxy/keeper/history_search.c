/*
 * history_search - see history.h: which messages an operator means. Lines are
 * read from the newest back and looked at one by one, SLICE at a time: an
 * index a column would cost each message more than a search costs now and
 * then, and nobody knows what will be asked for.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "keeper/history_db.h"

#define SLICE 2000 /* lines; some milliseconds */

struct history_search {
	struct history *history;
	struct mail_query query;
	int64_t at_us; /* we are behind this line: its time */
	struct buf at_id; /* ... and id, for those of one time */
	unsigned found;
	bool more;
};

static bool
matches(const struct mail_query *q, sqlite3_stmt *s)
{
	const struct mail_row row = { .sender = db_str(s, HISTORY_SENDER),
		.client = db_str(s, HISTORY_CLIENT),
		.subject = db_str(s, HISTORY_SUBJECT) };

	return query_is_or_any(q->action, db_str(s, HISTORY_ACTION)) &&
	    (query_is_or_any(q->rule, db_str(s, HISTORY_RULE)) ||
		query_is_or_any(q->rule, db_str(s, HISTORY_WOULD_RULE))) &&
	    query_is_or_any(q->would, db_str(s, HISTORY_WOULD)) &&
	    query_is_or_any(q->policy, db_str(s, HISTORY_POLICY)) &&
	    query_is_or_any(q->upstream, db_str(s, HISTORY_UPSTREAM)) &&
	    (q->server.n == 0 ||
		match_text(q->server, db_str(s, HISTORY_SERVER))) &&
	    query_holds(q, &row) &&
	    (q->to.n == 0 ||
		match_addresses(q->to, db_str(s, HISTORY_RECIPIENTS)));
}

/* Where the page before this one ended. An id that is gone meanwhile: there
 * is nothing older either. */
static int
begin_behind(struct history_search *x, struct error *e)
{
	sqlite3_stmt *s = db_query(x->history->db, e,
	    "SELECT time_us FROM history WHERE id = ?", "t", x->query.before);
	int got = s != NULL ? db_step(s, e) : -1;
	int64_t at_us;

	at_us = got > 0 ? sqlite3_column_int64(s, 0) : 0;
	if (at_us < x->at_us) {
		x->at_us = at_us;
		(void)buf_add_str(&x->at_id, x->query.before); /* no cap */
	}
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got < 0 ? -1 : 0;
}

struct history_search *
history_search_new(struct history *h, const struct mail_query *q,
    struct error *e)
{
	struct history_search *x = xcalloc(1, sizeof(*x));

	x->history = h;
	x->query = *q;
	x->at_us = q->until_us > 0 ? (int64_t)q->until_us : INT64_MAX;
	if (q->before.n > 0 && begin_behind(x, e) < 0) {
		history_search_free(x);
		return NULL;
	}
	return x;
}

static void
put(struct history_search *x, sqlite3_stmt *s, struct buf *json)
{
	json_begin_object(json, NULL);
	history_put_line(s, json);
	json_end_object(json);
	x->found++;
}

/* One line: false when the page is full. */
static bool
look_at(struct history_search *x, sqlite3_stmt *s, struct buf *json)
{
	if (matches(&x->query, s)) {
		if (x->found == x->query.limit) {
			x->more = true;
			return false;
		}
		put(x, s, json);
	}
	x->at_us = sqlite3_column_int64(s, HISTORY_TIME);
	buf_clear(&x->at_id);
	(void)buf_add_str(&x->at_id, db_str(s, HISTORY_ID)); /* no cap */
	return true;
}

int
history_search_step(struct history_search *x, struct buf *json,
    struct error *e)
{
	sqlite3_stmt *s = db_query(x->history->db, e,
	    "SELECT " HISTORY_COLUMNS " FROM history"
	    " WHERE (time_us, id) < (?, ?) AND time_us >= ?"
	    " ORDER BY time_us DESC, id DESC LIMIT ?", "itii", x->at_us,
	    buf_str(&x->at_id), (int64_t)x->query.since_us, (int64_t)SLICE);
	int got = -1, lines = 0;

	while (s != NULL && (got = db_step(s, e)) > 0 && look_at(x, s, json))
		lines++;
	(void)sqlite3_finalize(s); /* repeats the step's error */
	if (got < 0)
		return -1;
	return got == 0 && lines == SLICE;
}

bool
history_search_more(const struct history_search *x)
{
	return x->more;
}

void
history_search_free(struct history_search *x)
{
	if (x == NULL)
		return;
	buf_fini(&x->at_id);
	free(x);
}
