/*
 * map - lists that are files: read once by the master, looked into by whoever
 * inherits the set.
 *
 * text is a table of members as a set is; cidr and pcre have an order, and the
 * first entry that fits is the answer; a cdb is copied as it is and mapped
 * before the fork (so the sandboxed inspector sees it, too), found in by
 * tinycdb, which checks each offset. An entry whose value is DUNNO says that
 * its key is not in the map, as in Postfix's access(5).
 */
#include "rules/tree.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/suggest.h"

#define MAP_FILE_MAX (256u << 20)
#define COPY_STEP (64u << 10)

static const char *const kind_words[] = { [LIST_TEXT] = "text",
	[LIST_CIDR] = "cidr",
	[LIST_PCRE] = "pcre",
	[LIST_CDB] = "cdb" };

const char *
list_kind_word(enum list_kind kind)
{
	return kind_words[kind];
}

/* ---- making them ---- */

static int
slurp(struct rules_builder *b, const struct word *file, const char *path,
    struct pn_str *text, struct error *e)
{
	struct buf contents = { 0 };
	struct error why;
	int status = 0;

	if (io_slurp(path, MAP_FILE_MAX, &contents, &why) < 0)
		status = lex_error(e, &file->pos, "%s", why.text);
	else if ((*text = arena_str(b->arena, buf_str(&contents))).p == NULL)
		status = lex_error(e, &file->pos,
		    "the map does not fit into the policy's memory");
	buf_fini(&contents);
	return status;
}

/* The entries as a row; of networks also as one to look into. */
static void
make_row(struct rules_builder *b, struct list *l)
{
	struct net *nets;
	size_t n = 0;

	for (const struct word *w = l->members; w != NULL; w = w->next)
		l->n_members++;
	l->entries = rules_alloc(b, l->n_members * sizeof(*l->entries));
	for (const struct word *w = l->members; w != NULL; w = w->next)
		l->entries[n++] = (const struct map_entry *)w;
	if (l->kind != LIST_CIDR)
		return;
	nets = rules_alloc(b, n * sizeof(*nets));
	for (size_t i = 0; i < n; i++) {
		(void)net_parse(l->entries[i]->word.text, &nets[i]); /* read */
		nets[i].negated = l->entries[i]->negated;
	}
	l->nets = nets_new(b, nets, n, true);
}

static int
load_text(struct rules_builder *b, enum list_kind kind, const struct word *file,
    const char *path, struct list **out, struct error *e)
{
	struct word *members = NULL;
	struct pn_str text;

	if (slurp(b, file, path, &text, e) < 0 ||
	    map_read(b, kind, path, text, &members, e) < 0)
		return -1;
	if (kind == LIST_TEXT) {
		*out = list_of(b, members);
		return 0;
	}
	*out = rules_alloc(b, sizeof(**out));
	(*out)->kind = kind;
	(*out)->members = members;
	make_row(b, *out);
	return 0;
}

/*
 * A copy of our own: who writes into the file, or cuts it, cannot take pages
 * from under a process that looks into it. -1 with errno.
 */
static int
copy_file(int from)
{
	int to = memfd_create("cdb", MFD_CLOEXEC);
	char *bytes = xcalloc(1, COPY_STEP);
	size_t all = 0;
	ssize_t n = -1;

	while (to >= 0 && (n = io_read(from, bytes, COPY_STEP)) > 0) {
		all += (size_t)n;
		if (all > MAP_FILE_MAX)
			errno = EFBIG;
		if (all > MAP_FILE_MAX ||
		    io_write_all(to, bytes, (size_t)n) < 0)
			break;
	}
	free(bytes);
	if (n == 0)
		return to;
	io_close(to);
	return -1;
}

static int
map_cdb(const char *path, struct cdb *cdb)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int copy = fd < 0 ? -1 : copy_file(fd);
	int done = copy < 0 ? -1 : cdb_init(cdb, copy);

	io_close(copy); /* the mapping stays */
	io_close(fd);
	return done;
}

static int
load_cdb(struct rules_builder *b, const struct word *file, const char *path,
    struct list **out, struct error *e)
{
	struct cdb *cdb = rules_alloc(b, sizeof(*cdb));

