/*
 * chain - see chain.h. Called once a generation, by proxy/policy in the
 * master and by tests; everything it makes lies in the policy's arena.
 */
#include "mail/chain.h"

#include <stdio.h>

#include "mail/option.h"

/* pn_* of the module ABI and our own enums are one numbering, so a cast is a
 * translation. */
_Static_assert((int)PN_STRING == (int)VALUE_STRING &&
		   (int)PN_NUMBER == (int)VALUE_NUMBER &&
		   (int)PN_BOOL == (int)VALUE_BOOL &&
		   (int)PN_ADDRESS == (int)VALUE_ADDRESS &&
		   (int)PN_IP == (int)VALUE_IP &&
		   (int)PN_WORD == (int)VALUE_WORD,
    "types of facts");
_Static_assert((int)PN_STAGE_CONNECT == (int)STAGE_CONNECT &&
		   (int)PN_STAGE_HELO == (int)STAGE_HELO &&
		   (int)PN_STAGE_MAIL == (int)STAGE_MAIL &&
		   (int)PN_STAGE_RCPT == (int)STAGE_RCPT &&
		   (int)PN_STAGE_MESSAGE == (int)STAGE_MESSAGE,
    "stages");

static const char *const direction_words[] = { "inbound", "outbound",
	"internal", NULL };
static const char *const fcrdns_words[] = { "ok", "none", "temporary", NULL };

#define CORE(index, what, kind, when, ...)                                     \
	[index] = { .name = (what),                                            \
		.type = (kind),                                                \
		.stage = (when),                                               \
		.module = CHAIN_CORE,                                          \
		__VA_ARGS__ }

static const struct chain_fact core_facts[CORE_FACTS] = {
	CORE(FACT_CLIENT_IP, "client.ip", VALUE_IP, STAGE_CONNECT,
	    .help = "address of the client"),
	CORE(FACT_CLIENT_NAME, "client.name", VALUE_STRING, STAGE_CONNECT,
	    .help = "its name in DNS, where name and address agree"),
	CORE(FACT_CLIENT_FCRDNS, "client.fcrdns", VALUE_WORD, STAGE_CONNECT,
	    .words = fcrdns_words,
	    .help = "do the client's name and address lead to each other"),
	CORE(FACT_CLIENT_EARLY, "client.early-talker", VALUE_BOOL,
	    STAGE_CONNECT,
	    .help = "it talked before our greeting; unknown without greet_wait"),
	CORE(FACT_HELO_NAME, "helo.name", VALUE_STRING, STAGE_HELO,
	    .help = "what the client calls itself"),
	CORE(FACT_HELO_VERB, "helo.verb", VALUE_STRING, STAGE_HELO,
	    .help = "HELO or EHLO"),
	CORE(FACT_TLS_VERSION, "tls.version", VALUE_STRING, STAGE_HELO,
	    .help = "TLS version, absent in clear"),
	CORE(FACT_TLS_CIPHER, "tls.cipher", VALUE_STRING, STAGE_HELO,
	    .help = "TLS cipher, absent in clear"),
	CORE(FACT_TLS_BITS, "tls.bits", VALUE_NUMBER, STAGE_HELO,
	    .help = "bits of the TLS cipher's key, absent in clear"),
	CORE(FACT_TLS_SNI, "tls.sni", VALUE_STRING, STAGE_HELO,
	    .help = "the name that the client asked for in TLS (SNI)"),
	CORE(FACT_TLS_CERT_SUBJECT, "tls.cert.subject", VALUE_STRING, STAGE_HELO,
	    .help = "whose the client's certificate is, absent without one"),
	CORE(FACT_TLS_CERT_ISSUER, "tls.cert.issuer", VALUE_STRING, STAGE_HELO,
	    .help = "who issued the client's certificate"),
	CORE(FACT_TLS_CERT_FINGERPRINT, "tls.cert.fingerprint", VALUE_STRING,
	    STAGE_HELO,
	    .help = "SHA-256 of the client's certificate, in lower-case hex"),
	CORE(FACT_TLS_CERT_VERIFIED, "tls.cert.verified", VALUE_BOOL, STAGE_HELO,
	    .help = "the client's certificate is one of client_certificates' ca"),
	CORE(FACT_LOGIN, "login", VALUE_STRING, STAGE_MAIL,
	    .help = "who the client logged in as, absent when nobody"),
	CORE(FACT_LISTENER, "listener", VALUE_STRING, STAGE_CONNECT,
	    .help = "where the client connected to, as configured"),
	CORE(FACT_SENDER, "sender", VALUE_ADDRESS, STAGE_MAIL,
	    .help = "address of MAIL FROM, empty for <>"),
	CORE(FACT_RCPT, "rcpt", VALUE_ADDRESS, STAGE_RCPT, .many = true,
	    .help = "address of RCPT TO; at the message: of each accepted one"),
	CORE(FACT_SIZE, "size", VALUE_NUMBER, STAGE_MESSAGE,
	    .help = "bytes of the message"),
	CORE(FACT_MIME_AMBIGUOUS, "mime.ambiguous", VALUE_BOOL, STAGE_MESSAGE,
	    .help = "readers may differ in what the message is"),
	CORE(FACT_INSPECT_FAILED, "inspect.failed", VALUE_BOOL, STAGE_MESSAGE,
	    .help = "the message could not be inspected"),
	CORE(FACT_NORMALISED, "normalised", VALUE_BOOL, STAGE_MESSAGE,
	    .help = "a CR or LF stood alone in it and was made CRLF"),
	CORE(FACT_DIRECTION, "direction", VALUE_WORD, STAGE_RCPT, .many = true,
	    .words = direction_words,
	    .help = "inbound, outbound (from our own clients to foreign domains) "
		    "or internal; at the message: of each accepted recipient"),
	CORE(FACT_SCORE, "score", VALUE_NUMBER, STAGE_MESSAGE,
	    .help = "what the rules of the policy add up, known from the last "
		    "that adds to it"),
	CORE(FACT_MACRO, "macro", VALUE_STRING, STAGE_RCPT, .keyed = true,
	    .braces = true, .help = "what the MTA that asks us tells by this name, without "
		    "braces (\"auth_type\"); absent in the proxy"),
};

