/* doctor_ask - see doctor_ask.h. */
#include "cli/doctor_ask.h"

#include <stdio.h>

int
asker_open(struct asker *a, const struct engine_conf *c, bool secure,
    struct error *e)
{
	*a = (struct asker){ .loop = loop_new(),
		.timeout_ms = c->dns_timeout_ms };
	a->dns = dns_new(a->loop, c->dns_server, e);
	if (a->dns == NULL)
		return -1;
	if (secure)
		return dns_trust(a->dns, c->dns_anchors, e);
	dns_know_hosts(a->dns);
	return 0;
}

void
asker_close(struct asker *a)
{
	dns_free(a->dns);
	loop_free(a->loop);
	buf_fini(&a->text);
}

static void
keep(struct asker *a, const struct pn_dns *found)
{
	const char *at;

	buf_clear(&a->text);
	a->n = found->n < ASKER_ANSWERS ? found->n : ASKER_ANSWERS;
	for (size_t i = 0; i < a->n; i++) {
		(void)buf_add_str(&a->text, found->answers[i]);
		(void)buf_add(&a->text, "", 1);
	}
	at = buf_data(&a->text); /* it moves no more */
	for (size_t i = 0; i < a->n; i++) {
		a->answers[i] = (struct pn_str){ at, found->answers[i].n };
		at += found->answers[i].n + 1;
	}
}

static void
on_answer(void *arg, const struct pn_dns *found)
{
	struct asker *a = arg;

	a->status = found->status;
	a->secure = dns_is_secure(a->ask);
	(void)snprintf(a->canonical, sizeof(a->canonical), "%s",
	    dns_canonical(a->ask));
	keep(a, found);
	loop_stop(a->loop);
}

enum pn_dns_status
asker_ask(struct asker *a, enum dns_type type, const char *name)
{
	a->ask = dns_ask(
	    a->dns, type, pn_str_of(name), a->timeout_ms, on_answer, a);
	loop_run(a->loop);
	return a->status;
}

const char *
asker_status(enum pn_dns_status s)
{
	static const char *const texts[] = { [PN_DNS_OK] = "an answer",
		[PN_DNS_NONE] = "no such name",
		[PN_DNS_TEMPORARY] = "a temporary failure",
		[PN_DNS_TIMEOUT] = "no answer in time" };

	return texts[s];
}
