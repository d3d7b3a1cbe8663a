/* trace - stored JSON into an answer. A worker wrote it, so it is looked at
 * before it becomes part of a line that must parse. */
#ifndef KEEPER_TRACE_H
#define KEEPER_TRACE_H

#include "base/buf.h"

/* As it is, or as a string when it is no JSON; null when there is none. */
void trace_put(struct buf *, const char *key, struct pn_str);

/*
 * The same story without what stood in the message: values of facts, matches,
 * captures and texts made of them become "(N bytes)". Names, results, numbers
 * and the envelope stay.
 */
void trace_redact(struct pn_str, struct buf *);

#endif
