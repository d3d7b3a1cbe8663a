/*
 * delay - one stage, and the `delay` of its rules before the reply: for both
 * doors. Lies in what a door has of a client, on the loop.
 */
#ifndef ENGINE_DELAY_H
#define ENGINE_DELAY_H

#include <event2/event_struct.h>

#include "base/loop.h"
#include "engine/engine.h"

struct delay {
	struct event timer;
	bool running, over;
	uint64_t so_far_ms; /* in this mail; the door begins anew at 0 */
	void (*on_over)(void *arg);
	void *arg;
};

/* on_over comes from the loop, when delay_stage() is to be called again. */
void delay_init(struct delay *, struct loop *, void (*on_over)(void *arg),
    void *arg);
/*
 * Run the stage, then hold its reply back for as long as its rules say: most_ms
 * at most, and all delays of a mail together DELAYS_MAX_MS. True: the reply is
 * due. False: the engine or the delay will wake the door; call again.
 */
bool delay_stage(struct delay *, struct engine *, struct transaction *,
    enum stage, uint64_t most_ms);
/* Nothing but the delay. True: it is over. False: as above. */
bool delay_wait(struct delay *, uint64_t ms);
/* The client left: no call follows. Harmless when none runs. */
void delay_cancel(struct delay *);

/* Less than what RFC 5321 4.5.3.2 lets a client wait for one reply. */
#define DELAYS_MAX_MS 240000

#endif
