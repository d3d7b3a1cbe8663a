/*
 * door - what struct milter is made of, for the files of this folder. Made by
 * milter.c; the loop's, but for what says otherwise.
 */
#ifndef MILTER_DOOR_H
#define MILTER_DOOR_H

#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>

#include "engine/count.h"
#include "milter/lend.h"
#include "milter/milter.h"
#include "milter/offer.h"

#define MILTER_MAGIC 0x6d696c74u

#define AGREED_ROWS 1024
#define AGREED_WAYS 8
#define SYMBOL_LISTS 5

struct milter {
	uint32_t magic;
	struct loop *loop;
	const struct milter_conf *conf;
	const struct milter_listener *listener;
	struct engine *engine;
	struct keep *keep;
	struct spool_pool *pool;
	unsigned worker;
	atomic_int socket;   /* what libmilter listens on; -1: not yet */
	atomic_bool leaving; /* drained: it shall not begin to, either */
	struct lend *lend;
	struct offer_needs needs; /* read-only once it is made, */
	char *symbols[SYMBOL_LISTS]; /* likewise: macros that an MTA is asked
					for, a list a stage (talk.c) */
	atomic_uint n_conversations;
	uint64_t all_conversations, all_messages;
	unsigned n_seen; /* conversations that the loop has heard of */
	struct count count;
	void (*drained)(void *);
	void *drained_arg;
	struct event drain;    /* looks whether all have gone */
	unsigned quiet_ticks;  /* for so many looks there was nobody */

	/*
	 * What was agreed with a connection outlives a QUIT_NC, behind which
	 * the MTA goes on with another client and does not negotiate again;
	 * libmilter shows us one close for that and for the real end. Under
	 * agreed_lock.
	 */
	pthread_mutex_t agreed_lock;
	struct agreed {
		const void *ctx;
		struct offer offer;
	} agreed[AGREED_ROWS][AGREED_WAYS];
	unsigned agreed_turn;
};

/* talk.c: the callbacks, for smfi_register(). */
extern const struct smfiDesc talk_callbacks;
/* ... and what they ask each MTA for. */
void talk_init(struct milter *);
/* libmilter's callbacks come with nothing to tell whose they are; there is
 * one door a process (milter.h). */
struct milter *milter_door(void);

#endif
