/* quarantine_release - see quarantine.h: the states of a release, and when it
 * is tried again. Every step is one commit, on the disk before it is acted
 * upon: a keeper that dies finds where it stood. */
#include <stdio.h>

#include "keeper/quarantine_index.h"

/* With recipients in each of these states, the message is in that one. */
#define WORST_STATE "SELECT CASE" \
    " WHEN SUM(state = 'releasing') THEN 'releasing'" \
    " WHEN SUM(state = 'unknown') THEN 'unknown'" \
    " WHEN SUM(state = 'waiting') THEN 'waiting'" \
    " WHEN SUM(state = 'failed') THEN 'failed'" \
    " WHEN SUM(state = 'refused') THEN 'refused'" \
    " ELSE 'released' END FROM recipient WHERE recipient.id = quarantine.id"

/* A message of that id that may be released; the state is in the condition, so
 * that of two that try one does. */
static int
begin_try(struct quarantine *q, struct pn_str id,
    const struct quarantine_try *t, struct error *e)
{
	if (db_run(q->db, e, "UPDATE quarantine SET state = 'releasing',"
	    " job = ?, worker = ?, generation = ?, next_us = 0,"
	    " tries = iif(?, tries, 0) + 1, since_us = iif(?, since_us, ?)"
	    " WHERE id = ? AND state NOT IN ('releasing', 'released')",
	    "iiiiiit", (int64_t)t->job, (int64_t)t->worker,
	    (int64_t)t->generation, (int64_t)t->again, (int64_t)t->again,
	    (int64_t)t->now_us, id) < 0)
		return -1;
	if (sqlite3_changes(q->db) == 0)
		return error_set(e, "%.*s is released, or being released",
		    PN_STR_ARG(id));
	return 0;
}

int
quarantine_release(struct quarantine *q, struct pn_str id,
    const struct quarantine_try *t, struct error *e)
{
	int got;

	if (db_begin(q->db, e) < 0)
		return -1;
	got = begin_try(q, id, t, e);
	if (got == 0)
		got = db_run(q->db, e, "UPDATE recipient SET"
		    " state = 'releasing', code = 0, text = '' WHERE id = ?"
		    " AND iif(?, state IN ('waiting', 'unknown'),"
		    " state <> 'released')", "ti", id, (int64_t)t->again);
	return db_commit(q->db, got, e);
}

/* ---- what came of it ---- */

static const char *
state_of(uint16_t code)
{
	switch (code / 100) {
	case 2:
		return "released";
	case 4:
		return "waiting";
	case 5:
		return "refused";
	default:
		return "unknown";
	}
}

/* What a row says about the tries so far. */
struct tries {
	char id[32];
	bool open;	 /* some recipient has no answer yet */
	bool unfinished; /* some recipient is to be tried again */
	uint64_t tries, since_us;
};

#define TRIES "SELECT id, state = 'releasing'," \
    " state IN ('unknown', 'waiting'), tries, since_us FROM quarantine "

