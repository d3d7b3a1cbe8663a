/*
 * part - struct view and struct pn_part as those who build them see them:
 * view, mime, archive. Everybody else goes through view.h or filter.h.
 *
 * Both lie in the view's arena. One process, one thread.
 */
#ifndef INSPECT_PART_H
#define INSPECT_PART_H

#include <stdint.h>

#include "inspect/decode.h"
#include "inspect/header.h"
#include "inspect/param.h"
#include "inspect/view.h"
#include "mail/pn_mail.h"

#define VIEW_NAME 4096 /* bytes of a name; of a longer one its end is kept */
#define VIEW_HEAD 1024 /* decoded bytes every part keeps, to tell its type */

struct pn_part {
	struct pn_part *next;
	struct view *view;
	uint32_t number;      /* from 0, in order */
	unsigned depth;       /* messages and archives around it */
	unsigned flags;       /* enum pn_part_flag */
	bool container;       /* multipart, message: it has no bytes of its own */
	bool member;          /* of an archive */
	enum encoding encoding;
	struct pn_str entity; /* of view.raw: see mail/facts.h, struct
				 fact_thing */
	unsigned lies;        /* enum thing_flag: how the part lies there */
	struct pn_str bytes;  /* as they stand in the message, encoded; a
				 member's are its head */
	struct pn_str head;   /* decoded so far, VIEW_HEAD bytes if there are */
	bool head_whole;      /* that is all of it */
	uint64_t size;        /* decoded */
	bool sized;           /* .size is known */
	struct pn_str *names; /* [n_names] every reading */
	size_t n_names;
	struct pn_str type;   /* declared, lower case */
	struct pn_str *charsets; /* [n_charsets] declared, every reading */
	size_t n_charsets;
	bool attached;        /* offered as a file, not shown */
	bool joins_lines;     /* its lines are shown joined: RFC 3676, DelSp */
	struct pn_str path;
	const char *magic;    /* one of type.h's words */
};

struct view {
	struct pn_str raw;
	struct view_limits limits;
	struct arena *arena;
	struct header header; /* the message's own */
	struct pn_part *first, *last;
	uint32_t n_parts;
	size_t n_members;     /* of all archives */
	size_t unpacked;      /* bytes decoded or inflated in all */
	unsigned defects;     /* enum pn_defect */
	struct texts *texts;  /* once somebody asked (text) */
	struct urls *urls;    /* likewise (urls) */
	struct pn_mail *mail; /* whose hook runs (host) */
	_Atomic uint64_t *running; /* where to tell of it, or NULL (host) */
	struct {              /* where pn_mailbox() stopped last (host) */
		struct pn_str field;
		unsigned nth;
		size_t at;
	} mailbox;
};

/* Where a part lies. */
struct place {
	unsigned depth; /* messages and archives around it */
	unsigned level; /* all containers around it: limits.max_depth */
	unsigned archives; /* archives around it: limits.max_archive_depth */
	struct pn_str path; /* of the container, "" at the top */
	struct pn_str entity; /* of view.raw: the innermost around it there */
	unsigned lies;        /* enum thing_flag, of what is not raw in it */
};

/*
 * A new part behind the last; NULL (and PN_DEFECT_LIMIT) at max_parts or the
 * arena's cap. Names are copied; its path is the place's and the first name.
 */
struct pn_part *view_add(struct view *, const struct place *,
    const struct param_values *names, struct pn_str type);
/* Do these bytes lie in the message as it stands? */
bool view_is_raw(const struct view *, struct pn_str);
/* The first n decoded bytes of a part, fewer where it or a limit ends. */
struct pn_str view_head(struct pn_part *, size_t n);
uint64_t view_size(struct pn_part *);
/* Count n more decoded bytes of one part; false when limits forbid them. */
bool view_may_unpack(struct view *, size_t n);

/* How many more bytes of the message may be decoded or inflated. */
size_t view_unpackable(const struct view *);

/* Does one of its names end so, as a system takes the ending that drops dots
 * and blanks behind it? endings in lower case, up to a NULL. */
bool view_has_ending(const struct pn_part *, const char *const *endings);

/* All parts of an entity (header and body) and of what is in it. */
void mime_read(struct view *, const struct place *, struct pn_str bytes);
/* A file that mail readers (or archive programs, for uuencode) open: a name
 * says so. */
bool mime_opens(const struct pn_part *);
/* What is in such a member of an archive; place is its inside. The bytes may
 * go afterwards. */
void mime_look(struct view *, const struct place *, struct pn_part *,
    struct pn_str bytes);
/* The part's magic, and what lies inside it if it is an archive. */
void archive_look(struct view *, const struct place *, struct pn_part *);

#endif
