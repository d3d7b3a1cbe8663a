/*
 * dns - asks to the DNS on the worker's loop, through libunbound: caching,
 * validating, never blocking. libunbound has no time limit of its own, so each
 * ask has a timer. One home of libunbound. RFC 1034, 1035, 3596.
 *
 * The callback always comes later, from the loop, never from the asking call
 * (libunbound itself may answer before it returns).
 */
#ifndef ENGINE_DNS_H
#define ENGINE_DNS_H

#include "base/error.h"
#include "base/loop.h"
#include "filters/filter.h"

struct dns;
struct dns_ask;

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52
};

/*
 * MX: "10 mx.example.com", the root as ""; TLSA: as it is on the wire. What is
 * too much is left out, and may be all that there is (PN_DNS_OK, n 0). answers
 * are valid until the callback returns; the ask is gone then.
 */
typedef void dns_done(void *arg, const struct pn_dns *);

/* server: "127.0.0.1@5353", or NULL: resolv.conf. Reads files. NULL and *e. */
struct dns *dns_new(struct loop *, const char *server, struct error *e);
void dns_free(struct dns *);
/* /etc/hosts too, where there is one. What it says is never secure. */
void dns_know_hosts(struct dns *);
/* From where answers are validated (DNSSEC): DS or DNSKEY records, one a line.
 * Before the first ask. Without, no answer is secure. -1 and *e. */
int dns_trust(struct dns *, struct pn_str anchors, struct error *e);
/* name without a trailing dot; DNS_PTR: an address in text. Never NULL. */
struct dns_ask *dns_ask(struct dns *, enum dns_type, struct pn_str name,
    uint64_t timeout_ms, dns_done *, void *arg);
/* Was the answer at hand validated, with all CNAMEs on the way, be it that there
 * is none? Only from within its callback. */
bool dns_is_secure(const struct dns_ask *);
/* What the name is called where its CNAMEs end; as asked for where it has none.
 * Likewise. */
const char *dns_canonical(const struct dns_ask *);
void dns_cancel(struct dns_ask *); /* done is not called */

#endif
