/* transaction - see transaction.h. The counter of ids is the process's. */
#include "mail/transaction.h"

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/must.h"

/* RFC 4648 base32hex in lower case: sorts as the numbers do. */
static char *
base32(char *out, uint64_t v, int digits)
{
	static const char alphabet[] = "0123456789abcdefghijklmnopqrstuv";

	for (int i = digits - 1; i >= 0; i--) {
		out[i] = alphabet[v & 31];
		v >>= 5;
	}
	return out + digits;
}

/*
 * 11 digits of microseconds (good for a thousand years), 2 of the worker, 3
 * of a counter: two ids of one worker differ even when the clock stands still
 * or is set back within 32,768 messages.
 */
void
transaction_new_id(char out[TRANSACTION_ID_MAX], unsigned worker)
{
	static uint64_t counter; /* one worker a process */
	struct timespec now;
	char *at = out;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	at = base32(at,
	    (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000, 11);
	at = base32(at, worker, 2);
	at = base32(at, counter++, 3);
	*at = '\0';
}

struct transaction *
transaction_new(void)
{
	struct transaction *t = xcalloc(1, sizeof(*t));

	t->magic = TRANSACTION_MAGIC;
	t->arena = arena_new(TRANSACTION_ARENA_MAX);
	envelope_init(&t->envelope);
	STAILQ_INIT(&t->edits);
	STAILQ_INIT(&t->macros);
	return t;
}

const struct envelope *
transaction_onward(const struct transaction *t)
{
	return t->onward != NULL ? t->onward : &t->envelope;
}

bool
transaction_sender_changed(const struct transaction *t)
{
	return !pn_str_eq(transaction_onward(t)->path, t->envelope.path);
}

struct spool *
transaction_message(const struct transaction *t)
{
	return t->changed != NULL ? t->changed : t->spool;
}

static struct macro *
find_macro(const struct transaction *t, struct pn_str name)
{
	struct macro *m;

	STAILQ_FOREACH (m, &t->macros, next)
		if (pn_str_eq(m->name, name))
			break;
	return m;
}

const struct macro *
transaction_macro(const struct transaction *t, struct pn_str name)
{
	return find_macro(t, name);
}

int
transaction_set_macro(
    struct transaction *t, struct pn_str name, struct pn_str value)
{
	struct macro *m = find_macro(t, name);

	if (m != NULL && pn_str_eq(m->value, value))
		return 0; /* most are told again and again */
	value = arena_str(t->arena, value);
	if (m == NULL) {
		name = arena_str(t->arena, name);
		m = arena_alloc(t->arena, sizeof(*m));
		if (m == NULL || name.p == NULL)
			return -1;
		m->name = name;
		STAILQ_INSERT_TAIL(&t->macros, m, next);
	}
	m->value = value.p != NULL ? value : PN_STR_V("");
	return value.p != NULL ? 0 : -1;
}

void
transaction_free(struct transaction *t)
{
	if (t == NULL)
		return;
	MUST_BE(t, TRANSACTION);
	must(t->run == NULL);
	t->magic = 0;
	spool_free(t->spool);
	spool_free(t->changed);
	buf_fini(&t->trace);
	arena_free(t->arena);
	free(t);
}
