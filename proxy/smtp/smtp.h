/*
 * smtp - door one: the transparent SMTP proxy. What the rest of postern sees
 * of it: its compiled configuration and how a worker starts and drains it.
 * RFC 5321, 1870, 2033, 2920, 3461, 6152, 6531, 2034; Postfix XCLIENT,
 * XFORWARD.
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "engine/engine.h"
#include "mail/site.h"
#include "mail/spool.h"
#include "smtp/tls.h"

#define HOP_SERVERS_MAX 64 /* of one upstream */

/* How a next hop hears who the client is. The connection's own way, but for
 * XFORWARD, which precedes each mail. */
enum smtp_identity {
	IDENTITY_NONE,
	IDENTITY_XCLIENT,
	IDENTITY_XFORWARD,
	IDENTITY_PROXY,    /* a PROXY header, version 2 */
	IDENTITY_PROXY_V1,
	IDENTITY_TPROXY    /* connected from the client's own address */
};

/* Who may log in, through us, at the next hop (RFC 4954); the words of
 * config_listen.c stand in this order. */
enum smtp_auth {
	AUTH_NONE,    /* not offered: 502 */
	AUTH_TLS,     /* under TLS; in clear 538 (preset) */
	AUTH_CLEAR,   /* in clear, too */
	AUTH_REQUIRE  /* as TLS, and no mail before it: 530 */
};

struct smtp_server {
	const char *name;             /* "127.0.0.1:2525", "mta.example.com:25" */
	const char *host;             /* to be looked up, with port; or NULL: */
	uint16_t port;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	unsigned priority;            /* the lowest is tried first */
	unsigned weight;              /* its share among equals, from 1 */
	bool drain;                   /* gets no new mail */
};

/* A CR or LF on its own in a message: it is refused, or becomes CRLF. */
enum smtp_bare_newline { BARE_REJECT, BARE_NORMALISE };

/* A next hop: an MTA or several that do the same, or the keeper's maildir. */
struct smtp_upstream {
	const char *name;
	const struct smtp_server *servers; /* none: maildir, or mx */
	size_t n_servers;
	bool mx;                      /* the mail hosts of mx_domain, or, if that
					 is NULL, of the recipient's domain */
	const char *mx_domain;
	unsigned mx_port;             /* 25 */
	const char *maildir;          /* path, or NULL */
	bool lmtp;                    /* the server speaks LMTP (RFC 2033) */
	bool delivers;                /* mail ends here: maildir, deliver lmtp */
	enum smtp_identity identity;
	bool dial_connect;            /* as soon as a client is there, for him
					 alone; else for his mail */
	uint64_t connect_timeout_ms;  /* 30 s, of each server */
	uint64_t failover_timeout_ms; /* 1 min, of all of them */
	uint64_t health_ms;           /* between probes of a server; 0: none but
					 when it is away, or a client comes */
	uint64_t reply_timeout_ms;    /* 5 min (RFC 5321 4.5.3.2) */
	uint64_t data_timeout_ms;     /* after the final dot: 10 min */
	bool reuse;                   /* a connection serves several clients */
	unsigned keep;                /* of them wait at most, a server and
					 worker: 20 */
	uint64_t keep_idle_ms;        /* ... and no longer than 5 s */
	unsigned warm;                /* unused ones that wait: none */
	struct tls_next tls;
};

struct smtp_route_line {
	const char *key; /* "ada@example.com", "example.com", ".example.com":
			    its subdomains; lower case, A-labels */
	const struct smtp_upstream *upstream;
};

/* The upstream by recipient: lines, then maps, then the default. */
struct smtp_route {
	const char *name;
	const struct smtp_route_line *lines; /* by strcasecmp() of their keys */
	size_t n_lines;
	const char *const *maps;      /* of the rules; values name upstreams */
	size_t n_maps;
	const struct smtp_upstream *otherwise; /* NULL: relaying is denied */
};

