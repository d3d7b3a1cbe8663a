/* metrics - see metrics.h. A series has one place in a table; each source
 * holds its value at that place. */
#include "keeper/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/json.h"
#include "base/mem.h"
#include "mail/keep.h"

struct series {
	char *name, *labels;
	bool gauge;
	int64_t gone; /* of sources that ended */
};

struct metrics_source {
	LIST_ENTRY(metrics_source) next;
	struct metrics *metrics;
	unsigned worker, generation;
	int64_t *values; /* [n]: the first n series; those behind are 0 */
	size_t n;
};

struct metrics {
	struct series *all;
	size_t n, room;
	uint64_t dropped; /* values of series that had no room */
	LIST_HEAD(, metrics_source) sources;
};

struct metrics *
metrics_new(void)
{
	struct metrics *m = xcalloc(1, sizeof(*m));

	LIST_INIT(&m->sources);
	return m;
}

static void
source_free(struct metrics_source *s)
{
	LIST_REMOVE(s, next);
	free(s->values);
	free(s);
}

void
metrics_free(struct metrics *m)
{
	struct metrics_source *s;

	if (m == NULL)
		return;
	while ((s = LIST_FIRST(&m->sources)) != NULL)
		source_free(s);
	for (size_t i = 0; i < m->n; i++) {
		free(m->all[i].name);
		free(m->all[i].labels);
	}
	free(m->all);
	free(m);
}

/* ---- what workers say ---- */

struct metrics_source *
metrics_source_new(struct metrics *m, unsigned worker, unsigned generation)
{
	struct metrics_source *s = xcalloc(1, sizeof(*s));

	s->metrics = m;
	s->worker = worker;
	s->generation = generation;
	LIST_INSERT_HEAD(&m->sources, s, next);
	return s;
}

void
metrics_source_end(struct metrics_source *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->metrics->all[i].gauge)
			s->metrics->all[i].gone += s->values[i];
	source_free(s);
}

static bool
add_series(struct metrics *m, const struct keep_stat *s)
{
	if (m->n == METRICS_MAX)
		return false;
	if (m->n == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		m->all = xrealloc(m->all, m->room * sizeof(*m->all));
	}
	m->all[m->n++] = (struct series){ .name = xstrndup(s->name),
		.labels = xstrndup(s->labels), .gauge = s->gauge };
	return true;
}

/* Its place in the table; false: there is none left. */
static bool
place(struct metrics *m, const struct keep_stat *s, size_t *at)
{
	for (*at = 0; *at < m->n; (*at)++)
		if (pn_str_eq(s->name, pn_str_of(m->all[*at].name)) &&
		    pn_str_eq(s->labels, pn_str_of(m->all[*at].labels)))
			return true;
	return add_series(m, s);
}

static void
set_value(struct metrics_source *s, const struct keep_stat *stat)
{
	struct metrics *m = s->metrics;
	size_t at;

	if (!place(m, stat, &at)) {
		m->dropped++;
		return;
	}
	if (at >= s->n) {
		s->values = xrealloc(s->values, m->n * sizeof(*s->values));
		memset(s->values + s->n, 0,
		    (m->n - s->n) * sizeof(*s->values));
		s->n = m->n;
	}
	s->values[at] = stat->value;
}

int
metrics_take(struct metrics_source *s, struct unpack *frame, struct error *e)
{
	struct keep_stat stat;

	while (frame->n > 0) {
		if (!keep_stat_unpack(&stat, frame))
			return error_set(e, "metrics: no counter of ours");
		set_value(s, &stat);
	}
	return 0;
}

/* ---- sums ---- */

static int64_t
value_of(const struct metrics *m, size_t at)
{
	const struct metrics_source *s;
	int64_t sum = m->all[at].gone;

	LIST_FOREACH (s, &m->sources, next)
		if (at < s->n)
			sum += s->values[at];
	return sum;
}

static bool
is_meant(const struct series *s, const char *name, const char *label)
{
	return strcmp(s->name, name) == 0 && strstr(s->labels, label) != NULL;
}

int64_t
metrics_sum(const struct metrics *m, const char *name, const char *label)
{
	int64_t sum = 0;

	for (size_t i = 0; i < m->n; i++)
		if (is_meant(&m->all[i], name, label))
			sum += value_of(m, i);
	return sum;
}

/* One that has told nothing yet may never serve. */
static unsigned
newest_generation(const struct metrics *m)
{
	const struct metrics_source *s;
	unsigned newest = 0;

	LIST_FOREACH (s, &m->sources, next)
		if (s->n > 0 && s->generation > newest)
			newest = s->generation;
	return newest;
}

void
metrics_each_level(const struct metrics *m, const char *name,
    metrics_level *take, void *arg)
{
	unsigned generation = newest_generation(m);

	for (size_t i = 0; i < m->n; i++) {
		const struct metrics_source *s;
		int64_t sum = 0;

		if (strcmp(m->all[i].name, name) != 0)
			continue;
		LIST_FOREACH (s, &m->sources, next)
			if (s->generation == generation && i < s->n)
				sum += s->values[i];
		take(arg, m->all[i].labels, sum);
	}
}

/* key="value",key="value": quotes and backslashes in it are escaped. */
struct pn_str
metrics_label_of(const char *labels, const char *key)
{
	size_t n = strlen(key);

	while (*labels != '\0') {
		const char *value = strchr(labels, '"'), *end;
		bool is_it;

		if (value == NULL)
			break;
		is_it = (size_t)(value - labels) == n + 1 &&
		    memcmp(labels, key, n) == 0;
		for (end = ++value; *end != '\0' && *end != '"'; end++)
			end += *end == '\\' && end[1] != '\0';
		if (is_it)
			return (struct pn_str){ value, (size_t)(end - value) };
		labels = *end == '"' && end[1] == ',' ? end + 2 : "";
	}
	return PN_STR_V("");
}