	*out = rules_alloc(b, sizeof(**out));
	if (map_cdb(path, cdb) < 0)
		return lex_error(e, &file->pos, "%s: %s", path,
		    errno == EPROTO ? "this is no cdb" : strerror(errno));
	(*out)->cdb = cdb;
	return 0;
}

static void
close_map(const struct list *l)
{
	struct cdb c;

	if (l->cdb == NULL)
		return;
	c = *l->cdb; /* sealed by now, and cdb_free() writes into it */
	cdb_free(&c);
}

void
maps_close(const struct rules *r)
{
	for (const struct list *l = r->lists; l != NULL; l = l->next)
		close_map(l);
}

int
list_add_map(struct rules_builder *b, enum list_kind kind,
    const struct word *name, const struct word *file, struct pn_str path,
    struct error *e)
{
	struct list *l = NULL;
	struct stamp stamp;

	if (strlen(path.p) != path.n)
		return lex_error(e, &file->pos, "a file's name has no NUL");
	/* Before it is read: a file that changes meanwhile is read again. */
	stamp = stamp_of(path.p);
	if ((kind == LIST_CDB ? load_cdb(b, file, path.p, &l, e)
			      : load_text(b, kind, file, path.p, &l, e)) < 0)
		return -1;
	l->kind = kind;
	l->file = (struct rules_file){ .path = path.p, .stamp = stamp };
	if (list_add(b, name, l, e) == 0)
		return 0;
	close_map(l); /* it is in no list that would */
	return -1;
}

const struct rules_file *
rules_file(const struct rules *r, size_t i)
{
	for (const struct list *l = r->lists; l != NULL; l = l->next)
		if (list_is_map(l) && i-- == 0)
			return &l->file;
	return NULL;
}

/* ---- asking ---- */

static enum tri
found(struct map_hit *hit, const struct map_entry *m)
{
	hit->entry = m;
	hit->value = m->value;
	return TRI_TRUE;
}

static enum tri
ask_patterns(const struct list *l, struct rules_run *run, struct map_hit *hit)
{
	struct match m;

	for (size_t i = 0; i < l->n_members; i++) {
		const struct map_entry *entry = l->entries[i];
		enum tri one = pattern_match(entry->pattern, run, hit->key, &m);

		if (one == TRI_UNKNOWN)
			return one; /* it might have been the answer */
		if ((one == TRI_TRUE) != entry->negated)
			return found(hit, entry);
	}
	return TRI_FALSE;
}

/* postmap(1) may write a NUL behind keys and values. */
static enum tri
find_key(struct cdb *c, const char *key, size_t n, struct map_hit *hit)
{
	int got = cdb_find(c, key, (unsigned)n);
	const char *value;

	if (got == 0)
		got = cdb_find(c, key, (unsigned)n + 1);
	if (got <= 0)
		return got < 0 ? TRI_UNKNOWN : TRI_FALSE;
	value = cdb_getdata(c);
	if (value == NULL)
		return TRI_UNKNOWN;
	hit->value = (struct pn_str){ value, cdb_datalen(c) };
	while (hit->value.n > 0 && value[hit->value.n - 1] == '\0')
		hit->value.n--;
	return TRI_TRUE;
}

/* Keys are in lower case, as postmap(1) writes them. A longer one than any map
 * has is in none. */
static enum tri
ask_key(struct cdb *c, struct pn_str s, struct map_hit *hit)
{
	char key[MEMBER_MAX + 2];

	if (s.n > MEMBER_MAX)
		return TRI_FALSE;
	for (size_t i = 0; i < s.n; i++)
		key[i] = pn_lower(s.p[i]);
	key[s.n] = '\0';
	return find_key(c, key, s.n, hit);
}

static enum tri
ask_cdb(const struct list *l, struct pn_str domain, struct map_hit *hit)
{
	struct cdb c = *l->cdb; /* finding writes into it */
	size_t n = hit->key.n;
	enum tri one = ask_key(&c, hit->key, hit);

	if (one != TRI_FALSE || domain.n == 0 || domain.n >= n)
		return one;
	/* The key ends in its domain, behind an @, however long it is. */
	return ask_key(&c, pn_str_sub(hit->key, n - domain.n - 1, n), hit);
}

