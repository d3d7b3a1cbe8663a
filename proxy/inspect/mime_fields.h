/*
 * mime_fields - what the Content-* fields of one entity say, in every reading:
 * types, names, boundaries, charsets, encodings. RFC 2045, 2183, 2231. For
 * mime.c alone.
 */
#ifndef INSPECT_MIME_FIELDS_H
#define INSPECT_MIME_FIELDS_H

#include "inspect/part.h"

struct entity {
	struct header header;
	struct pn_str body;
	struct pn_str raw;             /* of the message: all of it, or what is
					  around it there */
	unsigned lies;                 /* enum thing_flag */
	struct param_values types;     /* at least one */
	struct param_values names;
	struct param_values boundaries;
	struct param_values charsets;
	enum encoding encodings[4];    /* [n_encodings], at least one */
	size_t n_encodings;
	bool odd_encoding;             /* a word that names none we know */
	bool uu;                       /* a word that names uuencode */
	size_t n_dispositions, n_attached;
	bool joins_lines; /* delsp=yes */
	bool ambiguous;
};

/* Of the first n fields of its header; digest: its type where it has none is
 * message/rfc822. */
void mime_fields_read(struct view *, struct entity *, size_t n, bool digest);
/* Once there is a body: what it is encoded in, though no word or an unknown one
 * says so. */
void mime_settle_encodings(struct entity *);
/* Names whose endings differ mislead; others may be a name and its ASCII form. */
bool mime_names_mislead(const struct param_values *);
/* Does a type begin so? */
bool mime_is_of(struct pn_str type, const char *top);

#endif
