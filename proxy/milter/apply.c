/* apply - see apply.h. */
#include "milter/apply.h"

#include <stdio.h>

#include "base/must.h"
#include "milter/answer.h"

#define CHUNK 65535 /* smfi_replacebody() cuts there itself, and copies */

/* ---- replies ---- */

int
answer_give(SMFICTX *ctx, struct answer *a)
{
	char **l = a->lines;

	/* All 32 are passed; libmilter stops at the first NULL. */
	if (smfi_setmlreply(ctx, a->code, a->status, l[0], l[1], l[2], l[3],
		l[4], l[5], l[6], l[7], l[8], l[9], l[10], l[11], l[12],
		l[13], l[14], l[15], l[16], l[17], l[18], l[19], l[20],
		l[21], l[22], l[23], l[24], l[25], l[26], l[27], l[28],
		l[29], l[30], l[31], (char *)NULL) != MI_SUCCESS)
		must(!"answer_make() and libmilter differ on what a reply is");
	return a->later ? -1 : 0;
}

/* ---- what the MTA has to offer for it ---- */

static bool
same(const struct rcpt *a, const struct rcpt *b)
{
	return pn_str_eq(a->path, b->path);
}

static bool
has(const struct envelope *e, const struct rcpt *r)
{
	const struct rcpt *x;

	TAILQ_FOREACH (x, &e->rcpts, next)
		if (x->accepted && same(x, r))
			return true;
	return false;
}

static unsigned long
envelope_actions(const struct transaction *t)
{
	const struct envelope *on = t->onward;
	const struct rcpt *r;
	unsigned long need =
	    transaction_sender_changed(t) ? SMFIF_CHGFROM : 0;

	if (on == NULL)
		return 0;
	TAILQ_FOREACH (r, &on->rcpts, next)
		if (r->accepted && !has(&t->envelope, r))
			need |= r->quiet ? SMFIF_ADDRCPT_PAR : SMFIF_ADDRCPT;
	TAILQ_FOREACH (r, &t->envelope.rcpts, next)
		if (r->accepted && !has(on, r))
			need |= SMFIF_DELRCPT;
	return need;
}

static unsigned long
header_actions(const struct edit_ops *ops)
{
	const struct edit_op *op;
	unsigned long need = 0;

	STAILQ_FOREACH (op, ops, next)
		need |= op->kind == EDIT_OP_ADD || op->kind == EDIT_OP_INSERT
		    ? SMFIF_ADDHDRS
		    : SMFIF_CHGHDRS;
	return need;
}

static const struct {
	unsigned long flag;
	const char *what;
} names[] = {
	{ SMFIF_ADDHDRS, "adding header fields" },
	{ SMFIF_CHGHDRS, "changing header fields" },
	{ SMFIF_CHGBODY, "replacing the body" },
	{ SMFIF_ADDRCPT, "adding recipients" },
	{ SMFIF_ADDRCPT_PAR, "adding recipients with parameters" },
	{ SMFIF_DELRCPT, "deleting recipients" },
	{ SMFIF_CHGFROM, "changing the sender" },
	{ SMFIF_QUARANTINE, "holding" },
};

static int
check_offered(unsigned long need, unsigned long offered, struct error *e)
{
	for (size_t i = 0; i < PN_COUNT(names); i++)
		if (need & ~offered & names[i].flag)
			return error_set(e,
			    "the MTA offers no way of %s (negotiated 0x%lx)",
			    names[i].what, offered);
	return 0;
}

int
apply_prepare(struct mail *m, struct error *e)
{
	struct transaction *t = m->t;
	unsigned long need = envelope_actions(t);

	STAILQ_INIT(&m->ops);
	m->new_body = false;
	*e = (struct error){ .text = "out of memory for this mail",
		.no_room = true };
	if (!STAILQ_EMPTY(&t->edits)) {
		if (edits_header_ops(
			&t->edits, t->spool, t->arena, &m->ops, e) < 0)
			return -1;
		need |= header_actions(&m->ops);
		m->new_body = edits_change_body(&t->edits);
	}
	if (m->new_body) {
		need |= SMFIF_CHGBODY;
		if (edits_new_body(
			&t->edits, t->spool, t->arena, &m->body_ranges, e) < 0)
			return -1;
	}
	if (m->outcome == OUTCOME_HOLD)
		need |= SMFIF_QUARANTINE;
	e->no_room = false;
	return check_offered(need, m->of->offer.actions, e);
}

/* ---- the changes ---- */

/* Where the MTA puts the blank behind the colon itself, ours would be one too
 * many. */
static char *
value_of(const struct mail *m, const struct edit_op *op)
{
	const char *v = op->value.p;

	if (!(m->of->offer.protocol & SMFIP_HDR_LEADSPC) && v[0] == ' ')
		v++;
	return (char *)(uintptr_t)v;
}

