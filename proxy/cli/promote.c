/*
 * promote - postern promote: a rule from shadow to live. Its `mode shadow;` is
 * cut out of the file it stands in, nothing else is touched; what came of it is
 * loaded once before the daemon is asked to, and put back if that fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "proxy/policy.h"

#define FILE_MAX ((size_t)8 << 20)
#define CONTEXT 2 /* lines around a change */

struct promotion {
	const struct cli *cli;
	bool dry_run, no_reload;
	struct pn_str rule, policy; /* policy "": any */
	struct suggest near;
	unsigned met;  /* rules of that name that are put in shadow */
	bool inherits; /* one is in shadow by the policy it extends */
	bool live;     /* one is not */
	char file[PATH_MAX], of[128];
	struct lex_pos pos; /* but for .text and .file */
	struct buf old, new;
	size_t from, to; /* what is cut out of old */
};

/* ---- which rule ---- */

static void
take_rule(void *arg, const struct rules_name *n)
{
	struct promotion *p = arg;

	if (n->kind != RULES_NAME_RULE)
		return;
	suggest_try(&p->near, n->name);
	if (!pn_str_eq(n->name, p->rule) ||
	    (p->policy.n > 0 && !pn_str_eq(n->policy, p->policy)))
		return;
	p->live |= !n->shadow;
	p->inherits |= n->shadow && !n->mode_here;
	if (!n->shadow || !n->mode_here)
		return;
	p->met++;
	p->pos = *n->pos;
	(void)snprintf(p->file, sizeof(p->file), "%s", n->pos->file);
	(void)snprintf(p->of, sizeof(p->of), "%.*s", PN_STR_ARG(n->policy));
}

static int
find_rule(struct promotion *p)
{
	const struct policy *policy;
	struct error e;
	char near[96];

	p->near = suggest_for(p->rule);
	policy = policy_load(p->cli->conf, &e);
	if (policy == NULL)
		return cli_fail(EX_CONFIG, "%s", e.text);
	rules_each_name(policy->rules, take_rule, p);
	(void)suggest_text(&p->near, near, sizeof(near));
	policy_free(policy);
	if (p->met == 1)
		return 0;
	if (p->met > 1)
		return cli_fail(EX_USAGE,
		    "%u policies have a rule \"%.*s\" in "
		    "shadow: say which with --policy",
		    p->met, PN_STR_ARG(p->rule));
	if (p->inherits)
		return cli_fail(EX_DATAERR,
		    "\"%.*s\" is in shadow by the "
		    "policy that this one extends",
		    PN_STR_ARG(p->rule));
	if (p->live)
		return cli_fail(EX_DATAERR, "\"%.*s\" is live already",
		    PN_STR_ARG(p->rule));
	return cli_fail(
	    EX_USAGE, "there is no rule \"%.*s\"%s", PN_STR_ARG(p->rule), near);
}

/* ---- where in the text ---- */

/* The next token; a regex where one stands. False at the end. */
static bool
next(struct lex *l, struct lex_token *t)
{
	struct lex_token regex;
	struct error e;

	if (lex_next(l, t, &e) < 0 || t->kind == LEX_END)
		return false;
	return !(t->kind == LEX_OP && (lex_is(t, "~") || lex_is(t, "!~"))) ||
	       lex_regex(l, &regex, &e) == 0;
}

/* To the `rule` that the compiler saw there. */
static bool
go_to_rule(struct promotion *p, struct lex *l)
{
	struct lex_token t;

	while (next(l, &t))
		if (t.pos.line == p->pos.line &&
		    t.pos.column >= p->pos.column && lex_is(&t, "rule"))
			return next(l, &t) && pn_str_eq(t.text, p->rule);
		else if (t.pos.line == p->pos.line &&
			 t.pos.column == p->pos.column)
			return pn_str_eq(t.text, p->rule);
	return false;
}

