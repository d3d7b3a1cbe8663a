/*
 * rar - is a RAR 5 archive locked? libarchive 3.6 lists what is locked in one
 * as if it were not. rarlab.com/technote.htm.
 */
#ifndef INSPECT_RAR_H
#define INSPECT_RAR_H

#include "filters/pn_str.h"

/* bytes begin with the signature. Pure; time is linear in the headers. */
bool rar_is_locked(struct pn_str bytes);

#endif
