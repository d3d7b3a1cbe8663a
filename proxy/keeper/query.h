/*
 * query - which messages an operator means: the conditions of `history` and
 * `quarantine.list` (protocol.h). Read by ask_history.c and command.c; rows
 * are held against it by history_search.c and quarantine_json.c.
 */
#ifndef KEEPER_QUERY_H
#define KEEPER_QUERY_H

#include <jansson.h>

#include "keeper/match.h"

/* All that are set hold together. Texts are the request's. */
struct mail_query {
	uint64_t since_us, until_us; /* since <= time < until; until 0: now */
	struct pn_str from, to;	     /* as of match_address(); "": any */
	bool null_sender;	     /* from <> alone */
	struct pn_str rule, subject; /* "": any */
	bool has_client;
	struct match_net client;
	struct pn_str action, policy, would; /* history's alone; "": any */
	struct pn_str upstream, server;      /* likewise */
	struct pn_str state, class_name;     /* the quarantine's alone */
	struct pn_str before; /* an id: what came before that one, or "" */
	unsigned limit;
};

/* limit: unless said. NULL, or what is wrong. */
const char *query_read(const json_t *request, unsigned limit,
    struct mail_query *);

/* What rows of both have, and is looked for alike in both. */
struct mail_row {
	struct pn_str sender, client, subject;
};
bool query_holds(const struct mail_query *, const struct mail_row *);
/* wanted is "" or that. */
bool query_is_or_any(struct pn_str wanted, struct pn_str value);

#endif
