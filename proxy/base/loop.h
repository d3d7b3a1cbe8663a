/*
 * loop - one libevent loop a process and what everybody on it shares: the
 * time, one scratch buffer to read into, common time-outs. Made after fork
 * (an inherited epoll descriptor is shared and breaks). No threads.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdint.h>
#include <sys/time.h>

struct event_base;
struct loop;

#define LOOP_SCRATCH (64 * 1024)

struct loop *loop_new(void);
void loop_free(struct loop *);
void loop_run(struct loop *);  /* until loop_stop() */
void loop_stop(struct loop *);
struct event_base *loop_base(struct loop *);
/* LOOP_SCRATCH bytes, valid until the callback that uses them returns. */
char *loop_scratch(struct loop *);
/* Milliseconds of a clock that never goes back, as of this turn. */
uint64_t loop_now_ms(struct loop *);
/*
 * A time-out for event_add() that many events share: arming one is O(1)
 * (event_base_init_common_timeout). For the few durations of a config.
 */
const struct timeval *loop_timeout(struct loop *, uint64_t ms);

#endif
