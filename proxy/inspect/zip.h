/*
 * zip - the directory of a zip archive in every reading: central directory
 * entries, local headers, and local headers no directory speaks of. PKWARE's
 * APPNOTE 6.3: 4.3.7, 4.3.12, 4.3.14-16, 4.5.3, 4.6.9.
 *
 * libarchive gives one reading of a zip; an attack lives in the difference.
 * Called by archive; pure, the list lies in the arena, names in the bytes.
 */
#ifndef INSPECT_ZIP_H
#define INSPECT_ZIP_H

#include <stdint.h>

#include "base/arena.h"
#include "filters/pn_str.h"

struct zip_member {
	struct pn_str names[6];  /* [n_names] that differ: central, local, Unicode
				    of both */
	size_t n_names;
	size_t at;               /* of the local header */
	struct pn_str data;      /* packed bytes; what of them is there */
	uint64_t size;           /* unpacked, as listed */
	uint32_t crc;
	uint16_t method;
	bool encrypted;
	bool differs;            /* local header and directory contradict */
	bool hidden;             /* no directory lists it */
};

struct zip {
	struct zip_member *members; /* [n], by place of the local header */
	size_t n;
	size_t directories;      /* central directories that were found */
	bool cut;                /* more than max members, or the arena is full */
};

/* False: bytes hold neither a directory nor a local header. */
bool zip_read(struct zip *, struct pn_str bytes, size_t max, struct arena *);

#endif
