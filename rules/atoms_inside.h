/*
 * atoms_inside - an atom being made, for the files that do it: atoms.c (its
 * fact and operator; sharing, numbering), operand.c (what stands behind the
 * operator). Lives on atom_make()'s stack.
 */
#ifndef RULES_ATOMS_INSIDE_H
#define RULES_ATOMS_INSIDE_H

#include "rules/tree.h"

struct making {
	struct rules_builder *b;
	const struct test *test;
	uint32_t scope; /* the thing of the quantifier around, or NO_THING */
	const struct rules_decl *decl;
	enum value_type type; /* of the field */
	struct atom *atom;
	struct error *e;
};

/* atoms.c: "a string" ... */
const char *type_noun(enum value_type);

/* operand.c: into m->atom. The operator goes with the type. */
int operand_take(struct making *m);

#endif
