/*
 * scanner - messages in files, judged as if they had come by SMTP: a door
 * without a socket. The sandboxed inspector is forked once and reads them
 * all; the engine is the worker's, without a keeper.
 *
 * Called by scan.c and explain.c. One scanner a process.
 */
#ifndef CLI_SCANNER_H
#define CLI_SCANNER_H

#include "base/buf.h"
#include "mail/transaction.h"
#include "proxy/policy.h"

#define SCAN_RCPTS_MAX 1000
#define SCAN_FACTS_MAX 100

/* What a session would have told. Strings of the command line; NULL: not
 * said. */
struct scan_session {
	const char *client, *name, *helo, *login, *sender, *listener;
	const char *rcpts[SCAN_RCPTS_MAX];
	size_t n_rcpts;
	struct {
		const char *text; /* NAME=VALUE, or NAME alone: unknown */
		bool known;
	} given[SCAN_FACTS_MAX];
	struct fact_given instead[SCAN_FACTS_MAX]; /* the same, understood */
	size_t n_given;
};

struct scanner;
/* Forks. costs: shared memory to measure rules into, or NULL. NULL and *e. */
struct scanner *scanner_new(const struct policy *, struct rules_cost *costs,
    struct error *e);
/* Ends the inspector. */
void scanner_free(struct scanner *);

/* What is said at the end: of a message whose every recipient was refused,
 * the refusal. */
struct scanned {
	struct transaction *t; /* trace is made; transaction_free() */
	const struct verdict *verdict;
};

/*
 * Judge one message. Lines that end in LF alone get their CRLF, the last line
 * its end: as sending it would. -1 and *e: an address that is none, a message
 * over the limit, no inspector.
 */
int scanner_scan(struct scanner *, const struct scan_session *, struct pn_str,
    struct scanned *, struct error *e);

#endif
