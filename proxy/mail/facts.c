/* facts - see facts.h. Filled by the engine and its modules, read by rules. */
#include "mail/facts.h"

#include "base/must.h"

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

const struct value *
facts_of(const struct facts *f, uint32_t index, uint32_t thing)
{
	for (uint32_t i = 0; i < f->n_of; i++)
		if (f->of[i].index == index && f->of[i].thing == thing)
			return &f->of[i].value;
	return NULL;
}
