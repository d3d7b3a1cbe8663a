/* command - what the questions of protocol.h mean: a table, one function
 * each. Called by control.c; answers at once, or when master or worker has. */
#include <stdlib.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/mem.h"
#include "keeper/inside.h"
#include "keeper/protocol.h"

/* ---- what the master is asked ---- */

static void
asker_left(void *arg)
{
	struct question *q = arg;

	q->call = NULL;
}

static struct question *
question_new(struct keeper *k, uint32_t type, uint32_t answer)
{
	struct question *q = xcalloc(1, sizeof(*q));

	q->id = ++k->last_question;
	q->answer = answer;
	LIST_INSERT_HEAD(&k->questions, q, next);
	/* False: command_master_gone() comes. */
	(void)ipc_send(k->master, type, q->id, NULL, 0, -1);
	return q;
}

static void
ask_master(struct keeper *k, struct control_call *call, uint32_t type,
    uint32_t answer)
{
	struct question *q;

	if (k->master == NULL) {
		control_refuse(call, EX_UNAVAILABLE, "the master is gone");
		return;
	}
	q = question_new(k, type, answer);
	q->call = call;
	control_wait(call, asker_left, q);
}

void
command_ask_status(struct keeper *k)
{
	const struct question *q;

	LIST_FOREACH (q, &k->questions, next)
		if (q->ours)
			return;
	if (k->master != NULL)
		question_new(k, MASTER_STATUS, MASTER_STATUS_IS)->ours = true;
}

static void
put_counts(struct keeper *k, struct buf *b)
{
	int64_t held = 0, bytes = 0, lines = 0, size = 0;
	struct error e;

	if (quarantine_count(k->quarantine, &held, &bytes, &e) == 0) {
		json_begin_object(b, "quarantine");
		json_int(b, "messages", held);
		json_int(b, "bytes", bytes);
		json_end_object(b);
	}
	if (keeper_count_history(k, &lines, &size, &e) == 0) {
		json_begin_object(b, "history");
		json_int(b, "messages", lines);
		json_int(b, "bytes", size);
		json_end_object(b);
	}
}

/* The master's members become members of the answer. */
static void
answer_status(struct keeper *k, struct control_call *call, struct pn_str said)
{
	json_t *object = json_loadb(said.p, said.n, 0, NULL);
	struct buf b = { 0 };
	const char *key;
	json_t *value;

	control_begin(&b);
	json_object_foreach (object, key, value) {
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		if (text != NULL)
			json_raw(&b, key, pn_str_of(text));
		free(text);
	}
	json_decref(object);
	put_counts(k, &b);
	metrics_json(k->metrics, &b);
	modules_json(k->modules, k->metrics, &b);
	control_answer(call, &b);
}

static void
answer_reload(struct control_call *call, struct unpack u)
{
	bool ok = unpack_u8(&u) != 0;
	struct pn_str text = unpack_str(&u);
	struct buf b = { 0 };

	if (!unpack_done(&u)) {
		control_refuse(call, EX_SOFTWARE, "the master said nothing "
		    "that could be read");
	} else if (!ok) {
		control_refuse(call, EX_CONFIG, "%.*s", PN_STR_ARG(text));
	} else {
		control_begin(&b);
		control_answer(call, &b);
	}
}

static void
answer_stopping(struct control_call *call)
{
	struct buf b = { 0 };

	control_begin(&b);
	control_answer(call, &b);
}

bool
command_master_said(struct keeper *k, uint32_t type, uint64_t id,
    struct unpack u)
{
	struct pn_str said = { (const char *)u.p, u.n };
	struct question *q;
	struct control_call *call;

	LIST_FOREACH (q, &k->questions, next)
		if (q->id == id && q->answer == type)
			break;
	if (q == NULL)
		return false;
	if (q->ours && k->http != NULL)
		http_master_said(k->http, said);
	call = q->call;
	LIST_REMOVE(q, next);
	free(q);
	if (call == NULL)
		return true; /* who asked has left */
	if (type == MASTER_STATUS_IS)
		answer_status(k, call, said);
	else if (type == MASTER_STOPPING)
		answer_stopping(call);
	else
		answer_reload(call, u);
	return true;
}

void
command_master_gone(struct keeper *k)
{
	struct question *q;

	while ((q = LIST_FIRST(&k->questions)) != NULL) {
		LIST_REMOVE(q, next);
		if (q->call != NULL)
			control_refuse(q->call, EX_UNAVAILABLE,
			    "the master is gone");
		free(q);
	}
}

static void
status(struct keeper *k, struct control_call *call, const json_t *request)
{
	(void)request;
	ask_master(k, call, MASTER_STATUS, MASTER_STATUS_IS);
}

static void
reload(struct keeper *k, struct control_call *call, const json_t *request)
{
	(void)request;
	ask_master(k, call, MASTER_RELOAD, MASTER_RELOADED);
}

