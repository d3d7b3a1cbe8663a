/*
 * doctor_dns - is the resolver one to build on? Asked through the library and
 * the settings that workers use (engine/dns). A resolver that invents answers
 * for names that do not exist makes every DNS list list everybody.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/doctor_ask.h"

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
check_resolver(struct doctor *d, struct asker *a, const char *server)
{
	char name[64];

	make_name(name);
	switch (asker_ask(a, DNS_A, name)) {
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
		    server, a->answers[0].p);
		return true;
	case PN_DNS_TEMPORARY:
	case PN_DNS_TIMEOUT:
		break;
	}
	doctor_say(d, FAIL, "resolver",
	    "see `dns` in the configuration, and resolv.conf", "%s: %s", server,
	    asker_status(a->status));
	return false;
}

/* ---- our own name ---- */

static void
check_reverse(struct doctor *d, struct asker *a, const char *hostname)
{
	char address[INET6_ADDRSTRLEN];

	(void)snprintf(address, sizeof(address), "%s", a->answers[0].p);
	(void)asker_ask(a, DNS_PTR, address);
	for (size_t i = 0; i < a->n; i++)
		if (strcasecmp(a->answers[i].p, hostname) == 0) {
			doctor_say(d, FINE, "hostname", "",
			    "%s is %s, and back", hostname, address);
			return;
		}
	doctor_say(d, WARN, "hostname",
	    "whoever has the address should let it lead to the name",
	    "%s is %s, but that is %s", hostname, address,
	    a->n > 0 ? a->answers[0].p : "nobody in DNS");
}

static void
check_hostname(struct doctor *d, struct asker *a, const char *hostname)
{
	if (strchr(hostname, '.') == NULL) {
		doctor_say(d, WARN, "hostname",
		    "set `hostname` to what the machine is called in DNS",
		    "\"%s\" is no full name", hostname);
		return;
	}
	if (asker_ask(a, DNS_A, hostname) != PN_DNS_OK)
		(void)asker_ask(a, DNS_AAAA, hostname);
	if (a->status == PN_DNS_OK && a->n > 0)
		check_reverse(d, a, hostname);
	else
		doctor_say(d, WARN, "hostname",
		    "set `hostname` to what the machine is called in DNS",
		    "%s has no address: %s", hostname, asker_status(a->status));
}

/* ---- lists: RFC 5782 5 ---- */

static void
check_zone(struct doctor *d, struct asker *a, const char *zone)
{
	char what[128], name[320];
	enum pn_dns_status listed, other;

	(void)snprintf(what, sizeof(what), "list %s", zone);
	(void)snprintf(name, sizeof(name), "2.0.0.127.%s", zone);
	listed = asker_ask(a, DNS_A, name);
	(void)snprintf(name, sizeof(name), "1.0.0.127.%s", zone);
	other = asker_ask(a, DNS_A, name);
	if (other == PN_DNS_OK)
		doctor_say(d, FAIL, what,
		    "take the list out: it lists everybody",
		    "it lists 127.0.0.1 (%s)", a->answers[0].p);
	else if (listed == PN_DNS_OK)
		doctor_say(
		    d, FINE, what, "", "it lists 127.0.0.2 and not 127.0.0.1");
	else
		doctor_say(d, FAIL, what,
		    "many lists refuse public resolvers: use one of your own",
		    "it does not list 127.0.0.2, as each list does: %s",
		    asker_status(listed));
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
	struct asker a;
	char name[128];
	struct error e;

	server_text(server, name, sizeof(name));
	if (asker_open(&a, &c->engine, false, &e) < 0)
		doctor_say(d, FAIL, "resolver",
		    "see `dns` in the configuration, and resolv.conf", "%s",
		    e.text);
	else if (check_resolver(d, &a, name)) {
		check_hostname(d, &a, c->smtp.hostname);
		for (; zones != NULL && *zones != NULL; zones++)
			check_zone(d, &a, *zones);
	}
	asker_close(&a);
}
