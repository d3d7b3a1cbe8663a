/* state - see state.h. */
#include "keeper/state.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "keeper/db.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS counter("
    " module BLOB NOT NULL, key BLOB NOT NULL, value INTEGER NOT NULL,"
    " first_us INTEGER NOT NULL, until_us INTEGER NOT NULL,"
    " PRIMARY KEY(module, key)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS counter_until ON counter(until_us);";

struct state {
	sqlite3 *db;
	bool open; /* a transaction is */
	int64_t n, max;
};

struct state *
state_open(const char *state_dir, int64_t max, struct error *e)
{
	struct state *s = xcalloc(1, sizeof(*s));
	char path[PATH_MAX];

	s->max = max;
	(void)snprintf(path, sizeof(path), "%s/state.db", state_dir);
	if (db_open(&s->db, path, DB_CHECKPOINTS, schema, e) == 0 &&
	    db_number(s->db, e, &s->n, "SELECT COUNT(*) FROM counter") == 0)
		return s;
	state_close(s);
	return NULL;
}

void
state_close(struct state *s)
{
	struct error ignored; /* nobody is left to hear it */

	if (s == NULL)
		return;
	(void)state_flush(s, &ignored);
	db_close(s->db);
	free(s);
}

int
state_flush(struct state *s, struct error *e)
{
	if (!s->open)
		return 0;
	s->open = false;
	return db_commit(s->db, 0, e);
}

static int
begin(struct state *s, struct error *e)
{
	if (s->open)
		return 0;
	if (db_begin(s->db, e) < 0)
		return -1;
	s->open = true;
	return 0;
}

/* 1: there is one that is not over. */
static int
look(struct state *s, const struct keep_counter *c, uint64_t now_us,
    int64_t *value, uint64_t *first_us, struct error *e)
{
	sqlite3_stmt *q = db_query(s->db, e, "SELECT value, first_us FROM"
	    " counter WHERE module = ? AND key = ? AND until_us > ?", "ssi",
	    c->module, c->key, (int64_t)now_us);
	int got = q != NULL ? db_step(q, e) : -1;

	*value = got > 0 ? sqlite3_column_int64(q, 0) : 0;
	*first_us = got > 0 ? (uint64_t)sqlite3_column_int64(q, 1) : now_us;
	(void)sqlite3_finalize(q); /* repeats the step's error */
	return got;
}

/* Room for one more: a hundredth goes, so that the next ones find some. */
static int
make_room(struct state *s, struct error *e)
{
	if (s->n < s->max)
		return 0;
	if (db_run(s->db, e, "DELETE FROM counter WHERE (module, key) IN"
	    " (SELECT module, key FROM counter ORDER BY until_us LIMIT ?)", "i",
	    s->max / 100 + 1) < 0)
		return -1;
	s->n -= sqlite3_changes(s->db);
	return 0;
}

static int
create(struct state *s, const struct keep_counter *c, uint64_t now_us,
    struct error *e)
{
	uint64_t life_ms = c->life_ms < STATE_LIFE_MAX_MS ? c->life_ms
							  : STATE_LIFE_MAX_MS;

	/* One that is over may still stand there under that name. */
	if (db_run(s->db, e, "DELETE FROM counter WHERE module = ? AND key = ?",
	    "ss", c->module, c->key) < 0)
		return -1;
	s->n -= sqlite3_changes(s->db);
	if (make_room(s, e) < 0 || db_run(s->db, e, "INSERT INTO counter"
	    "(module, key, value, first_us, until_us) VALUES(?, ?, ?, ?, ?)",
	    "ssiii", c->module, c->key, c->add, (int64_t)now_us,
	    (int64_t)(now_us + life_ms * 1000)) < 0)
		return -1;
	s->n++;
	return 0;
}

static int
add(struct state *s, const struct keep_counter *c, int64_t *value,
    struct error *e)
{
	int64_t sum;

	if (__builtin_add_overflow(*value, c->add, &sum))
		sum = c->add > 0 ? INT64_MAX : INT64_MIN;
	*value = sum;
	return db_run(s->db, e, "UPDATE counter SET value = ? WHERE module = ?"
	    " AND key = ?", "iss", sum, c->module, c->key);
}

int
state_count(struct state *s, const struct keep_counter *c, uint64_t now_us,
    int64_t *value, uint64_t *age_ms, struct error *e)
{
	uint64_t first_us;
	int got;

	if (begin(s, e) < 0)
		return -1;
	got = look(s, c, now_us, value, &first_us, e);
	*age_ms = now_us > first_us ? (now_us - first_us) / 1000 : 0;
	if (got < 0 || c->add == 0)
		return got < 0 ? -1 : 0;
	if (got > 0)
		return add(s, c, value, e);
	*value = c->add;
	return create(s, c, now_us, e);
}

int
state_expire(struct state *s, uint64_t now_us, struct error *e)
{
	int gone;

	if (db_run(s->db, e, "DELETE FROM counter WHERE until_us <= ?", "i",
	    (int64_t)now_us) < 0)
		return -1;
	gone = sqlite3_changes(s->db);
	s->n -= gone;
	return gone;
}
