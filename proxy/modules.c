/*
 * modules - see modules.h. A file is loaded when its block begins: its options
 * say what may stand in the block.
 */
#include "proxy/modules.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/must.h"
#include "base/suggest.h"
#include "mail/option.h"
#include "proxy/setting.h"

#define TIMEOUT_MAX_MS 300000
#define WORDS_MAX 256  /* of one line */

/* A block that is being read. */
struct block {
	struct reader *reader;
	struct module_conf *module;
	struct lex_token name;
	bool loads; /* else any words will do */
	struct lex_token words[WORDS_MAX]; /* of the line at hand */
	size_t n;
};

static const char *const unavailable_words[] = {
	[CHAIN_UNKNOWN] = "unknown",
	[CHAIN_TEMPFAIL] = "tempfail",
	[CHAIN_ACCEPT] = "accept",
	NULL
};

/* ---- the file ---- */

static void
remember(struct module_file *f, const struct stat *st)
{
	f->dev = st->st_dev;
	f->ino = st->st_ino;
	f->size = st->st_size;
	f->mtime = st->st_mtim;
}

/* Its code runs as we do: nobody else may write it. */
static int
check_file(const char *path, const struct stat *st, struct error *e)
{
	if (!S_ISREG(st->st_mode))
		return error_set(e, "%s is no file", path);
	if ((st->st_mode & S_IWOTH) != 0 ||
	    (st->st_uid != 0 && st->st_uid != geteuid()))
		return error_set(e, "%s can be changed by others: its owner "
		    "must be root or who runs posternd, its mode without o+w",
		    path);
	return 0;
}

static int
open_file(struct module_file *f, const char *name,
    const struct pn_filter **filter, struct error *e)
{
	struct stat st;

	if (stat(f->path, &st) < 0)
		return error_set(e, "%s: %s", f->path, strerror(errno));
	if (check_file(f->path, &st, e) < 0)
		return -1;
	f->handle = dlopen(f->path, RTLD_NOW | RTLD_LOCAL);
	if (f->handle == NULL)
		return error_set(e, "%s", dlerror());
	remember(f, &st);
	*filter = dlsym(f->handle, "pn_filter");
	if (*filter == NULL)
		return error_set(e, "%s defines no pn_filter: it is no filter "
		    "module", f->path);
	return chain_check_abi(*filter, name, e);
}

static const char *
path_of(struct reader *r, struct pn_str name, struct pn_str written)
{
	const char *path, *folder = setting_folder(r);

	if (written.n == 0)
		path = arena_printf(r->arena, PKGLIBDIR "/%.*s.so",
		    PN_STR_ARG(name));
	else if (written.p[0] == '/')
		path = setting_text(r, written);
	else /* dlopen() would look elsewhere for a name without a slash */
		path = arena_printf(r->arena, "%s/%.*s", folder,
		    PN_STR_ARG(written));
	must(path != NULL);
	return path;
}

/* *e is a position's error already. */
static int
load(struct block *b, const struct lex_token *file, struct error *e)
{
	struct module_conf *m = b->module;
	const struct pn_filter **filter = &m->chain.filter;
	struct error why;

	m->file.path = path_of(b->reader, b->name.text,
	    file ? file->text : PN_STR_V(""));
	if (open_file(&m->file, m->name, filter, &why) < 0)
		return lex_error(e, file ? &file->pos : &b->name.pos, "%s",
		    why.text);
	if ((*filter)->name == NULL ||
	    !pn_str_eq(b->name.text, pn_str_of((*filter)->name)))
		return lex_error(e, &b->name.pos, "%s is module \"%s\", not "
		    "\"%s\"", m->file.path,
		    (*filter)->name ? (*filter)->name : "",
		    VIS(b->name.text));
	return 0;
}

/* ---- lines of the block ---- */

/* Where the row-th line of that name stands. */
static const struct lex_pos *
written_at(const struct block *b, const char *name, size_t row)
{
	for (size_t i = 0; i < b->module->n_lines; i++)
		if (strcmp(b->module->lines[i].name, name) == 0 && row-- == 0)
			return &b->module->lines[i].at;
	return NULL;
}

