/*
 * json - writing JSON (RFC 8259) into a buf. Reading is Jansson's, in keeper/
 * and cli/. Commas are placed by looking at the last byte written, so calls
 * nest freely. Bytes that are no UTF-8 become U+FFFD: the output always
 * parses. No name here is one of Jansson's: both meet in one file.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* key is NULL inside an array and for the outermost value. */
void json_begin_object(struct buf *, const char *key);
void json_end_object(struct buf *);
void json_begin_array(struct buf *, const char *key);
void json_end_array(struct buf *);
void json_str(struct buf *, const char *key, struct pn_str);
void json_cstr(struct buf *, const char *key, const char *);
void json_int(struct buf *, const char *key, int64_t);
void json_bool(struct buf *, const char *key, bool);
void json_put_null(struct buf *, const char *key);
/* v is JSON already (a stored trace). */
void json_raw(struct buf *, const char *key, struct pn_str v);

#endif
