/*
 * doctor - postern doctor: is this machine, as it is configured, fit to be a
 * mail gateway? One line a finding, with what to do. It changes nothing; each
 * next hop, and each of our own milters, sees one connection without mail.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "proxy/users.h"

#define LEAST_FREE ((uint64_t)1 << 30)
#define WRONG 1 /* exit code: something failed */

/* ---- saying it ---- */

static void
put(struct doctor *d, enum finding f, const char *what, const char *text,
    const char *advice)
{
	static const char *const words[] = { "ok", "warn", "fail" };

	if (d->cli->json) {
		(void)json_array_append_new(d->all,
		    json_pack("{s:s, s:s, s:s, s:s}", "check", what, "result",
			words[f], "found", text, "advice", advice));
		return;
	}
	(void)printf("%-4s  %-18s ", words[f], what);
	show_text(stdout, pn_str_of(text));
	(void)putchar('\n');
	if (advice[0] != '\0')
		(void)printf("%-24s -> %s\n", "", advice);
}

void
doctor_say(struct doctor *d, enum finding f, const char *what,
    const char *advice, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->warned += f == WARN;
	d->failed += f == FAIL;
	put(d, f, what, text, f == FINE ? "" : advice);
}

/* ---- settings ---- */

static void
check_networks(struct doctor *d, const struct config *c)
{
	const struct site *site = &c->smtp.site;
	unsigned widest = 128;

	for (size_t i = 0; i < site->n_mynetworks; i++) {
		const struct site_net *net = &site->mynetworks[i];
		unsigned bits = net->prefix;

		if (bits == 0) {
			doctor_say(d, FAIL, "mynetworks",
			    "name your own networks alone",
			    "the whole world is taken for a client of our own");
			return;
		}
		if (bits < widest)
			widest = bits;
	}
	if (widest < 8)
		doctor_say(d, WARN, "mynetworks",
		    "name your own networks alone",
		    "a network of /%u is very large", widest);
	else
		doctor_say(d, FINE, "mynetworks", "", "%zu network%s",
		    site->n_mynetworks, site->n_mynetworks == 1 ? "" : "s");
}

static void
check_domains(struct doctor *d, const struct config *c)
{
	size_t n = c->smtp.site.n_relay_domains;
	bool delivers = false;

	for (size_t i = 0; i < c->smtp.n_upstreams; i++)
		delivers |= c->smtp.upstreams[i].delivers;
	if (n > 0)
		doctor_say(d, FINE, "relay_domains", "", "%zu domain%s", n,
		    n == 1 ? "" : "s");
	else if (delivers)
		doctor_say(d, FAIL, "relay_domains",
		    "set it to the domains that mail is taken for",
		    "none: upstreams that deliver refuse every recipient");
	else
		doctor_say(d, WARN, "relay_domains",
		    "set it to the domains that mail is taken for",
		    "none: `direction` takes every domain for foreign");
}

static void
check_serving(struct doctor *d, const struct config *c)
{
	size_t listeners = c->smtp.n_listeners + c->milter.n_listeners;

	if (listeners == 0)
		doctor_say(d, FAIL, "listen",
		    "write a `listen smtp` or `listen milter` line",
		    "nothing listens");
	else
		doctor_say(d, FINE, "listen", "", "%zu listener%s", listeners,
		    listeners == 1 ? "" : "s");
	if (!c->engine.enforce)
		doctor_say(d, WARN, "enforce",
		    "`enforce yes` when you are ready",
		    "no: every message is accepted");
	if (ask_is_there(d->cli))
		doctor_say(d, FINE, "daemon", "", "it answers");
	else
		doctor_say(d, WARN, "daemon", "start posternd",
		    "nobody answers at %s", c->daemon.control);
}

/* ---- folders ---- */

static void
check_room(
    struct doctor *d, const char *what, const char *path, uint64_t message)
{
	struct statvfs v;
	uint64_t bytes;

	if (statvfs(path, &v) < 0) {
		doctor_say(d, FAIL, what, "", "%s: %s", path, strerror(errno));
		return;
	}
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	if (bytes < 2 * message || v.f_favail == 0)
		doctor_say(d, FAIL, what, "make room",
		    "%s has %llu MiB left, and messages may have %llu", path,
		    (unsigned long long)(bytes >> 20),
		    (unsigned long long)(message >> 20));
	else if (bytes < LEAST_FREE)
		doctor_say(d, WARN, what, "make room", "%s has %llu MiB left",
		    path, (unsigned long long)(bytes >> 20));
	else
		doctor_say(d, FINE, what, "", "%s, %llu GiB free", path,
		    (unsigned long long)(bytes >> 30));
}

static void
check_folder(struct doctor *d, const char *what, const char *path,
    const struct user *owner, uint64_t message)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		doctor_say(d, errno == ENOENT ? WARN : FAIL, what,
		    errno == ENOENT ? "posternd makes it when it starts as root"
				    : "run doctor as root",
		    "%s: %s", path, strerror(errno));
		return;
	}
	if (!S_ISDIR(st.st_mode))
		doctor_say(
		    d, FAIL, what, "make it a folder", "%s is no folder", path);
	else if (owner != NULL && st.st_uid != owner->uid)
		doctor_say(d, FAIL, what, "chown it",
		    "%s belongs to user %u, not to %u who writes there", path,
		    (unsigned)st.st_uid, (unsigned)owner->uid);
	else if ((st.st_mode & 07) != 0 && strcmp(what, "spool") == 0)
		doctor_say(d, WARN, what, "chmod 700",
		    "%s can be entered by everybody", path);
	else
		check_room(d, what, path, message);
}

