/* scan - postern scan: the verdict on files, without a server. The options
 * that tell of the session are explain's, too. */
#include "cli/scan.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "cli/cli.h"

#define FILE_MAX ((size_t)1 << 30)

int
scan_options(struct scan_session *s, int argc, char **argv)
{
	static const struct option options[] = {
		{ "client", required_argument, NULL, 'c' },
		{ "name", required_argument, NULL, 'n' },
		{ "helo", required_argument, NULL, 'h' },
		{ "login", required_argument, NULL, 'l' },
		{ "sender", required_argument, NULL, 's' },
		{ "listener", required_argument, NULL, 'L' },
		{ "from", required_argument, NULL, 's' },
		{ "rcpt", required_argument, NULL, 'r' },
		{ "to", required_argument, NULL, 'r' },
		{ "fact", required_argument, NULL, 'f' },
		{ "unknown", required_argument, NULL, 'u' }, { 0 } };
	const char **const where[] = { ['c'] = &s->client, ['n'] = &s->name,
		['h'] = &s->helo, ['l'] = &s->login, ['s'] = &s->sender,
		['L'] = &s->listener };
	int o;

	optind = 0; /* GNU: begin anew, main has read the line before */
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == '?' || (o == 'r' && s->n_rcpts == SCAN_RCPTS_MAX) ||
		    ((o == 'f' || o == 'u') && s->n_given == SCAN_FACTS_MAX))
			return -1;
		if (o == 'r') {
			s->rcpts[s->n_rcpts++] = optarg;
		} else if (o == 'f' || o == 'u') {
			s->given[s->n_given].text = optarg;
			s->given[s->n_given++].known = o == 'f';
		} else {
			*where[o] = optarg;
		}
	}
	return optind;
}

int
scan_read(const char *path, struct buf *b, struct error *e)
{
	if (strcmp(path, "-") == 0)
		path = "/dev/stdin";
	return io_slurp(path, FILE_MAX, b, e);
}

static void
put_reply(struct buf *b, const struct reply *r)
{
	char text[1024];

	if (r->code == 0) {
		json_cstr(b, "reply", "");
		return;
	}
	(void)snprintf(text, sizeof(text), "%u%s%s %.*s", r->code,
	    r->status[0] ? " " : "", r->status, PN_STR_ARG(r->text));
	json_cstr(b, "reply", text);
}

static void
scan_json(const char *path, const struct scanned *found, struct buf *b)
{
	const struct verdict *v = found->verdict;

	json_begin_object(b, NULL);
	json_cstr(b, "file", path);
	json_cstr(b, "action", verdict_action_name(v->action));
	json_str(b, "rule", v->rule);
	if (v->action == VERDICT_QUARANTINE)
		json_str(b, "class", v->class_name);
	put_reply(b, &v->reply);
	json_raw(b, "trace", buf_str(&found->t->trace));
	json_end_object(b);
}

static void
show(const char *path, struct pn_str text, bool name)
{
	json_t *scan = json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL);

	if (name)
		(void)printf("%s:\n", path);
	render_trace(stdout, json_object_get(scan, "trace"));
	json_decref(scan);
}

/* name: with the file's name in front. The exit code. */
static int
scan_text(const struct cli *c, struct scanner *s,
    const struct scan_session *said, const char *path, struct pn_str text,
    bool name)
{
	struct buf b = { 0 };
	struct scanned found;
	struct error e;

	if (scanner_scan(s, said, text, &found, &e) < 0)
		return cli_fail(EX_DATAERR, "%s: %s", path, e.text);
	scan_json(path, &found, &b);
	if (c->json)
		(void)printf("%.*s\n", PN_STR_ARG(buf_str(&b)));
	else
		show(path, buf_str(&b), name);
	transaction_free(found.t);
	buf_fini(&b);
	return 0;
}

static int
scan_file(const struct cli *c, struct scanner *s,
    const struct scan_session *said, const char *path, bool name)
{
	struct buf text = { 0 };
	struct error e;
	int code;

	if (scan_read(path, &text, &e) < 0)
		code = cli_fail(EX_NOINPUT, "%s", e.text);
	else
		code = scan_text(c, s, said, path, buf_str(&text), name);
	buf_fini(&text);
	return code;
}

int
scan_begin(const struct cli *c, struct scanning *s, struct scan_session *said)
{
	struct error e;
	int code;

	*s = (struct scanning){ .arena = arena_new(CLI_ARENA_MAX) };
	s->policy = policy_load(c->conf, &e);
	if (s->policy == NULL)
		code = cli_fail(EX_CONFIG, "%s", e.text);
	else if ((code = given_facts(s->policy, said, s->arena)) == 0 &&
		 (s->scanner = scanner_new(s->policy, NULL, &e)) == NULL)
		code = cli_fail(EX_OSERR, "%s", e.text);
	if (code != 0)
		scan_end(s);
	return code;
}

void
scan_end(struct scanning *s)
{
	scanner_free(s->scanner);
	policy_free(s->policy);
	arena_free(s->arena);
}

int
scan_one(const struct cli *c, struct scan_session *said, const char *path,
    struct pn_str text)
{
	struct scanning s;
	int code = scan_begin(c, &s, said);

	if (code != 0)
		return code;
	code = scan_text(c, s.scanner, said, path, text, false);
	scan_end(&s);
	return code;
}

int
cli_scan(const struct cli *c, int argc, char **argv)
{
	struct scan_session said = { 0 };
	int first = scan_options(&said, argc, argv), code;
	struct scanning s;

	if (first < 0 || first == argc)
		return cli_usage(c);
	code = scan_begin(c, &s, &said);
	if (code != 0)
		return code;
	for (int i = first; i < argc; i++) {
		int one = scan_file(c, s.scanner, &said, argv[i],
		    argc - first > 1);

		if (code == 0)
			code = one;
	}
	scan_end(&s);
	return code;
}