enum tri
map_ask(const struct list *l, struct rules_run *run, struct pn_str value,
    struct pn_str domain, struct map_hit *hit)
{
	enum tri one = TRI_FALSE;
	const struct word *w;
	size_t place;

	*hit = (struct map_hit){ .key = value };
	switch (l->kind) {
	case LIST_CIDR:
		place = nets_first(l->nets, value);
		if (place != NETS_NONE)
			one = found(hit, l->entries[place]);
		break;
	case LIST_PCRE:
		one = ask_patterns(l, run, hit);
		break;
	case LIST_CDB:
		one = ask_cdb(l, domain, hit);
		break;
	default:
		w = list_member_address(l, value, domain);
		if (w != NULL)
			one = found(hit, (const struct map_entry *)w);
	}
	if (one == TRI_TRUE && pn_str_caseeq(hit->value, PN_STR_V("DUNNO")))
		return TRI_FALSE;
	return one;
}

/* ---- for the operator ---- */

/* The value with its $1, ${1}, $(1) and $$ written out. */
static void
put_value(const struct list *l, struct rules_run *run,
    const struct map_hit *hit, struct buf *b)
{
	struct pn_str v = hit->value;
	unsigned group;

	if (l->kind != LIST_PCRE) {
		(void)buf_add_str(b, v);
		return;
	}
	for (size_t i = 0, n; i < v.n; i += n) {
		n = 1;
		if (v.p[i] != '$') {
			(void)buf_add(b, v.p + i, 1);
		} else if (i + 1 < v.n && v.p[i + 1] == '$') {
			(void)buf_add(b, "$", 1);
			n = 2;
		} else {
			n = map_reference(pn_str_sub(v, i, v.n), &group);
			(void)buf_add_str(
			    b, pattern_group(run, hit->key, group));
		}
	}
}

static int
no_such_map(const struct rules *r, struct pn_str name, struct error *e)
{
	struct suggest s = suggest_for(name);
	char near[96];

	for (const struct list *l = r->lists; l != NULL; l = l->next)
		if (list_is_map(l))
			suggest_try(&s, l->name);
	return error_set(e, "unknown map \"%s\"%s", VIS(name),
	    suggest_text(&s, near, sizeof(near)));
}

/* What stands behind the key's last @. */
static struct pn_str
domain_of(struct pn_str key)
{
	const char *at = key.n ? memrchr(key.p, '@', key.n) : NULL;

	if (at == NULL)
		return (struct pn_str){ "", 0 };
	return pn_str_sub(key, (size_t)(at + 1 - key.p), key.n);
}

static int
check_key(const struct list *l, struct pn_str key, struct error *e)
{
	unsigned char addr[16];
	bool v4;

	if (l->kind == LIST_CIDR && !ip_parse(key, addr, &v4))
		return error_set(e,
		    "\"%s\" is no ip address, and \"%s\" is a cidr map",
		    VIS(key), VIS(l->name));
	return 0;
}

int
rules_map_find(const struct rules *r, struct rules_run *run, struct pn_str map,
    struct pn_str key, struct rules_map_entry *out, struct error *e)
{
	const struct list *l = list_find(r, map);
	struct map_hit hit;
	enum tri one;

	*out = (struct rules_map_entry){ 0 };
	if (l == NULL || !list_is_map(l))
		return no_such_map(r, map, e);
	if (check_key(l, key, e) < 0)
		return -1;
	out->file = l->file.path;
	one = map_ask(l, run, key, domain_of(key), &hit);
	if (one != TRI_TRUE)
		return (int)one;
	put_value(l, run, &hit, &out->value);
	if (hit.entry != NULL)
		out->line = hit.entry->word.pos.line;
	return (int)one;
}

int
rules_map_each(const struct rules *r, struct pn_str map,
    rules_take_entry *take, void *arg, struct error *e)
{
	const struct list *l = list_find(r, map);

	if (l == NULL || !list_is_map(l))
		return no_such_map(r, map, e);
	for (const struct word *w = l->members; w != NULL; w = w->next)
		if (take(arg, ((const struct map_entry *)w)->value, &w->pos,
			e) < 0)
			return -1;
	return 0;
}
