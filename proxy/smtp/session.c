/* session - see session.h. Life, waiting, and the states between mails. */
#include "smtp/session.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/must.h"
#include "smtp/auth.h"
#include "smtp/command.h"
#include "smtp/etrn.h"
#include "smtp/limits.h"
#include "smtp/linger.h"
#include "smtp/route.h"
#include "smtp/starttls.h"

#define DRAIN_IDLE_MS 1000 /* a client that asks nothing for so long is idle */

static enum turn greeting(struct session *);
static enum turn command(struct session *);
static enum turn helo(struct session *);
static enum turn keywords(struct session *);
static enum turn closing(struct session *);

static const struct {
	enum turn (*run)(struct session *);
	bool reads;   /* what the client sends is wanted now */
	bool commits; /* a client that leaves now changes nothing any more */
} states[] = {
	[SESSION_PROXY] = { .run = session_proxied, .reads = true },
	[SESSION_PREGREET] = { .run = session_pregreet, .reads = true },
	[SESSION_GREETING] = { .run = greeting },
	[SESSION_STARTTLS] = { .run = session_starttls },
	[SESSION_HANDSHAKE] = { .run = session_handshake },
	[SESSION_COMMAND] = { .run = command, .reads = true },
	[SESSION_TARPIT] = { .run = session_tarpit },
	[SESSION_HELO] = { .run = helo },
	[SESSION_KEYWORDS] = { .run = keywords },
	[SESSION_GREETED] = { .run = session_greeted },
	[SESSION_HELLO] = { .run = session_hello },
	[SESSION_AUTH] = { .run = session_auth },
	[SESSION_AUTH_ANSWER] = { .run = session_auth_answer },
	[SESSION_AUTH_RESPONSE] = { .run = session_auth_response,
	    .reads = true },
	[SESSION_ETRN] = { .run = session_etrn },
	[SESSION_ETRN_ANSWER] = { .run = session_etrn_answer },
	[SESSION_MAIL] = { .run = session_mail },
	[SESSION_DIAL] = { .run = session_dial },
	[SESSION_RCPT] = { .run = session_rcpt },
	[SESSION_ROUTE] = { .run = session_route },
	[SESSION_ROUTE_DIAL] = { .run = session_route_dial },
	[SESSION_ANSWERS] = { .run = session_answers },
	[SESSION_DATA] = { .run = session_data, .reads = true },
	[SESSION_CHUNK] = { .run = session_chunk, .reads = true },
	[SESSION_FINDINGS] = { .run = session_findings },
	[SESSION_KEEPER] = { .run = session_keeper, .commits = true },
	[SESSION_REDIAL] = { .run = session_redial },
	[SESSION_REPEAT] = { .run = session_repeat },
	[SESSION_GO_AHEAD] = { .run = session_go_ahead },
	[SESSION_LAST_WORD] = { .run = session_last_word, .commits = true },
	[SESSION_CLOSING] = { .run = closing },
};

/* ---- events ---- */

void
session_advance(struct session *s)
{
	enum turn turn;

	do {
		MUST_BE(s, SESSION);
		if (s->gone && !states[s->state].commits)
			turn = session_leave(s);
		else
			turn = states[s->state].run(s);
	} while (turn == TURN_AGAIN);
}

/*
 * The client sends while we are busy, or has left. A FIN behind commands that
 * still wait in our buffer is no leaving: they are answered first; nor is one
 * before it has read our last words.
 */
static void
hold_back(struct session *s)
{
	wire_pause(&s->wire);
	if (s->state != SESSION_CLOSING && buf_len(&s->wire.in) == 0 &&
	    wire_peek(&s->wire) == WIRE_END)
		s->gone = true;
}

static void
on_client(int fd, short what, void *arg)
{
	struct session *s = arg;
	bool reads;

	(void)fd;
	MUST_BE(s, SESSION);
	reads = states[s->state].reads && buf_len(&s->wire.out) == 0;
	if (what & EV_WRITE) {
		(void)wire_flush(&s->wire);
		s->gone |= s->wire.broken;
	}
	if (what & EV_READ) {
		if (reads)
			s->readable = true;
		else
			hold_back(s);
	}
	if ((what & EV_TIMEOUT) && reads)
		s->timed_out = true;
	session_advance(s);
}

static void
on_engine(struct transaction *t)
{
	session_advance(t->owner);
}

/* ---- waiting ---- */

enum turn
session_wait(struct session *s, uint64_t timeout_ms)
{
	if (!wire_flush(&s->wire)) {
		if (s->wire.broken)
			return session_leave(s);
		return TURN_WAIT; /* until what is said has been sent */
	}
	wire_wait(&s->wire, timeout_ms);
	return TURN_WAIT;
}

