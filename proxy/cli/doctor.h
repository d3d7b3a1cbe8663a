/*
 * doctor - what the parts of postern doctor share: findings are said as they
 * are made, each with what to do about it.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/cli.h"
#include "proxy/policy.h"

enum finding { FINE, WARN, FAIL };

struct doctor {
	const struct cli *cli;
	json_t *all; /* --json */
	unsigned warned, failed;
};

/* what: "upstream mta"; advice: what to do, or "". */
void doctor_say(struct doctor *, enum finding, const char *what,
    const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* doctor_smtp.c: does each next hop hear who is talking? */
void doctor_upstreams(struct doctor *, const struct config *);
/* doctor_dane.c: which TLSA records does the server at the talk's other end
 * have? Sets what the talk is held to; false: a worker would not talk. */
struct talk;
bool doctor_dane(struct doctor *, const struct config *, struct talk *);
/* doctor_milter.c: does each milter listener answer an MTA, each milter us? */
void doctor_milters(struct doctor *, const struct config *);
/* doctor_dns.c: is the resolver sane, does our name lead to us, do the lists
 * answer as lists do? zones may be NULL. */
void doctor_dns(
    struct doctor *, const struct config *, const char *const *zones);

#endif
