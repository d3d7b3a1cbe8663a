/* lmtp - see lmtp.h. */
#include "smtp/lmtp.h"

#include "base/fault.h"

/* The next hop's last word about one recipient. */
struct last_word {
	const struct rcpt *rcpt;
	struct reply_lines reply;
};

struct last_words {
	unsigned n, heard;
	struct last_word of[];
};

bool
lmtp_is_full(const struct session *s)
{
	const struct answer *a;

	if (!s->hop->conf->lmtp || s->listener->lmtp)
		return false;
	STAILQ_FOREACH (a, &s->answers, next)
		if (a->kind == ANSWER_RCPT)
			return true;
	return s->t->envelope.n_accepted > 0;
}

unsigned
lmtp_replies(const struct session *s)
{
	return s->hop->conf->lmtp ? transaction_onward(s->t)->n_accepted : 1;
}

bool
lmtp_expect(struct session *s)
{
	const struct envelope *e = transaction_onward(s->t);
	const struct rcpt *r;
	struct last_words *w;

	if (!s->hop->conf->lmtp)
		return true;
	w = arena_alloc(
	    s->t->arena, sizeof(*w) + e->n_accepted * sizeof(w->of[0]));
	if (w == NULL)
		return false;
	*w = (struct last_words){ 0 };
	TAILQ_FOREACH (r, &e->rcpts, next)
		if (r->accepted)
			w->of[w->n++].rcpt = r;
	s->last_words = w;
	return true;
}

/* ---- the client's replies ---- */

void
lmtp_repeat(struct session *s)
{
	struct buf *out = &s->wire.out;
	size_t n = buf_len(out) - s->reply_at;

	if (!s->listener->lmtp || s->answered_each)
		return;
	for (unsigned i = 1; i < s->t->envelope.n_accepted; i++) {
		char *at = buf_room(out, n); /* may move what is there */

		memcpy(at, buf_data(out) + s->reply_at, n);
		buf_added(out, n);
	}
}

static bool
is_good(const struct last_word *w)
{
	return w->reply.code / 100 == 2;
}

/* The first refusal, else the first word. */
static const struct last_word *
worst(const struct last_words *w)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!is_good(&w->of[i]))
			return &w->of[i];
	return &w->of[0];
}

static bool
any_good(const struct last_words *w)
{
	for (unsigned i = 0; i < w->n; i++)
		if (is_good(&w->of[i]))
			return true;
	return false;
}

/* NULL: rules took him away. */
static const struct last_word *
own_word(const struct last_words *w, const struct rcpt *r)
{
	for (unsigned i = 0; i < w->n; i++)
		if (pn_str_eq(w->of[i].rcpt->path, r->path))
			return &w->of[i];
	return NULL;
}

/* What became of the message for a recipient of the client's. Rules may have
 * put others in his place: then he fares as badly as any of them. */
static const struct last_word *
word_for(const struct last_words *w, const struct rcpt *r)
{
	const struct last_word *own = own_word(w, r);

	return own != NULL ? own : worst(w);
}

/* A recipient whose own word the client hears. */
static bool
is_told(const struct session *s, const struct last_word *w)
{
	const struct rcpt *r;

	if (!s->listener->lmtp)
		return false;
	TAILQ_FOREACH (r, &s->t->envelope.rcpts, next)
		if (r->accepted && pn_str_eq(r->path, w->rcpt->path))
			return true;
	return false;
}

/* Of one that somebody was put in the place of, the client hears how that one
 * fares: with him it is all told. */
static bool
hears_of_stand_ins(const struct session *s)
{
	const struct rcpt *r;

	if (!s->listener->lmtp)
		return false;
	TAILQ_FOREACH (r, &s->t->envelope.rcpts, next)
		if (r->accepted && own_word(s->last_words, r) == NULL)
			return true;
	return false;
}

/* It was refused to somebody of whom the client will not hear, and taken for
 * one for whom the client will not send it again. */
