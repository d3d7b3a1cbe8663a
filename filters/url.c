/*
 * url - where the message leads: each address in its texts and each link of
 * its pages, taken apart as a browser does.
 *
 * Only facts that some rule asks for are given: there may be hundreds of
 * addresses.
 */
#include "filter.h"

static const char *const kinds[] = { "text", "link", "image", "form",
	"refresh", "other", NULL };

#define URL(what, kind, ...)                                                   \
	{ .name = "url." what, .type = (kind), .stage = PN_STAGE_MESSAGE,      \
	    __VA_ARGS__ }

static const struct pn_fact_decl facts[] = {
	URL("whole", PN_STRING,
	    .help = "the address without user and fragment"),
	URL("scheme", PN_STRING, .help = "\"https\", lower case"),
	URL("host", PN_STRING,
	    .help = "lower case, in ASCII; IP addresses in one form"),
	URL("domain", PN_STRING, .help = "its organisational domain"),
	URL("path", PN_STRING, .help = "decoded, without what is asked"),
	URL("query", PN_STRING, .help = "what is behind \"?\", decoded"),
	URL("kind", PN_WORD, .words = kinds,
	    .help = "where it stands in the message"),
	URL("text", PN_STRING, .help = "what the reader clicks on"),
	URL("text-mismatch", PN_BOOL,
	    .help = "what he clicks on looks like another domain"),
	URL("ip", PN_BOOL, .help = "its host is an IP address"),
	URL("user", PN_BOOL, .help = "something stands in front of \"@\""),
	{ .name = "text.urls", .type = PN_NUMBER, .stage = PN_STAGE_MESSAGE,
	    .help = "different addresses in the message" },
	{ .name = "text.urls-limit", .type = PN_BOOL,
	    .stage = PN_STAGE_MESSAGE,
	    .help = "there are more addresses than were read" },
	{ .name = NULL },
};

static bool
is_wanted(struct pn_mail *m)
{
	for (const struct pn_fact_decl *f = facts; f->name != NULL; f++)
		if (pn_wanted(m, f->name))
			return true;
	return pn_wanted(m, "url");
}

/* What it does not have is absent. */
static void
give(struct pn_mail *m, struct pn_url *u, const char *name, struct pn_str s)
{
	if (s.n > 0 && pn_wanted(m, name))
		pn_url_fact_str(m, u, name, s);
}

static void
give_flag(struct pn_mail *m, struct pn_url *u, const char *name,
    unsigned flag)
{
	if (pn_url_flags(u) & flag && pn_wanted(m, name))
		pn_url_fact(m, u, name, PN_TRUE);
}

static void
give_url(struct pn_mail *m, struct pn_url *u)
{
	give(m, u, "url.whole", pn_url_whole(u));
	give(m, u, "url.scheme", pn_url_scheme(u));
	give(m, u, "url.host", pn_url_host(u));
	give(m, u, "url.domain", pn_url_domain(u));
	give(m, u, "url.path", pn_url_path(u));
	give(m, u, "url.query", pn_url_query(u));
	give(m, u, "url.text", pn_url_text(u));
	if (pn_wanted(m, "url.kind"))
		pn_url_fact_word(m, u, "url.kind", pn_url_kind(u));
	give_flag(m, u, "url.text-mismatch", PN_URL_MISLEADS);
	give_flag(m, u, "url.ip", PN_URL_IP);
	give_flag(m, u, "url.user", PN_URL_USER);
}

static enum pn_step
inspect(struct pn_mail *m)
{
	int64_t n = 0;

	if (!is_wanted(m))
		return PN_NEXT;
	for (struct pn_url *u = pn_first_url(m); u != NULL;
	     u = pn_next_url(m, u)) {
		give_url(m, u);
		n++;
	}
	pn_fact_number(m, "text.urls", n);
	pn_fact_bool(m, "text.urls-limit",
	    pn_more_urls(m) ? PN_TRUE : PN_FALSE);
	return PN_NEXT;
}

const struct pn_filter pn_filter_url = {
	.abi = PN_ABI,
	.name = "url",
	.facts = facts,
	.inspect = inspect,
};
