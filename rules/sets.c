/*
 * sets - lists of words, file name extensions, networks and addresses: sets
 * from the policy, maps from files, and what a test lists in place.
 *
 * Members are found by hash, ASCII case ignored. A map file holds one address
 * or @domain a line; # begins a comment. The master alone reads it, once.
 */
#include "rules/tree.h"

#include "base/io.h"
#include "base/ip.h"
#include "base/log.h"

#define MAP_FILE_MAX (256u << 20)

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

/* FNV-1a over the lower-case bytes. */
static size_t
hash(struct pn_str s)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)lower(s.p[i])) * 1099511628211u;
	return (size_t)(h ^ (h >> 32));
}

/* Where it is, or the empty slot where it would be. */
static struct pn_str *
slot_of(const struct list *l, struct pn_str s)
{
	size_t i = hash(s) & (l->n_slots - 1);

	while (l->slots[i].p != NULL && !pn_str_caseeq(l->slots[i], s))
		i = (i + 1) & (l->n_slots - 1);
	return &l->slots[i];
}

/* Fill the table from .members and drop what stands twice. */
static void
index_members(struct rules_builder *b, struct list *l)
{
	struct word **at = &l->members;
	size_t n = 0;

	for (const struct word *w = l->members; w != NULL; w = w->next)
		n++;
	for (l->n_slots = 4; l->n_slots < 2 * n;)
		l->n_slots *= 2;
	l->slots = rules_alloc(b, l->n_slots * sizeof(*l->slots));
	while (*at != NULL) {
		struct pn_str *slot = slot_of(l, (*at)->text);

		if (slot->p != NULL) {
			*at = (*at)->next;
			continue;
		}
		*slot = (*at)->text;
		l->n_members++;
		if (slot->n > l->longest)
			l->longest = slot->n;
		at = &(*at)->next;
	}
}

struct list *
list_of(struct rules_builder *b, struct word *members)
{
	struct list *l = rules_alloc(b, sizeof(*l));

	l->members = members;
	index_members(b, l);
	return l;
}

const struct list *
list_find(const struct rules *r, struct pn_str name)
{
	const struct list *l = r->lists;

	while (l != NULL && !pn_str_eq(l->name, name))
		l = l->next;
	return l;
}

bool
list_has(const struct list *l, struct pn_str value)
{
	return value.n <= l->longest && slot_of(l, value)->p != NULL;
}

bool
list_has_address(const struct list *l, const struct value *v)
{
	char domain[MEMBER_MAX + 1];

	if (list_has(l, v->str))
		return true;
	if (v->domain.n == 0 || v->domain.n >= sizeof(domain))
		return false;
	domain[0] = '@';
	memcpy(domain + 1, v->domain.p, v->domain.n);
	return list_has(l, (struct pn_str){ domain, v->domain.n + 1 });
}

/* ---- defining them ---- */

static int
list_add(struct rules_builder *b, const struct word *name, struct list *l,
    struct error *e)
{
	const struct list *old = list_find(b->rules, name->text);

	if (old != NULL)
		return lex_error(e, &name->pos,
		    "\"%s\" stands already at %s:%u", VIS(name->text),
		    old->pos.file, old->pos.line);
	l->name = name->text;
	l->pos = name->pos;
	*b->last_list = l;
	b->last_list = &l->next;
	return 0;
}

static int
check_members(const struct word *w, struct error *e)
{
	for (; w != NULL; w = w->next) {
		if (w->text.n == 0)
			return lex_error(
			    e, &w->pos, "a member cannot be empty");
		if (w->text.n > MEMBER_MAX)
			return lex_error(e, &w->pos,
			    "a member has at most %d bytes", MEMBER_MAX);
	}
	return 0;
}

/* ".EXE" and "exe" are the same extension; "tar.gz" is none. */
static int
normalise_extension(struct rules_builder *b, struct word *w, struct error *e)
{
	struct pn_str s = w->text;
	char *text;

	if (s.p[0] == '.')
		s = pn_str_sub(s, 1, s.n);
	if (s.n == 0 || memchr(s.p, '.', s.n) != NULL)
		return lex_error(e, &w->pos,
		    "\"%s\" is no file name extension: what stands behind the "
		    "last dot",
		    VIS(w->text));
	text = rules_alloc(b, s.n);
	for (size_t i = 0; i < s.n; i++)
		text[i] = lower(s.p[i]);
	w->text = (struct pn_str){ text, s.n };
	/* "TOP" was no keyword; "top" is printed so that it reads back. */
	w->quoted |= rules_is_reserved(w->text);
	return 0;
}

int
list_add_set(struct rules_builder *b, const struct word *name, bool ext,
    struct word *members, struct error *e)
{
	struct list *l;

