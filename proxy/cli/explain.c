/*
 * explain - postern explain REF|FILE: why. REF is looked up by the keeper,
 * FILE is a stored trace or a message that is judged now.
 */
#include <stdlib.h>
#include <string.h>
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
	static const char *const keys[] = { "action", "rule", "code",
		"client", "sender", "recipients", "size", "subject", "policy",
		"score", "upstream", "server" };
	json_int_t code = json_integer_value(json_object_get(m, "code"));
	const json_t *v;

	(void)fputs("id          ", stdout);
	show_text(stdout, member(m, "id"));
	(void)fputs("\ntime        ", stdout);
	show_time(stdout, json_object_get(m, "time_us"));
	(void)putchar('\n');
	for (size_t i = 0; i < PN_COUNT(keys); i++) {
		v = json_object_get(m, keys[i]);
		if (json_is_null(v) ||
		    (json_is_string(v) && json_string_length(v) == 0))
			continue;
		(void)printf("%-11s ", keys[i]);
		show_value(stdout, v);
		(void)putchar('\n');
	}
	if (code >= 400 && member(m, "rule").n == 0)
		(void)puts("\nno rule refused it: the answer was the next hop's, "
		    "or about relaying,\na limit or the syntax of the message "
		    "(see the log)");
	else
		(void)puts("\nno trace was kept: of accepted messages only a "
		    "sample has one\n(trace_accept_percent)");
}

/* What the client heard, where the rules did not say it. */
static void
show_other_word(const json_t *m, const json_t *trace)
{
	const json_t *v = json_object_get(trace, "verdict");
	json_int_t code = json_integer_value(json_object_get(m, "code"));

	if (code >= 400 && json_integer_value(json_object_get(v, "code")) == 0)
		(void)printf("\nthe client heard %lld, which no rule said: the "
		    "next hop did, or a limit\n", (long long)code);
}

static void
show_answer(const json_t *answer)
{
	const json_t *m = json_object_get(answer, "message");
	json_t *trace = json_object_get(m, "trace");

	if (json_is_object(trace)) {
		/* Not known yet when the rules were judged. */
		(void)json_object_set(
		    trace, "upstream", json_object_get(m, "upstream"));
		(void)json_object_set(
		    trace, "server", json_object_get(m, "server"));
		render_trace(stdout, trace);
		show_other_word(m, trace);
	} else {
		show_summary(m);
	}
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
explain_ref(const struct cli *c, const char *id, bool for_sender)
{
	json_t *answer;
	int code = ask_patiently(c, id, &answer);

	if (code != 0)
		return code;
	if (for_sender)
		letter(c, json_object_get(answer, "message"));
	else if (c->json)
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
explain_file(const struct cli *c, struct scan_session *said,
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
		code = scan_one(c, said, path, buf_str(&b));
	json_decref(trace);
	buf_fini(&b);
	return code;
}

/* Taken off the arguments: it goes with REF alone. */
static bool
wants_letter(int *argc, char **argv)
{
	bool wanted = false;
	int n = 1;

	for (int i = 1; i < *argc; i++)
		if (strcmp(argv[i], "--for-sender") == 0)
			wanted = true;
		else
			argv[n++] = argv[i];
	argv[*argc = n] = NULL;
	return wanted;
}

int
cli_explain(const struct cli *c, int argc, char **argv)
{
	struct scan_session said = { 0 };
	bool for_sender = wants_letter(&argc, argv);
	int first = scan_options(&said, argc, argv);

	if (first < 0 || first != argc - 1)
		return cli_usage(c);
	if (!for_sender && (strcmp(argv[first], "-") == 0 ||
			       access(argv[first], F_OK) == 0))
		return explain_file(c, &said, argv[first]);
	return explain_ref(c, argv[first], for_sender);
}
