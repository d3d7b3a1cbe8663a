/*
 * text - what the reader sees: the texts of the message, pages reduced to
 * theirs, and what pages hide from him.
 *
 * text, html and text.hidden are declared here and looked up in the message
 * when a rule asks (inspect/host); they can be large.
 */
#include "filter.h"

static const struct pn_fact_decl facts[] = {
	{ .name = "text", .type = PN_STRING, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_MANY,
	    .help = "each text as the reader sees it, HTML reduced to text" },
	{ .name = "html", .type = PN_STRING, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_MANY, .help = "the source of each HTML text" },
	{ .name = "text.hidden", .type = PN_STRING, .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_MANY,
	    .help = "text that HTML hides from the reader" },
	{ .name = "text.invisible", .type = PN_NUMBER,
	    .stage = PN_STAGE_MESSAGE,
	    .help = "characters that show nothing, taken out of the texts" },
	{ .name = "text.limit", .type = PN_BOOL, .stage = PN_STAGE_MESSAGE,
	    .help = "there is more text than was read" },
	{ .name = NULL },
};

/* Read here, where a limit is met in time for the facts that tell of limits. */
static enum pn_step
inspect(struct pn_mail *m)
{
	bool wanted = false, more;
	struct pn_str text;

	for (const struct pn_fact_decl *f = facts; f->name != NULL; f++)
		wanted |= pn_wanted(m, f->name);
	if (!wanted)
		return PN_NEXT;
	(void)pn_text(m, 0, &text, &more); /* none is fine */
	pn_fact_number(m, "text.invisible", (int64_t)pn_invisible(m));
	pn_fact_bool(m, "text.limit", more ? PN_TRUE : PN_FALSE);
	return PN_NEXT;
}

const struct pn_filter pn_filter_text = {
	.abi = PN_ABI,
	.name = "text",
	.facts = facts,
	.inspect = inspect,
};
