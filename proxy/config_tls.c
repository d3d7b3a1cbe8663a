/*
 * config_tls - the lines about TLS in listen and upstream blocks: how they are
 * read, with the files they name, and printed. Called by config_listen.c and
 * config_blocks.c.
 *
 * Certificates and keys are read here, by whoever reads the configuration: the
 * master may (root), workers get them from it. So each reload reads them anew,
 * and one that is wrong changes nothing. They lie in conf->secrets. A file
 * that this process may not read is no error yet: postern(1) has no need of it
 * (config.unread).
 */
#include "proxy/config_tls.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"

#define SECRETS_MAX (64u << 20) /* address space: certificates and keys */
#define SOON_S (7 * 86400)

/* ---- files ---- */

static struct arena *
secrets(struct reader *r)
{
	if (r->conf->secrets == NULL)
		r->conf->secrets = arena_new_mapped(SECRETS_MAX);
	return r->conf->secrets;
}

static void
note_unread(struct reader *r, const struct lex_pos *at, const char *path,
    const struct error *why)
{
	struct error e;

	if (r->conf->unread != NULL)
		return;
	(void)lex_error(&e, at, "cannot read \"%s\": %s", path, why->text);
	r->conf->unread = setting_text(r, pn_str_of(e.text));
}

/* An absolute path, and what is there. */
static int
read_path(struct reader *r, const struct lex_token *key, struct tls_file *f,
    struct lex_token *t, struct arena *into, struct error *e)
{
	const char *path;
	struct error why;

	if (setting_value(r, key, t, e) < 0)
		return -1;
	if (t->text.n == 0 || t->text.p[0] != '/')
		return lex_error(e, &t->pos,
		    "a file is named by an absolute path, not \"%s\"",
		    VIS(t->text));
	path = setting_text(r, t->text);
	if (tls_file_read(f, path, into, &why) == 0)
		return 0;
	if (errno != EACCES || geteuid() == 0)
		return lex_error(
		    e, &t->pos, "cannot read \"%s\": %s", path, why.text);
	note_unread(r, &t->pos, path, &why);
	return 0;
}

/* Takes the word if it is there. 1: it was, 0: not. */
static int
take_word(struct reader *r, const char *word, struct lex_token *t,
    struct error *e)
{
	if (lex_peek(r->lex, t, e) < 0)
		return -1;
	if (t->kind != LEX_WORD || !pn_str_eq(t->text, pn_str_of(word)))
		return 0;
	return lex_next(r->lex, t, e) < 0 ? -1 : 1;
}

static int
check_pair(struct tls_pair *p, const struct lex_token *at, struct error *e)
{
	struct error why;

	if (p->cert.text.p == NULL || p->key.text.p == NULL)
		return 0; /* unread */
	if (tls_pair_check(p, &why) < 0)
		return lex_error(e, &at->pos, "%s", why.text);
	return 0;
}

/* FILE [key FILE], behind "cert" */
static int
read_pair(struct reader *r, const struct lex_token *key, struct tls_pair *p,
    struct error *e)
{
	struct lex_token cert, word, file;
	int has_key;

	if (read_path(r, key, &p->cert, &cert, secrets(r), e) < 0 ||
	    (has_key = take_word(r, "key", &word, e)) < 0)
		return -1;
	if (!has_key) {
		p->key = p->cert;
		return check_pair(p, &cert, e);
	}
	if (read_path(r, key, &p->key, &file, secrets(r), e) < 0)
		return -1;
	return check_pair(p, &file, e);
}

/* FILE, behind "ca" */
static int
read_ca(struct reader *r, const struct lex_token *key, struct tls_file *f,
    struct error *e)
{
	struct lex_token t;
	struct error why;

	if (read_path(r, key, f, &t, secrets(r), e) < 0)
		return -1;
	if (f->text.p != NULL && tls_ca_check(f, &why) < 0)
		return lex_error(e, &t.pos, "%s", why.text);
	return 0;
}

static bool
is_end(struct reader *r, struct lex_token *t, struct error *e, int *failed)
{
	*failed = lex_peek(r->lex, t, e);
	return *failed < 0 || lex_is(t, ";");
}

/* ---- listen ---- */

