/*
 * profile - postern profile: what each rule costs on messages at hand. The
 * sandboxed inspector measures into memory that it shares with us.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <time.h>

#include "base/mem.h"
#include "cli/scan.h"

#define REPEAT_MAX 10000
#define DEAREST_SHOWN 56 /* bytes of an atom's text */

struct profile {
	const struct cli *cli;
	const struct policy *policy;
	struct scanner *scanner;
	const struct scan_session *said;
	struct rules_cost *costs;
	unsigned repeat;
	uint64_t messages, bytes, wall_ns;
	struct rules_expense *lines;
	size_t n_lines, room;
	uint64_t sum_ns;
};

/* ---- reading ---- */

static uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int
read_message(void *arg, const char *path)
{
	struct profile *p = arg;
	struct buf text = { 0 };
	struct scanned found;
	struct error e;
	int code = 0;

	if (scan_read(path, &text, &e) < 0)
		code = cli_fail(EX_NOINPUT, "%s", e.text);
	for (unsigned i = 0; i < p->repeat && code == 0; i++) {
		uint64_t began = now_ns();

		if (scanner_scan(
			p->scanner, p->said, buf_str(&text), &found, &e) < 0) {
			code = cli_fail(EX_DATAERR, "%s: %s", path, e.text);
			break;
		}
		p->wall_ns += now_ns() - began;
		p->messages++;
		p->bytes += buf_len(&text);
		transaction_free(found.t);
	}
	buf_fini(&text);
	return code;
}

/* A process that has just begun is slow, and tries itself out. */
static void
warm_up(struct profile *p, size_t size)
{
	struct scanned found;
	struct error ignored; /* the first message has the same */

	if (scanner_scan(p->scanner, p->said, PN_STR_V("Subject: x\n\nx\n"),
		&found, &ignored) == 0)
		transaction_free(found.t);
	memset(p->costs, 0, size);
}

/* ---- the report ---- */

static void
take_expense(void *arg, const struct rules_expense *x)
{
	struct profile *p = arg;

	if (p->n_lines == p->room) {
		p->room = p->room != 0 ? 2 * p->room : 64;
		p->lines = xrealloc(p->lines, p->room * sizeof(*p->lines));
	}
	p->lines[p->n_lines++] = *x;
	p->sum_ns += x->cost.ns;
}

static int
by_cost(const void *a, const void *b)
{
	const struct rules_expense *x = a, *y = b;

	if (x->cost.ns != y->cost.ns)
		return x->cost.ns < y->cost.ns ? 1 : -1;
	return x->pos->line < y->pos->line ? -1 : x->pos->line > y->pos->line;
}

static double
us_each(const struct profile *p, uint64_t ns)
{
	return (double)ns / 1000 / (double)p->messages;
}

static void
show_line(const struct profile *p, const struct rules_expense *x)
{
	(void)printf("%9.2f %5.1f %9.1f %8llu  ", us_each(p, x->cost.ns),
	    p->sum_ns != 0 ? 100.0 * (double)x->cost.ns / (double)p->sum_ns : 0,
	    (double)x->cost.tests / (double)p->messages,
	    (unsigned long long)x->cost.hits);
	show_text(stdout, x->rule);
	(void)printf(" (policy %.*s, %s:%u) ", PN_STR_ARG(x->policy),
	    x->pos->file, x->pos->line);
	show_text(stdout, pn_str_sub(x->dearest, 0, DEAREST_SHOWN));
	(void)puts(x->dearest.n > DEAREST_SHOWN ? "..." : "");
}

static void
show(const struct profile *p)
{
	(void)printf("%llu messages, %llu bytes, %.1f us each in all; looking "
		     "for literals of all rules %.2f us\n\n",
	    (unsigned long long)p->messages, (unsigned long long)p->bytes,
	    us_each(p, p->wall_ns),
	    us_each(p, rules_prefilter_ns(p->policy->rules, p->costs)));
	(void)puts("us/message     %     tests     hits  rule, and its dearest "
		   "test");
	for (size_t i = 0; i < p->n_lines; i++)
		show_line(p, &p->lines[i]);
}

