/*
 * charset - text of a declared charset as UTF-8. What is broken gives U+FFFD
 * and never stops the rest.
 *
 * UTF-8, US-ASCII, ISO-8859-1, windows-1252, UTF-16, UTF-7 and HZ by our own
 * code, some forty others by iconv: names and readings are those of the WHATWG
 * Encoding standard (ISO-8859-1 is windows-1252, GB 2312 is GB 18030), as every
 * mail reader has it, and of what mail was found to carry.
 *
 * iconv opens a file at the first use of a charset, which the sandbox denies:
 * charsets_open() makes that use in the process that will be forked from. As
 * long as its result is open, charset_read() needs no file. Pure otherwise.
 */
#ifndef INSPECT_CHARSET_H
#define INSPECT_CHARSET_H

#include "base/buf.h"
#include "filters/pn_str.h"

/*
 * Append s as UTF-8 to out, at most 3 bytes a byte of s. name is the MIME name
 * in any case; "": as charset_guess(). False: nobody here reads that charset;
 * its ASCII is kept, every other byte is U+FFFD.
 */
bool charset_read(struct pn_str name, struct pn_str s, struct buf *out);
bool charset_is_read(struct pn_str name);
/* Is s what charset_read() would give, letter by letter: ASCII, in a charset
 * that keeps it? Quick. */
bool charset_is_plain(struct pn_str name, struct pn_str s);
/* What ASCII means in it: itself; something else in places, or everywhere; so
 * too, and nobody says which byte comes first. */
enum charset_kind { CHARSET_ASCII, CHARSET_OTHER, CHARSET_EITHER_END };
enum charset_kind charset_kind(struct pn_str name);
/* Can someone read s who takes it for ASCII? A NUL in it says no. */
bool charset_may_be_ascii(struct pn_str s);
/* For text without a charset: UTF-8 where it is that, else windows-1252. */
void charset_guess(struct pn_str s, struct buf *out);

/* Made and closed by the policy's owner; those forked from it inherit. */
struct charsets;
struct charsets *charsets_open(void);
void charsets_close(struct charsets *);

#endif
