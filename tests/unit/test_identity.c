/* identity and xtext: attributes out and in. */
#include <stdio.h>

#include "cm.h"

#include "smtp/ehlo.h"
#include "smtp/identity.h"
#include "smtp/xtext.h"

static void
xtext_there_and_back(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct buf b = { 0 };
	struct pn_str back;
	char all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	xtext_put(&b, (struct pn_str){ all, sizeof(all) });
	for (size_t i = 0; i < buf_len(&b); i++)
		assert_true(buf_data(&b)[i] > ' ' && buf_data(&b)[i] != '=');
	assert_true(xtext_get(buf_str(&b), a, &back));
	assert_int_equal(back.n, sizeof(all));
	assert_memory_equal(back.p, all, sizeof(all));
	assert_false(xtext_get(PN_STR_V("a+"), a, &back));
	assert_false(xtext_get(PN_STR_V("a+2"), a, &back));
	assert_false(xtext_get(PN_STR_V("a+2x"), a, &back));
	assert_true(xtext_get(PN_STR_V("a+2b"), a, &back));
	assert_str(back, "a+");
	buf_fini(&b);
	arena_free(a);
}

static const struct client six = {
	.ip = PN_STR("2001:db8::1"),
	.port = 25,
	.name_state = CLIENT_NAME_OK,
	.name = PN_STR("a.example"),
	.reverse_name = PN_STR("a.example"),
	.helo = PN_STR("x y"),
	.helo_verb = PN_STR("EHLO"),
};

static void
xclient_out(void **state)
{
	struct client c = six;
	struct buf b = { 0 };

	(void)state;
	identity_xclient(&b, &c, ATTR_ADDR | ATTR_NAME | ATTR_HELO | ATTR_LOGIN);
	assert_str(buf_str(&b), "XCLIENT NAME=a.example ADDR=IPV6:2001:db8::1 "
	    "HELO=x+20y LOGIN=[UNAVAILABLE]\r\n");
	buf_clear(&b);
	/* A name that does not lead back is told as what it is. */
	c.name_state = CLIENT_NAME_NONE;
	identity_xclient(&b, &c, ATTR_NAME | ATTR_REVERSE_NAME);
	assert_str(buf_str(&b),
	    "XCLIENT NAME=[UNAVAILABLE] REVERSE_NAME=a.example\r\n");
	buf_clear(&b);
	c.name_state = CLIENT_NAME_TEMPORARY;
	c.reverse_name = (struct pn_str){ 0 };
	identity_xclient(&b, &c, ATTR_NAME | ATTR_REVERSE_NAME);
	assert_str(buf_str(&b),
	    "XCLIENT NAME=[TEMPUNAVAIL] REVERSE_NAME=[TEMPUNAVAIL]\r\n");
	buf_fini(&b);
}

/* Where it connected to; and no value so long that it would fill a line. */
static void
xclient_out_more(void **state)
{
	char long_name[2000];
	struct client c = six;
	struct buf b = { 0 };

	(void)state;
	identity_xclient(&b, &c, ATTR_DESTADDR | ATTR_DESTPORT);
	assert_str(buf_str(&b),
	    "XCLIENT DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE]\r\n");
	buf_clear(&b);
	c.to_ip = PN_STR_V("192.0.2.1");
	c.to_port = 25;
	c.port = 0;
	identity_xclient(&b, &c, ATTR_PORT | ATTR_DESTADDR | ATTR_DESTPORT |
		ATTR_IDENT | ATTR_SOURCE);
	assert_str(buf_str(&b),
	    "XCLIENT PORT=[UNAVAILABLE] DESTADDR=192.0.2.1 DESTPORT=25\r\n");
	buf_clear(&b);
	memset(long_name, '=', sizeof(long_name));
	c.helo = (struct pn_str){ long_name, sizeof(long_name) };
	identity_xclient(&b, &c, ATTR_HELO);
	assert_str(buf_str(&b), "XCLIENT HELO=[UNAVAILABLE]\r\n");
	buf_fini(&b);
}

/* [TEMPUNAVAIL] is a word of XCLIENT alone: to XFORWARD it is a mistake. */
static void
xforward_knows_no_name_to_come(void **state)
{
	struct client c = six;
	struct buf b = { 0 };

	(void)state;
	c.name_state = CLIENT_NAME_TEMPORARY;
	c.reverse_name = (struct pn_str){ 0 };
	assert_int_equal(identity_xforward(&b, &c, "ID", false, ATTR_NAME), 1);
	assert_str(buf_str(&b), "XFORWARD NAME=[UNAVAILABLE]\r\n");
	buf_fini(&b);
}

