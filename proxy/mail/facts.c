/* facts - see facts.h. Filled by the engine and its modules, read by rules. */
#include "mail/facts.h"

#include "base/must.h"

const char *const thing_names[THINGS + 1] = { [THING_PART] = "part",
	[THING_URL] = "url" };

const struct fact_things *
facts_things(const struct fact_things *all, const char *name)
{
	unsigned kind = 0;

	while (kind < THINGS && strcmp(thing_names[kind], name) != 0)
		kind++;
	must(kind < THINGS);
	return &all[kind];
}

int
facts_init(struct facts *f, struct arena *a, uint32_t n_declared)
{
	*f = (struct facts){ .arena = a, .n_message = n_declared };
	f->message = arena_alloc(a, n_declared * sizeof(*f->message));
	return f->message == NULL ? -1 : 0;
}

static bool
copied(struct arena *a, struct pn_str *s)
{
	if (s->n == 0)
		return true;
	*s = arena_str(a, *s);
	return s->p != NULL;
}

int
facts_set(struct facts *f, uint32_t index, const struct value *v)
{
	struct value *to = &f->message[index];

	must(index < f->n_message);
	*to = *v;
	if (copied(f->arena, &to->str) && copied(f->arena, &to->local) &&
	    copied(f->arena, &to->domain) && copied(f->arena, &to->display))
		return 0;
	*to = (struct value){ .state = VALUE_UNKNOWN, .type = v->type };
	return -1;
}

const struct value *
facts_get(const struct facts *f, uint32_t index)
{
	must(index < f->n_message);
	return &f->message[index];
}

void
facts_found(const struct fact_of *of, uint32_t n, bool truncated,
    uint32_t index, uint32_t thing, unsigned nth, struct value *out)
{
	for (uint32_t i = 0; i < n; i++)
		if (of[i].index == index && of[i].thing == thing && nth-- == 0) {
			*out = of[i].value;
			return;
		}
	if (truncated)
		out->state = VALUE_UNKNOWN;
}
