/*
 * decode - base64, quoted-printable, uuencode and yEnc, read as leniently as mail
 * readers do. RFC 2045 6.7, 6.8; POSIX uuencode.
 *
 * Pure functions over bytes; nothing is owned. What a decoder stepped over is
 * told in decoded.broken, never an error.
 */
#ifndef INSPECT_DECODE_H
#define INSPECT_DECODE_H

#include "filters/pn_str.h"

struct arena;

enum encoding {
	ENCODING_NONE,
	ENCODING_BASE64,
	ENCODING_QP,
	ENCODING_UU,
	ENCODING_YENC
};

struct decoded {
	size_t n;     /* bytes written */
	size_t used;  /* bytes of the source that were read */
	bool broken;  /* junk, a bad escape, a cut quantum */
	bool resumed; /* base64: more data behind padding; some readers stop there */
};

/*
 * Decode into out until max bytes are there or src ends. uu: src is the lines
 * between "begin" and "end"; yEnc: between "=ybegin" and "=yend". out and src do not overlap.
 */
struct decoded decode(enum encoding, struct pn_str src, char *out, size_t max);
/* Room that decode() of all of src needs at most. */
size_t decode_room(enum encoding, struct pn_str src);
/*
 * Bytes decode() would give, by arithmetic over the line ends: exact when
 * nothing is broken.
 */
size_t decode_size(enum encoding, struct pn_str src);
/*
 * The last bytes, at most max, as decode() of all of src would end. Where the
 * padding of base64 is not what it should be, only one shift (below
 * DECODE_SHIFTS) gives these: which one can not be seen from the end.
 */
#define DECODE_SHIFTS 4
struct pn_str decode_tail(enum encoding, struct pn_str src, unsigned shift,
    char *out, size_t max);
/* Does src read as base64 and nothing else, as far as its first lines tell? */
bool decode_looks_base64(struct pn_str src);

int hex_digit(char c); /* 0-15, or -1 */
int hex_pair(struct pn_str, size_t at); /* the byte of two digits, or -1 */
/* "a%20b" (RFC 3986 2.1, RFC 2231 4); what is no escape stays. s itself where
 * there is none, { NULL, 0 } at the arena's cap. */
struct pn_str percent_decode(struct pn_str s, struct arena *);

#endif
