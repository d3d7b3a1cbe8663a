/*
 * inspector - the process that reads hostile bytes: no network, no files, a
 * deadline a message. A worker has one for each lane.
 *
 * The master makes a channel before it forks worker and inspector; both ends
 * inherit what is theirs. The inspector's main never returns.
 */
#ifndef INSPECT_INSPECTOR_H
#define INSPECT_INSPECTOR_H

#include <stdatomic.h>

#include "inspect/charset.h"
#include "inspect/view.h"
#include "mail/chain.h"
#include "rules/rules.h"

#define INSPECT_SLOTS 2
#define INSPECT_START_MS 1000 /* a new one may take to make itself ready */

/*
 * A worker's inspectors. A message that travels inline never waits behind a
 * large one: a megabyte made to be slow to read holds up its like alone.
 */
enum inspect_lane { LANE_SMALL, LANE_LARGE, INSPECT_LANES };

/* Shared between one worker and one inspector; made by the master. */
#define INSPECT_WORDS 2

struct inspect_channel {
	_Atomic uint64_t *working_on; /* page both map, INSPECT_WORDS of it: id of
					 the request at hand, 0 none; 1 + number of
					 the module whose .inspect runs, 0 none */
	int slot_fd;                  /* memfd of all slots, sealed against future writing */
	char *slots;                  /* worker's writable mapping; NULL in the inspector */
	const char *slots_ro;         /* inspector's */
	size_t slot_size;             /* message_size_limit, page-rounded */
};

struct inspect_conf {
	uint64_t deadline_ms;         /* a message: 10 s */
	uint64_t pattern_time_ms;     /* one regex in one text: 5; 0 is that, too */
	uint64_t message_time_ms;     /* all of a message's: 250; so, too */
	size_t max_memory;            /* RLIMIT_AS above what the policy takes: 1 GiB */
	struct view_limits limits;
	const struct chain *chain;
	const struct rules *rules;
	struct charsets *charsets;    /* open, so that no reading opens a file */
	struct rules_cost *costs;     /* shared memory to measure rules into,
					 or NULL */
};

int inspect_channel_make(struct inspect_channel *, size_t max_message,
    struct error *e);
void inspect_channel_free(struct inspect_channel *);
/* In a child that is not this channel's worker (inspector included). */
void inspect_channel_drop_write(struct inspect_channel *);

/*
 * The inspector process: drops the writable slots, closes the sandbox,
 * answers requests on sock until EOF, then _exit(0).
 */
_Noreturn void inspector_main(const struct inspect_conf *,
    struct inspect_channel *, int sock);

/* One request handled (recv, inspect, send); false at EOF. What inspector_main
 * loops on; --single calls it when sock is readable. */
struct inspector;
struct inspector *inspector_new(const struct inspect_conf *,
    struct inspect_channel *, int sock);
bool inspector_turn(struct inspector *);

#endif
