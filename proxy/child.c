/* child - see child.h. */
#include "proxy/child.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/must.h"

void
child_signals(void)
{
	static const int ignored[] = { SIGINT, SIGHUP, SIGTERM, SIGUSR1,
		SIGPIPE };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction standard = { .sa_handler = SIG_DFL };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		must(sigaction(ignored[i], &ignore, NULL) == 0);
	must(sigaction(SIGCHLD, &standard, NULL) == 0);
}

uint64_t
backoff_crash(struct backoff *b, uint64_t now_ms)
{
	bool often;

	b->at[b->count++ % BACKOFF_CRASHES] = now_ms;
	/* What is overwritten next is the fifth last, this one counted. */
	often = b->count >= BACKOFF_CRASHES &&
		now_ms - b->at[b->count % BACKOFF_CRASHES] <
		    BACKOFF_WINDOW_MS + b->wait_ms;
	if (!often)
		return b->wait_ms = 0;
	b->wait_ms = b->wait_ms == 0 ? 500 : b->wait_ms * 2;
	if (b->wait_ms > BACKOFF_MAX_MS)
		b->wait_ms = BACKOFF_MAX_MS;
	return b->wait_ms;
}
