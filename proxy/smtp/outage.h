/*
 * outage - how long a server of a next hop has not answered, when it is looked
 * at again, and what of it is news. Times are the caller's: hop.c gives its
 * loop's clock.
 *
 * The log says when one begins and when it ends, and between these now and
 * then that it lasts: a server that stays away is looked at every half a
 * minute, and nobody reads that.
 */
#ifndef SMTP_OUTAGE_H
#define SMTP_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#define OUTAGE_FIRST_MS 1000      /* to the next look, then twice that ... */
#define OUTAGE_LAST_MS 30000      /* ... and never more */
#define OUTAGE_REMIND_MS 3600000  /* between lines that it lasts */

struct outage { /* zeroed: it is well */
	unsigned failures; /* in a row */
	uint64_t since_ms; /* the first of them */
	uint64_t told_ms;  /* when the log had it last */
};

enum outage_news { OUTAGE_NO_NEWS, OUTAGE_BEGINS, OUTAGE_LASTS };

/* It did not answer, once more. */
enum outage_news outage_failed(struct outage *, uint64_t now_ms);
/* It answers: how long did it not? False: it had been well. */
bool outage_ended(struct outage *, uint64_t now_ms, uint64_t *lasted_ms);
uint64_t outage_lasts_ms(const struct outage *, uint64_t now_ms);
/* After the last failure: until it is looked at again. */
uint64_t outage_pause_ms(const struct outage *);

#endif
