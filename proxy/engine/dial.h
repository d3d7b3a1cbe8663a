/*
 * dial - a connection to a service that postern.conf names, begun without
 * waiting.
 */
#ifndef ENGINE_DIAL_H
#define ENGINE_DIAL_H

#include "mail/option.h"

/*
 * A socket that is writable when it is connected, or has failed to be
 * (SO_ERROR). host: the service's own, or the address that was found for its
 * name. -1: nobody is there.
 */
int dial(const struct pn_service *, const char *host);

#endif
