/* config: what good and bad postern.conf texts come to, word for word. */
#include "cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/must.h"
#include "proxy/config.h"

/* A stand-in for rules/: takes "policy NAME { ... }" and counts them. */
static int
take_item(void *arg, struct lex *l, const char *base_dir, struct error *e)
{
	struct lex_token t;

	(void)base_dir;
	++*(int *)arg;
	do {
		if (lex_next(l, &t, e) < 0)
			return -1;
	} while (!lex_is(&t, "}") && t.kind != LEX_END);
	return 0;
}

static bool
is_policy(struct pn_str word)
{
	return pn_str_eq(word, PN_STR_V("policy"));
}

static const char *const item_words[] = { "policy", NULL };

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	must(f != NULL);
	must(fputs(text, f) >= 0 && fclose(f) == 0);
}

/* Found before we leave for a folder of our own; NULL: not there. */
static const char *manual;

struct reading {
	struct arena *arena;
	struct config conf;
	struct error error;
	int items;
	int status;
};

static struct reading
read_text(const char *text)
{
	struct reading r = { .arena = arena_new(64 << 20) };
	struct config_items items = { .words = item_words,
		.is_item = is_policy, .parse = take_item,
		.arg = &r.items };

	put("t.conf", text);
	r.status = config_read(&r.conf, r.arena, "t.conf", &items, &r.error);
	arena_free(r.conf.secrets);
	return r;
}

static const char mta[] = "upstream mta { server 127.0.0.1:2525; identity none; }\n";

static void
defaults_are_the_manuals(void **state)
{
	struct reading r = read_text("");
	const struct config *c = &r.conf;
	char host[256] = "";

	(void)state;
	assert_int_equal(r.status, 0);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_string_equal(c->smtp.hostname, host);
	assert_string_equal(c->daemon.user, "postern");
	assert_string_equal(c->daemon.inspect_user, "postern-inspect");
	assert_string_equal(c->daemon.keeper_user, "postern-keeper");
	assert_true(c->daemon.workers >= 1);
	assert_string_equal(c->daemon.control, "/run/postern/control");
	assert_string_equal(c->daemon.log_target, "stderr");
	assert_int_equal(c->daemon.log_level, LOG_LEVEL_INFO);
	assert_int_equal(c->daemon.drain_timeout_ms, 300000);
	assert_int_equal(c->daemon.map_check_ms, 5000);
	assert_int_equal(c->smtp.message_size_limit, 50 << 20);
	assert_int_equal(c->smtp.recipient_limit, 1000);
	assert_int_equal(c->smtp.connection_limit, 10000);
	assert_int_equal(c->smtp.client_connection_limit, 50);
	assert_int_equal(c->smtp.error_limit, 20);
	assert_int_equal(c->smtp.junk_command_limit, 100);
	assert_int_equal(c->smtp.command_timeout_ms, 300000);
	assert_int_equal(c->smtp.data_timeout_ms, 180000);
	assert_int_equal(c->smtp.hold_noop_ms, 60000);
	assert_int_equal(c->smtp.site.n_mynetworks, 2);
	assert_int_equal(c->inspect.deadline_ms, 10000);
	assert_int_equal(c->inspect.max_memory, 1u << 30);
	assert_string_equal(c->spool.dir, "/var/spool/postern");
	assert_int_equal(c->spool.max_memory, 1 << 20);
	assert_int_equal(c->spool.all_memory, 128 << 20);
	assert_string_equal(c->keeper.state_dir, "/var/lib/postern");
	assert_null(c->keeper.maildirs[0]);
	assert_int_equal(c->keeper.settings.history_days, 30);
	assert_int_equal(c->keeper.settings.history_size, 1 << 30);
	assert_true(c->keeper.settings.history_text);
	assert_null(c->engine.dns_server);
	assert_int_equal(c->engine.dns_timeout_ms, 5000);
	assert_true(c->engine.enforce);
	assert_int_equal(c->engine.mixed, MIXED_DEFER);
	assert_int_equal(c->engine.trace_accept_percent, 1);
	arena_free(r.arena);
}

