/* policy_names - what posternd -t warns of: see policy_names.c. */
#ifndef PROXY_POLICY_NAMES_H
#define PROXY_POLICY_NAMES_H

#include "proxy/policy.h"

/* Warnings of a policy that is right, each with its line: into b, and how many.
 * Certificates that expire are among them. */
size_t policy_warn(const struct policy *, struct buf *b);

#endif
