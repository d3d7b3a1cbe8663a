/*
 * ask - what a module has asked and not heard of yet: of the DNS, a service or
 * a counter. The asking half of filter.h. Made by pn_ask_*(), freed with its
 * answer, or when its hook is over (client left, module failed).
 */
#ifndef ENGINE_ASK_H
#define ENGINE_ASK_H

#include <sys/queue.h>

#include "engine/dns.h"
#include "engine/service.h"

struct ask;
struct hook;
LIST_HEAD(asks, ask);

/* All that are under way: no continuation runs. */
void asks_cancel(struct hook *);

#endif