static void
everything_can_be_said(void **state)
{
	struct reading r = read_text(
	    "hostname MX.Example.com; user u; inspect_user i; keeper_user k;\n"
	    "workers 3; mynetworks 10.0.0.0/8 [2001:db8::]/32 192.0.2.7;\n"
	    "relay_domains Example.COM sales.example.com;\n"
	    "message_size_limit 1M; recipient_limit 100;\n"
	    "spool \"/tmp/a b\"; state /tmp/s; control unix:/tmp/c;\n"
	    "dns [::1]:5353; dns_timeout 250ms; enforce no; mixed strictest;\n"
	    "metrics [::1]:9155; release_retry 1s 90m; release_life 1d;\n"
	    "history_days 7; history_size 2M; history_text no;\n"
	    "quarantine spam { keep 7d; quota 3M; when full drop-oldest; }\n"
	    "quarantine default { }\n"
	    "log syslog mail; log_level debug;\n"
	    "listen smtp *:25 { upstream mta; }\n"
	    "listen milter unix:/run/p/m;\n"
	    "listen milter inet:8890@127.0.0.1 { upstream re; }\n"
	    "listen milter local:/run/p/n { group mail; mode 0600; }\n"
	    "listen milter inet6:8890@::1;\n"
	    "listen smtp [::1]:2525 { upstream re;\n"
	    "  identity from 10.0.0.0/8 proxy from 127.0.0.1 [::1] xforward; }\n"
	    "upstream mta { server [::1]:26; identity xclient; reply_timeout 9s;\n"
	    "  reuse no; keep 30 idle 4s; warm 2; }\n"
	    "upstream re { server 127.0.0.1:27; identity xforward; dial connect; }\n"
	    "upstream box { deliver maildir /tmp/box; }\n"
	    "upstream box2 { deliver maildir /tmp/box; }\n"
	    "policy p { x; }\n");
	const struct smtp_conf *s = &r.conf.smtp;
	const struct milter_conf *m = &r.conf.milter;
	const struct keeper_settings *k = &r.conf.keeper.settings;

	(void)state;
	assert_int_equal(r.status, 0);
	assert_int_equal(r.items, 1);
	assert_int_equal(m->n_listeners, 4);
	assert_string_equal(m->hostname, "mx.example.com");
	assert_int_equal(m->message_size_limit, 1 << 20);
	assert_string_equal(m->listeners[0].name, "unix:/run/p/m");
	assert_int_equal(m->listeners[0].addr.ss_family, AF_UNIX);
	assert_int_equal(m->listeners[0].mode, 0666);
	assert_null(m->listeners[0].group);
	assert_string_equal(m->listeners[0].upstream, "");
	assert_string_equal(m->listeners[1].upstream, "re");
	assert_int_equal(m->listeners[1].addr.ss_family, AF_INET);
	assert_int_equal(m->listeners[2].mode, 0600);
	assert_string_equal(m->listeners[2].group, "mail");
	assert_int_equal(m->listeners[3].addr.ss_family, AF_INET6);
	assert_string_equal(s->hostname, "mx.example.com");
	assert_int_equal(r.conf.daemon.workers, 3);
	assert_int_equal(s->site.n_mynetworks, 3);
	assert_int_equal(s->site.mynetworks[1].family, AF_INET6);
	assert_int_equal(s->site.mynetworks[2].prefix, 32);
	assert_int_equal(s->site.n_relay_domains, 2);
	assert_string_equal(s->site.relay_domains[0], "example.com");
	assert_string_equal(r.conf.spool.dir, "/tmp/a b");
	assert_string_equal(r.conf.engine.dns_server, "::1@5353");
	assert_false(r.conf.engine.enforce);
	assert_int_equal(r.conf.engine.mixed, MIXED_STRICTEST);
	assert_string_equal(r.conf.daemon.log_target, "syslog mail");
	assert_int_equal(s->n_listeners, 2);
	assert_string_equal(s->listeners[0].name, "*:25");
	assert_string_equal(s->listeners[0].upstream->name, "mta");
	assert_int_equal(s->listeners[0].upstream->identity, IDENTITY_XCLIENT);
	assert_false(s->listeners[0].upstream->reuse);
	assert_int_equal(s->listeners[0].upstream->keep, 30);
	assert_int_equal(s->listeners[0].upstream->keep_idle_ms, 4000);
	assert_int_equal(s->listeners[0].upstream->warm, 2);
	assert_false(s->listeners[0].upstream->dial_connect);
	assert_true(s->listeners[1].upstream->dial_connect);
	assert_int_equal(s->listeners[0].upstream->reply_timeout_ms, 9000);
	assert_int_equal(s->listeners[0].identity_by, IDENTITY_NONE);
	assert_int_equal(s->listeners[1].identity_by, IDENTITY_XFORWARD);
	assert_int_equal(s->listeners[1].n_identity_from, 2);
	assert_int_equal(s->listeners[1].n_proxy_from, 1);
	assert_int_equal(s->n_upstreams, 4);
	assert_int_equal(s->upstreams[2].n_servers, 0);
	assert_string_equal(r.conf.keeper.maildirs[0], "/tmp/box");
	assert_null(r.conf.keeper.maildirs[1]);
	assert_string_equal(r.conf.daemon.metrics, "[::1]:9155");
	assert_int_equal(k->history_days, 7);
	assert_int_equal(k->history_size, 2 << 20);
	assert_false(k->history_text);
	assert_int_equal(k->n_release_retry, 2);
	assert_int_equal(k->release_retry_ms[1], 5400000);
	assert_int_equal(k->release_life_ms, 86400000);
	assert_int_equal(k->n_classes, 2);
	assert_string_equal(k->classes[0].name, "spam");
	assert_int_equal(k->classes[0].keep_ms, 7 * 86400000ull);
	assert_int_equal(k->classes[0].quota, 3 << 20);
	assert_true(k->classes[0].drop_oldest);
	assert_int_equal(k->classes[1].keep_ms, 30 * 86400000ull);
	assert_int_equal(k->classes[1].quota, 0);
	assert_false(k->classes[1].drop_oldest);
	arena_free(r.arena);
}

static void
printed_it_reads_to_the_same(void **state)
{
	struct reading r = read_text("spool \"/tmp/\\\"a\\\" b\"; dns [::1];\n"
				     "mynetworks [::1] 10.0.0.0/8;\n"
				     "metrics *:9155 public;\n"
				     "release_retry 1s 90m;\n"
				     "quarantine a { keep 7d; quota 3M; }\n"
				     "quarantine b { when full drop-oldest; }\n"
				     "relay_domains a.example b.example;\n"
				     "listen smtp *:25 { upstream mta; identity"
				     " from 10.0.0.0/8 xclient; }\n"
				     "listen milter unix:/run/p/m;\n"
				     "listen milter \"unix:/run/p/a b\" {"
				     " group mail; upstream box; }\n"
				     "listen milter inet:1@127.0.0.1;\n"
				     "milter one { unix \"/run/a b\"; obey edits;"
				     " when subject ~ /;/ and # why\n a; }\n"
				     "milter two { inet 8891@127.0.0.1; macros"
				     " connect j client_addr; macros data; reuse"
				     " yes; on unavailable accept; }\n"
				     "upstream box { deliver maildir /tmp/b; }\n"
				     "route way { .B.example mta; default box;"
				     " map m; \"b\303\274cher.example\" mta;"
				     " \"a b@a.example\" box; }\n"
				     "listen smtp *:26 { route way; identity"
				     " from 10.0.0.0/8 xforward; }\n"
				     "upstream mta { server 127.0.0.1:1; identity"
				     " none; connect_timeout 1500ms; server"
				     " [::1]:2 weight 3 priority 7 drain; }\n"
				     "upstream now { server 127.0.0.1:3; identity"
				     " none; dial connect; }\n"
				     "upstream out { mx; }\n"
				     "upstream far { mx a.example port 26; }\n"),
		       again;
	struct buf one = { 0 }, two = { 0 };

	(void)state;
	assert_int_equal(r.status, 0);
	config_print(&r.conf, &one);
	assert_true(buf_add(&one, "", 1));
	again = read_text(buf_data(&one));
	assert_int_equal(again.status, 0);
	config_print(&again.conf, &two);
	assert_true(buf_add(&two, "", 1));
	assert_string_equal(buf_data(&one), buf_data(&two));
	assert_non_null(strstr(buf_data(&one), "dns [::1]:53;\n"));
	assert_non_null(strstr(buf_data(&one), "connect_timeout 1500ms;\n"));
	assert_non_null(strstr(buf_data(&one), "    dial mail;\n"));
	assert_non_null(strstr(buf_data(&one), "    dial connect;\n"));
	assert_non_null(strstr(buf_data(&one), "message_size_limit 50M;\n"));
	assert_non_null(strstr(buf_data(&one), "    mx port 25;\n"));
	assert_non_null(strstr(buf_data(&one), "    mx a.example port 26;\n"));
	assert_non_null(strstr(buf_data(&one),
	    "route way {\n    .b.example mta;\n    \"a b@a.example\" box;\n"
	    "    xn--bcher-kva.example mta;\n    map m;\n"
	    "    default box;\n}\n"));
	assert_non_null(strstr(buf_data(&one),
	    "    server 127.0.0.1:1;\n"
	    "    server [::1]:2 priority 7 weight 3 drain;\n"));
	assert_non_null(strstr(buf_data(&one),
	    "listen milter \"unix:/run/p/a b\" {\n    upstream box;\n"
	    "    mode 0660;\n    group mail;\n}\n"));
	assert_non_null(strstr(buf_data(&one),
	    "milter one {\n    server \"unix:/run/a b\";\n"
	    "    when subject ~ /;/ and # why\n a;\n"
	    "    connect_timeout 30s;\n    command_timeout 30s;\n"
	    "    content_timeout 5m;\n    on unavailable tempfail;\n"
	    "    obey edits;\n    protocol 6;\n    reuse no;\n}\n"));
	assert_non_null(strstr(buf_data(&one),
	    "milter two {\n    server inet:127.0.0.1:8891;\n"));
	assert_non_null(strstr(buf_data(&one),
	    "    macros connect j client_addr;\n    macros data;\n}\n"));
	buf_fini(&one);
	buf_fini(&two);
	arena_free(r.arena);
	arena_free(again.arena);
}

