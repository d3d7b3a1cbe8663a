/*
 * check - the tests a policy carries, run through a candidate inspector of
 * that very policy: forked here, sandboxed, no sockets but ours.
 *
 * Called where a process ends soon after: by the master's checker child,
 * posternd -t and postern test. It gives up root for good on the way.
 */
#ifndef PROXY_CHECK_H
#define PROXY_CHECK_H

#include "proxy/policy.h"
#include "proxy/users.h"

#define CHECK_BUDGET_MS 10000 /* for all tests together */

struct check_report {
	/* One test's outcome; why is "" when it passed. */
	void (*tested)(
	    void *arg, const struct rules_test *, bool passed, const char *why);
	void *arg;
};

/*
 * 0: all passed. -1: *e says which first did not and why, or what kept them
 * from being run. users NULL: nobody to become. report NULL: nobody to tell,
 * and the first failure ends it.
 */
int check_policy(const struct policy *, const struct users *,
    const struct check_report *, struct error *e);

#endif
