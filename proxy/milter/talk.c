/*
 * talk - libmilter's callbacks, in the order an MTA talks: what it tells goes
 * into a transaction, what is decided goes back as one of libmilter's answers.
 *
 * Each runs in some thread of libmilter, be it a fiber (lend.h); of one
 * conversation never two at a time. Nothing is thread-local: libmilter runs N
 * connections on M threads.
 * RFC 5321; the order of callbacks is libmilter's API, "xxfi_*".
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/must.h"
#include "milter/answer.h"
#include "milter/apply.h"
#include "milter/conversation.h"
#include "milter/peer.h"

/* ---- conversations ---- */

static struct agreed *
agreed_row(struct milter *m, const void *ctx)
{
	return m->agreed[((uintptr_t)ctx >> 4) * 2654435761u >> 7 &
	    (AGREED_ROWS - 1)];
}

static void
agree(struct milter *m, const void *ctx, const struct offer *o)
{
	struct agreed *row = agreed_row(m, ctx), *at;

	must(pthread_mutex_lock(&m->agreed_lock) == 0);
	at = &row[m->agreed_turn++ % AGREED_WAYS];
	for (size_t i = 0; i < AGREED_WAYS; i++)
		if (row[i].ctx == ctx)
			at = &row[i];
	*at = (struct agreed){ ctx, *o };
	must(pthread_mutex_unlock(&m->agreed_lock) == 0);
}

static struct offer
agreed(struct milter *m, const void *ctx)
{
	const struct agreed *row = agreed_row(m, ctx);
	struct offer o = { 0 };

	must(pthread_mutex_lock(&m->agreed_lock) == 0);
	for (size_t i = 0; i < AGREED_WAYS; i++)
		if (row[i].ctx == ctx)
			o = row[i].offer;
	must(pthread_mutex_unlock(&m->agreed_lock) == 0);
	return o;
}

static void
on_engine(struct transaction *t)
{
	stages_advance(t->owner);
}

static struct conversation *
conversation_new(SMFICTX *ctx)
{
	struct milter *m = milter_door();
	struct conversation *c = xcalloc(1, sizeof(*c));

	c->magic = CONVERSATION_MAGIC;
	c->milter = m;
	c->offer = agreed(m, ctx);
	turn_init(&c->turn, m->lend);
	c->base = transaction_new();
	c->base->door = DOOR_MILTER;
	c->base->wake = on_engine;
	c->base->owner = c;
	/* As long as nothing is told of the client: DNS is the MTA's affair. */
	c->base->client.name_state = CLIENT_NAME_NONE;
	c->base->client.listener = pn_str_of(m->listener->name);
	atomic_fetch_add(&m->n_conversations, 1);
	must(smfi_setpriv(ctx, c) == MI_SUCCESS);
	return c;
}

/* Made by whatever comes first: behind a QUIT_NC nothing is negotiated. */
static struct conversation *
of(SMFICTX *ctx)
{
	struct conversation *c = smfi_getpriv(ctx);

	if (c == NULL)
		return conversation_new(ctx);
	MUST_BE(c, CONVERSATION);
	return c;
}

