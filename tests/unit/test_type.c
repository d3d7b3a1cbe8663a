/* type: what bytes are by their first ones, and where text ends to be text. */
#include "cm.h"

#include <stdio.h>

#include "inspect/find.h"
#include "inspect/type.h"

static void
a_control_character_is_no_text_wherever_it_stands(void **state)
{
	char head[100];

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		for (size_t at = 1; at < sizeof(head); at++) {
			bool text = (c >= ' ' && c != 127) ||
			    (c != 0 && strchr("\t\n\r\f\32\33", (int)c) != NULL);

			memset(head, 'a', sizeof(head));
			head[at] = (char)c;
			assert_ptr_equal(
			    type_of((struct pn_str){ head, sizeof(head) }),
			    text ? type_text : type_unknown);
		}
}

/* A tape archive's header: one name, and the sum of the block. */
static struct pn_str
old_tar(char block[512], const char *sum)
{
	memset(block, 0, 512);
	memcpy(block, "a.exe", 5);
	memcpy(block + 148, sum, strlen(sum));
	return (struct pn_str){ block, 512 };
}

static void
an_old_tape_archive_is_known_by_its_sum(void **state)
{
	char block[512], sum[9];
	unsigned is = 8 * ' ' + 'a' + '.' + 'e' + 'x' + 'e';

	(void)state;
	(void)snprintf(sum, sizeof(sum), "%6o", is);
	assert_true(type_is_tar(old_tar(block, sum)));
	(void)snprintf(sum, sizeof(sum), "%6o", is + 1);
	assert_false(type_is_tar(old_tar(block, sum)));
	assert_false(type_is_tar(old_tar(block, "")));
	memcpy(block + 257, "ustar", 5);
	assert_true(type_is_tar((struct pn_str){ block, 512 }));
	assert_false(type_is_tar((struct pn_str){ block, 511 }));
}

static void
a_word_is_found_wherever_it_stands(void **state)
{
	/* Of the first letter there are few, then too many. */
	static const char *const fill[] = { "x", "b" };
	char s[200];

	(void)state;
	for (size_t f = 0; f < PN_COUNT(fill); f++)
		for (size_t at = 0; at + 5 <= sizeof(s); at++) {
			memset(s, fill[f][0], sizeof(s));
			memcpy(s + at, "begin", 5);
			assert_ptr_equal(find_word((struct pn_str){ s, sizeof(s) },
					     PN_STR_V("begin")), s + at);
			assert_null(find_word((struct pn_str){ s, at + 4 },
			    PN_STR_V("begin")));
		}
	assert_null(find_word((struct pn_str){ NULL, 0 }, PN_STR_V("begin")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_control_character_is_no_text_wherever_it_stands),
		cmocka_unit_test(an_old_tape_archive_is_known_by_its_sum),
		cmocka_unit_test(a_word_is_found_wherever_it_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