static int
header_op(SMFICTX *ctx, const struct mail *m, const struct edit_op *op)
{
	char *name = (char *)(uintptr_t)op->name.p; /* libmilter has no const */

	switch (op->kind) {
	case EDIT_OP_DELETE:
		return smfi_chgheader(ctx, name, (int)op->nth, NULL);
	case EDIT_OP_CHANGE:
		return smfi_chgheader(
		    ctx, name, (int)op->nth, value_of(m, op));
	case EDIT_OP_INSERT:
		return smfi_insheader(ctx, 0, name, value_of(m, op));
	case EDIT_OP_ADD:
		return smfi_addheader(ctx, name, value_of(m, op));
	}
	return MI_FAILURE;
}

static int
change_header(SMFICTX *ctx, const struct mail *m)
{
	const struct edit_op *op;

	STAILQ_FOREACH (op, &m->ops, next)
		if (header_op(ctx, m, op) != MI_SUCCESS)
			return -1;
	return 0;
}

/* In the pieces in which it lies: it is never whole in one place. */
static int
replace_body(SMFICTX *ctx, const struct mail *m)
{
	struct edit_cursor at = { 0 };
	struct pn_str piece;
	bool any = false;

	while ((piece = edit_cursor_peek(&at, &m->body_ranges, m->t->spool)).n >
	    0) {
		if (piece.n > CHUNK)
			piece.n = CHUNK;
		if (smfi_replacebody(ctx,
			(unsigned char *)(uintptr_t)piece.p,
			(int)piece.n) != MI_SUCCESS)
			return -1;
		edit_cursor_skip(&at, piece.n);
		any = true;
	}
	if (piece.p == NULL)
		return -1;
	return any || smfi_replacebody(ctx, NULL, 0) == MI_SUCCESS ? 0 : -1;
}

/* As libmilter wants it: "<path>". */
static char *
bracketed(const struct mail *m, struct pn_str path)
{
	return arena_printf(m->t->arena, "<%.*s>", PN_STR_ARG(path));
}

/* As MTAs compare it: they have dropped the route (RFC 5321 F.2). */
static char *
without_route(const struct mail *m, const struct rcpt *r)
{
	return bracketed(m,
	    pn_str_starts(r->path, PN_STR_V("@")) ? r->address : r->path);
}

static int
add_rcpt(SMFICTX *ctx, const struct mail *m, const struct rcpt *r)
{
	static char quiet[] = "NOTIFY=NEVER";
	char *path = bracketed(m, r->path);

	if (path == NULL)
		return -1;
	return (r->quiet ? smfi_addrcpt_par(ctx, path, quiet)
			 : smfi_addrcpt(ctx, path)) == MI_SUCCESS
	    ? 0
	    : -1;
}

static int
change_envelope(SMFICTX *ctx, const struct mail *m)
{
	const struct transaction *t = m->t;
	const struct rcpt *r;
	char *path;

	if (t->onward == NULL)
		return 0;
	if (transaction_sender_changed(t) &&
	    ((path = bracketed(m, t->onward->path)) == NULL ||
		smfi_chgfrom(ctx, path, NULL) != MI_SUCCESS))
		return -1;
	TAILQ_FOREACH (r, &t->envelope.rcpts, next)
		if (r->accepted && !has(t->onward, r) &&
		    ((path = without_route(m, r)) == NULL ||
			smfi_delrcpt(ctx, path) != MI_SUCCESS))
			return -1;
	TAILQ_FOREACH (r, &t->onward->rcpts, next)
		if (r->accepted && !has(&t->envelope, r) &&
		    add_rcpt(ctx, m, r) < 0)
			return -1;
	return 0;
}

/* The last of all changes: Postfix takes it for the end of them. */
static int
hold(SMFICTX *ctx, const struct mail *m)
{
	const struct verdict *v = &m->t->verdict;
	struct pn_str why = v->reason.n > 0 ? v->reason : v->rule;
	char *text;

	if (m->outcome != OUTCOME_HOLD)
		return 0;
	text = arena_printf(m->t->arena, "%.*s", PN_STR_ARG(why));
	return text != NULL && smfi_quarantine(ctx, text) == MI_SUCCESS ? 0
									: -1;
}

void
apply(SMFICTX *ctx, struct mail *m)
{
	if (change_envelope(ctx, m) == 0 && change_header(ctx, m) == 0 &&
	    (!m->new_body || replace_body(ctx, m) == 0) && hold(ctx, m) == 0)
		return;
	(void)error_set(&m->trouble, "a change could not be told the MTA");
	m->outcome = OUTCOME_REFUSE;
	m->reply = (struct reply){ .code = 451, .status = "4.7.1",
		.text = PN_STR("The message cannot be changed as it must be") };
}
