/*
 * recorder - a milter that writes down all it is told and does what a file
 * says. Tests put it behind Postfix and behind the proxy and compare.
 *
 *	recorder SOCKET LOG SCRIPT
 *
 * SOCKET is written as libmilter has it. LOG gets one JSON line a callback:
 *
 *	{"conn":1,"at":"rcpt","args":["<a@b.c>"],"macros":{"i":"4F.."},
 *	 "said":"continue","done":[]}
 *
 * with octets as the characters of the same number, every macro of the table
 * below that smfi_getsymval() finds at that moment, and how each change went.
 * SCRIPT is JSON and read anew for each conversation:
 *
 *	{"actions": 511, "steps": 0, "symbols": {"rcpt": "{rcpt_addr}"},
 *	 "turns": [{"at": "rcpt", "nth": 2, "arg": "<a@b.c>", "say": "reject",
 *	            "reply": ["550", "5.7.1", "line", "line"],
 *	            "change": [["addheader", "X-A", "b"]]}]}
 *
 * Without "actions" it takes all that is offered; "steps" are the SMFIP_*
 * asked for. The first turn that matches is done; "nth" counts the callbacks
 * of that kind in the conversation, "arg" is the first argument.
 *
 * libmilter makes a thread a conversation; each owns its struct talk, and a
 * line of the log is one write() to a file opened for appending.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <libmilter/mfapi.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum stage {
	NEGOTIATE,
	CONNECT,
	HELO,
	MAIL,
	RCPT,
	DATA,
	HEADER,
	EOH,
	BODY,
	EOM,
	ABORT,
	CLOSE,
	UNKNOWN,
	STAGES
};

/* no_reply: the flag that takes the answer away; place: where macros go. */
static const struct {
	const char *name;
	unsigned long no_reply;
	int place;
} stages[STAGES] = {
	[NEGOTIATE] = { "negotiate", 0, SMFIM_NOMACROS },
	[CONNECT] = { "connect", SMFIP_NR_CONN, SMFIM_CONNECT },
	[HELO] = { "helo", SMFIP_NR_HELO, SMFIM_HELO },
	[MAIL] = { "mail", SMFIP_NR_MAIL, SMFIM_ENVFROM },
	[RCPT] = { "rcpt", SMFIP_NR_RCPT, SMFIM_ENVRCPT },
	[DATA] = { "data", SMFIP_NR_DATA, SMFIM_DATA },
	[HEADER] = { "header", SMFIP_NR_HDR, SMFIM_NOMACROS },
	[EOH] = { "eoh", SMFIP_NR_EOH, SMFIM_EOH },
	[BODY] = { "body", SMFIP_NR_BODY, SMFIM_NOMACROS },
	[EOM] = { "eom", 0, SMFIM_EOM },
	[ABORT] = { "abort", 0, SMFIM_NOMACROS },
	[CLOSE] = { "close", 0, SMFIM_NOMACROS },
	[UNKNOWN] = { "unknown", SMFIP_NR_UNKN, SMFIM_NOMACROS },
};

static const struct {
	const char *name;
	sfsistat status;
} answers[] = {
	{ "continue", SMFIS_CONTINUE },
	{ "accept", SMFIS_ACCEPT },
	{ "reject", SMFIS_REJECT },
	{ "tempfail", SMFIS_TEMPFAIL },
	{ "discard", SMFIS_DISCARD },
	{ "skip", SMFIS_SKIP },
};

/* What Postfix and Sendmail may define. */
static const char *const symbols[] = { "j", "i", "v", "_", "{daemon_name}",
	"{daemon_addr}", "{daemon_port}", "{if_name}", "{if_addr}",
	"{client_addr}", "{client_name}", "{client_port}", "{client_ptr}",
	"{client_resolve}", "{client_connections}", "{tls_version}", "{cipher}",
	"{cipher_bits}", "{cert_subject}", "{cert_issuer}", "{verify}",
	"{auth_type}", "{auth_authen}", "{auth_author}", "{auth_ssf}",
	"{mail_addr}", "{mail_host}", "{mail_mailer}", "{rcpt_addr}",
	"{rcpt_host}", "{rcpt_mailer}", "{msg_id}", "{nrcpts}", "{nbadrcpts}" };

