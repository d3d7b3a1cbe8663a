/* trace - see trace.h. */
#include "keeper/trace.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>

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

/* ---- without what stood in the message ---- */

static bool
is_one_of(const char *key, const char *const *keys)
{
	for (; *keys != NULL; keys++)
		if (strcmp(key, *keys) == 0)
			return true;
	return false;
}

/* In place of a text; who else holds the old one (nobody) is not our matter. */
static json_t *
blotted(const json_t *text)
{
	char note[40];

	(void)snprintf(note, sizeof(note), "(%zu bytes)",
	    json_string_length(text));
	return json_string(note);
}

/*
 * Below these keys every text is the message's: facts by their names, finds by
 * theirs, captures. Elsewhere only what stands under one of `texts`.
 */
static void
blot(json_t *v, bool all)
{
	static const char *const below[] = { "facts", "found", "captures",
		NULL };
	static const char *const texts[] = { "value", "text", "why", "note",
		"subject", NULL };
	const char *key;
	json_t *inner;
	size_t i;
	void *next;

	json_object_foreach_safe (v, next, key, inner) {
		if (json_is_string(inner) && (all || is_one_of(key, texts)))
			(void)json_object_set_new(v, key, blotted(inner));
		else
			blot(inner, all || is_one_of(key, below));
	}
	json_array_foreach (v, i, inner) {
		if (json_is_string(inner) && all)
			(void)json_array_set_new(v, i, blotted(inner));
		else
			blot(inner, all);
	}
}

void
trace_redact(struct pn_str trace, struct buf *b)
{
	json_t *v = json_loadb(trace.p, trace.n, JSON_ALLOW_NUL, NULL);
	char *text;

	if (v == NULL)
		return; /* not a trace: nothing of it is kept */
	blot(v, false);
	text = json_dumps(v, JSON_COMPACT);
	if (text != NULL)
		(void)buf_puts(b, text); /* no cap */
	free(text);
	json_decref(v);
}
