/*
 * lmtp - what LMTP has otherwise than SMTP (RFC 2033): after the message there
 * is one reply a recipient, in the order of the RCPTs that were accepted.
 *
 * Called by session's states at the end of a message; owns nothing, what it
 * notes lies in the mail's arena.
 */
#ifndef SMTP_LMTP_H
#define SMTP_LMTP_H

#include "smtp/session.h"

/*
 * A next hop that speaks LMTP may take the message for some and not for others,
 * which a client of SMTP cannot be told: it gives us one recipient at a time.
 * Has it done so? Then the next RCPT has to wait for a mail of its own.
 */
bool lmtp_is_full(const struct session *);
/* How many replies follow the message. */
unsigned lmtp_replies(const struct session *);
/* Before DATA there: room for them. False: at the arena's cap. */
bool lmtp_expect(struct session *);
/* LAST_WORD of a next hop that speaks LMTP. */
enum turn lmtp_last_word(struct session *);
/* The client hears it: of each of its recipients, if it speaks LMTP. */
enum turn lmtp_answer(struct session *);
/* The client speaks LMTP and the last reply was for all of its recipients:
 * said again for each but the first. */
void lmtp_repeat(struct session *);

#endif
