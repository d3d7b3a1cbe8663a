/*
 * inspector - see inspector.h. One message at a time:
 *
 *   recv -> *working_on = id -> view -> .inspect hooks -> content atoms
 *        -> findings -> send -> *working_on = 0
 *
 * What goes wrong with a message is told in its findings (defects, no
 * answers) as long as this code still runs; when it does not, the process dies
 * and the worker's pool reads the id. Nothing is logged from inside the
 * sandbox, nothing is kept from one message to the next but memory.
 *
 * The deadline is the worker's: it has the master kill us (pool.c). Should
 * both be gone while a message keeps us busy, our own clock ends it.
 */
#include "inspect/inspector.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/sandbox.h"
#include "inspect/findings.h"
#include "inspect/host.h"
#include "inspect/part.h"
#include "inspect/probe.h"

#define INSPECTOR_MAGIC 0x696e7370u
#define EXIT_SANDBOX 71 /* EX_OSERR */

struct inspector {
	uint32_t magic;
	const struct inspect_conf *conf;
	struct inspect_channel *channel;
	int sock;
	struct rules_run *run;
	struct arena *arena; /* of the message */
	struct buf answer;
	char *frame; /* IPC_MAX */
	_Atomic uint64_t at; /* the last request that was begun */
};

/* ---- the channel ---- */

