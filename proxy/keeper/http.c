/* http - see http.h. Libevent's evhttp reads the requests; what the workers
 * counted stands in metrics.c, what only the keeper or the master knows is
 * written here. */
#include "keeper/http.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "keeper/inside.h"
#include "keeper/ready.h"

#define SILENT_US 8000000ull /* a master that has not answered so long is sick */
#define TROUBLE_US 60000000ull /* an error is forgotten after that */
#define MIB (1024ull * 1024)
#define LEAST_FREE (256 * MIB)
#define MOST_FREE (10240 * MIB) /* more is enough, whatever its share */

struct http {
	struct keeper *keeper;
	struct evhttp *server;
	struct event ask;
	json_t *master;	     /* what it said last, or NULL */
	uint64_t master_us;  /* when; at first: when we began */
	unsigned sick_polls; /* so often in a row something was missing */
};

/* ---- what the master knows ---- */

static int64_t
number_at(const json_t *v, const char *key, const char *inner)
{
	const json_t *at = json_object_get(v, key);

	if (inner != NULL)
		at = json_object_get(at, inner);
	return json_integer_value(at);
}

void
http_master_said(struct http *h, struct pn_str text)
{
	json_t *said = json_loadb(text.p, text.n, 0, NULL);

	if (said == NULL)
		return; /* then it is silent, and that shows */
	json_decref(h->master);
	h->master = said;
	h->master_us = keeper_clock_us();
	if (number_at(said, "missing", NULL) > 0)
		h->sick_polls++;
	else
		h->sick_polls = 0;
}

static void
on_ask(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;

	(void)fd;
	(void)what;
	MUST_BE(h->keeper, KEEPER);
	command_ask_status(h->keeper);
}

/* ---- health ---- */

