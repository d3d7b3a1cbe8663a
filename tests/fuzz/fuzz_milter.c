/*
 * fuzz_milter - what a milter sends, read as packets: first its word in the
 * negotiation, then answers. Whole or byte by byte, the same packets come; and
 * what is put of such texts is read as one packet.
 *
 * Covers: proxy/engine/milter_packet.c
 */
#include "engine/milter_packet.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_be_one(struct buf *b, char what)
{
	struct milter_packet p;

	must(milter_packet_take(buf_str(b), MILTER_DATA_MAX, &p) ==
		(long)buf_len(b) && p.what == what);
	buf_fini(b);
}

static void
put_some(const struct milter_said *s)
{
	const struct pn_str words[] = { s->name, s->value };
	const struct milter_options o = milter_offer(2 + s->index % 5);
	struct buf b = { 0 };

	if (milter_put_strings(&b, MILTER_HEADER, words, 2))
		must_be_one(&b, MILTER_HEADER);
	if (milter_put_macros(&b, MILTER_HELO, words, 2))
		must_be_one(&b, MILTER_MACRO);
	milter_put_connect(&b, s->name, s->index % 2 ? '4' : 'U', 25, s->value);
	must_be_one(&b, MILTER_CONNECT);
	milter_put_options(&b, &o);
	must_be_one(&b, MILTER_OPTIONS);
	milter_put(&b, MILTER_BODY, s->value);
	must_be_one(&b, MILTER_BODY);
}

static void
read_one(const struct milter_packet *p)
{
	struct arena *arena = arena_new(1u << 18);
	struct milter_options o;
	struct milter_said s;
	struct reply r;

	if (milter_read_options(p->data, &o))
		for (int i = 0; i < MILTER_LISTS; i++)
			must(o.macros[i].n < p->data.n + 1);
	if (milter_read_answer(p, &s)) {
		put_some(&s);
		if (milter_read_reply(s.value, arena, &r))
			must(r.code / 100 == 4 || r.code / 100 == 5);
	}
	must(milter_answer_name(p->what) && milter_command_name(p->what));
	arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pn_str in = { (const char *)data, size };
	struct milter_packet p, q;

	for (;;) {
		long n = milter_packet_take(in, 4096, &p), m = 0;

		for (size_t i = 0; n > 0 && m == 0 && i <= in.n; i++)
			m = milter_packet_take(pn_str_sub(in, 0, i), 4096, &q);
		if (n <= 0)
			return 0;
		must(m == n && q.what == p.what && pn_str_eq(q.data, p.data));
		read_one(&p);
		in = pn_str_sub(in, (size_t)n, in.n);
	}
}
