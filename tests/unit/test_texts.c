/*
 * texts: which parts of a message are shown, and every reading of them: where
 * mail readers differ, each of what they show is there.
 */
#include "cm.h"

#include <stdio.h>

#include "inspect/text.h"

#define TYPE(what) "Content-Type: " what "\r\n\r\n"
#define IN(charset) TYPE("text/plain; charset=" charset)
#define PAGE TYPE("text/html")

static const struct {
	const char *name;
	struct pn_str mail;
	const char *want; /* each text behind a "/" */
} shown[] = {
#define MAIL(what, mail, want) { what, PN_STR(mail), want }
	MAIL("text", "\r\nabc", "/abc"),
	MAIL("a page", PAGE "a<b>b</b>c", "/abc"),

	/* types */
	MAIL("a type that is none is text", TYPE("text") "abc", "/abc"),
	MAIL("a word", TYPE("foo") "abc", "/abc"),
	MAIL("a slash", TYPE("/") "abc", "/abc"),
	MAIL("AMP", TYPE("text/x-amp-html") "a<b>b</b>c", "/abc"),
	MAIL("a report", TYPE("message/delivery-status") "Status: 5.0.0",
	    "/Status: 5.0.0"),
	MAIL("a file", TYPE("application/octet-stream") "abc", ""),
	MAIL("an attachment that is all there is",
	    "Content-Disposition: attachment\r\n\r\nabc", "/abc"),
	MAIL("one of several",
	    TYPE("multipart/mixed; boundary=b") "--b\r\n\r\nabc\r\n--b\r\n"
	    "Content-Disposition: attachment\r\n\r\ndef\r\n--b--\r\n", "/abc"),

	/* charsets */
	MAIL("UTF-16, either end", IN("utf-16") "a\0b\0",
	    "/\346\204\200\346\210\200/ab"),
	MAIL("UTF-16, the other end", IN("utf-16") "\0a\0b",
	    "/ab/\346\204\200\346\210\200"),
	MAIL("UTF-16 that is ASCII", IN("utf-16le") "abcd",
	    "/\346\211\241\346\221\243/abcd"),
	MAIL("a mark that not all know", IN("iso-8859-1") "\377\376ab",
	    "/\346\211\241/\303\277\303\276ab"),
	MAIL("without a charset", "\r\n\377\376ab",
	    "/\346\211\241/\303\277\303\276ab"),
	MAIL("a mark of UTF-8", IN("iso-8859-1") "\357\273\277ab", "/ab"),
	MAIL("UTF-7", IN("utf-7") "+AGEAYg-", "/ab/+AGEAYg-"),
	MAIL("HZ", IN("hz-gb-2312") "~{ab\ncd", "/\345\276\225\ncd/~{ab\ncd"),

	/* pages that are another to Outlook */
	MAIL("words parted for the others",
	    PAGE "vi<!--[if mso]>x<![endif]-->agra", "/vixagra/viagra"),
	MAIL("a condition that holds for them",
	    PAGE "a<!--[if !mso]><!-->b<!--<![endif]-->c", "/abc"),

	/* lines that are joined */
	MAIL("flowed", TYPE("text/plain; format=flowed; delsp=yes")
	    "> vi \n> agra\nx", "/> vi \n> agra\nx/> viagra\nx"),
	MAIL("blanks stay", TYPE("text/plain; format=flowed") "a \nb", "/a \nb"),
};

static void
all_readings(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(shown); i++) {
		struct arena *a = arena_new(4 << 20);
		struct view *v =
		    view_new(shown[i].mail, &view_limits_default, a);
		const struct texts *texts = view_texts(v);
		struct buf got = { 0 };

		for (size_t k = 0; k < texts->n; k++)
			buf_printf(&got, "/%.*s",
			    PN_STR_ARG(texts->v[k].text));
		assert_false(texts->cut);
		if (!pn_str_eq(buf_str(&got), pn_str_of(shown[i].want))) {
			print_error("%s: \"%.*s\", not \"%s\"\n",
			    shown[i].name, PN_STR_ARG(buf_str(&got)),
			    shown[i].want);
			wrong++;
		}
		buf_fini(&got);
		arena_free(a);
	}
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_readings),
	};

	return cmocka_run_group_tests_name("texts", tests, NULL, NULL);
}