static void
drain(struct keeper *k, struct control_call *call, const json_t *request)
{
	(void)request;
	ask_master(k, call, MASTER_STOP, MASTER_STOPPING);
}

/* ---- what the workers are told ---- */

static void
upstream_drain(struct keeper *k, struct control_call *call, const json_t *request)
{
	drain_ask(k, call, request, true);
}

static void
upstream_resume(
    struct keeper *k, struct control_call *call, const json_t *request)
{
	drain_ask(k, call, request, false);
}

/* ---- what the keeper knows itself ---- */

static struct pn_str
id_of(const json_t *request, const char *key)
{
	const char *id = json_string_value(json_object_get(request, key));

	return pn_str_of(id);
}

/* The question names a message, or is answered with why not. */
static bool
names_a_message(struct control_call *call, struct pn_str id)
{
	if (quarantine_id_valid(id))
		return true;
	control_refuse(call, EX_USAGE, "not the id of a message");
	return false;
}

/* One object found, or not. */
static void
answer_found(struct control_call *call, struct buf *b, int found,
    struct pn_str id, const struct error *e)
{
	if (found > 0) {
		control_answer(call, b);
		return;
	}
	buf_fini(b);
	if (found == 0)
		control_refuse(call, EX_NOINPUT, "no message %.*s",
		    PN_STR_ARG(id));
	else
		control_refuse(call, EX_IOERR, "%s", e->text);
}

static void
explain(struct keeper *k, struct control_call *call, const json_t *request)
{
	struct pn_str id = id_of(request, "id");
	struct buf b = { 0 };
	struct error e;
	int found;

	if (!names_a_message(call, id))
		return;
	control_begin(&b);
	found = history_show(k->history, id, &b, &e);
	if (found == 0) /* not in a batch yet, or too old: held all the same? */
		found = quarantine_show(k->quarantine, id, &b, &e);
	answer_found(call, &b, found, id, &e);
}

static void
list(struct keeper *k, struct control_call *call, const json_t *request)
{
	struct mail_query q;
	const char *wrong = query_read(request, CONTROL_LIST_MAX, &q);
	struct buf b = { 0 };
	struct error e;
	int n;

	if (wrong != NULL) {
		control_refuse(call, EX_USAGE, "%s", wrong);
		return;
	}
	control_begin(&b);
	n = quarantine_list(k->quarantine, &q, &b, &e);
	if (n >= 0) {
		json_bool(&b, "more", (unsigned)n == q.limit);
		control_answer(call, &b);
		return;
	}
	buf_fini(&b);
	control_refuse(call, EX_IOERR, "%s", e.text);
}

static void
show(struct keeper *k, struct control_call *call, const json_t *request)
{
	struct pn_str id = id_of(request, "id");
	struct buf b = { 0 };
	struct error e;

	if (!names_a_message(call, id))
		return;
	control_begin(&b);
	answer_found(call, &b, quarantine_show(k->quarantine, id, &b, &e), id,
	    &e);
}

static void
release(struct keeper *k, struct control_call *call, const json_t *request)
{
	struct pn_str id = id_of(request, "id");

	if (names_a_message(call, id))
		release_start(k, id, call);
}

static void
delete(struct keeper *k, struct control_call *call, const json_t *request)
{
	struct pn_str id = id_of(request, "id");
	struct buf b = { 0 };
	struct error e;

	if (!names_a_message(call, id))
		return;
	control_begin(&b);
	answer_found(call, &b, quarantine_delete(k->quarantine, id, &e), id,
	    &e);
}

static void
export(struct keeper *k, struct control_call *call, const json_t *request)
{
	struct pn_str id = id_of(request, "id");
	struct buf b = { 0 };
	struct error e;
	uint64_t size;
	int fd;

	if (!names_a_message(call, id))
		return;
	fd = quarantine_body(k->quarantine, id, &size, &e);
	if (fd < 0) {
		control_refuse(call, EX_NOINPUT, "%s", e.text);
		return;
	}
	control_begin(&b);
	json_int(&b, "bytes", (int64_t)size);
	control_answer_file(call, &b, fd, size);
}

void
command_ask(void *arg, struct control_call *call, const char *cmd,
    const json_t *request)
{
	static const struct {
		const char *cmd;
		void (*run)(struct keeper *, struct control_call *,
		    const json_t *);
	} commands[] = { { "status", status }, { "reload", reload },
		{ "drain", drain },
		{ "upstream.drain", upstream_drain },
		{ "upstream.resume", upstream_resume },
		{ "explain", explain }, { "history", ask_history },
		 { "quarantine.list", list },
		{ "quarantine.show", show }, { "quarantine.release", release },
		{ "quarantine.delete", delete },
		{ "quarantine.export", export } };

	for (size_t i = 0; i < PN_COUNT(commands); i++)
		if (strcmp(cmd, commands[i].cmd) == 0) {
			commands[i].run(arg, call, request);
			return;
		}
	control_refuse(call, EX_USAGE, "unknown command \"%.40s\"", cmd);
}