	if (check_members(members, e) < 0)
		return -1;
	for (struct word *w = members; ext && w != NULL; w = w->next)
		if (normalise_extension(b, w, e) < 0)
			return -1;
	l = list_of(b, members);
	l->kind = ext ? LIST_EXT : LIST_PLAIN;
	return list_add(b, name, l, e);
}

bool
address_is_valid(struct pn_str s, bool domain_too)
{
	size_t at = s.n;

	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 127)
			return false;
		if (s.p[i] == '@')
			at = i;
	}
	return at + 1 < s.n && (at > 0 || domain_too) && s.n <= MEMBER_MAX;
}

/* One line of a map into *last; 0 also for an empty one. */
static int
take_line(struct rules_builder *b, const struct lex_pos *pos,
    struct pn_str line, struct word ***last, struct error *e)
{
	const char *comment = line.n ? memchr(line.p, '#', line.n) : NULL;
	struct pn_str entry = line;
	struct lex_pos at = *pos;
	struct word *w;

	if (comment != NULL)
		entry.n = (size_t)(comment - line.p);
	entry = pn_str_trim(entry);
	if (entry.n == 0)
		return 0;
	at.column = (unsigned)(entry.p - line.p) + 1;
	if (!address_is_valid(entry, true))
		return lex_error(e, &at,
		    "\"%s\" is neither an address nor @domain", VIS(entry));
	w = rules_alloc(b, sizeof(*w));
	w->text = entry;
	w->pos = at;
	**last = w;
	*last = &w->next;
	return 0;
}

static int
read_entries(struct rules_builder *b, const char *path, struct pn_str text,
    struct word **members, struct error *e)
{
	struct lex_pos pos = { .file = path, .text = text, .line = 1 };

	for (size_t i = 0; i < text.n; pos.line++) {
		struct pn_str rest = pn_str_sub(text, i, text.n);
		const char *nl = memchr(rest.p, '\n', rest.n);

		if (nl != NULL)
			rest.n = (size_t)(nl - rest.p);
		if (take_line(b, &pos, rest, &members, e) < 0)
			return -1;
		i += rest.n + 1;
	}
	return 0;
}

static int
slurp_map(struct rules_builder *b, const struct word *file, struct pn_str path,
    struct pn_str *text, struct error *e)
{
	struct buf contents = { 0 };
	struct error why;
	int status = 0;

	if (strlen(path.p) != path.n)
		return lex_error(e, &file->pos, "a file's name has no NUL");
	if (io_slurp(path.p, MAP_FILE_MAX, &contents, &why) < 0)
		status = lex_error(e, &file->pos, "%s", why.text);
	else if ((*text = arena_str(b->arena, buf_str(&contents))).p == NULL)
		status = lex_error(e, &file->pos,
		    "the map does not fit into the policy's memory");
	buf_fini(&contents);
	return status;
}

int
list_add_map(struct rules_builder *b, const struct word *name,
    const struct word *file, struct pn_str path, struct error *e)
{
	struct word *members = NULL;
	struct pn_str text;
	struct list *l;

	if (slurp_map(b, file, path, &text, e) < 0 ||
	    read_entries(b, path.p, text, &members, e) < 0)
		return -1;
	l = list_of(b, members);
	l->kind = LIST_MAP;
	l->path = path;
	return list_add(b, name, l, e);
}

/* ---- networks ---- */

/* Decimal digits up to max; -1 for anything else. */
static int
small_number(struct pn_str s, int max)
{
	int v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || v > max)
			return -1;
		v = v * 10 + (s.p[i] - '0');
	}
	return s.n > 0 && v <= max ? v : -1;
}

static bool
bits_behind(const struct net *net)
{
	for (unsigned i = net->bits; i < 128; i++)
		if (net->addr[i / 8] & (0x80u >> (i % 8)))
			return true;
	return false;
}

const char *
net_parse(struct pn_str s, struct net *net)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	size_t n = slash != NULL ? (size_t)(slash - s.p) : s.n;
	struct pn_str ip = pn_str_sub(s, 0, n);
	int bits;
	bool v4;

	if (ip.n > 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']')
		ip = pn_str_sub(ip, 1, ip.n - 2);
	if (!ip_parse(ip, net->addr, &v4))
		return "is no ip address or network";
	bits = slash == NULL
		   ? (v4 ? 32 : 128)
		   : small_number(pn_str_sub(s, n + 1, s.n), v4 ? 32 : 128);
	if (bits < 0)
		return "has no network's length behind the /";
	net->bits = (unsigned)bits + (v4 ? 96 : 0);
	return bits_behind(net) ? "has bits set behind its length" : NULL;
}

bool
rules_net_has(const struct net *net, struct pn_str ip)
{
	unsigned char addr[16];
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	bool v4;

	if (!ip_parse(ip, addr, &v4) || memcmp(addr, net->addr, whole) != 0)
		return false;
	return rest == 0 ||
	       ((addr[whole] ^ net->addr[whole]) >> (8 - rest)) == 0;
}
