/*
 * dnsserver - a small authoritative answerer for tests: a child process on a
 * free UDP port of 127.0.0.1 that knows a table of records. A name it does
 * not know is NXDOMAIN; a record with data "silent" is never answered, one
 * with "servfail" is answered so.
 */
#ifndef TESTS_DNSSERVER_H
#define TESTS_DNSSERVER_H

#include <stddef.h>
#include <sys/types.h>

struct dns_record {
	const char *name; /* without a trailing dot */
	int type;         /* 1 A, 12 PTR, 16 TXT, 28 AAAA */
	const char *data; /* address, name, or text */
};

/* "127.0.0.1@PORT" into server. The records end with a NULL name. */
pid_t dnsserver_start(const struct dns_record *, char server[32]);
void dnsserver_stop(pid_t);

#endif
