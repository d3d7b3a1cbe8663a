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
 * Texts of the rules, the envelope and the verdict stand under these keys;
 * under any other, and everywhere below `facts`, `found` and `captures`, they
 * may be the message's. An unknown key is one of those: what is added to
 * traces later is blotted until it is named here.
 */
static void
blot(json_t *v, const char *under, bool all)
{
	static const char *const below[] = { "facts", "found", "captures",
		NULL };
	static const char *const kept[] = { "action", "address", "all", "any",
		"at", "class", "edit", "file", "group", "helo", "id", "in",
		"ip", "listener", "login", "mode", "name", "no", "onward",
		"policy", "queue", "rcpt", "recipients", "refused", "result",
		"rule", "sender", "skipped", "stage", "status", "test", "time",
		"value_is", NULL };
	const char *key;
	json_t *inner;
	size_t i;
	void *next;

	all = all || is_one_of(under, below);
	json_object_foreach_safe (v, next, key, inner) {
		if (!json_is_string(inner))
			blot(inner, key, all);
		else if (all || !is_one_of(key, kept))
			(void)json_object_set_new(v, key, blotted(inner));
	}
	json_array_foreach (v, i, inner) {
		if (!json_is_string(inner))
			blot(inner, under, all);
		else if (all || !is_one_of(under, kept))
			(void)json_array_set_new(v, i, blotted(inner));
	}
}

void
trace_redact(struct pn_str trace, struct buf *b)
{
	json_t *v = json_loadb(trace.p, trace.n, JSON_ALLOW_NUL, NULL);
	char *text;

	if (v == NULL)
		return; /* not a trace: nothing of it is kept */
	blot(v, "", false);
	text = json_dumps(v, JSON_COMPACT);
	if (text != NULL)
		(void)buf_puts(b, text); /* no cap */
	free(text);
	json_decref(v);
}
