/*
 * config_milter - the `milter NAME { ... }` blocks of postern.conf: milters of
 * other people, asked for what comes through the proxy, in the file's order.
 * Called by config.c; policy.c makes modules of the chain of them.
 */
#include "proxy/config_milter.h"

#include "base/must.h"
#include "base/suggest.h"
#include "mail/option.h"
#include "proxy/config_blocks.h"

#define IN_PEER(member) offsetof(struct milter_peer, member)

static const char *const unavailable_words[] = {
	[CHAIN_UNKNOWN] = "unknown",
	[CHAIN_TEMPFAIL] = "tempfail",
	[CHAIN_ACCEPT] = "accept",
	NULL
};
static const char *const obey_words[] = { [MILTER_OBEY_YES] = "yes",
	[MILTER_OBEY_NO] = "no",
	[MILTER_OBEY_EDITS] = "edits",
	NULL };
static const char *const list_words[] = {
	[MILTER_LIST_CONNECT] = "connect",
	[MILTER_LIST_HELO] = "helo",
	[MILTER_LIST_MAIL] = "mail",
	[MILTER_LIST_RCPT] = "rcpt",
	[MILTER_LIST_DATA] = "data",
	[MILTER_LIST_END_OF_BODY] = "end-of-message",
	[MILTER_LIST_END_OF_HEADER] = "end-of-header",
	NULL
};

/* ---- where it is ---- */

static int
set_server(struct reader *r, const struct lex_token *key,
    const struct lex_token *t, struct pn_str text, struct milter_peer *p,
    struct error *e)
{
	static const struct pn_option option = { .type = PN_OPT_SERVICE };
	struct error why;

	if (p->server != NULL)
		return lex_error(e, &key->pos,
		    "the milter has a server already: %s", p->server->text);
	if (option_give(&option, &text, 1, &p->server, r->arena, &why) < 0)
		return lex_error(e, &t->pos, "\"%s\" %s", VIS(t->text),
		    why.text);
	return 0;
}

/* "8891@127.0.0.1", as libmilter and Postfix's own listeners write it. */
static struct pn_str
host_first(struct reader *r, struct pn_str s)
{
	const char *at = s.n ? memchr(s.p, '@', s.n) : NULL;
	const char *inet = "inet:";
	char *text;

	if (at == NULL || !pn_str_starts(s, pn_str_of(inet)))
		return s;
	s = pn_str_sub(s, strlen(inet), s.n);
	text = arena_printf(r->arena, "inet:%.*s:%.*s",
	    (int)(s.p + s.n - at - 1), at + 1, (int)(at - s.p), s.p);
	must(text != NULL);
	return pn_str_of(text);
}

static int
read_server(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	return set_server(r, key, &t, host_first(r, t.text), at, e);
}

/* unix /PATH; inet HOST:PORT; */
static int
read_short(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;
	char *text;

	if (setting_value(r, key, &t, e) < 0)
		return -1;
	text = arena_printf(r->arena, "%s:%.*s", s->name, PN_STR_ARG(t.text));
	must(text != NULL);
	return set_server(r, key, &t, host_first(r, pn_str_of(text)), at, e);
}

static void
print_server(const void *at, struct buf *b)
{
	setting_print_word(&((const struct milter_peer *)at)->server->text, b);
}

/* ---- the rest of a block ---- */

static int
read_on(struct reader *r, const struct setting *s, const struct lex_token *key,
    void *at, struct error *e)
{
	(void)s;
	if (lex_expect(r->lex, "unavailable", e) < 0)
		return -1;
	return setting_choice(r, key, unavailable_words,
	    "word after \"on unavailable\"", at, e);
}

static void
print_on(const void *at, struct buf *b)
{
	(void)buf_printf(b, "unavailable %s",
	    unavailable_words[*(const unsigned *)at]);
}

static int
read_obey(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	return setting_choice(r, key, obey_words, "word after \"obey\"", at, e);
}

static void
print_obey(const void *at, struct buf *b)
{
	(void)buf_puts(b, obey_words[*(const unsigned *)at]);
}

static int
unknown_macro(const struct lex_token *t, struct error *e)
{
	struct suggest near = suggest_for(t->text);
	char text[96];

	for (size_t i = 0; milter_macros_nth(i).n > 0; i++)
		suggest_try(&near, milter_macros_nth(i));
	return lex_error(e, &t->pos, "there is no macro \"%s\" that could be "
	    "told%s", VIS(t->text), suggest_text(&near, text, sizeof(text)));
}

/* macros STAGE NAME ...; braces are the milter protocol's, not ours to write:
 * the lexer has another use for them. */
