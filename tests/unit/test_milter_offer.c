/* milter/offer: what is asked of an MTA, by what a policy needs and what the
 * MTA offers. */
#include "cm.h"

#include <libmilter/mfapi.h>

#include "milter/offer.h"

#define ALL_ACTIONS                                                            \
	(SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT |       \
	    SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT | SMFIF_CHGFROM |                \
	    SMFIF_QUARANTINE)
/* What libmilter can do for an MTA that cannot. */
#define FAKED                                                                  \
	(SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT |       \
	    SMFIP_NR_DATA | SMFIP_NR_UNKN | SMFIP_NR_HDR | SMFIP_NR_EOH |      \
	    SMFIP_NR_BODY)
#define PROTOCOL_2 (SMFI_V2_PROT | FAKED)
#define PROTOCOL_6 (SMFI_CURR_PROT | FAKED)

#define ALWAYS                                                                 \
	(SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_SKIP | SMFIP_HDR_LEADSPC |     \
	    SMFIP_NR_CONN | SMFIP_NR_DATA | SMFIP_NR_UNKN | SMFIP_NR_HDR |     \
	    SMFIP_NR_EOH)
#define NO_BODY (SMFIP_NOBODY | SMFIP_NR_BODY)
#define NOTHING (SMFIP_NOHDRS | SMFIP_NOEOH | NO_BODY)
#define QUIET (SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT)

static const struct {
	const char *name;
	struct offer_needs needs;
	struct offer mta, want;
} cases[] = {
	{ "nothing is asked of the message",
	    { .actions = ALL_ACTIONS }, { ALL_ACTIONS, PROTOCOL_6 },
	    { ALL_ACTIONS, ALWAYS | QUIET | NOTHING } },
	{ "rules of the header",
	    { .header = true }, { ALL_ACTIONS, PROTOCOL_6 },
	    { 0, ALWAYS | QUIET | NO_BODY } },
	{ "rules of the body",
	    { .header = true, .body = true, .actions = ALL_ACTIONS,
		.stages = { [STAGE_MESSAGE] = true } },
	    { ALL_ACTIONS, PROTOCOL_6 },
	    { ALL_ACTIONS, ALWAYS | QUIET | SMFIP_NR_BODY } },
	{ "the rest of a body may be skipped",
	    { .header = true, .body = true, .answers_chunks = true },
	    { ALL_ACTIONS, PROTOCOL_6 }, { 0, ALWAYS | QUIET } },
	{ "over TCP DATA is answered",
	    { .header = true, .body = true, .tcp = true }, { ALL_ACTIONS, PROTOCOL_6 },
	    { 0,
		(ALWAYS & ~(SMFIP_NODATA | SMFIP_NR_DATA)) | QUIET |
		    SMFIP_NR_BODY } },
	{ "rules of the recipient",
	    { .header = true, .body = true, .stages = { [STAGE_RCPT] = true } },
	    { ALL_ACTIONS, PROTOCOL_6 },
	    { 0, ALWAYS | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_BODY } },
	{ "rules of the sender: RCPT says it",
	    { .header = true, .body = true, .stages = { [STAGE_MAIL] = true } },
	    { ALL_ACTIONS, PROTOCOL_6 },
	    { 0, ALWAYS | SMFIP_NR_HELO | SMFIP_NR_BODY } },
	{ "rules of the client: HELO may say it",
	    { .header = true, .body = true, .stages = { [STAGE_CONNECT] = true } },
	    { ALL_ACTIONS, PROTOCOL_6 }, { 0, ALWAYS | SMFIP_NR_BODY } },
	{ "an old MTA",
	    { .header = true, .body = true, .actions = ALL_ACTIONS },
	    { SMFI_V2_ACTS, PROTOCOL_2 },
	    { SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT |
		    SMFIF_DELRCPT | SMFIF_QUARANTINE,
		(ALWAYS & PROTOCOL_2) | QUIET | SMFIP_NR_BODY } },
	{ "an MTA that lets nothing be done",
	    { .actions = ALL_ACTIONS }, { 0, PROTOCOL_6 },
	    { 0, ALWAYS | QUIET | NOTHING } },
	{ "what no rule does is not asked for",
	    { .actions = SMFIF_ADDHDRS }, { ALL_ACTIONS, PROTOCOL_6 },
	    { SMFIF_ADDHDRS,
		ALWAYS | QUIET | NOTHING } },
};

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct offer got = offer_take(&cases[i].needs, &cases[i].mta);

		if (got.actions != cases[i].want.actions ||
		    got.protocol != cases[i].want.protocol)
			fail_msg("%s: 0x%lx 0x%lx, not 0x%lx 0x%lx",
			    cases[i].name, got.actions, got.protocol,
			    cases[i].want.actions, cases[i].want.protocol);
	}
}

/* Whatever the needs and the offer: nothing that was not offered. */
static void
test_never_more(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 1u << (STAGES + 2); bits++)
		for (unsigned flag = 0; flag < 32; flag++) {
			struct offer_needs n = { .body = bits >> STAGES & 1,
				.answers_chunks = bits >> (STAGES + 1) & 1,
				.actions = ALL_ACTIONS };
			struct offer mta = { ~(1ul << flag), ~(1ul << flag) };
			struct offer got;

			for (unsigned s = 0; s < STAGES; s++)
				n.stages[s] = bits >> s & 1;
			got = offer_take(&n, &mta);
			assert_int_equal(got.actions & 1ul << flag, 0);
			assert_int_equal(got.protocol & 1ul << flag, 0);
		}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_never_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