/* postern.conf(5) has a word on each setting: those that are printed, and the
 * blocks. */
static void
the_manual_names_each_setting(void **state)
{
	static const char *const blocks[] = { "listen", "upstream", "server",
		"deliver", "identity", "include", "dns", "relay_domains" };
	struct reading r = read_text("upstream b { deliver maildir /b; }\n");
	struct buf page = { 0 }, printed = { 0 };
	char word[64];
	struct error e;
	const char *at;

	(void)state;
	if (manual == NULL)
		skip(); /* run by hand, elsewhere */
	assert_int_equal(io_slurp(manual, 1 << 20, &page, &e), 0);
	assert_true(buf_add(&page, "", 1));
	config_print(&r.conf, &printed);
	assert_true(buf_add(&printed, "", 1));
	for (size_t i = 0; i < PN_COUNT(blocks); i++)
		assert_non_null(strstr(buf_data(&page), blocks[i]));
	for (at = buf_data(&printed); at != NULL && *at != '\0';
	     at = strchr(at, '\n'), at += at != NULL) {
		if (sscanf(at, "%63[a-z_]", word) == 1 &&
		    strstr(buf_data(&page), word) == NULL)
			fail_msg("postern.conf.5 has no word on %s", word);
	}
	buf_fini(&page);
	buf_fini(&printed);
	arena_free(r.arena);
}

/* The whole error, caret line and all, of one slip. */
static void
an_error_points_at_the_word(void **state)
{
	struct reading r = read_text("workers 2;\n  wokers 3;\n");

	(void)state;
	assert_int_equal(r.status, -1);
	assert_string_equal(r.error.text,
	    "t.conf:2:3: unknown setting \"wokers\", did you mean \"workers\"?\n"
	    "  wokers 3;\n"
	    "  ^");
	arena_free(r.arena);
}

