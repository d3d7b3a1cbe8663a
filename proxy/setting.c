/*
 * setting - see setting.h. The texts are capped (CONFIG_TEXT_MAX) and the
 * arena is many times larger, so that running out of it is our own mistake.
 */
#include "proxy/setting.h"

#include "base/must.h"
#include "base/suggest.h"
#include "proxy/endpoint.h"

const char *
setting_text(struct reader *r, struct pn_str s)
{
	struct pn_str copy = arena_str(r->arena, s);

	must(copy.p != NULL);
	return copy.p;
}

void *
setting_grow(struct reader *r, const void *a, size_t n, size_t size)
{
	void *bigger;

	/* Room is made in powers of two: what is left behind is less than
	 * what is used. */
	if (n > 0 && (n & (n - 1)) != 0)
		return (void *)a;
	bigger = arena_alloc(r->arena, (n ? 2 * n : 1) * size);
	must(bigger != NULL);
	if (n > 0)
		memcpy(bigger, a, n * size);
	return bigger;
}

int
setting_value(struct reader *r, const struct lex_token *key,
    struct lex_token *t, struct error *e)
{
	char *plain;

	if (lex_next(r->lex, t, e) < 0)
		return -1;
	if (t->kind == LEX_STRING) {
		plain = (char *)setting_text(r, t->text);
		t->text = lex_unescape(t->text, plain);
		plain[t->text.n] = '\0';
	} else if (t->kind != LEX_WORD) {
		return lex_error(
		    e, &t->pos, "\"%s\" needs a value here", VIS(key->text));
	}
	if (memchr(t->text.p, '\0', t->text.n) != NULL)
		return lex_error(e, &t->pos, "a value with a NUL byte");
	return 0;
}

typedef int parse_scalar(struct pn_str, unsigned long long *);

static int
in_limits(const struct setting *s, const struct lex_token *t,
    parse_scalar *parse, unsigned long long v, struct error *e)
{
	unsigned long long limit;

	if (s->least != NULL && parse(pn_str_of(s->least), &limit) == 0 &&
	    v < limit)
		return lex_error(e, &t->pos, "\"%s\" must be at least %s",
		    s->name, s->least);
	if (s->most != NULL && parse(pn_str_of(s->most), &limit) == 0 &&
	    v > limit)
		return lex_error(
		    e, &t->pos, "\"%s\" must be at most %s", s->name, s->most);
	return 0;
}

static int
scalar(struct reader *r, const struct setting *s, const struct lex_token *key,
    parse_scalar *parse, const char *shape, unsigned long long *v,
    struct error *e)
{
	struct lex_token t;

	if (setting_value(r, key, &t, e) < 0)
		return -1;
	if (parse(t.text, v) < 0)
		return lex_error(
		    e, &t.pos, "\"%s\" is not %s", VIS(t.text), shape);
	return in_limits(s, &t, parse, *v, e);
}

static int
digits_alone(struct pn_str s, unsigned long long *v)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
	return lex_size(s, v) < 0 || *v > UINT32_MAX ? -1 : 0;
}

int
setting_read_count(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	unsigned long long v;

	if (scalar(r, s, key, digits_alone, "a number", &v, e) < 0)
		return -1;
	*(unsigned *)at = (unsigned)v;
	return 0;
}

int
setting_read_size(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	unsigned long long v;

	if (scalar(r, s, key, lex_size, "a size (64K, 50M, 1G)", &v, e) < 0)
		return -1;
	*(size_t *)at = (size_t)v;
	return 0;
}

int
setting_read_duration(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	unsigned long long v;

	if (scalar(r, s, key, lex_duration, "a time (500ms, 30s, 5m, 2h, 7d)",
		&v, e) < 0)
		return -1;
	*(uint64_t *)at = v;
	return 0;
}

int
setting_read_yesno(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	*(bool *)at = pn_str_eq(t.text, PN_STR_V("yes"));
	if (!*(bool *)at && !pn_str_eq(t.text, PN_STR_V("no")))
		return lex_error(e, &t.pos, "\"%s\" is yes or no, not \"%s\"",
		    VIS(key->text), VIS(t.text));
	return 0;
}