/* The answer where nothing is to be said: none, if that was agreed. */
static sfsistat
go_on(const struct conversation *c, unsigned long no_reply)
{
	return c->offer.protocol & no_reply ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* Something at or before this stage may have to say something now. */
static bool
matters(const struct conversation *c, enum stage upto)
{
	for (enum stage s = STAGE_CONNECT; s <= upto; s++)
		if (c->milter->needs.stages[s])
			return true;
	return false;
}

static sfsistat
refuse(SMFICTX *ctx, const struct reply *r, const char *id)
{
	struct answer *a = xcalloc(1, sizeof(*a));
	sfsistat said;

	answer_make(a, r, id);
	said = answer_give(ctx, a) == 0 ? SMFIS_REJECT : SMFIS_TEMPFAIL;
	free(a);
	return said;
}

/* ---- macros ---- */

/* "NAME" as libmilter knows it: in braces, but for those of one letter. */
static struct pn_str
macro(SMFICTX *ctx, struct pn_str name)
{
	char braced[128];
	char *value;

	if (name.n > sizeof(braced) - 3)
		return PN_STR_V("");
	(void)snprintf(braced, sizeof(braced), name.n == 1 ? "%.*s" : "{%.*s}",
	    PN_STR_ARG(name));
	value = smfi_getsymval(ctx, braced);
	return (struct pn_str){ value, value != NULL ? strlen(value) : 0 };
}

static int
copy_macro(SMFICTX *ctx, const char *name, struct arena *a, struct pn_str *to)
{
	struct pn_str s = macro(ctx, pn_str_of(name));

	if (s.p == NULL)
		return 0;
	*to = arena_str(a, s);
	return to->p != NULL ? 0 : -1;
}

/* Those that rules read, as far as they are told by now. */
static int
take_macros(SMFICTX *ctx, const struct milter_conf *conf, struct arena *a,
    struct macros *into)
{
	for (size_t i = 0; i < conf->n_macros; i++) {
		struct pn_str value = macro(ctx, conf->macros[i]);
		struct macro *m;

		if (value.p == NULL)
			continue;
		if ((m = arena_alloc(a, sizeof(*m))) == NULL)
			return -1;
		m->name = conf->macros[i];
		m->value = arena_str(a, value);
		if (m->value.p == NULL)
			return -1;
		STAILQ_INSERT_TAIL(into, m, next);
	}
	return 0;
}

/* ---- negotiation ---- */

/* By stage: those that we read, then those that rules ask for. A macro is a
 * fact of rcpt, so they are wanted wherever they may be told until then. Of
 * the other stages none is read, but libmilter cannot ask for none. */
static const struct {
	int where;
	const char *ours;
	bool theirs;
} places[SYMBOL_LISTS] = {
	{ SMFIM_CONNECT, "v {client_port} {client_ptr} {client_resolve}", true },
	{ SMFIM_HELO,
	    "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer} "
	    "{verify}",
	    true },
	{ SMFIM_ENVFROM, "{auth_authen} {mail_addr}", true },
	{ SMFIM_ENVRCPT, "{rcpt_addr}", true },
	{ SMFIM_EOM, "i", false },
};

void
talk_init(struct milter *m)
{
	const struct milter_conf *conf = m->conf;

	for (size_t i = 0; i < SYMBOL_LISTS; i++) {
		struct buf list = { 0 };

		(void)buf_puts(&list, places[i].ours);
		for (size_t k = 0; places[i].theirs && k < conf->n_macros; k++)
			(void)buf_printf(&list,
			    conf->macros[k].n == 1 ? " %.*s" : " {%.*s}",
			    PN_STR_ARG(conf->macros[k]));
		(void)buf_add(&list, "", 1);
		m->symbols[i] = xstrdup(buf_data(&list));
		buf_fini(&list);
	}
}

static void
ask_macros(SMFICTX *ctx, const struct milter *m)
{
	/* Fails where the list is there already: negotiated twice. */
	for (size_t i = 0; i < SYMBOL_LISTS; i++)
		(void)smfi_setsymlist(ctx, places[i].where, m->symbols[i]);
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long protocol,
    unsigned long f2, unsigned long f3, unsigned long *my_actions,
    unsigned long *my_protocol, unsigned long *my_f2, unsigned long *my_f3)
{
	struct conversation *c = of(ctx);
	struct milter *m = c->milter;
	struct offer mta = { actions, protocol };

	(void)f2;
	(void)f3;
	FAULT("accept");
	c->offer = offer_take(&m->needs, &mta);
	agree(m, ctx, &c->offer);
	*my_actions = c->offer.actions;
	*my_protocol = c->offer.protocol;
	*my_f2 = *my_f3 = 0;
	if (actions & SMFIF_SETSYMLIST) {
		*my_actions |= SMFIF_SETSYMLIST;
		ask_macros(ctx, m);
	}
	return SMFIS_CONTINUE;
}

/* ---- connection ---- */

static sfsistat
on_connect(SMFICTX *ctx, char *hostname, _SOCK_ADDR *addr)
{
	struct conversation *c = of(ctx);
	struct client *client = &c->base->client;
	struct arena *a = c->base->arena;
	struct peer_told told = { .hostname = pn_str_of(hostname),
		.addr = addr,
		.resolve = macro(ctx, PN_STR_V("client_resolve")),
		.ptr = macro(ctx, PN_STR_V("client_ptr")),
		.port = macro(ctx, PN_STR_V("client_port")) };

	/* A fresh arena: this much fits. */
	(void)peer_client(client, a, &told);
	(void)take_macros(ctx, c->milter->conf, a, &c->base->macros);
	if (c->milter->needs.stages[STAGE_CONNECT])
		stages_lend(c, STAGE_CONNECT, NULL);
	return go_on(c, SMFIP_NR_CONN);
}

static int
take_tls(SMFICTX *ctx, struct client *client, struct arena *a)
{
	struct peer_tls_told told = {
		.version = macro(ctx, PN_STR_V("tls_version")),
		.cipher = macro(ctx, PN_STR_V("cipher")),
		.bits = macro(ctx, PN_STR_V("cipher_bits")),
		.subject = macro(ctx, PN_STR_V("cert_subject")),
		.issuer = macro(ctx, PN_STR_V("cert_issuer")),
		.verify = macro(ctx, PN_STR_V("verify")),
		.mta = macro(ctx, PN_STR_V("v")),
	};

	return peer_tls(client, a, &told);
}

static sfsistat
on_helo(SMFICTX *ctx, char *name)
{
	struct conversation *c = of(ctx);
	struct client *client = &c->base->client;
	struct arena *a = c->base->arena;

	FAULT("ehlo");
	client->helo = arena_str(a, pn_str_of(name));
	(void)take_tls(ctx, client, a);
	(void)take_macros(ctx, c->milter->conf, a, &c->base->macros);
	c->named = true;
	if (c->next > STAGE_HELO)
		c->next = STAGE_HELO; /* another name, or TLS since */
	if (matters(c, STAGE_HELO)) {
		stages_lend(c, STAGE_HELO, NULL);
		if (verdict_refuses(&c->kept))
			return refuse(ctx, &c->kept.reply, c->base->id);
	}
	return go_on(c, SMFIP_NR_HELO);
}

/* ---- envelope ---- */

static void
mail_new(struct conversation *c)
{
	struct mail *m = xcalloc(1, sizeof(*m));

	m->of = c;
	m->t = transaction_new();
	m->t->door = DOOR_MILTER;
	m->next = STAGE_MAIL;
	STAILQ_INIT(&m->told);
	c->mail = m;
}

/* The loop records it and frees it. */
static void
mail_end(struct conversation *c)
{
	struct mail *m = c->mail;

	if (m == NULL)
		return;
	c->mail = NULL;
	stages_end(m);
}

static void
no_room(struct mail *m)
{
	mail_fault(m, 452, "4.3.1", "Insufficient system storage");
}

static sfsistat
on_envfrom(SMFICTX *ctx, char **argv)
{
	struct conversation *c = of(ctx);
	struct mail *m;

	mail_end(c);
	mail_new(c);
	m = c->mail;
	FAULT("mail");
	if (peer_sender(&m->t->envelope, m->t->arena, argv,
		macro(ctx, PN_STR_V("mail_addr"))) < 0 ||
	    copy_macro(ctx, "auth_authen", m->t->arena, &m->login) < 0 ||
	    take_macros(ctx, c->milter->conf, m->t->arena, &m->told) < 0)
		no_room(m);
	if (matters(c, STAGE_MAIL)) {
		stages_lend(c, STAGE_MAIL, NULL);
		if (m->ended_early) {
			sfsistat r = refuse(ctx, &m->reply, m->t->id);

			mail_end(c);
			return r;
		}
	}
	return go_on(c, SMFIP_NR_MAIL);
}

/* Refusals of connect, helo and mail are given here too, so that the log
 * knows who wrote to whom. */
static const struct reply *
refusal(const struct mail *m)
{
	const struct transaction *t = m->t;

	if (m->fault.code != 0)
		return &m->fault;
	if (verdict_refuses(&t->verdict))
		return &t->verdict.reply;
	return verdict_refuses(&t->rcpt_verdict) ? &t->rcpt_verdict.reply
						 : NULL;
}

static void
take_rcpt(struct transaction *t, struct rcpt *r)
{
	r->code = 250;
	r->accepted = true;
	t->envelope.n_accepted++;
}

static sfsistat
on_envrcpt(SMFICTX *ctx, char **argv)
{
	struct conversation *c = of(ctx);
	struct mail *m = c->mail;
	const struct reply *no = NULL;
	struct rcpt *r;

	if (m == NULL) /* no MAIL: the MTA's own affair */
		return go_on(c, SMFIP_NR_RCPT);
	FAULT("rcpt");
	r = peer_rcpt(&m->t->envelope, m->t->arena, argv,
	    macro(ctx, PN_STR_V("rcpt_addr")));
	if (r == NULL ||
	    take_macros(ctx, c->milter->conf, m->t->arena, &m->told) < 0)
		no_room(m);
	else if (m->rcpt == NULL)
		m->rcpt = r;
	if (matters(c, STAGE_RCPT)) {
		if (r != NULL)
			stages_lend(c, STAGE_RCPT, NULL);
		no = refusal(m);
	}
	if (no != NULL) {
		if (r != NULL)
			r->code = no->code;
		return refuse(ctx, no, m->t->id);
	}
	if (r != NULL)
		take_rcpt(m->t, r);
	return go_on(c, SMFIP_NR_RCPT);
}

static sfsistat
on_data(SMFICTX *ctx)
{
	FAULT("data");
	return go_on(of(ctx), SMFIP_NR_DATA);
}

/* A command that the MTA does not know is its own affair. */
static sfsistat
on_unknown(SMFICTX *ctx, const char *command)
{
	(void)command;
	return go_on(of(ctx), SMFIP_NR_UNKN);
}

/* ---- message ---- */

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	struct conversation *c = of(ctx);

	if (c->mail != NULL)
		write_header(c->mail, c->milter,
		    c->offer.protocol & SMFIP_HDR_LEADSPC, name, value);
	return go_on(c, SMFIP_NR_HDR);
}

