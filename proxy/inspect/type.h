/*
 * type - what bytes are, by their first ones: our own table of signatures.
 * What rules know as part.magic.
 */
#ifndef INSPECT_TYPE_H
#define INSPECT_TYPE_H

#include "filters/pn_str.h"

/*
 * One of "executable" "script" "zip" "rar" "sevenzip" "gzip" "pdf" "ole" "rtf"
 * "image" "html" "text", "other" (known, but none of these), "unknown". The
 * pointer is the same for equal words.
 */
const char *type_of(struct pn_str head);
/* The header of a tape archive's first member, of whatever age. */
bool type_is_tar(struct pn_str head);

extern const char type_executable[], type_script[], type_zip[], type_rar[],
    type_sevenzip[], type_gzip[], type_pdf[], type_ole[], type_rtf[],
    type_image[], type_html[], type_text[], type_other[], type_unknown[];

#endif
