/*
 * linger - what is left of a session that we ended: its socket, until its
 * client has closed, too.
 *
 * A client that is told 421 may have sent more than we read: the kernel answers
 * that with a reset when we close, and a reset can destroy our last words
 * before they are read (RFC 1122 4.2.2.13). So the socket says that no more
 * comes, and what still does is thrown away for a short while.
 *
 * The session itself is over: what limits, the log and the next hop knew of it
 * is gone, and so is its TLS. Each costs a descriptor and some 300 bytes; of
 * descriptors they may have one in sixteen, then the oldest makes room: it had
 * the most time. Draining waits for them, within its own time (smtp_hurry).
 *
 * Called by session (closing) and listener, on the loop; they free themselves.
 */
#ifndef SMTP_LINGER_H
#define SMTP_LINGER_H

struct smtp;

/* Takes fd, on which all is said. */
void linger_on(struct smtp *, int fd);
/* Close them all, whatever is on its way. */
void linger_free_all(struct smtp *);

#endif
