/* history - see history.h. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "keeper/history_db.h"
#include "keeper/trace.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS history("
    " id TEXT PRIMARY KEY, time_us INTEGER NOT NULL, action TEXT, rule TEXT,"
    " code INTEGER, client TEXT, sender TEXT, recipients TEXT, size INTEGER,"
    " trace TEXT) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS history_time ON history(time_us);"
    "CREATE TABLE IF NOT EXISTS suspect("
    " key BLOB PRIMARY KEY, first_us INTEGER NOT NULL, times INTEGER NOT NULL"
    ") WITHOUT ROWID;";

struct history *
history_open(const char *state_dir, struct error *e)
{
	struct history *h = xcalloc(1, sizeof(*h));
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/history.db", state_dir);
	if (db_open(&h->db, path, DB_CHECKPOINTS, schema, e) == 0)
		return h;
	history_close(h);
	return NULL;
}

void
history_close(struct history *h)
{
	if (h == NULL)
		return;
	db_close(h->db);
	free(h);
}

static int
add_one(struct history *h, const struct keep_summary *s, struct error *e)
{
	/* A worker that sends one twice (another keeper came between) is right. */
	return db_run(h->db, e,
	    "INSERT OR REPLACE INTO history(id, time_us, action, rule, code,"
	    " client, sender, recipients, size, trace)"
	    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	    "tittisssis", s->id, (int64_t)s->time_us, s->action, s->rule,
	    (int64_t)s->code, s->client_ip, s->sender, s->rcpts,
	    (int64_t)s->size, s->trace);
}

int
history_add(struct history *h, struct unpack *frame, struct error *e)
{
	struct keep_summary s;
	int got = 0;

	if (db_begin(h->db, e) < 0)
		return -1;
	while (got == 0 && frame->n > 0) {
		if (!keep_summary_unpack(&s, frame))
			got = error_set(e, "history: no summary of ours");
		else
			got = add_one(h, &s, e);
	}
	return db_commit(h->db, got, e);
}

int
history_expire(struct history *h, uint64_t days, uint64_t now_us,
    struct error *e)
{
	uint64_t keep_us = days * 86400000000ull;
	int64_t before = now_us > keep_us ? (int64_t)(now_us - keep_us) : 0;
	int gone;

	if (db_run(h->db, e, "DELETE FROM history WHERE time_us < ?", "i",
	    before) < 0)
		return -1;
	gone = sqlite3_changes(h->db);
	return db_run(h->db, e, "DELETE FROM suspect WHERE first_us <= ?", "i",
	    (int64_t)(now_us - SUSPECT_LIFE_US)) < 0 ? -1 : gone;
}

static void
put_row(sqlite3_stmt *s, struct buf *b)
{
	static const char *const texts[] = { "id", "action", "rule", "client",
		"sender", "recipients" };
	static const char *const numbers[] = { "time_us", "code", "size" };
	int at = 0;

	json_begin_object(b, "message");
	for (size_t i = 0; i < PN_COUNT(texts); i++)
		json_str(b, texts[i], db_str(s, at++));
	for (size_t i = 0; i < PN_COUNT(numbers); i++)
		json_int(b, numbers[i], sqlite3_column_int64(s, at++));
	trace_put(b, "trace", db_str(s, at));
	json_end_object(b);
}

int
history_show(struct history *h, struct pn_str id, struct buf *json,
    struct error *e)
{
	sqlite3_stmt *s = db_query(h->db, e,
	    "SELECT id, action, rule, client, sender, recipients, time_us,"
	    " code, size, trace FROM history WHERE id = ?", "t", id);
	int got = s != NULL ? db_step(s, e) : -1;

	if (got > 0)
		put_row(s, json);
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

int
history_count(struct history *h, int64_t *messages, struct error *e)
{
	return db_number(h->db, e, messages, "SELECT COUNT(*) FROM history");
}
