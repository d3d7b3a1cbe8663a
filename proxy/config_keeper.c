/*
 * config_keeper - what postern.conf says of the keeper and is more than one
 * plain value: where it tells its metrics, classes of the quarantine, waits
 * between tries of a release. Called by config.c.
 */
#include "proxy/config_keeper.h"

#include "proxy/config_blocks.h"
#include "proxy/endpoint.h"

#define IN_CLASS(member) offsetof(struct class_block, member)

/* ---- metrics ---- */

/* ADDRESS [public]: what counts mail tells who writes to whom how often. */
int
config_read_metrics(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct daemon_conf *c = at;
	struct lex_token t, word;
	const char *wrong;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	wrong = endpoint_parse(t.text, &c->metrics_addr, &c->metrics_addr_len);
	if (wrong != NULL)
		return lex_error(e, &t.pos, "\"%s\" %s", VIS(t.text), wrong);
	c->metrics = setting_text(r, t.text);
	if (lex_peek(r->lex, &word, e) < 0)
		return -1;
	c->metrics_public = lex_is(&word, "public");
	if (c->metrics_public)
		return lex_next(r->lex, &word, e);
	if (!endpoint_is_loopback(&c->metrics_addr))
		return lex_error(e, &t.pos,
		    "\"%s\" is not a loopback address: everybody who reaches it "
		    "could read the metrics (write \"metrics %s public;\" if "
		    "they may)",
		    VIS(t.text), VIS(t.text));
	return 0;
}

void
config_print_metrics(const void *at, struct buf *b)
{
	const struct daemon_conf *c = at;

	if (c->metrics == NULL)
		return;
	setting_print_word(&c->metrics, b);
	(void)buf_puts(b, c->metrics_public ? " public" : "");
}

/* ---- releases ---- */

int
config_read_retry(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	static const struct setting wait = { .name = "release_retry",
		.least = "100ms", .most = "7d" };
	struct keeper_settings *k = at;
	struct lex_token t;
	uint64_t *waits;

	(void)s;
	k->n_release_retry = 0;
	do {
		waits = setting_grow(r, k->release_retry_ms, k->n_release_retry,
		    sizeof(*waits));
		k->release_retry_ms = waits;
		if (setting_read_duration(
			r, &wait, key, &waits[k->n_release_retry++], e) < 0 ||
		    lex_peek(r->lex, &t, e) < 0)
			return -1;
	} while (!lex_is(&t, ";"));
	return 0;
}

void
config_print_retry(const void *at, struct buf *b)
{
	const struct keeper_settings *k = at;

	for (size_t i = 0; i < k->n_release_retry; i++) {
		(void)buf_puts(b, i ? " " : "");
		setting_print_duration(&k->release_retry_ms[i], b);
	}
}

/* ---- classes of the quarantine ---- */

/* With types that the settings' readers know. */
struct class_block {
	uint64_t keep_ms;
	size_t quota;
	unsigned full; /* place in when_full */
};

static const char *const when_full[] = { "refuse", "drop-oldest", NULL };

static int
read_full(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	if (lex_expect(r->lex, "full", e) < 0)
		return -1;
	return setting_choice(r, key, when_full, "way out", at, e);
}

static void
print_full(const void *at, struct buf *b)
{
	(void)buf_printf(b, "full %s", when_full[*(const unsigned *)at]);
}

static const struct setting class_table[] = {
	{ "keep", setting_read_duration, setting_print_duration,
	    IN_CLASS(keep_ms), "30d", "1m", "3650d", 0 },
	{ "quota", setting_read_size, setting_print_size, IN_CLASS(quota), "0",
	    NULL, NULL, 0 },
	{ "when", read_full, print_full, IN_CLASS(full), NULL, NULL, NULL, 0 },
	{ .name = NULL },
};

static int
check_class(const struct keeper_settings *k, const struct lex_token *name,
    struct error *e)
{
	if (name->kind != LEX_WORD)
		return lex_error(e, &name->pos,
		    "a class's name is a word without quotes");
	for (size_t i = 0; i < k->n_classes; i++)
		if (pn_str_eq(name->text, pn_str_of(k->classes[i].name)))
			return lex_error(e, &name->pos,
			    "there is a quarantine \"%s\" already",
			    VIS(name->text));
	return 0;
}

int
config_read_class(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct keeper_settings *k = at;
	struct block_origin o = { .at = key->pos };
	struct class_block block = { 0 };
	struct keeper_class *all;
	struct lex_token name;

	(void)s;
	if (setting_value(r, key, &name, e) < 0 ||
	    check_class(k, &name, e) < 0)
		return -1;
	settings_preset(r, class_table, &block);
	if (lex_expect(r->lex, "{", e) < 0 ||
	    settings_read(
		r, class_table, &o.seen, "a quarantine block", &block, e) < 0)
		return -1;
	config_keep_origin(r, &r->origins->classes, k->n_classes, &o);
	all = setting_grow(r, k->classes, k->n_classes, sizeof(*all));
	all[k->n_classes++] = (struct keeper_class){
		.name = setting_text(r, name.text),
		.keep_ms = block.keep_ms,
		.quota = block.quota,
		.drop_oldest = block.full != 0,
	};
	k->classes = all;
	return 0;
}

static struct class_block
block_of(const struct keeper_class *c)
{
	return (struct class_block){ c->keep_ms, c->quota, c->drop_oldest };
}

void
config_classes_each(const struct keeper_settings *k,
    const struct config_origins *o, config_take *take, void *arg)
{
	for (size_t i = 0; i < k->n_classes; i++) {
		struct class_block block = block_of(&k->classes[i]);

		config_block_each(class_table, "quarantine",
		    k->classes[i].name, &o->classes[i], &block, take, arg);
	}
}

void
config_classes_print(const struct keeper_settings *k, struct buf *b)
{
	for (size_t i = 0; i < k->n_classes; i++) {
		struct class_block block = block_of(&k->classes[i]);

		(void)buf_printf(b, "quarantine %s {\n", k->classes[i].name);
		settings_print(class_table, "    ", &block, b);
		(void)buf_puts(b, "}\n");
	}
}
