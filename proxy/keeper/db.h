/*
 * db - SQLite as the keeper uses it: open with the right promises, bind,
 * step, and an error in words. Bytes from the network are bound as blobs, so
 * that they come back as they went in.
 */
#ifndef KEEPER_DB_H
#define KEEPER_DB_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/error.h"
#include "filters/pn_str.h"

enum db_sync {
	DB_EACH_COMMIT, /* a commit that returned is on the disk */
	DB_CHECKPOINTS  /* a power cut may take the last commits, never the rest */
};

/* Write-ahead logging; schema is run each time (IF NOT EXISTS). */
int db_open(sqlite3 **, const char *path, enum db_sync, const char *schema,
    struct error *);
void db_close(sqlite3 *);

/*
 * One character a parameter in types: s struct pn_str as a blob (bytes of the
 * network), t struct pn_str as text (our own words), i int64_t. SQLite holds
 * a blob and a text of the same bytes to be different. Strings are borrowed:
 * until db_run() returns, or until the statement is finalized.
 */
int db_run(sqlite3 *, struct error *, const char *sql, const char *types, ...);
sqlite3_stmt *db_query(sqlite3 *, struct error *, const char *sql,
    const char *types, ...);
/*
 * The same statement again and again: db_again() makes *kept when it is NULL,
 * binds, and runs it. Its owner finalizes it before db_close().
 */
int db_again(sqlite3 *, sqlite3_stmt **kept, struct error *, const char *sql,
    const char *types, ...);
/* 1: a row is there. 0: no more. -1: *e. */
int db_step(sqlite3_stmt *, struct error *);
/* Valid until the next step. */
struct pn_str db_str(sqlite3_stmt *, int column);
/* The first column of the first row; 0 when there is none. */
int db_number(sqlite3 *, struct error *, int64_t *out, const char *sql);

/* 1 yes, 0 no, -1: for tables that an earlier version made. */
int db_has_column(sqlite3 *, const char *table, const char *column,
    struct error *);

/* BEGIN; then db_commit(), which rolls back when result is not 0. */
int db_begin(sqlite3 *, struct error *);
int db_commit(sqlite3 *, int result, struct error *);

#endif
