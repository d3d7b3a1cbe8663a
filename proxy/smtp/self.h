/*
 * self - would a connection to an address come to one of our own listeners?
 * Asked of mail hosts that MX names (RFC 5321 5.1) and of servers written by
 * name (resolve.c), and of those by address when the configuration is read.
 * Owns nothing.
 */
#ifndef SMTP_SELF_H
#define SMTP_SELF_H

#include <stdbool.h>
#include <sys/socket.h>

struct smtp_listener;
struct smtp_upstream;

/* Their ports are the same, and so are the addresses, or the listener has all
 * of this machine's and `to` is one of these. */
bool self_is_reached(const struct sockaddr_storage *listener,
    const struct sockaddr_storage *to);

/* May mail that this listener takes go there? What a map of a route names is
 * not known beforehand, and may be any upstream. */
bool self_leads_to(const struct smtp_listener *, const struct smtp_upstream *);

#endif
