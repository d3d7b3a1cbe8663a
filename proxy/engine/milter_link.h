/*
 * milter_link - one connection to a milter, on the worker's loop: dialled,
 * negotiated, written and read without ever waiting, and kept for another
 * session where the milter can (QUIT_NC). Knows packets, no mail.
 *
 * Opened and closed by milter_talk, which it wakes from the loop when there is
 * something to take, when its output has gone, or when it has failed.
 */
#ifndef ENGINE_MILTER_LINK_H
#define ENGINE_MILTER_LINK_H

#include "base/loop.h"
#include "engine/dns.h"
#include "engine/milters.h"

struct milter_links; /* one a worker: the idle ones */
struct milter_link;

struct milter_links *milter_links_new(struct loop *, struct dns *);
/* None may be open. */
void milter_links_free(struct milter_links *);

enum milter_link_state {
	MILTER_LINK_OPENING, /* up to the milter's word of what it wants */
	MILTER_LINK_READY,
	MILTER_LINK_FAILED
};

typedef void milter_link_wake(void *arg);

/* Never NULL, never wakes before it returns; READY at once when reused. */
struct milter_link *milter_link_open(struct milter_links *,
    const struct milter_peer *, milter_link_wake *, void *arg);
enum milter_link_state milter_link_state(const struct milter_link *);
/* FAILED: why, in words; because time was over. */
const char *milter_link_why(const struct milter_link *);
bool milter_link_timed_out(const struct milter_link *);
/* It was another session's, and has not said a word in this one. */
bool milter_link_is_stale(const struct milter_link *);
/* READY: what was agreed. */
const struct milter_options *milter_link_options(const struct milter_link *);
/* To put packets into; they go with milter_link_send(). */
struct buf *milter_link_out(struct milter_link *);
/*
 * Send what is put. ms: for how long the milter may then neither take a byte
 * nor answer before the link fails; 0: nothing is waited for, and the packet
 * taken last is gone.
 */
void milter_link_send(struct milter_link *, uint64_t ms);
/* More waits to be sent than should: put no more, a wake will come. */
bool milter_link_is_full(const struct milter_link *);
/* The next packet; valid until the next call. False: none yet, or it is broken
 * (FAILED now). */
bool milter_link_take(struct milter_link *, struct milter_packet *);
/* Something came that nobody has taken yet. */
bool milter_link_has_more(const struct milter_link *);
/* done: nothing is under way on it, the milter may be told to quit. Frees it,
 * or keeps it for the next session. No wake follows. */
void milter_link_close(struct milter_link *, bool done);

#endif
