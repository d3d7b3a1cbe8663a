/*
 * milter_apply - what a milter changed, done to a mail: recipients and sender
 * into t->onward, header and body (milter_message.c) into t->changed. All of
 * one milter's or nothing.
 *
 * Called by milters.c, for a milter that is content; on the worker's loop. RFC
 * 5321 4.1.2 says what an address and its parameters may be.
 */
#include "engine/milter_talk.h"
#include "mail/address.h"

/* Recipients that are looked at for all changes of one milter: some thousand
 * can be added. */
#define RCPT_WORK_MAX 20000000

/* ---- the envelope ---- */

/* "<ada@example.com>" without its brackets. */
static struct pn_str
bare(struct pn_str path)
{
	path = pn_str_trim(path);
	if (path.n >= 2 && path.p[0] == '<' && path.p[path.n - 1] == '>')
		path = pn_str_sub(path, 1, path.n - 2);
	return path;
}

/* A milter names one as it was told of him: with quotes or a route, where the
 * client wrote them. */
static struct rcpt *
find_rcpt(const struct transaction *t, struct pn_str path)
{
	struct rcpt *r;

	TAILQ_FOREACH (r, &transaction_onward(t)->rcpts, next)
		if (r->accepted && (pn_str_caseeq(r->address, path) ||
				       pn_str_caseeq(r->path, path)))
			return r;
	return NULL;
}

/* What goes into a command, and nothing that would end it. */
static bool
are_params(struct pn_str text, unsigned which)
{
	struct params p;

	return params_check(text, which, &p) == PARAMS_OK;
}

static int
add_rcpt(struct transaction *t, const struct milter_change *c, struct error *e)
{
	struct rcpt *rcpt;

	if (find_rcpt(t, bare(c->name)) != NULL)
		return 0;
	rcpt = envelope_add_address(t->onward, t->arena, bare(c->name));
	if (rcpt == NULL)
		return error_set(e, "it adds a recipient that is no address");
	if (!are_params(c->value, PARAM_OF_RCPT))
		return error_set(e, "it adds a recipient with parameters that "
		    "no next hop takes");
	rcpt->params = c->value;
	return 0;
}

/* However often the client named it. */
static void
delete_rcpt(struct transaction *t, const struct milter_change *c)
{
	struct rcpt *rcpt;

	while ((rcpt = find_rcpt(t, bare(c->name))) != NULL)
		envelope_remove_rcpt(t->onward, rcpt);
}

static int
change_from(struct transaction *t, const struct milter_change *c,
    struct error *e)
{
	if (envelope_set_sender(t->onward, t->arena, bare(c->name)) < 0)
		return error_set(e, "it sets a sender that is no address");
	if (!are_params(c->value, PARAM_OF_MAIL))
		return error_set(e, "it sets a sender with parameters that no "
		    "next hop takes");
	if (c->value.n > 0)
		t->onward->params = c->value;
	return 0;
}

static bool
touches_envelope(const struct milter_changes *changes)
{
	const struct milter_change *c;

	STAILQ_FOREACH (c, changes, next)
		if (c->what == MILTER_ADD_RCPT ||
		    c->what == MILTER_ADD_RCPT_PAR ||
		    c->what == MILTER_DELETE_RCPT ||
		    c->what == MILTER_CHANGE_FROM)
			return true;
	return false;
}

/* Of t->onward, which is a copy already. */
static int
change_copy(struct transaction *t, const struct milter_changes *changes,
    struct error *e)
{
	const struct milter_change *c;
	size_t work = 0;
	int done = 0;

	STAILQ_FOREACH (c, changes, next) {
		work += t->onward->n_accepted;
		if (work > RCPT_WORK_MAX)
			return error_set(e, "its changes of recipients have "
			    "no end");
		if (c->what == MILTER_ADD_RCPT ||
		    c->what == MILTER_ADD_RCPT_PAR)
			done = add_rcpt(t, c, e);
		else if (c->what == MILTER_DELETE_RCPT)
			delete_rcpt(t, c);
		else if (c->what == MILTER_CHANGE_FROM)
			done = change_from(t, c, e);
		if (done < 0)
			return -1;
	}
	return 0;
}

/* All of it or nothing. */
static int
change_envelope(struct transaction *t, const struct milter_changes *changes,
    struct error *e)
{
	struct envelope *before = t->onward;
	struct envelope *copy;

	if (!touches_envelope(changes))
		return 0;
	copy = arena_alloc(t->arena, sizeof(*copy));
	if (copy == NULL ||
	    envelope_copy(copy, transaction_onward(t), t->arena) < 0)
		return error_set(e, "out of memory for this mail");
	t->onward = copy;
	if (change_copy(t, changes, e) == 0)
		return 0;
	t->onward = before;
	return -1;
}

/* ---- the message ---- */

static bool
touches_message(const struct milter_mail *m)
{
	const struct milter_change *c;

	if (m->body != NULL)
		return true;
	STAILQ_FOREACH (c, &m->changes, next)
		if (c->what == MILTER_ADD_HEADER ||
		    c->what == MILTER_INSERT_HEADER ||
		    c->what == MILTER_CHANGE_HEADER)
			return true;
	return false;
}

/* *new: the message as it is then; NULL: it stays as it is. */
static int
change_message(struct transaction *t, const struct milter_talk *k,
    struct spool **new, struct error *e)
{
	const struct milter_mail *m = milter_talk_mail(k);

	*new = NULL;
	if (!touches_message(m))
		return 0;
	if (m->body != NULL && milter_lines_end(m->body, e) < 0)
		return -1;
	*new = milter_message(transaction_message(t), &m->changes,
	    m->body ? m->body->to : NULL, milter_talk_has_leading_space(k), e);
	return *new != NULL ? 0 : -1;
}

/* ---- both ---- */

bool
milter_changes_any(const struct milter_mail *m)
{
	return m->body != NULL || !STAILQ_EMPTY(&m->changes);
}

int
milter_apply(struct transaction *t, const struct milter_talk *k,
    struct error *e)
{
	const struct milter_mail *m = milter_talk_mail(k);
	struct spool *new;

	if (change_message(t, k, &new, e) < 0)
		return -1;
	if (change_envelope(t, &m->changes, e) < 0) {
		spool_free(new);
		return -1;
	}
	if (new != NULL) {
		spool_free(t->changed);
		t->changed = new;
	}
	return 0;
}
