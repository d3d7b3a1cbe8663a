/* policy_world - whole configurations for a test, in a folder that goes when
 * the test ends. */
#ifndef TESTS_POLICY_WORLD_H
#define TESTS_POLICY_WORLD_H

#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "proxy/policy.h"

static inline void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	must(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static inline const struct policy *
load(const char *text, struct error *e)
{
	put("p.conf", text);
	return policy_load("p.conf", e);
}

static inline const struct policy *
loaded(const char *text)
{
	struct error e;
	const struct policy *p = load(text, &e);

	if (p == NULL)
		fail_msg("%s", e.text);
	return p;
}

static inline int
enter_folder(void **state)
{
	static char folder[] = "/tmp/postern-policy.XXXXXX";

	*state = mkdtemp(folder);
	return *state == NULL ? -1 : chdir(folder);
}

static inline int
leave_folder(void **state)
{
	(void)unlink("p.conf");
	return chdir("/") < 0 ? -1 : rmdir(*state);
}

#endif
