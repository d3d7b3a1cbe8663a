/* history - see history.h: the file, what is written and what goes again.
 * Searching stands in history_search.c. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "keeper/history_db.h"
#include "keeper/trace.h"

#define DAY_US 86400000000ull

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS history("
    " id TEXT PRIMARY KEY, time_us INTEGER NOT NULL, action TEXT, rule TEXT,"
    " code INTEGER, client TEXT, sender TEXT, recipients TEXT, size INTEGER,"
    " subject TEXT, policy TEXT, score INTEGER, would TEXT, would_rule TEXT,"
    " upstream TEXT, server TEXT"
    ") WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS history_time ON history(time_us);"
    "CREATE TABLE IF NOT EXISTS trace("
    " id TEXT PRIMARY KEY, json TEXT) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS suspect("
    " key BLOB PRIMARY KEY, first_us INTEGER NOT NULL, times INTEGER NOT NULL"
    ") WITHOUT ROWID;";

/* The first version kept traces in the lines, */
static const char *const split_traces[] = {
	("INSERT OR REPLACE INTO trace SELECT id, trace FROM history"
	 " WHERE trace <> ''"),
	"ALTER TABLE history DROP COLUMN trace",
	"ALTER TABLE history ADD COLUMN subject TEXT",
	"ALTER TABLE history ADD COLUMN policy TEXT",
	"ALTER TABLE history ADD COLUMN score INTEGER",
	NULL
};

/* ... and knew nothing of what would have become of a message, */
static const char *const add_would[] = {
	"ALTER TABLE history ADD COLUMN would TEXT",
	"ALTER TABLE history ADD COLUMN would_rule TEXT",
	NULL
};

/* ... nor to whom it went. */
static const char *const add_next_hop[] = {
	"ALTER TABLE history ADD COLUMN upstream TEXT",
	"ALTER TABLE history ADD COLUMN server TEXT",
	NULL
};

static int
run_steps(sqlite3 *db, const char *const *steps, struct error *e)
{
	int got = db_begin(db, e);

	if (got < 0)
		return -1;
	for (; *steps != NULL && got == 0; steps++)
		got = db_run(db, e, *steps, "");
	return db_commit(db, got, e);
}

/* A file of any version before, in the order in which these came. */
static int
upgrade(sqlite3 *db, struct error *e)
{
	static const struct {
		const char *column; /* and it is due */
		int there;          /* ... when it is there, or is not */
		const char *const *steps;
	} versions[] = { { "trace", 1, split_traces },
		{ "would", 0, add_would }, { "upstream", 0, add_next_hop } };

	for (size_t i = 0; i < PN_COUNT(versions); i++) {
		int has = db_has_column(db, "history", versions[i].column, e);

		if (has < 0 || (has == versions[i].there &&
				   run_steps(db, versions[i].steps, e) < 0))
			return -1;
	}
	return 0;
}

struct history *
history_open(const char *state_dir, struct error *e)
{
	struct history *h = xcalloc(1, sizeof(*h));
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/history.db", state_dir);
	if (db_open(&h->db, path, DB_CHECKPOINTS, schema, e) == 0 &&
	    upgrade(h->db, e) == 0)
		return h;
	history_close(h);
	return NULL;
}

void
history_close(struct history *h)
{
	if (h == NULL)
		return;
	(void)sqlite3_finalize(h->add_line); /* repeats the last error */
	(void)sqlite3_finalize(h->add_trace);
	db_close(h->db);
	free(h);
}

/* ---- writing ---- */

/* With a score of nobody the column is NULL. */
static int
add_line(struct history *h, const struct keep_summary *s, bool text,
    struct error *e)
{
	struct pn_str subject = text ? s->subject : PN_STR_V("");

	/* A worker that sends one twice (another keeper came between) is right. */
	return db_again(h->db, &h->add_line, e,
	    "INSERT OR REPLACE INTO history(id, time_us, action, rule, code,"
	    " client, sender, recipients, size, subject, policy, score, would,"
	    " would_rule, upstream, server)"
	    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, iif(?, ?, NULL), ?, ?,"
	    " ?, ?)",
	    "tittisssisti" "itttt", s->id, (int64_t)s->time_us, s->action, s->rule,
	    (int64_t)s->code, s->client_ip, s->sender, s->rcpts,
	    (int64_t)s->size, subject, s->policy, (int64_t)s->scored,
	    s->score, s->would, s->would_rule, s->upstream, s->server);
}

static int
add_trace(struct history *h, const struct keep_summary *s, bool text,
    struct error *e)
{
	struct buf b = { 0 };
	int got;

