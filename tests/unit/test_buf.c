/* buf: bytes come at the end and leave at the front, and the cap holds. */
#include "cm.h"

#include <stdlib.h>

#include "base/buf.h"

/* Any mix of adds and drops leaves what a plain queue would hold. */
static void
it_is_a_queue(void **state)
{
	struct buf b = { 0 };
	unsigned char in = 0, out = 0;
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t n = (seed = seed * 1103515245 + 12345) >> 16 & 63;

		if (seed & 1) {
			char *p = buf_room(&b, n);

			for (size_t k = 0; k < n; k++)
				p[k] = (char)in++;
			buf_added(&b, n);
		} else {
			n = n < buf_len(&b) ? n : buf_len(&b);
			for (size_t k = 0; k < n; k++)
				assert_int_equal((unsigned char)buf_data(&b)[k],
				    (unsigned char)(out + k));
			out = (unsigned char)(out + n);
			buf_drop(&b, n);
		}
		assert_int_equal(buf_len(&b) % 256, (unsigned char)(in - out));
	}
	buf_fini(&b);
	assert_int_equal(buf_len(&b), 0);
	assert_null(buf_str(&b).p);
}

static void
the_cap_is_all_or_nothing(void **state)
{
	struct buf b = { .max = 10 };

	(void)state;
	assert_true(buf_puts(&b, "12345678"));
	assert_false(buf_puts(&b, "abc"));
	assert_true(b.full);
	assert_str(buf_str(&b), "12345678");
	/* Nothing after it is taken, even what would fit. */
	assert_false(buf_puts(&b, "x"));
	buf_clear(&b);
	assert_true(buf_puts(&b, "1234567890"));
	buf_drop(&b, 5);
	assert_true(buf_puts(&b, "abcde"));
	assert_str(buf_str(&b), "67890abcde");
	assert_false(buf_puts(&b, "x"));
	buf_fini(&b);
	assert_int_equal(b.max, 10);
	assert_false(b.full);
}

/* An empty text is no reason to think that the cap was met. */
static void
nothing_can_be_added(void **state)
{
	struct buf b = { .max = 8 };

	(void)state;
	assert_true(buf_add(&b, "", 0));
	assert_int_equal(buf_len(&b), 0);
	assert_false(b.full);
	buf_fini(&b);
}

static void
printing(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_true(buf_printf(&b, "%s=%d", "a", 5));
	assert_true(buf_printf(&b, "%s", ""));
	assert_true(buf_add_str(&b, (struct pn_str){ NULL, 0 }));
	assert_true(buf_printf(&b, "%0512d", 1));
	assert_int_equal(buf_len(&b), 3 + 512);
	assert_memory_equal(buf_data(&b), "a=5000", 6);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_queue),
		cmocka_unit_test(the_cap_is_all_or_nothing),
		cmocka_unit_test(nothing_can_be_added),
		cmocka_unit_test(printing),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