int
setting_read_word(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	if (t.text.n == 0)
		return lex_error(
		    e, &t.pos, "\"%s\" cannot be empty", VIS(key->text));
	*(const char **)at = setting_text(r, t.text);
	return 0;
}

int
setting_read_path(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	/* Processes that confine themselves to folders need to know which. */
	if (t.text.n == 0 || t.text.p[0] != '/')
		return lex_error(e, &t.pos,
		    "\"%s\" must be an absolute path, not \"%s\"",
		    VIS(key->text), VIS(t.text));
	*(const char **)at = setting_text(r, t.text);
	return 0;
}

void
setting_print_count(const void *at, struct buf *b)
{
	(void)buf_printf(b, "%u", *(const unsigned *)at);
}

void
setting_print_size(const void *at, struct buf *b)
{
	static const char unit[] = { 0, 'K', 'M', 'G' };
	size_t v = *(const size_t *)at, i = 0;

	while (v > 0 && v % 1024 == 0 && i + 1 < sizeof(unit)) {
		v /= 1024;
		i++;
	}
	(void)buf_printf(b, "%zu", v);
	if (i > 0)
		(void)buf_add(b, &unit[i], 1);
}

void
setting_print_duration(const void *at, struct buf *b)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
		{ "s", 1000 }, { "ms", 1 } };
	uint64_t v = *(const uint64_t *)at;
	size_t i = v == 0 ? PN_COUNT(units) - 1 : 0;

	while (v % units[i].ms != 0)
		i++;
	(void)buf_printf(
	    b, "%llu%s", (unsigned long long)(v / units[i].ms), units[i].unit);
}

void
setting_print_yesno(const void *at, struct buf *b)
{
	(void)buf_puts(b, *(const bool *)at ? "yes" : "no");
}

/* Quoted when the lexer would not read it as one word. */
void
setting_print_word(const void *at, struct buf *b)
{
	const char *s = *(const char *const *)at;

	if (s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			"0123456789_-.@/:*%+[]")] == '\0') {
		(void)buf_puts(b, s);
		return;
	}
	(void)buf_puts(b, "\"");
	for (; *s != '\0'; s++)
		(void)buf_printf(
		    b, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
	(void)buf_puts(b, "\"");
}

void
settings_preset(struct reader *r, const struct setting *table, void *into)
{
	struct lex *old = r->lex;
	struct lex l;
	struct lex_token key;
	struct error e;

	for (const struct setting *s = table; s->name != NULL; s++) {
		if (s->preset == NULL)
			continue;
		lex_init(&l, "preset", pn_str_of(s->preset));
		r->lex = &l;
		key = (struct lex_token){ .text = pn_str_of(s->name) };
		must(s->read(r, s, &key, (char *)into + s->offset, &e) == 0);
	}
	r->lex = old;
}

static int
unknown(const struct setting *table, const struct config_items *items,
    const struct lex_token *t, const char *block, struct error *e)
{
	struct suggest near = suggest_for(t->text);
	const char *words[SETTINGS_MAX + 1] = { NULL };
	char text[256];

	for (const struct setting *s = table; s->name != NULL; s++) {
		suggest_try(&near, pn_str_of(s->name));
		words[s - table] = s->name;
	}
	for (size_t i = 0; items != NULL && items->words[i] != NULL; i++)
		suggest_try(&near, pn_str_of(items->words[i]));
	/* Of a block all of them; those of the file are too many. */
	(void)suggest_or_list(
	    &near, block ? words : NULL, text, sizeof(text));
	return lex_error(e, &t->pos, "unknown setting \"%s\"%s%s%s",
	    VIS(t->text), block ? " in " : "", block ? block : "", text);
}

static const struct setting *
find(const struct setting *table, const struct lex_token *t)
{
	for (; table->name != NULL; table++)
		if (pn_str_eq(t->text, pn_str_of(table->name)))
			return table;
	return NULL;
}

int
setting_ended(struct lex_seen *seen, const struct lex_token *key, int done,
    struct error *e)
{
	const struct lex_token *end = &seen->before_first;
	const struct lex_pos *next = &seen->first.pos;
	struct lex_pos at = lex_end(end);
	bool bare = end->pos.line == key->pos.line &&
	    end->pos.column == key->pos.column;

