/*
 * service - one request, one reply: other programs on unix or TCP sockets that
 * modules ask (pn_ask_service), over connections that are kept for the next
 * ask. One pool a service and worker, on the worker's loop.
 *
 * A kept connection that turns out dead before a byte of the reply came is
 * replaced once. There is no time limit in here: who asks cancels.
 */
#ifndef ENGINE_SERVICE_H
#define ENGINE_SERVICE_H

#include "base/loop.h"
#include "engine/dns.h"
#include "filters/filter.h"

struct services;
struct service_call;

/* bytes are valid until the callback returns; the call is gone then. */
typedef void service_done(void *arg, enum pn_reply_status, struct pn_str bytes);

/* dns: for services that are written by name. Borrowed. */
struct services *services_new(struct loop *, struct dns *);
/* No call may be under way. */
void services_free(struct services *);
/* The request is copied. done comes later, from the loop. Never NULL. */
struct service_call *service_ask(struct services *, const struct pn_request *,
    service_done *, void *arg);
void service_cancel(struct service_call *); /* done is not called */

#endif
