/* milter/peer: the client and the envelope as MTAs tell of them. */
#include "cm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "milter/peer.h"


static int
setup(void **state)
{
	*state = arena_new(1 << 20);
	return *state != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	arena_free(*state);
	return 0;
}

#define ABSENT { NULL, 0 }

static const struct {
	const char *name;
	const char *ip; /* NULL: no address */
	uint16_t port;
	struct pn_str hostname, resolve, ptr, port_macro;
	const char *want_ip, *want_name, *want_reverse;
	enum client_name_state want;
	uint16_t want_port;
} clients[] = {
	{ "Postfix, a confirmed name", "192.0.2.1", 4711,
	    PN_STR("mx.example.com"), ABSENT, PN_STR("mx.example.com"), ABSENT,
	    "192.0.2.1", "mx.example.com", "mx.example.com", CLIENT_NAME_OK,
	    4711 },
	{ "Postfix, no name", "192.0.2.1", 4711, PN_STR("unknown"), ABSENT,
	    PN_STR("unknown"), ABSENT, "192.0.2.1", "", "", CLIENT_NAME_NONE,
	    4711 },
	{ "Postfix, a name that does not lead back", "192.0.2.1", 4711,
	    PN_STR("unknown"), ABSENT, PN_STR("forged.example.com"), ABSENT,
	    "192.0.2.1", "", "forged.example.com", CLIENT_NAME_NONE, 4711 },
	{ "Sendmail, no name", "192.0.2.1", 4711, PN_STR("[192.0.2.1]"),
	    PN_STR("FAIL"), PN_STR("[192.0.2.1]"), ABSENT, "192.0.2.1", "", "",
	    CLIENT_NAME_NONE, 4711 },
	{ "Sendmail, forged", "192.0.2.1", 4711, PN_STR("forged.example.com"),
	    PN_STR("FORGED"), ABSENT, ABSENT, "192.0.2.1", "",
	    "forged.example.com", CLIENT_NAME_NONE, 4711 },
	{ "Sendmail, DNS is away", "192.0.2.1", 4711, PN_STR("[192.0.2.1]"),
	    PN_STR("TEMP"), ABSENT, ABSENT, "192.0.2.1", "", "",
	    CLIENT_NAME_TEMPORARY, 4711 },
	{ "Sendmail, confirmed", "192.0.2.1", 4711, PN_STR("mx.example.com"),
	    PN_STR("OK"), ABSENT, ABSENT, "192.0.2.1", "mx.example.com",
	    "mx.example.com", CLIENT_NAME_OK, 4711 },
	{ "IPv6", "2001:db8::1", 25, PN_STR("mx.example.com"), ABSENT, ABSENT,
	    ABSENT, "2001:db8::1", "mx.example.com", "mx.example.com",
	    CLIENT_NAME_OK, 25 },
	{ "IPv4 in IPv6", "::ffff:192.0.2.1", 25, PN_STR("unknown"), ABSENT,
	    ABSENT, ABSENT, "192.0.2.1", "", "", CLIENT_NAME_NONE, 25 },
	{ "the port in a macro", "192.0.2.1", 0, PN_STR("unknown"), ABSENT,
	    ABSENT, PN_STR("4711"), "192.0.2.1", "", "", CLIENT_NAME_NONE,
	    4711 },
	{ "a port that is none", "192.0.2.1", 0, PN_STR("unknown"), ABSENT,
	    ABSENT, PN_STR("65536"), "192.0.2.1", "", "", CLIENT_NAME_NONE,
	    0 },
	{ "from the MTA's own machine", NULL, 0, PN_STR("localhost"), ABSENT,
	    ABSENT, ABSENT, "", "localhost", "localhost", CLIENT_NAME_OK, 0 },
	{ "told nothing", NULL, 0, ABSENT, ABSENT, ABSENT, ABSENT, "", "", "",
	    CLIENT_NAME_NONE, 0 },
};

static const struct sockaddr *
address(struct sockaddr_storage *ss, const char *ip, uint16_t port)
{
	struct sockaddr_in *four = (void *)ss;
	struct sockaddr_in6 *six = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (ip == NULL)
		return NULL;
	if (inet_pton(AF_INET, ip, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, ip, &six->sin6_addr), 1);
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
	}
	return (struct sockaddr *)ss;
}

static void
equal(const char *name, struct pn_str got, const char *want)
{
	if (!pn_str_eq(got, pn_str_of(want)))
		fail_msg("%s: \"%.*s\", not \"%s\"", name, PN_STR_ARG(got),
		    want);
}