	/* Behind an op a line may well go on. */
	if (seen->told || next->line <= key->pos.line ||
	    (end->kind != LEX_WORD && end->kind != LEX_STRING))
		return done;
	/* A list may have that very word as a member, further in. */
	if (done == 0 && (bare || next->column > key->pos.column))
		return 0;
	seen->told = true;
	return bare ? lex_error(e, &at, "\"%s\" needs a value here",
			  VIS(key->text))
		    : lex_missing(e, end, ";");
}

static void
keep_place(struct reader *r, struct settings_seen *seen, size_t i,
    const struct setting *s, const struct lex_pos *at)
{
	if (seen->at[i].line == 0) {
		seen->at[i] = *at;
		return;
	}
	if (s->flags & SETTING_CLOSED)
		return; /* each has an origin of its own */
	seen->again = setting_grow(
	    r, seen->again, seen->n_again, sizeof(*seen->again));
	seen->again[seen->n_again++] = (struct seen_again){ s, *at };
}

static int
read_one(struct reader *r, const struct setting *table, const struct setting *s,
    struct settings_seen *seen, void *into, struct error *e)
{
	const struct lex_pos *at = &seen->at[s - table];
	struct lex_token key;

	must(s - table < SETTINGS_MAX);
	if (lex_next(r->lex, &key, e) < 0)
		return -1;
	if (at->line != 0 && !(s->flags & SETTING_REPEATS))
		return lex_error(e, &key.pos,
		    "\"%s\" is written twice, first at %s:%u", s->name,
		    at->file, at->line);
	keep_place(r, seen, (size_t)(s - table), s, &key.pos);
	if (s->read(r, s, &key, (char *)into + s->offset, e) < 0)
		return -1;
	return s->flags & SETTING_CLOSED ? 0 : lex_expect(r->lex, ";", e);
}

static int
no_word(const struct lex_token *t, const char *block, struct error *e)
{
	if (t->kind == LEX_END)
		return lex_error(
		    e, &t->pos, "%s is not closed with \"}\"", block);
	return lex_error(e, &t->pos, "a setting begins with a word");
}

const char *
setting_folder(struct reader *r)
{
	const char *file = r->lex->file, *slash = strrchr(file, '/');

	if (slash == NULL)
		return ".";
	return setting_text(
	    r, (struct pn_str){
		   file, slash == file ? 1 : (size_t)(slash - file) });
}

static bool
begins_setting(const struct setting *table, const struct config_items *items,
    const struct lex_token *t)
{
	if (t->kind != LEX_WORD)
		return lex_is(t, "}");
	return find(table, t) != NULL ||
	    (items != NULL && items->is_item(t->text));
}

int
settings_read(struct reader *r, const struct setting *table,
    struct settings_seen *seen, const char *block, void *into, struct error *e)
{
	/* Items stand at the top level alone. */
	const struct config_items *items = block == NULL ? r->items : NULL;
	struct lex_token t;

	for (;;) {
		const struct setting *s;
		int done;

		if (lex_peek(r->lex, &t, e) < 0)
			return -1;
		if (t.kind == LEX_END && block == NULL)
			return 0;
		if (block != NULL && lex_is(&t, "}"))
			return lex_next(r->lex, &t, e);
		if (t.kind != LEX_WORD)
			return no_word(&t, block, e);
		if ((s = find(table, &t)) != NULL)
			done = read_one(r, table, s, seen, into, e);
		else if (items != NULL && items->is_item(t.text))
			done = items->parse(
			    items->arg, r->lex, setting_folder(r), e);
		else
			done = unknown(table, items, &t, block, e);
		if (begins_setting(table, items, &r->lex->seen.first))
			done = setting_ended(&r->lex->seen, &t, done, e);
		if (done < 0)
			return -1;
	}
}

/* Of one that repeats, the first of the values that are left. */
static struct pn_str
next_value(const struct setting *s, struct pn_str *rest)
{
	const char *end = rest->n > 0 && s->flags & SETTING_REPEATS
	    ? memchr(rest->p, '\n', rest->n)
	    : NULL;
	size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
	struct pn_str value = { rest->p, n };

	*rest = pn_str_sub(*rest, n + 1, rest->n);
	return value;
}

