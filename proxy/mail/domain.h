/*
 * domain - a domain as the DNS and routes know it: in A-labels (RFC 5891),
 * lower case, without a final dot.
 */
#ifndef MAIL_DOMAIN_H
#define MAIL_DOMAIN_H

#include <stdbool.h>

#include "filters/pn_str.h"

#define DOMAIN_MAX 256 /* with a NUL; RFC 1035 2.3.4 */

/* "" stays "", a literal stays one. False: too long, or no domain at all. */
bool domain_ascii(struct pn_str domain, char out[DOMAIN_MAX]);
/* One with an empty label ("a..b", ".a", "a.") is nobody's. */
bool domain_has_labels(const char *domain);

#endif
