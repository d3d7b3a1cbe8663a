/* config_limits - see config_limits.h. */
#include "proxy/config_limits.h"

int
config_read_exceptions(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_limits *l = at;

	(void)s;
	return setting_nets(r, key, &l->exceptions, &l->n_exceptions, e);
}

void
config_print_exceptions(const void *at, struct buf *b)
{
	const struct smtp_limits *l = at;

	setting_print_nets(l->exceptions, l->n_exceptions, b);
}

static const char *const pregreet_words[] = { [PREGREET_DROP] = "drop",
	[PREGREET_NOTE] = "note", NULL };

int
config_read_pregreet(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	unsigned place;

	(void)s;
	if (setting_choice(r, key, pregreet_words, "way with early talkers",
		&place, e) < 0)
		return -1;
	((struct smtp_limits *)at)->pregreet = place;
	return 0;
}

void
config_print_pregreet(const void *at, struct buf *b)
{
	const struct smtp_limits *l = at;

	(void)buf_puts(b, pregreet_words[l->pregreet]);
}