static int
read_macros(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct milter_peer *p = at;
	const char **names = NULL;
	struct lex_token t;
	unsigned list;
	size_t n = 0;

	(void)s;
	if (setting_value(r, key, &t, e) < 0 ||
	    setting_one_of(&t, list_words, "stage of macros", &list, e) < 0)
		return -1;
	if (p->macros[list] != NULL)
		return lex_error(e, &t.pos, "macros of %s are written twice",
		    list_words[list]);
	for (;;) {
		names = setting_grow(r, names, n, sizeof(*names));
		if (lex_peek(r->lex, &t, e) < 0)
			return -1;
		if (lex_is(&t, ";"))
			break;
		if (lex_is(&t, "{"))
			return lex_error(e, &t.pos,
			    "names of macros are written without braces");
		if (setting_value(r, key, &t, e) < 0)
			return -1;
		if (!milter_macros_known(t.text))
			return unknown_macro(&t, e);
		if (n == MILTER_MACROS_MAX)
			return lex_error(e, &t.pos, "more than %d macros",
			    MILTER_MACROS_MAX);
		names[n] = arena_printf(r->arena,
		    t.text.n > 1 ? "{%.*s}" : "%.*s", PN_STR_ARG(t.text));
		must(names[n++] != NULL);
	}
	names[n] = NULL;
	p->macros[list] = names;
	return 0;
}

/* A condition that nobody compiles: up to its ";". */
static int
skip_condition(struct lex *l, struct error *e)
{
	struct lex_token t;

	for (;;) {
		if (lex_peek(l, &t, e) < 0)
			return -1;
		if (lex_is(&t, ";"))
			return 0;
		if (t.kind == LEX_END)
			return lex_error(e, &t.pos, "\";\" is missing");
		if (lex_next(l, &t, e) < 0)
			return -1;
		if ((lex_is(&t, "~") || lex_is(&t, "!~")) &&
		    lex_regex(l, &t, e) < 0)
			return -1;
	}
}

static int
read_when(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct milter_peer *p = at;
	const struct config_items *items = r->items;
	size_t start = r->lex->at;
	struct lex_token t;
	int done;

	(void)s;
	(void)key;
	if (items != NULL && items->condition != NULL) {
		p->has_condition = true;
		done = items->condition(items->arg, r->lex, &p->condition, e);
	} else {
		done = skip_condition(r->lex, e);
	}
	if (done < 0 || lex_peek(r->lex, &t, e) < 0)
		return -1;
	/* As it stands there, comments and all. */
	p->when = setting_text(r, pn_str_trim(pn_str_sub(r->lex->text, start,
	    (size_t)(t.text.p - r->lex->text.p) - start)));
	return 0;
}

static void
print_when(const void *at, struct buf *b)
{
	const struct milter_peer *p = at;

	if (p->when != NULL)
		(void)buf_puts(b, p->when);
}

enum { SERVER, SHORT_UNIX, SHORT_INET };

static const struct setting peer_table[] = {
	[SERVER] = { "server", read_server, print_server, 0, NULL, NULL, NULL,
	    0 },
	[SHORT_UNIX] = { "unix", read_short, NULL, 0, NULL, NULL, NULL, 0 },
	[SHORT_INET] = { "inet", read_short, NULL, 0, NULL, NULL, NULL, 0 },
	{ "when", read_when, print_when, 0, NULL, NULL, NULL, 0 },
	/* Postfix's milter_*_timeout */
	{ "connect_timeout", setting_read_duration, setting_print_duration,
	    IN_PEER(connect_timeout_ms), "30s", "10ms", "5m", 0 },
	{ "command_timeout", setting_read_duration, setting_print_duration,
	    IN_PEER(command_timeout_ms), "30s", "10ms", "5m", 0 },
	{ "content_timeout", setting_read_duration, setting_print_duration,
	    IN_PEER(content_timeout_ms), "5m", "10ms", "9m", 0 },
	{ "on", read_on, print_on, IN_PEER(on_unavailable),
	    "unavailable tempfail", NULL, NULL, 0 },
	{ "obey", read_obey, print_obey, IN_PEER(obey), "yes", NULL, NULL, 0 },
	{ "protocol", setting_read_count, setting_print_count,
	    IN_PEER(protocol), "6", "2", "6", 0 },
	{ "reuse", setting_read_yesno, setting_print_yesno, IN_PEER(reuse),
	    "no", NULL, NULL, 0 },
	{ "macros", read_macros, NULL, 0, NULL, NULL, NULL, SETTING_REPEATS },
	{ .name = NULL },
};

