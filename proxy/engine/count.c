/* count - see count.h. */
#include "engine/count.h"

#define LABELS(...) (const struct stat_label[]){ __VA_ARGS__ }, \
	sizeof((const struct stat_label[]){ __VA_ARGS__ }) / \
	    sizeof(struct stat_label)

static const char *const refusers[REFUSERS] = {
	[REFUSED_BY_RULES] = "rules",
	[REFUSED_BY_NEXT_HOP] = "next_hop",
	[REFUSED_BY_RELAYING] = "relaying",
	[REFUSED_BY_LIMITS] = "limits",
};

static const char *const limit_names[LIMITS] = {
	[LIMIT_CONNECTIONS] = "connections",
	[LIMIT_CLIENT_CONNECTIONS] = "client_connections",
	[LIMIT_CONNECTION_RATE] = "client_connection_rate",
	[LIMIT_MESSAGE_RATE] = "client_message_rate",
	[LIMIT_RECIPIENT_RATE] = "client_recipient_rate",
	[LIMIT_AUTH_RATE] = "client_auth_rate",
	[LIMIT_TLS_RATE] = "client_new_tls_session_rate",
	[LIMIT_COMMAND_RATE] = "client_command_rate",
	[LIMIT_RECIPIENTS] = "recipients",
	[LIMIT_SOFT_ERRORS] = "soft_errors",
	[LIMIT_ERRORS] = "errors",
	[LIMIT_JUNK] = "junk_commands",
	[LIMIT_SESSION_TIME] = "session_time",
	[LIMIT_DATA_RATE] = "data_rate",
	[LIMIT_HOPS] = "hops",
	[LIMIT_HEADER_SIZE] = "header_size",
	[LIMIT_LINE_LENGTH] = "line_length",
	[LIMIT_MEMORY] = "memory",
	[LIMIT_DESCRIPTORS] = "descriptors",
	[LIMIT_EARLY_TALKER] = "early_talker",
};

static const char *const logins[LOGINS] = {
	[LOGIN_OK] = "ok",
	[LOGIN_REFUSED] = "refused",
	[LOGIN_GIVEN_UP] = "given_up",
	[LOGIN_FAILED] = "failed",
};

/* Those that an operator's graph begins with are there from the start. */
void
count_init(struct count *c, struct stats *s)
{
	*c = (struct count){ .stats = s };
	c->bytes = stats_counter(s, "bytes_total", NULL, 0);
	c->sessions = stats_gauge(s, "sessions", NULL, 0);
	c->all_sessions = stats_counter(s, "sessions_total", NULL, 0);
	c->turned_away = stats_counter(s, "connections_refused_total", NULL, 0);
	for (size_t i = 0; i < REFUSERS; i++)
		c->refused[i] = stats_counter(s, "recipients_refused_total",
		    LABELS({ "by", pn_str_of(refusers[i]) }));
	for (size_t i = 0; i < LIMITS; i++)
		c->limits[i] = stats_counter(s, "limits_total",
		    LABELS({ "limit", pn_str_of(limit_names[i]) }));
	for (size_t i = 0; i < LOGINS; i++)
		c->logins[i] = stats_counter(s, "logins_total",
		    LABELS({ "result", pn_str_of(logins[i]) }));
}

void
count_message(struct count *c, enum verdict_action action, uint16_t code,
    uint64_t bytes)
{
	static const char *const answers[COUNT_ANSWERS] = { "none", "2xx",
		"4xx", "5xx" };
	size_t answer = code == 0 ? 0 : code < 400 ? 1 : code < 500 ? 2 : 3;
	struct stat_series **at = &c->messages[action][answer];

	if (*at == NULL)
		*at = stats_counter(c->stats, "messages_total",
		    LABELS({ "action", pn_str_of(verdict_action_name(action)) },
			{ "answer", pn_str_of(answers[answer]) }));
	stat_add(*at, 1);
	stat_add(c->bytes, bytes);
}

void
count_refused(struct count *c, enum count_refuser by)
{
	stat_add(c->refused[by], 1);
}

void
count_limit(struct count *c, enum limit limit)
{
	stat_add(c->limits[limit], 1);
}

const char *
count_limit_name(enum limit limit)
{
	return limit_names[limit];
}

void
count_login(struct count *c, enum count_login result)
{
	stat_add(c->logins[result], 1);
}

void
count_session(struct count *c, bool came, unsigned now)
{
	stat_add(c->all_sessions, came);
	stat_set(c->sessions, now);
}

void
count_turned_away(struct count *c)
{
	stat_add(c->turned_away, 1);
}

/* Not often: the handle is looked for each time. */
void
count_upstream(struct count *c, const char *upstream, const char *status)
{
	stat_add(stats_counter(c->stats, "upstream_failures_total",
	    LABELS({ "upstream", pn_str_of(upstream) },
		{ "status", pn_str_of(status) })), 1);
}

void
count_handshake(struct count *c, const char *side, bool ok)
{
	static const char *const results[] = { "failed", "ok" };

	stat_add(stats_counter(c->stats, "tls_handshakes_total",
	    LABELS({ "side", pn_str_of(side) },
		{ "result", pn_str_of(results[ok]) })), 1);
}

void
count_injection(struct count *c, const char *side)
{
	stat_add(stats_counter(c->stats, "tls_injections_total",
	    LABELS({ "side", pn_str_of(side) })), 1);
}

struct stat_series *
count_server(struct count *c, const char *upstream, const char *server,
    const char *state)
{
	return stats_gauge(c->stats, "upstream_servers",
	    LABELS({ "upstream", pn_str_of(upstream) },
		{ "server", pn_str_of(server) },
		{ "state", pn_str_of(state) }));
}

struct stat_series *
count_lookups(struct count *c, const char *upstream, const char *state)
{
	return stats_gauge(c->stats, "upstream_lookups",
	    LABELS({ "upstream", pn_str_of(upstream) },
		{ "state", pn_str_of(state) }));
}
