/*
 * main - postern(1): the operator's command. Options, then a table of
 * commands; --help is made of the same table.
 */
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

#include "base/suggest.h"
#include "cli/cli.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#define CONF SYSCONFDIR "/postern/postern.conf"

#define SCAN_OPTIONS                                                           \
	"  --client IP    the client's address\n"                              \
	"  --name NAME    its name, confirmed by DNS\n"                        \
	"  --helo NAME    what it said at EHLO\n"                              \
	"  --login NAME   who it logged in as\n"                               \
	"  --sender ADDR, --from ADDR\n"                                       \
	"                 the envelope's sender; \"\" or <> for the null sender\n" \
	"  --rcpt ADDR, --to ADDR\n"                                           \
	"                 a recipient; may be given often\n"                   \
	"  --listener L   as in `listen smtp L`; default: the first\n"         \
	"  --fact NAME=VALUE, --unknown NAME\n"                                \
	"                 a fact as rules shall see it; may be given often\n"

static const struct command {
	const char *name;
	cli_run *run;
	const char *help; /* one line of the overview */
	const char *usage;
} commands[] = {
	{ "status", cli_status, "processes, generation, what is held",
	    "usage: postern status\n\n"
	    "Show what the running daemon is made of.\n" },
	{ "reload", cli_reload, "read the configuration again",
	    "usage: postern reload\n\n"
	    "Have the running daemon read its configuration again. A broken one\n"
	    "changes nothing: it is shown, and the exit code is 78.\n" },
	{ "drain", cli_drain, "end the daemon when its sessions have ended",
	    "usage: postern drain [--wait]\n\n"
	    "Have the daemon take no more sessions and end when those that are open\n"
	    "have, or drain_timeout has passed, as SIGTERM does.\n"
	    "  --wait   until it has ended\n" },
	{ "upstream", cli_upstream, "take a server out of use, and back",
	    "usage: postern upstream NAME drain|resume [SERVER]\n\n"
	    "Send no new mail to SERVER, as `status` calls it, or to any server of the\n"
	    "upstream; or send it mail again. A reload or a restart begins as the\n"
	    "configuration says.\n" },
	{ "top", cli_top, "what goes on, again and again",
	    "usage: postern top [--once] [--interval SECONDS]\n\n"
	    "Show sessions, messages by what became of them, and the rules that fire\n"
	    "most, by the second: as often as the interval (2 s) says, until ^C.\n"
	    "  --once   one interval, then end\n" },
	{ "scan", cli_scan, "the verdict on a message, without a server",
	    "usage: postern scan [OPTION...] FILE...\n\n"
	    "Judge messages in files as if they had come by SMTP; `-` is the\n"
	    "standard input.\n" SCAN_OPTIONS },
	{ "try", cli_try, "the verdict on a message made of options",
	    "usage: postern try [OPTION...] [FILE]\n\n"
	    "Judge FILE, or a message of these options, as if it had come by SMTP.\n"
	    "  --header \"NAME: VALUE\"   may be given often\n"
	    "  --subject TEXT\n"
	    "  --body TEXT\n" SCAN_OPTIONS },
	{ "explain", cli_explain, "why a message got its verdict",
	    "usage: postern explain [--for-sender] REF\n"
	    "       postern explain [OPTION...] FILE\n\n"
	    "REF is the id of a message: of [ref ID] in a reply, of the log, or of\n"
	    "the quarantine. FILE is a message, judged now, or a stored trace.\n"
	    "  --for-sender   in a sentence for who sent it\n"
	    SCAN_OPTIONS },
	{ "test", cli_test, "run the tests that stand in the policy",
	    "usage: postern test\n\n"
	    "Run each `test` of the policy, one line for each. The exit code is 65\n"
	    "when one fails.\n" },
	{ "conf", cli_conf, "the settings in force, and where each is written",
	    "usage: postern conf [-n | -d] [NAME...]\n\n"
	    "Show the settings in force, each with the file and line it stands in.\n"
	    "NAME is a setting, or a block: `listen`, `\"upstream mta\"`.\n"
	    "  -n   what is written alone\n"
	    "  -d   what is in force when nothing is written\n" },
	{ "facts", cli_facts, "what rules can ask about",
	    "usage: postern facts [NAME...]\n\n"
	    "List the facts of the modules in force: type, the stage from which on\n"
	    "it is known, who gives it, what it says. NAME is one, or the front of\n"
	    "some: `client`.\n" },
	{ "map", cli_map, "look a key up in a map",
	    "usage: postern map [NAME [KEY...]]\n\n"
	    "Look keys up in a map of the policy as a rule would: where each stands\n"
	    "and what its value is. The exit code is 1 when one is not there.\n"
	    "Without KEY the map's file, without NAME all maps.\n" },
	{ "history", cli_history, "search what became of messages",
	    "usage: postern history [OPTION...]\n\n"
	    "List messages, newest first. Options hold together:\n"
	    "  --since TIME     2h, 7d ago, or 2026-11-23, 2026-11-23T07:00\n"
	    "  --until TIME\n"
	    "  --from ADDR      an address or @domain; <> for the null sender\n"
	    "  --to ADDR\n"
	    "  --client NET     an address or a network\n"
	    "  --rule NAME      that decided, or would have\n"
	    "  --policy NAME\n"
	    "  --action WORD    accept, tag, reject, ...\n"
	    "  --would WORD     what rules in shadow (all, with `enforce no`) would\n"
	    "                   have done: reject, quarantine, ...\n"
	    "  --upstream NAME  where it went, or who refused it\n"
	    "  --server TEXT    stands in the name of the server that did\n"
	    "  --subject TEXT   stands in it\n"
	    "  --limit N        default 100; 0 is all\n" },
	{ "doctor", cli_doctor, "is all well with this machine and its neighbours",
	    "usage: postern doctor\n\n"
	    "Look at settings, folders, log and clock, ask the resolver and the DNS\n"
	    "lists, and dial each next hop: does it see the client's address? One\n"
	    "line each, with what to do. The exit code is 1 when something failed.\n" },
	{ "replay", cli_replay, "what another configuration would change",
	    "usage: postern replay --with CONF [OPTION...] FILE|FOLDER...\n\n"
	    "Judge messages as `scan` does, by the configuration in force and by CONF,\n"
	    "and show each whose verdict or rule would be another, and how many go\n"
	    "from which verdict to which. The exit code is 1 when one changes.\n"
	    SCAN_OPTIONS },
	{ "profile", cli_profile, "what each rule costs",
	    "usage: postern profile [--repeat N] [OPTION...] FILE|FOLDER...\n\n"
	    "Read the messages N times, as `scan` does, and measure the tests of each\n"
	    "rule that look into the message; the dearest rule first.\n" },
	{ "promote", cli_promote, "make a rule in shadow live",
	    "usage: postern promote [--policy NAME] [--dry-run] [--no-reload] RULE\n\n"
	    "Take `mode shadow;` out of the rule in the file it stands in, show the\n"
	    "change, and have the daemon reload.\n"
	    "  --policy NAME   where several policies have a rule of that name\n"
	    "  --dry-run       show the change alone\n"
	    "  --no-reload     write it, no more\n" },
	{ "quarantine", cli_quarantine, "list, show, release, delete held mail",
	    "usage: postern quarantine list [--state NAME] [--class NAME]\n"
	    "           [--since TIME] [--until TIME] [--from ADDRESS] "
	    "[--to ADDRESS]\n"
	    "           [--client NET] [--rule NAME] [--subject TEXT] "
	    "[--limit N]\n"
	    "       postern quarantine show ID\n"
	    "       postern quarantine export ID\n"
	    "       postern quarantine release ID...\n"
	    "       postern quarantine delete ID...\n\n"
	    "export writes the message as it was received to the standard output.\n"
	    "release relays it to all recipients that have not got it.\n" },
};