static size_t
page_rounded(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

/*
 * The order matters: the worker's mapping is made before the seal, which then
 * denies every new writable mapping and each write(2), for ever.
 */
static int
make_slots(struct inspect_channel *ch, size_t size, struct error *e)
{
	int seals =
	    F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	void *p;

	ch->slot_fd =
	    memfd_create("postern-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ch->slot_fd < 0 || ftruncate(ch->slot_fd, (off_t)size) < 0)
		return error_set(e, "memfd: %s", strerror(errno));
	p = mmap(
	    NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ch->slot_fd, 0);
	if (p == MAP_FAILED)
		return error_set(e, "slots: %s", strerror(errno));
	ch->slots = p;
	if (fcntl(ch->slot_fd, F_ADD_SEALS, seals) < 0)
		return error_set(e, "F_ADD_SEALS: %s", strerror(errno));
	p = mmap(NULL, size, PROT_READ, MAP_SHARED, ch->slot_fd, 0);
	if (p == MAP_FAILED)
		return error_set(e, "slots: %s", strerror(errno));
	ch->slots_ro = p;
	return 0;
}

int
inspect_channel_make(
    struct inspect_channel *ch, size_t max_message, struct error *e)
{
	void *page = mmap(NULL, INSPECT_WORDS * sizeof(*ch->working_on), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*ch = (struct inspect_channel){ .slot_fd = -1,
		.slot_size = page_rounded(max_message) };
	if (page == MAP_FAILED)
		return error_set(e, "shared page: %s", strerror(errno));
	ch->working_on = page;
	if (make_slots(ch, INSPECT_SLOTS * ch->slot_size, e) < 0) {
		inspect_channel_free(ch);
		return -1;
	}
	return 0;
}

void
inspect_channel_drop_write(struct inspect_channel *ch)
{
	if (ch->slots != NULL)
		(void)munmap(ch->slots, INSPECT_SLOTS * ch->slot_size);
	ch->slots = NULL;
	io_close(ch->slot_fd);
	ch->slot_fd = -1;
}

void
inspect_channel_free(struct inspect_channel *ch)
{
	inspect_channel_drop_write(ch);
	if (ch->slots_ro != NULL)
		(void)munmap(
		    (void *)ch->slots_ro, INSPECT_SLOTS * ch->slot_size);
	if (ch->working_on != NULL)
		(void)munmap(ch->working_on,
		    INSPECT_WORDS * sizeof(*ch->working_on));
	*ch = (struct inspect_channel){ .slot_fd = -1 };
}

/* ---- a message ---- */

/* What can be said when memory ran out: that it did. */
static void
out_of_room(struct findings *f)
{
	*f = (struct findings){ .truncated = true, .defects = PN_DEFECT_LIMIT };
}

static void
look(struct inspector *in, struct pn_str raw, struct findings *f)
{
	const struct inspect_conf *conf = in->conf;
	struct view *v = view_new(raw, &conf->limits, in->arena);
	struct host_result *r;

	if (v != NULL)
		v->running = &in->channel->working_on[1];
	r = v ? host_run(v, conf->chain) : NULL;
	if (r == NULL) {
		out_of_room(f);
		return;
	}
	*f = (struct findings){ .facts = r->facts,
		.n_facts = r->n_facts,
		.troubles = r->troubles,
		.n_troubles = r->n_troubles,
		.truncated = r->truncated,
		.defects = r->defects };
	memcpy(f->things, r->things, sizeof(f->things));
	f->answers = rules_inspect(conf->rules, in->run, &r->ask, in->arena);
	if (f->answers == NULL)
		f->defects |= PN_DEFECT_LIMIT;
}

/* The message's bytes, wherever they are; false: not a request of ours. */
static bool
find_bytes(const struct inspector *in, struct unpack *u, struct pn_str *raw)
{
	const struct inspect_channel *ch = in->channel;
	struct inspect_request r;

	if (!inspect_request_unpack(&r, u) ||
	    (r.in_slot && r.size > ch->slot_size))
		return false;
	*raw = r.in_slot
		   ? (struct pn_str){ ch->slots_ro + r.slot * ch->slot_size,
			     r.size }
		   : (struct pn_str){ (const char *)u->p, u->n };
	return true;
}

static void
inspect(struct inspector *in, struct pn_str raw)
{
	struct findings f = { 0 };

	probe_marker(raw, in->sock);
	look(in, raw, &f);
	buf_clear(&in->answer);
	findings_pack(&f, &in->answer);
	arena_reset(in->arena);
}

/* Not told, as by tests: as long as rules_run_new() says. */
static void
set_times(struct rules_run *run, const struct inspect_conf *conf)
{
	struct rules_limits limits = rules_run_limits(run);

	if (conf->pattern_time_ms > 0)
		limits.pattern_us = 1000 * conf->pattern_time_ms;
	if (conf->message_time_ms > 0)
		limits.message_us = 1000 * conf->message_time_ms;
	rules_run_limit(run, &limits);
}

struct inspector *
inspector_new(
    const struct inspect_conf *conf, struct inspect_channel *ch, int sock)
{
	struct inspector *in = xcalloc(1, sizeof(*in));

	/* libarchive gives names in the locale's characters. Where there is no
	 * such locale, a name it cannot give is a limit that was met. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	in->magic = INSPECTOR_MAGIC;
	in->conf = conf;
	in->channel = ch;
	in->sock = sock;
	in->run = rules_run_new();
	set_times(in->run, conf);
	rules_run_costs(in->run, conf->costs);
	/* Half of what the process may take: malloc and archives want some. */
	in->arena = arena_new(conf->max_memory / 2);
	in->frame = xcalloc(1, IPC_MAX);
	return in;
}

bool
inspector_turn(struct inspector *in)
{
	uint32_t type;
	uint64_t id;
	struct error e;
	struct pn_str raw;
	struct unpack u;
	ssize_t n;

	MUST_BE(in, INSPECTOR);
	n = ipc_read(in->sock, &type, &id, in->frame, NULL, &e);
	if (n < 0)
		return false;
	u = unpack_of(in->frame, (size_t)n);
	must(type == INSPECT_REQUEST && find_bytes(in, &u, &raw));
	atomic_store(in->channel->working_on, id);
	atomic_store(&in->at, id);
	inspect(in, raw);
	if (ipc_write(in->sock, INSPECT_ANSWER, id, buf_data(&in->answer),
		buf_len(&in->answer), -1, &e) < 0)
		return false;
	atomic_store(in->channel->working_on, 0);
	return true;
}

/* ---- the process ---- */

/*
 * Everything that opens files or takes its time at first use does so before
 * the sandbox closes: a message with one of each.
 */
static void
warm_up(struct inspector *in)
{
	static const char mail[] =
	    "Subject: =?utf-8?q?=C3=A4?= =?iso-8859-1?q?=E4?=\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n"
	    "\r\n"
	    "--b\r\n"
	    "Content-Type: text/plain; charset=windows-1252\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "=80\r\n"
	    "--b\r\n"
	    "Content-Type: application/zip; name*=utf-8''%C3%A4.zip\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "\r\n"
	    /* one stored member, a.txt, of the letter a and a line end */
	    "UEsDBBQAAAAAAAAAIQAHoerdAgAAAAIAAAAFAAAAYS50eHRhClBLAQIUAxQAAAAA\r"
	    "\n"
	    "AAAAIQAHoerdAgAAAAIAAAAFAAAAAAAAAAAAAACkgQAAAABhLnR4dFBLBQYAAAAA\r"
	    "\n"
	    "AQABADMAAAAlAAAAAAA=\r\n"
	    "--b--\r\n";

	inspect(in, PN_STR_V(mail));
}

/* The process's own: a handler is given nothing. */
static const struct inspector *ticking;

/* The same message as at the last tick has had a deadline's time of the
 * processor, and nobody waits for it any more. */
static void
on_tick(int sig)
{
	static uint64_t last;
	uint64_t id = atomic_load(&ticking->at);

	(void)sig;
	if (id != 0 && id == last)
		abort();
	last = id;
}

/* Ticks of processor time: none while there is nothing to do. */
static void
start_clock(const struct inspector *in)
{
	/* The worker is to be the first. */
	uint64_t ms = in->conf->deadline_ms + INSPECT_START_MS;
	const struct timeval t = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };
	const struct itimerval each = { t, t };
	const struct sigaction tick = { .sa_handler = on_tick,
		.sa_flags = SA_RESTART };

	ticking = in;
	must(sigaction(SIGPROF, &tick, NULL) == 0);
	must(setitimer(ITIMER_PROF, &each, NULL) == 0);
}

/* What else was open in the master is none of its business. */
static int
keep_only(int sock)
{
	unsigned fd = (unsigned)sock;

	if (fd > STDERR_FILENO + 1 &&
	    close_range(STDERR_FILENO + 1, fd - 1, 0) < 0)
		return -1;
	return close_range(fd + 1, ~0u, 0);
}

/* The terminal's and the master's signals are the worker's business: this one
 * leaves when the worker closes the socket. */
static void
settle_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE,
		SIGUSR1, SIGUSR2, SIGQUIT };
	sigset_t none;

	for (size_t i = 0; i < PN_COUNT(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void
cannot(const char *why)
{
	log_error("", "inspector", "error=\"sandbox: %s\"", why);
	_exit(EXIT_SANDBOX);
}

_Noreturn void
inspector_main(
    const struct inspect_conf *conf, struct inspect_channel *ch, int sock)
{
	struct inspector *in;
	struct error e;

	(void)prctl(PR_SET_NAME, "postern-inspect", 0, 0, 0); /* for ps(1) */
	settle_signals();
	(void)setenv("TZ", "UTC0", 1); /* else libarchive opens localtime */
	tzset();
	/* Memory is kept for the next message, not given back page by page. */
	(void)mallopt(M_MMAP_THRESHOLD, 16 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
	inspect_channel_drop_write(ch);
	if (sandbox_seal_code(&e) < 0)
		cannot(e.text);
	in = inspector_new(conf, ch, sock);
	start_clock(in);
	warm_up(in);
	if (sandbox_inspector(conf->max_memory, &e) < 0)
		cannot(e.text);
	must(keep_only(sock) == 0); /* last: up to here it can log */
	while (inspector_turn(in))
		;
	_exit(0);
}
