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
	STAILQ_INIT(&f->given);
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

static int
copy_value(struct arena *a, struct value *to, const struct value *v)
{
	*to = *v;
	if (copied(a, &to->str) && copied(a, &to->local) &&
	    copied(a, &to->domain) && copied(a, &to->display))
		return 0;
	*to = (struct value){ .state = VALUE_UNKNOWN, .type = v->type };
	return -1;
}

/* That costs no memory: it may be the want of it that is told. */
static void
set_unknown(struct facts *f, uint32_t index, enum value_type type)
{
	static const struct value unknown[VALUE_TYPES] = {
		[VALUE_STRING] = { VALUE_UNKNOWN, .type = VALUE_STRING },
		[VALUE_NUMBER] = { VALUE_UNKNOWN, .type = VALUE_NUMBER },
		[VALUE_BOOL] = { VALUE_UNKNOWN, .type = VALUE_BOOL },
		[VALUE_ADDRESS] = { VALUE_UNKNOWN, .type = VALUE_ADDRESS },
		[VALUE_IP] = { VALUE_UNKNOWN, .type = VALUE_IP },
		[VALUE_WORD] = { VALUE_UNKNOWN, .type = VALUE_WORD },
	};

	f->message[index] = &unknown[type];
}

/* A value of its own each time: what facts_get() gave stays what it was. */
int
facts_set(struct facts *f, uint32_t index, const struct value *v)
{
	struct value *mine;

	must(index < f->n_message);
	if (v->state == VALUE_ABSENT) {
		f->message[index] = NULL;
		return 0;
	}
	mine = arena_alloc(f->arena, sizeof(*mine));
	if (mine != NULL && copy_value(f->arena, mine, v) == 0) {
		f->message[index] = mine;
		return 0;
	}
	set_unknown(f, index, v->type);
	return -1;
}

static int
compare_text(struct pn_str a, struct pn_str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static int
compare(const struct fact_given *a, const struct fact_given *b)
{
	int order = (a->index > b->index) - (a->index < b->index);

	if (order == 0 && !pn_str_caseeq(a->key, b->key))
		order = compare_text(a->key, b->key);
	if (order == 0)
		order = (int)a->value.state - (int)b->value.state;
	if (order == 0)
		order = (a->value.number > b->value.number) -
		    (a->value.number < b->value.number);
	return order != 0 ? order : compare_text(a->value.str, b->value.str);
}

static void
insert(struct facts *f, struct fact_given *g)
{
	struct fact_given *after = NULL, *each;

	STAILQ_FOREACH (each, &f->given, next) {
		if (compare(each, g) > 0)
			break;
		after = each;
	}
	if (after == NULL)
		STAILQ_INSERT_HEAD(&f->given, g, next);
	else
		STAILQ_INSERT_AFTER(&f->given, after, g, next);
}

int
facts_add(struct facts *f, uint32_t index, struct pn_str key,
    const struct value *v)
{
	struct fact_given *g = arena_alloc(f->arena, sizeof(*g));
	int done;

	must(index < f->n_message);
	if (g == NULL || !copied(f->arena, &key)) {
		set_unknown(f, index, v->type); /* whichever it was about */
		return -1;
	}
	g->index = index;
	g->key = key;
	done = copy_value(f->arena, &g->value, v);
	insert(f, g);
	return done;
}

void
facts_forget(struct facts *f, uint32_t index)
{
	struct fact_given *g, *next;

	for (g = STAILQ_FIRST(&f->given); g != NULL; g = next) {
		next = STAILQ_NEXT(g, next);
		if (g->index == index)
			STAILQ_REMOVE(&f->given, g, fact_given, next);
	}
	f->message[index] = NULL;
}

bool
facts_nth(const struct facts *f, uint32_t index, struct pn_str key,
    unsigned nth, struct value *out)
{
	const struct fact_given *g;
	bool any = false, here = false;

	must(index < f->n_message);
	STAILQ_FOREACH (g, &f->given, next) {
		if (g->index != index)
			continue;
		any = true;
		if (!pn_str_caseeq(g->key, key))
			continue;
		here = true;
		if (nth-- == 0) {
			*out = g->value;
			return true;
		}
	}
	if (!here && nth == 0 && f->message[index] != NULL) {
		*out = *f->message[index];
		return true;
	}
	if (any || f->message[index] != NULL)
		*out = (struct value){ .state = VALUE_ABSENT };
	return any || f->message[index] != NULL;
}

const struct value *
facts_get(const struct facts *f, uint32_t index)
{
	static const struct value absent = { .state = VALUE_ABSENT };

	must(index < f->n_message);
	return f->message[index] != NULL ? f->message[index] : &absent;
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
