/*
 * endpoint - numeric addresses as the configuration writes them:
 * "127.0.0.1:25", "[::1]:25", "*:25", "10.0.0.0/8", "[2001:db8::]/32". Names
 * are not looked up: the master never waits for DNS.
 */
#ifndef PROXY_ENDPOINT_H
#define PROXY_ENDPOINT_H

#include <sys/socket.h>

#include "smtp/smtp.h"

/* "[0123:4567:89ab:cdef:0123:4567:255.255.255.255]:65535" and a NUL */
#define ENDPOINT_TEXT_MAX 64

/*
 * Host and port; "*" is every IPv4 address of the machine. All return NULL,
 * or what is wrong in words that follow the text ("has no port").
 */
const char *endpoint_parse(
    struct pn_str, struct sockaddr_storage *, socklen_t *);
/* The same with the port left out: default_port. */
const char *endpoint_parse_default(struct pn_str, unsigned default_port,
    struct sockaddr_storage *, socklen_t *);
/*
 * As an MTA and libmilter write the address of a milter: "unix:/path" (or
 * "local:"), "inet:PORT@HOST" and "inet6:PORT@HOST"; and as we write those of
 * SMTP, "HOST:PORT", with "inet:" before it or not.
 */
const char *endpoint_parse_milter(
    struct pn_str, struct sockaddr_storage *, socklen_t *);
/* A network, or one host. Bits behind the prefix must be zero. */
const char *network_parse(struct pn_str, struct site_net *);

/* Port 0 of TCP: another free one each time. */
bool endpoint_is_any_port(const struct sockaddr_storage *);
bool endpoint_is_loopback(const struct sockaddr_storage *);
/* "127.0.0.1:25", "[::1]:25" into out; returns out. TCP alone. */
const char *endpoint_text(
    const struct sockaddr_storage *, char out[ENDPOINT_TEXT_MAX]);
/* "127.0.0.0/8", "[::1]/128" */
const char *network_text(const struct site_net *, char out[ENDPOINT_TEXT_MAX]);

#endif
