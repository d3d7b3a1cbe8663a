/*
 * view - the message as a reader may see it: headers in order with offsets,
 * the tree of parts, names and types in every reading, archive members.
 *
 * Made by the inspector (and `postern scan` through it) from the bytes alone;
 * pure, no sockets, no files. All memory is the given arena's (capped) or
 * belongs to the bytes. RFC 5322, 2045-2047, 2183, 2231.
 */
#ifndef INSPECT_VIEW_H
#define INSPECT_VIEW_H

#include "base/arena.h"
#include "filters/filter.h"

/* Caps. What goes past one is a fact (PN_DEFECT_LIMIT), never a silent cut. */
struct view_limits {
	size_t max_headers;       /* fields of one header block: 1000 */
	unsigned max_depth;       /* MIME nesting: 32 */
	size_t max_parts;         /* parts and members in all: 2000 */
	unsigned max_archive_depth; /* zip in zip: 5 */
	size_t max_archive_members; /* in all: 10000 */
	size_t max_unpacked;      /* decoded or inflated bytes of one part or
				     member that is looked into: 64 MiB */
	size_t max_unpacked_total; /* of one message: 256 MiB */
	size_t max_text;          /* decoded bytes of one text: 1 MiB */
	size_t max_text_total;    /* of one message: 8 MiB */
	size_t max_links;         /* of one page: 2000 */
	size_t max_urls;          /* different ones of one message: 1000 */
};
extern const struct view_limits view_limits_default;

struct view;
/* NULL only when the arena is full at once; else always a view, with defects. */
struct view *view_new(struct pn_str raw, const struct view_limits *,
    struct arena *);

#endif
