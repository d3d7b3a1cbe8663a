/* suspect - see history.h: bodies that broke an inspector, by their SHA-256.
 * The third time within a day the message is held instead of tried again. */
#include "keeper/history_db.h"

static int
look_up(struct history *h, struct pn_str key, uint64_t now_us,
    uint32_t *times, struct error *e)
{
	sqlite3_stmt *s = db_query(h->db, e, "SELECT times FROM suspect"
	    " WHERE key = ? AND first_us > ?", "si", key,
	    (int64_t)(now_us - SUSPECT_LIFE_US));
	int got = s != NULL ? db_step(s, e) : -1;

	*times = got > 0 ? (uint32_t)sqlite3_column_int64(s, 0) : 0;
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got < 0 ? -1 : 0;
}

int
suspect_count(struct history *h, const unsigned char key[SUSPECT_KEY],
    bool count, uint64_t now_us, uint32_t *times, struct error *e)
{
	struct pn_str k = { (const char *)key, SUSPECT_KEY };

	if (look_up(h, k, now_us, times, e) < 0)
		return -1;
	if (!count)
		return 0;
	if ((*times)++ == 0)
		return db_run(h->db, e, "INSERT OR REPLACE INTO suspect(key,"
		    " first_us, times) VALUES(?, ?, 1)", "si", k,
		    (int64_t)now_us);
	return db_run(h->db, e, "UPDATE suspect SET times = ? WHERE key = ?",
	    "is", (int64_t)*times, k);
}