/* `mode shadow;` among its clauses. */
static bool
go_to_mode(struct promotion *p, struct lex *l)
{
	struct pn_str text = buf_str(&p->old);
	bool begins = false; /* a clause */
	unsigned depth = 0;
	struct lex_token t;

	while (next(l, &t)) {
		if (begins && depth == 1 && lex_is(&t, "mode")) {
			p->from = (size_t)(t.text.p - text.p);
			if (!next(l, &t) || !lex_is(&t, "shadow") ||
			    !next(l, &t) || !lex_is(&t, ";"))
				return false;
			p->to = (size_t)(t.text.p - text.p) + 1;
			return true;
		}
		begins =
		    t.kind == LEX_OP &&
		    (lex_is(&t, "{") || lex_is(&t, ";") || lex_is(&t, "}"));
		if (t.kind == LEX_OP && lex_is(&t, "{"))
			depth++;
		else if (t.kind == LEX_OP && lex_is(&t, "}") && --depth == 0)
			return false;
	}
	return false;
}

/* The whole line where nothing else stands on it; else the blanks beside. */
static void
widen(struct promotion *p)
{
	const char *s = buf_data(&p->old);
	size_t n = buf_len(&p->old), from = p->from, to = p->to;

	while (from > 0 && (s[from - 1] == ' ' || s[from - 1] == '\t'))
		from--;
	while (to < n && (s[to] == ' ' || s[to] == '\t' || s[to] == '\r'))
		to++;
	if ((from == 0 || s[from - 1] == '\n') && to < n && s[to] == '\n') {
		p->from = from;
		p->to = to + 1;
	} else if (to < n && s[to] != '\n') {
		p->to = to; /* "{ mode shadow; when" -> "{ when" */
	} else {
		p->from = from;
	}
}

static int
cut(struct promotion *p)
{
	struct error e;
	struct lex l;

	if (io_slurp(p->file, FILE_MAX, &p->old, &e) < 0)
		return cli_fail(EX_NOINPUT, "%s", e.text);
	lex_init(&l, p->file, buf_str(&p->old));
	if (!go_to_rule(p, &l) || !go_to_mode(p, &l))
		return cli_fail(EX_DATAERR,
		    "%s:%u: the rule's `mode shadow;` is "
		    "not there: the file has changed",
		    p->file, p->pos.line);
	widen(p);
	(void)buf_add(&p->new, buf_data(&p->old), p->from);
	(void)buf_add(
	    &p->new, buf_data(&p->old) + p->to, buf_len(&p->old) - p->to);
	return 0;
}

/* ---- the change, for people ---- */

static unsigned
line_of(struct pn_str text, size_t at)
{
	unsigned line = 1;

	for (size_t i = 0; i < at && i < text.n; i++)
		line += text.p[i] == '\n';
	return line;
}

/* Lines first to last, each behind the sign. */
static void
put_lines(
    struct buf *b, char sign, struct pn_str text, unsigned first, unsigned last)
{
	for (unsigned line = 1; text.n > 0 && line <= last; line++) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl != NULL ? (size_t)(nl - text.p) : text.n;

		if (line >= first)
			(void)buf_printf(b, "%c%.*s\n", sign, (int)n, text.p);
		text = pn_str_sub(text, n + (nl != NULL), text.n);
	}
}

static void
put_diff(const struct promotion *p, struct buf *b)
{
	struct pn_str old = buf_str(&p->old), new = buf_str(&p->new);
	unsigned line = line_of(old, p->from);
	unsigned last = line_of(old, p->to - 1);
	unsigned total = line_of(old, old.n - 1);
	unsigned total_new = line_of(new, new.n - 1);
	bool whole = buf_data(&p->old)[p->to - 1] == '\n';
	unsigned kept = whole ? 0 : 1; /* lines left in its place */
	unsigned first = line > CONTEXT ? line - CONTEXT : 1;
	unsigned behind = last + CONTEXT < total ? last + CONTEXT : total;

	(void)buf_printf(b, "--- %s\n+++ %s\n", p->file, p->file);
	(void)buf_printf(b, "@@ -%u,%u +%u,%u @@\n", first, behind - first + 1,
	    first, behind - first + 1 - (total - total_new));
	put_lines(b, ' ', old, first, line - 1);
	put_lines(b, '-', old, line, last);
	put_lines(b, '+', new, line, line + kept - 1);
	put_lines(b, ' ', old, last + 1, behind);
}

/* ---- writing it ---- */

