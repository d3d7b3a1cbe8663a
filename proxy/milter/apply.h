/*
 * apply - a verdict's changes as libmilter's calls: recipients, sender, header
 * fields, body. Prepared on the loop, where it is known whether the MTA can do
 * them all; made by libmilter's thread, all or none.
 */
#ifndef MILTER_APPLY_H
#define MILTER_APPLY_H

#include "milter/conversation.h"

struct answer;

/* -1 and *e: the MTA offered no such change, or no memory for it. */
int apply_prepare(struct mail *, struct error *e);
/* m->outcome is REFUSE when one of them failed: the MTA drops those before. */
void apply(SMFICTX *, struct mail *);
/* A reply; the callback then returns REJECT (0) or TEMPFAIL (-1). */
int answer_give(SMFICTX *, struct answer *);

#endif