/* Words that will name things with fields, beside thing_names. */
static const char *const unknown_things[] = { "signature", "received", "header",
	NULL };

/* Of which of the things a fact so called is, or -1. */
static int
thing_of(const char *name, const char *const *things)
{
	const char *dot = strchr(name, '.');
	size_t n = dot == NULL ? 0 : (size_t)(dot - name);

	for (int i = 0; n > 0 && things[i] != NULL; i++)
		if (strlen(things[i]) == n && memcmp(things[i], name, n) == 0)
			return i;
	return -1;
}

/* What the policy's lexer takes for one word and nobody reads twice. */
bool
chain_is_name(struct pn_str s)
{
	static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";

	for (size_t i = 0; i < s.n; i++)
		if (memchr(all, s.p[i], sizeof(all) - 1) == NULL)
			return false;
	return s.n > 0 && s.p[0] >= 'a' && s.p[0] <= 'z';
}

/* A fact is known at the stage its declaration says only if some hook ran. */
static bool
has_hook_by(const struct pn_filter *f, enum stage stage)
{
	const bool hooks[STAGES] = { f->connect != NULL, f->helo != NULL,
		f->mail != NULL, f->rcpt != NULL,
		f->message != NULL || f->inspect != NULL };

	for (int s = 0; s <= (int)stage; s++)
		if (hooks[s])
			return true;
	return false;
}