/* It is part of facts' names. */
static int
check_name(const struct engine_conf *c, const struct lex_token *name,
    struct error *e)
{
	if (name->kind != LEX_WORD || !chain_is_name(name->text) ||
	    memchr(name->text.p, '.', name->text.n) != NULL)
		return lex_error(e, &name->pos, "\"%s\" cannot name a milter: "
		    "its name is of lower-case letters, digits, \"-\" and "
		    "\"_\" and begins with a letter", VIS(name->text));
	for (size_t i = 0; i < c->n_milters; i++)
		if (pn_str_eq(name->text, pn_str_of(c->milters[i].name)))
			return lex_error(e, &name->pos,
			    "there is a milter \"%s\" already",
			    c->milters[i].name);
	return 0;
}

int
config_read_milter(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct engine_conf *c = at;
	struct block_origin o = { .at = key->pos };
	struct milter_peer p = { 0 }, *all;
	struct lex_token name;

	(void)s;
	if (setting_value(r, key, &name, e) < 0 ||
	    check_name(c, &name, e) < 0)
		return -1;
	p.name = setting_text(r, name.text);
	settings_preset(r, peer_table, &p);
	if (lex_expect(r->lex, "{", e) < 0 ||
	    settings_read(r, peer_table, &o.seen, "a milter block", &p, e) < 0)
		return -1;
	if (p.server == NULL)
		return lex_error(e, &name.pos, "milter \"%s\" has no server "
		    "line (server unix:/PATH or server inet:HOST:PORT)",
		    p.name);
	/* Shown as a server line, wherever and however it stands. */
	for (size_t i = SHORT_UNIX; i <= SHORT_INET; i++)
		if (o.seen.at[i].line != 0)
			o.seen.at[SERVER] = o.seen.at[i];
	config_keep_origin(r, &r->origins->peers, c->n_milters, &o);
	all = setting_grow(r, c->milters, c->n_milters, sizeof(*all));
	all[c->n_milters++] = p;
	c->milters = all;
	return 0;
}

/* ---- printing ---- */

/* "connect j client_addr" */
static void
print_list(const struct milter_peer *p, int list, struct buf *b)
{
	(void)buf_puts(b, list_words[list]);
	for (const char *const *name = p->macros[list]; *name != NULL; name++) {
		size_t n = strlen(*name);

		(void)buf_printf(b, " %.*s", (int)(n > 1 ? n - 2 : n),
		    *name + (n > 1));
	}
}

void
config_milters_print(const struct engine_conf *c, struct buf *b)
{
	for (size_t i = 0; i < c->n_milters; i++) {
		const struct milter_peer *p = &c->milters[i];

		(void)buf_printf(b, "milter %s {\n", p->name);
		settings_print(peer_table, "    ", p, b);
		for (int list = 0; list < MILTER_LISTS; list++) {
			if (p->macros[list] == NULL)
				continue;
			(void)buf_puts(b, "    macros ");
			print_list(p, list, b);
			(void)buf_puts(b, ";\n");
		}
		(void)buf_puts(b, "}\n");
	}
}

static void
take_list(const struct milter_peer *p, int list, const struct lex_pos *at,
    config_take *take, void *arg)
{
	struct buf block = { 0 }, value = { 0 };

	if (p->macros[list] == NULL)
		return;
	(void)buf_printf(&block, "milter %s%c", p->name, '\0'); /* no cap */
	print_list(p, list, &value);
	take(arg, &(struct config_line){ buf_data(&block), "macros",
	    buf_str(&value), at });
	buf_fini(&block);
	buf_fini(&value);
}

void
config_milters_each(const struct engine_conf *c,
    const struct config_origins *o, config_take *take, void *arg)
{
	for (size_t i = 0; i < c->n_milters; i++) {
		const struct milter_peer *p = &c->milters[i];

		config_block_each(peer_table, "milter", p->name, &o->peers[i],
		    p, take, arg);
		for (int list = 0; list < MILTER_LISTS; list++)
			take_list(p, list, &o->peers[i].at, take, arg);
	}
}

/* ---- the chain ---- */

const struct chain_module *
config_milters_modules(const struct engine_conf *c, struct arena *a)
{
	struct chain_module *all =
	    arena_alloc(a, (c->n_milters + 1) * sizeof(*all));

	must(all != NULL); /* the policy's arena is large, here and below */
	for (size_t i = 0; i < c->n_milters; i++) {
		const struct milter_peer *p = &c->milters[i];

		all[i].filter = milter_filter(p->name, a);
		must(all[i].filter != NULL);
		all[i].by_engine = true;
		all[i].on_unavailable =
		    (enum chain_unavailable)p->on_unavailable;
	}
	return all;
}

void
config_milters_find(struct engine_conf *c, const struct chain *chain)
{
	struct milter_peer *all = (struct milter_peer *)c->milters;
	size_t i = 0;

	for (uint32_t m = 0; m < chain->n_modules; m++)
		if (chain->modules[m].by_engine)
			all[i++].module = m;
	must(i == c->n_milters);
}