static sfsistat
on_eoh(SMFICTX *ctx)
{
	return go_on(of(ctx), SMFIP_NR_EOH);
}

/* All that is decided of this message by now may make its body useless. */
static bool
wants_body(struct mail *m)
{
	if (!m->looked)
		m->wanted = engine_wants_body(
		    m->of->milter->conf->engine, m->t);
	m->looked = true;
	return m->wanted && m->fault.code == 0;
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *p, size_t n)
{
	struct conversation *c = of(ctx);
	struct mail *m = c->mail;

	if (m == NULL)
		return go_on(c, SMFIP_NR_BODY);
	if (wants_body(m))
		write_body(m, c->milter, p, n);
	if (!wants_body(m) && c->offer.protocol & SMFIP_SKIP &&
	    !(c->offer.protocol & SMFIP_NR_BODY))
		return SMFIS_SKIP; /* nothing more can come of it */
	return go_on(c, SMFIP_NR_BODY);
}

static sfsistat
finish(SMFICTX *ctx, struct mail *m)
{
	if (m->outcome == OUTCOME_PASS || m->outcome == OUTCOME_HOLD)
		apply(ctx, m);
	FAULT("relayed");
	if (m->outcome == OUTCOME_REFUSE) {
		m->code = m->reply.code;
		return refuse(ctx, &m->reply,
		    m->fault.code != 0 ? "" : m->t->id);
	}
	m->code = 250;
	return m->outcome == OUTCOME_DISCARD ? SMFIS_DISCARD : SMFIS_CONTINUE;
}

