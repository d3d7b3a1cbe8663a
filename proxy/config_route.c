/*
 * config_route - the route blocks of postern.conf: how they are read, joined to
 * their upstreams once all is read, and printed. Called by config.c and
 * config_listen.c.
 *
 *   route NAME { KEY UPSTREAM; ... map MAP; ... default UPSTREAM; }
 */
#include "proxy/config_route.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/suggest.h"
#include "mail/domain.h"
#include "proxy/config_blocks.h"

/* A line as read: its upstream may stand further down. */
struct route_line {
	struct lex_pos at;
	const char *key;
	struct lex_token upstream;
	const struct smtp_upstream *to;
};

struct route_block {
	struct lex_token name;
	struct route_line *lines;
	size_t n_lines;
	const char **maps;
	struct lex_pos *maps_at;
	size_t n_maps;
	struct lex_token otherwise; /* .text.p NULL: none */
	struct lex_pos otherwise_at;
};

/* ---- reading ---- */

/* "ada@example.com", "example.com", ".example.com", in A-labels. */
static int
read_key(struct reader *r, const struct lex_token *t, const char **key,
    struct error *e)
{
	struct pn_str s = t->text;
	const char *at = s.n > 0 ? memrchr(s.p, '@', s.n) : NULL;
	size_t front = at != NULL ? (size_t)(at + 1 - s.p)
	    : s.n > 0 && s.p[0] == '.'
	    ? 1
	    : 0;
	char domain[DOMAIN_MAX];

	if ((at != NULL && front < 2) || front == s.n ||
	    !domain_ascii(pn_str_sub(s, front, s.n), domain) ||
	    !domain_has_labels(domain) || strpbrk(domain, "@*/: ") != NULL)
		return lex_error(e, &t->pos,
		    "\"%s\" is no address, domain or .domain", VIS(s));
	*key = arena_printf(r->arena, "%.*s%s", (int)front, s.p, domain);
	must(*key != NULL);
	return 0;
}

static int
add_line(struct reader *r, struct route_block *b, const struct lex_token *t,
    struct error *e)
{
	struct route_line line = { .at = t->pos };

	if (read_key(r, t, &line.key, e) < 0 ||
	    setting_value(r, t, &line.upstream, e) < 0)
		return -1;
	for (size_t i = 0; i < b->n_lines; i++)
		if (strcasecmp(b->lines[i].key, line.key) == 0)
			return lex_error(e, &t->pos,
			    "\"%s\" stands there already", VIS(t->text));
	b->lines = setting_grow(r, b->lines, b->n_lines, sizeof(line));
	b->lines[b->n_lines++] = line;
	return 0;
}

static int
add_map(struct reader *r, struct route_block *b, const struct lex_token *t,
    struct error *e)
{
	struct lex_token map;

	if (setting_value(r, t, &map, e) < 0)
		return -1;
	b->maps = setting_grow(r, b->maps, b->n_maps, sizeof(*b->maps));
	b->maps_at =
	    setting_grow(r, b->maps_at, b->n_maps, sizeof(*b->maps_at));
	b->maps_at[b->n_maps] = t->pos;
	b->maps[b->n_maps++] = setting_text(r, map.text);
	return 0;
}

static int
read_line(struct reader *r, struct route_block *b, const struct lex_token *t,
    struct error *e)
{
	if (lex_is(t, "default")) {
		if (b->otherwise.text.p != NULL)
			return lex_error(e, &t->pos,
			    "\"default\" stands there already");
		b->otherwise_at = t->pos;
		return setting_value(r, t, &b->otherwise, e);
	}
	return lex_is(t, "map") ? add_map(r, b, t, e) : add_line(r, b, t, e);
}

