/* milter/packets: what an MTA sends reaches libmilter as it was, however it is
 * cut, but for lists of macros that libmilter would run past. */
#include "cm.h"

#include <arpa/inet.h>
#include <string.h>

#include "milter/packets.h"

#define P(command, data) packet(command, data, sizeof(data) - 1)

static struct buf made;

static void
packet(char command, const char *data, size_t n)
{
	uint32_t length = htonl((uint32_t)n + 1);

	assert_true(buf_add(&made, &length, sizeof(length)));
	assert_true(buf_add(&made, &command, 1));
	assert_true(buf_add(&made, data, n));
}

/* All that can be taken, in pieces of up to n. */
static void
drain(struct packets *p, size_t n, struct buf *out)
{
	char piece[64];
	size_t got;

	while ((got = packets_take(p, piece, n)) > 0)
		assert_true(buf_add(out, piece, got));
}

/* ---- the lists ---- */

static const struct {
	const char *name;
	const char *data;
	size_t n;
	bool good;
} lists[] = {
#define LIST(name, data, good) { name, data, sizeof(data) - 1, good }
	LIST("none", "C", true),
	LIST("one", "Ci\0value\0", true),
	LIST("two", "C{a}\0\0j\0x\0", true),
	LIST("not even for what", "", false),
	LIST("a name without a value", "Ci\0", false),
	LIST("the last name without a value", "Ci\0v\0j\0", false),
	LIST("a value without its end", "Ci\0v", false),
	LIST("an empty name alone", "C\0", false),
	LIST("two that are empty", "C\0\0", true),
	LIST("no end at all", "Ci", false),
};

static void
test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(lists); i++) {
		struct packets p = { 0 };

		buf_clear(&made);
		packet('D', lists[i].data, lists[i].n);
		packets_add(&p, buf_data(&made), buf_len(&made) - 1);
		if (lists[i].n > 0 && packets_ready(&p) != 0)
			fail_msg("%s: goes on before it is whole", lists[i].name);
		packets_add(&p, buf_data(&made) + buf_len(&made) - 1, 1);
		if ((packets_ready(&p) > 0) != lists[i].good)
			fail_msg("%s", lists[i].name);
		packets_fini(&p);
	}
}

/* ---- lengths ---- */

static void
test_lengths(void **state)
{
	static const struct {
		uint32_t length;
		char command;
		bool good;
	} cases[] = {
		{ 0, 'H', false }, { 1, 'E', true }, { 0xffffffff, 'H', false },
		{ 0x80000000, 'H', false }, { 0x80000001, 'H', false },
		{ 65536, 'B', true }, { 65537, 'B', false },
		{ 65536, 'D', true }, { 65537, 'D', false },
		{ 0xffffffff, 'D', false }, { 0xffffffff, 'A', false },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct packets p = { 0 };
		uint32_t length = htonl(cases[i].length);

		packets_add(&p, &length, 4);
		packets_add(&p, &cases[i].command, 1);
		if ((packets_ready(&p) >= 0) != cases[i].good)
			fail_msg("%u of %c", cases[i].length, cases[i].command);
		packets_fini(&p);
	}
}

/* ---- slices ---- */

static void
make_session(void)
{
	static const char body[40000] = { 'x' };

	buf_clear(&made);
	P('O', "\0\0\0\6\0\0\1\377\0\37\377\377");
	P('D', "Cj\0mx.example\0{daemon_name}\0\0");
	P('C', "client.example\0004\30\1192.0.2.1\0");
	P('D', "M");
	P('M', "<a@b>\0");
	P('L', "Subject\0 \303\274\0");
	P('N', "");
	packet('B', body, sizeof(body));
	P('E', "");
	P('Q', "");
}

static void
test_slices(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 6, 7, 16, 61, 1000, 16384, 65535 };

	(void)state;
	make_session();
	for (size_t i = 0; i < PN_COUNT(sizes); i++)
		for (size_t k = 1; k <= 64; k += 9) {
			struct packets p = { 0 };
			struct buf out = { 0 };
			size_t n;

			for (size_t at = 0; at < buf_len(&made); at += n) {
				n = buf_len(&made) - at;
				n = n < sizes[i] ? n : sizes[i];
				packets_add(&p, buf_data(&made) + at, n);
				drain(&p, k, &out);
			}
			assert_int_equal(buf_len(&out), buf_len(&made));
			assert_memory_equal(buf_data(&out), buf_data(&made), buf_len(&made));
			packets_fini(&p);
			buf_fini(&out);
		}
}

/* Most of a body need not pass through: what was read past is left out. */
static void
test_direct(void **state)
{
	struct packets p = { 0 };
	struct buf out = { 0 };

	(void)state;
	buf_clear(&made);
	P('B', "0123456789");
	P('E', "");
	assert_int_equal(packets_direct(&p), 0);
	packets_add(&p, buf_data(&made), 7);
	assert_int_equal(packets_direct(&p), 0); /* those first */
	drain(&p, 64, &out);
	assert_int_equal(packets_direct(&p), 8);
	packets_passed(&p, 6);
	packets_add(&p, buf_data(&made) + 13, buf_len(&made) - 13);
	drain(&p, 64, &out);
	packets_rest(&p);
	assert_int_equal(packets_direct(&p), 0);
	assert_int_equal(buf_len(&out), 7 + 2 + 5);
	assert_memory_equal(buf_data(&out) + 7, "89\0\0\0\1E", 7);
	packets_fini(&p);
	buf_fini(&out);
}

/* Behind one that is broken nothing goes on, and before it all does. */
static void
test_broken(void **state)
{
	struct packets p = { 0 };
	struct buf out = { 0 };

	(void)state;
	buf_clear(&made);
	P('H', "client\0");
	P('D', "Ci\0");
	P('H', "client\0");
	packets_add(&p, buf_data(&made), buf_len(&made));
	drain(&p, 64, &out);
	assert_int_equal(buf_len(&out), 12);
	assert_int_equal(packets_ready(&p), -1);
	packets_fini(&p);
	buf_fini(&out);
}

static int
tidy(void **state)
{
	(void)state;
	buf_fini(&made);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, tidy);
}
