/* utf8 - UTF-8 as RFC 3629 has it: no surrogates, nothing overlong. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filters/pn_str.h"

/* Length (1-4) of the valid sequence at the start of s, 0 when there is none. */
size_t utf8_len(struct pn_str s);
bool utf8_valid(struct pn_str s);
/* Writes the sequence for code point c (surrogates as U+FFFD), returns 1-4. */
size_t utf8_put(char out[4], uint32_t c);

#endif