	if (s->trace.n == 0)
		return 0;
	if (!text)
		trace_redact(s->trace, &b);
	got = db_again(h->db, &h->add_trace, e,
	    "INSERT OR REPLACE INTO trace(id, json) VALUES(?, ?)", "ts", s->id, text ? s->trace : buf_str(&b));
	buf_fini(&b);
	return got;
}

int
history_add(struct history *h, struct unpack *frame, bool text,
    struct error *e)
{
	struct keep_summary s;
	int got = 0;

	if (db_begin(h->db, e) < 0)
		return -1;
	while (got == 0 && frame->n > 0) {
		if (!keep_summary_unpack(&s, frame))
			got = error_set(e, "history: no summary of ours");
		else
			got = add_line(h, &s, text, e);
		if (got == 0)
			got = add_trace(h, &s, text, e);
	}
	return db_commit(h->db, got, e);
}

/* ---- forgetting ---- */

/* Pages that are in use: what goes leaves free ones behind. */
static int
size_of(struct history *h, int64_t *bytes, struct error *e)
{
	int64_t page, pages, unused;

	if (db_number(h->db, e, &page, "PRAGMA page_size") < 0 ||
	    db_number(h->db, e, &pages, "PRAGMA page_count") < 0 ||
	    db_number(h->db, e, &unused, "PRAGMA freelist_count") < 0)
		return -1;
	*bytes = page * (pages - unused);
	return 0;
}

/* Lines before that time, the oldest first. */
static int
remove_slice(struct history *h, int64_t before, struct error *e)
{
	static const char *const steps[] = {
		"DELETE FROM trace WHERE id IN (SELECT id FROM history"
		" WHERE time_us < ? ORDER BY time_us, id LIMIT ?)",
		"DELETE FROM history WHERE id IN (SELECT id FROM history"
		" WHERE time_us < ? ORDER BY time_us, id LIMIT ?)"
	};
	int got = db_begin(h->db, e), gone;

	if (got < 0)
		return -1;
	for (size_t i = 0; i < PN_COUNT(steps) && got == 0; i++)
		got = db_run(h->db, e, steps[i], "ii", before,
		    (int64_t)HISTORY_SLICE);
	gone = sqlite3_changes(h->db);
	if (db_commit(h->db, got, e) < 0)
		return -1;
	/* Given back to the disk as far as the file's layout lets it. */
	if (gone > 0 && db_run(h->db, e, "PRAGMA incremental_vacuum(4000)",
	    "") < 0)
		return -1;
	return gone;
}

int
history_expire(struct history *h, const struct history_limits *limits,
    uint64_t now_us, struct error *e)
{
	uint64_t keep_us = limits->days * DAY_US;
	int64_t before = now_us > keep_us ? (int64_t)(now_us - keep_us) : 0;
	int64_t bytes;
	int gone = remove_slice(h, before, e);

	if (gone != 0)
		return gone;
	if (db_run(h->db, e, "DELETE FROM suspect WHERE first_us <= ?", "i",
	    (int64_t)(now_us - SUSPECT_LIFE_US)) < 0 ||
	    size_of(h, &bytes, e) < 0)
		return -1;
	if (limits->bytes == 0 || (uint64_t)bytes <= limits->bytes)
		return 0;
	return remove_slice(h, INT64_MAX, e);
}

/* ---- reading ---- */

void
history_put_line(sqlite3_stmt *s, struct buf *b)
{
	static const char *const texts[] = { "id", "action", "rule", "client",
		"sender", "recipients", "subject", "policy", "would",
		"would_rule", "upstream", "server" };
	static const char *const numbers[] = { "time_us", "code", "size" };
	int at = 0;

	for (size_t i = 0; i < PN_COUNT(texts); i++)
		json_str(b, texts[i], db_str(s, at++));
	for (size_t i = 0; i < PN_COUNT(numbers); i++)
		json_int(b, numbers[i], sqlite3_column_int64(s, at++));
	if (sqlite3_column_type(s, at) == SQLITE_NULL)
		json_put_null(b, "score");
	else
		json_int(b, "score", sqlite3_column_int64(s, at));
}

int
history_show(struct history *h, struct pn_str id, struct buf *json,
    struct error *e)
{
	sqlite3_stmt *s = db_query(h->db, e, "SELECT " HISTORY_COLUMNS ", json"
	    " FROM history LEFT JOIN trace USING (id) WHERE id = ?", "t", id);
	int got = s != NULL ? db_step(s, e) : -1;

	if (got > 0) {
		json_begin_object(json, "message");
		history_put_line(s, json);
		trace_put(json, "trace", db_str(s, HISTORY_N_COLUMNS));
		json_end_object(json);
	}
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

int
history_count(struct history *h, int64_t *messages, int64_t *bytes,
    struct error *e)
{
	if (db_number(h->db, e, messages, "SELECT COUNT(*) FROM history") < 0)
		return -1;
	return size_of(h, bytes, e);
}