struct talk {
	unsigned number;
	unsigned long steps;
	unsigned seen[STAGES];
	json_t *script;
};

/* Set by main() before the first thread; the counter alone changes. */
static int log_fd;
static const char *script_path;
static atomic_uint talks;

/* Octets as characters U+0000 to U+00FF, so that JSON holds any of them. */
static json_t *
octets(const char *s, size_t n)
{
	char *out = malloc(2 * n + 1);
	size_t at = 0;
	json_t *j;

	if (out == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < 0x80) {
			out[at++] = (char)c;
		} else {
			out[at++] = (char)(0xc0 | c >> 6);
			out[at++] = (char)(0x80 | (c & 0x3f));
		}
	}
	j = json_stringn(out, at);
	free(out);
	return j;
}

static json_t *
text(const char *s)
{
	return octets(s, strlen(s));
}

/* The octets of a string of the script; NULL for null. The caller frees. */
static char *
spoken(const json_t *j)
{
	const char *s = json_string_value(j);
	char *out;
	size_t at = 0;

	if (s == NULL)
		return NULL;
	out = malloc(strlen(s) + 1);
	if (out == NULL)
		abort();
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0xc0)
			c = (unsigned char)(c << 6 | (*++s & 0x3f));
		out[at++] = (char)c;
	}
	out[at] = '\0';
	return out;
}

static void
note(json_t *entry)
{
	char *line = json_dumps(entry, JSON_COMPACT);
	size_t n = line != NULL ? strlen(line) : 0;

	if (line == NULL)
		abort();
	line[n] = '\n';
	if (write(log_fd, line, n + 1) != (ssize_t)(n + 1)) {
		perror("recorder: log");
		_exit(1);
	}
	free(line);
	json_decref(entry);
}

static json_t *
macros(SMFICTX *ctx)
{
	json_t *found = json_object();

	for (size_t i = 0; i < COUNT(symbols); i++) {
		char name[40];
		const char *value;

		(void)snprintf(name, sizeof name, "%s", symbols[i]);
		value = smfi_getsymval(ctx, name);
		if (value != NULL)
			json_object_set_new(found, symbols[i], text(value));
	}
	return found;
}

/*
 * The changes a script may ask for, by name; s are its words, n the number
 * among them. All are libmilter's own calls and return what those return.
 */
struct words {
	char *s[3];
	int n;
};

static int
add_header(SMFICTX *ctx, struct words *w)
{
	return smfi_addheader(ctx, w->s[0], w->s[1]);
}

static int
insert_header(SMFICTX *ctx, struct words *w)
{
	return smfi_insheader(ctx, w->n, w->s[0], w->s[1]);
}

static int
change_header(SMFICTX *ctx, struct words *w)
{
	return smfi_chgheader(ctx, w->s[0], w->n, w->s[1]);
}

static int
change_from(SMFICTX *ctx, struct words *w)
{
	return smfi_chgfrom(ctx, w->s[0], w->s[1]);
}

static int
add_recipient(SMFICTX *ctx, struct words *w)
{
	if (w->s[1] != NULL)
		return smfi_addrcpt_par(ctx, w->s[0], w->s[1]);
	return smfi_addrcpt(ctx, w->s[0]);
}

static int
delete_recipient(SMFICTX *ctx, struct words *w)
{
	return smfi_delrcpt(ctx, w->s[0]);
}

static int
replace_body(SMFICTX *ctx, struct words *w)
{
	return smfi_replacebody(
	    ctx, (unsigned char *)w->s[0], (int)strlen(w->s[0]));
}

static int
hold(SMFICTX *ctx, struct words *w)
{
	return smfi_quarantine(ctx, w->s[0]);
}

