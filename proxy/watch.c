/* watch - see watch.h. */
#include "proxy/watch.h"

#include <stdlib.h>

#include "base/mem.h"

void
watch_begin(struct watch *w, const struct policy *p, uint64_t now_ms)
{
	const struct rules_file *f;

	watch_end(w);
	w->rules = p->rules;
	while (rules_file(w->rules, w->n) != NULL)
		w->n++;
	w->seen = xcalloc(w->n + 1, sizeof(*w->seen));
	for (size_t i = 0; (f = rules_file(w->rules, i)) != NULL; i++)
		w->seen[i] = f->stamp;
	if (w->n > 0 && p->daemon.map_check_ms > 0)
		w->due = now_ms + p->daemon.map_check_ms;
}

void
watch_end(struct watch *w)
{
	free(w->seen);
	*w = (struct watch){ 0 };
}

const char *
watch_look(struct watch *w, uint64_t every_ms, uint64_t now_ms)
{
	const char *changed = NULL;

	if (w->due == 0 || now_ms < w->due)
		return NULL;
	w->due = now_ms + every_ms;
	for (size_t i = 0; i < w->n; i++) {
		const char *path = rules_file(w->rules, i)->path;
		struct stamp now = stamp_of(path);

		if (stamp_eq(&now, &w->seen[i]))
			continue;
		w->seen[i] = now;
		if (changed == NULL)
			changed = path;
	}
	return changed;
}