static const char *const modes[] = { [LISTEN_CLEAR] = "none",
	[LISTEN_MAY] = "may",
	[LISTEN_REQUIRE] = "require",
	[LISTEN_WRAPPED] = "wrapped",
	NULL };

static int
read_pairs(struct reader *r, const struct lex_token *key, struct tls_listen *l,
    struct error *e)
{
	static const char *const cert[] = { "cert", NULL };
	struct lex_token t;
	unsigned place;
	int failed;

	while (!is_end(r, &t, e, &failed)) {
		struct tls_pair *all;

		if (setting_value(r, key, &t, e) < 0 ||
		    setting_one_of(&t, cert, "word", &place, e) < 0)
			return -1;
		all = setting_grow(r, l->pairs, l->n_pairs, sizeof(*all));
		all[l->n_pairs] = (struct tls_pair){ 0 };
		l->pairs = all;
		if (read_pair(r, key, &all[l->n_pairs++], e) < 0)
			return -1;
	}
	return failed;
}

int
config_read_listen_tls(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct tls_listen *l = at;
	struct lex_token t;
	unsigned place;

	(void)s;
	if (setting_value(r, key, &t, e) < 0 ||
	    setting_one_of(&t, modes, "mode of TLS", &place, e) < 0 ||
	    read_pairs(r, key, l, e) < 0)
		return -1;
	l->mode = (enum tls_listen_mode)place;
	if (l->mode != LISTEN_CLEAR && l->n_pairs == 0)
		return lex_error(e, &t.pos,
		    "\"tls %s\" needs a certificate: cert FILE [key FILE]",
		    modes[place]);
	return 0;
}

static void
print_file(struct buf *b, const char *word, const struct tls_file *f)
{
	if (f->path == NULL)
		return;
	(void)buf_printf(b, " %s ", word);
	setting_print_word(&f->path, b);
}

static void
print_pair(struct buf *b, const struct tls_pair *p)
{
	print_file(b, "cert", &p->cert);
	if (p->key.path != p->cert.path)
		print_file(b, "key", &p->key);
}

void
config_print_listen_tls(const void *at, struct buf *b)
{
	const struct tls_listen *l = at;

	if (l->mode == LISTEN_CLEAR && l->n_pairs == 0)
		return;
	(void)buf_puts(b, modes[l->mode]);
	for (size_t i = 0; i < l->n_pairs; i++)
		print_pair(b, &l->pairs[i]);
}

static const char *const asks[] = { [ASK_NONE] = "none",
	[ASK_OPTIONAL] = "ask",
	[ASK_REQUIRED] = "require",
	NULL };

int
config_read_client_certs(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct tls_listen *l = at;
	struct lex_token t, word;
	unsigned place;
	int has_ca;

	(void)s;
	if (setting_value(r, key, &t, e) < 0 ||
	    setting_one_of(&t, asks, "answer", &place, e) < 0 ||
	    (has_ca = take_word(r, "ca", &word, e)) < 0 ||
	    (has_ca && read_ca(r, key, &l->client_ca, e) < 0))
		return -1;
	l->client_certs = (enum tls_ask)place;
	if (l->client_certs == ASK_REQUIRED && !has_ca)
		return lex_error(e, &t.pos,
		    "\"client_certificates require\" needs to know whose: ca "
		    "FILE");
	return 0;
}

void
config_print_client_certs(const void *at, struct buf *b)
{
	const struct tls_listen *l = at;

	if (l->client_certs == ASK_NONE && l->client_ca.path == NULL)
		return;
	(void)buf_puts(b, asks[l->client_certs]);
	print_file(b, "ca", &l->client_ca);
}

int
config_check_listen_tls(const struct tls_listen *l,
    const struct lex_token *name, struct error *e)
{
	if (l->client_certs == ASK_NONE || l->mode != LISTEN_CLEAR)
		return 0;
	return lex_error(e, &name->pos,
	    "listener %s asks for client certificates and has no TLS",
	    VIS(name->text));
}

/* ---- upstream ---- */

static const char *const levels[] = { [TLS_NONE] = "none",
	[TLS_MAY] = "may",
	[TLS_ENCRYPT] = "encrypt",
	[TLS_VERIFY] = "verify",
	[TLS_FINGERPRINT] = "fingerprint",
	[TLS_DANE] = "dane",
	"wrapped",
	NULL };
