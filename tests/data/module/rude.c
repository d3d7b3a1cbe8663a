/*
 * rude - does what a module may not, for tests/integration/module.py: in the
 * worker what the sender's local part says, in .inspect what the field
 * X-Rude says.
 */
#include <stdio.h>
#include <stdlib.h>

#include <filter.h>

struct settings {
	const struct pn_service *server; /* that never answers */
};

static const struct pn_option options[] = {
	{ "server", PN_OPT_SERVICE, offsetof(struct settings, server), NULL,
	    "a service" },
	{ 0 }
};

static const struct pn_fact_decl facts[] = {
	{ .name = "rude.mail", .type = PN_STRING, .stage = PN_STAGE_MAIL,
	    .flags = PN_FACT_MANY, .help = "given at mail" },
	{ .name = "rude.inspect", .type = PN_NUMBER, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_MANY, .help = "given by .inspect" },
	{ 0 }
};

static enum pn_step
on_reply(struct pn_mail *m, const struct pn_reply *r)
{
	(void)m;
	return r->status == PN_REPLY_OK ? PN_NEXT : PN_FAIL;
}

static enum pn_step
on_dns(struct pn_mail *m, const struct pn_dns *a)
{
	(void)a;
	return pn_ask_dns_a(m, PN_STR_V("circle.example"), on_dns, NULL);
}

static long
nonsense(struct pn_str so_far, bool closed)
{
	(void)so_far;
	(void)closed;
	return 1L << 40;
}

static enum pn_step
ask(struct pn_mail *m, long (*whole)(struct pn_str, bool))
{
	const struct settings *s = pn_settings(m);
	struct pn_request r = { .service = s->server, .whole = whole,
		.bytes = PN_STR("silence\n") };

	if (whole == nonsense)
		r.bytes = PN_STR_V("good\n");
	return pn_ask_service(m, &r, on_reply, NULL);
}

static enum pn_step
rude_in_mail(struct pn_mail *m, const char *how)
{
	static char large[PN_VALUE_MAX + 1];
	struct pn_str text;

	if (strcmp(how, "wrongtype") == 0)
		pn_fact_number(m, "rude.mail", 1);
	else if (strcmp(how, "undeclared") == 0)
		pn_fact_str(m, "rude.nosuch", PN_STR_V("x"));
	else if (strcmp(how, "foreign") == 0)
		pn_fact_str(m, "listener", PN_STR_V("x"));
	else if (strcmp(how, "content") == 0)
		pn_fact_number(m, "rude.inspect", 1);
	else if (strcmp(how, "keyed") == 0)
		pn_keyed_bool(m, "rude.mail", PN_STR_V("x"), PN_TRUE);
	else if (strcmp(how, "large") == 0)
		pn_fact_str(m, "rude.mail",
		    (struct pn_str){ large, sizeof(large) });
	else if (strcmp(how, "memory") == 0)
		return pn_alloc(m, 1u << 30) == NULL ? PN_NEXT : PN_FAIL;
	else if (strcmp(how, "view") == 0)
		(void)(pn_raw(m).n + (pn_first_part(m) != NULL) +
		    pn_mime_defects(m) + pn_header(m, PN_STR_V("a"), 0, &text));
	else if (strcmp(how, "pending") == 0)
		return PN_PENDING;
	else if (strcmp(how, "nonsense") == 0)
		return (enum pn_step)77;
	else if (strcmp(how, "never") == 0)
		return ask(m, pn_whole_line);
	else if (strcmp(how, "reply") == 0)
		return ask(m, nonsense);
	else if (strcmp(how, "circle") == 0)
		return pn_ask_dns_a(m, PN_STR_V("circle.example"), on_dns, NULL);
	else if (strcmp(how, "many") == 0)
		for (int i = 0; i < 2 * PN_VALUES_MAX; i++)
			pn_fact_str(m, "rude.mail", PN_STR_V("x"));
	else if (strcmp(how, "asks") == 0)
		for (int i = 0; i < 2 * PN_ASKS_MAX; i++)
			(void)ask(m, pn_whole_line);
	return PN_NEXT;
}

static enum pn_step
mail(struct pn_mail *m)
{
	struct pn_str sender = pn_sender(m);
	char how[64] = "";

	for (size_t i = 0; i < sender.n && i < 63 && sender.p[i] != '@'; i++)
		how[i] = sender.p[i];
	return rude_in_mail(m, how);
}

static enum pn_step
rude_in_inspect(struct pn_mail *m, const char *how)
{
	volatile int spin = 1;

	if (strcmp(how, "crash") == 0)
		abort();
	while (strcmp(how, "loop") == 0 && spin)
		;
	if (strcmp(how, "fail") == 0)
		return PN_FAIL;
	if (strcmp(how, "ask") == 0)
		return pn_ask_dns_a(m, PN_STR_V("a.example"), on_dns, NULL);
	if (strcmp(how, "count") == 0)
		return pn_ask_count(m, PN_STR_V("a"), 1, 1000, NULL, NULL);
	if (strcmp(how, "pending") == 0)
		return PN_PENDING;
	if (strcmp(how, "wrongtype") == 0)
		pn_fact_str(m, "rude.inspect", PN_STR_V("x"));
	if (strcmp(how, "client") == 0)
		(void)(pn_client_ip(m).n + pn_sender(m).n +
		    (pn_worker(m) != NULL));
	if (strcmp(how, "memory") == 0)
		while (pn_alloc(m, 1u << 20) != NULL)
			;
	if (strcmp(how, "many") == 0)
		for (int i = 0; i < 900000; i++)
			pn_fact_number(m, "rude.inspect", i);
	return PN_NEXT;
}

static enum pn_step
inspect(struct pn_mail *m)
{
	struct pn_str how;
	char word[64] = "";

	if (!pn_header(m, PN_STR_V("x-rude"), 0, &how))
		return PN_NEXT;
	if (how.n < sizeof(word))
		memcpy(word, how.p, how.n);
	return rude_in_inspect(m, word);
}

const struct pn_filter pn_filter = {
	.abi = PN_ABI,
	.name = "rude",
	.options = options,
	.settings_size = sizeof(struct settings),
	.facts = facts,
	.mail = mail,
	.inspect = inspect,
};
