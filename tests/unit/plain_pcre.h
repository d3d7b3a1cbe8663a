/* plain_pcre - a rule's pattern as PCRE2 compiles it without any ado: what the
 * prefilter and the sliced search are compared with. */
#ifndef TESTS_PLAIN_PCRE_H
#define TESTS_PLAIN_PCRE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "rules/tree.h"

static inline uint32_t
plain_options(struct pn_str flags)
{
	uint32_t options = PCRE2_NEVER_BACKSLASH_C;

	for (size_t i = 0; i < flags.n; i++)
		options |= flags.p[i] == 'i'   ? PCRE2_CASELESS
			   : flags.p[i] == 'm' ? PCRE2_MULTILINE
			   : flags.p[i] == 's' ? PCRE2_DOTALL
			   : flags.p[i] == 'x' ? PCRE2_EXTENDED
					       : PCRE2_UTF | PCRE2_UCP |
						     PCRE2_MATCH_INVALID_UTF;
	return options |
	       (options & PCRE2_UTF ? 0 : PCRE2_NEVER_UTF | PCRE2_NEVER_UCP);
}

/* NULL where PCRE2 refuses it. */
static inline pcre2_code *
plain_code(struct pn_str text, struct pn_str flags, bool jit)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code;
	PCRE2_SIZE at;
	int error;

	pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
	code = pcre2_compile((PCRE2_SPTR)text.p, text.n, plain_options(flags),
	    &error, &at, context);
	pcre2_compile_context_free(context);
	if (code != NULL && jit)
		(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	return code;
}

#endif