#define WRAPPED_ALONE (TLS_DANE + 1)

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 64 digits, with colons between or without. */
static bool
read_digest(struct pn_str s, unsigned char out[TLS_DIGEST])
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int v = hex(s.p[i]);

		if (s.p[i] == ':' && n % 2 == 0)
			continue;
		if (v < 0 || n == 2 * TLS_DIGEST)
			return false;
		out[n / 2] = (unsigned char)(n % 2 ? out[n / 2] << 4 | v : v);
		n++;
	}
	return n == 2 * TLS_DIGEST;
}

/* ... or was meant to be one: cut short, or of another kind. */
static bool
looks_like_digest(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (hex(s.p[i]) < 0 && s.p[i] != ':')
			return s.n >= 2 * TLS_DIGEST;
	return s.n > 2; /* "ca" is hexadecimal, too */
}

static int
add_digest(struct reader *r, struct tls_next *n, const struct lex_token *t,
    struct error *e)
{
	unsigned char(*all)[TLS_DIGEST] = setting_grow(
	    r, n->fingerprints, n->n_fingerprints, sizeof(*all));

	if (!read_digest(t->text, all[n->n_fingerprints]))
		return lex_error(e, &t->pos,
		    "\"%s\" is no SHA-256 fingerprint (64 hexadecimal digits)",
		    VIS(t->text));
	n->fingerprints = (const unsigned char(*)[TLS_DIGEST])all;
	n->n_fingerprints++;
	return 0;
}

static int
read_name(struct reader *r, const struct lex_token *key, struct tls_next *n,
    struct error *e)
{
	struct lex_token t;

	if (setting_value(r, key, &t, e) < 0)
		return -1;
	if (t.text.n == 0 || t.text.n > 253)
		return lex_error(
		    e, &t.pos, "\"%s\" is no name of a host", VIS(t.text));
	n->name = setting_text(r, t.text);
	return 0;
}

static int
read_own(struct reader *r, const struct lex_token *key, struct tls_next *n,
    struct error *e)
{
	struct tls_pair *p = setting_grow(r, NULL, 0, sizeof(*p));

	n->pair = p;
	return read_pair(r, key, p, e);
}

static int
read_next_word(struct reader *r, const struct lex_token *key,
    struct tls_next *n, const struct lex_token *t, struct error *e)
{
	static const char *const words[] = { "wrapped", "ca", "name", "cert",
		NULL };
	unsigned place;

	if (n->level == TLS_FINGERPRINT && looks_like_digest(t->text))
		return add_digest(r, n, t, e);
	if (setting_one_of(t, words, "word", &place, e) < 0)
		return -1;
	if ((const bool[]){ n->wrapped, n->ca.path != NULL, n->name != NULL,
		n->pair != NULL }[place])
		return lex_error(e, &t->pos, "\"%s\" is written twice",
		    words[place]);
	switch (place) {
	case 0:
		n->wrapped = true;
		return 0;
	case 1:
		return read_ca(r, key, &n->ca, e);
	case 2:
		return read_name(r, key, n, e);
	default:
		return read_own(r, key, n, e);
	}
}

static int
settle_next(struct reader *r, struct tls_next *n, const struct lex_token *level,
    struct error *e)
{
	struct error why;

	if (n->level == TLS_FINGERPRINT && n->n_fingerprints == 0)
		return lex_error(e, &level->pos,
		    "\"tls fingerprint\" needs at least one: 64 hexadecimal "
		    "digits");
	if (n->wrapped && n->level < TLS_ENCRYPT)
		return lex_error(e, &level->pos,
		    "\"tls %s wrapped\" makes no sense: a wrapped connection "
		    "cannot go on in clear",
		    levels[n->level]);
	if (n->ca.path != NULL && n->level != TLS_VERIFY)
		return lex_error(e, &level->pos,
		    "\"tls %s\" looks at no authority: ca is for \"tls verify\"",
		    levels[n->level]);
	if (n->level != TLS_VERIFY || n->ca.path != NULL)
		return 0;
	n->system_ca = true;
	if (tls_file_system_ca(&n->ca, secrets(r), &why) < 0)
		return lex_error(e, &level->pos, "%s", why.text);
	return 0;
}