enum turn
session_wait_elsewhere(struct session *s)
{
	upstream_flush(s->up);
	(void)wire_flush(&s->wire);
	if (s->wire.broken && !states[s->state].commits)
		return session_leave(s);
	return TURN_WAIT;
}

const char *
session_id(const struct session *s)
{
	return s->t != NULL ? s->t->id : s->base->id;
}

/* ---- saying ---- */

void
session_count(struct session *s, uint16_t code)
{
	if (code >= 400 && code != 452)
		s->errors++;
}

/* Behind the answers that are due first. False: no memory left for it. */
static bool
queue(struct session *s, const struct reply *r)
{
	struct buf text = { 0 };
	struct answer *a = arena_alloc(s->t->arena, sizeof(*a));

	reply_put(&text, r);
	if (a != NULL) {
		a->kind = ANSWER_OURS;
		a->code = r->code;
		a->text = arena_str(s->t->arena, buf_str(&text));
	}
	buf_fini(&text);
	if (a == NULL || a->text.p == NULL)
		return false;
	STAILQ_INSERT_TAIL(&s->answers, a, next);
	return true;
}

void
session_reply(struct session *s, const struct reply *r)
{
	if (!STAILQ_EMPTY(&s->answers)) {
		if (!queue(s, r))
			s->gone = true; /* out of step: there is no way on */
		return;
	}
	s->reply_at = buf_len(&s->wire.out);
	reply_put(&s->wire.out, r);
	shape_reply(s, r);
	session_count(s, r->code);
}

void
session_say(struct session *s, uint16_t code, const char *status,
    const char *fmt, ...)
{
	struct reply r = { .code = code };
	char *text = NULL;
	va_list ap;
	int n;

	(void)snprintf(r.status, sizeof(r.status), "%s", status);
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	must(n >= 0); /* no memory: as of xcalloc() */
	r.text = (struct pn_str){ text, (size_t)n };
	session_reply(s, &r);
	free(text);
}

void
session_say_no_room(struct session *s)
{
	session_say(s, 452, "4.3.1", "Insufficient system storage");
}

/* As long as a milter made it. */
void
session_refuse(struct session *s, struct transaction *t, const struct reply *r)
{
	struct reply ours = *r;
	char *text = arena_printf(t->arena, "%.*s [ref %s]",
	    PN_STR_ARG(r->text), t->id);

	if (text != NULL)
		ours.text = pn_str_of(text);
	session_reply(s, &ours);
	if (r->code == 421)
		s->dismissed = true;
}

void
session_pass_on(struct session *s, const struct reply_lines *r)
{
	s->reply_at = buf_len(&s->wire.out);
	reply_pass(&s->wire.out, r);
	shape_said(s, r->raw);
	session_count(s, r->code);
}

void
session_hang_up(struct session *s)
{
	s->state = SESSION_CLOSING;
	s->readable = s->timed_out = false;
}

/* ---- life ---- */

/* "192.0.2.1" into the arena; an IPv4-mapped address as IPv4. */
static void
set_end(struct session *s, const struct sockaddr *sa, struct pn_str *ip,
    uint16_t *port)
{
	const struct sockaddr_in *four = (const void *)sa;
	const struct sockaddr_in6 *six = (const void *)sa;
	char text[INET6_ADDRSTRLEN] = "";

	if (sa->sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text));
		*port = ntohs(four->sin_port);
	} else if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		(void)inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, text,
		    sizeof(text));
		*port = ntohs(six->sin6_port);
	} else {
		(void)inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof(text));
		*port = ntohs(six->sin6_port);
	}
	*ip = arena_str(s->base->arena, pn_str_of(text));
}

void
session_set_client(struct session *s, const struct sockaddr *sa)
{
	struct client *c = &s->base->client;

	set_end(s, sa, &c->ip, &c->port);
	c->listener = pn_str_of(s->listener->name);
	s->listed = session_is_listed(s->listener, sa);
}

void
session_set_listener(struct session *s, const struct sockaddr *sa)
{
	struct client *c = &s->base->client;

	set_end(s, sa, &c->to_ip, &c->to_port);
}

struct transaction *
session_transaction(struct session *s)
{
	struct transaction *t = transaction_new();

	transaction_new_id(t->id, s->smtp->worker);
	t->wake = on_engine;
	t->owner = s;
	return t;
}