static int
check_fact(const struct pn_filter *f, bool by_engine,
    const struct pn_fact_decl *d, const struct chain_fact *fact,
    struct error *e)
{
	if (!chain_is_name(pn_str_of(d->name)))
		return error_set(e, "module %s: \"%s\" cannot name a fact",
		    f->name, d->name);
	if ((unsigned)d->type >= VALUE_TYPES || (unsigned)d->stage >= STAGES)
		return error_set(e,
		    "module %s: fact \"%s\" has no such type "
		    "or stage",
		    f->name, d->name);
	if (d->type == PN_WORD && (d->words == NULL || d->words[0] == NULL))
		return error_set(e, "module %s: fact \"%s\" lists no words",
		    f->name, d->name);
	if (thing_of(d->name, unknown_things) >= 0)
		return error_set(e,
		    "module %s: fact \"%s\" is of a thing "
		    "that is not known",
		    f->name, d->name);
	if (!by_engine && !has_hook_by(f, fact->stage))
		return error_set(e,
		    "module %s: no hook can give \"%s\" by "
		    "its stage%s",
		    f->name, d->name,
		    f->inspect != NULL
			? ": .inspect gives facts of stage message"
			: "");
	if ((d->flags & PN_FACT_INSPECT) && f->inspect == NULL)
		return error_set(e, "module %s: it has no .inspect to give "
		    "\"%s\"", f->name, d->name);
	/* header("NAME") is looked up in the view when it is asked for. */
	if (fact->keyed && fact->content && strcmp(d->name, "header") != 0)
		return error_set(e, "module %s: .inspect cannot give \"%s\": "
		    "it takes a name", f->name, d->name);
	if (fact->of_thing && !fact->content)
		return error_set(e, "module %s: only .inspect can give \"%s\"",
		    f->name, d->name);
	return 0;
}

/* The keys that .setup told of, NULL-terminated; NULL: any will do. */
static const char *const *
keys_of(const struct chain_module *m, const char *fact, struct arena *a)
{
	const char **keys;
	size_t n = 0;

	for (const struct option_key *k = m->keys; k != NULL; k = k->next)
		n += strcmp(k->fact, fact) == 0;
	keys = n > 0 ? arena_alloc(a, (n + 1) * sizeof(*keys)) : NULL;
	for (const struct option_key *k = m->keys; keys && k; k = k->next)
		if (strcmp(k->fact, fact) == 0)
			keys[--n] = k->key;
	return keys;
}

static int
add_fact(struct chain *c, uint32_t module, const struct pn_fact_decl *d,
    struct arena *a, struct error *e)
{
	const struct pn_filter *f = c->modules[module].filter;
	int thing = thing_of(d->name, thing_names);
	struct chain_fact fact = {
		.name = d->name,
		.type = (enum value_type)d->type,
		.stage = (enum stage)d->stage,
		.content = d->stage == PN_STAGE_MESSAGE && f->inspect != NULL &&
			   (f->message == NULL ||
			       (d->flags & PN_FACT_INSPECT) != 0),
		.header = (d->flags & PN_FACT_HEADER) != 0,
		.keyed = (d->flags & PN_FACT_KEYED) != 0,
		.many = (d->flags & PN_FACT_MANY) != 0,
		.wanted = true,
		.of_thing = thing >= 0,
		.thing = thing >= 0 ? (enum thing)thing : THING_PART,
		.module = module,
		.words = d->words,
		.help = d->help,
		.keys = keys_of(&c->modules[module], d->name, a),
	};
	int64_t other = chain_find(c, d->name);

	if (check_fact(f, c->modules[module].by_engine, d, &fact, e) < 0)
		return -1;
	if (other >= 0) {
		uint32_t owner = c->facts[other].module;

		return error_set(e,
		    "module %s: fact \"%s\" is given by %s "
		    "already",
		    f->name, d->name,
		    owner == CHAIN_CORE ? "postern itself"
					: c->modules[owner].filter->name);
	}
	c->facts[c->n_facts++] = fact;
	return 0;
}

/* Of a module that has no block: its presets, and .setup. */
static int
make_settings(struct chain_module *m, struct arena *a, struct error *e)
{
	const struct pn_filter *f = m->filter;
	struct setup_fault fault;

	if (m->settings != NULL)
		return 0;
	m->settings = arena_alloc(a, f->settings_size);
	if (m->settings == NULL)
		return error_set(
		    e, "module %s: no room for its settings", f->name);
	for (const struct pn_option *o = f->options; o && o->name; o++)
		if (o->preset == NULL)
			return error_set(e,
			    "module %s: option \"%s\" must be given",
			    f->name, o->name);
	if (options_preset(f, m->settings, a, e) < 0)
		return -1;
	if (options_setup(f, m->settings, a, &m->keys, &fault, e) < 0)
		return error_wrap(e, "module %s", f->name);
	return 0;
}

