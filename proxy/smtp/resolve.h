/*
 * resolve - the servers of a next hop that is written by name: addresses of
 * its servers, or the mail hosts of a domain. RFC 5321 5.1, 7505; through
 * engine/dns, which caches as long as the records live.
 *
 * Made by a dial or a probe, freed by itself when it is done, or cancelled.
 */
#ifndef SMTP_RESOLVE_H
#define SMTP_RESOLVE_H

#include "mail/reply.h"
#include "smtp/hop.h"
#include "smtp/mx.h"

struct resolve;

struct resolved {
	struct reply failure; /* code 0: there are servers */
	struct server **servers;
	size_t n;
	const char *mx;       /* of this name are the MX records that led to
				 them: the domain, or where its CNAMEs end.
				 NULL: there are none */
	bool mx_is_secure;    /* ... validated by DNSSEC (`tls dane` alone) */
};
/* From the loop, never from within resolve_start(). The answer is valid until
 * it returns, its servers as long as somebody holds them (server_hold). */
typedef void resolve_done(void *arg, const struct resolved *);

/* domain: of the mail, where the next hop goes by MX; else NULL. */
struct resolve *resolve_start(struct hop *, const char *domain, resolve_done *,
    void *arg);
void resolve_cancel(struct resolve *); /* NULL is fine */

#endif
