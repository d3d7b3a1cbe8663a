/*
 * complete - postern --complete KIND: the names there are of one kind, one a
 * line, for the shell (contrib/completion). Who cannot be asked has none, and
 * nothing is said: somebody is typing.
 */
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "proxy/policy.h"

struct naming {
	int kind; /* of rules_name; -1: rules in shadow */
};

static void
put(const char *name)
{
	(void)puts(name);
}

static void
take_name(void *arg, const struct rules_name *n)
{
	const struct naming *want = arg;

	if (want->kind < 0 ? n->kind == RULES_NAME_RULE && n->shadow
			   : (int)n->kind == want->kind)
		(void)printf("%.*s\n", PN_STR_ARG(n->name));
}

static void
names_of(const struct policy *p, int kind)
{
	struct naming want = { kind };

	rules_each_name(p->rules, take_name, &want);
}

static void
rules(const struct policy *p)
{
	names_of(p, RULES_NAME_RULE);
}

static void
shadow_rules(const struct policy *p)
{
	names_of(p, -1);
}

static void
policies(const struct policy *p)
{
	names_of(p, RULES_NAME_POLICY);
}

static void
maps(const struct policy *p)
{
	names_of(p, RULES_NAME_MAP);
}

/* ---- without the rules: one may be being written ---- */

static void
facts(const struct cli *c)
{
	struct error e;
	const struct policy *p = policy_load_facts(c->conf, skip_item, &e);

	for (uint32_t i = 0; p != NULL && i < p->chain.n_facts; i++)
		put(p->chain.facts[i].name);
	policy_free(p);
}

static void
listeners(const struct cli *c)
{
	struct arena *arena = arena_new(CLI_ARENA_MAX);
	struct config conf;

	if (read_settings(c, arena, &conf) == 0) {
		for (size_t i = 0; i < conf.smtp.n_listeners; i++)
			put(conf.smtp.listeners[i].name);
		for (size_t i = 0; i < conf.milter.n_listeners; i++)
			put(conf.milter.listeners[i].name);
	}
	arena_free(arena);
}

static void
take_setting(void *arg, const struct config_line *line)
{
	(void)arg;
	if (line->block == NULL)
		put(line->name);
	else if (line->name == NULL)
		put(line->block);
}

static void
settings(const struct cli *c)
{
	struct arena *arena = arena_new(CLI_ARENA_MAX);
	struct config conf;

	if (read_settings(c, arena, &conf) == 0)
		config_each(&conf, take_setting, NULL);
	arena_free(arena);
}

static void
held(const struct cli *c)
{
	json_t *answer, *m;
	size_t i;

	if (ask(c, question("quarantine.list", NULL), &answer, NULL) != 0)
		return;
	json_array_foreach(json_object_get(answer, "messages"), i, m)
	    put(json_string_value(json_object_get(m, "id")));
	json_decref(answer);
}

int
complete(const struct cli *c, const char *kind)
{
	static const struct {
		const char *kind;
		void (*policy)(const struct policy *); /* it and its rules */
		void (*other)(const struct cli *);
	} kinds[] = { { "rules", rules, NULL },
		{ "shadow-rules", shadow_rules, NULL },
		{ "policies", policies, NULL }, { "maps", maps, NULL },
		{ "facts", NULL, facts }, { "listeners", NULL, listeners },
		{ "settings", NULL, settings }, { "held", NULL, held } };
	const struct policy *p;
	struct error e;
	size_t i = 0;

	while (i < PN_COUNT(kinds) && strcmp(kinds[i].kind, kind) != 0)
		i++;
	if (i == PN_COUNT(kinds))
		return EX_USAGE;
	if (kinds[i].other != NULL) {
		kinds[i].other(c);
		return EX_OK;
	}
	p = policy_load(c->conf, &e);
	if (p == NULL)
		return EX_CONFIG;
	kinds[i].policy(p);
	policy_free(p);
	return EX_OK;
}
