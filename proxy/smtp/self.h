/*
 * self - would a connection to an address come to one of our own listeners?
 * Asked of mail hosts that MX names (resolve.c, RFC 5321 5.1), and of servers
 * when the configuration is read. Owns nothing.
 */
#ifndef SMTP_SELF_H
#define SMTP_SELF_H

#include <stdbool.h>
#include <sys/socket.h>

/* Their ports are the same, and so are the addresses, or the listener has all
 * of this machine's and `to` is one of these. */
bool self_is_reached(const struct sockaddr_storage *listener,
    const struct sockaddr_storage *to);

#endif
