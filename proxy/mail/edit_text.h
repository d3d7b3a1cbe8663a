/*
 * edit_text - what rules want in a header, as it goes on the wire: folded at
 * blanks, in encoded words where it is no ASCII. RFC 5322 2.2.3, RFC 2047.
 * For edit_header.c alone.
 */
#ifndef MAIL_EDIT_TEXT_H
#define MAIL_EDIT_TEXT_H

#include "base/buf.h"

/* A whole field and its line end, behind what is in the buffer (no cap). */
void edit_text_field(struct buf *, struct pn_str name, struct pn_str value);
/* What stands between a colon and the value that follows with the byte next
 * (-1: nothing follows). */
void edit_text_prefix(struct buf *, struct pn_str text, int next);

#endif
