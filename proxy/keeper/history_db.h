/* history_db - inside of the history: history.c and suspect.c alone. */
#ifndef KEEPER_HISTORY_DB_H
#define KEEPER_HISTORY_DB_H

#include "keeper/db.h"
#include "keeper/history.h"

struct history {
	sqlite3 *db;
};

#endif
