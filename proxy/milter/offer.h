/*
 * offer - what we ask of an MTA, of what it offers: as little as the policy
 * can come to. Pure: a table of protocol flags and when each is wanted.
 * Called when a conversation begins.
 */
#ifndef MILTER_OFFER_H
#define MILTER_OFFER_H

#include <stdbool.h>

#include "mail/stage.h"

struct offer_needs {
	bool stages[STAGES];   /* something is asked or judged there */
	bool header, body;     /* some message's can matter */
	bool answers_chunks;   /* each chunk of the body is answered, so that
				  the rest may be skipped */
	bool tcp;              /* the MTA talks over TCP */
	unsigned long actions; /* SMFIF_*: what may have to be done */
};

struct offer {
	unsigned long actions;  /* SMFIF_*: those we may use */
	unsigned long protocol; /* SMFIP_* */
};

/* Of what the MTA offers (.actions, .protocol), what we take. */
struct offer offer_take(const struct offer_needs *, const struct offer *mta);

#endif
