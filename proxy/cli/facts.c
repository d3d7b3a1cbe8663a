/*
 * facts - postern facts: what rules can ask about, from the declarations that
 * the compiler checks them by.
 */
#include <string.h>
#include <sysexits.h>

#include "base/suggest.h"
#include "cli/cli.h"
#include "proxy/policy.h"

#define NAME_COLUMNS 22

static const char *const types[VALUE_TYPES] = { [VALUE_STRING] = "string",
	[VALUE_NUMBER] = "number",
	[VALUE_BOOL] = "bool",
	[VALUE_ADDRESS] = "address",
	[VALUE_IP] = "ip",
	[VALUE_WORD] = "word" };

static const char *
module_of(const struct chain *c, const struct chain_fact *f)
{
	return f->module == CHAIN_CORE ? "core"
				       : c->modules[f->module].filter->name;
}

/* "part", or "part.name", or "part.": all that begins so. */
static bool
is_called(const struct chain_fact *f, const char *name)
{
	size_t n = strlen(name);

	return strcmp(f->name, name) == 0 ||
	       (strncmp(f->name, name, n) == 0 &&
		   (f->name[n] == '.' || (n > 0 && name[n - 1] == '.')));
}

static bool
is_wanted(const struct chain_fact *f, int n, char **names, bool *met)
{
	bool wanted = n == 0;

	for (int i = 0; i < n; i++)
		if (is_called(f, names[i]))
			wanted = met[i] = true;
	return wanted;
}

/* ---- for people ---- */

static void
show_fact(const struct chain *c, const struct chain_fact *f)
{
	int width = printf("%s%s", f->name, f->keyed ? "(\"NAME\")" : "");

	(void)printf("%*s %-8s %-8s %-11s %s",
	    width < NAME_COLUMNS ? NAME_COLUMNS - width : 0, "", types[f->type],
	    stage_name(f->stage), module_of(c, f), f->help);
	for (size_t i = 0; f->words != NULL && f->words[i] != NULL; i++)
		(void)printf("%s%s", i > 0 ? " " : "; one of: ", f->words[i]);
	if (f->many)
		(void)fputs(" (may have several values)", stdout);
	(void)putchar('\n');
}

/* ---- for programs ---- */

static json_t *
fact_object(const struct chain *c, const struct chain_fact *f)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b}",
	    "name", f->name, "type", types[f->type], "stage",
	    stage_name(f->stage), "module", module_of(c, f), "help", f->help,
	    "content", f->content, "keyed", f->keyed, "many", f->many);
	json_t *words = json_array();

	for (size_t i = 0; f->words != NULL && f->words[i] != NULL; i++)
		(void)json_array_append_new(words, json_string(f->words[i]));
	(void)json_object_set_new(o, "words", words);
	return o;
}

static int
complain(const struct chain *c, const char *name)
{
	struct suggest near = suggest_for(pn_str_of(name));
	char text[96];

	for (uint32_t i = 0; i < c->n_facts; i++)
		suggest_starts(&near, c->facts[i].name, '.');
	return cli_fail(EX_USAGE, "unknown fact \"%s\"%s", name,
	    suggest_text(&near, text, sizeof(text)));
}

static int
list(const struct cli *cli, const struct chain *c, int n, char **names)
{
	bool met[64] = { false };
	json_t *all = json_array();
	int code = EX_OK;

	for (uint32_t i = 0; i < c->n_facts; i++) {
		const struct chain_fact *f = &c->facts[i];

		if (!is_wanted(f, n, names, met))
			continue;
		if (cli->json)
			(void)json_array_append_new(all, fact_object(c, f));
		else
			show_fact(c, f);
	}
	for (int i = 0; i < n; i++)
		if (!met[i])
			code = complain(c, names[i]);
	if (cli->json && code == EX_OK) {
		json_t *answer = json_pack("{s:O}", "facts", all);

		print_json(answer);
		json_decref(answer);
	}
	json_decref(all);
	return code;
}

int
cli_facts(const struct cli *c, int argc, char **argv)
{
	const struct policy *p;
	struct error e;
	int code;

	if (argc > 64)
		return cli_usage(c);
	/* The rules are not looked at: who mends one wants to see these. */
	p = policy_load_facts(c->conf, skip_item, &e);
	if (p == NULL)
		return cli_fail(EX_CONFIG, "%s", e.text);
	code = list(c, &p->chain, argc - 1, argv + 1);
	policy_free(p);
	return code;
}
