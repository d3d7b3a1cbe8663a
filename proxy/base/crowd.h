/*
 * crowd - who is here, how many of each, and how often each came lately: one
 * table that all worker processes of all generations share, so that a limit
 * holds for them together.
 *
 * Made by the master before it forks anybody (an anonymous shared mapping, of
 * which the kernel gives pages as they are used). Each worker sits on a seat
 * of its own, on which stands what it holds: when it dies, however it dies, the
 * master gives that back. No locks: a worker that is stopped or killed in the
 * middle of anything holds up nobody.
 *
 * One of the crowd is known by bytes (an address, cut to its net). Of these
 * there is room for CROWD_ROOM, found by a hash under a random key: nobody can
 * choose a place. Where it is full, the one that has been quiet longest and
 * holds nothing makes room; then the one that has been quiet longest. Each
 * call looks at CROWD_WAYS of them and no more.
 *
 * A worker that was taken over can write nonsense there: limits fail then, and
 * nothing else does. Other processes do not have the mapping (crowd_forget()).
 */
#ifndef BASE_CROWD_H
#define BASE_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CROWD_WAYS 8
#define CROWD_ROOM 65536
#define CROWD_RATES 6 /* kinds of what is counted by time */

struct crowd;
struct crowd_seat;

struct crowd *crowd_new(void);
/* This process has done with it. */
void crowd_forget(struct crowd *);

/* In the master, before the fork. most: what one worker may hold. */
struct crowd_seat *crowd_seat_new(struct crowd *, unsigned most);
/* In the master: its worker is dead, and what it held is given back. */
void crowd_seat_free(struct crowd_seat *);
/* In a child whose seat it is not. */
void crowd_seat_forget(struct crowd_seat *);

/* What a worker holds there: a place on its seat, and one of the crowd. */
struct crowd_hold {
	unsigned place; /* from 1; 0: nothing is held */
	uint32_t at;    /* behind CROWD_ROOM: nobody in particular */
	uint64_t tag;
};

/*
 * One more, of nobody in particular. *all: how many there are of all workers.
 * False: the seat is taken to its end.
 */
bool crowd_enter(struct crowd_seat *, struct crowd_hold *, unsigned *all);
/* ... of that one (n 0: again of nobody in particular). How many there are of
 * it now, this one included. What it was before is given back. */
unsigned crowd_is(struct crowd_seat *, struct crowd_hold *, const void *name,
    size_t n, uint64_t now_s);
void crowd_leave(struct crowd_seat *, struct crowd_hold *);
/*
 * Once more of a kind. How often within window_s now, this one included: a
 * window begins with the first and ends window_s later. 0: it is nobody in
 * particular, or was forgotten for lack of room.
 */
unsigned crowd_count(struct crowd_seat *, const struct crowd_hold *,
    unsigned kind, uint64_t now_s, uint64_t window_s);

#endif