/* What stands up to the ";", which is left. */
static int
read_words(struct block *b, const struct lex_token *key, struct error *e)
{
	struct lex_token t;

	b->n = 0;
	do {
		if (b->n == WORDS_MAX)
			return lex_error(e, &key->pos, "\"%s\" has more than %d "
			    "words", VIS(key->text), WORDS_MAX);
		if (setting_value(b->reader, key, &b->words[b->n++], e) < 0 ||
		    lex_peek(b->reader->lex, &t, e) < 0)
			return -1;
	} while (t.kind == LEX_WORD || t.kind == LEX_STRING);
	return 0;
}

static void
add_line(struct block *b, const struct lex_token *key)
{
	struct module_conf *m = b->module;
	struct buf value = { 0 };

	for (size_t i = 0; i < b->n; i++) {
		const char *word = setting_text(b->reader, b->words[i].text);

		(void)buf_puts(&value, i > 0 ? " " : ""); /* no cap */
		setting_print_word(&word, &value);
	}
	m->lines = setting_grow(b->reader, m->lines, m->n_lines,
	    sizeof(*m->lines));
	m->lines[m->n_lines++] = (struct module_line){
		setting_text(b->reader, key->text),
		pn_str_of(setting_text(b->reader, buf_str(&value))),
		b->words[0].pos
	};
	buf_fini(&value);
}

static int
one_word(const struct block *b, const struct lex_token *key, struct error *e)
{
	return b->n == 1 ? 0 : lex_error(e, &b->words[1].pos,
	    "\"%s\" takes one value", VIS(key->text));
}

static int
take_timeout(struct block *b, const struct lex_token *key, struct error *e)
{
	const struct lex_token *t = &b->words[0];
	unsigned long long ms;

	if (one_word(b, key, e) < 0)
		return -1;
	if (lex_duration(t->text, &ms) < 0)
		return lex_error(e, &t->pos, "\"%s\" is not %s", VIS(t->text),
		    option_shape(PN_OPT_DURATION));
	if (ms < 1 || ms > TIMEOUT_MAX_MS)
		return lex_error(e, &t->pos,
		    "\"timeout\" must be from 1ms to 5m");
	b->module->chain.timeout_ms = ms;
	return 0;
}

static int
take_unavailable(struct block *b, struct error *e)
{
	unsigned place;

	if (!lex_is(&b->words[0], "unavailable"))
		return lex_error(e, &b->words[0].pos, "\"on\" is followed by "
		    "\"unavailable\", not \"%s\"", VIS(b->words[0].text));
	if (b->n != 2)
		return lex_error(e, &b->words[0].pos, "\"on unavailable\" is "
		    "followed by one of unknown, tempfail, accept");
	if (setting_one_of(&b->words[1], unavailable_words,
		"word after \"on unavailable\"", &place, e) < 0)
		return -1;
	b->module->chain.on_unavailable = (enum chain_unavailable)place;
	return 0;
}

static const struct pn_option *
find_option(const struct pn_filter *f, struct pn_str name)
{
	for (const struct pn_option *o = f->options; o && o->name; o++)
		if (pn_str_eq(name, pn_str_of(o->name)))
			return o;
	return NULL;
}

static int
unknown_option(const struct block *b, const struct lex_token *t,
    struct error *e)
{
	const struct pn_filter *f = b->module->chain.filter;
	struct suggest near = suggest_for(t->text);
	char text[96];

	suggest_try(&near, PN_STR_V("timeout"));
	suggest_try(&near, PN_STR_V("on"));
	for (const struct pn_option *o = f->options; o && o->name; o++)
		suggest_try(&near, pn_str_of(o->name));
	return lex_error(e, &t->pos, "module %s has no option \"%s\"%s",
	    f->name, VIS(t->text), suggest_text(&near, text, sizeof(text)));
}

