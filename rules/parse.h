/*
 * parse - what the parser's files share. Private to rules/. All of them return
 * -1 with the parser's error set; nodes and texts lie in the builder's arena.
 */
#ifndef RULES_PARSE_H
#define RULES_PARSE_H

#include "rules/tree.h"

struct parser {
	struct rules_builder *b;
	struct lex *l;
	struct error *e;
	unsigned depth;
};

/* parse_words.c */
bool parse_among(struct pn_str word, const char *const *list, size_t n);
#define AMONG(word, list) parse_among((word), (list), PN_COUNT(list))
int parse_not_yet(struct error *e, const struct lex_token *t);
int parse_unexpected(struct error *e, const struct lex_token *t,
    const char *what, const char *const *words, size_t n);
struct word parse_word_of(struct rules_builder *b, const struct lex_token *t);
int parse_text(struct parser *p, const char *what, struct word *out);
int parse_string(struct parser *p, const char *what, struct lex_token *t);
int parse_name(struct parser *p, const char *what, struct word *out);
/* Digits, with a sign if it may have one: at most six. */
int parse_integer(struct parser *p, const char *what, bool sign, int64_t *out);
int parse_nest(struct parser *p, const struct lex_pos *pos);

/* parse_expr.c */
int parse_or(struct parser *p, struct expr **out);
int parse_list(struct parser *p, struct word **last, const char *what);
int parse_key(struct parser *p, struct word *key, bool *has_key);

/* parse_list.c: whole items, behind their first word */
int parse_set(struct parser *p);
int parse_map(struct parser *p);
int parse_people(struct parser *p);

/* parse.c: a relative path as seen from the file it was written in. */
struct pn_str parse_under_base(struct rules_builder *b, struct pn_str path);

/* condition.c: up to its ";" */
int parse_condition(struct parser *p, unsigned *id);

/* parse_policy.c: behind `policy` */
int parse_policy(struct parser *p);

/*
 * roster.c: a policy's list of rules while it is read. An entry without
 * .placed: the policy has no such rule (yet, or any more).
 */
struct roster_entry *roster_find(struct roster *, struct pn_str name);
void roster_begin(struct parser *p, struct policy *policy);
/* Behind all others, or in the place of what it overrides. */
void roster_place(struct parser *p, struct policy *policy, struct rule *rule);
void roster_take_out(struct policy *policy, struct roster_entry *entry);
/* What was taken out leaves the list. */
void roster_end(struct policy *policy);

/* parse_rule.c: behind "{", up to its "}" */
int parse_rule_body(struct parser *p, struct rule *r);

/* parse_action.c */
int parse_then(struct parser *p, struct action **last);
int parse_on_unknown(struct parser *p, struct action **out);

#endif
