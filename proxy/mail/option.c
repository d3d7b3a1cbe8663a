/*
 * option - see option.h. Called by proxy/modules for what stands in a module's
 * block, and by mail/chain for presets.
 */
#include "mail/option.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ip.h"
#include "base/lex.h"

#define UNIX_PATH_MAX 107 /* sun_path holds 108 bytes with its NUL */

static int
no_room(struct error *why)
{
	return error_set(why, "does not fit into the policy's memory");
}

const char *
option_shape(enum pn_option_type type)
{
	static const char *const shapes[] = {
		[PN_OPT_STRING] = "a word or a string",
		[PN_OPT_NUMBER] = "a number",
		[PN_OPT_SIZE] = "a size (64K, 50M, 1G)",
		[PN_OPT_DURATION] = "a time (500ms, 30s, 5m, 2h, 7d)",
		[PN_OPT_BOOL] = "yes or no",
		[PN_OPT_LIST] = "one or more words",
		[PN_OPT_TABLE] = "one or more words",
		[PN_OPT_SERVICE] = "unix:/PATH or inet:HOST:PORT",
	};

	return shapes[type];
}

/* ---- single values ---- */

static int
to_number(enum pn_option_type type, const char *text, int64_t *out)
{
	unsigned long long v;
	char *end;

	if (type == PN_OPT_NUMBER) {
		*out = strtoll(text, &end, 10);
		return end != text && *end == '\0' ? 0 : -1;
	}
	if ((type == PN_OPT_SIZE ? lex_size(pn_str_of(text), &v)
				 : lex_duration(pn_str_of(text), &v)) < 0 ||
	    v > INT64_MAX)
		return -1;
	*out = (int64_t)v;
	return 0;
}

static bool
is_host_name(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789-._", s.p[i]) == NULL || s.p[i] == '\0')
			return false;
	return s.n > 0 && s.n < 254 && s.p[0] != '.';
}

/* "inet:" is taken already: HOST:PORT, [V6]:PORT. */
static int
parse_inet(struct pn_str s, struct pn_service *to, struct arena *a)
{
	const char *colon = s.n ? memrchr(s.p, ':', s.n) : NULL;
	unsigned char raw[16];
	unsigned long long port;
	struct pn_str host;
	bool v4;

	if (colon == NULL)
		return -1;
	host = (struct pn_str){ s.p, (size_t)(colon - s.p) };
	s = pn_str_sub(s, host.n + 1, s.n);
	if (s.n == 0 || s.p[s.n - 1] > '9' || lex_size(s, &port) < 0 ||
	    port == 0 || port > 65535)
		return -1;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = pn_str_sub(host, 1, host.n - 2);
	to->numeric = ip_parse(host, raw, &v4);
	if (!to->numeric && !is_host_name(host))
		return -1;
	to->port = (uint16_t)port;
	to->host = arena_str(a, host).p;
	return 0;
}

static int
parse_service(struct pn_str s, const struct pn_service **out, struct arena *a)
{
	static const struct pn_str local = PN_STR("unix:/");
	static const struct pn_str inet = PN_STR("inet:");
	struct pn_service *to = arena_alloc(a, sizeof(*to));

	if (to == NULL)
		return 0; /* and *out stays NULL */
	to->text = arena_str(a, s).p;
	if (pn_str_starts(s, local) && s.n - 5 <= UNIX_PATH_MAX) {
		to->local = to->numeric = true;
		to->host = arena_str(a, pn_str_sub(s, 5, s.n)).p;
	} else if (!pn_str_starts(s, inet) ||
	    parse_inet(pn_str_sub(s, 5, s.n), to, a) < 0) {
		return -1;
	}
	*out = to->text != NULL && to->host != NULL ? to : NULL;
	return 0;
}

static int
give_service(struct pn_str word, void *at, struct arena *a, struct error *why)
{
	const struct pn_service *s = NULL;

	if (parse_service(word, &s, a) < 0)
		return error_set(why, "is not %s", option_shape(PN_OPT_SERVICE));
	if (s == NULL)
		return no_room(why);
	memcpy(at, &s, sizeof(s));
	return 0;
}

static int
give_one(const struct pn_option *o, struct pn_str word, void *at,
    struct arena *a, struct error *why)
{
	const char *text = arena_str(a, word).p;
	int64_t number;
	bool yes;

	if (text == NULL)
		return no_room(why);
	switch (o->type) {
	case PN_OPT_STRING:
		memcpy(at, &text, sizeof(text));
		return 0;
	case PN_OPT_BOOL:
		yes = strcmp(text, "yes") == 0;
		memcpy(at, &yes, sizeof(yes));
		if (yes || strcmp(text, "no") == 0)
			return 0;
		break;
	case PN_OPT_SERVICE:
		return give_service(word, at, a, why);
	default:
		if (to_number(o->type, text, &number) == 0) {
			memcpy(at, &number, sizeof(number));
			return 0;
		}
	}
	return error_set(why, "is not %s", option_shape(o->type));
}

/* ---- lists ---- */

static int
make_list(struct pn_list *to, const struct pn_str *words, size_t n,
    struct arena *a)
{
	const char **copies = arena_alloc(a, n * sizeof(*copies));