void
session_rebase(struct session *s, struct transaction *t)
{
	engine_cancel(s->smtp->engine, s->base);
	engine_leave(s->smtp->engine, s->base);
	transaction_free(s->base);
	s->base = t;
}

bool
session_is_listed(const struct smtp_listener *l, const struct sockaddr *sa)
{
	return l->identity_by != IDENTITY_NONE &&
	    net_has(l->identity_from, l->n_identity_from, sa);
}

void
session_begin(struct session *s)
{
	s->state = SESSION_GREETING;
	s->then = SESSION_COMMAND;
	if (s->listener->tls.mode == LISTEN_WRAPPED)
		starttls_wrap(s);
	else if (pregreet_is_due(s))
		s->state = SESSION_PREGREET;
}

void
session_new(struct listener *l, int fd, const struct sockaddr *sa,
    const struct crowd_hold *hold)
{
	struct smtp *smtp = l->smtp;
	struct session *s = xcalloc(1, sizeof(*s));

	s->magic = SESSION_MAGIC;
	s->smtp = smtp;
	s->listener = l->conf;
	s->door = l;
	s->hop = l->hops[0];
	s->tls = l->tls;
	s->hold = *hold;
	pace_begin(s);
	if (proxied_is_listed(l->conf, sa))
		s->proxied = proxied_new(smtp->loop);
	STAILQ_INIT(&s->answers);
	stage_open(s);
	s->base = session_transaction(s);
	session_set_client(s, sa);
	wire_open(&s->wire, smtp->loop, fd, on_client, s);
	TAILQ_INSERT_TAIL(&smtp->sessions, s, all);
	smtp->n_sessions++;
	smtp->all_sessions++;
	count_session(&smtp->count, true, smtp->n_sessions);
	FAULT("accept");
	if (s->proxied != NULL)
		s->state = SESSION_PROXY;
	else
		session_begin(s);
	session_advance(s);
}

void
session_free(struct session *s)
{
	struct smtp *smtp = s->smtp;

	record_connection(s->base, s->messages, s->errors);
	if (s->ticket != NULL)
		keep_cancel(s->ticket);
	mail_end(s);
	delay_cancel(&s->delay);
	auth_end(s);
	kept_give(s->up);
	engine_cancel(smtp->engine, s->base);
	engine_leave(smtp->engine, s->base);
	if (s->proxied == NULL) /* or else it never got as far as "connect" */
		shape_disconnect(s);
	transaction_free(s->base);
	crowd_leave(smtp->seat, &s->hold);
	if (s->lingers)
		linger_on(smtp, wire_detach(&s->wire));
	wire_close(&s->wire);
	proxied_free(s->proxied);
	TAILQ_REMOVE(&smtp->sessions, s, all);
	smtp->n_sessions--;
	count_session(&smtp->count, false, smtp->n_sessions);
	s->magic = 0;
	free(s);
	door_left(smtp);
}

enum turn
session_leave(struct session *s)
{
	if (s->state != SESSION_CLOSING)
		shape_left(s, "lost connection");
	session_free(s);
	return TURN_GONE;
}

void
session_drain(struct session *s)
{
	if (s->state == SESSION_COMMAND && !s->mail)
		wire_wait(&s->wire, DRAIN_IDLE_MS);
}

/* ---- states ---- */

static enum turn
greeting(struct session *s)
{
	if (!stage_done(s, s->base, STAGE_CONNECT))
		return session_wait_elsewhere(s);
	shape_connect(s);
	if (verdict_refuses(&s->base->early)) {
		stage_refuse_connection(s);
		return TURN_AGAIN;
	}
	(void)buf_printf(&s->wire.out, "220 %s %s postern\r\n",
	    s->smtp->conf->hostname, s->listener->lmtp ? "LMTP" : "ESMTP");
	s->state = SESSION_COMMAND;
	dial_begin(s);
	return TURN_AGAIN;
}

static enum turn
give_up(struct session *s, const char *status, const char *text)
{
	session_say(s, 421, status, "%s %s", s->smtp->conf->hostname, text);
	session_hang_up(s);
	return TURN_AGAIN;
}

static uint64_t
patience(const struct session *s)
{
	uint64_t ms = s->smtp->conf->command_timeout_ms;

	if (s->smtp->draining && !s->mail && ms > DRAIN_IDLE_MS)
		return DRAIN_IDLE_MS;
	return ms;
}

/* Between mails a client needs no process of the next hop's, unless his login
 * is there, or it was dialled for him. */
static void
rest(struct session *s)
{
	if (s->mail || s->login != NULL || s->logged_in || dial_is_early(s) ||
	    !upstream_at_rest(s->up))
		return;
	mail_give_back(s);
}

