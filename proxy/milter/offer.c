/* offer - see offer.h. */
#include "milter/offer.h"

#include <libmilter/mfapi.h>

#include "filters/pn_str.h"

/* Nothing is asked or judged up to this stage: no answer can be due. */
static bool
is_quiet(const struct offer_needs *n, enum stage upto)
{
	for (enum stage s = STAGE_CONNECT; s <= upto; s++)
		if (n->stages[s])
			return false;
	return true;
}

static bool
always(const struct offer_needs *n)
{
	(void)n;
	return true;
}

static bool
quiet_helo(const struct offer_needs *n)
{
	return is_quiet(n, STAGE_HELO);
}

static bool
quiet_mail(const struct offer_needs *n)
{
	return is_quiet(n, STAGE_MAIL);
}

static bool
quiet_rcpt(const struct offer_needs *n)
{
	return is_quiet(n, STAGE_RCPT);
}

static bool
no_message(const struct offer_needs *n)
{
	return !n->header && !n->body;
}

static bool
no_body(const struct offer_needs *n)
{
	return !n->body;
}

static bool
takes_chunks(const struct offer_needs *n)
{
	return !n->answers_chunks;
}

/*
 * Postfix tells all up to DATA in one write, and the message in the next one,
 * from another process. Over TCP that one waits until the first is confirmed
 * (Nagle), which a kernel with nothing to say puts off for 40 ms: so say
 * something at DATA.
 */
static bool
silent_data(const struct offer_needs *n)
{
	return !n->tcp;
}

/*
 * Who connects, who says HELO, MAIL and RCPT is always told: log and history
 * want to know. What is said of the client at connect has its answer at HELO
 * or MAIL, because a reply there could carry no text.
 *
 * The end of the header is told with the header: without it libmilter takes
 * what follows in a message that has no field for something out of turn, be it
 * the body or the end, and never answers.
 */
static const struct {
	unsigned long flag;
	bool (*wanted)(const struct offer_needs *);
} flags[] = {
	{ SMFIP_NOBODY, no_body },
	{ SMFIP_NOHDRS, no_message },
	{ SMFIP_NOEOH, no_message },
	{ SMFIP_NOUNKNOWN, always },
	{ SMFIP_NODATA, silent_data },
	{ SMFIP_SKIP, always },
	{ SMFIP_HDR_LEADSPC, always },
	{ SMFIP_NR_CONN, always },
	{ SMFIP_NR_HELO, quiet_helo },
	{ SMFIP_NR_MAIL, quiet_mail },
	{ SMFIP_NR_RCPT, quiet_rcpt },
	{ SMFIP_NR_DATA, silent_data },
	{ SMFIP_NR_UNKN, always },
	{ SMFIP_NR_HDR, always },
	{ SMFIP_NR_EOH, always },
	{ SMFIP_NR_BODY, takes_chunks },
};

struct offer
offer_take(const struct offer_needs *n, const struct offer *mta)
{
	struct offer mine = { .actions = n->actions & mta->actions };

	for (size_t i = 0; i < PN_COUNT(flags); i++)
		if (flags[i].wanted(n))
			mine.protocol |= flags[i].flag & mta->protocol;
	return mine;
}