static const struct {
	const char *text, *error;
} bad[] = {
	{ "listen smtp 127.0.0.1:25 { upstream m; tls may; }",
	    "1:44: \"tls may\" needs a certificate: cert FILE [key FILE]" },
	{ "listen smtp 127.0.0.1:25 { upstream m; tls mya; }",
	    "1:44: unknown mode of TLS \"mya\", did you mean \"may\"?" },
	{ "listen smtp 127.0.0.1:25 { upstream m; tls may cret /x; }",
	    "1:48: unknown word \"cret\", did you mean \"cert\"?" },
	{ "listen smtp 127.0.0.1:25 { upstream m; tls may cert x.pem; }",
	    "1:53: a file is named by an absolute path, not \"x.pem\"" },
	{ "listen smtp 127.0.0.1:25 { upstream m; tls may cert /no/x.pem; }",
	    "1:53: cannot read \"/no/x.pem\": No such file or directory" },
	{ "listen smtp 127.0.0.1:25 { upstream m; tls may cert /dev/null; }",
	    "1:53: cannot read \"/dev/null\": is no file of at most 4 MiB" },
	{ "listen smtp 127.0.0.1:25 { upstream m; client_certificates ask; }",
	    "1:13: listener 127.0.0.1:25 asks for client certificates and has "
	    "no TLS" },
	{ "listen smtp 127.0.0.1:25 { upstream m; client_certificates require; }",
	    "1:60: \"client_certificates require\" needs to know whose: ca FILE" },
	{ "upstream m { server 127.0.0.1:25; identity none; tls encrytp; }",
	    "1:54: unknown level of TLS \"encrytp\", did you mean \"encrypt\"?" },
	{ "upstream m { server 127.0.0.1:25; identity none; tls fingerprint; }",
	    "1:54: \"tls fingerprint\" needs at least one: 64 hexadecimal digits" },
	{ "upstream m { server 127.0.0.1:25; identity none; tls may wrapped; }",
	    "1:54: \"tls may wrapped\" makes no sense: a wrapped connection "
	    "cannot go on in clear" },
	{ "upstream m { server 127.0.0.1:25; identity none; tls verify name x "
	  "name y; }",
	    "1:68: \"name\" is written twice" },
	{ "upstream m { server 127.0.0.1:25 weight 1 weight 2; identity none; }",
	    "1:43: \"weight\" is written twice" },
	{ "listen smtp 127.0.0.1:25 { upstream m; auth require; }",
	    "1:13: listener 127.0.0.1:25 has \"auth require\" and no TLS: "
	    "nobody could log in" },
	{ "upstream m { server 127.0.0.1:25; identity none; tls verify nmae x; }",
	    "1:61: unknown word \"nmae\", did you mean \"name\"?" },
	{ "upstream m { server 127.0.0.1:25; identity none; tls dane; }",
	    "1:10: upstream \"m\" has \"tls dane\" and a server without a name: "
	    "write \"tls dane name NAME\"" },
	{ "polcy x { }", "1:1: unknown setting \"polcy\", did you mean \"policy\"?" },
	{ "frobnicate 1;", "1:1: unknown setting \"frobnicate\"" },
	{ "; workers 1;", "1:1: a setting begins with a word" },
	{ "workers 1", "1:10: missing \";\" after \"1\"" },
	{ "workers 1 2;", "1:11: \";\" must stand here, not \"2\"" },
	{ "workers ;", "1:9: \"workers\" needs a value here" },
	{ "workers many;", "1:9: \"many\" is not a number" },
	{ "workers -1;", "1:9: \"-1\" is not a number" },
	{ "workers 0;", "1:9: \"workers\" must be at least 1" },
	{ "workers 257;", "1:9: \"workers\" must be at most 256" },
	{ "workers 4294967297;", "1:9: \"4294967297\" is not a number" },
	{ "workers 1;\nworkers 2;", "2:1: \"workers\" is written twice, first at t.conf:1" },
	{ "recipient_limit 99;", "1:17: \"recipient_limit\" must be at least 100" },
	{ "recipient_limit 1K;", "1:17: \"1K\" is not a number" },
	{ "message_size_limit 50X;", "1:20: \"50X\" is not a size (64K, 50M, 1G)" },
	{ "message_size_limit 1K;", "1:20: \"message_size_limit\" must be at least 64K" },
	{ "message_size_limit 2G;", "1:20: \"message_size_limit\" must be at most 1G" },
	{ "command_timeout 5;", "1:17: \"5\" is not a time (500ms, 30s, 5m, 2h, 7d)" },
	{ "command_timeout 10ms;", "1:17: \"command_timeout\" must be at least 1s" },
	{ "map_check 99ms;", "1:1: \"map_check\" must be at least 100ms, or 0: never" },
	{ "map_check 2d;", "1:11: \"map_check\" must be at most 1d" },
	{ "map_check 5;", "1:11: \"5\" is not a time (500ms, 30s, 5m, 2h, 7d)" },
	{ "metrics 9155;", "1:9: \"9155\" has no port" },
	{ "metrics 0.0.0.0:9155;", "1:9: \"0.0.0.0:9155\" is not a loopback address: everybody who reaches it could read the metrics (write \"metrics 0.0.0.0:9155 public;\" if they may)" },
	{ "metrics 127.0.0.1:9155 private;", "1:24: \";\" must stand here, not \"private\"" },
	{ "history_days 0;", "1:14: \"history_days\" must be at least 1" },
	{ "history_size much;", "1:14: \"much\" is not a size (64K, 50M, 1G)" },
	{ "release_retry;", "1:14: \"release_retry\" needs a value here" },
	{ "release_retry 1m soon;", "1:18: \"soon\" is not a time (500ms, 30s, 5m, 2h, 7d)" },
	{ "release_retry 1m 10ms;", "1:18: \"release_retry\" must be at least 100ms" },
	{ "release_life 0;", "1:14: \"release_life\" must be at least 1s" },
	{ "quarantine { }", "1:12: \"quarantine\" needs a value here" },
	{ "quarantine \"a b\" { }", "1:12: a class's name is a word without quotes" },
	{ "quarantine spam { keep 30; }", "1:24: \"30\" is not a time (500ms, 30s, 5m, 2h, 7d)" },
	{ "quarantine spam { kep 30d; }", "1:19: unknown setting \"kep\" in a quarantine block, did you mean \"keep\"?" },
	{ "quarantine spam { when empty; }", "1:24: \"full\" must stand here, not \"empty\"" },
	{ "quarantine spam { when full drop; }", "1:29: unknown way out \"drop\": refuse or drop-oldest may stand here" },
	{ "quarantine spam { keep 1d;", "1:27: a quarantine block is not closed with \"}\"" },
	{ "quarantine spam { }\nquarantine spam { }", "2:12: there is a quarantine \"spam\" already" },
	{ "drain_timeout 2d;", "1:15: \"drain_timeout\" must be at most 1d" },
	{ "mixed split;", "1:7: unknown way of mixing \"split\": defer or strictest may stand here" },
	{ "enforce maybe;", "1:9: \"enforce\" is yes or no, not \"maybe\"" },
	{ "trace_accept_percent 101;", "1:22: \"trace_accept_percent\" must be at most 100" },
	{ "hostname a@b;", "1:10: \"a@b\" is not a host name" },
	{ "hostname \"\";", "1:10: \"\" is not a host name" },
	{ "hostname mx..example;", "1:10: \"mx..example\" is not a host name" },
	{ "user \"\";", "1:6: \"user\" cannot be empty" },
	{ "spool var/spool;", "1:7: \"spool\" must be an absolute path, not \"var/spool\"" },
	{ "state \"\";", "1:7: \"state\" must be an absolute path, not \"\"" },
	{ "control /run/x;", "1:9: \"/run/x\" is not unix:/PATH of at most 107 bytes" },
	{ "log file;", "1:5: a log is stderr, syslog FACILITY or /PATH, not \"file\"" },
	{ "log syslog;", "1:11: \"log\" needs a value here" },
	{ "log syslog mial;", "1:12: unknown syslog facility \"mial\", did you mean \"mail\"?" },
	{ "log_level infos;", "1:11: unknown log level \"infos\", did you mean \"info\"?" },
	{ "dns nowhere;", "1:5: \"nowhere\" is not a numeric address (127.0.0.1:25, [::1]:25)" },
	{ "dns 127.0.0.1:99999;", "1:5: \"127.0.0.1:99999\" has no port of 0 to 65535" },
	{ "mynetworks;", "1:11: \"mynetworks\" needs a value here" },
	{ "mynetworks 10.0.0.0/8 10.0.0.1/8;", "1:23: \"10.0.0.1/8\" has address bits behind its prefix" },
	{ "mynetworks 10.0.0.0/33;", "1:12: \"10.0.0.0/33\" has no prefix length that fits" },
	{ "mynetworks lan;", "1:12: \"lan\" is not a network (10.0.0.0/8, [2001:db8::]/32)" },
	{ "relay_domains .example.com;", "1:15: \".example.com\" is not a domain" },
	{ "relay_domains @example.com;", "1:15: \"@example.com\" is not a domain" },
	{ "relay_domains example..com;", "1:15: \"example..com\" is not a domain" },
	{ "relay_domains example.com.;", "1:15: \"example.com.\" is not a domain" },
	{ "upstream mta { mx example..com; }", "1:19: \"example..com\" is no domain (a single host is a \"server\")" },
	{ "upstream mta { }", "1:10: upstream \"mta\" has neither a server nor a deliver line" },
	{ "upstream mta { server 127.0.0.1:25; }", "1:10: upstream \"mta\" has no identity line (write xclient, proxy, tproxy, xforward or none)" },
	{ "upstream m { server 127.0.0.1:1; deliver maildir /b; identity none; }", "1:10: upstream \"m\" has both a server and a deliver line" },
	{ "upstream m { server 127.0.0.1:1; server 127.0.0.1:1; }", "1:41: server \"127.0.0.1:1\" stands there already" },
	{ "upstream m { server 127.0.0.1:1 wieght 2; }", "1:33: unknown word behind a server \"wieght\", did you mean \"weight\"?" },
	{ "upstream m { server 127.0.0.1:1 weight 0; }", "1:40: \"weight\" must be at least 1" },
	{ "upstream m { server 127.0.0.1:1 priority 70000; }", "1:42: \"priority\" must be at most 65535" },
	{ "upstream b { deliver maildir /b; identity none; }", "1:10: upstream \"b\" delivers itself: an identity line tells nobody" },
	{ "upstream b { deliver mailbox /b; }", "1:22: unknown way to deliver \"mailbox\", did you mean \"maildir\"?" },
	{ "upstream b { deliver maildir b; }", "1:30: \"deliver\" must be an absolute path, not \"b\"" },
	{ "upstream m { server mx.example.com; }", "1:21: \"mx.example.com\" has no port" },
	{ "upstream m { server 10.0.0:25; }", "1:21: \"10.0.0:25\" is not a numeric address (127.0.0.1:25, [::1]:25)" },
	{ "upstream m { mx; server 127.0.0.1:25; identity none; }", "1:10: upstream \"m\" goes by mx: a server or deliver line says otherwise" },
	{ "upstream m { mx; identity xclient; }", "1:10: upstream \"m\" goes by mx: servers of others are spoken to as anybody does" },
	{ "upstream m { mx [a.example]; }", "1:17: \"[a.example]\" is no domain (a single host is a \"server\")" },
	{ "upstream m { mx a.example port 0; }", "1:32: \"port\" must be at least 1" },
	{ "upstream m { mx; }\nlisten milter unix:/m { upstream m; }", "2:34: upstream \"m\" goes by the recipients' domain: a message for several cannot be released there" },
	{ "upstream m { server 127.0.0.1; }", "1:21: \"127.0.0.1\" has no port" },
	{ "upstream m { server *:25; }", "1:21: \"*:25\" is not an address to connect to" },
	{ "upstream m { server [127.0.0.1]:25; }", "1:21: \"[127.0.0.1]:25\" is not an IPv6 address in brackets" },
	{ "upstream m { identity xclint; }", "1:23: unknown identity \"xclint\", did you mean \"xclient\"?" },
	{ "upstream m { serve x; }", "1:14: unknown setting \"serve\" in an upstream block, did you mean \"server\"?" },
	{ "upstream m { policy p { } }", "1:14: unknown setting \"policy\" in an upstream block: server, ..." },
	{ "upstream m { keep 0 idle 5s; }", "1:19: \"keep\" must be at least 1" },
	{ "upstream m { keep 5 5s; }", "1:21: \"idle\" must stand here, not \"5s\"" },
	{ "upstream m { keep 5 idle 2h; }", "1:26: \"idle\" must be at most 1h" },
	{ "upstream m { dial conect; }", "1:19: unknown dial \"conect\", did you mean \"connect\"?" },
	{ "upstream m { deliver maildir /b; dial connect; }", "1:10: upstream \"m\" has \"dial connect\" and no server to dial" },
	{ "upstream m { server 127.0.0.1:1; identity none; dial connect; warm 1; }", "1:10: upstream \"m\": with \"dial connect\" no connection can be warm, each is a client's" },
	{ "upstream m { server 127.0.0.1:1; identity none; dial connect; }\nroute r { default m; }", "2:19: upstream \"m\" has \"dial connect\": a route knows its next hop with the first recipient alone" },
	{ "upstream m { reuse may; }", "1:20: \"reuse\" is yes or no, not \"may\"" },
	{ "upstream m { server 127.0.0.1:1; identity none; keep 3 idle 5s; warm 4; }", "1:10: upstream \"m\": 4 connections cannot be warm where 3 are kept" },
	{ "upstream m { server 127.0.0.1:1; identity proxy; warm 4; }", "1:10: upstream \"m\": with identity proxy no connection can be warm, it begins with the client's address" },
	{ "upstream m { server 127.0.0.1:1;", "1:33: an upstream block is not closed with \"}\"" },
	{ "upstream m { identity none; identity none; }", "1:29: \"identity\" is written twice, first at t.conf:1" },
	{ "upstream b { deliver maildir /b; }\nupstream b { }", "2:10: there is an upstream \"b\" already" },
	{ "upstream \"b c\" { }", "1:10: an upstream's name is a word without quotes" },
	{ "listen stmp *:25 { }", "1:8: unknown protocol \"stmp\", did you mean \"smtp\"?" },
	{ "listen milter /run/m;", "1:15: \"/run/m\" needs \"unix:\" before it" },
	{ "listen milter unix:run/m;", "1:15: \"unix:run/m\" is not an absolute path" },
	{ "listen milter unix:/01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789;", "1:15: \"unix:/01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\" is longer than the 107 bytes of a socket's path" },
	{ "listen milter inet:8890;", "1:15: \"inet:8890\" is not unix:/PATH or inet:PORT@HOST" },
	{ "listen milter inet:x@127.0.0.1;", "1:15: \"inet:x@127.0.0.1\" has no port of 0 to 65535" },
	{ "listen milter inet:8890@localhost;", "1:15: \"inet:8890@localhost\" is not a numeric address (127.0.0.1:25, [::1]:25)" },
	{ "listen milter inet6:8890@127.0.0.1;", "1:15: \"inet6:8890@127.0.0.1\" is not an IPv6 address" },
	{ "listen milter inet:8890@127.0.0.1 { mode 0660; }", "1:15: listener inet:8890@127.0.0.1 has no socket file that a mode or a group could be given to" },
	{ "listen milter unix:/run/m { mode 770; }", "1:34: the mode of a socket is octal, of read and write (0660)" },
	{ "listen milter unix:/run/m { mode 999; }", "1:34: the mode of a socket is octal, of read and write (0660)" },
	{ "listen milter unix:/run/m { mode 0; }", "1:34: the mode of a socket is octal, of read and write (0660)" },
	{ "listen milter unix:/run/m { groop mail; }", "1:29: unknown setting \"groop\" in a listen block, did you mean \"group\"?" },
	{ "listen milter unix:/run/m { upstream mat; }\nupstream mta { deliver maildir /b; }", "1:38: there is no upstream \"mat\", did you mean \"mta\"?" },
	{ "listen milter unix:/run/m;\nlisten milter local:/run/m;", "2:15: there is a listener on local:/run/m already" },
	{ "upstream b { deliver maildir /b; }\nlisten smtp *:25 { upstream b; }\nlisten milter inet:25@*;", "3:15: there is a listener on inet:25@* already" },
	{ "milter m { }", "1:8: milter \"m\" has no server line (server unix:/PATH or server inet:HOST:PORT)" },
	{ "milter m { server unix:/a; unix /b; }", "1:28: the milter has a server already: unix:/a" },
	{ "milter m { server /run/a; }", "1:19: \"/run/a\" is not unix:/PATH or inet:HOST:PORT" },
	{ "milter m { inet x; }", "1:17: \"x\" is not unix:/PATH or inet:HOST:PORT" },
	{ "milter m { unix run; }", "1:17: \"run\" is not unix:/PATH or inet:HOST:PORT" },
	{ "milter M { unix /a; }", "1:8: \"M\" cannot name a milter: its name is of lower-case letters, digits, \"-\" and \"_\" and begins with a letter" },
	{ "milter a.b { unix /a; }", "1:8: \"a.b\" cannot name a milter: its name is of lower-case letters, digits, \"-\" and \"_\" and begins with a letter" },
	{ "milter m { unix /a; }\nmilter m { unix /b; }", "2:8: there is a milter \"m\" already" },
	{ "milter m { unix /a; protocol 7; }", "1:30: \"protocol\" must be at most 6" },
	{ "milter m { unix /a; protocol 1; }", "1:30: \"protocol\" must be at least 2" },
	{ "milter m { unix /a; content_timeout 1h; }", "1:37: \"content_timeout\" must be at most 9m" },
	{ "milter m { unix /a; obey edit; }", "1:26: unknown word after \"obey\" \"edit\", did you mean \"edits\"?" },
	{ "milter m { unix /a; on unavailable reject; }", "1:36: unknown word after \"on unavailable\" \"reject\": unknown, tempfail or accept may stand here" },
	{ "milter m { unix /a; on failure accept; }", "1:24: \"unavailable\" must stand here, not \"failure\"" },
	{ "milter m { unix /a; macros conect j; }", "1:28: unknown stage of macros \"conect\", did you mean \"connect\"?" },
	{ "milter m { unix /a; macros connect client_adr; }", "1:36: there is no macro \"client_adr\" that could be told, did you mean \"client_addr\"?" },
	{ "milter m { unix /a; macros data i; macros data j; }", "1:43: macros of data are written twice" },
	{ "milter m { unix /a; when x", "1:27: \";\" is missing" },
	{ "milter m { unix /a; macros mail {i}; }", "1:33: names of macros are written without braces" },
	{ "milter m { unix /a; timeout 3s; }", "1:21: unknown setting \"timeout\" in a milter block: server, unix, inet, when, connect_timeout, command_timeout, content_timeout, on, obey, protocol, reuse or macros may stand here" },
	{ "listen milter unix:/run/m { timeout 3s; }", "1:29: unknown setting \"timeout\" in a listen block: upstream, mode or group may stand here" },
	{ "listen unix:/run/m { }", "1:8: unknown protocol \"unix:/run/m\": smtp, lmtp or milter may stand here" },
	{ "listen milter unix:/run/m", "1:26: missing \";\" after \"unix:/run/m\"" },
	{ "listen smtp 25 { }", "1:13: \"25\" has no port" },
	{ "listen smtp *:25 { }", "1:13: listener *:25 has no upstream or route line" },
	{ "listen smtp *:25 { upstream mta; }", "1:29: there is no upstream \"mta\"" },
	{ "upstream mta { deliver maildir /b; }\nlisten smtp *:25 { upstream mat; }", "2:29: there is no upstream \"mat\", did you mean \"mta\"?" },
	{ "upstream b { deliver maildir /b; }\nlisten smtp *:25 { upstream b; }\nlisten smtp 0.0.0.0:25 { upstream b; }", "3:13: there is a listener on 0.0.0.0:25 already" },
	{ "listen smtp *:25 { upstream x; identity 127.0.0.1 xclient; }", "1:41: \"from\" must stand here, not \"127.0.0.1\"" },
	{ "listen smtp *:25 { upstream x; identity from xclient; }", "1:46: identity from whom? An address or network must stand here" },
	{ "listen smtp *:25 { upstream x; identity from proxy; }", "1:46: identity from whom? An address or network must stand here" },
	{ "listen smtp *:25 { upstream x; identity from ::1 prxy; }", "1:50: unknown identity \"prxy\", did you mean \"proxy\"?" },
	{ "listen smtp *:25 { upstream x; identity from ::1 proxy ::2 proxy; }", "1:56: \"from\" must stand here, not \"::2\"" },
	{ "listen smtp *:25 { upstream x; identity from ::1 proxy from ::2 proxy; }", "1:65: proxy stands here already" },
	{ "listen smtp *:25 { upstream x; identity from ::1 xclient from ::2 xforward; }", "1:67: xclient or xforward stands here already" },
	{ "listen smtp *:25 { upstream x; auth yes; }", "1:37: unknown auth \"yes\", did you mean \"tls\"?" },
	{ "listen smtp *:25 { upstream x; identity from ::1 xforwrd; }", "1:50: unknown identity \"xforwrd\", did you mean \"xforward\"?" },
	{ "upstream f { server 127.0.0.1:1; identity xforward; }\nlisten smtp *:25 { upstream f; }", "2:29: upstream \"f\" has identity xforward, so listener *:25 needs an \"identity from\" line" },
	{ "route r { }", "1:7: route \"r\" leads nowhere" },
	{ "route r { default mta; default mta; }", "1:24: \"default\" stands there already" },
	{ "route r { a.example x; A.Example x; }", "1:24: \"A.Example\" stands there already" },
	{ "route r { @a.example x; }", "1:11: \"@a.example\" is no address, domain or .domain" },
	{ "route r { \"a b\" x; }", "1:11: \"a b\" is no address, domain or .domain" },
	{ "route r { . x; }", "1:11: \".\" is no address, domain or .domain" },
	{ "route r { a..example x; }", "1:11: \"a..example\" is no address, domain or .domain" },
	{ "route r { ..example x; }", "1:11: \"..example\" is no address, domain or .domain" },
	{ "route r { a@b..example x; }", "1:11: \"a@b..example\" is no address, domain or .domain" },
	{ "route r { a.example mat; }\nupstream mta { deliver maildir /b; }", "1:21: there is no upstream \"mat\", did you mean \"mta\"?" },
	{ "route r { default mat; }\nupstream mta { deliver maildir /b; }", "1:19: there is no upstream \"mat\", did you mean \"mta\"?" },
	{ "route r { default b; }\nroute r { default b; }\nupstream b { deliver maildir /b; }", "2:7: there is a route \"r\" already" },
	{ "upstream b { deliver maildir /b; }\nroute main { default b; }\nlisten smtp *:25 { route mian; }", "3:26: there is no route \"mian\", did you mean \"main\"?" },
	{ "listen smtp *:25 { route r; upstream b; }", "1:13: listener *:25 has both an upstream and a route line" },
	{ "upstream f { server 127.0.0.1:1; identity xforward; }\nroute r { a.example f; }\nlisten smtp *:25 { route r; }", "3:26: upstream \"f\" has identity xforward, so listener *:25 needs an \"identity from\" line" },
	{ "include nowhere.conf;", "1:9: cannot read nowhere.conf: No such file or directory" },
	{ "include \"\";", "1:9: include what?" },
	{ "include t.conf;", "1:1: files include one another more than 16 deep" },
	{ "hostname \"a;\nworkers 1;", "1:10: this string is not closed" },
	{ "workers ?;", "1:9: unexpected character \"?\"" },
	{ "workers 1;;", "1:11: a setting begins with a word" },
};