static int
progress(SMFICTX *ctx, struct words *w)
{
	(void)w; /* none */
	return smfi_progress(ctx);
}

static int
wait_ms(SMFICTX *ctx, struct words *w)
{
	struct timespec t = { w->n / 1000, w->n % 1000 * 1000000L };

	(void)ctx; /* time passes for everybody */
	return nanosleep(&t, NULL);
}

/* In the middle of a callback, as a crash is. */
static int
die(SMFICTX *ctx, struct words *w)
{
	(void)ctx; /* both end with the process */
	(void)w;
	_exit(0);
}

static const struct {
	const char *name;
	int (*make)(SMFICTX *, struct words *);
} changes[] = {
	{ "addheader", add_header },
	{ "insheader", insert_header },
	{ "chgheader", change_header },
	{ "chgfrom", change_from },
	{ "addrcpt", add_recipient },
	{ "delrcpt", delete_recipient },
	{ "replacebody", replace_body },
	{ "quarantine", hold },
	{ "progress", progress },
	{ "wait", wait_ms },
	{ "die", die },
};

static bool
make_change(SMFICTX *ctx, const json_t *change)
{
	const char *name = json_string_value(json_array_get(change, 0));
	struct words w = { 0 };
	size_t i, n = 0;
	const json_t *word;
	int rc = MI_FAILURE;

	json_array_foreach(change, i, word)
	{
		if (i > 0 && json_is_integer(word))
			w.n = (int)json_integer_value(word);
		else if (i > 0 && n < COUNT(w.s))
			w.s[n++] = spoken(word);
	}
	for (i = 0; name != NULL && i < COUNT(changes); i++)
		if (strcmp(changes[i].name, name) == 0)
			rc = changes[i].make(ctx, &w);
	for (i = 0; i < COUNT(w.s); i++)
		free(w.s[i]);
	return rc == MI_SUCCESS;
}

/* A null where a line would be ends smfi_setmlreply()'s list. */
static bool
set_reply(SMFICTX *ctx, const json_t *reply)
{
	char *w[34] = { NULL };
	char **l = w + 2;
	size_t i;
	const json_t *word;
	int rc;

	json_array_foreach(reply, i, word) if (i < COUNT(w)) w[i] =
	    spoken(word);
	rc = smfi_setmlreply(ctx, w[0], w[1], l[0], l[1], l[2], l[3], l[4],
	    l[5], l[6], l[7], l[8], l[9], l[10], l[11], l[12], l[13], l[14],
	    l[15], l[16], l[17], l[18], l[19], l[20], l[21], l[22], l[23],
	    l[24], l[25], l[26], l[27], l[28], l[29], l[30], l[31], NULL);
	for (i = 0; i < COUNT(w); i++)
		free(w[i]);
	return rc == MI_SUCCESS;
}

/* What the script says for this callback, or NULL. */
static const json_t *
find_turn(const struct talk *talk, enum stage at, const char *arg)
{
	const json_t *turns = json_object_get(talk->script, "turns");
	size_t i;
	const json_t *turn;

	json_array_foreach(turns, i, turn)
	{
		const char *stage =
		    json_string_value(json_object_get(turn, "at"));
		const json_t *nth = json_object_get(turn, "nth");
		const char *want =
		    json_string_value(json_object_get(turn, "arg"));

		if (stage == NULL || strcmp(stage, stages[at].name) != 0)
			continue;
		if (nth != NULL &&
		    json_integer_value(nth) != (json_int_t)talk->seen[at])
			continue;
		if (want != NULL && (arg == NULL || strcmp(want, arg) != 0))
			continue;
		return turn;
	}
	return NULL;
}

