/* lookups - see lookups.h. */
#include "smtp/lookups.h"

#include <stdio.h>
#include <string.h>

bool
lookups_ended(
    struct lookups *l, const char *domain, bool only, bool answered)
{
	enum lookups_state was = l->state;

	if (answered) {
		*l = (struct lookups){ .state = LOOKUPS_FOUND };
		return was != l->state;
	}
	if (only || (l->failed[0] != '\0' && strcmp(l->failed, domain) != 0))
		l->state = LOOKUPS_FAILING;
	(void)snprintf(l->failed, sizeof(l->failed), "%s", domain);
	return was != l->state;
}
