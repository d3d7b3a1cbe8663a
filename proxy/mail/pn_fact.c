/*
 * pn_fact - the half of filter.h that every hook may call: settings, state and
 * facts. Both hosts (engine/host, inspect/host) use it through pn_mail.h.
 */
#include "mail/pn_mail.h"

const void *
pn_settings(struct pn_mail *m)
{
	return m->chain->modules[m->module].settings;
}

void *
pn_state(struct pn_mail *m)
{
	if (m->state == NULL)
		m->state = arena_alloc(m->arena,
		    m->chain->modules[m->module].filter->state_size);
	return m->state;
}

void *
pn_alloc(struct pn_mail *m, size_t n)
{
	if (n > m->room) {
		m->dropped++;
		return NULL;
	}
	m->room -= n;
	return arena_alloc(m->arena, n);
}

struct value
pn_value_str(struct pn_str s)
{
	return (struct value){
		.state = VALUE_KNOWN, .type = VALUE_STRING, .str = s
	};
}

struct value
pn_value_number(int64_t n)
{
	return (struct value){
		.state = VALUE_KNOWN, .type = VALUE_NUMBER, .number = n
	};
}

struct value
pn_value_bool(enum pn_bool b)
{
	return (struct value){
		.state = VALUE_KNOWN, .type = VALUE_BOOL, .number = b == PN_TRUE
	};
}

struct value
pn_value_word(const char *word)
{
	return (struct value){
		.state = VALUE_KNOWN, .type = VALUE_WORD, .str = pn_str_of(word)
	};
}

struct value
pn_value_unknown(void)
{
	return (struct value){ .state = VALUE_UNKNOWN };
}

/*
 * The module's own declaration of that name. Modules pass the literal that
 * stands in their table, so the pointer tells nearly always.
 */
const struct chain_fact *
pn_mail_declared(const struct pn_mail *m, const char *name)
{
	const struct chain_module *own = &m->chain->modules[m->module];
	const struct chain_fact *facts = &m->chain->facts[own->first_fact];

	for (uint32_t i = 0; i < own->n_facts; i++)
		if (facts[i].name == name)
			return &facts[i];
	for (uint32_t i = 0; i < own->n_facts; i++)
		if (strcmp(facts[i].name, name) == 0)
			return &facts[i];
	return NULL;
}

static bool
is_word_of(const struct chain_fact *f, struct pn_str word)
{
	for (size_t i = 0; f->words != NULL && f->words[i] != NULL; i++)
		if (pn_str_eq(pn_str_of(f->words[i]), word))
			return true;
	return false;
}

/* An ip is given as text: there is no call of its own for it. */
static bool
type_fits(const struct chain_fact *f, const struct value *v)
{
	if (v->state != VALUE_KNOWN)
		return true;
	if (f->type == VALUE_IP && v->type == VALUE_STRING)
		return true;
	return f->type == v->type &&
	    (v->type != VALUE_WORD || is_word_of(f, v->str));
}

/* In time, from the right hook, of the type that is declared? */
static bool
may_give(const struct pn_mail *m, const struct chain_fact *f,
    const struct value *v)
{
	return f != NULL && f->content == m->content && f->stage >= m->stage &&
	    type_fits(f, v);
}

void
pn_mail_give(struct pn_mail *m, uint32_t thing, const char *name,
    const struct value *v)
{
	const struct chain_fact *f = pn_mail_declared(m, name);
	struct value copy = *v;

	if (!may_give(m, f, v) || f->keyed ||
	    f->of_thing != (thing != FACT_OF_MESSAGE)) {
		m->dropped++;
		return;
	}
	copy.type = f->type;
	m->ops->fact(m, (uint32_t)(f - m->chain->facts), thing, &copy);
}

static void
give_keyed(struct pn_mail *m, const char *name, struct pn_str key,
    struct value v)
{
	const struct chain_fact *f = pn_mail_declared(m, name);

	if (!may_give(m, f, &v) || !f->keyed || m->ops->keyed == NULL) {
		m->dropped++;
		return;
	}
	v.type = f->type;
	m->ops->keyed(m, (uint32_t)(f - m->chain->facts), key, &v);
}

void
pn_keyed_bool(struct pn_mail *m, const char *name, struct pn_str key,
    enum pn_bool b)
{
	give_keyed(m, name, key, pn_value_bool(b));
}

void
pn_keyed_str(struct pn_mail *m, const char *name, struct pn_str key,
    struct pn_str s)
{
	give_keyed(m, name, key, pn_value_str(s));
}

void
pn_keyed_number(struct pn_mail *m, const char *name, struct pn_str key,
    int64_t n)
{
	give_keyed(m, name, key, pn_value_number(n));
}

void
pn_keyed_word(struct pn_mail *m, const char *name, struct pn_str key,
    const char *word)
{
	give_keyed(m, name, key, pn_value_word(word));
}

void
pn_keyed_unknown(struct pn_mail *m, const char *name, struct pn_str key)
{
	give_keyed(m, name, key, pn_value_unknown());
}

void
pn_fact_str(struct pn_mail *m, const char *name, struct pn_str s)
{
	struct value v = pn_value_str(s);

	pn_mail_give(m, FACT_OF_MESSAGE, name, &v);
}

void
pn_fact_number(struct pn_mail *m, const char *name, int64_t n)
{
	struct value v = pn_value_number(n);

	pn_mail_give(m, FACT_OF_MESSAGE, name, &v);
}

void
pn_fact_bool(struct pn_mail *m, const char *name, enum pn_bool b)
{
	struct value v = pn_value_bool(b);

	pn_mail_give(m, FACT_OF_MESSAGE, name, &v);
}

void
pn_fact_word(struct pn_mail *m, const char *name, const char *word)
{
	struct value v = pn_value_word(word);

	pn_mail_give(m, FACT_OF_MESSAGE, name, &v);
}

/* str is the whole, "local@domain", for rules that do not ask for a half. */
void
pn_fact_address(struct pn_mail *m, const char *name, struct pn_str display,
    struct pn_str local, struct pn_str domain)
{
	struct value v = {
		.state = VALUE_KNOWN,
		.type = VALUE_ADDRESS,
		.display = display,
		.local = local,
		.domain = domain,
	};
	size_t n = local.n + (domain.n ? 1 + domain.n : 0);
	char *p = arena_alloc(m->arena, n);

	if (p == NULL) {
		pn_fact_unknown(m, name);
		return;
	}
	if (local.n > 0)
		memcpy(p, local.p, local.n);
	if (domain.n > 0) {
		p[local.n] = '@';
		memcpy(p + local.n + 1, domain.p, domain.n);
	}
	v.str = (struct pn_str){ p, n };
	pn_mail_give(m, FACT_OF_MESSAGE, name, &v);
}

void
pn_fact_unknown(struct pn_mail *m, const char *name)
{
	struct value v = pn_value_unknown();

	pn_mail_give(m, FACT_OF_MESSAGE, name, &v);
}
