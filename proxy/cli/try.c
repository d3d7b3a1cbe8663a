/*
 * try - postern try: the verdict on a message that is made of the options, or
 * on a file, under facts that are said rather than found.
 */
#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "cli/scan.h"

struct draft {
	struct buf header;
	bool has_from, has_to, has_subject;
	const char *subject, *body;
};

/* Is this field's name the one? */
static bool
names(const char *field, const char *name)
{
	size_t n = strlen(name);

	return strncasecmp(field, name, n) == 0 && field[n] == ':';
}

static int
add_header(struct draft *d, const char *field)
{
	if (strchr(field, ':') == NULL)
		return cli_fail(EX_USAGE, "\"%s\" is not Name: value", field);
	d->has_from |= names(field, "from");
	d->has_to |= names(field, "to");
	d->has_subject |= names(field, "subject");
	(void)buf_printf(&d->header, "%s\n", field);
	return 0;
}

/* What a mail has, from what the session tells. */
static void
finish(struct draft *d, const struct scan_session *said, struct buf *mail)
{
	const char *sender = said->sender;

	if (!d->has_from && sender != NULL && *sender != '\0' &&
	    strcmp(sender, "<>") != 0)
		(void)buf_printf(mail, "From: %s\n", sender);
	if (!d->has_to && said->n_rcpts > 0)
		(void)buf_printf(mail, "To: %s\n", said->rcpts[0]);
	if (!d->has_subject && d->subject != NULL)
		(void)buf_printf(mail, "Subject: %s\n", d->subject);
	(void)buf_add_str(mail, buf_str(&d->header));
	(void)buf_printf(mail, "\n%s\n", d->body != NULL ? d->body : "");
}

/* The options of the message, taken off the arguments. */
static int
take_message(struct draft *d, int *argc, char **argv)
{
	int n = 1, code = 0;

	for (int i = 1; i < *argc && code == 0; i++) {
		bool header = strcmp(argv[i], "--header") == 0;
		bool subject = strcmp(argv[i], "--subject") == 0;
		bool body = strcmp(argv[i], "--body") == 0;

		if (!header && !subject && !body)
			argv[n++] = argv[i];
		else if (++i == *argc)
			return -1;
		else if (header)
			code = add_header(d, argv[i]);
		else
			*(subject ? &d->subject : &d->body) = argv[i];
	}
	argv[ *argc = n] = NULL;
	return code;
}

int
cli_try(const struct cli *c, int argc, char **argv)
{
	struct scan_session said = { 0 };
	struct draft d = { 0 };
	struct buf text = { 0 };
	struct error e;
	int code = take_message(&d, &argc, argv), first = -1;
	bool drafted =
	    d.subject != NULL || d.body != NULL || buf_len(&d.header) > 0;

	if (code == 0)
		first = scan_options(&said, argc, argv);
	if (code > 0)
		;
	else if (first < 0 || first < argc - 1 || (first < argc && drafted))
		code = cli_usage(c);
	else if (first < argc && scan_read(argv[first], &text, &e) < 0)
		code = cli_fail(EX_NOINPUT, "%s", e.text);
	else if (first < argc)
		code = scan_one(c, &said, argv[first], buf_str(&text));
	else {
		finish(&d, &said, &text);
		code = scan_one(c, &said, "-", buf_str(&text));
	}
	buf_fini(&text);
	buf_fini(&d.header);
	return code;
}
