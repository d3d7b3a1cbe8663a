/*
 * dnsbl - lists of addresses in the DNS. RFC 5782.
 *
 *     module dnsbl {
 *         zone zen.example 127.0.0.2-127.0.0.11;
 *         zone bl.example;                        # 127.0.0.2-127.0.0.255
 *     }
 *     rule listed { when dnsbl("zen.example"); ... }
 *     rule policy { when dnsbl.code("zen.example") in 127.0.0.10/31; ... }
 *
 * A list answers with codes that it documents. Others are its way of saying
 * that it will not answer (127.255.255.x: too many questions, a public
 * resolver), or the sale of its domain, and never a listing: unknown.
 *
 * Each worker asks for the two addresses of RFC 5782 5 when it starts and from
 * time to time: 127.0.0.2 is always listed, 127.0.0.1 never. A list that fails
 * is switched off until it passes again; its facts are unknown.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "filter.h"

#define ZONES_MAX (PN_ASKS_MAX / 2) /* two asks each, at once */
#define NAME_MAX_ 253
#define RETRY_MS 60000 /* a list that is off, or does not answer */

struct range {
	uint32_t first, last;
};

struct zone {
	const char *name;
	size_t index;
	const struct range *codes;
	size_t n_codes;
};

struct settings {
	struct pn_table written;
	int64_t canary_ms;
	struct zone *zones; /* [written.n] */
};

/* What this worker knows of a zone. */
struct health {
	enum { UNTESTED, WELL, OFF } state;
	bool listed_2, absent_1; /* of the test that runs */
};
struct worker {
	struct health zones[ZONES_MAX];
};

static const struct pn_option options[] = {
	{ "zone", PN_OPT_TABLE, offsetof(struct settings, written), NULL,
	    "a list's zone, and the codes that it documents" },
	{ "canary", PN_OPT_DURATION, offsetof(struct settings, canary_ms), "10m",
	    "how often each list is tested" },
	{ 0 }
};

static const struct pn_fact_decl facts[] = {
	{ .name = "dnsbl", .type = PN_BOOL, .stage = PN_STAGE_CONNECT,
	    .flags = PN_FACT_KEYED, .help = "the client's address is listed there" },
	{ .name = "dnsbl.code", .type = PN_IP, .stage = PN_STAGE_CONNECT,
	    .flags = PN_FACT_KEYED | PN_FACT_MANY,
	    .help = "codes that the list gives for it" },
	{ 0 }
};

/* ---- settings ---- */

