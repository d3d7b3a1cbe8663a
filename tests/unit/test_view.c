/*
 * view: what is found in messages, those that attack the reading foremost.
 * One line a part: depth, type, magic, size, flags, names.
 */
#include "cm.h"

#include "base/buf.h"
#include "inspect/part.h"

#define MAX_MEMORY (64u << 20)

static const char *
flags_of(const struct pn_part *p)
{
	static char text[8];
	char *at = text;

	if (p->container)
		*at++ = 'c';
	if (p->member)
		*at++ = 'm';
	if (p->flags & PN_PART_ENCRYPTED)
		*at++ = 'e';
	if (p->flags & PN_PART_BROKEN)
		*at++ = 'b';
	if (p->flags & PN_PART_AMBIGUOUS)
		*at++ = 'a';
	if (p->flags & PN_PART_LIMIT)
		*at++ = 'l';
	*at = '\0';
	return at == text ? "-" : text;
}

/* "0 text/plain text 5 - []\n" each; "!abl c\n" for the defects. */
static void
dump(struct view *v, struct buf *out)
{
	for (struct pn_part *p = v->first; p != NULL; p = p->next) {
		buf_printf(out, "%u %.*s %s %llu %s [", p->depth,
		    PN_STR_ARG(p->type), p->container ? "-" : p->magic,
		    (unsigned long long)(p->container ? 0 : view_size(p)),
		    flags_of(p));
		for (size_t i = 0; i < p->n_names; i++)
			buf_printf(out, "%s%.*s", i ? "|" : "",
			    PN_STR_ARG(p->names[i]));
		buf_puts(out, "]\n");
	}
	if (v->defects)
		buf_printf(out, "!%s%s%s%s\n",
		    v->defects & PN_DEFECT_AMBIGUOUS ? "a" : "",
		    v->defects & PN_DEFECT_BROKEN ? "b" : "",
		    v->defects & PN_DEFECT_LIMIT ? "l" : "",
		    v->defects & PN_DEFECT_CHARSET ? "c" : "");
}

struct mail_case {
	const char *name;
	struct pn_str mail;
	const char *want;
};

#define CASE(what, text, parts)                                                \
	{                                                                      \
		.name = (what), .mail = PN_STR(text), .want = (parts)          \
	}

/* Headers in front of a multipart with boundary "b", and a part's frame. */
#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define PART(headers, body) "--b\r\n" headers "\r\n" body "\r\n"
#define EXE(headers) PART(headers, "TVqQAAMAAAAEAAAA//8AALgAAAA=")
#define B64 "Content-Transfer-Encoding: base64\r\n"
#define ATTACH(name) B64 "Content-Disposition: attachment; filename=" name "\r\n"
#define END "--b--\r\n"

#define MIXED_LINE "0 multipart/mixed - 0 c []\n"
#define EXE_LINE(flags, names)                                                 \
	"0 text/plain executable 20 " flags " [" names "]\n"

static const struct mail_case cases[] = {
	CASE("nothing at all", "", "0 text/plain unknown 0 - []\n"),
	CASE("text", "Subject: x\r\n\r\nhello\r\n",
	    "0 text/plain text 7 - []\n"),
	CASE("an attachment", MIXED EXE(ATTACH("a.exe")) END,
	    MIXED_LINE EXE_LINE("-", "a.exe")),
};

static void
parts_are(const struct mail_case *c)
{
	struct arena *a = arena_new(MAX_MEMORY);
	struct buf out = { 0 };

	dump(view_new(c->mail, &view_limits_default, a), &out);
	(void)buf_add(&out, "", 1); /* no cap */
	if (strcmp(buf_data(&out), c->want) != 0)
		fail_msg("%s:\n%s--- wanted:\n%s", c->name, buf_data(&out),
		    c->want);
	buf_fini(&out);
	arena_free(a);
}

static void
every_reading_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++)
		parts_are(&cases[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reading_is_found),
	};

	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