static bool
is_left_over(const struct session *s)
{
	const struct last_words *w = s->last_words;
	bool left = false, good = false;

	for (unsigned i = 0; i < w->n; i++) {
		bool told = is_told(s, &w->of[i]);

		left |= !told && !is_good(&w->of[i]);
		good |= is_good(&w->of[i]) && told == s->listener->lmtp;
	}
	return left && good && !hears_of_stand_ins(s);
}

static void
answer_each(struct session *s)
{
	const struct rcpt *r;

	TAILQ_FOREACH (r, &s->t->envelope.rcpts, next)
		if (r->accepted)
			session_pass_on(s, &word_for(s->last_words, r)->reply);
	s->answered_each = true;
}

/* At the mail's cap, and its outcome is not ours to say (RFC 1047). */
static enum turn
leave(struct session *s)
{
	mail_done(s, 0);
	return session_leave(s);
}

/*
 * Some have it already: the client must not send it again, and the others must
 * not lose it. They are rules' doing, the client gave us one.
 */
static enum turn
keep_for_others(struct session *s)
{
	const struct last_words *w = s->last_words;
	struct envelope *rest = arena_alloc(s->t->arena, sizeof(*rest));
	struct rcpt *r, *next;
	unsigned i = 0;

	if (rest == NULL ||
	    envelope_copy(rest, transaction_onward(s->t), s->t->arena) < 0)
		return leave(s);
	for (r = TAILQ_FIRST(&rest->rcpts); r != NULL; r = next, i++) {
		next = TAILQ_NEXT(r, next);
		if (is_good(&w->of[i]) || is_told(s, &w->of[i]))
			envelope_remove_rcpt(rest, r);
	}
	rest_start(s, rest);
	return TURN_AGAIN;
}

enum turn
lmtp_answer(struct session *s)
{
	const struct last_words *w = s->last_words;
	const struct last_word *bad = worst(w);

	if (s->listener->lmtp)
		answer_each(s);
	else
		session_pass_on(s, &bad->reply);
	mail_done(s, any_good(w) ? 250 : bad->reply.code);
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}

static enum turn
finish(struct session *s)
{
	FAULT("relayed");
	return is_left_over(s) ? keep_for_others(s) : lmtp_answer(s);
}

/* ---- the next hop's words ---- */

/* False: at the arena's cap. */
static bool
note(struct session *s, struct reply_lines r)
{
	struct last_words *w = s->last_words;

	r.raw = arena_str(s->t->arena, r.raw);
	if (r.raw.p == NULL)
		return false;
	w->of[w->heard++].reply = r;
	return true;
}

/* All that it has not spoken of fare like this. */
static bool
note_rest(struct session *s, struct reply_lines r)
{
	while (s->last_words->heard < s->last_words->n)
		if (!note(s, r))
			return false;
	return true;
}

static bool
note_lost(struct session *s)
{
	const struct reply *r = upstream_failure(s->up);
	struct buf text = { 0 };
	bool ok;

	reply_put(&text, r);
	ok = note_rest(s, (struct reply_lines){ r->code, buf_str(&text) });
	buf_fini(&text);
	return ok;
}

/* Refused before it saw the end of the message: that is for all. */
static bool
take(struct session *s)
{
	struct last_words *w = s->last_words;
	struct reply_lines r;

	while (w->heard < w->n && upstream_take(s->up, &r))
		if (!(upstream_at(s->up) == UPSTREAM_READY ? note(s, r)
							    : note_rest(s, r)))
			return false;
	return true;
}

enum turn
lmtp_last_word(struct session *s)
{
	bool room = take(s);

	if (room && s->last_words->heard < s->last_words->n) {
		if (upstream_at(s->up) == UPSTREAM_READY)
			return session_wait_elsewhere(s);
		room = note_lost(s);
	}
	if (!room)
		return leave(s);
	return finish(s);
}