static int
take_option(struct block *b, const struct lex_token *key,
    const struct pn_option *o, struct error *e)
{
	struct pn_str texts[WORDS_MAX];
	struct error why;

	if (o->type != PN_OPT_LIST && o->type != PN_OPT_TABLE &&
	    one_word(b, key, e) < 0)
		return -1;
	for (size_t i = 0; i < b->n; i++)
		texts[i] = b->words[i].text;
	if (option_give(o, texts, b->n, b->module->chain.settings,
		b->reader->arena, &why) < 0)
		return lex_error(e, &b->words[0].pos, "\"%s\" %s",
		    VIS(b->words[0].text), why.text);
	return 0;
}

static int
take_line(struct block *b, const struct lex_token *key, struct error *e)
{
	const struct pn_filter *f = b->module->chain.filter;
	const struct pn_option *o = find_option(f, key->text);
	const struct lex_pos *first;

	if (o == NULL && !lex_is(key, "timeout") && !lex_is(key, "on"))
		return unknown_option(b, key, e);
	first = written_at(b, setting_text(b->reader, key->text), 0);
	if (first != NULL && (o == NULL || o->type != PN_OPT_TABLE))
		return lex_error(e, &key->pos, "\"%s\" is written twice, first "
		    "at %s:%u", VIS(key->text), first->file, first->line);
	if (read_words(b, key, e) < 0)
		return -1;
	if (lex_is(key, "timeout"))
		return take_timeout(b, key, e);
	return o == NULL ? take_unavailable(b, e) : take_option(b, key, o, e);
}

static bool
is_line(const struct block *b, const struct lex_token *t)
{
	return lex_is(t, "timeout") || lex_is(t, "on") ||
	    find_option(b->module->chain.filter, t->text) != NULL;
}

static int
read_line(struct block *b, const struct lex_token *key, struct error *e)
{
	struct lex_seen *seen = &b->reader->lex->seen;
	int done = b->loads ? take_line(b, key, e) : read_words(b, key, e);

	if (b->loads && is_line(b, &seen->first))
		done = setting_ended(seen, key, done, e);
	if (done < 0)
		return -1;
	add_line(b, key);
	return lex_expect(b->reader->lex, ";", e);
}

static int
read_lines(struct block *b, struct error *e)
{
	struct lex_token t;

	for (;;) {
		if (lex_next(b->reader->lex, &t, e) < 0)
			return -1;
		if (lex_is(&t, "}"))
			return 0;
		if (t.kind == LEX_END)
			return lex_error(e, &t.pos,
			    "a module block is not closed with \"}\"");
		if (t.kind != LEX_WORD)
			return lex_error(e, &t.pos,
			    "an option begins with a word");
		if (read_line(b, &t, e) < 0)
			return -1;
	}
}

/* ---- settings ---- */

static int
begin_settings(struct block *b, struct error *e)
{
	struct chain_module *c = &b->module->chain;
	struct error why;

	for (const struct pn_option *o = c->filter->options; o && o->name; o++)
		if (strcmp(o->name, "timeout") == 0 ||
		    strcmp(o->name, "on") == 0)
			return lex_error(e, &b->name.pos, "module %s: its "
			    "option \"%s\" cannot be", c->filter->name, o->name);
	c->timeout_ms = CHAIN_TIMEOUT_MS;
	c->settings = arena_alloc(b->reader->arena, c->filter->settings_size);
	must(c->settings != NULL); /* some bytes of a large arena */
	if (options_preset(c->filter, c->settings, b->reader->arena, &why) < 0)
		return lex_error(e, &b->name.pos, "%s", why.text);
	return 0;
}

static int
end_settings(struct block *b, struct error *e)
{
	struct chain_module *c = &b->module->chain;
	const struct lex_pos *at;
	const struct pn_option *o;
	struct setup_fault fault;
	struct error why;

	for (o = c->filter->options; o && o->name; o++)
		if (o->preset == NULL && written_at(b, o->name, 0) == NULL)
			return lex_error(e, &b->name.pos, "module %s needs a "
			    "line \"%s\": %s", c->filter->name, o->name,
			    o->help ? o->help : option_shape(o->type));
	if (options_setup(c->filter, c->settings, b->reader->arena, &c->keys,
		&fault, &why) == 0)
		return 0;
	at = written_at(b, fault.option, fault.row);
	return lex_error(e, at ? at : &b->name.pos, "module %s: %s",
	    c->filter->name, why.text);
}

