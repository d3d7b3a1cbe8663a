/* history_db - inside of the history: history.c, history_search.c and
 * suspect.c alone. */
#ifndef KEEPER_HISTORY_DB_H
#define KEEPER_HISTORY_DB_H

#include "keeper/db.h"
#include "keeper/history.h"

struct history {
	sqlite3 *db;
	sqlite3_stmt *add_line, *add_trace; /* kept, or NULL */
};

/* What history_put_line() expects, in this order. */
#define HISTORY_COLUMNS "id, action, rule, client, sender, recipients," \
    " subject, policy, would, would_rule, upstream, server, time_us, code, size, score"
enum history_column {
	HISTORY_ID,
	HISTORY_ACTION,
	HISTORY_RULE,
	HISTORY_CLIENT,
	HISTORY_SENDER,
	HISTORY_RECIPIENTS,
	HISTORY_SUBJECT,
	HISTORY_POLICY,
	HISTORY_WOULD,
	HISTORY_WOULD_RULE,
	HISTORY_UPSTREAM,
	HISTORY_SERVER,
	HISTORY_TIME,
	HISTORY_N_COLUMNS = HISTORY_TIME + 4
};

/* A row's members into an open object. */
void history_put_line(sqlite3_stmt *, struct buf *);

#endif