static sfsistat
take_turn(SMFICTX *ctx, struct talk *talk, enum stage at, const json_t *turn,
    json_t *entry)
{
	const char *say = json_string_value(json_object_get(turn, "say"));
	const json_t *reply = json_object_get(turn, "reply");
	json_t *done = json_array();
	sfsistat status = SMFIS_CONTINUE;
	size_t i;
	const json_t *change;

	json_array_foreach(json_object_get(turn, "change"), i, change)
	    json_array_append_new(done, json_boolean(make_change(ctx, change)));
	if (reply != NULL)
		json_array_append_new(
		    done, json_boolean(set_reply(ctx, reply)));
	for (i = 0; say != NULL && i < COUNT(answers); i++)
		if (strcmp(answers[i].name, say) == 0)
			status = answers[i].status;
	json_object_set_new(entry, "done", done);
	json_object_set_new(
	    entry, "said", json_string(say != NULL ? say : "continue"));
	if (talk->steps & stages[at].no_reply)
		return SMFIS_NOREPLY;
	return status;
}

/* A conversation begins; NULL where the script cannot be read. */
static struct talk *
begin(SMFICTX *ctx)
{
	struct talk *talk = calloc(1, sizeof *talk);
	json_error_t e;

	if (talk == NULL)
		abort();
	talk->script = json_load_file(script_path, 0, &e);
	if (talk->script == NULL) {
		(void)fprintf(stderr, "recorder: %s:%d: %s\n", script_path,
		    e.line, e.text);
		free(talk);
		return NULL;
	}
	talk->number = ++talks;
	talk->steps = (unsigned long)json_integer_value(
	    json_object_get(talk->script, "steps"));
	(void)smfi_setpriv(ctx, talk); /* cannot fail */
	return talk;
}

/*
 * Every callback ends here; takes args. After a "quit, another conversation
 * follows" the next one negotiates nothing: it begins with what comes first.
 */
static sfsistat
heard(SMFICTX *ctx, enum stage at, json_t *args)
{
	struct talk *talk = smfi_getpriv(ctx);
	const char *arg = json_string_value(json_array_get(args, 0));
	json_t *entry;
	sfsistat status;

	if (talk == NULL && at != CLOSE && at != ABORT)
		talk = begin(ctx);
	if (talk == NULL) {
		json_decref(args);
		return SMFIS_TEMPFAIL;
	}
	talk->seen[at]++;
	entry = json_pack("{s:i, s:s, s:o, s:o}", "conn", (int)talk->number,
	    "at", stages[at].name, "args", args, "macros", macros(ctx));
	status = take_turn(ctx, talk, at, find_turn(talk, at, arg), entry);
	note(entry);
	return status;
}

static json_t *
list(char **argv)
{
	json_t *args = json_array();

	for (; argv != NULL && *argv != NULL; argv++)
		json_array_append_new(args, text(*argv));
	return args;
}

static sfsistat
on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *addr)
{
	char ip[INET6_ADDRSTRLEN] = "";
	int family = addr != NULL ? addr->sa_family : -1;
	int port = 0;

	if (family == AF_INET) {
		const struct sockaddr_in *in = (const void *)addr;

		(void)inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
		port = ntohs(in->sin_port);
	} else if (family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)addr;

		(void)inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
		port = ntohs(in6->sin6_port);
	}
	return heard(ctx, CONNECT,
	    json_pack("[o, s, s, i]", text(host),
		family == AF_INET    ? "inet"
		: family == AF_INET6 ? "inet6"
				     : "none",
		ip, port));
}

static sfsistat
on_helo(SMFICTX *ctx, char *name)
{
	return heard(ctx, HELO, json_pack("[o]", text(name)));
}

static sfsistat
on_mail(SMFICTX *ctx, char **argv)
{
	return heard(ctx, MAIL, list(argv));
}

static sfsistat
on_rcpt(SMFICTX *ctx, char **argv)
{
	return heard(ctx, RCPT, list(argv));
}

static sfsistat
on_data(SMFICTX *ctx)
{
	return heard(ctx, DATA, json_array());
}

static sfsistat
on_unknown(SMFICTX *ctx, const char *line)
{
	return heard(ctx, UNKNOWN, json_pack("[o]", text(line)));
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	return heard(ctx, HEADER, json_pack("[o, o]", text(name), text(value)));
}

