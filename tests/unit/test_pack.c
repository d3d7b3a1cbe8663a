/* pack: numbers and strings there and back; a short message fails once for all.
 */
#include "cm.h"

#include "base/pack.h"

static void
there_and_back(void **state)
{
	struct buf b = { 0 };
	struct unpack u;

	(void)state;
	pack_u8(&b, 0xfe);
	pack_u16(&b, 0xfedc);
	pack_u32(&b, 0xfedcba98);
	pack_u64(&b, 0xfedcba9876543210);
	pack_str(&b, PN_STR_V("a\0b"));
	pack_str(&b, (struct pn_str){ NULL, 0 });
	u = unpack_of(buf_data(&b), buf_len(&b));
	assert_int_equal(unpack_u8(&u), 0xfe);
	assert_int_equal(unpack_u16(&u), 0xfedc);
	assert_int_equal(unpack_u32(&u), 0xfedcba98);
	assert_true(unpack_u64(&u) == 0xfedcba9876543210);
	assert_int_equal(unpack_str(&u).n, 3);
	assert_false(unpack_done(&u));
	assert_int_equal(unpack_str(&u).n, 0);
	assert_true(unpack_done(&u));
	buf_fini(&b);
}

static void
little_endian_on_the_wire(void **state)
{
	struct buf b = { 0 };

	(void)state;
	pack_u32(&b, 0x01020304);
	pack_str(&b, PN_STR_V("x"));
	assert_int_equal(buf_len(&b), 9);
	assert_memory_equal(buf_data(&b), "\4\3\2\1\1\0\0\0x", 9);
	buf_fini(&b);
}

static void
a_short_message_fails_for_good(void **state)
{
	static const char bytes[] = { 1, 2, 3, 4, 5 };

	(void)state;
	for (size_t n = 0; n < 4; n++) {
		struct unpack u = unpack_of(bytes, n);

		assert_int_equal(unpack_u32(&u), 0);
		assert_true(u.failed);
		/* There were bytes for this one, but not any more. */
		assert_int_equal(unpack_u8(&u), 0);
		assert_int_equal(unpack_str(&u).n, 0);
		assert_false(unpack_done(&u));
	}
}

static void
a_string_longer_than_the_message(void **state)
{
	static const char *const cases[] = { "\5\0\0\0abcd",
		"\377\377\377\377a", "\0\0\0\200" };
	static const size_t sizes[] = { 8, 5, 4 };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct unpack u = unpack_of(cases[i], sizes[i]);

		assert_int_equal(unpack_str(&u).n, 0);
		assert_true(u.failed);
	}
}

static void
bytes_left_over_are_not_done(void **state)
{
	struct unpack u = unpack_of("\1\2", 2);

	(void)state;
	assert_int_equal(unpack_u8(&u), 1);
	assert_false(unpack_done(&u));
	unpack_fail(&u);
	assert_false(unpack_done(&u));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(little_endian_on_the_wire),
		cmocka_unit_test(a_short_message_fails_for_good),
		cmocka_unit_test(a_string_longer_than_the_message),
		cmocka_unit_test(bytes_left_over_are_not_done),
	};

	return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