/* Word for word; "..." stands for the rest of a list that grows. */
static bool
is_as_said(const char *text, const char *wanted)
{
	size_t n = strlen(wanted);

	if (n > 3 && strcmp(wanted + n - 3, "...") == 0)
		return strncmp(text, wanted, n - 3) == 0;
	return strcmp(text, wanted) == 0;
}

static void
each_slip_has_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(bad); i++) {
		struct reading r = read_text(bad[i].text);
		char *nl = strchr(r.error.text, '\n');

		assert_int_equal(r.status, -1);
		if (nl != NULL)
			*nl = '\0';
		if (strncmp(r.error.text, "t.conf:", 7) != 0 ||
		    !is_as_said(r.error.text + 7, bad[i].error))
			fail_msg("%s\n  got  %s\n  want t.conf:%s",
			    bad[i].text, r.error.text, bad[i].error);
		arena_free(r.arena);
	}
}

/* A key and its certificate, for nobody: what needs TLS must have some. */
static const char pair_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBbjCCARWgAwIBAgIUOqUamVOEMmNXxLFn0PGr2kISjCcwCgYIKoZIzj0EAwIw\n"
    "DDEKMAgGA1UEAwwBeDAgFw0yNjExMjMxNzA2MzlaGA8yMTI2MTAzMDE3MDYzOVow\n"
    "DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEGwA2duSXiS\n"
    "mpgyE5o5rGY7syeNyKgF+fEtSA4owSGveaOkrwi50/SVUbV0G9PXSdFcGkpS07iF\n"
    "fSIHSrOXkKujUzBRMB0GA1UdDgQWBBRqxCBaLZkuEyo/DEc87mo6BqWK3DAfBgNV\n"
    "HSMEGDAWgBRqxCBaLZkuEyo/DEc87mo6BqWK3DAPBgNVHRMBAf8EBTADAQH/MAoG\n"
    "CCqGSM49BAMCA0cAMEQCICwBIMemMhI0wUUwfRioou9j28GN5NvhB8mCKfaYoPa1\n"
    "AiBTFfeydKe2guSsY+3giqqB6v9saV8JafGaTrZE6ohv3Q==\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUck+1b7ksHCN6Kvy\n"
    "zL7H6DYfCCEiCr4B0S4CTKuXNxihRANCAARBsANnbkl4kpqYMhOaOaxmO7Mnjcio\n"
    "BfnxLUgOKMEhr3mjpK8IudP0lVG1dBvT10nRXBpKUtO4hX0iB0qzl5Cr\n"
    "-----END PRIVATE KEY-----\n";

