/*
 * explain - postern explain REF|FILE: why. REF is looked up by the keeper,
 * FILE is a stored trace or a message that is judged now.
 */
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/scan.h"

/* A worker's summaries are on their way for 200 ms: who reads the reply and
 * asks at once shall not hear that there is no such message. */
#define TRIES 4
#define BETWEEN_MS 150

/* ---- REF ---- */

static void
show_summary(const json_t *m)
{
	static const char *const keys[] = { "id", "action", "rule", "code",
		"client", "sender", "recipients", "size" };

	for (size_t i = 0; i < PN_COUNT(keys); i++) {
		(void)printf("%-11s ", keys[i]);
		show_value(stdout, json_object_get(m, keys[i]));
		(void)putchar('\n');
	}
	(void)puts("\nno trace was kept: of accepted messages only a sample has "
	    "one");
}

static void
show_answer(const json_t *answer)
{
	const json_t *m = json_object_get(answer, "message");
	const json_t *trace = json_object_get(m, "trace");

	if (json_is_object(trace))
		render_trace(stdout, trace);
	else
		show_summary(m);
}

static int
ask_patiently(const struct cli *c, const char *id, json_t **answer)
{
	const struct timespec pause = { 0, BETWEEN_MS * 1000000L };
	int code = EX_NOINPUT;

	for (int i = 0; i < TRIES && code == EX_NOINPUT; i++) {
		if (i > 0)
			(void)nanosleep(&pause, NULL);
		code = ask_quietly(c, question("explain", id), answer,
		    i == TRIES - 1);
	}
	return code;
}

static int
explain_ref(const struct cli *c, const char *id)
{
	json_t *answer;
	int code = ask_patiently(c, id, &answer);

	if (code != 0)
		return code;
	if (c->json)
		print_json(json_object_get(answer, "message"));
	else
		show_answer(answer);
	json_decref(answer);
	return EX_OK;
}

/* ---- FILE ---- */

/* A trace as history keeps it, or as scan and explain print it. NULL: the
 * file is a message. */
static json_t *
stored_trace(const struct buf *b)
{
	json_t *v = buf_len(b) > 0 ? json_loadb(buf_data(b), buf_len(b),
	    JSON_ALLOW_NUL, NULL) : NULL;
	json_t *inner = json_incref(json_object_get(v, "trace"));

	if (inner == NULL && json_is_object(v))
		return v;
	json_decref(v);
	return inner;
}

static int
explain_stored(const struct cli *c, const json_t *trace)
{
	if (c->json)
		print_json(trace);
	else
		render_trace(stdout, trace);
	return EX_OK;
}

static int
explain_now(const struct cli *c, const struct scan_session *said,
    const char *path, struct pn_str text)
{
	struct scanning s;
	int code = scan_begin(c, &s);

	if (code != 0)
		return code;
	code = scan_text(c, s.scanner, said, path, text, false);
	scan_end(&s);
	return code;
}

static int
explain_file(const struct cli *c, const struct scan_session *said,
    const char *path)
{
	struct buf b = { 0 };
	struct error e;
	json_t *trace = NULL;
	int code;

	if (scan_read(path, &b, &e) < 0)
		code = cli_fail(EX_NOINPUT, "%s", e.text);
	else if ((trace = stored_trace(&b)) != NULL)
		code = explain_stored(c, trace);
	else
		code = explain_now(c, said, path, buf_str(&b));
	json_decref(trace);
	buf_fini(&b);
	return code;
}

int
cli_explain(const struct cli *c, int argc, char **argv)
{
	struct scan_session said = { 0 };
	int first = scan_options(&said, argc, argv);

	if (first < 0 || first != argc - 1)
		return cli_usage(c);
	if (strcmp(argv[first], "-") == 0 || access(argv[first], F_OK) == 0)
		return explain_file(c, &said, argv[first]);
	return explain_ref(c, argv[first]);
}
