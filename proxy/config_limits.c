/* config_limits - see config_limits.h. */
#include "proxy/config_limits.h"

#include "proxy/endpoint.h"

int
config_read_exceptions(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_limits *l = at;
	struct lex_token t;

	(void)s;
	do {
		struct site_net *nets = setting_grow(
		    r, l->exceptions, l->n_exceptions, sizeof(*nets));

		l->exceptions = nets;
		if (setting_value(r, key, &t, e) < 0 ||
		    setting_net(&t, &nets[l->n_exceptions++], e) < 0 ||
		    lex_peek(r->lex, &t, e) < 0)
			return -1;
	} while (!lex_is(&t, ";"));
	return 0;
}

void
config_print_exceptions(const void *at, struct buf *b)
{
	const struct smtp_limits *l = at;
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < l->n_exceptions; i++)
		(void)buf_printf(b, "%s%s", i ? " " : "",
		    network_text(&l->exceptions[i], text));
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
