/* quarantine_index - inside of the quarantine: shared by quarantine.c and the
 * quarantine_*.c beside it alone. */
#ifndef KEEPER_QUARANTINE_INDEX_H
#define KEEPER_QUARANTINE_INDEX_H

#include <limits.h>

#include "keeper/db.h"
#include "keeper/quarantine.h"

#define QUARANTINE_DIR_MAX 3000 /* leaves room for the names below it */

struct quarantine {
	sqlite3 *db;
	char dir[QUARANTINE_DIR_MAX]; /* STATE/quarantine */
	int lock;           /* STATE/lock, open; locked when we are alone */
	bool recovered;
	int64_t born_us;    /* when its index was begun */
	unsigned orphans;   /* this start: files whose row an index before had */
	const struct keeper_settings *settings; /* NULL: no quota */
	struct quarantine_counts counts;
	bool clock_known;
	int64_t clock_ahead_us; /* of the steady one, when last looked at */
	uint64_t trust_us;      /* steady: from then on the clock's word counts */
};

char *quarantine_folder(const struct quarantine *, struct pn_str id,
    char out[PATH_MAX]);
char *quarantine_file(const struct quarantine *, struct pn_str id,
    char out[PATH_MAX]);
/* 1, 0 or -1. */
int quarantine_has(struct quarantine *, struct pn_str id, struct error *);
/* Room for so many bytes of that class, or -1: there is none to be had. */
int quarantine_make_room(struct quarantine *, struct pn_str class_name,
    uint64_t size, struct error *);
/* The table of what each class holds, from what is there. */
int quarantine_count_anew(struct quarantine *, struct error *);

#endif
