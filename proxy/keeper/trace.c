/* trace - see trace.h. */
#include "keeper/trace.h"

#include <jansson.h>

#include "base/json.h"

void
trace_put(struct buf *b, const char *key, struct pn_str v)
{
	json_t *parsed;

	if (v.n == 0) {
		json_put_null(b, key);
		return;
	}
	parsed = json_loadb(v.p, v.n, JSON_DECODE_ANY | JSON_ALLOW_NUL,
	    NULL);
	if (parsed != NULL)
		json_raw(b, key, v);
	else
		json_str(b, key, v);
	json_decref(parsed);
}