static json_t *
text(struct pn_str s)
{
	json_t *v = json_stringn(s.p, s.n);

	return v != NULL ? v : json_null(); /* no UTF-8 */
}

static json_t *
line_object(const struct rules_expense *x)
{
	json_t *o = json_object();

	(void)json_object_set_new(o, "rule", text(x->rule));
	(void)json_object_set_new(o, "policy", text(x->policy));
	(void)json_object_set_new(o, "file", json_string(x->pos->file));
	(void)json_object_set_new(o, "line", json_integer(x->pos->line));
	(void)json_object_set_new(
	    o, "ns", json_integer((json_int_t)x->cost.ns));
	(void)json_object_set_new(
	    o, "tests", json_integer((json_int_t)x->cost.tests));
	(void)json_object_set_new(
	    o, "hits", json_integer((json_int_t)x->cost.hits));
	(void)json_object_set_new(o, "dearest", text(x->dearest));
	return o;
}

static void
print(const struct profile *p)
{
	json_t *all = json_array(), *o;

	for (size_t i = 0; i < p->n_lines; i++)
		(void)json_array_append_new(all, line_object(&p->lines[i]));
	o = json_pack("{s:I, s:I, s:I, s:I, s:o}", "messages",
	    (json_int_t)p->messages, "bytes", (json_int_t)p->bytes, "ns",
	    (json_int_t)p->wall_ns, "prefilter_ns",
	    (json_int_t)rules_prefilter_ns(p->policy->rules, p->costs), "rules",
	    all);
	print_json(o);
	json_decref(o);
}

static void
report(struct profile *p)
{
	if (p->messages == 0)
		return;
	rules_each_expense(p->policy->rules, p->costs, take_expense, p);
	if (p->n_lines > 0)
		qsort(p->lines, p->n_lines, sizeof(*p->lines), by_cost);
	if (p->cli->json)
		print(p);
	else
		show(p);
	free(p->lines);
}

static int
run(struct profile *p, struct scan_session *said, struct arena *arena, int argc,
    char **argv)
{
	size_t size = (rules_n_costs(p->policy->rules) + 1) * sizeof(*p->costs);
	struct error e;
	int code = given_facts(p->policy, said, arena);

	if (code != 0)
		return code;
	p->costs = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->costs == MAP_FAILED)
		return cli_fail(EX_OSERR, "mmap: %s", strerror(errno));
	p->scanner = scanner_new(p->policy, p->costs, &e);
	if (p->scanner == NULL) {
		code = cli_fail(EX_OSERR, "%s", e.text);
	} else {
		warm_up(p, size);
		code = each_message(argc, argv, read_message, p);
		report(p);
	}
	scanner_free(p->scanner);
	(void)munmap(p->costs, size); /* ours: cannot fail */
	return code;
}

/* --repeat N, taken off the arguments; 0: it is no number. */
static unsigned
take_repeat(int *argc, char **argv)
{
	unsigned long repeat = 1;
	int n = 1;

	for (int i = 1; i < *argc; i++)
		if (strcmp(argv[i], "--repeat") == 0) {
			char *end = NULL;

			repeat =
			    i + 1 < *argc ? strtoul(argv[++i], &end, 10) : 0;
			if (repeat > REPEAT_MAX || end == NULL || *end != '\0')
				repeat = 0;
		} else {
			argv[n++] = argv[i];
		}
	argv[ *argc = n] = NULL;
	return (unsigned)repeat;
}

int
cli_profile(const struct cli *c, int argc, char **argv)
{
	struct scan_session said = { 0 };
	struct profile p = { .cli = c, .said = &said };
	struct arena *arena;
	struct error e;
	int first, code;

	p.repeat = take_repeat(&argc, argv);
	first = scan_options(&said, argc, argv);
	if (p.repeat == 0 || first < 0 || first == argc)
		return cli_usage(c);
	p.policy = policy_load(c->conf, &e);
	if (p.policy == NULL)
		return cli_fail(EX_CONFIG, "%s", e.text);
	arena = arena_new(CLI_ARENA_MAX);
	code = run(&p, &said, arena, argc - first, argv + first);
	arena_free(arena);
	policy_free(p.policy);
	return code;
}
