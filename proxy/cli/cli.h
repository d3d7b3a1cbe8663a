/*
 * cli - what the commands of postern(1) share. main.c reads the options that
 * stand before the command and calls one function of the table; each command
 * has a file of its own. One process, one command, then exit.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"
#include "filters/pn_str.h"

struct cli {
	const char *conf;   /* postern.conf */
	const char *socket; /* -s: the control socket, or NULL: conf says */
	bool json;
	const char *usage;  /* of the command that runs */
};

/* A command: the rest of the command line, argv[0] its name. Returns the exit
 * code (sysexits.h). */
typedef int cli_run(const struct cli *, int argc, char **argv);
cli_run cli_status, cli_reload, cli_scan, cli_test, cli_explain,
    cli_quarantine, cli_conf, cli_facts, cli_map, cli_history, cli_try,
    cli_drain, cli_top, cli_doctor, cli_promote,
    cli_profile, cli_replay, cli_upstream;

/* `postern: ...` to stderr; returns code. */
int cli_fail(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The command's usage to stderr; returns EX_USAGE. */
int cli_usage(const struct cli *);

/* complete.c: the names of a kind, for the shell's completion. */
int complete(const struct cli *, const char *kind);

/* ---- ask.c: the keeper, by keeper/protocol.h ---- */

/*
 * One question, one answer. 0 and *answer (to json_decref), or the exit code,
 * said to stderr. raw, where not NULL, takes the message behind the answer.
 * Takes question.
 */
int ask(const struct cli *, json_t *question, json_t **answer, FILE *raw);
/* The same, but that there is no such message (EX_NOINPUT) is only said when
 * aloud. */
int ask_quietly(const struct cli *, json_t *question, json_t **answer,
    bool aloud);
/* Does anybody listen there? */
bool ask_is_there(const struct cli *);
/* {"cmd":cmd} or {"cmd":cmd,"id":id}. */
json_t *question(const char *cmd, const char *id);

/* ---- search.c: which messages are meant ---- */

struct mail_search {
	json_t *query; /* the question; options become its members */
	long limit;    /* 0: all */
};
/* held: of the quarantine, which has states and classes. 0, an exit code that
 * was explained, or -1: a usage error. */
int search_options(struct mail_search *, bool held, int argc, char **argv);
/* Ask page by page; each message is shown as it comes, since a search may take
 * long, or all in the end as JSON. The exit code. */
typedef void message_show(const json_t *message);
int search_show(const struct cli *, struct mail_search *, message_show *);

/* ---- settings.c: postern.conf ---- */

#define CLI_ARENA_MAX (64u << 20)
struct config;
struct lex;
/* Over one item of the rule language: to its `;`, or to the `}` that closes
 * its block. As config_items.parse. */
int skip_item(void *arg, struct lex *, const char *base_dir, struct error *e);
/* All but the policy, into the arena. 0, or the exit code. */
int read_settings(const struct cli *, struct arena *, struct config *);
/* With keys and certificates: conf->secrets is the caller's, whatever comes. */
int read_settings_and_keys(
    const struct cli *, struct arena *, struct config *);

/* ---- folder.c: messages in files ---- */

/* Returns an exit code. */
typedef int message_take(void *arg, const char *path);
/* Each file of the arguments, and those in each folder. The first code that is
 * not 0; the others are read all the same. */
int each_message(int argc, char **argv, message_take *, void *arg);

/* ---- show.c: for people ---- */

/* Text of the network, harmless on a terminal: valid UTF-8 as it is, but
 * controls, and what turns the direction of text, as \xNN. */
void show_text(FILE *, struct pn_str);
/* The same, of several lines, tabs as they are. */
void show_lines(FILE *, struct pn_str);
/* A member of an object; "" when it is none or no string. */
struct pn_str member(const json_t *object, const char *key);
/* Is that text this one? */
bool member_is(const json_t *object, const char *key, const char *want);
/* Any scalar, as text. */
void show_value(FILE *, const json_t *);
/* Microseconds since the epoch, "2026-11-23T04:12:27Z". */
void show_time(FILE *, const json_t *);
/* The text of the rule object of a trace, as its file has it now. */
void show_source(FILE *, const json_t *rule);
/* letter.c: what became of it, in words for who sent it (history's or
 * quarantine's object). */
void letter(const struct cli *, const json_t *message);
/* One line of JSON. */
void print_json(const json_t *);

/*
 * A trace (proxy/engine/trace.c) for people: the verdict and the rule that
 * decided, then every rule with what it saw.
 */
void render_trace(FILE *, const json_t *trace);

#endif
