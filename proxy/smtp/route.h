/*
 * route - which upstream a recipient's mail goes to: by address, domain, parent
 * domain, map or default, and what that makes of a session.
 *
 * Listeners with `route` answer MAIL themselves: the next hop is known with the
 * first recipient, and hears MAIL and RCPT in one batch then. It owns the mail;
 * recipients that belong elsewhere hear 452 and come again (RFC 5321 4.5.3.1.10).
 */
#ifndef SMTP_ROUTE_H
#define SMTP_ROUTE_H

#include "smtp/session.h"

enum route_found { ROUTE_FOUND, ROUTE_NOWHERE, ROUTE_BROKEN };

/* BROKEN: a map cannot be asked, or names no upstream (logged). */
enum route_found route_find(const struct smtp_conf *, const struct smtp_route *,
    struct engine *, const struct rcpt *, const struct smtp_upstream **out);

/* ---- sessions (of any listener, but for the last ones) ---- */

/* The upstreams that a listener's mail may go to: asked again if stale, none
 * known yet, what all of them announce. */
void route_refresh(const struct listener *);
bool route_is_new(const struct listener *);
void route_keywords(const struct listener *, struct keywords *);

/* Its next hop is chosen by recipients. */
bool route_is_open(const struct session *);
/* MAIL's answer there: no, as far as the client is concerned, RCPT's. */
void route_heard(struct session *, const struct reply_lines *);
/* A recipient that the next hop refused because it had refused MAIL. */
const struct reply_lines *route_refusal(const struct session *);
/* The recipients that rules added belong to the mail's next hop, too. */
bool route_serves_added(const struct session *);

#endif
