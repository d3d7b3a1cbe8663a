/*
 * count - what a door counts for /metrics and `postern status`, in the
 * worker's stats (engine/keep.h). One struct a door; handles are made
 * once, so that counting costs an addition. Without a keeper nothing counts.
 */
#ifndef ENGINE_COUNT_H
#define ENGINE_COUNT_H

#include "base/stats.h"
#include "mail/verdict.h"

enum count_refuser {
	REFUSED_BY_RULES,
	REFUSED_BY_NEXT_HOP,
	REFUSED_BY_RELAYING, /* not one of relay_domains */
	REFUSED_BY_LIMITS,
	REFUSERS
};

/* What a client met the end of. */
enum limit {
	LIMIT_CONNECTIONS,
	LIMIT_CLIENT_CONNECTIONS,
	LIMIT_CONNECTION_RATE,
	LIMIT_MESSAGE_RATE,
	LIMIT_RECIPIENT_RATE,
	LIMIT_AUTH_RATE,
	LIMIT_TLS_RATE,
	LIMIT_COMMAND_RATE,
	LIMIT_RECIPIENTS,
	LIMIT_SOFT_ERRORS, /* answered late */
	LIMIT_ERRORS,
	LIMIT_JUNK,
	LIMIT_SESSION_TIME,
	LIMIT_DATA_RATE,
	LIMIT_HOPS,
	LIMIT_HEADER_SIZE,
	LIMIT_LINE_LENGTH,
	LIMIT_MEMORY,
	LIMIT_DESCRIPTORS,
	LIMIT_EARLY_TALKER,
	LIMITS
};

/* What became of an AUTH. */
enum count_login {
	LOGIN_OK,
	LOGIN_REFUSED,   /* by the next hop */
	LOGIN_GIVEN_UP,  /* by the client, or its line was none */
	LOGIN_FAILED,    /* the next hop is away */
	LOGINS
};

/* The client heard 2xx, 4xx, 5xx, or left without an answer. */
#define COUNT_ANSWERS 4

struct count {
	struct stats *stats;
	struct stat_series *messages[VERDICT_REJECT + 1][COUNT_ANSWERS];
	struct stat_series *refused[REFUSERS];
	struct stat_series *limits[LIMITS];
	struct stat_series *logins[LOGINS];
	struct stat_series *bytes, *sessions, *all_sessions, *turned_away;
};

void count_init(struct count *, struct stats *);
/* A message was answered with code, 0: with nothing. */
void count_message(struct count *, enum verdict_action, uint16_t code,
    uint64_t bytes);
void count_refused(struct count *, enum count_refuser);
void count_limit(struct count *, enum limit);
const char *count_limit_name(enum limit);
void count_login(struct count *, enum count_login);
/* It came, or left: so many are open now. */
void count_session(struct count *, bool came, unsigned now);
void count_turned_away(struct count *);
/* A handshake of TLS; side: "client" or "upstream". */
void count_handshake(struct count *, const char *side, bool ok);
/* Bytes in clear where a handshake was due. */
void count_injection(struct count *, const char *side);
/* That next hop failed; status: what of (RFC 3463). */
void count_upstream(struct count *, const char *upstream, const char *status);

/* Is a next hop's server in that state here: 1 or 0. */
struct stat_series *count_server(
    struct count *, const char *upstream, const char *server, const char *state);
/* Are the look-ups of its mail hosts in that state here: 1 or 0. */
struct stat_series *count_lookups(
    struct count *, const char *upstream, const char *state);

#endif