static sfsistat
on_eoh(SMFICTX *ctx)
{
	return heard(ctx, EOH, json_array());
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *chunk, size_t n)
{
	return heard(
	    ctx, BODY, json_pack("[o]", octets((const char *)chunk, n)));
}

static sfsistat
on_eom(SMFICTX *ctx)
{
	return heard(ctx, EOM, json_array());
}

static sfsistat
on_abort(SMFICTX *ctx)
{
	return heard(ctx, ABORT, json_array());
}

static sfsistat
on_close(SMFICTX *ctx)
{
	struct talk *talk = smfi_getpriv(ctx);

	(void)heard(ctx, CLOSE, json_array()); /* nobody waits for it */
	if (talk != NULL) {
		(void)smfi_setpriv(ctx, NULL); /* cannot fail */
		json_decref(talk->script);
		free(talk);
	}
	return SMFIS_CONTINUE;
}

static bool
ask_symbols(SMFICTX *ctx, const json_t *wanted)
{
	bool well = true;

	for (size_t i = 0; i < STAGES; i++) {
		char *names = spoken(json_object_get(wanted, stages[i].name));

		if (names != NULL && (stages[i].place == SMFIM_NOMACROS ||
					 smfi_setsymlist(ctx, stages[i].place,
					     names) != MI_SUCCESS))
			well = false;
		free(names);
	}
	return well;
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
    unsigned long f2, unsigned long f3, unsigned long *want_actions,
    unsigned long *want_steps, unsigned long *want_f2, unsigned long *want_f3)
{
	struct talk *talk = begin(ctx);
	const json_t *j;

	(void)f2; /* reserved, as f3 */
	(void)f3;
	if (talk == NULL)
		return SMFIS_REJECT;
	j = json_object_get(talk->script, "actions");
	*want_actions =
	    j != NULL ? (unsigned long)json_integer_value(j) : actions;
	*want_steps = talk->steps;
	*want_f2 = *want_f3 = 0;
	note(json_pack("{s:i, s:s, s:[I, I], s:b}", "conn", (int)talk->number,
	    "at", "negotiate", "args", (json_int_t)actions, (json_int_t)steps,
	    "asked",
	    ask_symbols(ctx, json_object_get(talk->script, "symbols"))));
	return SMFIS_CONTINUE;
}

static char milter_name[] = "recorder"; /* libmilter wants it writable */

static struct smfiDesc milter = {
	.xxfi_name = milter_name,
	.xxfi_version = SMFI_VERSION,
	.xxfi_flags = SMFI_CURR_ACTS,
	.xxfi_connect = on_connect,
	.xxfi_helo = on_helo,
	.xxfi_envfrom = on_mail,
	.xxfi_envrcpt = on_rcpt,
	.xxfi_header = on_header,
	.xxfi_eoh = on_eoh,
	.xxfi_body = on_body,
	.xxfi_eom = on_eom,
	.xxfi_abort = on_abort,
	.xxfi_close = on_close,
	.xxfi_unknown = on_unknown,
	.xxfi_data = on_data,
	.xxfi_negotiate = on_negotiate,
};

int
main(int argc, char **argv)
{
	if (argc != 4) {
		(void)fprintf(stderr, "usage: recorder SOCKET LOG SCRIPT\n");
		return 64;
	}
	log_fd = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log_fd == -1) {
		perror(argv[2]);
		return 1;
	}
	script_path = argv[3];
	(void)umask(0); /* MTAs run as somebody else */
	if (smfi_setconn(argv[1]) != MI_SUCCESS ||
	    smfi_register(milter) != MI_SUCCESS ||
	    smfi_opensocket(true) != MI_SUCCESS) {
		(void)fprintf(
		    stderr, "recorder: cannot listen at %s\n", argv[1]);
		return 1;
	}
	note(json_pack("{s:i, s:s}", "conn", 0, "at", "ready"));
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