int
cli_fail(int code, const char *fmt, ...)
{
	va_list ap;

	(void)fputs("postern: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return code;
}

int
cli_usage(const struct cli *c)
{
	(void)fputs(c->usage, stderr);
	return EX_USAGE;
}

static void
overview(FILE *f)
{
	(void)fputs("usage: postern [-c FILE] [-s SOCKET] [--json] COMMAND "
	    "[ARGUMENT...]\n"
	    "       postern COMMAND --help\n\n", f);
	for (size_t i = 0; i < PN_COUNT(commands); i++)
		(void)fprintf(f, "  %-11s %s\n", commands[i].name,
		    commands[i].help);
	(void)fputs("\n  -c FILE     the configuration (default " CONF ")\n"
	    "  -s SOCKET   the daemon's control socket (default: FILE says)\n"
	    "  --json      answers for programs\n", f);
}

static const struct command *
find(const char *name)
{
	struct suggest near = suggest_for(pn_str_of(name));
	char text[80];

	for (size_t i = 0; i < PN_COUNT(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
		suggest_try(&near, pn_str_of(commands[i].name));
	}
	(void)cli_fail(EX_USAGE, "unknown command \"%s\"%s", name,
	    suggest_text(&near, text, sizeof(text)));
	return NULL;
}

/* --help behind the command, wherever it stands before a `--`. */
static bool
wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

/* --json may stand behind the command too: there people write it. */
static int
take_json(struct cli *c, int argc, char **argv)
{
	int n = 0;

	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--json") == 0)
			c->json = true;
		else
			argv[n++] = argv[i];
	argv[n] = NULL;
	return n;
}

static int
run(struct cli *c, int argc, char **argv)
{
	const struct command *command = find(argv[0]);
	int code;

	if (command == NULL)
		return EX_USAGE;
	if (wants_help(argc, argv)) {
		(void)fputs(command->usage, stdout);
		return EX_OK;
	}
	c->usage = command->usage;
	argc = take_json(c, argc, argv);
	optind = 1;
	code = command->run(c, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail(EX_IOERR, "standard output: cannot write");
	return code;
}

/* Commands are known here alone. */
static int
complete_any(const struct cli *c, const char *kind)
{
	if (strcmp(kind, "commands") != 0)
		return complete(c, kind);
	for (size_t i = 0; i < PN_COUNT(commands); i++)
		(void)puts(commands[i].name);
	return EX_OK;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "complete", required_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	struct cli c = { .conf = CONF };
	int o;

	while ((o = getopt_long(argc, argv, "+c:s:", options, NULL)) != -1) {
		if (o == 'c') {
			c.conf = optarg;
		} else if (o == 's') {
			c.socket = optarg;
		} else if (o == 'j') {
			c.json = true;
		} else if (o == 'C') {
			return complete_any(&c, optarg);
		} else {
			overview(o == 'h' ? stdout : stderr);
			return o == 'h' ? EX_OK : EX_USAGE;
		}
	}
	if (optind == argc) {
		overview(stderr);
		return EX_USAGE;
	}
	return run(&c, argc - optind, argv + optind);
}
