/*
 * good - a module outside the tree, for tests/integration/module.py: facts
 * from .inspect, from a service, the DNS and a counter, and what .message
 * makes of what .inspect found.
 */
#include <stdio.h>

#include <filter.h>

struct settings {
	const struct pn_service *server;
	const char *zone;
	struct pn_list words;
};

struct state {
	int64_t seen;
};

static const struct pn_option options[] = {
	{ "server", PN_OPT_SERVICE, offsetof(struct settings, server), NULL,
	    "who knows senders" },
	{ "zone", PN_OPT_STRING, offsetof(struct settings, zone), "txt.example",
	    "whose TXT tells of a sender's domain" },
	{ "words", PN_OPT_LIST, offsetof(struct settings, words), "",
	    "words to count in the Subject" },
	{ 0 }
};

static const char *const opinions[] = { "good", "bad", "none", NULL };

static const struct pn_fact_decl facts[] = {
	{ .name = "repute", .type = PN_WORD, .stage = PN_STAGE_MAIL,
	    .words = opinions, .help = "what the service thinks of the sender" },
	{ .name = "sender.note", .type = PN_STRING, .stage = PN_STAGE_MAIL,
	    .flags = PN_FACT_MANY, .help = "TXT of the sender's domain" },
	{ .name = "sender.count", .type = PN_NUMBER, .stage = PN_STAGE_MAIL,
	    .help = "mails of this sender within an hour" },
	{ .name = "opinion", .type = PN_STRING, .stage = PN_STAGE_RCPT,
	    .flags = PN_FACT_KEYED, .help = "of this recipient, by name" },
	{ .name = "subject.capitals", .type = PN_NUMBER,
	    .stage = PN_STAGE_MESSAGE, .flags = PN_FACT_INSPECT,
	    .help = "capital letters in the Subject" },
	{ .name = "subject.word", .type = PN_STRING, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_INSPECT | PN_FACT_MANY,
	    .help = "words of the list in the Subject" },
	{ .name = "shouting", .type = PN_BOOL, .stage = PN_STAGE_MESSAGE,
	    .help = "many capitals, from somebody of no good repute" },
	{ .name = "part.long-name", .type = PN_BOOL, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_INSPECT, .help = "the part's name is long" },
	{ 0 }
};

/* ---- .mail: three asks at once ---- */

static enum pn_step
on_reply(struct pn_mail *m, const struct pn_reply *r)
{
	struct pn_str word = pn_str_trim(r->bytes);

	if (r->status != PN_REPLY_OK)
		return PN_FAIL;
	for (size_t i = 0; opinions[i] != NULL; i++)
		if (pn_str_eq(word, pn_str_of(opinions[i])))
			pn_fact_word(m, "repute", opinions[i]);
	return PN_NEXT;
}

static enum pn_step
on_txt(struct pn_mail *m, const struct pn_dns *a)
{
	for (size_t i = 0; i < a->n; i++)
		pn_fact_str(m, "sender.note", a->answers[i]);
	if (a->status == PN_DNS_TEMPORARY || a->status == PN_DNS_TIMEOUT)
		pn_fact_unknown(m, "sender.note");
	return PN_NEXT;
}

static enum pn_step
on_count(struct pn_mail *m, const struct pn_count *c)
{
	struct state *s = pn_state(m);

	if (!c->known) {
		pn_fact_unknown(m, "sender.count");
		return PN_NEXT;
	}
	s->seen = c->value;
	pn_fact_number(m, "sender.count", c->value);
	return PN_NEXT;
}

static enum pn_step
mail(struct pn_mail *m)
{
	const struct settings *s = pn_settings(m);
	struct pn_str sender = pn_sender(m);
	struct pn_request r = { .service = s->server, .whole = pn_whole_line };
	const char *at = sender.n ? memchr(sender.p, '@', sender.n) : NULL;
	char *line = pn_alloc(m, sender.n + 1);
	char name[300];
	int n;

	if (line == NULL)
		return PN_FAIL;
	if (sender.n > 0)
		memcpy(line, sender.p, sender.n);
	line[sender.n] = '\n';
	r.bytes = (struct pn_str){ line, sender.n + 1 };
	if (pn_ask_service(m, &r, on_reply, NULL) == PN_FAIL ||
	    pn_ask_count(m, sender, 1, 3600000, on_count, NULL) == PN_FAIL)
		return PN_FAIL;
	if (at == NULL)
		return PN_PENDING;
	n = snprintf(name, sizeof(name), "%.*s.%s",
	    (int)(sender.n - (size_t)(at + 1 - sender.p)), at + 1, s->zone);
	return pn_ask_dns_txt(m, (struct pn_str){ name, (size_t)n }, on_txt,
	    NULL);
}

static enum pn_step
rcpt(struct pn_mail *m)
{
	pn_keyed_str(m, "opinion", PN_STR_V("rcpt"), pn_recipient(m));
	return PN_NEXT;
}

/* ---- the message ---- */

static enum pn_step
inspect(struct pn_mail *m)
{
	const struct settings *s = pn_settings(m);
	struct pn_str subject = PN_STR(""), name;
	int64_t capitals = 0;

	(void)pn_header(m, PN_STR_V("subject"), 0, &subject);
	for (size_t i = 0; i < subject.n; i++)
		capitals += subject.p[i] >= 'A' && subject.p[i] <= 'Z';
	pn_fact_number(m, "subject.capitals", capitals);
	for (size_t i = 0; i < s->words.n; i++)
		if (subject.n > 0 && memmem(subject.p, subject.n,
			s->words.words[i], strlen(s->words.words[i])))
			pn_fact_str(m, "subject.word",
			    pn_str_of(s->words.words[i]));
	for (struct pn_part *p = pn_first_part(m); p; p = pn_next_part(m, p))
		if (pn_part_name(p, 0, &name))
			pn_part_fact(p, "part.long-name",
			    name.n > 40 ? PN_TRUE : PN_FALSE);
	return PN_NEXT;
}

static enum pn_step
message(struct pn_mail *m)
{
	const struct state *s = pn_state(m);
	int64_t capitals;

	if (!pn_found_number(m, "subject.capitals", 0, &capitals))
		return PN_FAIL;
	pn_fact_bool(m, "shouting",
	    capitals > 5 && s->seen > 0 ? PN_TRUE : PN_FALSE);
	return PN_NEXT;
}

static enum pn_step
end(struct pn_mail *m)
{
	(void)pn_ask_count(m, PN_STR_V("ended"), 1, 3600000, NULL, NULL);
	return PN_NEXT;
}

const struct pn_filter pn_filter = {
	.abi = PN_ABI,
	.name = "good",
	.options = options,
	.settings_size = sizeof(struct settings),
	.state_size = sizeof(struct state),
	.facts = facts,
	.mail = mail,
	.rcpt = rcpt,
	.inspect = inspect,
	.message = message,
	.end = end,
};