static const struct {
	const char *before, *to, *error;
} logins[] = {
	{ "upstream x { deliver maildir /b; }\n", "upstream x",
	    "2:29: listener *:25 has \"auth require\", and upstream \"x\" is no "
	    "next hop that takes a login: nobody could log in" },
	{ "upstream x { mx; }\n", "upstream x",
	    "2:29: listener *:25 has \"auth require\", and upstream \"x\" is no "
	    "next hop that takes a login: nobody could log in" },
	{ "upstream a { server 127.0.0.1:1; identity none; } "
	  "upstream c { server 127.0.0.1:2; identity none; } "
	  "route x { a.example a; default c; }\n", "route x",
	    "2:26: listener *:25 has \"auth require\", and route \"x\" is no "
	    "next hop that takes a login: nobody could log in" },
	{ "upstream a { server 127.0.0.1:1; identity none; } "
	  "route x { a.example a; default a; }\n", "route x", NULL },
	{ "upstream x { server 127.0.0.1:1; identity none; }\n", "upstream x",
	    NULL },
};

static void
who_must_log_in_can(void **state)
{
	(void)state;
	put("pair.pem", pair_pem);
	for (size_t i = 0; i < PN_COUNT(logins); i++) {
		char text[1024], here[512];
		struct reading r;

		must(getcwd(here, sizeof(here)) != NULL);
		(void)snprintf(text, sizeof(text),
		    "%slisten smtp *:25 { %s; auth require; "
		    "tls may cert %s/pair.pem; }", logins[i].before,
		    logins[i].to, here);
		r = read_text(text);
		if (logins[i].error == NULL) {
			if (r.status != 0)
				fail_msg("%s\n  got %s", text, r.error.text);
		} else if (r.status != -1 ||
		    strncmp(r.error.text, "t.conf:", 7) != 0 ||
		    strncmp(r.error.text + 7, logins[i].error,
			strlen(logins[i].error)) != 0) {
			fail_msg("%s\n  got  %s", text, r.error.text);
		}
		arena_free(r.arena);
	}
}