static int
write_beside(const char *temporary, const struct stat *st, struct pn_str text)
{
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int done = -1;

	if (fd < 0)
		return -1;
	/* Whose it was: who may not give it away keeps it. */
	if ((fchown(fd, st->st_uid, st->st_gid) == 0 || errno == EPERM) &&
	    fchmod(fd, st->st_mode & 07777) == 0 &&
	    io_write_all(fd, text.p, text.n) == 0 && fsync(fd) == 0)
		done = 0;
	if (close(fd) < 0)
		done = -1;
	return done;
}

static int
replace(const char *file, struct pn_str text)
{
	char path[PATH_MAX], temporary[PATH_MAX + 16];
	struct stat st;

	if (realpath(file, path) == NULL || stat(path, &st) < 0)
		return cli_fail(EX_NOINPUT, "%s: %s", file, strerror(errno));
	(void)snprintf(
	    temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
	if (write_beside(temporary, &st, text) == 0 &&
	    rename(temporary, path) == 0)
		return 0;
	(void)cli_fail(EX_CANTCREAT, "%s: %s", temporary, strerror(errno));
	(void)unlink(temporary); /* it may not be there */
	return EX_CANTCREAT;
}

/* What now stands there must load, or the old text comes back. */
static int
write_it(struct promotion *p)
{
	const struct policy *policy;
	struct error e;
	int code = replace(p->file, buf_str(&p->new));

	if (code != 0)
		return code;
	policy = policy_load(p->cli->conf, &e);
	if (policy == NULL) {
		code = replace(p->file, buf_str(&p->old));
		(void)cli_fail(EX_CONFIG,
		    "live, the rule is an error; the file "
		    "is as it was%s:\n%s",
		    code == 0 ? "" : " NOT", e.text);
		return EX_CONFIG;
	}
	policy_free(policy);
	return 0;
}

static int
reload(const struct promotion *p, bool *reloaded)
{
	json_t *answer;
	int code;

	*reloaded = false;
	if (p->no_reload || !ask_is_there(p->cli))
		return 0;
	code = ask(p->cli, question("reload", NULL), &answer, NULL);
	*reloaded = code == 0;
	json_decref(answer);
	return code;
}

static void
conclude(const struct promotion *p, struct pn_str diff, bool reloaded)
{
	json_t *o;

	if (!p->cli->json) {
		show_lines(stdout, diff);
		if (!p->dry_run)
			(void)puts(
			    reloaded ? "reloaded" : "written; not reloaded");
		return;
	}
	o = json_pack("{s:s, s:s, s:i, s:b, s:b}", "policy", p->of, "file",
	    p->file, "line", (int)p->pos.line, "written", !p->dry_run,
	    "reloaded", reloaded);
	(void)json_object_set_new(
	    o, "rule", json_stringn(p->rule.p, p->rule.n));
	(void)json_object_set_new(o, "diff", json_stringn(diff.p, diff.n));
	print_json(o);
	json_decref(o);
}

static int
promote(struct promotion *p)
{
	struct buf diff = { 0 };
	bool reloaded = false;
	int code = find_rule(p);

	if (code == 0)
		code = cut(p);
	if (code == 0) {
		put_diff(p, &diff);
		if (!p->dry_run && (code = write_it(p)) == 0)
			code = reload(p, &reloaded);
		if (code == 0)
			conclude(p, buf_str(&diff), reloaded);
	}
	buf_fini(&diff);
	buf_fini(&p->old);
	buf_fini(&p->new);
	return code;
}

int
cli_promote(const struct cli *c, int argc, char **argv)
{
	static const struct option options[] = { { "policy", required_argument,
						     NULL, 'p' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "no-reload", no_argument, NULL, 'r' }, { 0 } };
	struct promotion p = { .cli = c };
	int o;

	optind = 0; /* GNU: begin anew, main has read the line before */
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == '?')
			return cli_usage(c);
		if (o == 'p')
			p.policy = pn_str_of(optarg);
		p.dry_run |= o == 'n';
		p.no_reload |= o == 'r';
	}
	if (optind != argc - 1)
		return cli_usage(c);
	p.rule = pn_str_of(argv[optind]);
	return promote(&p);
}
