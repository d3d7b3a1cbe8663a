/*
 * fuzz_smtp_words - what a client writes into commands and a next hop into
 * replies: each line of the input through every parser that may get it, and
 * the whole of it as replies.
 *
 * Covers: proxy/smtp/reply.c proxy/smtp/identity.c proxy/smtp/xtext.c
 * proxy/smtp/ehlo.c proxy/mail/address.c
 */
#include "smtp/line.h"

#include <stdlib.h>

#include "base/must.h"
#include "mail/address.h"
#include "smtp/ehlo.h"
#include "smtp/identity.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An address that was read, written anew, is read as the same. */
static void
write_again(const struct address *was, struct arena *a)
{
	struct buf b = { 0 };
	struct address again;
	struct pn_str rest;

	must(buf_puts(&b, "<\""));
	for (size_t i = 0; i < was->local.n; i++) {
		if (was->local.p[i] == '"' || was->local.p[i] == '\\')
			must(buf_puts(&b, "\\"));
		must(buf_add(&b, was->local.p + i, 1));
	}
	must(buf_puts(&b, "\"@") && buf_add_str(&b, was->domain));
	must(buf_puts(&b, ">"));
	must(address_parse_path(buf_str(&b), a, &again, &rest) == ADDRESS_OK);
	must(pn_str_eq(again.local, was->local) && rest.n == 0);
	must(pn_str_eq(again.domain, was->domain));
	buf_fini(&b);
}

static void
read_line(struct pn_str line)
{
	struct arena *a = arena_new(1 << 20);
	struct client c = { 0 };
	struct reply r = { 0 };
	struct buf out = { 0 };
	struct address path;
	struct params p;
	struct keywords k;
	struct pn_str rest = line;
	unsigned told = 0;

	if (address_parse_path(line, a, &path, &rest) == ADDRESS_OK) {
		must(path.address.n <= path.path.n);
		if (path.domain.n > 0)
			write_again(&path, a);
	}
	(void)params_check(rest, PARAM_OF_MAIL | PARAM_OF_RCPT, &p);
	if (line.n % 2 ? identity_read_xforward(line, &told, a, &c, &r)
		       : identity_read_xclient(line, a, &c, &r)) {
		identity_xclient(&out, &c, ~0u);
		(void)identity_xforward(&out, &c, "id", true, ~0u);
		must(memchr(buf_data(&out), '\0', buf_len(&out)) == NULL);
	}
	keywords_read(&k, line);
	ehlo_put(&out, &(struct ehlo){ .hostname = "h", .next = &k });
	reply_put(&out, &(struct reply){ 250, "2.0.0", line });
	buf_fini(&out);
	arena_free(a);
}

static void
read_lines(struct pn_str in)
{
	struct line l = { 0 };
	struct buf b = { 0 };
	struct pn_str text;
	enum line_fault fault;

	(void)buf_add_str(&b, in);
	while (line_next(&l, &b, &text, &fault)) {
		/* Of its own size: a byte too far is the sanitizer's to see. */
		char *copy = malloc(text.n > 0 ? text.n : 1);

		must(copy != NULL);
		memcpy(copy, text.p, text.n);
		read_line((struct pn_str){ copy, text.n });
		free(copy);
	}
	buf_fini(&b);
}

/* What one announces is what it shares with itself. */
static void
read_keywords(struct pn_str reply)
{
	struct keywords k, both = { 0 };
	struct ehlo e = { .hostname = "h", .next = &k, .size_limit = 1000,
		.starttls = true, .xclient = true, .auth = true };
	struct buf out = { 0 };

	keywords_read(&k, reply);
	must(strlen(k.auth) < sizeof(k.auth));
	keywords_join(&both, &k);
	keywords_join(&both, &k);
	must(both.chunking == k.chunking && both.xclient == k.xclient);
	(void)keywords_have_mechanism(&k, PN_STR_V("plain"));
	ehlo_put(&out, &e);
	must(buf_len(&out) > 0);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pn_str in = { (const char *)data, size };
	struct buf b = { 0 };
	struct reply_lines r;

	read_lines(in);
	(void)buf_add_str(&b, in);
	while (reply_take(&b, &r) == REPLY_WHOLE) {
		must(reply_text(&r).n <= r.raw.n);
		read_keywords(r.raw);
	}
	buf_fini(&b);
	return 0;
}