/* Nothing complete in the buffer: read, or answer what is due, or wait. */
enum turn
session_want_line(struct session *s)
{
	rest(s);
	if (!STAILQ_EMPTY(&s->answers)) {
		s->state = SESSION_ANSWERS;
		return TURN_AGAIN;
	}
	if (s->timed_out || pace_line_is_late(s)) {
		s->timed_out = false;
		if (s->smtp->draining && !s->mail)
			return give_up(s, "4.3.2", "Service is shutting down");
		shape_left(s, "timeout");
		return give_up(s, "4.4.2", "Error: timeout exceeded");
	}
	if (s->readable) {
		s->readable = false;
		switch (wire_read(&s->wire)) {
		case WIRE_BYTES:
			return TURN_AGAIN;
		case WIRE_END:
			return session_leave(s);
		case WIRE_NOTHING:
			break;
		}
	}
	return session_wait(s, patience(s));
}

static enum turn
command(struct session *s)
{
	struct pn_str line = s->held;
	enum line_fault fault = LINE_GOOD;

	s->talks = true;
	if (pace_owes(s)) {
		s->state = SESSION_TARPIT;
		return TURN_AGAIN;
	}
	if (s->dismissed) { /* RFC 5321 3.8; also within a batch */
		if (STAILQ_EMPTY(&s->answers))
			session_hang_up(s);
		else
			s->state = SESSION_ANSWERS;
		return TURN_AGAIN;
	}
	if (STAILQ_EMPTY(&s->answers) && limits_ended(s))
		return TURN_AGAIN;
	if (!s->has_held && !line_next(&s->line, &s->wire.in, &line, &fault))
		return session_want_line(s);
	pace_line_came(s);
	if (!STAILQ_EMPTY(&s->answers) &&
	    !(fault == LINE_GOOD && command_is_rcpt(line))) {
		/* RFC 2920 3.1: the rest of the batch comes after its answers. */
		s->held = line;
		s->held_fault = fault;
		s->has_held = true;
		s->state = SESSION_ANSWERS;
		return TURN_AGAIN;
	}
	if (s->has_held)
		fault = s->held_fault;
	s->has_held = false;
	command_run(s, line, fault);
	return TURN_AGAIN;
}

static enum turn
helo(struct session *s)
{
	if (!stage_done(s, s->base, STAGE_HELO))
		return session_wait_elsewhere(s);
	if (verdict_refuses(&s->base->early)) {
		s->greeted = false;
		stage_refuse(s, s->base);
		return TURN_AGAIN;
	}
	s->state = dial_is_early(s) ? SESSION_GREETED : SESSION_KEYWORDS;
	if (s->logged_in)
		auth_hello(s);
	return TURN_AGAIN;
}

/*
 * A worker that has just begun waits for its first probe: a client that needs
 * SMTPUTF8 would give its mail back for good, were it not offered.
 */
static enum turn
keywords(struct session *s)
{
	struct ehlo e = { .hostname = s->smtp->conf->hostname,
		.next = &s->offered,
		.size_limit = s->smtp->conf->message_size_limit };
	const struct keywords *own = dial_keywords(s);

	if (own == NULL && route_is_new(s->door))
		return session_wait_elsewhere(s);
	route_keywords(s->door, &s->offered);
	if (own != NULL)
		s->offered = *own;
	e.auth = auth_is_offered(s);
	e.starttls = starttls_offered(s);
	e.xclient = command_may_identify(s, IDENTITY_XCLIENT);
	e.xforward = command_may_identify(s, IDENTITY_XFORWARD);
	s->greeted = true;
	if (pn_str_caseeq(s->base->client.helo_verb, PN_STR_V("HELO")))
		(void)buf_printf(&s->wire.out, "250 %s\r\n", e.hostname);
	else
		ehlo_put(&s->wire.out, &e);
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}

/*
 * Our last words are out. A client that was talking, and did not say QUIT, may
 * have more on its way, whether we saw some of it or not; so it is waited for
 * (linger.h).
 *
 * Not so one that is refused before its greeting, here or by listener: it has
 * nothing to say before that (RFC 5321 3.1), and a flood of its kind is to cost
 * no descriptor longer than that word. If it talked nevertheless and we saw it,
 * it is waited for.
 */
static enum turn
closing(struct session *s)
{
	if (!wire_flush(&s->wire))
		return s->wire.broken ? session_leave(s) : TURN_WAIT;
	s->lingers = s->talks || s->wire.paused || buf_len(&s->wire.in) > 0;
	return session_leave(s);
}