static int
read_lines(struct reader *r, struct route_block *b, struct error *e)
{
	struct lex_token t;

	for (;;) {
		if (lex_peek(r->lex, &t, e) < 0)
			return -1;
		if (lex_is(&t, "}"))
			break;
		if (t.kind != LEX_WORD && t.kind != LEX_STRING)
			return lex_error(e, &t.pos,
			    "an address, a domain, \"map\" or \"default\" must "
			    "stand here");
		if (setting_value(r, &t, &t, e) < 0 ||
		    read_line(r, b, &t, e) < 0 || lex_expect(r->lex, ";", e) < 0)
			return -1;
	}
	(void)lex_next(r->lex, &t, e); /* looked at already */
	if (b->n_lines + b->n_maps == 0 && b->otherwise.text.p == NULL)
		return lex_error(e, &b->name.pos, "route \"%s\" leads nowhere",
		    VIS(b->name.text));
	return 0;
}

int
config_read_route(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_conf *c = at;
	struct route_block b = { 0 };
	struct route_origin *origins;
	struct smtp_route *all;

	(void)s;
	if (setting_value(r, key, &b.name, e) < 0)
		return -1;
	if (b.name.kind != LEX_WORD)
		return lex_error(e, &b.name.pos,
		    "a route's name is a word without quotes");
	for (size_t i = 0; i < c->n_routes; i++)
		if (pn_str_eq(b.name.text, pn_str_of(c->routes[i].name)))
			return lex_error(e, &b.name.pos,
			    "there is a route \"%s\" already",
			    VIS(b.name.text));
	if (lex_expect(r->lex, "{", e) < 0 || read_lines(r, &b, e) < 0)
		return -1;
	origins = setting_grow(
	    r, r->origins->routes, c->n_routes, sizeof(*origins));
	origins[c->n_routes] = (struct route_origin){ .at = key->pos };
	r->origins->routes = origins;
	r->route_blocks = setting_grow(
	    r, r->route_blocks, c->n_routes, sizeof(*r->route_blocks));
	r->route_blocks[c->n_routes] = b;
	all = setting_grow(r, c->routes, c->n_routes, sizeof(*all));
	all[c->n_routes++] =
	    (struct smtp_route){ .name = setting_text(r, b.name.text) };
	c->routes = all;
	return 0;
}

/* ---- joining ---- */

static int
find_upstream(const struct smtp_conf *c, const struct lex_token *name,
    const struct smtp_upstream **out, struct error *e)
{
	*out = config_find_upstream(c, name->text);
	if (*out != NULL && (*out)->dial_connect)
		return lex_error(e, &name->pos,
		    "upstream \"%s\" has \"dial connect\": a route knows its "
		    "next hop with the first recipient alone",
		    (*out)->name);
	return *out != NULL ? 0 : config_no_upstream(c, name, e);
}

static int
by_key(const void *a, const void *b)
{
	return strcasecmp(((const struct route_line *)a)->key,
	    ((const struct route_line *)b)->key);
}

/* Sorted lines, and where each of them stands. */
static void
keep_lines(struct reader *r, const struct route_block *b,
    struct smtp_route *out, struct route_origin *o)
{
	struct smtp_route_line *lines =
	    arena_alloc(r->arena, (b->n_lines + 1) * sizeof(*lines));
	struct lex_pos *at =
	    arena_alloc(r->arena, (b->n_lines + 1) * sizeof(*at));

	must(lines != NULL && at != NULL);
	for (size_t i = 0; i < b->n_lines; i++) {
		lines[i] = (struct smtp_route_line){ .key = b->lines[i].key,
			.upstream = b->lines[i].to };
		at[i] = b->lines[i].at;
	}
	out->lines = lines;
	out->n_lines = b->n_lines;
	o->lines = at;
}

static int
resolve(struct reader *r, struct route_block *b, struct smtp_route *out,
    struct route_origin *o, struct error *e)
{
	const struct smtp_conf *c = &r->conf->smtp;

