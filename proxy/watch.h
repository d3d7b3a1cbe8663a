/*
 * watch - are the files that a policy was made of still those it was read
 * from? The master asks each `map_check`; a file is looked at, never read.
 *
 * What was seen once is not reported again: a map that is broken stays so
 * until it changes again.
 */
#ifndef PROXY_WATCH_H
#define PROXY_WATCH_H

#include "proxy/policy.h"

/* Zeroed: watches nothing. */
struct watch {
	const struct rules *rules; /* whose files; outlives the watch */
	struct stamp *seen;
	size_t n;
	uint64_t due; /* when to look; 0: never */
};

/* From now on this policy's files, as they were when it read them. */
void watch_begin(struct watch *, const struct policy *, uint64_t now_ms);
void watch_end(struct watch *);
/*
 * Look, if it is due: the path of the first file that is another one than at
 * the last look (all are looked at), or NULL. every_ms: until the next look.
 */
const char *watch_look(struct watch *, uint64_t every_ms, uint64_t now_ms);

#endif