#define HOP "identity none; }\n"

/* error: its beginning, or NULL: this is none. */
static const struct {
	const char *text, *error;
} loops[] = {
	{ "listen smtp 127.0.0.1:25 { upstream a; }\n"
	  "upstream a { server 127.0.0.1:25; " HOP,
	    "2:21: mail loops back to ourselves: server \"127.0.0.1:25\" is "
	    "our own listener 127.0.0.1:25, which leads to upstream \"a\"" },
	{ "upstream a { server 127.0.0.9:25; " HOP
	  "listen smtp *:25 { upstream a; }", "1:21: mail loops" },
	{ "upstream a { server 0.0.0.0:25; " HOP
	  "listen smtp *:25 { upstream a; }", "1:21: mail loops" },
	{ "upstream a { server [::1]:25; " HOP
	  "listen smtp [::]:25 { upstream a; }", "1:21: mail loops" },
	{ "upstream a { server [::ffff:127.0.0.1]:25; " HOP
	  "listen smtp *:25 { upstream a; }", "1:21: mail loops" },
	{ "upstream a { server 192.0.2.1:25; server 127.0.0.1:25 priority 9; " HOP
	  "listen smtp *:25 { upstream a; }", "1:42: mail loops" },
	{ "upstream a { deliver lmtp 127.0.0.1:24; }\n"
	  "listen lmtp 127.0.0.1:24 { upstream a; }", "1:27: mail loops" },
	{ "upstream a { server 127.0.0.1:25; " HOP
	  "upstream b { deliver maildir /b; }\n"
	  "route r { example.com b; default a; }\n"
	  "listen smtp *:25 { route r; }", "1:21: mail loops" },
	{ "upstream a { server 127.0.0.1:25; " HOP
	  "upstream b { deliver maildir /b; }\n"
	  "route r { map m; default b; }\n"
	  "listen smtp *:25 { route r; }", "1:21: mail loops" },
	{ "upstream a { server 127.0.0.1:26; " HOP
	  "upstream b { server 127.0.0.1:27; " HOP
	  "upstream c { server 127.0.0.1:25; " HOP
	  "listen smtp *:25 { upstream a; }\n"
	  "listen smtp *:26 { upstream b; }\n"
	  "listen smtp *:27 { upstream c; }", "1:21: mail loops" },
	/* Not so. */
	{ "upstream a { server 127.0.0.2:25; " HOP
	  "listen smtp 127.0.0.1:25 { upstream a; }", NULL },
	{ "upstream a { server 127.0.0.1:26; " HOP
	  "listen smtp *:25 { upstream a; }", NULL },
	{ "upstream a { server 192.0.2.1:25; " HOP
	  "listen smtp *:25 { upstream a; }", NULL },
	{ "upstream a { server 127.0.0.1:25; " HOP
	  "listen smtp [::]:25 { upstream a; }", NULL },
	{ "upstream a { server localhost:25; " HOP
	  "listen smtp *:25 { upstream a; }", NULL },
	{ "upstream a { server unix:/run/x; " HOP
	  "listen smtp *:25 { upstream a; }", NULL },
	{ "upstream a { server 127.0.0.1:25; " HOP
	  "upstream b { server 127.0.0.1:2525; " HOP
	  "listen smtp *:25 { upstream b; }\n"
	  "listen smtp *:26 { upstream a; }", NULL }, /* twice, and ends */
	{ "upstream a { server 127.0.0.1:25; " HOP
	  "upstream b { server 127.0.0.1:26; " HOP
	  "upstream c { server 127.0.0.1:2525; " HOP
	  "route r { example.com c; default c; }\n"
	  "listen smtp *:25 { route r; }\n"
	  "listen smtp *:26 { upstream a; }\n"
	  "listen smtp *:27 { upstream b; }", NULL },
};