static int
add_module(struct chain *c, const struct chain_module *module, struct arena *a,
    struct error *e)
{
	const struct pn_filter *f = module->filter;
	uint32_t index = c->n_modules;
	struct chain_module *m = &c->modules[index];

	if (f->name == NULL || !chain_is_name(pn_str_of(f->name)))
		return error_set(e, "module %u of the chain has no name",
		    index + 1);
	for (uint32_t i = 0; i < index; i++)
		if (strcmp(c->modules[i].filter->name, f->name) == 0)
			return error_set(
			    e, "module %s is loaded twice", f->name);
	*m = *module;
	if (m->timeout_ms == 0)
		m->timeout_ms = CHAIN_TIMEOUT_MS;
	m->first_fact = c->n_facts;
	c->n_modules++;
	if (make_settings(m, a, e) < 0)
		return -1;
	for (const struct pn_fact_decl *d = f->facts; d && d->name; d++)
		if (add_fact(c, index, d, a, e) < 0)
			return -1;
	m->n_facts = c->n_facts - m->first_fact;
	return 0;
}

int
chain_check_abi(const struct pn_filter *f, const char *name, struct error *e)
{
	if (f->abi == PN_ABI)
		return 0;
	return error_set(e, "module %s is built for module ABI %u, this postern "
	    "speaks %u: build it again against the filter.h of this version",
	    name, f->abi, PN_ABI);
}

static int
check_abi(const struct chain_module *modules, size_t n, struct error *e)
{
	char nr[32];

	for (size_t i = 0; i < n; i++) {
		/* Nothing else of it may be looked at: its name lies elsewhere. */
		(void)snprintf(nr, sizeof(nr), "%zu of the chain", i + 1);
		if (chain_check_abi(modules[i].filter, nr, e) < 0)
			return -1;
	}
	return 0;
}

static size_t
count_facts(const struct chain_module *modules, size_t n)
{
	size_t facts = CORE_FACTS;

	for (size_t i = 0; i < n; i++)
		for (const struct pn_fact_decl *d = modules[i].filter->facts;
		     d && d->name; d++)
			facts++;
	return facts;
}

int
chain_build_from(struct chain *c, const struct chain_module *modules,
    size_t n_modules, struct arena *a, struct error *e)
{
	size_t n;

	if (check_abi(modules, n_modules, e) < 0)
		return -1;
	n = count_facts(modules, n_modules);
	*c = (struct chain){
		.modules = arena_alloc(a, n_modules * sizeof(*c->modules)),
		.facts = arena_alloc(a, n * sizeof(*c->facts)),
		.n_facts = CORE_FACTS,
	};
	if (c->modules == NULL || c->facts == NULL)
		return error_set(e, "no room for the modules' facts");
	for (unsigned i = 0; i < THINGS; i++)
		c->wanted[i] = true;
	memcpy(c->facts, core_facts, sizeof(core_facts));
	for (size_t i = 0; i < n_modules; i++)
		if (add_module(c, &modules[i], a, e) < 0)
			return -1;
	c->raw = chain_find(c, "raw");
	c->header = chain_find(c, "header");
	c->text = chain_find(c, "text");
	c->html = chain_find(c, "html");
	c->hidden = chain_find(c, "text.hidden");
	return 0;
}

int
chain_build(struct chain *c, const struct pn_filter *const *filters,
    size_t n_filters, struct arena *a, struct error *e)
{
	struct chain_module *modules = arena_alloc(a, n_filters *
	    sizeof(*modules));

	if (modules == NULL)
		return error_set(e, "no room for the modules");
	for (size_t i = 0; i < n_filters; i++)
		modules[i].filter = filters[i];
	return chain_build_from(c, modules, n_filters, a, e);
}

int64_t
chain_find(const struct chain *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_facts; i++)
		if (strcmp(c->facts[i].name, name) == 0)
			return i;
	return -1;
}
