/*
 * header - what the header says: subject, who it is from and to, and any
 * field by name. RFC 5322 3.6; decoded by RFC 2047.
 *
 * header("NAME") and raw are declared here and looked up in the message when
 * a rule asks (inspect/host); all else is given once.
 */
#include "filter.h"

#define MAILBOXES 1000 /* of one fact; what is behind them is unknown */

static const struct pn_fact_decl facts[] = {
	{ .name = "subject", .type = PN_STRING, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_MANY | PN_FACT_HEADER, .help = "the Subject, decoded" },
	{ .name = "from", .type = PN_ADDRESS, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_MANY | PN_FACT_HEADER, .help = "each mailbox of From" },
	{ .name = "reply-to", .type = PN_ADDRESS, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_MANY | PN_FACT_HEADER, .help = "each mailbox of Reply-To" },
	{ .name = "to", .type = PN_ADDRESS, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_MANY | PN_FACT_HEADER, .help = "each mailbox of To" },
	{ .name = "cc", .type = PN_ADDRESS, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_MANY | PN_FACT_HEADER, .help = "each mailbox of Cc" },
	{ .name = "header", .type = PN_STRING, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_KEYED | PN_FACT_MANY | PN_FACT_HEADER,
	    .help = "each header field of that name, decoded" },
	{ .name = "raw", .type = PN_STRING, .stage = PN_STAGE_MESSAGE,
	    .help = "the whole message as it came" },
	{ .name = NULL },
};

/*
 * Every mailbox of every field of that name: a second From is one too. A list
 * without end must not take the memory other facts need.
 */
static void
give_mailboxes(struct pn_mail *m, const char *fact, struct pn_str name)
{
	struct pn_str body, display, local, domain;
	unsigned n = 0;

	for (unsigned i = 0; pn_header_raw(m, name, i, &body); i++)
		for (unsigned k = 0;
		     pn_mailbox(m, body, k, &display, &local, &domain); k++) {
			if (n++ == MAILBOXES) {
				pn_fact_unknown(m, fact);
				return;
			}
			pn_fact_address(m, fact, display, local, domain);
		}
}

static enum pn_step
inspect(struct pn_mail *m)
{
	struct pn_str subject;

	for (unsigned i = 0; pn_header(m, PN_STR_V("subject"), i, &subject); i++)
		pn_fact_str(m, "subject", subject);
	give_mailboxes(m, "from", PN_STR_V("from"));
	give_mailboxes(m, "reply-to", PN_STR_V("reply-to"));
	give_mailboxes(m, "to", PN_STR_V("to"));
	give_mailboxes(m, "cc", PN_STR_V("cc"));
	return PN_NEXT;
}

const struct pn_filter pn_filter_header = {
	.abi = PN_ABI,
	.name = "header",
	.facts = facts,
	.inspect = inspect,
};
