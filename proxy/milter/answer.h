/*
 * answer - a reply as libmilter can pass it on: the text in lines, each `%`
 * doubled, and the code of the class that the action allows. Pure; called by
 * the callbacks.
 */
#ifndef MILTER_ANSWER_H
#define MILTER_ANSWER_H

#include "mail/reply.h"

#define ANSWER_LINES 32     /* smfi_setmlreply takes no more */
#define ANSWER_LINE 980     /* bytes of one, doubled `%` counted twice */

/* Points into itself: not to be copied. Too large for a fiber's stack. */
struct answer {
	bool later;      /* 4xx, with SMFIS_TEMPFAIL; else 5xx and REJECT */
	char code[4];
	char status[12]; /* never empty: Postfix takes no reply without */
	unsigned n;
	bool cut;        /* there was more text than lines */
	char *lines[ANSWER_LINES]; /* [n]; NULL behind */
	char text[ANSWER_LINES * (ANSWER_LINE + 1)];
	char whole[ANSWER_LINES * ANSWER_LINE]; /* before it is cut */
};

/* The text of r, then " [ref ID]" unless id is "". */
void answer_make(struct answer *, const struct reply *r, const char *id);

#endif