	for (size_t i = 0; i < b->n_lines; i++)
		if (find_upstream(c, &b->lines[i].upstream, &b->lines[i].to,
			e) < 0)
			return -1;
	if (b->otherwise.text.p != NULL &&
	    find_upstream(c, &b->otherwise, &out->otherwise, e) < 0)
		return -1;
	if (b->n_lines > 0)
		qsort(b->lines, b->n_lines, sizeof(*b->lines), by_key);
	keep_lines(r, b, out, o);
	out->maps = b->maps;
	out->n_maps = b->n_maps;
	o->maps = b->maps_at;
	o->otherwise = b->otherwise_at;
	return 0;
}

int
config_resolve_routes(struct reader *r, struct error *e)
{
	const struct smtp_conf *c = &r->conf->smtp;
	struct smtp_route *all = (struct smtp_route *)c->routes;

	for (size_t i = 0; i < c->n_routes; i++)
		if (resolve(r, &r->route_blocks[i], &all[i],
			&r->origins->routes[i], e) < 0)
			return -1;
	return 0;
}

const struct smtp_route *
config_find_route(const struct smtp_conf *c, const struct lex_token *name,
    struct error *e)
{
	struct suggest near = suggest_for(name->text);
	char text[96];

	for (size_t i = 0; i < c->n_routes; i++) {
		if (pn_str_eq(name->text, pn_str_of(c->routes[i].name)))
			return &c->routes[i];
		suggest_try(&near, pn_str_of(c->routes[i].name));
	}
	(void)lex_error(e, &name->pos, "there is no route \"%s\"%s",
	    VIS(name->text), suggest_text(&near, text, sizeof(text)));
	return NULL;
}

/* ---- printing ---- */

/* name value pairs of a route, in the order in which they are looked at. */
typedef void take_line(
    void *arg, const char *name, const char *value, const struct lex_pos *);

/* No o: no places. */
static void
each_line(const struct smtp_route *route, const struct route_origin *o,
    take_line *take, void *arg)
{
	for (size_t i = 0; i < route->n_lines; i++)
		take(arg, route->lines[i].key, route->lines[i].upstream->name,
		    o ? &o->lines[i] : NULL);
	for (size_t i = 0; i < route->n_maps; i++)
		take(arg, "map", route->maps[i], o ? &o->maps[i] : NULL);
	if (route->otherwise != NULL)
		take(arg, "default", route->otherwise->name,
		    o ? &o->otherwise : NULL);
}

static void
print_line(
    void *arg, const char *name, const char *value, const struct lex_pos *at)
{
	struct buf *b = arg;

	(void)at;
	(void)buf_puts(b, "    ");
	setting_print_word(&name, b);
	(void)buf_puts(b, " ");
	setting_print_word(&value, b);
	(void)buf_puts(b, ";\n");
}

void
config_routes_print(const struct smtp_conf *c, struct buf *b)
{
	for (size_t i = 0; i < c->n_routes; i++) {
		(void)buf_printf(b, "route %s {\n", c->routes[i].name);
		each_line(&c->routes[i], NULL, print_line, b);
		(void)buf_puts(b, "}\n");
	}
}

struct telling {
	const char *block;
	config_take *take;
	void *arg;
};

static void
tell_line(
    void *arg, const char *name, const char *value, const struct lex_pos *at)
{
	const struct telling *t = arg;

	t->take(t->arg,
	    &(struct config_line){ .block = t->block,
		.name = name,
		.value = pn_str_of(value),
		.at = at });
}

void
config_routes_each(const struct smtp_conf *c, const struct config_origins *o,
    config_take *take, void *arg)
{
	for (size_t i = 0; i < c->n_routes; i++) {
		const struct route_origin *origin = &o->routes[i];
		struct buf block = { 0 };
		struct telling t = { .take = take, .arg = arg };

		(void)buf_printf(
		    &block, "route %s%c", c->routes[i].name, '\0');
		t.block = buf_data(&block);
		take(arg,
		    &(struct config_line){
			.block = t.block, .at = &origin->at });
		each_line(&c->routes[i], origin, tell_line, &t);
		buf_fini(&block);
	}
}
