/* quarantine - see quarantine.h: files, index, and what a start puts right.
 * Releases stand in quarantine_release.c, what is deleted and when in
 * quarantine_keep.c, how a row reads as JSON in quarantine_json.c. */
#include "keeper/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "keeper/files.h"
#include "keeper/quarantine_index.h"
#include "mail/transaction.h"

#define FOLDER_CHARS 4 /* of the id: some ten hours share a folder */

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS quarantine("
    " id TEXT PRIMARY KEY, time_us INTEGER NOT NULL, state TEXT NOT NULL,"
    " job INTEGER NOT NULL DEFAULT 0, class TEXT, rule TEXT, subject TEXT,"
    " size INTEGER NOT NULL, target TEXT, path TEXT, address TEXT, local TEXT,"
    " domain TEXT, params TEXT, client_ip TEXT, client_port INTEGER,"
    " client_name_state INTEGER, client_name TEXT, client_reverse_name TEXT,"
    " helo TEXT, helo_verb TEXT, tls_version TEXT, tls_cipher TEXT,"
    " login TEXT, listener TEXT, trace TEXT);"
    "CREATE TABLE IF NOT EXISTS recipient("
    " id TEXT NOT NULL, n INTEGER NOT NULL, path TEXT, address TEXT,"
    " local TEXT, domain TEXT, params TEXT, state TEXT NOT NULL,"
    " code INTEGER NOT NULL DEFAULT 0, text TEXT NOT NULL DEFAULT '',"
    " PRIMARY KEY(id, n)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS quarantine_state ON quarantine(state);"
    "CREATE INDEX IF NOT EXISTS quarantine_job ON quarantine(job);"
    "CREATE INDEX IF NOT EXISTS quarantine_class ON quarantine(class, time_us);"
    /* What each class holds, kept by triggers: a quota is asked for with
     * every message, and must hold for two keepers, too. */
    "CREATE TABLE IF NOT EXISTS usage("
    " class TEXT NOT NULL, state TEXT NOT NULL, messages INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, PRIMARY KEY(class, state)) WITHOUT ROWID;"
    "CREATE TRIGGER IF NOT EXISTS usage_in AFTER INSERT ON quarantine BEGIN"
    " INSERT INTO usage VALUES(new.class, new.state, 1, new.size)"
    " ON CONFLICT DO UPDATE SET messages = messages + 1,"
    " bytes = bytes + new.size; END;"
    "CREATE TRIGGER IF NOT EXISTS usage_out AFTER DELETE ON quarantine BEGIN"
    " UPDATE usage SET messages = messages - 1, bytes = bytes - old.size"
    " WHERE class = old.class AND state = old.state; END;"
    "CREATE TRIGGER IF NOT EXISTS usage_move AFTER UPDATE OF state"
    " ON quarantine WHEN old.state <> new.state BEGIN"
    " UPDATE usage SET messages = messages - 1, bytes = bytes - old.size"
    " WHERE class = old.class AND state = old.state;"
    " INSERT INTO usage VALUES(new.class, new.state, 1, new.size)"
    " ON CONFLICT DO UPDATE SET messages = messages + 1,"
    " bytes = bytes + new.size; END;";

/* What the first version's table has not. */
static const char *const later_columns[] = { "tries", "since_us", "next_us",
	"worker", "generation" };

/* ---- names ---- */

bool
quarantine_id_valid(struct pn_str id)
{
	if (id.n < FOLDER_CHARS || id.n >= TRANSACTION_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return true;
}

static char *
path_tmp(const struct quarantine *q, struct pn_str id, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s/tmp/%.*s", q->dir, PN_STR_ARG(id));
	return out;
}

char *
quarantine_folder(const struct quarantine *q, struct pn_str id, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s/%.*s", q->dir, FOLDER_CHARS, id.p);
	return out;
}

char *
quarantine_file(const struct quarantine *q, struct pn_str id, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s/%.*s/%.*s.eml", q->dir, FOLDER_CHARS,
	    id.p, PN_STR_ARG(id));
	return out;
}

/* ---- storing ---- */

static int
write_tmp(const char *path, int from, uint64_t size, struct error *e)
{
	int fd = files_create(path, e);

	if (fd < 0)
		return -1;
	if (files_copy(from, size, fd, e) < 0) {
		io_close(fd);
		return -1;
	}
	return files_finish(fd, path, e);
}

/* The file under its final name, and that name on the disk. */
static int
store_file(const struct quarantine *q, struct pn_str id, int from,
    uint64_t size, struct error *e)
{
	char tmp[PATH_MAX], folder[PATH_MAX], file[PATH_MAX];

	if (files_make_dir(quarantine_folder(q, id, folder), 0700, e) < 0)
		return -1;
	if (write_tmp(path_tmp(q, id, tmp), from, size, e) < 0) {
		(void)unlink(tmp); /* else the next start does it */
		return -1;
	}
	FAULT("keep-body");
	if (rename(tmp, quarantine_file(q, id, file)) < 0)
		return error_errno(e, "%s", file);
	return files_sync_dir(folder, e);
}

static int
insert_recipients(sqlite3 *db, const struct keep_job *j, struct error *e)
{
	const struct rcpt *r;
	int64_t n = 0;

	TAILQ_FOREACH (r, &j->envelope.rcpts, next)
		if (r->accepted && db_run(db, e,
		    "INSERT INTO recipient(id, n, path, address, local, domain,"
		    " params, state) VALUES(?, ?, ?, ?, ?, ?, ?, 'held')",
		    "tisssss", j->id, n++, r->path, r->address, r->local,
		    r->domain, r->params) < 0)
			return -1;
	return 0;
}

static int64_t
now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int
insert_message(sqlite3 *db, const struct keep_job *j, uint64_t size,
    struct error *e)
{
	const struct envelope *m = &j->envelope;
	const struct client *c = &j->client;

	return db_run(db, e,
	    "INSERT INTO quarantine(id, time_us, state, class, rule, subject,"
	    " size, target, path, address, local, domain, params, client_ip,"
	    " client_port, client_name_state, client_name, client_reverse_name,"
	    " helo, helo_verb, tls_version, tls_cipher, login, listener, trace)"
	    " VALUES(?, ?, 'held', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
	    " ?, ?, ?, ?, ?, ?, ?)",
	    "tittsitsssss" "siisssssssss", j->id, now_us(), j->class_name,
	    j->rule, j->subject, (int64_t)size, j->target, m->path, m->address,
	    m->local, m->domain, m->params, c->ip, (int64_t)c->port,
	    (int64_t)c->name_state, c->name, c->reverse_name, c->helo,
	    c->helo_verb, c->tls_version, c->tls_cipher, c->login, c->listener,
	    j->trace);
}

static int
store_row(struct quarantine *q, const struct keep_job *j, uint64_t size,
    struct error *e)
{
	int got;

	if (db_begin(q->db, e) < 0)
		return -1;
	got = insert_message(q->db, j, size, e);
	if (got == 0)
		got = insert_recipients(q->db, j, e);
	return db_commit(q->db, got, e);
}

int
quarantine_has(struct quarantine *q, struct pn_str id, struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e,
	    "SELECT 1 FROM quarantine WHERE id = ?", "t", id);
	int got = s != NULL ? db_step(s, e) : -1;

	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

int
quarantine_store(struct quarantine *q, const struct keep_job *j, int fd,
    uint64_t size, struct error *e)
{
	char file[PATH_MAX];
	int there;

	if (!quarantine_id_valid(j->id))
		return error_set(e, "quarantine: not an id");
	if (j->envelope.n_accepted == 0)
		return error_set(e, "quarantine: for nobody");
	there = quarantine_has(q, j->id, e);
	if (there != 0)
		return there < 0 ? -1 : 0;
	if (quarantine_make_room(q, j->class_name, size, e) < 0 ||
	    store_file(q, j->id, fd, size, e) < 0)
		return -1;
	if (store_row(q, j, size, e) < 0) {
		(void)unlink(quarantine_file(q, j->id, file)); /* nobody was promised it */
		return -1;
	}
	FAULT("keep-index");
	return 0;
}

/* ---- reading back ---- */

static struct pn_str
column(sqlite3_stmt *s, int *at, struct arena *a, bool *ok)
{
	struct pn_str v = arena_str(a, db_str(s, (*at)++));

	*ok = *ok && v.p != NULL;
	return v;
}

static bool
read_message(sqlite3_stmt *s, struct keep_job *j, struct arena *a)
{
	struct envelope *m = &j->envelope;
	struct client *c = &j->client;
	struct pn_str *const texts[] = { &j->id, &j->class_name, &j->rule,
		&j->subject, &j->target, &j->trace, &m->path, &m->address,
		&m->local, &m->domain, &m->params, &c->ip, &c->name,
		&c->reverse_name, &c->helo, &c->helo_verb, &c->tls_version,
		&c->tls_cipher, &c->login, &c->listener };
	bool ok = true;
	int at = 0;

	for (size_t i = 0; i < PN_COUNT(texts); i++)
		*texts[i] = column(s, &at, a, &ok);
	j->size = (uint64_t)sqlite3_column_int64(s, at++);
	c->port = (uint16_t)sqlite3_column_int(s, at++);
	c->name_state = (enum client_name_state)sqlite3_column_int(s, at++);
	m->has_sender = true;
	return ok;
}

static bool
read_recipient(sqlite3_stmt *s, struct envelope *m, struct arena *a)
{
	struct rcpt *r = envelope_add_rcpt(m, a);
	bool ok = r != NULL;
	int at = 0;

	if (!ok)
		return false;
	r->path = column(s, &at, a, &ok);
	r->address = column(s, &at, a, &ok);
	r->local = column(s, &at, a, &ok);
	r->domain = column(s, &at, a, &ok);
	r->params = column(s, &at, a, &ok);
	r->accepted = true;
	r->code = 250;
	m->n_accepted++;
	return ok;
}

static int
read_recipients(struct quarantine *q, struct keep_job *j, bool again,
    struct arena *a, struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e,
	    "SELECT path, address, local, domain, params FROM recipient"
	    " WHERE id = ? AND iif(?, state IN ('waiting', 'unknown'),"
	    " state <> 'released') ORDER BY n", "ti", j->id, (int64_t)again);
	int got = -1;

	while (s != NULL && (got = db_step(s, e)) > 0)
		if (!read_recipient(s, &j->envelope, a)) {
			got = error_set(e, "quarantine: memory short");
			break;
		}
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

int
quarantine_job(struct quarantine *q, struct pn_str id, bool again,
    struct keep_job *j, struct arena *a, struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e,
	    "SELECT id, class, rule, subject, target, trace, path, address,"
	    " local, domain, params, client_ip, client_name,"
	    " client_reverse_name, helo, helo_verb, tls_version, tls_cipher,"
	    " login, listener, size, client_port, client_name_state"
	    " FROM quarantine WHERE id = ?", "t", id);
	int got = s != NULL ? db_step(s, e) : -1;

	*j = (struct keep_job){ 0 };
	envelope_init(&j->envelope);
	if (got > 0 && !read_message(s, j, a))
		got = error_set(e, "quarantine: memory short");
	(void)sqlite3_finalize(s); /* repeats the step's error */
	if (got > 0 && read_recipients(q, j, again, a, e) < 0)
		got = -1;
	return got;
}

