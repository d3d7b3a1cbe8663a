/*
 * check - one rule being checked, shared by check.c, check_expr.c,
 * check_action.c and check_test.c. All of them return -1 with the error set.
 */
#ifndef RULES_CHECK_H
#define RULES_CHECK_H

#include "rules/text.h"

/* One rule being checked. */
struct checking {
	struct rules_builder *b;
	const struct policy *policy;
	struct rule *rule;
	struct scope scope;
	bool *any_of; /* [things]: `when` has an `any` that can find one */
	const struct expr *any; /* the one around, for named groups */
	bool negated;
	bool in_when;
	bool is_condition; /* of a setting: the message is not known to it */
	struct error *e;
};

/* check.c: a fact of the rule is known from that stage on. */
void check_no_earlier(struct checking *, unsigned stage);
bool check_declares_word(const struct rules_decl *, struct pn_str word);

/* check_expr.c: names, types, short forms written out, atoms hung on. */
int check_expr(struct checking *, struct expr *);

/* condition.c */
int check_conditions(struct rules_builder *, struct error *);

/* check_action.c: texts and what else an action needs of its rule. */
int check_all_actions(struct checking *);

/* check_test.c: into rules->tests. */
int check_tests(struct checking *);

#endif
