/*
 * mx - what MX records mean: which hosts, the best first, or nobody. RFC 5321
 * 5.1, 7505. Asked by resolve.c and by postern doctor; owns nothing.
 */
#ifndef SMTP_MX_H
#define SMTP_MX_H

#include <stddef.h>

#include "mail/domain.h"

#define MX_HOSTS_MAX 20 /* the best of them are looked up */

struct mx_host {
	char name[DOMAIN_MAX];
	unsigned preference;
};

enum mx_meaning {
	MX_HOSTS,
	MX_NOBODY /* RFC 7505: it takes no mail */
};
/* From answers as engine/dns gives them, "10 mx.example.com"; the best first. */
enum mx_meaning mx_read(const struct pn_str *answers, size_t n,
    struct mx_host hosts[MX_HOSTS_MAX], size_t *n_hosts);

#endif
