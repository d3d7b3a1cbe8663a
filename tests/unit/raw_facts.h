/*
 * raw_facts - a message of which nothing is known but its bytes: every fact is
 * the pn_str at arg, and there are no parts. For tests of what looks through
 * texts.
 */
#ifndef TESTS_RAW_FACTS_H
#define TESTS_RAW_FACTS_H

#include "rules/rules.h"

static inline void
raw_get(void *arg, uint32_t fact, uint32_t thing, struct pn_str key,
    unsigned nth, struct value *out)
{
	(void)fact;
	(void)thing;
	(void)key;
	*out = (struct value){ .state = nth == 0 ? VALUE_KNOWN : VALUE_ABSENT,
		.type = VALUE_STRING,
		.str = *(struct pn_str *)arg };
}

static inline uint32_t
raw_things(void *arg, const char *thing)
{
	(void)arg;
	(void)thing;
	return 0;
}

static inline uint32_t
raw_depth(void *arg, const char *thing, uint32_t n)
{
	(void)arg;
	(void)thing;
	return n;
}

#define RAW_FACTS(str)                                                         \
	((struct rules_facts){ (str), raw_get, raw_things, raw_depth })

#endif