void
settings_print(const struct setting *table, const char *indent,
    const void *from, struct buf *b)
{
	for (const struct setting *s = table; s->name != NULL; s++) {
		struct buf values = { 0 };
		struct pn_str rest;

		if (s->print == NULL)
			continue;
		s->print((const char *)from + s->offset, &values);
		for (rest = buf_str(&values); rest.n > 0;) {
			struct pn_str value = next_value(s, &rest);

			(void)buf_printf(b, "%s%s %.*s;\n", indent, s->name,
			    PN_STR_ARG(value));
		}
		buf_fini(&values);
	}
}

/* Of the nth value of the ith of the table; NULL: it is the default. */
static const struct lex_pos *
place_of(const struct settings_seen *seen, const struct setting *table, size_t i,
    size_t nth)
{
	if (seen == NULL || seen->at[i].line == 0)
		return NULL;
	for (size_t k = 0; nth > 0 && k < seen->n_again; k++)
		if (seen->again[k].setting == &table[i] && --nth == 0)
			return &seen->again[k].at;
	return &seen->at[i];
}

void
settings_each(const struct setting *table, const struct settings_seen *seen,
    const char *block, const void *from, config_take *take, void *arg)
{
	for (const struct setting *s = table; s->name != NULL; s++) {
		struct buf values = { 0 };
		struct pn_str rest;
		size_t nth = 0;

		if (s->print == NULL)
			continue;
		s->print((const char *)from + s->offset, &values);
		rest = buf_str(&values);
		do
			take(arg,
			    &(struct config_line){ .block = block,
				.name = s->name,
				.value = next_value(s, &rest),
				.at = place_of(seen, table,
				    (size_t)(s - table), nth++) });
		while (rest.n > 0);
		buf_fini(&values);
	}
}

bool
settings_seen(const struct setting *table, const struct settings_seen *seen,
    const char *name)
{
	struct lex_token t = { .text = pn_str_of(name) };
	const struct setting *s = find(table, &t);

	must(s != NULL);
	return seen->at[s - table].line != 0;
}

/* ---- values of blocks and settings alike ---- */

int
setting_one_of(const struct lex_token *t, const char *const *words,
    const char *what, unsigned *place, struct error *e)
{
	struct suggest near = suggest_for(t->text);
	char text[256];

	for (*place = 0; words[*place] != NULL; (*place)++) {
		if (pn_str_eq(t->text, pn_str_of(words[*place])))
			return 0;
		suggest_try(&near, pn_str_of(words[*place]));
	}
	return lex_error(e, &t->pos, "unknown %s \"%s\"%s", what, VIS(t->text),
	    suggest_or_list(&near, words, text, sizeof(text)));
}

int
setting_choice(struct reader *r, const struct lex_token *key,
    const char *const *words, const char *what, unsigned *place,
    struct error *e)
{
	struct lex_token t;

	if (setting_value(r, key, &t, e) < 0)
		return -1;
	return setting_one_of(&t, words, what, place, e);
}

int
setting_net(const struct lex_token *t, struct site_net *net, struct error *e)
{
	const char *wrong = network_parse(t->text, net);

	return wrong ? lex_error(e, &t->pos, "\"%s\" %s", VIS(t->text), wrong)
		     : 0;
}

int
setting_nets(struct reader *r, const struct lex_token *key,
    const struct site_net **nets, size_t *n, struct error *e)
{
	struct lex_token t;

	do {
		struct site_net *all = setting_grow(r, *nets, *n, sizeof(*all));

		*nets = all;
		if (setting_value(r, key, &t, e) < 0 ||
		    setting_net(&t, &all[(*n)++], e) < 0 ||
		    lex_peek(r->lex, &t, e) < 0)
			return -1;
	} while (!lex_is(&t, ";"));
	return 0;
}

void
setting_print_nets(const struct site_net *nets, size_t n, struct buf *b)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < n; i++)
		(void)buf_printf(b, "%s%s", i > 0 ? " " : "",
		    network_text(&nets[i], text));
}
