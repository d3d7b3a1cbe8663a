/*
 * rules_facts - the facts that the tests of rules/ declare, a mail made of
 * them, and the two lines that compile a policy. Included by test_rules_*.c,
 * fuzz_rules.c.
 */
#ifndef TESTS_RULES_FACTS_H
#define TESTS_RULES_FACTS_H

#include "rules/rules.h"

enum { CONNECT, HELO, MAIL, RCPT, MESSAGE };

static const char *const fcrdns_words[] = { "ok", "none", "temporary", NULL };
static const char *const direction_words[] = { "inbound", "outbound",
	"internal", NULL };
static const char *const magic_words[] = { "executable", "script", "zip", "rar",
	"sevenzip", "gzip", "pdf", "ole", "rtf", "image", "html", "text",
	"other", "unknown", NULL };
static const char *const test_things[] = { "part", NULL };
static const char *const test_stages[] = { "connect", "helo", "mail", "rcpt",
	"message", NULL };

#define CORE(n, t, s)                                                          \
	{                                                                      \
		.name = n, .type = VALUE_##t, .stage = s                       \
	}
#define WORDS(n, s, c, w)                                                      \
	{                                                                      \
		.name = n, .type = VALUE_WORD, .stage = s, .content = c,       \
		.words = w                                                     \
	}
#define CONTENT(n, t)                                                          \
	{                                                                      \
		.name = n, .type = VALUE_##t, .stage = MESSAGE,                \
		.content = true                                                \
	}
#define MANY(n, t)                                                             \
	{                                                                      \
		.name = n, .type = VALUE_##t, .stage = MESSAGE,                \
		.content = true, .many = true                                  \
	}

static const struct rules_decl test_facts[] = {
	CORE("client.ip", IP, CONNECT),
	CORE("client.name", STRING, CONNECT),
	WORDS("client.fcrdns", CONNECT, false, fcrdns_words),
	CORE("helo.name", STRING, HELO),
	CORE("helo.verb", STRING, HELO),
	CORE("tls.version", STRING, HELO),
	CORE("tls.cipher", STRING, HELO),
	CORE("login", STRING, MAIL),
	CORE("listener", STRING, CONNECT),
	CORE("sender", ADDRESS, MAIL),
	{ .name = "rcpt", .type = VALUE_ADDRESS, .stage = RCPT, .many = true },
	{ .name = "direction",
	    .type = VALUE_WORD,
	    .stage = RCPT,
	    .many = true,
	    .words = direction_words },
	CORE("size", NUMBER, MESSAGE),
	CORE("mime.ambiguous", BOOL, MESSAGE),
	CORE("inspect.failed", BOOL, MESSAGE),
	CONTENT("subject", STRING),
	CONTENT("from", ADDRESS),
	MANY("reply-to", ADDRESS),
	MANY("to", ADDRESS),
	MANY("cc", ADDRESS),
	{ .name = "header",
	    .type = VALUE_STRING,
	    .stage = MESSAGE,
	    .content = true,
	    .keyed = true,
	    .many = true },
	CONTENT("raw", STRING),
	MANY("part.name", STRING),
	MANY("part.ext", STRING),
	CONTENT("part.type", STRING),
	WORDS("part.magic", MESSAGE, true, magic_words),
	CONTENT("part.size", NUMBER),
	CONTENT("part.depth", NUMBER),
	CONTENT("part.path", STRING),
	CONTENT("part.encrypted", BOOL),
	CONTENT("part.broken", BOOL),
	CONTENT("part.ambiguous", BOOL),
	CONTENT("part.member", BOOL),
	CONTENT("part.program", BOOL),
	CONTENT("archive.members", NUMBER),
	CONTENT("archive.depth", NUMBER),
	CONTENT("mime.broken", BOOL),
	CONTENT("mime.limit", BOOL),
	CONTENT("mime.charset", BOOL),
};

#define ABSENT(m)                                                              \
	{                                                                      \
		m, m                                                           \
	}
