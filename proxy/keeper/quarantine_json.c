/* quarantine_json - what the index knows, for people and programs: the
 * control socket's lists. See quarantine.h. */
#include "base/json.h"
#include "keeper/quarantine_index.h"
#include "keeper/trace.h"

/* Columns in a table: their JSON key, and how they read. */
struct field {
	const char *key;
	enum { TEXT, NUMBER, JSON } kind;
};

static void
put_field(struct buf *b, const struct field *f, sqlite3_stmt *s, int column)
{
	struct pn_str v = db_str(s, column);

	if (f->kind == NUMBER)
		json_int(b, f->key, sqlite3_column_int64(s, column));
	else if (f->kind == TEXT)
		json_str(b, f->key, v);
	else
		trace_put(b, f->key, v);
}

static void
put_row(struct buf *b, const struct field *f, sqlite3_stmt *s)
{
	for (int i = 0; f[i].key != NULL; i++)
		put_field(b, &f[i], s, i);
}

static int
put_recipients(struct quarantine *q, struct pn_str id, struct buf *b,
    struct error *e)
{
	static const struct field fields[] = { { "path", TEXT },
		{ "params", TEXT }, { "state", TEXT }, { "code", NUMBER },
		{ "text", TEXT }, { NULL, TEXT } };
	sqlite3_stmt *s = db_query(q->db, e, "SELECT path, params, state, code,"
	    " text FROM recipient WHERE id = ? ORDER BY n", "t", id);
	int got = -1;

	json_begin_array(b, "recipients");
	while (s != NULL && (got = db_step(s, e)) > 0) {
		json_begin_object(b, NULL);
		put_row(b, fields, s);
		json_end_object(b);
	}
	json_end_array(b);
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

/* A list's line leaves out what only one message's page needs. */
static const struct field listed[] = { { "id", TEXT }, { "time_us", NUMBER },
	{ "state", TEXT }, { "class", TEXT }, { "rule", TEXT },
	{ "sender", TEXT }, { "subject", TEXT }, { "size", NUMBER },
	{ "client", TEXT }, { "tries", NUMBER }, { "next_us", NUMBER },
	{ NULL, TEXT } };

#define LISTED "SELECT id, time_us, state, class, rule, path, subject, size," \
    " client_ip, tries, next_us FROM quarantine "

static int
put_listed(struct quarantine *q, const char *key, sqlite3_stmt *s,
    struct buf *b, struct error *e)
{
	int got;

	json_begin_object(b, key);
	put_row(b, listed, s);
	got = put_recipients(q, db_str(s, 0), b, e);
	json_end_object(b);
	return got;
}

/* One of its recipients? 1, 0 or -1. */
static int
goes_to(struct quarantine *q, struct pn_str wanted, struct pn_str id,
    struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e,
	    "SELECT address FROM recipient WHERE id = ?", "t", id);
	int got = -1;

	while (s != NULL && (got = db_step(s, e)) > 0)
		if (match_address(wanted, db_str(s, 0)))
			break;
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

/* By the place of the columns in LISTED. */
enum { ID, TIME, STATE, CLASS, RULE, SENDER, SUBJECT, SIZE, CLIENT };

static int
matches(struct quarantine *q, const struct mail_query *x,
    sqlite3_stmt *s, struct error *e)
{
	const struct mail_row row = { .sender = db_str(s, SENDER),
		.client = db_str(s, CLIENT),
		.subject = db_str(s, SUBJECT) };

	if (!query_is_or_any(x->state, db_str(s, STATE)) ||
	    !query_is_or_any(x->class_name, db_str(s, CLASS)) ||
	    !query_is_or_any(x->rule, db_str(s, RULE)) ||
	    !query_holds(x, &row))
		return 0;
	return x->to.n == 0 ? 1 : goes_to(q, x->to, db_str(s, ID), e);
}

int
quarantine_list(struct quarantine *q, const struct mail_query *x,
    struct buf *json, struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e, LISTED
	    "WHERE (? OR id < ?) AND time_us >= ? AND time_us < ?"
	    " ORDER BY id DESC", "itii", (int64_t)(x->before.n == 0),
	    x->before, (int64_t)x->since_us,
	    x->until_us > 0 ? (int64_t)x->until_us : INT64_MAX);
	unsigned n = 0;
	int got = -1;

	json_begin_array(json, "messages");
	while (s != NULL && n < x->limit && (got = db_step(s, e)) > 0) {
		got = matches(q, x, s, e);
		if (got > 0 && (got = put_listed(q, NULL, s, json, e)) >= 0)
			n++;
		if (got < 0)
			break;
	}
	json_end_array(json);
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got < 0 ? -1 : (int)n;
}

int
quarantine_brief(struct quarantine *q, struct pn_str id, struct buf *json,
    struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e, LISTED "WHERE id = ?", "t", id);
	int got = s != NULL ? db_step(s, e) : -1;

	if (got > 0 && put_listed(q, "message", s, json, e) < 0)
		got = -1;
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

int
quarantine_show(struct quarantine *q, struct pn_str id, struct buf *json,
    struct error *e)
{
	static const struct field fields[] = { { "id", TEXT },
		{ "time_us", NUMBER }, { "state", TEXT }, { "class", TEXT },
		{ "rule", TEXT }, { "subject", TEXT }, { "size", NUMBER },
		{ "target", TEXT }, { "sender", TEXT }, { "params", TEXT },
		{ "client", TEXT }, { "port", NUMBER }, { "name", TEXT },
		{ "reverse_name", TEXT }, { "helo", TEXT },
		{ "helo_verb", TEXT }, { "tls_version", TEXT },
		{ "tls_cipher", TEXT }, { "login", TEXT }, { "listener", TEXT },
		{ "tries", NUMBER }, { "next_us", NUMBER }, { "trace", JSON },
		{ NULL, TEXT } };
	sqlite3_stmt *s = db_query(q->db, e,
	    "SELECT id, time_us, state, class, rule, subject, size, target,"
	    " path, params, client_ip, client_port, client_name,"
	    " client_reverse_name, helo, helo_verb, tls_version, tls_cipher,"
	    " login, listener, tries, next_us, trace FROM quarantine"
	    " WHERE id = ?", "t", id);
	int got = s != NULL ? db_step(s, e) : -1;

	if (got > 0) {
		json_begin_object(json, "message");
		put_row(json, fields, s);
		got = put_recipients(q, id, json, e) < 0 ? -1 : 1;
		json_end_object(json);
	}
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

int
quarantine_count(struct quarantine *q, int64_t *messages, int64_t *bytes,
    struct error *e)
{
	if (db_number(q->db, e, messages, "SELECT SUM(messages) FROM usage"
	    " WHERE state <> 'released'") < 0)
		return -1;
	return db_number(q->db, e, bytes, "SELECT SUM(bytes) FROM usage"
	    " WHERE state <> 'released'");
}
