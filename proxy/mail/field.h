/*
 * field - the fields of a message's top header, where they lie in the spool.
 * For those who change messages (edits, milters): they parse no MIME. RFC 5322
 * 2.2.
 *
 * The header ends at the first empty line or the first that is no field, which
 * is where Postfix, too, lets the body begin.
 */
#ifndef MAIL_FIELD_H
#define MAIL_FIELD_H

#include "mail/spool.h"

#define FIELD_NAME_MAX 78 /* longer field names are nobody's edit */

/* One field: [start, end) with its line end; colon is the offset behind it. */
struct field {
	size_t start, colon, end;
	char name[FIELD_NAME_MAX]; /* its first bytes */
	size_t name_n;             /* all of them */
};

/* The field that begins at f->start; false: the header ends here. */
bool field_read(struct spool *, struct field *);
/* Where the header ends: behind the last field. */
size_t field_header_end(struct spool *);
/* Names are compared without case; one that was cut is nobody's. */
bool field_is(const struct field *, struct pn_str name);
/* The byte at offset, -1 at the end or when the spool cannot be read. */
int field_byte(struct spool *, size_t offset);
/* Offset behind the next LF, or the end of the message. */
size_t field_line_end(struct spool *, size_t offset);

#endif
