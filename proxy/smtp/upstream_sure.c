/*
 * upstream_sure - whether a 250 behind a chunk is the answer to the message.
 * Called by upstream.c; owns nothing.
 *
 * DATA has 354, which nothing else is answered. A message that goes by BDAT has
 * only 250s around it: where the next hop has said one too many, and it came
 * while NOOP was on its way, every answer stands for the command before, and
 * that to NOOP would be the client's. So QUIT is said when as many replies are
 * here as are due; 221 answers nothing else (RFC 5321 4.2.2), and those right
 * before it are the message's. Who closes without a 221 was in step: what he
 * still owed would have come first. Not on a connection that somebody logged
 * in on: it would be lost to him.
 */
#include "smtp/upstream_inside.h"

void
sure_begin(struct upstream *u)
{
	u->sure = u->chunked && !u->engaged ? SURE_NOT : SURE_YES;
}

struct heard {
	unsigned n;       /* whole replies */
	uint16_t first, last; /* codes */
};

/* False: this is no SMTP, which reply_take() says. */
static bool
hear(struct pn_str in, struct heard *h)
{
	long n;
	uint16_t code;

	*h = (struct heard){ 0 };
	while ((n = reply_length(in, &code)) > 0) {
		h->first = h->n == 0 ? code : h->first;
		h->last = code;
		h->n++;
		in = pn_str_sub(in, (size_t)n, in.n);
	}
	return n == 0;
}

/* Those that answer what was asked before. */
static void
drop_strays(struct upstream *u, unsigned n)
{
	struct reply_lines r;

	while (n-- > 0)
		(void)reply_take(&u->wire.in, &r);
}

static void
say_quit(struct upstream *u)
{
	(void)buf_puts(&u->wire.out, "QUIT\r\n");
	(void)wire_flush(&u->wire); /* one that is gone ends in WIRE_END */
	wire_wait(&u->wire, u->conf.hop->conf->data_timeout_ms);
	u->sure = SURE_ASKED;
}

/* No is no: a stray reply says yes. */
static bool
is_refusal(const struct upstream *u, const struct heard *h)
{
	return u->outstanding == 1 && h->first >= 400;
}

bool
sure_of_replies(struct upstream *u)
{
	struct heard h;
	bool bye;

	if (!u->ending || u->sure == SURE_YES || u->writing)
		return true;
	if (!hear(buf_str(&u->wire.in), &h)) {
		drop_strays(u, h.n); /* what is no SMTP is what it says at last */
		return true;
	}
	if (is_refusal(u, &h))
		return true;
	bye = h.n > u->outstanding && h.last == 221;
	if (bye || u->ended) {
		if (h.n - bye > u->outstanding)
			drop_strays(u, h.n - bye - u->outstanding);
		u->sure = SURE_YES;
		return true;
	}
	if (h.n >= u->outstanding && u->sure == SURE_NOT)
		say_quit(u);
	return false;
}