	if (copies == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		if ((copies[i] = arena_str(a, words[i]).p) == NULL)
			return -1;
	*to = (struct pn_list){ copies, n };
	return 0;
}

/* What is left behind is less than what is used: rows come in twos. */
static int
add_row(struct pn_table *t, const struct pn_list *row, struct arena *a)
{
	struct pn_list *rows = (struct pn_list *)t->rows;

	if ((t->n & (t->n - 1)) == 0) {
		rows = arena_alloc(a, (t->n ? 2 * t->n : 1) * sizeof(*rows));
		if (rows == NULL)
			return -1;
		if (t->n > 0)
			memcpy(rows, t->rows, t->n * sizeof(*rows));
	}
	rows[t->n] = *row;
	*t = (struct pn_table){ rows, t->n + 1 };
	return 0;
}

int
option_give(const struct pn_option *o, const struct pn_str *words, size_t n,
    void *settings, struct arena *a, struct error *why)
{
	char *at = (char *)settings + o->offset;
	struct pn_list list;

	if (o->type != PN_OPT_LIST && o->type != PN_OPT_TABLE)
		return give_one(o, words[0], at, a, why);
	if (make_list(&list, words, n, a) < 0)
		return no_room(why);
	if (o->type == PN_OPT_TABLE)
		return add_row((struct pn_table *)(void *)at, &list, a) < 0
		    ? no_room(why) : 0;
	memcpy(at, &list, sizeof(list));
	return 0;
}

/* ---- presets ---- */

static size_t
settings_need(const struct pn_option *o)
{
	static const size_t sizes[] = { [PN_OPT_STRING] = sizeof(char *),
		[PN_OPT_NUMBER] = sizeof(int64_t),
		[PN_OPT_SIZE] = sizeof(int64_t),
		[PN_OPT_DURATION] = sizeof(int64_t),
		[PN_OPT_BOOL] = sizeof(bool),
		[PN_OPT_LIST] = sizeof(struct pn_list),
		[PN_OPT_TABLE] = sizeof(struct pn_table),
		[PN_OPT_SERVICE] = sizeof(void *) };

	return (unsigned)o->type < PN_COUNT(sizes) ? sizes[o->type] : SIZE_MAX;
}

/* "" is empty where something can be. */
static bool
is_empty(const struct pn_option *o)
{
	return o->preset[0] == '\0' && (o->type == PN_OPT_LIST ||
	    o->type == PN_OPT_TABLE || o->type == PN_OPT_SERVICE);
}

int
options_preset(const struct pn_filter *f, void *settings, struct arena *a,
    struct error *e)
{
	for (const struct pn_option *o = f->options; o && o->name; o++) {
		struct pn_str word = pn_str_of(o->preset);
		struct error why;
		size_t need = settings_need(o);

		if (need == SIZE_MAX || o->offset > f->settings_size ||
		    need > f->settings_size - o->offset)
			return error_set(e, "module %s: option \"%s\" has no "
			    "place in its settings", f->name, o->name);
		if (o->preset == NULL || is_empty(o))
			continue;
		if (option_give(o, &word, 1, settings, a, &why) < 0)
			return error_set(e, "module %s: option \"%s\": its "
			    "preset \"%s\" %s", f->name, o->name, o->preset,
			    why.text);
	}
	return 0;
}

/* ---- .setup ---- */

struct pn_setup {
	const struct pn_filter *filter;
	void *settings;
	struct arena *arena;
	const struct option_key **keys;
	struct setup_fault *fault;
	struct error *e;
	bool failed;
};

void *
pn_setup_settings(struct pn_setup *s)
{
	return s->settings;
}

void *
pn_setup_alloc(struct pn_setup *s, size_t n)
{
	return arena_alloc(s->arena, n);
}

bool
pn_setup_key(struct pn_setup *s, const char *fact, const char *key)
{
	struct option_key *k = arena_alloc(s->arena, sizeof(*k));
	struct pn_str copy = arena_str(s->arena, pn_str_of(key));

	if (k == NULL || copy.p == NULL)
		return pn_setup_error(s, "", 0, "no room for its keys");
	*k = (struct option_key){ *s->keys, fact, copy.p };
	*s->keys = k;
	return true;
}

bool
pn_setup_error(struct pn_setup *s, const char *option, size_t row,
    const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?'; /* one line of the log */
	s->failed = true;
	s->fault->row = row;
	(void)snprintf(s->fault->option, sizeof(s->fault->option), "%s", option);
	(void)error_set(s->e, "%s%s%s", option, *option ? " " : "", text);
	return false;
}

int
options_setup(const struct pn_filter *f, void *settings, struct arena *a,
    const struct option_key **keys, struct setup_fault *fault, struct error *e)
{
	struct pn_setup s = { f, settings, a, keys, fault, e, false };

	*fault = (struct setup_fault){ .option = "" };
	if (f->setup == NULL)
		return 0;
	if (f->setup(&s) && !s.failed)
		return 0;
	return s.failed ? -1 : error_set(e, "its settings are refused");
}