/* ---- the item ---- */

static struct module_conf *
add(struct reader *r, const struct lex_token *name)
{
	struct module_list *l = &r->conf->modules;

	l->all = setting_grow(r, l->all, l->n, sizeof(*l->all));
	l->all[l->n] = (struct module_conf){
		.name = setting_text(r, name->text), .at = name->pos
	};
	return &l->all[l->n++];
}

static const struct pn_filter *
find_builtin(const struct reader *r, struct pn_str name)
{
	const struct config_items *i = r->items;

	for (size_t n = 0; i != NULL && n < i->n_builtin; n++)
		if (pn_str_eq(name, pn_str_of(i->builtin[n]->name)))
			return i->builtin[n];
	return NULL;
}

/* The name is checked: it becomes part of a path. */
static int
check_name(const struct block *b, struct error *e)
{
	const struct module_list *l = &b->reader->conf->modules;

	if (b->name.kind != LEX_WORD || !chain_is_name(b->name.text))
		return lex_error(e, &b->name.pos,
		    "\"%s\" cannot name a module", VIS(b->name.text));
	for (size_t i = 0; i < l->n; i++)
		if (pn_str_eq(b->name.text, pn_str_of(l->all[i].name)))
			return lex_error(e, &b->name.pos, "there is a block of "
			    "module \"%s\" already, at %s:%u",
			    l->all[i].name, l->all[i].at.file,
			    l->all[i].at.line);
	return 0;
}

/* [FILE] */
static int
read_file(struct block *b, struct lex_token *file, struct error *e)
{
	file->kind = LEX_END;
	if (lex_peek(b->reader->lex, file, e) < 0)
		return -1;
	if (file->kind != LEX_WORD && file->kind != LEX_STRING) {
		file->kind = LEX_END;
		return 0;
	}
	if (setting_value(b->reader, &b->name, file, e) < 0)
		return -1;
	b->module->written = setting_text(b->reader, file->text);
	return 0;
}

static int
read_head(struct block *b, struct error *e)
{
	const struct pn_filter *builtin = find_builtin(b->reader, b->name.text);
	struct lex_token file;

	if (check_name(b, e) < 0)
		return -1;
	b->module = add(b->reader, &b->name);
	if (read_file(b, &file, e) < 0)
		return -1;
	if (!b->loads)
		return 0;
	if (builtin != NULL && file.kind != LEX_END)
		return lex_error(e, &file.pos,
		    "module %s is built in and has no file", builtin->name);
	b->module->chain.filter = builtin;
	if (builtin == NULL && load(b, file.kind != LEX_END ? &file : NULL,
	    e) < 0)
		return -1;
	return begin_settings(b, e);
}

static int
read_block(struct block *b, struct error *e)
{
	struct lex *l = b->reader->lex;
	int lines = lex_accept(l, "{", e);

	if (lines < 0 || (lines ? read_lines(b, e) : lex_expect(l, ";", e)) < 0)
		return -1;
	return b->loads ? end_settings(b, e) : 0;
}

int
config_read_module(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct block b = { .reader = r,
		.loads = r->items != NULL && r->items->load_modules };

	(void)s;
	(void)at;
	if (setting_value(r, key, &b.name, e) < 0 || read_head(&b, e) < 0)
		return -1;
	return read_block(&b, e);
}

/* ---- printing ---- */

static void
each_line(const struct module_conf *m, const char *block, config_take *take,
    void *arg)
{
	bool timeout = false, on = false;

	for (size_t i = 0; i < m->n_lines; i++) {
		const struct module_line *l = &m->lines[i];

		timeout = timeout || strcmp(l->name, "timeout") == 0;
		on = on || strcmp(l->name, "on") == 0;
		take(arg, &(struct config_line){ block, l->name, l->value,
		    &l->at });
	}
	if (!timeout)
		take(arg, &(struct config_line){ block, "timeout",
		    PN_STR_V("10s"), NULL });
	if (!on)
		take(arg, &(struct config_line){ block, "on",
		    PN_STR_V("unavailable unknown"), NULL });
}