static void
test_clients(void **state)
{
	for (size_t i = 0; i < PN_COUNT(clients); i++) {
		struct sockaddr_storage ss;
		struct peer_told told = { .hostname = clients[i].hostname,
			.addr = address(&ss, clients[i].ip, clients[i].port),
			.resolve = clients[i].resolve,
			.ptr = clients[i].ptr,
			.port = clients[i].port_macro };
		struct client c = { 0 };
		const char *name = clients[i].name;

		assert_int_equal(peer_client(&c, *state, &told), 0);
		equal(name, c.ip, clients[i].want_ip);
		equal(name, c.name, clients[i].want_name);
		equal(name, c.reverse_name, clients[i].want_reverse);
		if (c.name_state != clients[i].want ||
		    c.port != clients[i].want_port)
			fail_msg("%s: state %d port %u", name, c.name_state,
			    c.port);
	}
}

/* An address of the MTA's own machine by a unix socket has no text. */
static void
test_unix_client(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct peer_told told = { .hostname = PN_STR("localhost"),
		.addr = (struct sockaddr *)&un };
	struct client c = { 0 };

	assert_int_equal(peer_client(&c, *state, &told), 0);
	equal("unix", c.ip, "");
}

static const struct {
	const char *argv[4];
	const char *path, *address, *local, *domain, *params;
} paths[] = {
	{ { "<ada@example.com>" }, "ada@example.com", "ada@example.com", "ada",
	    "example.com", "" },
	{ { "<ada@example.com>", "SIZE=10", "BODY=8BITMIME" },
	    "ada@example.com", "ada@example.com", "ada", "example.com",
	    "SIZE=10 BODY=8BITMIME" },
	{ { "<>" }, "", "", "", "", "" },
	{ { "ada@example.com" }, "ada@example.com", "ada@example.com", "ada",
	    "example.com", "" },
	{ { "<\"a b\"@example.com>" }, "\"a b\"@example.com",
	    "\"a b\"@example.com", "a b", "example.com", "" },
	{ { "<postmaster>" }, "postmaster", "postmaster", "postmaster", "",
	    "" },
	/* The MTA took them: they are not ours to refuse. */
	{ { "<a b@example.com>" }, "a b@example.com", "a b@example.com", "a b",
	    "example.com", "" },
	{ { "<@>" }, "@", "@", "", "", "" },
	{ { "" }, "", "", "", "", "" },
	{ { "<a@b@c>" }, "a@b@c", "a@b@c", "a@b", "c", "" },
	{ { "<unclosed@example.com" }, "<unclosed@example.com",
	    "<unclosed@example.com", "<unclosed", "example.com", "" },
	{ { NULL }, "", "", "", "", "" },
};

static const struct pn_str nothing;

static void
test_paths(void **state)
{
	for (size_t i = 0; i < PN_COUNT(paths); i++) {
		char **argv = (char **)(uintptr_t)paths[i].argv;
		struct envelope e;
		const struct rcpt *r;
		const char *name = argv[0] ? argv[0] : "(none)";

		envelope_init(&e);
		assert_int_equal(peer_sender(&e, *state, argv, nothing), 0);
		assert_true(e.has_sender);
		equal(name, e.path, paths[i].path);
		equal(name, e.address, paths[i].address);
		equal(name, e.local, paths[i].local);
		equal(name, e.domain, paths[i].domain);
		equal(name, e.params, paths[i].params);
		r = peer_rcpt(&e, *state, argv, nothing);
		assert_non_null(r);
		assert_ptr_equal(TAILQ_FIRST(&e.rcpts), r);
		equal(name, r->address, paths[i].address);
		equal(name, r->params, paths[i].params);
		assert_false(r->accepted);
	}
}

/* What the MTA says it means counts where the path is no path of ours. */
static const struct {
	const char *argv[2];
	struct pn_str meant;
	const char *path, *address, *local, *domain;
} readings[] = {
	{ { "<(to)bob@example.com>" }, PN_STR("bob@example.com"),
	    "(to)bob@example.com", "bob@example.com", "bob", "example.com" },
	{ { "<b\\ob%example.com>" }, PN_STR("\"b ob\"@example.com"),
	    "b\\ob%example.com", "\"b ob\"@example.com", "b ob",
	    "example.com" },
	{ { "<bob@example.com>" }, PN_STR("eve@example.com"),
	    "bob@example.com", "bob@example.com", "bob", "example.com" },
	{ { "<@relay.example:bob@example.com>" }, PN_STR("eve@example.com"),
	    "@relay.example:bob@example.com", "bob@example.com", "bob",
	    "example.com" },
	/* Sendmail, of a local mailbox; what is no address either. */
	{ { "<bob@example.com.>" }, PN_STR("bob"), "bob@example.com.",
	    "bob@example.com.", "bob", "example.com." },
	{ { "<bob@example.com.>" }, PN_STR("(bob)@example.com"),
	    "bob@example.com.", "bob@example.com.", "bob", "example.com." },
	{ { "<bob@example.com.>" }, PN_STR(""), "bob@example.com.",
	    "bob@example.com.", "bob", "example.com." },
};

