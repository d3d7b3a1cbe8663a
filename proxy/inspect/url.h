/*
 * url - an address as a browser takes it apart (WHATWG URL), and what tells
 * two of them apart: host in one form, organisational domain, decoded path.
 *
 * Called by urls. Pure; what is made lies in the arena, the list of public
 * suffixes (libpsl) and the tables of IDNA (libidn2) are part of the program.
 */
#ifndef INSPECT_URL_H
#define INSPECT_URL_H

#include "base/arena.h"
#include "filters/pn_str.h"

struct url {
	struct pn_str scheme; /* lower case */
	struct pn_str host;   /* lower case, IDNA in ASCII, without the dot at
				 its end; IPv4 dotted, IPv6 without brackets; n
				 0: none (mailto, javascript, data) */
	struct pn_str domain; /* organisational: one label in front of a public
				 suffix; an address or a suffix itself */
	struct pn_str port;   /* as written; n 0: none */
	struct pn_str path;   /* decoded once; of mailto and the like: the rest */
	struct pn_str query;  /* behind '?', decoded once */
	struct pn_str whole;  /* scheme, host, port, path, query as written:
				 without user and fragment */
	bool ip;
	bool user;            /* something stands in front of '@' */
};

/*
 * base: of a page, or NULL. Without one, "//host/" and what begins like a host
 * name are taken for http, as readers do; other relative targets lead nowhere.
 * False: no browser would go there, or the arena is full.
 */
bool url_parse(struct url *, struct pn_str s, const struct url *base,
    struct arena *);
/* Is its host an IP address, or below a public suffix there is? */
bool url_is_public(const struct url *, struct arena *);
/* Does s begin with a host name that exists: one label and a public suffix, or
 * "www."? */
bool url_looks_like_host(struct pn_str s, struct arena *);

#endif