/* Of one row or none; ends the query. */
static int
read_tries(sqlite3_stmt *s, struct tries *t, struct error *e)
{
	int got = s != NULL ? db_step(s, e) : -1;

	*t = (struct tries){ 0 };
	if (got > 0) {
		(void)snprintf(t->id, sizeof(t->id), "%.*s",
		    PN_STR_ARG(db_str(s, 0)));
		t->open = sqlite3_column_int(s, 1) != 0;
		t->unfinished = sqlite3_column_int(s, 2) != 0;
		t->tries = (uint64_t)sqlite3_column_int64(s, 3);
		t->since_us = (uint64_t)sqlite3_column_int64(s, 4);
	}
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

static int
look_up(struct quarantine *q, uint64_t job, struct tries *t, struct error *e)
{
	return read_tries(db_query(q->db, e, TRIES "WHERE job = ?", "i",
	    (int64_t)job), t, e);
}

/* Its time is over: what waits has failed; what is unknown stays so, for it
 * may be there. */
static int
give_up(struct quarantine *q, struct pn_str id, struct error *e)
{
	if (db_run(q->db, e, "UPDATE recipient SET state = 'failed'"
	    " WHERE id = ? AND state = 'waiting'", "t", id) < 0)
		return -1;
	return db_run(q->db, e, "UPDATE quarantine SET state = (" WORST_STATE
	    "), next_us = 0 WHERE id = ?", "t", id);
}

/* When next, or never again. */
static int
plan(struct quarantine *q, const struct tries *t, uint64_t now_us,
    struct error *e)
{
	const struct keeper_settings *s = q->settings;
	uint64_t next_us;

	if (s == NULL || now_us >= t->since_us + s->release_life_ms * 1000)
		return give_up(q, pn_str_of(t->id), e);
	next_us = now_us + keeper_retry_wait_ms(s, t->tries) * 1000;
	return db_run(q->db, e, "UPDATE quarantine SET next_us = ?"
	    " WHERE id = ?", "it", (int64_t)next_us, pn_str_of(t->id));
}

int
quarantine_put_off(struct quarantine *q, struct pn_str id, uint64_t now_us,
    struct error *e)
{
	struct tries t;
	int got;

	if (db_begin(q->db, e) < 0)
		return -1;
	got = db_run(q->db, e, "UPDATE quarantine SET tries = tries + 1,"
	    " next_us = 0 WHERE id = ?", "t", id);
	if (got == 0 && (got = read_tries(db_query(q->db, e,
	    TRIES "WHERE id = ?", "t", id), &t, e)) > 0)
		got = plan(q, &t, now_us, e);
	return db_commit(q->db, got, e);
}

/* The worst of its recipients is the message's state. */
static int
conclude(struct quarantine *q, uint64_t job, uint64_t now_us, bool *finished,
    struct error *e)
{
	struct tries t;

	if (db_run(q->db, e, "UPDATE quarantine SET state = (" WORST_STATE
	    ") WHERE job = ?", "i", (int64_t)job) < 0 ||
	    look_up(q, job, &t, e) < 0)
		return -1;
	*finished = !t.open;
	return t.unfinished ? plan(q, &t, now_us, e) : 0;
}

static int
commit_reply(struct quarantine *q, uint64_t job,
    const struct keep_rcpt_outcome *o, struct error *e)
{
	return db_run(q->db, e,
	    "UPDATE recipient SET state = ?, code = ?, text = ? WHERE path = ?"
	    " AND state = 'releasing'"
	    " AND id IN (SELECT id FROM quarantine WHERE job = ?)",
	    "tissi", pn_str_of(state_of(o->code)), (int64_t)o->code, o->text,
	    o->path, (int64_t)job);
}

/* Is it the last try of a message, and not answered? Then *open. */
static int
is_open(struct quarantine *q, uint64_t job, bool *open, struct error *e)
{
	struct tries t;
	int got = look_up(q, job, &t, e);

	*open = got > 0 && t.open;
	return got < 0 ? -1 : 0;
}

int
quarantine_outcome(struct quarantine *q, uint64_t job,
    const struct keep_outcome *o, uint64_t now_us, bool *finished,
    struct error *e)
{
	bool open = false;
	int got;

	*finished = false;
	if (job == 0) /* never released: no outcome can be its */
		return error_set(e, "quarantine: an outcome of no release");
	if (db_begin(q->db, e) < 0)
		return -1;
	got = is_open(q, job, &open, e);
	for (uint32_t i = 0; open && i < o->n && got == 0; i++)
		got = commit_reply(q, job, &o->rcpts[i], e);
	if (open && got == 0)
		got = conclude(q, job, now_us, finished, e);
	else
		*finished = true; /* told twice: it was heard */
	return db_commit(q->db, got, e);
}

int
quarantine_lost(struct quarantine *q, uint64_t job, bool unsent,
    uint64_t now_us, struct error *e)
{
	bool finished;
	int got;

	if (db_begin(q->db, e) < 0)
		return -1;
	got = db_run(q->db, e, "UPDATE recipient SET state = ?"
	    " WHERE state = 'releasing' AND id IN"
	    " (SELECT id FROM quarantine WHERE job = ?)", "ti",
	    pn_str_of(unsent ? "waiting" : "unknown"), (int64_t)job);
	if (got == 0)
		got = conclude(q, job, now_us, &finished, e);
	return db_commit(q->db, got, e);
}

/* ---- what is under way, what is due ---- */

int
quarantine_releasing(struct quarantine *q, quarantine_open_take *take,
    void *arg, struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e, "SELECT id, job, worker,"
	    " generation FROM quarantine WHERE state = 'releasing'", "");
	int got = -1;

	while (s != NULL && (got = db_step(s, e)) > 0)
		if (!take(arg, db_str(s, 0),
		    (uint64_t)sqlite3_column_int64(s, 1),
		    (unsigned)sqlite3_column_int64(s, 2),
		    (unsigned)sqlite3_column_int64(s, 3)))
			break;
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got < 0 ? -1 : 0;
}

int
quarantine_next(struct quarantine *q, uint64_t *next_us, char id[32],
    struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e, "SELECT next_us, id"
	    " FROM quarantine WHERE next_us > 0 ORDER BY next_us LIMIT 1", "");
	int got = s != NULL ? db_step(s, e) : -1;

	*next_us = got > 0 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
	id[0] = '\0';
	if (got > 0)
		(void)snprintf(id, 32, "%.*s", PN_STR_ARG(db_str(s, 1)));
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got < 0 ? -1 : 0;
}