static sfsistat
on_eom(SMFICTX *ctx)
{
	struct conversation *c = of(ctx);
	struct mail *m = c->mail;
	sfsistat r;

	if (m == NULL)
		return SMFIS_CONTINUE;
	FAULT("dot");
	write_end(m, c->milter);
	m->t->partial = !wants_body(m);
	(void)copy_macro(ctx, "i", m->t->arena, &m->t->queue_id);
	if (m->fault.code == 0) {
		stages_lend(c, STAGE_MESSAGE, ctx);
	} else {
		m->outcome = OUTCOME_REFUSE;
		m->reply = m->fault;
	}
	r = finish(ctx, m);
	mail_end(c);
	return r;
}

static sfsistat
on_abort(SMFICTX *ctx)
{
	struct conversation *c = smfi_getpriv(ctx);

	if (c != NULL)
		mail_end(c);
	return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *ctx)
{
	struct conversation *c = smfi_getpriv(ctx);

	if (c == NULL)
		return SMFIS_CONTINUE;
	mail_end(c);
	must(smfi_setpriv(ctx, NULL) == MI_SUCCESS);
	stages_close(c);
	return SMFIS_CONTINUE;
}

static char name[] = "postern"; /* libmilter has no const */

const struct smfiDesc talk_callbacks = {
	.xxfi_name = name,
	.xxfi_version = SMFI_VERSION,
	.xxfi_flags = SMFIF_NONE, /* on_negotiate() says */
	.xxfi_connect = on_connect,
	.xxfi_helo = on_helo,
	.xxfi_envfrom = on_envfrom,
	.xxfi_envrcpt = on_envrcpt,
	.xxfi_header = on_header,
	.xxfi_eoh = on_eoh,
	.xxfi_body = on_body,
	.xxfi_eom = on_eom,
	.xxfi_abort = on_abort,
	.xxfi_close = on_close,
	.xxfi_unknown = on_unknown,
	.xxfi_data = on_data,
	.xxfi_negotiate = on_negotiate,
};