static void sick(struct health *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
sick(struct health *x, const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	(void)buf_printf(&x->reasons, "%s\n", line); /* no cap */
}

void
health_disk(struct health *x, const char *what, uint64_t room, uint64_t size)
{
	if (room >= LEAST_FREE && (room >= MOST_FREE || room >= size / 100))
		return;
	sick(x, "%s: the disk is nearly full, %llu MiB are left", what,
	    (unsigned long long)(room / MIB));
}

static void
look_at_disk(const struct http *h, struct health *x)
{
	const char *dir = h->keeper->conf->state_dir;
	struct statvfs v;

	if (statvfs(dir, &v) < 0)
		sick(x, "%s: %m", dir);
	else
		health_disk(x, dir, (uint64_t)v.f_bavail * v.f_frsize,
		    (uint64_t)v.f_blocks * v.f_frsize);
}

static void
look_at_processes(const struct http *h, struct health *x)
{
	const struct keeper *k = h->keeper;

	if (k->master == NULL)
		sick(x, "the master is gone");
	else if (keeper_clock_us() - h->master_us > SILENT_US)
		sick(x, "the master does not answer");
	/* One that died is forked again at once: twice is not chance. */
	if (h->sick_polls > 1)
		sick(x, "%lld processes are missing",
		    (long long)number_at(h->master, "missing", NULL));
	if (LIST_EMPTY(&k->links))
		sick(x, "no worker is there");
}

static void
look(const struct http *h, struct health *x)
{
	const struct keeper *k = h->keeper;

	look_at_processes(h, x);
	look_at_disk(h, x);
	if (k->trouble_us != 0 &&
	    keeper_clock_us() - k->trouble_us < TROUBLE_US)
		sick(x, "%s", k->trouble);
}

/* ... and to be sent mail: for whoever shares it out among gateways. */
static void
look_if_ready(const struct http *h, struct health *x)
{
	look(h, x);
	if (h->keeper->leaving)
		sick(x, "it is ending");
	ready_look(h->keeper->metrics, &x->reasons);
}

/* ---- the keeper's own families ---- */

static void
put_one(struct buf *b, const char *name, const char *type, const char *help,
    int64_t value)
{
	metrics_family(b, name, type, help);
	metrics_sample(b, name, "", value);
}

struct usage {
	struct buf messages, bytes; /* samples of the two families */
	int64_t waiting;
};

static void
put_usage(void *arg, struct pn_str class_name, struct pn_str state,
    int64_t messages, int64_t bytes)
{
	struct usage *u = arg;
	struct buf labels = { 0 };

	metrics_label(&labels, "class", class_name);
	(void)buf_puts(&labels, ","); /* no cap */
	metrics_label(&labels, "state", state);
	(void)buf_add(&labels, "", 1);
	metrics_sample(&u->messages, "quarantine_messages", buf_data(&labels),
	    messages);
	metrics_sample(&u->bytes, "quarantine_bytes", buf_data(&labels), bytes);
	if (pn_str_eq(state, PN_STR_V("waiting")) ||
	    pn_str_eq(state, PN_STR_V("unknown")))
		u->waiting += messages;
	buf_fini(&labels);
}

static void
put_quarantine(struct keeper *k, struct buf *b)
{
	struct usage u = { .waiting = 0 };
	struct quarantine_counts c;
	struct error e;

	if (quarantine_usage(k->quarantine, put_usage, &u, &e) < 0)
		keeper_trouble(k, "metrics", e.text);
	metrics_family(b, "quarantine_messages", "gauge", "Mail that is held.");
	(void)buf_add_str(b, buf_str(&u.messages));
	metrics_family(b, "quarantine_bytes", "gauge",
	    "Bytes of the mail that is held.");
	(void)buf_add_str(b, buf_str(&u.bytes));
	quarantine_counted(k->quarantine, &c);
	put_one(b, "quarantine_expired_total", "counter",
	    "Held mail that was deleted for its age.", (int64_t)c.expired);
	put_one(b, "quarantine_dropped_total", "counter",
	    "Held mail that was deleted for room.", (int64_t)c.dropped);
	put_one(b, "quarantine_refused_total", "counter",
	    "Mail that was refused because its class was full.",
	    (int64_t)c.refused);
	put_one(b, "releases_under_way", "gauge",
	    "Releases that a worker has.", k->n_releases);
	put_one(b, "releases_waiting", "gauge",
	    "Releases that were put off or not answered.", u.waiting);
	buf_fini(&u.messages);
	buf_fini(&u.bytes);
}

static void
put_history(struct keeper *k, struct buf *b)
{
	int64_t lines = 0, bytes = 0;
	struct error e;

	if (keeper_count_history(k, &lines, &bytes, &e) < 0)
		keeper_trouble(k, "metrics", e.text);
	put_one(b, "history_messages", "gauge",
	    "Messages that history knows.", lines);
	put_one(b, "history_bytes", "gauge", "Bytes of the history.", bytes);
}

/* ---- the master's ---- */

static void
put_role(struct buf *count, struct buf *rss, const json_t *processes,
    const char *role)
{
	int64_t n = 0, bytes = 0;
	struct buf label = { 0 };
	const json_t *p;
	size_t i;

	json_array_foreach (processes, i, p) {
		const char *its = json_string_value(json_object_get(p, "role"));

		if (its == NULL || strcmp(its, role) != 0)
			continue;
		n++;
		bytes += number_at(p, "rss", NULL);
	}
	metrics_label(&label, "role", pn_str_of(role));
	(void)buf_add(&label, "", 1); /* no cap */
	metrics_sample(count, "processes", buf_data(&label), n);
	metrics_sample(rss, "resident_bytes", buf_data(&label), bytes);
	buf_fini(&label);
}

static void
put_processes(const json_t *master, struct buf *b)
{
	static const char *const roles[] = { "master", "keeper", "worker",
		"milter", "inspector" };
	const json_t *all = json_object_get(master, "processes");
	struct buf rss = { 0 };

	metrics_family(b, "processes", "gauge", "Processes, by what they do.");
	for (size_t i = 0; i < PN_COUNT(roles); i++)
		put_role(b, &rss, all, roles[i]);
	metrics_family(b, "resident_bytes", "gauge",
	    "Memory of the processes; what they share counts for each.");
	(void)buf_add_str(b, buf_str(&rss)); /* no cap */
	buf_fini(&rss);
}

static void
put_master(const json_t *m, struct buf *b)
{
	static const char *const dying[] = { "worker", "milter", "inspector",
		"keeper" };
	char label[40];

	put_one(b, "generation", "gauge",
	    "The generation of configuration and rules that serves.",
	    number_at(m, "generation", NULL));
	put_one(b, "start_time_seconds", "gauge",
	    "When it began, in seconds since 1970.",
	    number_at(m, "started_us", NULL) / 1000000);
	metrics_family(b, "reloads_total", "counter",
	    "Reloads, by what became of them.");
	metrics_sample(b, "reloads_total", "result=\"ok\"",
	    number_at(m, "reloads", "ok"));
	metrics_sample(b, "reloads_total", "result=\"failed\"",
	    number_at(m, "reloads", "failed"));
	metrics_family(b, "process_deaths_total", "counter",
	    "Processes that died of a signal or an error.");
	for (size_t i = 0; i < PN_COUNT(dying); i++) {
		(void)snprintf(label, sizeof(label), "role=\"%s\"", dying[i]);
		metrics_sample(b, "process_deaths_total", label,
		    number_at(m, "deaths", dying[i]));
	}
	put_processes(m, b);
}

/* ---- requests ---- */

static void
say(struct evhttp_request *req, int code, const char *type,
    const struct buf *text)
{
	struct evbuffer *out = evhttp_request_get_output_buffer(req);
	struct evkeyvalq *head = evhttp_request_get_output_headers(req);

	must(evhttp_add_header(head, "Content-Type", type) == 0);
	must(evhttp_add_header(head, "Cache-Control", "no-store") == 0);
	must(evbuffer_add(out, buf_len(text) ? buf_data(text) : "",
	    buf_len(text)) == 0);
	evhttp_send_reply(req, code, NULL, NULL);
}

static void
say_metrics(struct http *h, struct evhttp_request *req)
{
	struct keeper *k = h->keeper;
	struct health x = { { 0 } };
	struct buf b = { 0 };

	metrics_family(&b, "build_info", "gauge", "Which version this is.");
	metrics_sample(&b, "build_info", "version=\"" PACKAGE_VERSION "\"", 1);
	look(h, &x);
	put_one(&b, "healthy", "gauge", "What /health says, 1 or 0.",
	    buf_len(&x.reasons) == 0);
	buf_clear(&x.reasons);
	look_if_ready(h, &x);
	put_one(&b, "ready", "gauge", "What /ready says, 1 or 0.",
	    buf_len(&x.reasons) == 0);
	put_one(&b, "keeper_errors_total", "counter",
	    "Errors of the keeper's files.", (int64_t)k->troubles);
	metrics_text(k->metrics, &b);
	put_quarantine(k, &b);
	put_history(k, &b);
	if (h->master != NULL)
		put_master(h->master, &b);
	say(req, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
	buf_fini(&b);
	buf_fini(&x.reasons);
}

static void
say_health(const struct http *h, struct evhttp_request *req,
    void (*look_at)(const struct http *, struct health *))
{
	struct health x = { { 0 } };
	bool well;

	look_at(h, &x);
	well = buf_len(&x.reasons) == 0;
	if (well)
		(void)buf_puts(&x.reasons, "ok\n"); /* no cap */
	say(req, well ? 200 : 503, "text/plain; charset=utf-8", &x.reasons);
	buf_fini(&x.reasons);
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	struct http *h = arg;
	struct buf none = { 0 };

	MUST_BE(h->keeper, KEEPER);
	if (path != NULL && strcmp(path, "/metrics") == 0) {
		say_metrics(h, req);
	} else if (path != NULL && strcmp(path, "/health") == 0) {
		say_health(h, req, look);
	} else if (path != NULL && strcmp(path, "/ready") == 0) {
		say_health(h, req, look_if_ready);
	} else {
		(void)buf_puts(&none, "/metrics, /health or /ready\n"); /* no cap */
		say(req, 404, "text/plain; charset=utf-8", &none);
		buf_fini(&none);
	}
}

/* ---- the server ---- */

struct http *
http_new(struct keeper *k, int sock)
{
	struct http *h = xcalloc(1, sizeof(*h));

	h->keeper = k;
	h->master_us = keeper_clock_us();
	h->server = evhttp_new(loop_base(k->loop));
	must(h->server != NULL);
	evhttp_set_allowed_methods(h->server, EVHTTP_REQ_GET);
	evhttp_set_max_headers_size(h->server, HTTP_HEAD_MAX);
	evhttp_set_max_body_size(h->server, 0);
	evhttp_set_timeout(h->server, HTTP_PATIENCE_S);
	evhttp_set_gencb(h->server, on_request, h);
	must(evhttp_accept_socket(h->server, sock) == 0);
	event_assign(&h->ask, loop_base(k->loop), -1, EV_PERSIST, on_ask, h);
	must(event_add(&h->ask, loop_timeout(k->loop, HTTP_ASK_MS)) == 0);
	on_ask(-1, 0, h);
	return h;
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	(void)event_del(&h->ask); /* assigned: cannot fail */
	evhttp_free(h->server); /* and closes its socket */
	json_decref(h->master);
	free(h);
}
