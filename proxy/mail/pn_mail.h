/*
 * pn_mail - what stands behind filter.h's struct pn_mail: one module's hold on
 * one mail.
 *
 * Made by whoever runs hooks (engine/host for the worker's, inspect/host for
 * .inspect), one for each module and mail; its arena is the mail's. pn_fact.c
 * implements what both have in common: pn_settings, pn_state and pn_fact_*,
 * with every check filter.h promises; what becomes of a fact is the maker's
 * ops->fact. One process, one thread.
 */
#ifndef MAIL_PN_MAIL_H
#define MAIL_PN_MAIL_H

#include "base/arena.h"
#include "mail/chain.h"
#include "mail/facts.h"

struct pn_mail_ops {
	/*
	 * A fact that passed the checks: declared by this module, of that type,
	 * in time. thing is FACT_OF_MESSAGE or a part's number. Text in v is
	 * the module's and goes with its hook: copy it.
	 */
	void (*fact)(struct pn_mail *, uint32_t index, uint32_t thing,
	    const struct value *v);
	/* The same of a keyed fact of the message. NULL: none are taken. */
	void (*keyed)(struct pn_mail *, uint32_t index, struct pn_str key,
	    const struct value *v);
};

struct pn_mail {
	const struct chain *chain;
	uint32_t module;       /* index into chain->modules */
	enum stage stage;      /* of the hook that runs: no fact of an earlier
				  one is taken */
	bool content;          /* the hook is .inspect: it gives content facts
				  and no others; other hooks never do */
	struct arena *arena;
	void *state;           /* made by the first pn_state() */
	size_t room;           /* bytes that pn_alloc() still gives */
	uint32_t dropped;      /* facts refused: undeclared, of another type,
				  late; and calls from the wrong hook */
	const struct pn_mail_ops *ops;
	void *owner;           /* the maker's */
};

/*
 * Check v against the declaration called name and hand it to ops->fact.
 * v->state is VALUE_KNOWN, or VALUE_UNKNOWN (then the type does not matter).
 */
void pn_mail_give(struct pn_mail *, uint32_t thing, const char *name,
    const struct value *v);
/* The declaration of that name, if it is this module's; else NULL. */
const struct chain_fact *pn_mail_declared(const struct pn_mail *,
    const char *name);

/* Values as modules give them. */
struct value pn_value_str(struct pn_str);
struct value pn_value_number(int64_t);
struct value pn_value_bool(enum pn_bool);
struct value pn_value_word(const char *);
struct value pn_value_unknown(void);

#endif