static void
mail_does_not_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(loops); i++) {
		const char *want = loops[i].error;
		struct reading r = read_text(loops[i].text);
		bool ok = want == NULL
		    ? r.status == 0
		    : r.status == -1 &&
			strncmp(r.error.text, "t.conf:", 7) == 0 &&
			strncmp(r.error.text + 7, want, strlen(want)) == 0;

		if (!ok)
			fail_msg("%s\n  got %d %s", loops[i].text, r.status,
			    r.error.text);
		arena_free(r.arena);
	}
}

static void
includes_are_relative_to_their_file(void **state)
{
	struct reading r;

	(void)state;
	assert_true(mkdir("sub", 0700) == 0 || errno == EEXIST);
	put("sub/a.conf", "include b.conf;\nworkers 2;\n");
	put("sub/b.conf", "policy p { }\n\n listn x;\n");
	r = read_text("include sub/a.conf;\n");
	assert_int_equal(r.status, -1);
	assert_string_equal(r.error.text,
	    "sub/b.conf:3:2: unknown setting \"listn\", did you mean \"listen\"?\n"
	    " listn x;\n ^");
	assert_int_equal(r.items, 1);
	arena_free(r.arena);
	put("sub/b.conf", mta);
	r = read_text("include sub/a.conf;\nworkers 4;\n");
	assert_int_equal(r.status, -1);
	assert_memory_equal(r.error.text,
	    "t.conf:2:1: \"workers\" is written twice, first at sub/a.conf:2", 60);
	arena_free(r.arena);
	r = read_text("include sub/a.conf;\n");
	assert_int_equal(r.status, 0);
	assert_int_equal(r.conf.smtp.n_upstreams, 1);
	arena_free(r.arena);
}

static void
a_missing_file_is_named(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	int n = 0;
	struct config_items items = { .words = item_words,
		.is_item = is_policy, .parse = take_item, .arg = &n };
	struct config c;
	struct error e;

	(void)state;
	assert_int_equal(config_read(&c, arena, "/nowhere/x", &items, &e), -1);
	assert_string_equal(e.text, "/nowhere/x: No such file or directory");
	arena_free(arena);
}

/* Its own folder, so that files have short names in the errors. */
static int
enter_folder(void **state)
{
	static char folder[] = "/tmp/test_config.XXXXXX";
	static char path[4096], page[4200];
	const char *srcdir = getenv("srcdir");

	(void)snprintf(page, sizeof(page), "%s/contrib/man/postern.conf.5",
	    srcdir ? srcdir : ".");
	if (realpath(page, path) != NULL)
		manual = path;
	*state = mkdtemp(folder);
	return *state == NULL ? -1 : chdir(folder);
}

static int
leave_folder(void **state)
{
	(void)unlink("sub/a.conf");
	(void)unlink("sub/b.conf");
	(void)rmdir("sub");
	(void)unlink("t.conf");
	(void)unlink("pair.pem");
	return chdir("/") < 0 ? -1 : rmdir(*state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_manuals),
		cmocka_unit_test(everything_can_be_said),
		cmocka_unit_test(printed_it_reads_to_the_same),
		cmocka_unit_test(the_manual_names_each_setting),
		cmocka_unit_test(an_error_points_at_the_word),
		cmocka_unit_test(each_slip_has_its_words),
		cmocka_unit_test(who_must_log_in_can),
		cmocka_unit_test(mail_does_not_come_back),
		cmocka_unit_test(includes_are_relative_to_their_file),
		cmocka_unit_test(a_missing_file_is_named),
	};

	return cmocka_run_group_tests_name("config", tests, enter_folder,
	    leave_folder);
}
