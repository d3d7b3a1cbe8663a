/* json: commas, nesting, and bytes that are no UTF-8. */
#include "cm.h"

#include "base/json.h"

static void
values_in_their_places(void **state)
{
	struct buf b = { 0 };

	(void)state;
	json_begin_object(&b, NULL);
	json_cstr(&b, "a", "x");
	json_int(&b, "b", INT64_MIN);
	json_bool(&b, "c", true);
	json_bool(&b, "d", false);
	json_put_null(&b, "e");
	json_begin_array(&b, "f");
	json_int(&b, NULL, 1);
	json_begin_object(&b, NULL);
	json_end_object(&b);
	json_begin_array(&b, NULL);
	json_end_array(&b);
	json_cstr(&b, NULL, "");
	json_end_array(&b);
	json_raw(&b, "g", PN_STR_V("{\"h\":[1]}"));
	json_begin_object(&b, "i");
	json_end_object(&b);
	json_end_object(&b);
	assert_str(buf_str(&b),
	    "{\"a\":\"x\",\"b\":-9223372036854775808,\"c\":true,\"d\":false,"
	    "\"e\":null,\"f\":[1,{},[],\"\"],\"g\":{\"h\":[1]},\"i\":{}}");
	buf_fini(&b);
}

/* A string that ends like an opening brace still gets its comma. */
static void
strings_do_not_pass_for_structure(void **state)
{
	struct buf b = { 0 };

	(void)state;
	json_begin_array(&b, NULL);
	json_cstr(&b, NULL, "{");
	json_cstr(&b, NULL, "[");
	json_cstr(&b, NULL, ":");
	json_end_array(&b);
	assert_str(buf_str(&b), "[\"{\",\"[\",\":\"]");
	buf_fini(&b);
}

static void
strings(void **state)
{
	static const struct {
		struct pn_str in;
		const char *out;
	} cases[] = {
		{ PN_STR("plain"), "\"plain\"" },
		{ PN_STR("q\"b\\"), "\"q\\\"b\\\\\"" },
		{ PN_STR("\0\t\r\n\177"),
		    "\"\\u0000\\u0009\\u000d\\u000a\\u007f\"" },
		{ PN_STR("\xc3\xa4\xf0\x9f\x98\x80"),
		    "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ PN_STR("a\xff"
			 "b"),
		    "\"a\xef\xbf\xbd"
		    "b\"" },
		{ PN_STR("\xc3"), "\"\xef\xbf\xbd\"" },
		{ PN_STR("\xed\xa0\x80"),
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct buf b = { 0 };

		json_str(&b, NULL, cases[i].in);
		assert_str(buf_str(&b), cases[i].out);
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_in_their_places),
		cmocka_unit_test(strings_do_not_pass_for_structure),
		cmocka_unit_test(strings),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
