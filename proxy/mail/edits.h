/*
 * edits - what act changes: a header field added, inserted, changed, deleted,
 * or a range of the body replaced. Collected while the chain runs, applied
 * all or none while writing; the spool itself never changes.
 *
 * edits_resolve() turns them into byte ranges over the spool's offsets, in
 * order and disjoint; a writer walks the ranges. A message without edits is
 * one range: all of it. Where an MTA does the writing, edits_header_ops() and
 * edits_new_body() tell it the same: all three come from one walk.
 */
#ifndef MAIL_EDITS_H
#define MAIL_EDITS_H

#include <sys/queue.h>

#include "base/arena.h"
#include "base/error.h"
#include "mail/spool.h"

enum edit_kind {
	EDIT_HEADER_ADD,    /* behind the last field of the header */
	EDIT_HEADER_INSERT, /* in front of the first */
	EDIT_HEADER_SET,    /* replace the first of that name, delete the others; add when none */
	EDIT_HEADER_REMOVE, /* every field of that name */
	EDIT_HEADER_PREFIX, /* text in front of the first one's value (subject);
			       add the field when there is none */
	EDIT_RANGE,         /* bytes behind the header: value, as it is, instead */
	EDIT_BODY           /* likewise all of them */
};

struct edit {
	STAILQ_ENTRY(edit) next;
	enum edit_kind kind;
	struct pn_str name;  /* field name, no colon */
	struct pn_str value; /* UTF-8 without CR LF; non-ASCII goes out as an
				RFC 2047 encoded word, long ones are folded */
	size_t offset, n;    /* RANGE */
};
STAILQ_HEAD(edits, edit);

/* One run of the result: literal text, or [offset, offset + n) of the spool. */
struct edit_range {
	STAILQ_ENTRY(edit_range) next;
	struct pn_str literal; /* .p NULL: from the spool */
	size_t offset;
	size_t n;
};
STAILQ_HEAD(edit_ranges, edit_range);

/* Behind those that are there: each sees what they made of the header. Copies
 * name and value into the arena; -1 at its cap. */
int edits_add(struct edits *, struct arena *, enum edit_kind,
    struct pn_str name, struct pn_str value);
/*
 * Bytes [offset, offset + n) of the message, or all behind the empty line that
 * ends its header, become text: whole lines with CRLF, none of which begins
 * with a dot. Copied; -1 at the arena's cap.
 */
int edits_add_range(struct edits *, struct arena *, size_t offset, size_t n,
    struct pn_str text);
int edits_add_body(struct edits *, struct arena *, struct pn_str text);
/* Ranges in the arena; -1: arena's cap, the spool could not be read, or bytes
 * to replace lie in the header, in one another or behind the end. */
int edits_resolve(const struct edits *, struct spool *, struct arena *,
    struct edit_ranges *, struct error *e);

/* What the milter protocol can ask an MTA to do to a header. */
enum edit_op_kind {
	EDIT_OP_DELETE, /* smfi_chgheader(name, nth, NULL) */
	EDIT_OP_CHANGE, /* smfi_chgheader(name, nth, value) */
	EDIT_OP_INSERT, /* smfi_insheader(0, name, value): in front of all */
	EDIT_OP_ADD     /* smfi_addheader(name, value): behind all */
};
struct edit_op {
	STAILQ_ENTRY(edit_op) next;
	enum edit_op_kind kind;
	struct pn_str name;  /* a NUL stands behind it, and behind value */
	unsigned nth;        /* DELETE, CHANGE: from 1, of that name */
	struct pn_str value; /* what stands behind the colon, its leading blank
				too; folds are LF and a blank; no last line
				end. DELETE: "" */
};
STAILQ_HEAD(edit_ops, edit_op);

/*
 * In the order to be done, so that each index means what it meant before any
 * was done: deletions and changes from the last field upward, then insertions,
 * the topmost last, then additions. In the arena; -1: its cap.
 */
int edits_header_ops(const struct edits *, struct spool *, struct arena *,
    struct edit_ops *, struct error *e);
/* Do they change what stands behind the header? */
bool edits_change_body(const struct edits *);
/* What edits_resolve() has behind the empty line that ends the header; -1 as
 * it. For an edit_cursor. */
int edits_new_body(const struct edits *, struct spool *, struct arena *,
    struct edit_ranges *, struct error *e);

/* Bytes of the result. */
size_t edit_ranges_size(const struct edit_ranges *);
/*
 * A walk over the result in contiguous pieces: .n 0 at the end, .p NULL on a
 * read error. Start with a zeroed cursor.
 */
struct edit_cursor {
	const struct edit_range *range;
	size_t done; /* bytes of it */
	bool started;
};
struct pn_str edit_cursor_peek(struct edit_cursor *,
    const struct edit_ranges *, struct spool *);
void edit_cursor_skip(struct edit_cursor *, size_t n);

#endif
