/*
 * quarantine_keep - see quarantine.h: what goes, and when. By an operator's
 * word, by its class's time, or to make room: what was released already goes
 * first, and what is held only where the class says drop-oldest. Otherwise the
 * new message is refused, which costs nobody any mail: its sender tries again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "keeper/files.h"
#include "keeper/quarantine_index.h"

#define ID_MAX 32
#define CLOCK_SLACK_US 3600000000ll /* no adjustment of a sane clock is larger */
#define CLOCK_WAIT_US 86400000000ull

/* What is to go together. */
struct ids {
	struct doomed {
		char id[ID_MAX];
		uint64_t bytes;
	} of[QUARANTINE_SLICE];
	size_t n;
	uint64_t bytes; /* of all */
};

void
quarantine_use(struct quarantine *q, const struct keeper_settings *s)
{
	q->settings = s;
}

/* ---- deleting ---- */

/* From a crash here on a file is without a row: see quarantine.c. */
static void
remove_file(const struct quarantine *q, struct pn_str id)
{
	char file[PATH_MAX], folder[PATH_MAX];
	struct error ignored;

	(void)unlink(quarantine_file(q, id, file));
	(void)files_sync_dir(quarantine_folder(q, id, folder), &ignored);
}

static int
delete_rows(struct quarantine *q, struct pn_str id, int *gone, struct error *e)
{
	if (db_run(q->db, e, "DELETE FROM quarantine WHERE id = ?"
	    " AND state <> 'releasing'", "t", id) < 0)
		return -1;
	*gone = sqlite3_changes(q->db);
	return *gone == 0 ? 0 : db_run(q->db, e,
	    "DELETE FROM recipient WHERE id = ?", "t", id);
}

int
quarantine_delete(struct quarantine *q, struct pn_str id, struct error *e)
{
	int gone = 0;

	if (db_begin(q->db, e) < 0 ||
	    db_commit(q->db, delete_rows(q, id, &gone, e), e) < 0)
		return -1;
	if (!gone)
		return quarantine_has(q, id, e) == 0 ? 0 : error_set(e,
		    "%.*s is being released", PN_STR_ARG(id));
	remove_file(q, id);
	return 1;
}

/* All of them in one commit, then their files. What another keeper, of a master
 * that died, has begun to release meanwhile is taken off the list: it needs
 * its file. */
static int
delete_all(struct quarantine *q, struct ids *all, struct error *e)
{
	int got = db_begin(q->db, e), gone;
	size_t n = 0;

	if (got < 0)
		return -1;
	all->bytes = 0;
	for (size_t i = 0; i < all->n && got == 0; i++) {
		got = delete_rows(q, pn_str_of(all->of[i].id), &gone, e);
		if (got < 0 || !gone)
			continue;
		all->bytes += all->of[i].bytes;
		all->of[n++] = all->of[i];
	}
	if (db_commit(q->db, got, e) < 0)
		return -1;
	all->n = n;
	for (size_t i = 0; i < n; i++)
		remove_file(q, pn_str_of(all->of[i].id));
	return 0;
}

/* Rows of id and size, until there is no room for more, or bytes are enough
 * (0: as many as there are). */
static int
gather(sqlite3_stmt *s, uint64_t enough, struct ids *all, struct error *e)
{
	int got = -1;

	all->n = 0;
	all->bytes = 0;
	while (s != NULL && all->n < QUARANTINE_SLICE &&
	    (enough == 0 || all->bytes < enough) && (got = db_step(s, e)) > 0) {
		struct doomed *d = &all->of[all->n++];

		(void)snprintf(d->id, ID_MAX, "%.*s", PN_STR_ARG(db_str(s, 0)));
		d->bytes = (uint64_t)sqlite3_column_int64(s, 1);
		all->bytes += d->bytes;
	}
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got < 0 ? -1 : 0;
}

static void
log_gone(const struct ids *all, struct pn_str class_name, const char *why)
{
	for (size_t i = 0; i < all->n; i++)
		log_info(all->of[i].id, "quarantine-deleted", "class=%s why=%s",
		    VIS(class_name), why);
}

/* ---- retention ---- */

/*
 * A clock that jumped was wrong before, or is now: what was held under the one
 * looks old to the other. A day is time for somebody to see the log.
 */
static bool
is_trusted(struct quarantine *q, uint64_t now_us, uint64_t steady_us)
{
	int64_t ahead_us = (int64_t)(now_us - steady_us);

	if (q->clock_known &&
	    llabs(ahead_us - q->clock_ahead_us) > CLOCK_SLACK_US) {
		log_error("", "clock", "jumped=%llds action=\"nothing expires "
		    "for a day\"",
		    (long long)(ahead_us - q->clock_ahead_us) / 1000000);
		q->trust_us = steady_us + CLOCK_WAIT_US;
	}
	q->clock_known = true;
	q->clock_ahead_us = ahead_us;
	return steady_us >= q->trust_us;
}

static int
expire_class(struct quarantine *q, struct pn_str name, uint64_t now_us,
    struct error *e)
{
	uint64_t keep_us = keeper_class_of(q->settings, name)->keep_ms * 1000;
	struct ids *old;
	int got;