struct smtp_listener {
	const char *name;             /* as written: "*:25" */
	struct sockaddr_storage addr;
	socklen_t addr_len;
	bool lmtp;                    /* the client speaks LMTP (RFC 2033) */
	const struct smtp_upstream *upstream; /* of all its mail, or NULL: */
	const struct smtp_route *route;
	const struct site_net *identity_from; /* MTAs whose XFORWARD/XCLIENT we take */
	size_t n_identity_from;
	struct tls_listen tls;
	enum smtp_identity identity_by; /* the one of the two they may speak;
					   NONE without identity_from */
	const struct site_net *proxy_from; /* they begin with a PROXY header */
	size_t n_proxy_from;
	enum smtp_auth auth;
};

/* Counted by time and client net. */
enum limit_rate {
	RATE_CONNECTIONS,
	RATE_MESSAGES,
	RATE_RECIPIENTS,
	RATE_AUTH,
	RATE_TLS, /* new sessions */
	RATE_COMMANDS,
	LIMIT_RATES
};

struct smtp_limits {
	unsigned ipv4_bits, ipv6_bits; /* of an address that are one client */
	const struct site_net *exceptions; /* clients that are not counted */
	size_t n_exceptions;
	unsigned rates[LIMIT_RATES];  /* in that time; 0: no limit */
	uint64_t rate_unit_ms;        /* 60 s */
	unsigned soft_errors;         /* of a session: 10; each one more ... */
	uint64_t error_sleep_ms;      /* ... is answered so much later: 1 s */
	unsigned overshoot;           /* recipients behind their limit that are
					 no errors: 1000 */
	uint64_t session_ms;          /* of a session */
	size_t data_rate;             /* bytes a second of a message, at least, */
	uint64_t data_grace_ms;       /* but not before: 30 s */
	unsigned hops;                /* Received fields: 50 */
	size_t header_size;           /* 1 MiB */
	size_t line_length;           /* of a message, without CRLF */
	size_t memory;                /* of a worker's heap: 1 GiB */
	uint64_t greet_wait_ms;       /* before the greeting */
	enum { PREGREET_DROP, PREGREET_NOTE } pregreet; /* who talks in it */
};

struct smtp_conf {
	const char *hostname;
	const struct smtp_upstream *upstreams;
	size_t n_upstreams;
	const struct smtp_route *routes;
	size_t n_routes;
	const struct smtp_listener *listeners;
	size_t n_listeners;
	struct site site;             /* its domains: for maildir upstreams */
	size_t message_size_limit;    /* 50 MiB */
	enum smtp_bare_newline bare_newline; /* reject */
	unsigned recipient_limit;     /* a transaction: 1000 */
	unsigned connection_limit;    /* of all workers: 10000 */
	unsigned client_connection_limit; /* of a client net, likewise: 50 */
	struct smtp_limits limits;
	unsigned error_limit;         /* 4xx/5xx of a session, then 421: 20 */
	unsigned junk_command_limit;  /* NOOP VRFY RSET ... without mail: 100 */
	uint64_t command_timeout_ms;  /* 5 min */
	uint64_t data_timeout_ms;     /* between reads of DATA: 3 min */
	uint64_t starttls_timeout_ms; /* for all of a handshake: 1 min */
	uint64_t hold_noop_ms;        /* NOOP upstream while a body is held: 60 s */
};

struct smtp;
struct crowd_seat;

/* Sockets: one a listener, bound and listening, non-blocking, in the order of
 * conf->listeners; stays the caller's. Ids of transactions begin with worker.
 * seat: where its clients stand beside those of other workers; borrowed. */
struct smtp *smtp_new(struct loop *, const struct smtp_conf *, const int *sockets,
    struct engine *, struct keep *, struct spool_pool *, struct crowd_seat *seat,
    unsigned worker);
/* Keys of tickets that other workers know, too; else it makes its own. */
void smtp_tickets(struct smtp *, const struct tls_tickets *);
/* Stop accepting at once; sessions end at their next idle point with 421
 * 4.3.2; drained is called from the loop when the last has gone. */
void smtp_drain(struct smtp *, void (*drained)(void *), void *arg);
/* No more time for that: whoever has heard all and has only to close his end is
 * let go. Returns how many sessions and releases are under way. */
unsigned smtp_hurry(struct smtp *);
void smtp_free(struct smtp *);
/* For status: sessions now, sessions and messages since the start. */
void smtp_count(const struct smtp *, unsigned *now, uint64_t *sessions,
    uint64_t *messages);

#endif