void
modules_each(const struct module_list *l, config_take *take, void *arg)
{
	struct buf block = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		const struct module_conf *m = &l->all[i];

		buf_clear(&block);
		(void)buf_printf(&block, "module %s", m->name); /* no cap */
		if (m->written != NULL) {
			(void)buf_puts(&block, " ");
			setting_print_word(&m->written, &block);
		}
		(void)buf_add(&block, "", 1);
		take(arg, &(struct config_line){ .block = buf_data(&block),
		    .at = &m->at });
		each_line(m, buf_data(&block), take, arg);
	}
	buf_fini(&block);
}

static void
print_line(void *arg, const struct config_line *l)
{
	struct buf *b = arg;

	if (l->name == NULL)
		(void)buf_printf(b, "%s {\n", l->block);
	else
		(void)buf_printf(b, "    %s %.*s;\n", l->name,
		    PN_STR_ARG(l->value));
}

void
modules_print(const struct module_list *l, struct buf *b)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct module_list one = { &l->all[i], 1 };

		modules_each(&one, print_line, b);
		(void)buf_puts(b, "}\n");
	}
}

/* ---- the chain ---- */

static const struct module_conf *
block_of(const struct module_list *l, const struct pn_filter *f)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->all[i].chain.filter == f)
			return &l->all[i];
	return NULL;
}

int
modules_chain(struct chain *c, const struct module_list *l,
    const struct pn_filter *const *builtin, size_t n_builtin,
    const struct chain_module *more, size_t n_more, struct arena *a,
    struct error *e)
{
	struct chain_module *all =
	    arena_alloc(a, (n_builtin + l->n + n_more) * sizeof(*all));
	size_t n = 0;

	must(all != NULL);
	for (size_t i = 0; i < n_builtin; i++) {
		const struct module_conf *m = block_of(l, builtin[i]);

		if (m != NULL)
			all[n] = m->chain;
		else
			all[n].filter = builtin[i];
		all[n++].builtin = true;
	}
	for (size_t i = 0; i < l->n; i++)
		if (l->all[i].file.handle != NULL)
			all[n++] = l->all[i].chain;
	for (size_t i = 0; i < n_more; i++)
		all[n++] = more[i];
	return chain_build_from(c, all, n, a, e);
}

void
modules_close(const struct module_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->all[i].file.handle != NULL)
			(void)dlclose(l->all[i].file.handle); /* what would
					be left is memory */
}

static bool
is_same(const struct module_file *a, const struct module_file *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    a->mtime.tv_sec == b->mtime.tv_sec &&
	    a->mtime.tv_nsec == b->mtime.tv_nsec;
}

#define CHANGED "module %s: %s changed since it was loaded: that needs a restart"

int
modules_unchanged(const struct module_list *old, const struct module_list *now,
    struct error *e)
{
	for (size_t i = 0; i < now->n; i++)
		for (size_t j = 0; j < old->n; j++) {
			const struct module_file *a = &old->all[j].file;
			const struct module_file *b = &now->all[i].file;

			if (b->handle != NULL && a->handle == b->handle &&
			    !is_same(a, b))
				return error_set(e, CHANGED, now->all[i].name,
				    b->path);
		}
	return 0;
}

static bool
has_changed(const struct module_file *f)
{
	struct module_file now = { .path = f->path };
	struct stat st;

	if (f->handle == NULL)
		return false;
	if (stat(f->path, &st) < 0)
		return true; /* gone: a restart will not find it either */
	remember(&now, &st);
	return !is_same(f, &now);
}

void
modules_changed_json(const struct module_list *l, struct buf *b)
{
	struct buf text = { 0 };
	bool begun = false;

	for (size_t i = 0; i < l->n; i++) {
		if (!has_changed(&l->all[i].file))
			continue;
		if (!begun)
			json_begin_array(b, "modules_changed");
		begun = true;
		buf_clear(&text);
		(void)buf_printf(&text, CHANGED, l->all[i].name,
		    l->all[i].file.path); /* no cap */
		json_str(b, NULL, buf_str(&text));
	}
	if (begun)
		json_end_array(b);
	buf_fini(&text);
}
