/* quarantine_index - inside of the quarantine: shared by quarantine.c and
 * quarantine_json.c alone. */
#ifndef KEEPER_QUARANTINE_INDEX_H
#define KEEPER_QUARANTINE_INDEX_H

#include "keeper/db.h"
#include "keeper/quarantine.h"

#define QUARANTINE_DIR_MAX 3000 /* leaves room for the names below it */

struct quarantine {
	sqlite3 *db;
	char dir[QUARANTINE_DIR_MAX]; /* STATE/quarantine */
	int lock;           /* STATE/lock, open; locked when we are alone */
	bool recovered;
	int64_t began_us;   /* releases of before are not ours */
	bool index_is_new;  /* this start: there was none */
	unsigned orphans;   /* this start: files without a row */
};

#endif
