/*
 * map - postern map: what a map of the policy holds for a key, by the very
 * look-up that rules make.
 */
#include <sysexits.h>

#include "base/suggest.h"
#include "cli/cli.h"
#include "proxy/policy.h"

#define NOT_THERE 1

struct asking {
	const struct cli *cli;
	const struct policy *policy;
	struct rules_run *run;
	struct pn_str map;
	json_t *all; /* --json */
};

static json_t *
text(struct pn_str s)
{
	json_t *v = json_stringn(s.p != NULL ? s.p : "", s.n);

	return v != NULL ? v : json_null(); /* no UTF-8 */
}

/* ---- a key ---- */

static void
add_entry(struct asking *a, const char *key, enum tri found,
    const struct rules_map_entry *entry)
{
	json_t *o = json_object();

	(void)json_object_set_new(o, "map", text(a->map));
	(void)json_object_set_new(o, "key", json_string(key));
	(void)json_object_set_new(o, "found",
	    found == TRI_UNKNOWN ? json_null() : json_boolean(found));
	if (found == TRI_TRUE) {
		(void)json_object_set_new(
		    o, "value", text(buf_str(&entry->value)));
		(void)json_object_set_new(o, "file", json_string(entry->file));
		if (entry->line > 0)
			(void)json_object_set_new(
			    o, "line", json_integer(entry->line));
	}
	(void)json_array_append_new(a->all, o);
}

static void
show_entry(const char *key, enum tri found, const struct rules_map_entry *entry)
{
	show_text(stdout, pn_str_of(key));
	if (found == TRI_UNKNOWN) {
		(void)puts(
		    ": unknown (a limit was hit, or the file is broken)");
		return;
	}
	if (found == TRI_FALSE) {
		(void)puts(": not there");
		return;
	}
	(void)printf(": %s", entry->file);
	if (entry->line > 0)
		(void)printf(":%u", entry->line);
	if (buf_len(&entry->value) > 0) {
		(void)fputs(": ", stdout);
		show_text(stdout, buf_str(&entry->value));
	}
	(void)putchar('\n');
}

static int
look_up(struct asking *a, const char *key)
{
	struct rules_map_entry entry = { 0 };
	struct error e;
	int found = rules_map_find(
	    a->policy->rules, a->run, a->map, pn_str_of(key), &entry, &e);
	int code = found == TRI_TRUE ? EX_OK : NOT_THERE;

	if (found < 0)
		code = cli_fail(EX_DATAERR, "%s", e.text);
	else if (a->cli->json)
		add_entry(a, key, (enum tri)found, &entry);
	else
		show_entry(key, (enum tri)found, &entry);
	buf_fini(&entry.value);
	return code;
}

/* ---- all maps ---- */

static void
take_map(void *arg, const struct rules_name *n)
{
	struct asking *a = arg;
	json_t *o;

	if (n->kind != RULES_NAME_MAP ||
	    (a->map.n > 0 && !pn_str_eq(n->name, a->map)))
		return;
	if (!a->cli->json) {
		(void)printf("%-16.*s %s\t# %s:%u\n", PN_STR_ARG(n->name),
		    n->path, n->pos->file, n->pos->line);
		return;
	}
	o = json_object();
	(void)json_object_set_new(o, "map", text(n->name));
	(void)json_object_set_new(o, "path", json_string(n->path));
	(void)json_object_set_new(o, "file", json_string(n->pos->file));
	(void)json_object_set_new(o, "line", json_integer(n->pos->line));
	(void)json_array_append_new(a->all, o);
}

struct search {
	struct suggest near;
	bool met;
};

static void
take_name(void *arg, const struct rules_name *n)
{
	struct search *s = arg;

	if (n->kind != RULES_NAME_MAP)
		return;
	s->met = s->met || pn_str_eq(n->name, s->near.word);
	suggest_try(&s->near, n->name);
}

static int
ask_map(struct asking *a, int argc, char **argv)
{
	struct search s = { .near = suggest_for(a->map) };
	char near[96];
	int code = EX_OK;

	rules_each_name(a->policy->rules, take_name, &s);
	if (argc > 1 && !s.met)
		return cli_fail(EX_USAGE, "there is no map \"%s\"%s", argv[1],
		    suggest_text(&s.near, near, sizeof(near)));
	if (argc <= 2)
		rules_each_name(a->policy->rules, take_map, a);
	for (int i = 2; i < argc; i++) {
		int one = look_up(a, argv[i]);

		if (one > code)
			code = one;
	}
	return code;
}

int
cli_map(const struct cli *c, int argc, char **argv)
{
	struct asking a = { .cli = c };
	struct error e;
	json_t *answer;
	int code;

	a.policy = policy_load(c->conf, &e);
	if (a.policy == NULL)
		return cli_fail(EX_CONFIG, "%s", e.text);
	if (argc > 1)
		a.map = pn_str_of(argv[1]);
	a.run = rules_run_new();
	a.all = json_array();
	code = ask_map(&a, argc, argv);
	if (c->json && code <= NOT_THERE) {
		answer =
		    json_pack("{s:O}", argc > 2 ? "entries" : "maps", a.all);
		print_json(answer);
		json_decref(answer);
	}
	json_decref(a.all);
	rules_run_free(a.run);
	policy_free(a.policy);
	return code;
}
