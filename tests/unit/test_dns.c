/* dns: answers, absences and silence, each from the loop and in time. */
#include "cm.h"

#include "dnsserver.h"
#include "engine/dns.h"

static const struct dns_record records[] = {
	{ "mx.example.org", DNS_A, "192.0.2.7" },
	{ "mx.example.org", DNS_A, "192.0.2.8" },
	{ "mx.example.org", DNS_AAAA, "2001:db8::7" },
	{ "7.2.0.192.in-addr.arpa", DNS_PTR, "mx.example.org" },
	{ "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
	  "ip6.arpa", DNS_PTR, "six.example.org" },
	{ "1.0.0.10.in-addr.arpa", DNS_PTR, "inside.example.org" },
	{ "txt.example.org", DNS_TXT, "v=spf1 -all" },
	{ "bad.example.org", DNS_A, "servfail" },
	{ "slow.example.org", DNS_A, "silent" },
	{ NULL, 0, NULL },
};

static const struct {
	enum dns_type type;
	const char *name;
	enum pn_dns_status status;
	const char *first;
	size_t n;
} cases[] = {
	{ DNS_A, "mx.example.org", PN_DNS_OK, NULL, 2 },
	{ DNS_AAAA, "mx.example.org", PN_DNS_OK, "2001:db8::7", 1 },
	{ DNS_PTR, "192.0.2.7", PN_DNS_OK, "mx.example.org", 1 },
	{ DNS_PTR, "2001:db8::7", PN_DNS_OK, "six.example.org", 1 },
	{ DNS_PTR, "10.0.0.1", PN_DNS_OK, "inside.example.org", 1 },
	{ DNS_TXT, "txt.example.org", PN_DNS_OK, "v=spf1 -all", 1 },
	{ DNS_A, "none.example.org", PN_DNS_NONE, NULL, 0 },
	{ DNS_TXT, "mx.example.org", PN_DNS_NONE, NULL, 0 },
	{ DNS_PTR, "no address", PN_DNS_NONE, NULL, 0 },
	{ DNS_A, "", PN_DNS_NONE, NULL, 0 },
	{ DNS_A, "slow.example.org", PN_DNS_TIMEOUT, NULL, 0 },
	{ DNS_A, "bad.example.org", PN_DNS_TEMPORARY, NULL, 0 },
};

struct seen {
	struct loop *loop;
	unsigned left;
	bool asking;
	size_t which;
};

static void
on_done(void *arg, const struct pn_dns *a)
{
	struct seen *s = arg;

	assert_false(s->asking); /* always from the loop */
	if (a->status != cases[s->which].status)
		fail_msg("%s: status %d", cases[s->which].name, (int)a->status);
	assert_int_equal(a->n, cases[s->which].n);
	if (cases[s->which].first != NULL)
		assert_str(a->answers[0], cases[s->which].first);
	loop_stop(s->loop);
}

/* Twice: the second time most come from the cache. */
static void
table_of_answers(void **state)
{
	char server[32];
	pid_t pid = dnsserver_start(records, server);
	struct seen s = { .loop = loop_new() };
	struct error e;
	struct dns *d = dns_new(s.loop, server, &e);

	(void)state;
	assert_non_null(d);
	for (size_t i = 0; i < 2 * PN_COUNT(cases); i++) {
		s.which = i % PN_COUNT(cases);
		s.asking = true;
		(void)dns_ask(d, cases[s.which].type,
		    pn_str_of(cases[s.which].name),
		    cases[s.which].status == PN_DNS_TIMEOUT ? 300 : 5000,
		    on_done, &s);
		s.asking = false;
		loop_run(s.loop);
	}
	dns_free(d);
	loop_free(s.loop);
	dnsserver_stop(pid);
}

static void
never(void *arg, const struct pn_dns *a)
{
	(void)arg;
	(void)a;
	fail_msg("a cancelled ask was answered");
}

static void
a_cancelled_ask_is_silent(void **state)
{
	char server[32];
	pid_t pid = dnsserver_start(records, server);
	struct seen s = { .loop = loop_new(), .which = 2 };
	struct error e;
	struct dns *d = dns_new(s.loop, server, &e);
	struct dns_ask *a;

	(void)state;
	a = dns_ask(d, DNS_A, PN_STR_V("slow.example.org"), 100, never, NULL);
	dns_cancel(a);
	a = dns_ask(d, DNS_A, PN_STR_V(""), 100, never, NULL);
	dns_cancel(a);
	(void)dns_ask(d, DNS_PTR, PN_STR_V("192.0.2.7"), 5000, on_done, &s);
	loop_run(s.loop);
	dns_free(d);
	loop_free(s.loop);
	dnsserver_stop(pid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_answers),
		cmocka_unit_test(a_cancelled_ask_is_silent),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
