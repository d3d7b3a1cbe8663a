/*
 * doctor_ask - the questions of postern doctor to the DNS: one after the other,
 * each waited for, through the library and the settings that workers use
 * (engine/dns). Owned by whoever opens it.
 */
#ifndef CLI_DOCTOR_ASK_H
#define CLI_DOCTOR_ASK_H

#include "base/buf.h"
#include "engine/dns.h"
#include "engine/engine.h"
#include "mail/domain.h"

#define ASKER_ANSWERS 64 /* more are left out, as a worker does */

struct asker {
	struct loop *loop;
	struct dns *dns;
	uint64_t timeout_ms;
	struct dns_ask *ask; /* under way */

	/* the last answer */
	enum pn_dns_status status;
	bool secure; /* DNSSEC */
	char canonical[DOMAIN_MAX];
	struct pn_str answers[ASKER_ANSWERS]; /* a NUL behind each */
	size_t n;
	struct buf text; /* ... where they stand */
};

/* secure: held to what zones signed, and without /etc/hosts. -1 and *e; in
 * either case it is to be closed. */
int asker_open(struct asker *, const struct engine_conf *, bool secure,
    struct error *e);
void asker_close(struct asker *);
enum pn_dns_status asker_ask(struct asker *, enum dns_type, const char *name);
/* "no answer in time" */
const char *asker_status(enum pn_dns_status);

#endif
