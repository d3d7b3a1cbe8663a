/*
 * roster - the rules of the policy being read, by name: what it has from its
 * base, what it says itself. parse_policy.c alone asks; the table is the
 * builder's own memory, used again for each policy.
 */
#include "rules/parse.h"

#include <stdlib.h>

#include "base/mem.h"

static struct roster_entry *
slot_of(const struct roster *r, struct pn_str name)
{
	uint64_t h = 14695981039346656037u;
	size_t i;

	for (size_t k = 0; k < name.n; k++)
		h = (h ^ (unsigned char)name.p[k]) * 1099511628211u;
	i = h & (r->n_slots - 1);
	while (r->slots[i].name.p != NULL && !pn_str_eq(r->slots[i].name, name))
		i = (i + 1) & (r->n_slots - 1);
	return &r->slots[i];
}

static void
grow(struct roster *r)
{
	struct roster old = *r;

	if (2 * r->n_used < r->n_slots)
		return;
	r->n_slots = r->n_slots ? 2 * r->n_slots : 64;
	r->slots = xcalloc(r->n_slots, sizeof(*r->slots));
	for (size_t i = 0; i < old.n_slots; i++)
		if (old.slots[i].name.p != NULL)
			*slot_of(r, old.slots[i].name) = old.slots[i];
	free(old.slots);
}

struct roster_entry *
roster_find(struct roster *r, struct pn_str name)
{
	struct roster_entry *entry;

	grow(r);
	entry = slot_of(r, name);
	if (entry->name.p == NULL) {
		entry->name = name;
		r->n_used++;
	}
	return entry;
}

static void
append(struct parser *p, struct policy *policy, struct roster_entry *entry)
{
	entry->placed = rules_alloc(p->b, sizeof(*entry->placed));
	*policy->last_placed = entry->placed;
	policy->last_placed = &entry->placed->next;
	policy->n_placed++;
}

void
roster_begin(struct parser *p, struct policy *policy)
{
	struct roster *r = &p->b->roster;
	const struct placed *of = policy->base ? policy->base->placed : NULL;

	if (r->n_slots > 0)
		memset(r->slots, 0, r->n_slots * sizeof(*r->slots));
	r->n_used = 0;
	policy->last_placed = &policy->placed;
	for (; of != NULL; of = of->next) {
		struct roster_entry *entry = roster_find(r, of->rule->name);

		append(p, policy, entry);
		entry->placed->rule = of->rule;
	}
}

void
roster_place(struct parser *p, struct policy *policy, struct rule *rule)
{
	struct roster_entry *entry = roster_find(&p->b->roster, rule->name);

	if (entry->placed == NULL)
		append(p, policy, entry);
	entry->placed->rule = rule;
}

void
roster_take_out(struct policy *policy, struct roster_entry *entry)
{
	entry->placed->rule = NULL;
	entry->placed = NULL;
	policy->n_placed--;
}

void
roster_end(struct policy *policy)
{
	struct placed **at = &policy->placed;

	while (*at != NULL)
		if ((*at)->rule == NULL)
			*at = (*at)->next;
		else
			at = &(*at)->next;
}
