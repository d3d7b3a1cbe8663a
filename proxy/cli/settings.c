/*
 * settings - postern.conf without its policy, which is skipped, not read: a
 * broken rule is no reason not to see what is held, or what is set.
 */
#include <sysexits.h>

#include "cli/cli.h"
#include "proxy/config.h"
#include "rules/rules.h"

int
skip_item(void *arg, struct lex *l, const char *base_dir, struct error *e)
{
	struct lex_token t;
	unsigned depth = 0;

	(void)arg;
	(void)base_dir;
	for (;;) {
		if (lex_next(l, &t, e) < 0)
			return -1;
		if ((lex_is(&t, "~") || lex_is(&t, "!~")) && t.kind == LEX_OP &&
		    lex_regex(l, &t, e) < 0)
			return -1;
		if (t.kind == LEX_END)
			return lex_error(e, &t.pos, "the item does not end");
		if (t.kind != LEX_OP)
			continue;
		if (lex_is(&t, "{"))
			depth++;
		else if (lex_is(&t, "}") && (depth == 0 || --depth == 0))
			return 0;
		else if (lex_is(&t, ";") && depth == 0)
			return 0;
	}
}

int
read_settings_and_keys(const struct cli *c, struct arena *arena, struct config *conf)
{
	static const char *const words[] = { "set", "map", "people", "policy",
		NULL };
	const struct config_items items = {
		.words = words, .is_item = rules_is_item, .parse = skip_item
	};
	struct error e;
	int done = config_read(conf, arena, c->conf, &items, &e);

	return done < 0 ? cli_fail(EX_CONFIG, "%s", e.text) : 0;
}

int
read_settings(const struct cli *c, struct arena *arena, struct config *conf)
{
	int code = read_settings_and_keys(c, arena, conf);

	arena_free(conf->secrets); /* of no use here but for its errors */
	conf->secrets = NULL;
	return code;
}