static void
xforward_in_lines_of_512(void **state)
{
	struct client c = six;
	struct buf b = { 0 };
	char long_name[250];
	unsigned n;
	size_t line = 0;

	(void)state;
	memset(long_name, 'n', sizeof(long_name));
	c.helo = c.name = (struct pn_str){ long_name, sizeof(long_name) };
	n = identity_xforward(&b, &c, "ID", true, ~0u);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < buf_len(&b); i++) {
		line++;
		if (buf_data(&b)[i] == '\n') {
			assert_true(line <= 512);
			line = 0;
			n--;
		}
	}
	assert_int_equal(n, 0);
	assert_true(pn_str_ends(buf_str(&b), PN_STR_V(" IDENT=ID SOURCE=LOCAL\r\n")));
	buf_fini(&b);
}

static const struct {
	const char *args;
	bool xforward, ok;
	const char *ip, *name;
	enum client_name_state state;
} in[] = {
	{ "ADDR=192.0.2.1 NAME=b.example", true, true, "192.0.2.1", "b.example", CLIENT_NAME_OK },
	{ "addr=IPV6:2001:DB8::5", true, true, "2001:db8::5", "", CLIENT_NAME_UNASKED },
	{ "ADDR=IPV6:::ffff:192.0.2.7", true, true, "192.0.2.7", "", CLIENT_NAME_UNASKED },
	{ "ADDR=2001:db8::5 NAME=[tempunavail]", false, true, "2001:db8::5", "", CLIENT_NAME_TEMPORARY },
	{ "NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE]", true, true, "2001:db8::1", "", CLIENT_NAME_NONE },
	{ "PORT=65535 PROTO=smtp", true, true, "2001:db8::1", "", CLIENT_NAME_UNASKED },
	{ "PORT=65535 PROTO=smtp", false, true, "2001:db8::1", "a.example", CLIENT_NAME_OK },
	{ "IDENT=x SOURCE=LOCAL", true, true, "2001:db8::1", "a.example", CLIENT_NAME_OK },
	{ "", true, false, NULL, NULL, 0 },
	{ "ADDR", true, false, NULL, NULL, 0 },
	{ "ADDR=", true, false, NULL, NULL, 0 },
	{ "NAME=", false, false, NULL, NULL, 0 },
	{ "LOGIN=", false, false, NULL, NULL, 0 },
	{ "ADDR=1.2.3", true, false, NULL, NULL, 0 },
	{ "ADDR=IPV6:1.2.3.4.5", true, false, NULL, NULL, 0 },
	{ "PORT=65536", true, false, NULL, NULL, 0 },
	{ "PORT=", true, false, NULL, NULL, 0 },
	{ "PROTO=LMTP", false, false, NULL, NULL, 0 },
	{ "PROTO=[UNAVAILABLE]", false, false, NULL, NULL, 0 },
	{ "PROTO=", true, false, NULL, NULL, 0 },
	{ "LOGIN=x", true, false, NULL, NULL, 0 },
	{ "LOGIN=x", false, true, "2001:db8::1", "a.example", CLIENT_NAME_OK },
	{ "IDENT=x", false, false, NULL, NULL, 0 },
	{ "SOURCE=MARS", true, false, NULL, NULL, 0 },
	{ "HELO=a+00b", true, false, NULL, NULL, 0 },
	{ "HELO=a+0", true, false, NULL, NULL, 0 },
};

static bool
read_either(const char *args, bool xforward, struct arena *a, struct client *c,
    struct reply *r)
{
	unsigned told = 0;

	return xforward
	    ? identity_read_xforward(pn_str_of(args), &told, a, c, r)
	    : identity_read_xclient(pn_str_of(args), a, c, r);
}

static void
attributes_in(void **state)
{
	struct arena *a = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < PN_COUNT(in); i++) {
		struct client c = six;
		struct reply r = { 0 };

		if (read_either(in[i].args, in[i].xforward, a, &c, &r) !=
		    in[i].ok)
			fail_msg("%s", in[i].args);
		if (!in[i].ok) {
			assert_int_equal(r.code, 501);
			assert_memory_equal(&c, &six, sizeof(c));
			continue;
		}
		assert_str(c.ip, in[i].ip);
		assert_str(c.name, in[i].name);
		assert_int_equal(c.name_state, in[i].state);
	}
	arena_free(a);
}