static void
check_folders(struct doctor *d, const struct config *c)
{
	uint64_t message = c->smtp.message_size_limit;
	const char *const *maildir = c->keeper.maildirs;
	struct users users;
	struct error e;
	bool known = users_find(&users, c->daemon.user, c->daemon.inspect_user,
			 c->daemon.keeper_user, &e) == 0;
	bool apart = known && users.switching;

	if (!known)
		doctor_say(
		    d, FAIL, "users", "contrib/setup makes them", "%s", e.text);
	check_folder(
	    d, "spool", c->spool.dir, apart ? &users.worker : NULL, message);
	check_folder(d, "state", c->keeper.state_dir,
	    apart ? &users.keeper : NULL, message);
	for (; maildir != NULL && *maildir != NULL; maildir++)
		check_folder(d, "maildir", *maildir,
		    apart ? &users.keeper : NULL, message);
}

/* ---- log, clock ---- */

static void
check_log(struct doctor *d, const struct config *c)
{
	const char *target = c->daemon.log_target, *slash;
	char folder[1024];

	if (strcmp(target, "stderr") == 0) {
		doctor_say(d, FINE, "log", "", "stderr");
		return;
	}
	if (target[0] != '/') {
		if (access("/dev/log", W_OK) == 0)
			doctor_say(d, FINE, "log", "", "%s", target);
		else
			doctor_say(d, FAIL, "log",
			    "start a syslog daemon or journald, or log to a "
			    "file",
			    "%s, but /dev/log: %s", target, strerror(errno));
		return;
	}
	slash = strrchr(target, '/');
	(void)snprintf(folder, sizeof(folder), "%.*s",
	    slash == target ? 1 : (int)(slash - target), target);
	if (access(target, W_OK) == 0 ||
	    (errno == ENOENT && access(folder, W_OK) == 0))
		doctor_say(d, FINE, "log", "", "%s", target);
	else
		doctor_say(d, FAIL, "log", "make the folder, or run as root",
		    "%s cannot be written: %s", target, strerror(errno));
}

static void
check_clock(struct doctor *d)
{
	struct timex t = { 0 };
	struct stat st;
	time_t now = time(NULL);

	if (stat(d->cli->conf, &st) == 0 && st.st_mtime > now + 60)
		doctor_say(d, FAIL, "clock", "set the clock",
		    "the configuration was written in the future");
	else if (adjtimex(&t) == TIME_ERROR)
		doctor_say(d, WARN, "clock",
		    "run chrony or systemd-timesyncd: ids, greylisting and "
		    "signatures go by the time",
		    "nothing keeps it in step");
	else
		doctor_say(d, FINE, "clock", "", "it is kept in step");
}

/* ---- all of it ---- */

/* The zones that the policy asks; NULL when it does not load, which is said. */
static const char *const *
zones_of(struct doctor *d, const struct policy *p, const struct error *e)
{
	int64_t fact;

	if (p == NULL) {
		doctor_say(d, FAIL, "policy", "posternd -t shows the place",
		    "%.*s", (int)strcspn(e->text, "\n"), e->text);
		return NULL;
	}
	doctor_say(d, FINE, "policy", "", "it loads, %zu polic%s",
	    rules_policies(p->rules),
	    rules_policies(p->rules) == 1 ? "y" : "ies");
	fact = chain_find(&p->chain, "dnsbl");
	return fact >= 0 ? p->chain.facts[fact].keys : NULL;
}

static void
examine(struct doctor *d, const struct config *c)
{
	struct error e;
	const struct policy *p = policy_load(d->cli->conf, &e);
	const char *const *zones = zones_of(d, p, &e);

	check_serving(d, c);
	check_networks(d, c);
	check_domains(d, c);
	check_folders(d, c);
	check_log(d, c);
	check_clock(d);
	doctor_dns(d, c, zones);
	doctor_upstreams(d, c);
	doctor_milters(d, c);
	policy_free(p);
}

static void
conclude(const struct doctor *d)
{
	json_t *o;

	if (!d->cli->json) {
		(void)printf(
		    "%u failed, %u to look at\n", d->failed, d->warned);
		return;
	}
	o = json_pack("{s:i, s:i, s:O}", "failed", (int)d->failed, "warned",
	    (int)d->warned, "checks", d->all);
	print_json(o);
	json_decref(o);
}

int
cli_doctor(const struct cli *c, int argc, char **argv)
{
	struct doctor d = { .cli = c };
	struct arena *arena;
	struct config conf;
	int code;

	(void)argv;
	if (argc != 1)
		return cli_usage(c);
	arena = arena_new(CLI_ARENA_MAX);
	code = read_settings_and_keys(c, arena, &conf);
	if (code == 0) {
		d.all = json_array();
		examine(&d, &conf);
		conclude(&d);
		json_decref(d.all);
		code = d.failed > 0 ? WRONG : EX_OK;
	}
	arena_free(conf.secrets);
	arena_free(arena);
	return code;
}
