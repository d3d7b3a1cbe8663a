/* db - see db.h. */
#include "keeper/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "base/io.h"
#include "base/must.h"

#define BUSY_MS 2000

static int
failed(sqlite3 *db, struct error *e)
{
	int code = sqlite3_errcode(db), os = sqlite3_system_errno(db);

	(void)error_set(e, "%s: %s", sqlite3_db_filename(db, "main"),
	    sqlite3_errmsg(db));
	e->no_room = code == SQLITE_FULL || code == SQLITE_NOMEM ||
	    (code == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT));
	return -1;
}

static int
exec(sqlite3 *db, const char *sql, struct error *e)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ?
	    0 : failed(db, e);
}

/* SQLite would make it readable for all; its -wal and -shm take after it. */
static int
make_private(const char *path, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set(e, "%s: %s", path, strerror(errno));
	io_close(fd);
	return 0;
}

int
db_open(sqlite3 **out, const char *path, enum db_sync sync, const char *schema,
    struct error *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
	    SQLITE_OPEN_NOMUTEX;

	*out = NULL;
	if (make_private(path, e) < 0)
		return -1;
	if (sqlite3_open_v2(path, out, flags, NULL) != SQLITE_OK) {
		(void)error_set(e, "%s: %s", path,
		    *out ? sqlite3_errmsg(*out) : "no memory");
	/* For the moments in which two keepers live: the one of a master that
	 * died, with its last sessions, and the one of the next master. */
	} else if (sqlite3_busy_timeout(*out, BUSY_MS) != SQLITE_OK) {
		(void)error_set(e, "%s: %s", path, sqlite3_errmsg(*out));
	/* The keeper may write in its own folders only: no file in /tmp. */
	} else if (exec(*out, "PRAGMA auto_vacuum=INCREMENTAL;"
	    "PRAGMA journal_mode=WAL;PRAGMA temp_store=MEMORY;", e) == 0 &&
	    exec(*out, sync == DB_EACH_COMMIT ? "PRAGMA synchronous=FULL" :
	    "PRAGMA synchronous=NORMAL", e) == 0 && exec(*out, schema, e) == 0) {
		return 0;
	}
	db_close(*out);
	*out = NULL;
	return -1;
}

void
db_close(sqlite3 *db)
{
	(void)sqlite3_close(db); /* all statements are finalized: cannot fail */
}

static void
bind(sqlite3_stmt *s, const char *types, va_list ap)
{
	for (int i = 1; *types != '\0'; types++, i++) {
		struct pn_str v;
		int got;

		if (*types == 'i') {
			got = sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
			must(got == SQLITE_OK);
			continue;
		}
		v = va_arg(ap, struct pn_str);
		if (v.n == 0)
			v.p = ""; /* NULL would be SQL's NULL */
		got = *types == 't' ? sqlite3_bind_text64(s, i, v.p, v.n,
		    SQLITE_STATIC, SQLITE_UTF8) : sqlite3_bind_blob64(s, i,
		    v.p, v.n, SQLITE_STATIC);
		must(got == SQLITE_OK);
	}
}

static sqlite3_stmt *
prepare(sqlite3 *db, struct error *e, const char *sql, const char *types,
    va_list ap)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) {
		(void)failed(db, e);
		return NULL;
	}
	bind(s, types, ap);
	return s;
}

sqlite3_stmt *
db_query(sqlite3 *db, struct error *e, const char *sql, const char *types, ...)
{
	sqlite3_stmt *s;
	va_list ap;

	va_start(ap, types);
	s = prepare(db, e, sql, types, ap);
	va_end(ap);
	return s;
}

int
db_run(sqlite3 *db, struct error *e, const char *sql, const char *types, ...)
{
	sqlite3_stmt *s;
	va_list ap;
	int got;

	va_start(ap, types);
	s = prepare(db, e, sql, types, ap);
	va_end(ap);
	if (s == NULL)
		return -1;
	while ((got = db_step(s, e)) > 0) /* a pragma has rows */
		;
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got < 0 ? -1 : 0;
}

int
db_again(sqlite3 *db, sqlite3_stmt **kept, struct error *e, const char *sql,
    const char *types, ...)
{
	va_list ap;
	int got;

	if (*kept == NULL && sqlite3_prepare_v3(db, sql, -1,
	    SQLITE_PREPARE_PERSISTENT, kept, NULL) != SQLITE_OK)
		return failed(db, e);
	va_start(ap, types);
	bind(*kept, types, ap);
	va_end(ap);
	got = db_step(*kept, e);
	(void)sqlite3_reset(*kept); /* repeats the step's error */
	(void)sqlite3_clear_bindings(*kept); /* what was borrowed */
	return got < 0 ? -1 : 0;
}

int
db_step(sqlite3_stmt *s, struct error *e)
{
	int got = sqlite3_step(s);

	if (got == SQLITE_ROW)
		return 1;
	return got == SQLITE_DONE ? 0 : failed(sqlite3_db_handle(s), e);
}

struct pn_str
db_str(sqlite3_stmt *s, int column)
{
	const char *p = sqlite3_column_blob(s, column);

	return (struct pn_str){ p,
		p ? (size_t)sqlite3_column_bytes(s, column) : 0 };
}

int
db_number(sqlite3 *db, struct error *e, int64_t *out, const char *sql)
{
	sqlite3_stmt *s = db_query(db, e, sql, "");
	int got = s != NULL ? db_step(s, e) : -1;

	*out = got > 0 ? sqlite3_column_int64(s, 0) : 0;
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got < 0 ? -1 : 0;
}

int
db_has_column(sqlite3 *db, const char *table, const char *column,
    struct error *e)
{
	sqlite3_stmt *s = db_query(db, e, "SELECT 1 FROM pragma_table_info(?)"
	    " WHERE name = ?", "tt", pn_str_of(table), pn_str_of(column));
	int got = s != NULL ? db_step(s, e) : -1;

	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}

int
db_begin(sqlite3 *db, struct error *e)
{
	return exec(db, "BEGIN IMMEDIATE", e);
}

int
db_commit(sqlite3 *db, int result, struct error *e)
{
	struct error ignored;

	if (result == 0 && exec(db, "COMMIT", e) == 0)
		return 0;
	/* A failed commit may have rolled back by itself; then this fails. */
	(void)exec(db, "ROLLBACK", &ignored);
	return -1;
}