/* A port belongs to its address: with another, the one that was is wrong. */
static void
port_goes_with_its_address(void **state)
{
	static const struct {
		const char *args;
		bool xforward;
		uint16_t port, to_port;
	} cases[] = {
		{ "ADDR=192.0.2.1", true, 0, 25 },
		{ "ADDR=192.0.2.1 NAME=b.example", false, 0, 25 },
		{ "PORT=7 ADDR=192.0.2.1", true, 7, 25 },
		{ "ADDR=192.0.2.1 PORT=[UNAVAILABLE]", true, 0, 25 },
		{ "NAME=b.example", false, 4711, 25 },
		{ "NAME=b.example", true, 0, 25 },
		{ "DESTADDR=192.0.2.9", false, 4711, 0 },
		{ "DESTADDR=192.0.2.9 DESTPORT=587", false, 4711, 587 },
	};
	struct arena *a = arena_new(1 << 20);
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct client c = six;
		struct reply r = { 0 };

		c.port = 4711;
		c.to_ip = PN_STR_V("192.0.2.2");
		c.to_port = 25;
		if (!read_either(cases[i].args, cases[i].xforward, a, &c, &r) ||
		    c.port != cases[i].port || c.to_port != cases[i].to_port)
			fail_msg("%s: %u %u", cases[i].args, c.port, c.to_port);
		buf_clear(&b);
		identity_xclient(&b, &c, ATTR_PORT | ATTR_DESTPORT);
		assert_int_equal(pn_str_ends(buf_str(&b),
				     PN_STR_V("DESTPORT=[UNAVAILABLE]\r\n")),
		    cases[i].to_port == 0);
	}
	buf_fini(&b);
	arena_free(a);
}

/* The commands of one mail, and what the next hop hears of them. */
static void
xforward_tells_all_or_it_is_not_known(void **state)
{
	static const struct {
		const char *args[3], *out;
	} cases[] = {
		{ { "ADDR=192.0.2.1" }, "NAME=[UNAVAILABLE] ADDR=192.0.2.1 "
		    "PORT=[UNAVAILABLE] PROTO=[UNAVAILABLE] HELO=[UNAVAILABLE]" },
		{ { "HELO=x" }, "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 "
		    "PORT=[UNAVAILABLE] PROTO=[UNAVAILABLE] HELO=x" },
		/* A long line is told in several. */
		{ { "NAME=b.example PORT=7", "ADDR=192.0.2.1",
		      "PROTO=SMTP HELO=y" },
		    "NAME=b.example ADDR=192.0.2.1 PORT=7 PROTO=SMTP HELO=y" },
		{ { "IDENT=1", "ADDR=192.0.2.1 PROTO=QMQP", "SOURCE=LOCAL" },
		    "NAME=[UNAVAILABLE] ADDR=192.0.2.1 PORT=[UNAVAILABLE] "
		    "PROTO=[UNAVAILABLE] HELO=[UNAVAILABLE]" },
		{ { "IDENT=1" }, "NAME=a.example ADDR=IPV6:2001:db8::1 "
		    "PORT=25 PROTO=ESMTP HELO=x+20y" },
		/* What is refused tells nothing. */
		{ { "ADDR=1.2.3", "IDENT=1" }, "NAME=a.example "
		    "ADDR=IPV6:2001:db8::1 PORT=25 PROTO=ESMTP HELO=x+20y" },
		{ { "ADDR=192.0.2.1", "NAME=a+00", "HELO=z" },
		    "NAME=[UNAVAILABLE] ADDR=192.0.2.1 PORT=[UNAVAILABLE] "
		    "PROTO=[UNAVAILABLE] HELO=z" },
	};
	struct arena *a = arena_new(1 << 20);
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct client c = six;
		struct reply r = { 0 };
		unsigned told = 0;
		char want[200];

		for (size_t k = 0; k < 3 && cases[i].args[k] != NULL; k++)
			(void)identity_read_xforward(
			    pn_str_of(cases[i].args[k]), &told, a, &c, &r);
		buf_clear(&b);
		(void)identity_xforward(&b, &c, "", false, ATTR_OF_BOTH);
		(void)snprintf(want, sizeof(want), "XFORWARD %s\r\n",
		    cases[i].out);
		assert_str(buf_str(&b), want);
	}
	/* XCLIENT knows two words alone. */
	buf_clear(&b);
	identity_xclient(&b, &(struct client){ .ip = PN_STR_V("192.0.2.1") },
	    ATTR_PROTO | ATTR_HELO);
	assert_str(buf_str(&b), "XCLIENT PROTO=ESMTP HELO=[UNAVAILABLE]\r\n");
	buf_fini(&b);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xtext_there_and_back),
		cmocka_unit_test(xclient_out),
		cmocka_unit_test(xclient_out_more),
		cmocka_unit_test(xforward_knows_no_name_to_come),
		cmocka_unit_test(xforward_in_lines_of_512),
		cmocka_unit_test(attributes_in),
		cmocka_unit_test(port_goes_with_its_address),
		cmocka_unit_test(xforward_tells_all_or_it_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