	if (keep_us >= now_us)
		return 0;
	old = xcalloc(1, sizeof(*old));
	got = gather(db_query(q->db, e, "SELECT id, size FROM quarantine"
	    " WHERE class = ? AND time_us < ? AND next_us = 0"
	    " AND state <> 'releasing' ORDER BY time_us LIMIT ?", "tii", name,
	    (int64_t)(now_us - keep_us), (int64_t)QUARANTINE_SLICE), 0, old, e);
	if (got == 0 && old->n > 0)
		got = delete_all(q, old, e);
	if (got == 0) {
		log_gone(old, name, "expired");
		q->counts.expired += old->n;
		got = (int)old->n;
	}
	free(old);
	return got;
}

/* One class a call: the first that has something to lose. */
int
quarantine_expire(struct quarantine *q, uint64_t now_us, uint64_t steady_us,
    struct error *e)
{
	sqlite3_stmt *s;
	int got, gone = 0;

	if (!is_trusted(q, now_us, steady_us) || q->settings == NULL)
		return 0;
	s = db_query(q->db, e, "SELECT DISTINCT class FROM usage", "");
	got = s != NULL ? db_step(s, e) : -1;
	while (got > 0) {
		gone = expire_class(q, db_str(s, 0), now_us, e);
		got = gone == 0 ? db_step(s, e) : gone < 0 ? -1 : 0;
	}
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got < 0 ? -1 : gone;
}

/* ---- quota ---- */

static int
bytes_of(struct quarantine *q, struct pn_str name, uint64_t *bytes,
    struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e, "SELECT SUM(bytes) FROM usage"
	    " WHERE class = ?", "t", name);
	int got = s != NULL ? db_step(s, e) : -1;

	*bytes = got > 0 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got < 0 ? -1 : 0;
}

/* The oldest ones of those states, as many as it takes; *freed bytes. */
static int
drop(struct quarantine *q, struct pn_str name, bool released, uint64_t need,
    uint64_t *freed, struct error *e)
{
	struct ids *old = xcalloc(1, sizeof(*old));
	int got = gather(db_query(q->db, e, "SELECT id, size FROM quarantine"
	    " WHERE class = ? AND iif(?, state = 'released',"
	    " state NOT IN ('released', 'releasing') AND next_us = 0)"
	    " ORDER BY time_us LIMIT ?", "tii", name, (int64_t)released,
	    (int64_t)QUARANTINE_SLICE), need, old, e);

	*freed = 0;
	if (got == 0 && old->n > 0)
		got = delete_all(q, old, e);
	if (got == 0) {
		*freed = old->bytes;
		q->counts.dropped += old->n;
		log_gone(old, name, released ? "released" : "full");
	}
	free(old);
	return got;
}

static int
too_full(struct quarantine *q, const struct keeper_class *c, struct pn_str name,
    struct error *e)
{
	q->counts.refused++;
	(void)error_set(e, "quarantine class %s is full: its quota is %zu bytes",
	    VIS(name), c->quota);
	e->no_room = true;
	return -1;
}

int
quarantine_make_room(struct quarantine *q, struct pn_str name, uint64_t size,
    struct error *e)
{
	const struct keeper_class *c;
	uint64_t used, freed;
	bool released = true;

	c = q->settings ? keeper_class_of(q->settings, name) : NULL;
	if (c == NULL || c->quota == 0)
		return 0;
	if (size > c->quota)
		return too_full(q, c, name, e);
	if (bytes_of(q, name, &used, e) < 0)
		return -1;
	while (used + size > c->quota) {
		if (drop(q, name, released, used + size - c->quota, &freed,
		    e) < 0)
			return -1;
		if (freed == 0 && (!released || !c->drop_oldest))
			return too_full(q, c, name, e);
		if (freed == 0)
			released = false;
		used -= freed < used ? freed : used;
	}
	return 0;
}

/* ---- what there is ---- */

int
quarantine_count_anew(struct quarantine *q, struct error *e)
{
	int got = db_begin(q->db, e);

	if (got < 0)
		return -1;
	got = db_run(q->db, e, "DELETE FROM usage", "");
	if (got == 0)
		got = db_run(q->db, e, "INSERT INTO usage SELECT"
		    " ifnull(class, ''), state, COUNT(*), SUM(size)"
		    " FROM quarantine GROUP BY 1, 2", "");
	return db_commit(q->db, got, e);
}

void
quarantine_counted(const struct quarantine *q, struct quarantine_counts *out)
{
	*out = q->counts;
}

int
quarantine_usage(struct quarantine *q, quarantine_use_of *tell, void *arg,
    struct error *e)
{
	sqlite3_stmt *s = db_query(q->db, e, "SELECT class, state, messages,"
	    " bytes FROM usage ORDER BY class, state", "");
	int got = -1;

	while (s != NULL && (got = db_step(s, e)) > 0)
		tell(arg, db_str(s, 0), db_str(s, 1),
		    sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3));
	(void)sqlite3_finalize(s); /* repeats the step's error */
	return got;
}
