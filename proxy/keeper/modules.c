/* modules - see modules.h. Lists: a site has some twenty modules, and parts
 * that are out of order are few. */
#include "keeper/modules.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/keep.h"

#define MODULES_MAX 500
#define PARTS_MAX 2000

struct part {
	TAILQ_ENTRY(part) next;
	const void *from;
	char *name, *text;
	uint64_t time_us;
};

struct module {
	TAILQ_ENTRY(module) next;
	char *name;
	char *error; /* NULL: none yet */
	uint64_t error_us;
	TAILQ_HEAD(, part) parts;
};

struct modules {
	TAILQ_HEAD(, module) list;
	unsigned n, n_parts;
};

struct modules *
modules_new(void)
{
	struct modules *m = xcalloc(1, sizeof(*m));

	TAILQ_INIT(&m->list);
	return m;
}

static void
part_free(struct modules *all, struct module *m, struct part *p)
{
	TAILQ_REMOVE(&m->parts, p, next);
	all->n_parts--;
	free(p->name);
	free(p->text);
	free(p);
}

void
modules_free(struct modules *all)
{
	struct module *m;

	if (all == NULL)
		return;
	while ((m = TAILQ_FIRST(&all->list)) != NULL) {
		while (!TAILQ_EMPTY(&m->parts))
			part_free(all, m, TAILQ_FIRST(&m->parts));
		TAILQ_REMOVE(&all->list, m, next);
		free(m->name);
		free(m->error);
		free(m);
	}
	free(all);
}

static struct module *
module_of(struct modules *all, struct pn_str name)
{
	struct module *m;

	TAILQ_FOREACH (m, &all->list, next)
		if (pn_str_eq(name, pn_str_of(m->name)))
			return m;
	if (all->n == MODULES_MAX)
		return NULL;
	m = xcalloc(1, sizeof(*m));
	m->name = xstrndup(name);
	TAILQ_INIT(&m->parts);
	all->n++;
	TAILQ_INSERT_TAIL(&all->list, m, next);
	return m;
}

static void
take_part(struct modules *all, struct module *m, const void *from,
    const struct keep_said *s)
{
	struct part *p;

	TAILQ_FOREACH (p, &m->parts, next)
		if (p->from == from && pn_str_eq(s->part, pn_str_of(p->name)))
			break;
	if (p != NULL)
		part_free(all, m, p);
	if (s->text.n == 0 || all->n_parts == PARTS_MAX)
		return;
	p = xcalloc(1, sizeof(*p));
	p->from = from;
	p->name = xstrndup(s->part);
	p->text = xstrndup(s->text);
	p->time_us = s->time_us;
	all->n_parts++;
	TAILQ_INSERT_TAIL(&m->parts, p, next);
}

/* Workers tell in no order: the latest one counts. */
static void
take_error(struct module *m, const struct keep_said *s)
{
	if (s->text.n == 0 || s->time_us < m->error_us)
		return;
	free(m->error);
	m->error = xstrndup(s->text);
	m->error_us = s->time_us;
}

int
modules_take(struct modules *all, const void *from, struct unpack *frame,
    struct error *e)
{
	struct keep_said s;
	struct module *m;

	while (frame->n > 0) {
		if (!keep_said_unpack(&s, frame))
			return error_set(e, "modules: nothing of ours was said");
		if ((m = module_of(all, s.module)) == NULL)
			continue;
		if (s.part.n > 0)
			take_part(all, m, from, &s);
		else
			take_error(m, &s);
	}
	return 0;
}

void
modules_gone(struct modules *all, const void *from)
{
	struct module *m;
	struct part *p, *next;

	TAILQ_FOREACH (m, &all->list, next)
		for (p = TAILQ_FIRST(&m->parts); p != NULL; p = next) {
			next = TAILQ_NEXT(p, next);
			if (p->from == from)
				part_free(all, m, p);
		}
}

/* Workers mostly say the same: once is enough. */
static bool
is_told(const struct module *m, const struct part *p)
{
	const struct part *other = TAILQ_FIRST(&m->parts);

	for (; other != p; other = TAILQ_NEXT(other, next))
		if (strcmp(other->name, p->name) == 0 &&
		    strcmp(other->text, p->text) == 0)
			return true;
	return false;
}

static void
numbers_json(const struct module *m, const struct metrics *metrics,
    struct buf *b)
{
	static const struct {
		const char *key, *series;
	} numbers[] = { { "calls", "module_calls_total" },
		{ "failures", "module_failures_total" },
		{ "timeouts", "module_timeouts_total" },
		{ "refused", "module_refused_total" } };
	struct buf label = { 0 };

	metrics_label(&label, "module", pn_str_of(m->name));
	(void)buf_add(&label, "", 1); /* no cap */
	for (size_t i = 0; i < PN_COUNT(numbers); i++)
		json_int(b, numbers[i].key,
		    metrics_sum(metrics, numbers[i].series, buf_data(&label)));
	buf_fini(&label);
}

void
modules_json(const struct modules *all, const struct metrics *metrics,
    struct buf *b)
{
	const struct module *m;
	const struct part *p;

	json_begin_array(b, "modules");
	TAILQ_FOREACH (m, &all->list, next) {
		json_begin_object(b, NULL);
		json_cstr(b, "name", m->name);
		numbers_json(m, metrics, b);
		if (m->error != NULL) {
			json_begin_object(b, "last_error");
			json_int(b, "time_us", (int64_t)m->error_us);
			json_cstr(b, "text", m->error);
			json_end_object(b);
		}
		json_begin_array(b, "parts");
		TAILQ_FOREACH (p, &m->parts, next) {
			if (is_told(m, p))
				continue;
			json_begin_object(b, NULL);
			json_cstr(b, "part", p->name);
			json_cstr(b, "state", p->text);
			json_int(b, "time_us", (int64_t)p->time_us);
			json_end_object(b);
		}
		json_end_array(b);
		json_end_object(b);
	}
	json_end_array(b);
}