int
quarantine_body(struct quarantine *q, struct pn_str id, uint64_t *size,
    struct error *e)
{
	char file[PATH_MAX];
	struct stat st;
	int fd;

	if (!quarantine_id_valid(id))
		return error_set(e, "quarantine: not an id");
	fd = open(quarantine_file(q, id, file), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		io_close(fd);
		return error_set(e, "%s: %s", file, strerror(errno));
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

/* ---- what a start puts right ---- */

static int
remove_tmp(void *arg, const char *folder, const char *name, struct error *e)
{
	char path[PATH_MAX];

	(void)arg;
	(void)e;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	(void)unlink(path); /* then it is there at the next start again */
	return 0;
}

/* Without a row it was promised to nobody, unless its row went with an index
 * that was lost: older than this one. */
static bool
is_of_lost_index(const struct quarantine *q, const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ||
	    (int64_t)st.st_mtim.tv_sec * 1000000 +
	    st.st_mtim.tv_nsec / 1000 < q->born_us;
}

static int
check_file(void *arg, const char *folder, const char *name, struct error *e)
{
	struct quarantine *q = arg;
	struct pn_str id = pn_str_of(name);
	char path[PATH_MAX];
	int there;

	if (!pn_str_ends(id, PN_STR_V(".eml")))
		return 0;
	id.n -= strlen(".eml");
	there = quarantine_has(q, id, e);
	if (there != 0)
		return there < 0 ? -1 : 0;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (is_of_lost_index(q, path)) {
		q->orphans++;
		return 0;
	}
	log_warn(name, "quarantine-orphan", "path=\"%s\" action=removed",
	    VIS(pn_str_of(path)));
	(void)unlink(path);
	return 0;
}

static int
check_folder(void *arg, const char *dir, const char *name, struct error *e)
{
	char folder[PATH_MAX];

	if (strlen(name) != FOLDER_CHARS)
		return 0;
	(void)snprintf(folder, sizeof(folder), "%s/%s", dir, name);
	return files_each(folder, check_file, arg, e);
}

static int
report_missing(struct quarantine *q, struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e, "SELECT id FROM quarantine", "");
	char file[PATH_MAX];
	int got = -1;

	while (s != NULL && (got = db_step(s, e)) > 0)
		if (access(quarantine_file(q, db_str(s, 0), file), F_OK) < 0)
			log_error("", "quarantine-missing", "file=\"%s\" "
			    "error=\"%s\"", file, strerror(errno));
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

static int
clean_up(struct quarantine *q, struct error *e)
{
	char tmp[PATH_MAX];

	(void)snprintf(tmp, sizeof(tmp), "%s/tmp", q->dir);
	if (files_each(tmp, remove_tmp, q, e) < 0 ||
	    files_each(q->dir, check_folder, q, e) < 0 ||
	    report_missing(q, e) < 0)
		return -1;
	if (q->orphans > 0)
		log_error("", "quarantine-index-lost", "files=%u "
		    "action=left-alone", q->orphans);
	return 0;
}

int
quarantine_recover(struct quarantine *q, struct error *e)
{
	if (q->recovered)
		return 1;
	if (flock(q->lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 :
		    error_set(e, "%s: flock: %s", q->dir, strerror(errno));
	if (clean_up(q, e) < 0)
		return -1;
	q->recovered = true;
	return 1;
}

static int
make_folders(struct quarantine *q, const char *state_dir, struct error *e)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/tmp", q->dir);
	if (files_make_dir(q->dir, 0700, e) < 0 ||
	    files_make_dir(path, 0700, e) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/lock", state_dir);
	q->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return q->lock < 0 ? error_set(e, "%s: %s", path, strerror(errno)) : 0;
}

static int
add_column(sqlite3 *db, const char *name, struct error *e)
{
	char sql[128];
	int has = db_has_column(db, "quarantine", name, e);

	if (has != 0)
		return has < 0 ? -1 : 0;
	(void)snprintf(sql, sizeof(sql), "ALTER TABLE quarantine"
	    " ADD COLUMN %s INTEGER NOT NULL DEFAULT 0", name);
	return db_run(db, e, sql, "");
}

/* When this index was begun; 0: by a version that did not note it. */
static int
note_birth(sqlite3 *db, struct error *e)
{
	if (db_run(db, e, "CREATE TABLE IF NOT EXISTS"
	    " born(time_us INTEGER NOT NULL)", "") < 0)
		return -1;
	return db_run(db, e, "INSERT INTO born"
	    " SELECT iif(EXISTS(SELECT 1 FROM quarantine), 0, ?)"
	    " WHERE NOT EXISTS(SELECT 1 FROM born)", "i", now_us());
}

/* All of it or nothing: who is killed meanwhile is followed by another keeper,
 * and the one of a master that died may be at it, too. */
static int
upgrade(sqlite3 *db, struct error *e)
{
	int got = db_begin(db, e);

	if (got < 0)
		return -1;
	for (size_t i = 0; i < PN_COUNT(later_columns) && got == 0; i++)
		got = add_column(db, later_columns[i], e);
	if (got == 0)
		got = db_run(db, e, "CREATE INDEX IF NOT EXISTS quarantine_next"
		    " ON quarantine(next_us) WHERE next_us > 0", "");
	if (got == 0)
		got = note_birth(db, e);
	return db_commit(db, got, e);
}

struct quarantine *
quarantine_open(const char *state_dir, struct error *e)
{
	struct quarantine *q = xcalloc(1, sizeof(*q));
	char index[PATH_MAX];

	q->lock = -1;
	(void)snprintf(q->dir, sizeof(q->dir), "%s/quarantine", state_dir);
	(void)snprintf(index, sizeof(index), "%s/index.db", state_dir);
	if (db_open(&q->db, index, DB_EACH_COMMIT, schema, e) == 0 &&
	    upgrade(q->db, e) == 0 &&
	    db_number(q->db, e, &q->born_us, "SELECT time_us FROM born") == 0 &&
	    quarantine_count_anew(q, e) == 0 &&
	    make_folders(q, state_dir, e) == 0 &&
	    quarantine_recover(q, e) >= 0)
		return q;
	quarantine_close(q);
	return NULL;
}

void
quarantine_close(struct quarantine *q)
{
	if (q == NULL)
		return;
	db_close(q->db);
	io_close(q->lock);
	free(q);
}
