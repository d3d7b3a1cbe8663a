/*
 * core - the facts the engine itself knows, from what the door filled in. Once
 * a stage, before its modules and rules. Called by engine.c.
 */
#include "engine/run.h"

static struct value
text(struct pn_str s)
{
	return (struct value){ .state = s.n ? VALUE_KNOWN : VALUE_ABSENT,
		.type = VALUE_STRING,
		.str = s };
}

static struct value
fcrdns(enum client_name_state s)
{
	static const char *const words[] = { [CLIENT_NAME_OK] = "ok",
		[CLIENT_NAME_NONE] = "none",
		[CLIENT_NAME_TEMPORARY] = "temporary" };

	if (s == CLIENT_NAME_UNASKED)
		return (struct value){ .type = VALUE_WORD };
	return (struct value){ .state = VALUE_KNOWN, .type = VALUE_WORD,
		.str = pn_str_of(words[s]) };
}

/* A name that DNS could not tell is unknown; one that does not exist is
 * absent. */
static struct value
client_name(const struct client *c)
{
	struct value v = text(c->name);

	if (c->name_state == CLIENT_NAME_TEMPORARY)
		v.state = VALUE_UNKNOWN;
	return v;
}

static int
set(struct transaction *t, enum core_fact index, struct value v)
{
	return facts_set(&t->facts, index, &v);
}

static int
connect_facts(struct transaction *t)
{
	const struct client *c = &t->client;
	struct value ip = text(c->ip);

	struct value early = { .type = VALUE_BOOL,
		.state = c->early == CLIENT_EARLY_UNTESTED ? VALUE_UNKNOWN
							   : VALUE_KNOWN,
		.number = c->early == CLIENT_EARLY_YES };

	ip.type = VALUE_IP;
	return set(t, FACT_CLIENT_IP, ip) |
	    set(t, FACT_CLIENT_NAME, client_name(c)) |
	    set(t, FACT_CLIENT_FCRDNS, fcrdns(c->name_state)) |
	    set(t, FACT_CLIENT_EARLY, early) |
	    set(t, FACT_LISTENER, text(c->listener));
}

static int
helo_facts(struct transaction *t)
{
	const struct client *c = &t->client;
	/* Few MTAs tell it to milters, and not always. */
	bool known = t->door == DOOR_SMTP ||
	    c->tls_verified != CLIENT_CERT_UNTOLD;
	struct value verified = { .type = VALUE_BOOL,
		.state = known ? VALUE_KNOWN : VALUE_UNKNOWN,
		.number = c->tls_verified == CLIENT_CERT_VERIFIED };
	struct value bits = { .type = VALUE_NUMBER, .number = c->tls_bits,
		.state = c->tls_bits > 0 ? VALUE_KNOWN : VALUE_ABSENT };

	return set(t, FACT_TLS_BITS, bits) |
	    set(t, FACT_TLS_SNI, text(c->tls_sni)) |
	    set(t, FACT_TLS_CERT_SUBJECT, text(c->tls_subject)) |
	    set(t, FACT_TLS_CERT_ISSUER, text(c->tls_issuer)) |
	    set(t, FACT_TLS_CERT_FINGERPRINT, text(c->tls_fingerprint)) |
	    set(t, FACT_TLS_CERT_VERIFIED, verified) |
	    set(t, FACT_HELO_NAME, text(c->helo)) |
	    set(t, FACT_HELO_VERB, text(c->helo_verb)) |
	    set(t, FACT_TLS_VERSION, text(c->tls_version)) |
	    set(t, FACT_TLS_CIPHER, text(c->tls_cipher));
}

static int
mail_facts(struct transaction *t)
{
	const struct envelope *e = &t->envelope;

	return set(t, FACT_LOGIN, text(t->client.login)) |
	    set(t, FACT_SENDER,
		(struct value){ .state = VALUE_KNOWN, .type = VALUE_ADDRESS,
		    .str = e->address, .local = e->local,
		    .domain = e->domain });
}

static int
message_facts(struct transaction *t)
{
	const struct engine_past *past = t->past;
	struct value ambiguous = { .type = VALUE_BOOL,
		.state = past->inspected && !t->partial ? VALUE_KNOWN
							: VALUE_UNKNOWN,
		.number =
		    (past->findings.defects & PN_DEFECT_AMBIGUOUS) != 0 };
	struct value size = { .type = VALUE_NUMBER,
		.state = t->partial ? VALUE_UNKNOWN : VALUE_KNOWN,
		.number = (int64_t)spool_size(t->spool) };

	t->facts.of = past->findings.facts;
	t->facts.n_of = past->findings.n_facts;
	t->facts.truncated = past->findings.truncated || !past->inspected;
	return set(t, FACT_SIZE, size) |
	    set(t, FACT_MIME_AMBIGUOUS, ambiguous) |
	    set(t, FACT_INSPECT_FAILED,
		(struct value){ .state = VALUE_KNOWN, .type = VALUE_BOOL,
		    .number = !past->inspected }) |
	    set(t, FACT_NORMALISED,
		(struct value){ .state = VALUE_KNOWN, .type = VALUE_BOOL,
		    .number = t->normalised });
}

/* For the lists of what is held; its text lies in the transaction's arena. */
static struct pn_str
subject(const struct engine_run *r)
{
	int64_t index = chain_find(r->engine->conf->chain, "subject");
	const struct facts *f = &r->t->facts;
	struct value v = { .state = VALUE_ABSENT };

	if (index >= 0)
		facts_found(f->of, f->n_of, false, (uint32_t)index,
		    FACT_OF_MESSAGE, 0, &v);
	return v.state == VALUE_KNOWN ? v.str : PN_STR_V("");
}

int
core_facts(struct engine_run *r)
{
	static int (*const of_stage[STAGES])(struct transaction *) = {
		[STAGE_CONNECT] = connect_facts,
		[STAGE_HELO] = helo_facts,
		[STAGE_MAIL] = mail_facts,
		[STAGE_MESSAGE] = message_facts,
	};

	if (of_stage[r->stage] != NULL && of_stage[r->stage](r->t) < 0)
		return -1;
	if (r->stage == STAGE_MESSAGE)
		r->t->subject = subject(r);
	return 0;
}