int
config_read_next_tls(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct tls_next *n = at;
	struct lex_token level, t;
	unsigned place;
	int failed;

	(void)s;
	if (setting_value(r, key, &level, e) < 0 ||
	    setting_one_of(&level, levels, "level of TLS", &place, e) < 0)
		return -1;
	n->wrapped = place == WRAPPED_ALONE;
	n->level = n->wrapped ? TLS_ENCRYPT : (enum tls_level)place;
	while (!is_end(r, &t, e, &failed))
		if (setting_value(r, key, &t, e) < 0 ||
		    read_next_word(r, key, n, &t, e) < 0)
			return -1;
	return failed < 0 ? -1 : settle_next(r, n, &level, e);
}

static void
print_digests(struct buf *b, const struct tls_next *n)
{
	for (size_t i = 0; i < n->n_fingerprints; i++) {
		(void)buf_puts(b, " ");
		for (size_t k = 0; k < TLS_DIGEST; k++)
			(void)buf_printf(b, "%02x", n->fingerprints[i][k]);
	}
}

void
config_print_next_tls(const void *at, struct buf *b)
{
	const struct tls_next *n = at;

	if (n->level == TLS_NONE)
		return;
	(void)buf_puts(b, levels[n->level]);
	if (n->wrapped)
		(void)buf_puts(b, " wrapped");
	print_digests(b, n);
	if (!n->system_ca)
		print_file(b, "ca", &n->ca);
	if (n->name != NULL) {
		(void)buf_puts(b, " name ");
		setting_print_word(&n->name, b);
	}
	if (n->pair != NULL)
		print_pair(b, n->pair);
}

/* ---- where DNSSEC is trusted from ---- */

static bool
wants_dane(const struct smtp_conf *c)
{
	for (size_t i = 0; i < c->n_upstreams; i++)
		if (c->upstreams[i].tls.level == TLS_DANE)
			return true;
	return false;
}

/* Those of resolvers that this system may have. */
static int
read_usual_anchors(struct reader *r, struct tls_file *f, struct error *e)
{
	static const char *const usual[] = { "/usr/share/dns/root.key",
		"/var/lib/unbound/root.key", "/etc/unbound/root.key" };
	struct error why;

	for (size_t i = 0; i < PN_COUNT(usual); i++)
		if (tls_file_read(f, usual[i], r->arena, &why) == 0)
			return 0;
	return error_set(e,
	    "\"tls dane\" needs a trust anchor of DNSSEC, and this system has "
	    "none where it is looked for: name one with \"trust_anchor\"");
}

int
config_settle_dane(struct reader *r, struct error *e)
{
	const char *path = r->conf->engine.trust_anchor;
	struct tls_file f;
	struct error why;

	if (!wants_dane(&r->conf->smtp))
		return 0;
	if (path == NULL && read_usual_anchors(r, &f, e) < 0)
		return -1;
	if (path != NULL && tls_file_read(&f, path, r->arena, &why) < 0)
		return error_set(e, "trust_anchor: cannot read \"%s\": %s",
		    path, why.text);
	r->conf->engine.dns_anchors = f.text;
	return 0;
}

/* ---- what is right and will not stay so ---- */

static size_t
lint_pair(const struct tls_pair *p, struct buf *b)
{
	time_t now = time(NULL);
	char date[32];
	struct tm tm;

	if (p->until == 0 || p->until > now + SOON_S)
		return 0;
	(void)gmtime_r(&p->until, &tm);
	(void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
	(void)buf_printf(b, "warning: the certificate in %s %s on %s\n",
	    p->cert.path, p->until < now ? "expired" : "expires", date);
	return 1;
}

size_t
config_lint_tls(const struct smtp_conf *c, struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_listeners; i++)
		for (size_t k = 0; k < c->listeners[i].tls.n_pairs; k++)
			n += lint_pair(&c->listeners[i].tls.pairs[k], b);
	for (size_t i = 0; i < c->n_upstreams; i++)
		if (c->upstreams[i].tls.pair != NULL)
			n += lint_pair(c->upstreams[i].tls.pair, b);
	return n;
}
