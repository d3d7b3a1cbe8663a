/*
 * settings - what an operator may change of a keeper that runs: how long and
 * how much it keeps, and when a release is tried again. Read by the master
 * (config.c), inherited by fork, and sent anew after each reload, since the
 * keeper outlives generations.
 */
#ifndef KEEPER_SETTINGS_H
#define KEEPER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/pack.h"

/* What becomes of held mail, by its class. */
struct keeper_class {
	const char *name;  /* "default": of all that have no block */
	uint64_t keep_ms;  /* then it is deleted */
	size_t quota;	   /* bytes of all that is held; 0: none */
	bool drop_oldest;  /* when full: the oldest goes; else the new one is
			      refused with 452 4.3.1 */
};

struct keeper_settings {
	unsigned history_days;
	size_t history_size;  /* bytes of it at most; 0: no cap */
	bool history_text;    /* matched text is written into traces */
	uint64_t release_life_ms; /* tried again so long */
	const uint64_t *release_retry_ms; /* waits between tries; the last one
					     is used again and again */
	size_t n_release_retry;	/* at least one */
	const struct keeper_class *classes;
	size_t n_classes;
};

/* Its own block's, the default's, or what a default is made of. */
const struct keeper_class *keeper_class_of(const struct keeper_settings *,
    struct pn_str name);
/* Before the next try of a release, when so many have been. */
uint64_t keeper_retry_wait_ms(const struct keeper_settings *, uint64_t tries);

void keeper_settings_pack(const struct keeper_settings *, struct buf *);
/* All in the arena. False: not of our form. */
bool keeper_settings_unpack(struct keeper_settings *, struct unpack *,
    struct arena *);

#endif
