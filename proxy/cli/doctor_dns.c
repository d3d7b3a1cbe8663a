/*
 * doctor_dns - is the resolver one to build on? Asked through the library and
 * the settings that workers use (engine/dns). A resolver that invents answers
 * for names that do not exist makes every DNS list list everybody.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "engine/dns.h"

#define ADDRESSES_MAX 8

struct look {
	struct loop *loop;
	struct dns *dns;
	uint64_t timeout_ms;
	enum pn_dns_status status;
	char answers[ADDRESSES_MAX][256];
	size_t n;
};

static void
on_answer(void *arg, const struct pn_dns *found)
{
	struct look *l = arg;

	l->status = found->status;
	l->n = found->n < ADDRESSES_MAX ? found->n : ADDRESSES_MAX;
	for (size_t i = 0; i < l->n; i++)
		(void)snprintf(l->answers[i], sizeof(l->answers[i]), "%.*s",
		    PN_STR_ARG(found->answers[i]));
	loop_stop(l->loop);
}

static enum pn_dns_status
look_up(struct look *l, enum dns_type type, const char *name)
{
	l->n = 0;
	(void)dns_ask(
	    l->dns, type, pn_str_of(name), l->timeout_ms, on_answer, l);
	loop_run(l->loop);
	return l->status;
}

static const char *
status_text(enum pn_dns_status s)
{
	static const char *const texts[] = { [PN_DNS_OK] = "an answer",
		[PN_DNS_NONE] = "no such name",
		[PN_DNS_TEMPORARY] = "a temporary failure",
		[PN_DNS_TIMEOUT] = "no answer in time" };

	return texts[s];
}

/* ---- the resolver ---- */

/* A name nobody can have registered since. */
static void
make_name(char name[64])
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)snprintf(name, 64, "pn%lx%lx%x.example.org", (long)now.tv_sec,
	    now.tv_nsec, (unsigned)getpid());
}

/* Does it work well enough for the other questions? */
static bool
check_resolver(struct doctor *d, struct look *l, const char *server)
{
	char name[64];

	make_name(name);
	switch (look_up(l, DNS_A, name)) {
	case PN_DNS_NONE:
		doctor_say(d, FINE, "resolver", "",
		    "%s says of a name that does not exist that it does not",
		    server);
		return true;
	case PN_DNS_OK:
		doctor_say(d, FAIL, "resolver",
		    "use a resolver of your own (`dns`), not one that leads "
		    "people to a search page",
		    "%s has an address (%s) for a name that does not exist",
		    server, l->answers[0]);
		return true;
	case PN_DNS_TEMPORARY:
	case PN_DNS_TIMEOUT:
		break;
	}
	doctor_say(d, FAIL, "resolver",
	    "see `dns` in the configuration, and resolv.conf", "%s: %s", server,
	    status_text(l->status));
	return false;
}

/* ---- our own name ---- */

static void
check_reverse(struct doctor *d, struct look *l, const char *hostname)
{
	char address[sizeof(l->answers[0])];

	(void)snprintf(address, sizeof(address), "%s", l->answers[0]);
	(void)look_up(l, DNS_PTR, address);
	for (size_t i = 0; i < l->n; i++)
		if (strcasecmp(l->answers[i], hostname) == 0) {
			doctor_say(d, FINE, "hostname", "",
			    "%s is %s, and back", hostname, address);
			return;
		}
	doctor_say(d, WARN, "hostname",
	    "whoever has the address should let it lead to the name",
	    "%s is %s, but that is %s", hostname, address,
	    l->n > 0 ? l->answers[0] : "nobody in DNS");
}

static void
check_hostname(struct doctor *d, struct look *l, const char *hostname)
{
	if (strchr(hostname, '.') == NULL) {
		doctor_say(d, WARN, "hostname",
		    "set `hostname` to what the machine is called in DNS",
		    "\"%s\" is no full name", hostname);
		return;
	}
	if (look_up(l, DNS_A, hostname) != PN_DNS_OK)
		(void)look_up(l, DNS_AAAA, hostname);
	if (l->status == PN_DNS_OK && l->n > 0)
		check_reverse(d, l, hostname);
	else
		doctor_say(d, WARN, "hostname",
		    "set `hostname` to what the machine is called in DNS",
		    "%s has no address: %s", hostname, status_text(l->status));
}

/* ---- lists: RFC 5782 5 ---- */

static void
check_zone(struct doctor *d, struct look *l, const char *zone)
{
	char what[128], name[320];
	enum pn_dns_status listed, other;

	(void)snprintf(what, sizeof(what), "list %s", zone);
	(void)snprintf(name, sizeof(name), "2.0.0.127.%s", zone);
	listed = look_up(l, DNS_A, name);
	(void)snprintf(name, sizeof(name), "1.0.0.127.%s", zone);
	other = look_up(l, DNS_A, name);
	if (other == PN_DNS_OK)
		doctor_say(d, FAIL, what,
		    "take the list out: it lists everybody",
		    "it lists 127.0.0.1 (%s)", l->answers[0]);
	else if (listed == PN_DNS_OK)
		doctor_say(
		    d, FINE, what, "", "it lists 127.0.0.2 and not 127.0.0.1");
	else
		doctor_say(d, FAIL, what,
		    "many lists refuse public resolvers: use one of your own",
		    "it does not list 127.0.0.2, as each list does: %s",
		    status_text(listed));
}

/* As `dns` has it: the library writes 127.0.0.1@53. */
static void
server_text(const char *server, char *text, size_t size)
{
	const char *at = server ? strchr(server, '@') : NULL;
	int n = at ? (int)(at - server) : 0;

	if (server == NULL)
		(void)snprintf(text, size, "resolv.conf's");
	else if (at == NULL)
		(void)snprintf(text, size, "%s", server);
	else if (memchr(server, ':', (size_t)n) != NULL)
		(void)snprintf(text, size, "[%.*s]:%s", n, server, at + 1);
	else
		(void)snprintf(text, size, "%.*s:%s", n, server, at + 1);
}

void
doctor_dns(struct doctor *d, const struct config *c, const char *const *zones)
{
	const char *server = c->engine.dns_server;
	struct look l = { .loop = loop_new(),
		.timeout_ms = c->engine.dns_timeout_ms };
	char name[128];
	struct error e;

	server_text(server, name, sizeof(name));
	l.dns = dns_new(l.loop, server, &e);
	if (l.dns == NULL)
		doctor_say(d, FAIL, "resolver",
		    "see `dns` in the configuration, and resolv.conf", "%s",
		    e.text);
	else
		dns_know_hosts(l.dns);
	if (l.dns != NULL && check_resolver(d, &l, name)) {
		check_hostname(d, &l, c->smtp.hostname);
		for (; zones != NULL && *zones != NULL; zones++)
			check_zone(d, &l, *zones);
	}
	dns_free(l.dns);
	loop_free(l.loop);
}