static void
test_readings(void **state)
{
	for (size_t i = 0; i < PN_COUNT(readings); i++) {
		char **argv = (char **)(uintptr_t)readings[i].argv;
		struct envelope e;
		const struct rcpt *r;

		envelope_init(&e);
		assert_int_equal(
		    peer_sender(&e, *state, argv, readings[i].meant), 0);
		r = peer_rcpt(&e, *state, argv, readings[i].meant);
		assert_non_null(r);
		equal(argv[0], e.path, readings[i].path);
		equal(argv[0], e.address, readings[i].address);
		equal(argv[0], r->path, readings[i].path);
		equal(argv[0], r->address, readings[i].address);
		equal(argv[0], r->local, readings[i].local);
		equal(argv[0], r->domain, readings[i].domain);
	}
}

static void
test_no_room(void **state)
{
	static char long_path[9000];
	char *argv[] = { long_path, NULL };
	struct arena *a = arena_new(8192);
	struct envelope e;

	(void)state;
	memset(long_path, 'x', sizeof(long_path) - 1);
	envelope_init(&e);
	assert_int_equal(peer_sender(&e, a, argv, nothing), -1);
	assert_null(peer_rcpt(&e, a, argv, nothing));
	assert_true(TAILQ_EMPTY(&e.rcpts));
	arena_free(a);
}

static const struct {
	const char *name;
	struct peer_tls_told told;
	const char *subject, *issuer;
	enum client_cert verified;
	unsigned bits;
} handshakes[] = {
	{ "in clear", { .mta = PN_STR("Postfix 3.7.11") }, "", "",
	    CLIENT_CERT_UNTOLD, 0 },
	{ "Postfix, one that it verified",
	    { .version = PN_STR("TLSv1.3"), .bits = PN_STR("256"),
		.subject = PN_STR("client.example"), .issuer = PN_STR("ca"),
		.mta = PN_STR("Postfix 3.7.11") },
	    "client.example", "ca", CLIENT_CERT_VERIFIED, 256 },
	{ "Postfix, one that has no common name",
	    { .subject = PN_STR(""), .mta = PN_STR("Postfix") }, "", "",
	    CLIENT_CERT_VERIFIED, 0 },
	{ "Sendmail, verified",
	    { .subject = PN_STR("/C=DE/CN=client"), .verify = PN_STR("OK"),
		.issuer = PN_STR("/CN=ca") },
	    "/C=DE/CN=client", "/CN=ca", CLIENT_CERT_VERIFIED, 0 },
	{ "Sendmail, anybody's",
	    { .subject = PN_STR("/CN=client"), .verify = PN_STR("FAIL"),
		.mta = PN_STR("Postfix, it says") },
	    "/CN=client", "", CLIENT_CERT_UNVERIFIED, 0 },
	{ "Sendmail, none", { .verify = PN_STR("NO") }, "", "",
	    CLIENT_CERT_UNVERIFIED, 0 },
	{ "an MTA that says no more",
	    { .subject = PN_STR("/CN=client"), .mta = PN_STR("8.17.1") },
	    "/CN=client", "", CLIENT_CERT_UNTOLD, 0 },
	{ "bits that are none", { .bits = PN_STR("many") }, "", "",
	    CLIENT_CERT_UNTOLD, 0 },
};

/* Nothing of what was told before TLS began, or began anew, is left. */
static void
test_handshakes(void **state)
{
	struct arena *a = *state;
	struct client c = { 0 };

	for (size_t i = 0; i < PN_COUNT(handshakes); i++) {
		print_message("%s\n", handshakes[i].name);
		assert_int_equal(peer_tls(&c, a, &handshakes[i].told), 0);
		assert_str(c.tls_version,
		    handshakes[i].told.version.n > 0 ? "TLSv1.3" : "");
		assert_str(c.tls_subject, handshakes[i].subject);
		assert_str(c.tls_issuer, handshakes[i].issuer);
		assert_int_equal(c.tls_verified, handshakes[i].verified);
		assert_int_equal(c.tls_bits, handshakes[i].bits);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_unix_client, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_handshakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readings, setup, teardown),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
