/*
 * format - which formats of libarchive's a file shows signs of. A file can be
 * two things at once, and the next reader takes the other one: every sign
 * counts.
 *
 * Called by archive, for bytes that are whole; pure. Zip is zip.h's.
 */
#ifndef INSPECT_FORMAT_H
#define INSPECT_FORMAT_H

#include "filters/pn_str.h"

enum format {
	FORMAT_RAR,
	FORMAT_7Z,
	FORMAT_CAB,
	FORMAT_ISO,
	FORMAT_JOLIET, /* the other tree of an ISO that has two */
	FORMAT_TAR,
	FORMAT_LHA,
	FORMAT_CPIO,
	FORMAT_AR,
	FORMAT_COMPRESSED,
	FORMATS
};

struct sighting {
	enum format format;
	size_t at; /* where it begins: 0, or behind something else */
};

/*
 * What bytes may be, at most FORMATS; the count. search: when nothing begins
 * here, look for what begins later, as programs do that were told it is an
 * archive.
 */
size_t format_see(struct pn_str bytes, bool search, struct sighting *);
/* A container nobody here opens: there is more in it than is read. */
bool format_is_closed(struct pn_str bytes);
/* Volume descriptors of an ISO 9660 image. */
bool format_is_iso(struct pn_str bytes);

#endif
