/*
 * doctor_find - whom a worker would dial (smtp/resolve.c): a server at each of
 * its addresses, or the mail hosts of a domain, by the resolver of `dns`.
 * Called by doctor_smtp.c, which owns what is found.
 */
#ifndef CLI_DOCTOR_FIND_H
#define CLI_DOCTOR_FIND_H

#include "cli/doctor_ask.h"
#include "proxy/config.h"

struct found_server {
	struct smtp_server server; /* its words stand here: */
	char name[2 * DOMAIN_MAX]; /* "mx.example.com[192.0.2.1]:25" */
	char host[DOMAIN_MAX];
};

struct found { /* not to be moved */
	struct found_server all[HOP_SERVERS_MAX];
	size_t n;
	bool temporary;    /* some answer could not be had */
	struct error why;  /* n 0: what is wrong */

	/* of a domain's mail hosts */
	const char *domain;       /* its MX records led to them, or NULL */
	char mx_name[DOMAIN_MAX]; /* ... which are of this name, */
	bool mx_is_secure;        /* ... validated */
};

/* Both: -1 when there is nobody. */
int find_server(struct asker *, const struct smtp_server *, struct found *);
int find_mail_hosts(struct asker *, const struct smtp_conf *, unsigned port,
    const char *domain, struct found *);

#endif
