/*
 * write - the message as it comes in pieces, into its spool: as the client
 * sent it, as far as the MTA lets us know. Called by talk.c, in libmilter's
 * threads; the spool is the mail's.
 *
 * Folded values come with bare LF (the MTA's own line ends) and go in with
 * CRLF. Without SMFIP_HDR_LEADSPC the blank behind the colon is lost, and the
 * usual one is assumed. Nobody relays from this spool: whether it is dotted
 * does not matter.
 */
#include <stdio.h>

#include "base/fault.h"
#include "milter/conversation.h"

void
mail_fault(struct mail *m, uint16_t code, const char *status, const char *text)
{
	if (m->fault.code != 0)
		return;
	m->fault = (struct reply){ .code = code, .text = pn_str_of(text) };
	(void)snprintf(m->fault.status, sizeof(m->fault.status), "%s", status);
	spool_free(m->t->spool);
	m->t->spool = NULL;
}

static void
put(struct mail *m, const struct milter *d, struct pn_str s)
{
	size_t limit = d->conf->message_size_limit;

	if (m->fault.code != 0)
		return;
	if (m->t->spool == NULL)
		m->t->spool = spool_new(d->pool);
	if (limit > 0 && m->received + s.n > limit) {
		mail_fault(m, 552, "5.3.4", "Message size exceeds fixed limit");
		return;
	}
	m->received += s.n;
	if (spool_append(m->t->spool, s, &m->trouble) < 0)
		mail_fault(m, 452, "4.3.1", "Insufficient system storage");
}

/* A line end of the MTA's own becomes the one that mail has. */
static void
put_lines(struct mail *m, const struct milter *d, struct pn_str s)
{
	const char *lf;

	while (s.n > 0 && (lf = memchr(s.p, '\n', s.n)) != NULL) {
		size_t n = (size_t)(lf - s.p);

		put(m, d, pn_str_sub(s, 0, n > 0 && lf[-1] == '\r' ? n - 1 : n));
		put(m, d, PN_STR_V("\r\n"));
		s = pn_str_sub(s, n + 1, s.n);
	}
	put(m, d, s);
}

void
write_header(struct mail *m, const struct milter *d, bool blanks,
    const char *name, const char *value)
{
	put(m, d, pn_str_of(name));
	put(m, d, blanks || value[0] == '\0' ? PN_STR_V(":") : PN_STR_V(": "));
	put_lines(m, d, pn_str_of(value));
	put(m, d, PN_STR_V("\r\n"));
}

static void
begin_body(struct mail *m, const struct milter *d)
{
	if (!m->body) {
		FAULT("body");
		put(m, d, PN_STR_V("\r\n"));
	}
	m->body = true;
}

void
write_body(struct mail *m, const struct milter *d, const void *p, size_t n)
{
	begin_body(m, d);
	put(m, d, (struct pn_str){ p, n });
}

void
write_end(struct mail *m, const struct milter *d)
{
	begin_body(m, d);
}
