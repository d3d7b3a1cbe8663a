/*
 * milter_talk_inside - what one session's talk with one milter is made of, for
 * the files that are milter_talk: milter_talk.c (what is told, and when),
 * milter_hear.c (what an answer comes to).
 */
#ifndef ENGINE_MILTER_TALK_INSIDE_H
#define ENGINE_MILTER_TALK_INSIDE_H

#include "engine/milter_talk.h"
#include "mail/field.h"

#define TALK_MAGIC 0x6d746c6bu

/* Callbacks in order; header and body stand for as many as there are. */
enum callback {
	AT_CONNECT,
	AT_HELO,
	AT_MAIL,
	AT_RCPT,
	AT_DATA,
	AT_HEADER,
	AT_END_OF_HEADER,
	AT_BODY,
	AT_END_OF_BODY,
	AT_NOTHING
};

struct milter_talk {
	uint32_t magic;
	struct milter_links *links;
	const struct milter_peer *block;
	const char *hostname;
	struct milter_link *link; /* NULL: none yet, or no more */
	bool leading_space;

	/* Of the session. */
	struct milter_word session;
	bool told_connect, told_helo;

	/* Of the mail at hand. */
	bool told_mail, told_rcpt;
	unsigned skipped; /* bits of callbacks that it wants no more of */
	struct milter_mail mail;
	size_t kept; /* bytes of its changes */

	/* Of the stage under way. */
	bool running;
	struct transaction *t;
	enum stage stage;
	enum callback at;
	bool awaited; /* its answer; it is told */
	bool redialled;
	bool untouched; /* the link failed before the mail began */
	struct spool *message;
	struct field field; /* HEADER: the one to tell */
	size_t body;        /* BODY: what is to be told begins here */
	milter_link_wake *wake;
	void *arg;
};

/* ---- milter_talk.c ---- */

/* No answer, for this mail, and why: the link is closed. */
void milter_talk_fail(struct milter_talk *, const char *why);
/* The callback at hand is told and answered: the one behind it. */
enum callback milter_talk_next(struct milter_talk *);

/* ---- milter_hear.c ---- */

/* The answer to the callback at hand, or one word of it. */
void milter_talk_hear(struct milter_talk *, const struct milter_packet *);

#endif
