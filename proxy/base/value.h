/*
 * value - one typed value, or the knowledge that it is not known. What facts
 * are made of, what rules compare and what travels from the inspector.
 * Borrowed text: lives as long as what it was cut from.
 */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "filters/pn_str.h"

enum value_state {
	VALUE_ABSENT,  /* there is none: no such header, nobody logged in */
	VALUE_UNKNOWN, /* a look-up failed, a limit was hit */
	VALUE_KNOWN
};

enum value_type {
	VALUE_STRING,
	VALUE_NUMBER,
	VALUE_BOOL,
	VALUE_ADDRESS,
	VALUE_IP,
	VALUE_WORD /* one of the words its declaration lists; `is` tests it */
};
#define VALUE_TYPES 6

struct value {
	enum value_state state;
	enum value_type type;
	struct pn_str str;     /* string, word; ip in canonical text; address as
				  "local@domain" */
	struct pn_str local, domain, display; /* address */
	int64_t number;        /* number; bool as 0 and 1 */
};

/* Kleene's three values. */
enum tri { TRI_FALSE, TRI_TRUE, TRI_UNKNOWN };

static inline enum tri
tri_of(bool b)
{
	return b ? TRI_TRUE : TRI_FALSE;
}

#endif
