/* cm - what every cmocka test includes, in the order cmocka wants. */
#ifndef TESTS_CM_H
#define TESTS_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/pn_str.h"

/* A pn_str equals a literal. */
#define assert_str(got, lit)                                                   \
	do {                                                                   \
		struct pn_str got_ = (got);                                    \
		assert_int_equal(got_.n, strlen(lit));                         \
		assert_memory_equal(got_.n ? got_.p : "", lit, got_.n);        \
	} while (0)

#endif