static const struct rules_absent test_absent[] = { ABSENT("dmarc"),
	ABSENT("spf"), ABSENT("dkim"), ABSENT("arc"), ABSENT("dnsbl"),
	ABSENT("greylist"), ABSENT("rate"), ABSENT("known-sender"),
	ABSENT("bayes"), ABSENT("clamd"), ABSENT("rspamd"), ABSENT("spamd"),
	ABSENT("icap"), ABSENT("url"), ABSENT("text"), ABSENT("html") };

static const struct rules_decls test_decls = {
	.facts = test_facts,
	.n_facts = PN_COUNT(test_facts),
	.things = test_things,
	.stages = test_stages,
	.absent = test_absent,
	.n_absent = PN_COUNT(test_absent),
};

#define POLICY_ARENA (8u << 20)

/* All items of text; the set lives in the arena. NULL and *e. */
static inline struct rules *
compile_with(const struct rules_decls *decls, struct pn_str text,
    const char *base_dir, struct arena *arena, struct error *e)
{
	struct rules_builder *b = rules_builder_new(arena, decls);
	struct rules *r = NULL;
	struct lex_token t;
	struct lex l;
	bool ok = true;

	lex_init(&l, "policy.conf", text);
	while (ok && (ok = lex_peek(&l, &t, e) == 0) && t.kind != LEX_END)
		ok = rules_parse_item(b, &l, base_dir, e) == 0;
	if (ok)
		r = rules_compile(b, e);
	rules_builder_free(b);
	return r;
}

static inline struct rules *
compile_text(struct pn_str text, const char *base_dir, struct arena *arena,
    struct error *e)
{
	return compile_with(&test_decls, text, base_dir, arena, e);
}

/* ---- a mail ---- */

struct test_value {
	const char *fact; /* NULL ends the mail */
	uint32_t thing;	  /* RULES_MESSAGE, or the part's number */
	const char *text; /* of every type; "?" is unknown */
	const char *key;
};

struct test_mail {
	const struct test_value *values;
	uint32_t n_parts;
	const uint32_t *depths; /* NULL: all 0 */
	bool no_content; /* as a worker sees it: content facts are absent */
};

static inline struct value
value_of(enum value_type type, const char *text)
{
	struct value v = {
		.state = VALUE_KNOWN, .type = type, .str = pn_str_of(text)
	};
	const char *at = strrchr(text, '@');

	if (strcmp(text, "?") == 0)
		v.state = VALUE_UNKNOWN;
	if (type == VALUE_NUMBER)
		for (const char *c = text; *c >= '0' && *c <= '9'; c++)
			v.number = v.number * 10 + (*c - '0');
	if (type == VALUE_BOOL)
		v.number = strcmp(text, "yes") == 0;
	if (type == VALUE_ADDRESS && at != NULL) {
		v.local = pn_str_sub(v.str, 0, (size_t)(at - text));
		v.domain = pn_str_of(at + 1);
	}
	return v;
}

static inline void
test_get(void *arg, uint32_t fact, uint32_t thing, struct pn_str key,
    unsigned nth, struct value *out)
{
	const struct test_mail *m = arg;
	const struct rules_decl *d = &test_facts[fact];

	*out = (struct value){ .state = VALUE_ABSENT, .type = d->type };
	for (const struct test_value *v = m->values; v->fact != NULL; v++)
		if (strcmp(v->fact, d->name) == 0 && v->thing == thing &&
		    (!d->keyed || pn_str_caseeq(key, pn_str_of(v->key))) &&
		    !(d->content && m->no_content) && nth-- == 0)
			*out = value_of(d->type, v->text);
}

static inline uint32_t
test_n_things(void *arg, const char *thing)
{
	(void)thing;
	return ((const struct test_mail *)arg)->n_parts;
}

static inline uint32_t
test_depth(void *arg, const char *thing, uint32_t n)
{
	const struct test_mail *m = arg;

	(void)thing;
	return m->depths != NULL ? m->depths[n] : 0;
}

#define FACTS_OF(mail)                                                         \
	((struct rules_facts){                                                 \
	    (void *)(uintptr_t)(mail), test_get, test_n_things, test_depth })

#endif