static bool
parse_v4(struct pn_str s, uint32_t *out)
{
	char text[INET_ADDRSTRLEN] = "";
	struct in_addr a;

	if (s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	if (inet_pton(AF_INET, text, &a) != 1)
		return false;
	*out = ntohl(a.s_addr);
	return true;
}

/* "127.0.0.2" or "127.0.0.2-127.0.0.11" */
static bool
parse_range(const char *text, struct range *r)
{
	struct pn_str s = pn_str_of(text);
	const char *dash = strchr(text, '-');
	size_t n = dash ? (size_t)(dash - text) : s.n;

	if (!parse_v4(pn_str_sub(s, 0, n), &r->first) ||
	    !parse_v4(dash ? pn_str_sub(s, n + 1, s.n) : s, &r->last))
		return false;
	return r->first <= r->last && r->first >> 24 == 127 &&
	    r->last >> 24 == 127 && r->last < 0x7fffff00;
}

static bool
read_zone(struct pn_setup *s, struct zone *z, const struct pn_list *row,
    size_t nr)
{
	struct range *codes;
	size_t n = row->n > 1 ? row->n - 1 : 1;

	z->name = row->words[0];
	z->index = nr;
	if (strlen(z->name) + 64 > NAME_MAX_ || strchr(z->name, '.') == NULL)
		return pn_setup_error(s, "zone", nr, "\"%s\" is not a zone",
		    z->name);
	codes = pn_setup_alloc(s, n * sizeof(*codes));
	if (codes == NULL)
		return pn_setup_error(s, "zone", nr, "no room for its codes");
	codes[0] = (struct range){ 0x7f000002, 0x7f0000ff };
	for (size_t i = 1; i < row->n; i++)
		if (!parse_range(row->words[i], &codes[i - 1]))
			return pn_setup_error(s, "zone", nr, "\"%s\" is not a "
			    "code, 127.0.0.2 or 127.0.0.2-127.0.0.11, below "
			    "127.255.255.0", row->words[i]);
	z->codes = codes;
	z->n_codes = n;
	return pn_setup_key(s, "dnsbl", z->name) &&
	    pn_setup_key(s, "dnsbl.code", z->name);
}

static bool
setup(struct pn_setup *s)
{
	struct settings *to = pn_setup_settings(s);

	if (to->canary_ms < 1000)
		return pn_setup_error(s, "canary", 0, "must be at least 1s");
	if (to->written.n > ZONES_MAX)
		return pn_setup_error(s, "zone", ZONES_MAX,
		    "stands more than %d times", ZONES_MAX);
	to->zones = pn_setup_alloc(s, to->written.n * sizeof(*to->zones));
	if (to->zones == NULL)
		return pn_setup_error(s, "zone", 0, "no room for them");
	for (size_t i = 0; i < to->written.n; i++) {
		for (size_t k = 0; k < i; k++)
			if (pn_str_caseeq(pn_str_of(to->zones[k].name),
				pn_str_of(to->written.rows[i].words[0])))
				return pn_setup_error(s, "zone", i,
				    "\"%s\" is written twice",
				    to->zones[k].name);
		if (!read_zone(s, &to->zones[i], &to->written.rows[i], i))
			return false;
	}
	return true;
}

/* ---- answers ---- */

static bool
is_documented(const struct zone *z, uint32_t code)
{
	for (size_t i = 0; i < z->n_codes; i++)
		if (code >= z->codes[i].first && code <= z->codes[i].last)
			return true;
	return false;
}

/* How many of the answers are documented codes; *odd: one that is none. A list
 * that refuses (127.255.255.x) says nothing else that counts. */
static size_t
count_codes(const struct zone *z, const struct pn_dns *answer,
    struct pn_str *odd)
{
	size_t n = 0;

	*odd = PN_STR_V("");
	for (size_t i = 0; i < answer->n; i++) {
		uint32_t code;
		bool known = parse_v4(answer->answers[i], &code);

		if (known && is_documented(z, code)) {
			n++;
			continue;
		}
		*odd = answer->answers[i];
		if (known && code >= 0x7fffff00)
			return 0;
	}
	return n;
}

static void
give_unknown(struct pn_mail *m, const struct zone *z)
{
	pn_keyed_unknown(m, "dnsbl", pn_str_of(z->name));
	pn_keyed_unknown(m, "dnsbl.code", pn_str_of(z->name));
}

static void
tell(struct pn_mail *m, const struct zone *z, const char *what,
    struct pn_str value)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%s%.*s", what, PN_STR_ARG(value));
	pn_status(m, pn_str_of(z->name), pn_str_of(text));
}

static enum pn_step
on_listing(struct pn_mail *m, const struct pn_dns *answer)
{
	const struct zone *z = answer->arg;
	struct pn_str key = pn_str_of(z->name), odd;
	size_t n;

	if (answer->status == PN_DNS_NONE) {
		pn_keyed_bool(m, "dnsbl", key, PN_FALSE);
		return PN_NEXT;
	}
	n = count_codes(z, answer, &odd);
	if (odd.n > 0)
		tell(m, z, "answers with a code it does not document: ", odd);
	if (answer->status != PN_DNS_OK || n == 0) {
		give_unknown(m, z);
		return PN_NEXT;
	}
	pn_keyed_bool(m, "dnsbl", key, PN_TRUE);
	for (size_t i = 0; i < answer->n; i++) {
		uint32_t code;

		if (parse_v4(answer->answers[i], &code) && is_documented(z, code))
			pn_keyed_str(m, "dnsbl.code", key, answer->answers[i]);
	}
	return PN_NEXT;
}

/* ---- questions ---- */

/* Addresses that are nobody's in the world: no list can know them. */
static bool
is_public_v4(uint32_t a)
{
	static const struct {
		uint32_t net;
		unsigned bits;
	} ours[] = { { 0x00000000, 8 }, { 0x0a000000, 8 }, { 0x64400000, 10 },
		{ 0x7f000000, 8 }, { 0xa9fe0000, 16 }, { 0xac100000, 12 },
		{ 0xc0a80000, 16 }, { 0xe0000000, 3 } };

	for (size_t i = 0; i < PN_COUNT(ours); i++)
		if ((a ^ ours[i].net) >> (32 - ours[i].bits) == 0)
			return false;
	return true;
}

/* The name to ask for, but for the zone: "4.3.2.1." or nibbles (RFC 5782 2.4).
 * False: not an address that anybody could list. */