static int64_t
sum_of_source(const struct metrics_source *s, const char *name)
{
	int64_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->metrics->all[i].name, name) == 0)
			sum += s->values[i];
	return sum;
}

static void
source_json(const struct metrics_source *s, struct buf *b)
{
	static const char *const shown[] = { "sessions", "sessions_total",
		"messages_total", "bytes_total" };

	json_begin_object(b, NULL);
	json_int(b, "worker", s->worker);
	json_int(b, "generation", s->generation);
	for (size_t i = 0; i < PN_COUNT(shown); i++)
		json_int(b, shown[i], sum_of_source(s, shown[i]));
	json_end_object(b);
}

void
metrics_json(const struct metrics *m, struct buf *b)
{
	const struct metrics_source *s;
	struct buf key = { 0 };

	json_begin_array(b, "workers");
	LIST_FOREACH (s, &m->sources, next)
		source_json(s, b);
	json_end_array(b);
	json_begin_object(b, "series");
	for (size_t i = 0; i < m->n; i++) {
		const struct series *one = &m->all[i];
		bool bare = one->labels[0] == '\0';

		buf_clear(&key);
		(void)buf_printf(&key, bare ? "%s" : "%s{%s}", one->name,
		    one->labels); /* no cap */
		(void)buf_add(&key, "", 1);
		json_int(b, buf_data(&key), value_of(m, i));
	}
	json_end_object(b);
	buf_fini(&key);
}

/* ---- Prometheus' text ---- */

void
metrics_family(struct buf *b, const char *name, const char *type,
    const char *help)
{
	(void)buf_printf(b, "# HELP postern_%s %s\n# TYPE postern_%s %s\n",
	    name, help, name, type); /* no cap, here and below */
}

void
metrics_sample(struct buf *b, const char *name, const char *labels,
    int64_t value)
{
	(void)buf_printf(b, "postern_%s", name);
	if (labels[0] != '\0')
		(void)buf_printf(b, "{%s}", labels);
	(void)buf_printf(b, " %" PRId64 "\n", value);
}

void
metrics_label(struct buf *b, const char *key, struct pn_str value)
{
	(void)buf_printf(b, "%s=\"", key);
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '"' || c == '\\')
			(void)buf_printf(b, "\\%c", c);
		else
			(void)buf_printf(b, "%c",
			    c < ' ' || c > '~' ? '?' : c);
	}
	(void)buf_puts(b, "\"");
}

static const char *
help_of(const char *name)
{
	static const struct {
		const char *name, *help;
	} known[] = {
		{ "bytes_total", "Bytes of the messages that came." },
		{ "connections_refused_total",
		    "Connections that were turned away at once." },
		{ "inspections_failed_total",
		    "Messages that inspection could not finish." },
		{ "limits_total", "Clients that met a limit, by which." },
		{ "messages_total", "Messages, by what became of them." },
		{ "module_calls_total", "Hooks of a filter module that ran." },
		{ "module_failures_total",
		    "Hooks of a filter module that had no answer." },
		{ "module_refused_total",
		    "Facts and calls of a filter module that were not taken." },
		{ "module_timeouts_total",
		    "Asks of a filter module that nobody answered in time." },
		{ "recipients_refused_total",
		    "Recipients that were refused before a message came." },
		{ "rules_fired_total", "How often a rule fired." },
		{ "rules_shadow_total",
		    "How often a rule in shadow would have fired." },
		{ "rules_limits_total",
		    "Tests that met a limit and are unknown." },
		{ "rules_shadow_total",
		    "How often a rule in shadow would have fired." },
		{ "sessions", "Sessions that are open." },
		{ "sessions_total", "Sessions that were opened." },
		{ "stats_dropped_total",
		    "Series that were too many to be counted." },
		{ "tls_handshakes_total",
		    "Handshakes of TLS, by side and how they ended." },
		{ "tls_injections_total",
		    "Bytes in clear where a handshake was due: dropped." },
		{ "upstream_failures_total",
		    "Next hops that could not be reached, or fell silent." },
		{ "upstream_lookups",
		    "Workers to which mail hosts by MX are found, or not." },
		{ "upstream_servers",
		    "Workers to which a server of a next hop is so." },
	};

	for (size_t i = 0; i < PN_COUNT(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].help;
	return "Counted by the workers.";
}

static int
by_name(const void *a, const void *b)
{
	const struct series *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	return order != 0 ? order : strcmp((*x)->labels, (*y)->labels);
}

void
metrics_text(const struct metrics *m, struct buf *b)
{
	const struct series **sorted = xcalloc(m->n + 1, sizeof(*sorted));
	const char *family = "";

	for (size_t i = 0; i < m->n; i++)
		sorted[i] = &m->all[i];
	qsort(sorted, m->n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < m->n; i++) {
		const struct series *s = sorted[i];

		if (strcmp(s->name, family) != 0)
			metrics_family(b, s->name,
			    s->gauge ? "gauge" : "counter", help_of(s->name));
		family = s->name;
		metrics_sample(b, s->name, s->labels,
		    value_of(m, (size_t)(s - m->all)));
	}
	free(sorted);
	metrics_family(b, "series_dropped_total", "counter",
	    "Values of workers' series that had no room here.");
	metrics_sample(b, "series_dropped_total", "", (int64_t)m->dropped);
}
