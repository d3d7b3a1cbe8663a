/*
 * main - posternd(8): options, then the policy, then whoever is to run it.
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "proxy/check.h"
#include "proxy/listen.h"
#include "proxy/master.h"
#include "proxy/policy.h"
#include "proxy/running.h"
#include "proxy/single.h"

struct options {
	const char *path;
	bool check, verbose, single;
};

static void
usage(FILE *out)
{
	fputs(
	    "usage: posternd [-c FILE] [-t [-v] | --single]\n"
	    "  -c FILE    the configuration (" DEFAULT_CONF ")\n"
	    "  -t         check it, run its rules' tests, and leave: 0 or 78\n"
	    "  -v         with -t: say what it means\n"
	    "  --single   all in one process, for debuggers\n"
	    "  --version, --help\n",
	    out);
}

/* -1: go on, else the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "single", no_argument, NULL,
						   's' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "c:tv", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->path = optarg;
			break;
		case 't':
			o->check = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 's':
			o->single = true;
			break;
		case 'V':
			puts("posternd " PACKAGE_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return EX_USAGE;
		}
	}
	if (optind == argc && !(o->check && o->single) &&
	    (o->check || !o->verbose))
		return -1;
	usage(stderr);
	return EX_USAGE;
}

static int
describe(const struct policy *p)
{
	struct buf b = { 0 };
	int status;

	policy_describe(p, &b);
	status = io_write_all(STDOUT_FILENO, buf_data(&b), buf_len(&b)) < 0
		     ? EX_IOERR
		     : 0;
	buf_fini(&b);
	return status;
}

/* Fatal at the start; a configuration may be checked before that, or on
 * another machine. */
static void
warn(const struct error *e)
{
	fprintf(stderr, "posternd: warning: %s\n", e->text);
}

static void
warn_of_more(const struct policy *p)
{
	struct buf b = { 0 };

	(void)policy_warn(p, &b);
	(void)io_write_all(STDERR_FILENO, buf_data(&b), buf_len(&b)); /* words */
	buf_fini(&b);
}

/* The candidate inspector runs as who would inspect, when we can be that. */
static int
run_tests(const struct policy *p, struct error *e)
{
	const struct daemon_conf *c = &p->daemon;
	struct users users;

	if (users_find(&users, c->user, c->inspect_user, c->keeper_user, e) ==
	    0)
		return check_policy(p, &users, NULL, e);
	warn(e);
	return check_policy(p, NULL, NULL, e);
}

static int
check(const struct policy *p, bool verbose)
{
	const struct doors doors = policy_doors(p);
	struct error e;
	int status = 0;

	running_warn(p->daemon.control);
	if (doors_check(&doors, &e) < 0)
		warn(&e);
	if (run_tests(p, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		status = EX_CONFIG;
	}
	/* They are among what is described. */
	if (!verbose || status != 0)
		warn_of_more(p);
	else
		status = describe(p);
	policy_free(p);
	return status;
}

/* Traces name the file of each rule: who reads one may stand elsewhere than
 * who started the daemon. Links stay, they may lead elsewhere at a reload. */
static const char *
absolute(const char *path, char *room, size_t size)
{
	char here[PATH_MAX];
	int n;

	if (path[0] == '/' || getcwd(here, sizeof(here)) == NULL)
		return path;
	n = snprintf(room, size, "%s/%s", here, path);
	return n > 0 && (size_t)n < size ? room : path;
}

int
main(int argc, char **argv)
{
	struct options o = { .path = DEFAULT_CONF };
	char room[PATH_MAX];
	const struct policy *p;
	struct error e;
	int status = read_options(argc, argv, &o);

	if (status >= 0)
		return status;
	if (!o.check)
		o.path = absolute(o.path, room, sizeof(room));
	if ((p = policy_load(o.path, &e)) == NULL) {
		fprintf(stderr, "%s\n", e.text);
		return EX_CONFIG;
	}
	if (p->unread != NULL) {
		fprintf(stderr, "%s\n", p->unread);
		return EX_CONFIG;
	}
	if (o.check)
		return check(p, o.verbose);
	if (o.single)
		single_run(p);
	return master_run(o.path, p);
}