static bool
reverse(struct pn_str ip, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "";
	unsigned char a[16];
	uint32_t v4 = 0;
	size_t n = 0;

	if (ip.n >= sizeof(text))
		return false;
	memcpy(text, ip.p, ip.n);
	if (inet_pton(AF_INET, text, a) == 1) {
		(void)parse_v4(ip, &v4);
		(void)snprintf(out, size, "%d.%d.%d.%d.", a[3], a[2], a[1], a[0]);
		return is_public_v4(v4);
	}
	if (inet_pton(AF_INET6, text, a) != 1)
		return false;
	for (int i = 15; i >= 0; i--)
		n += (size_t)snprintf(out + n, size - n, "%x.%x.", a[i] & 15,
		    a[i] >> 4);
	return a[0] >> 5 == 1; /* 2000::/3: what is given out (RFC 4291 2.4) */
}

static enum pn_step
ask(struct pn_mail *m, const char *head, const struct zone *z, pn_dns_cb *then)
{
	char name[NAME_MAX_ + 1];
	int n = snprintf(name, sizeof(name), "%s%s", head, z->name);

	return pn_ask_dns_a(m, (struct pn_str){ name, (size_t)n }, then, z);
}

static enum pn_step
on_connect(struct pn_mail *m)
{
	const struct settings *s = pn_settings(m);
	const struct worker *w = pn_worker(m);
	enum pn_step step = PN_NEXT;
	char head[80];

	if (!reverse(pn_client_ip(m), head, sizeof(head)))
		return PN_NEXT;
	for (size_t i = 0; i < s->written.n && step != PN_FAIL; i++) {
		if (w->zones[i].state == WELL)
			step = ask(m, head, &s->zones[i], on_listing);
		else
			give_unknown(m, &s->zones[i]);
	}
	return step;
}

/* ---- the canary ---- */

static void
switch_off(struct pn_mail *m, const struct zone *z, const char *why,
    struct pn_str value)
{
	struct worker *w = pn_worker(m);

	w->zones[z->index].state = OFF;
	tell(m, z, why, value);
	pn_again(m, RETRY_MS);
}

static void
pass(struct pn_mail *m, const struct zone *z)
{
	struct worker *w = pn_worker(m);
	struct health *h = &w->zones[z->index];

	if (!h->listed_2 || !h->absent_1)
		return;
	h->state = WELL;
	pn_status(m, pn_str_of(z->name), PN_STR_V(""));
}

/* No answer proves nothing: what was known of it stays. */
static bool
is_silent(struct pn_mail *m, const struct zone *z, const struct pn_dns *answer)
{
	if (answer->status == PN_DNS_OK || answer->status == PN_DNS_NONE)
		return false;
	tell(m, z, "does not answer", PN_STR_V(""));
	pn_again(m, RETRY_MS);
	return true;
}

static enum pn_step
on_canary_2(struct pn_mail *m, const struct pn_dns *answer)
{
	const struct zone *z = answer->arg;
	struct worker *w = pn_worker(m);
	struct pn_str odd;

	if (is_silent(m, z, answer))
		return PN_NEXT;
	if (count_codes(z, answer, &odd) == 0) {
		switch_off(m, z, odd.n ? "off: answers for 127.0.0.2 with "
				       : "off: does not list 127.0.0.2", odd);
		return PN_NEXT;
	}
	w->zones[z->index].listed_2 = true;
	pass(m, z);
	return PN_NEXT;
}

static enum pn_step
on_canary_1(struct pn_mail *m, const struct pn_dns *answer)
{
	const struct zone *z = answer->arg;
	struct worker *w = pn_worker(m);

	if (is_silent(m, z, answer))
		return PN_NEXT;
	if (answer->status == PN_DNS_OK) {
		switch_off(m, z, "off: lists 127.0.0.1", PN_STR_V(""));
		return PN_NEXT;
	}
	w->zones[z->index].absent_1 = true;
	pass(m, z);
	return PN_NEXT;
}

static enum pn_step
watch(struct pn_mail *m)
{
	const struct settings *s = pn_settings(m);
	struct worker *w = pn_worker(m);
	enum pn_step step = PN_NEXT;

	pn_again(m, (uint64_t)s->canary_ms);
	for (size_t i = 0; i < s->written.n && step != PN_FAIL; i++) {
		w->zones[i].listed_2 = w->zones[i].absent_1 = false;
		step = ask(m, "2.0.0.127.", &s->zones[i], on_canary_2);
		if (step != PN_FAIL)
			step = ask(m, "1.0.0.127.", &s->zones[i], on_canary_1);
	}
	return step;
}

const struct pn_filter pn_filter = {
	.abi = PN_ABI,
	.name = "dnsbl",
	.options = options,
	.settings_size = sizeof(struct settings),
	.facts = facts,
	.connect = on_connect,
	.setup = setup,
	.watch = watch,
	.worker_size = sizeof(struct worker),
};
