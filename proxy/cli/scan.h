/* scan - what scan.c lends to explain.c, try.c and replay.c: messages judged
 * now. */
#ifndef CLI_SCAN_H
#define CLI_SCAN_H

#include "cli/cli.h"
#include "cli/scanner.h"

/* The options that tell of the session; the place of the first that is none,
 * -1: not such options. */
int scan_options(struct scan_session *, int argc, char **argv);
/* "-" is the standard input. */
int scan_read(const char *path, struct buf *, struct error *);
/* The policy and its scanner: 0, or the exit code. */
struct scanning {
	const struct policy *policy;
	struct scanner *scanner;
	struct arena *arena; /* of the facts that are given */
};
int scan_begin(const struct cli *, struct scanning *, struct scan_session *);
void scan_end(struct scanning *);
/* given.c: the --fact and --unknown of the options, by the policy. 0, or the
 * exit code. */
int given_facts(const struct policy *, struct scan_session *, struct arena *);
/* Judge a message and print what came of it. The exit code. */
int scan_one(const struct cli *, struct scan_session *, const char *path,
    struct pn_str text);

#endif
