/*
 * rules: what the compiler refuses, where it points, what it says. A `^` line
 * under the wrong column is a wrong answer, so each case has line and column.
 */
#include "cm.h"

#include <stdio.h>

#include "rules_facts.h"

/* In a rule's `when` at line 1; the caret counts from the test's own start. */
struct when_case {
	const char *when;
	unsigned column; /* within `when` */
	const char *message;
};

static const struct when_case in_when[] = {
	/* names */
	{ "magik is zip", 1, "unknown fact \"magik\"" },
	{ "any part ( magik is zip )", 12,
	    "unknown fact \"magik\", did you mean \"magic\"?" },
	{ "subjct = \"x\"", 1,
	    "unknown fact \"subjct\", did you mean \"subject\"?" },
	{ "client.ipp = 1.2.3.4", 1,
	    "unknown fact \"client.ipp\", did you mean \"client.ip\"?" },
	{ "subject = \"x\" and\n  sendr = \"a@b\"", 0,
	    "unknown fact \"sendr\", did you mean \"sender\"?" },
	{ "dmarc is pass", 1,
	    "fact \"dmarc\" needs module dmarc, which is not loaded" },
	{ "url.host = \"x\"", 1,
	    "fact \"url.host\" needs module url, which is not loaded" },
	{ "dnsbl(\"zen.example\")", 1,
	    "fact \"dnsbl\" needs module dnsbl, which is not loaded" },
	{ "scoer > 5", 1, "unknown fact \"scoer\", did you mean \"score\"?" },
	{ "score is high", 7,
	    "\"is\" does not go with \"score\", which is a number: test it "
	    "with "
	    "= != < > <= or >=" },
	{ "subject ~ /(?<sender>x)/", 11,
	    "a group cannot be named \"sender\": a fact is" },
	{ "not known-sender", 5,
	    "fact \"known-sender\" needs module known-sender, which is not "
	    "loaded" },
	{ "any url ( host = \"x\" )", 5,
	    "fact \"url\" needs module url, which is not loaded" },
	{ "any prat is encrypted", 5,
	    "nothing called \"prat\" has facts of its own, did you mean "
	    "\"part\"?" },
	{ "part.ext = \"exe\"", 1,
	    "\"part.ext\" is a fact of each part: ask with any, all or no part "
	    "( ... )" },
	{ "encrypted", 1,
	    "\"encrypted\" is a fact of each part: ask with any, all or no "
	    "part ( ... )" },
	{ "subject.domain = \"x\"", 1, "unknown fact \"subject.domain\"" },
	{ "\"subject\" = \"x\"", 1, "a test must stand here, not \"subject\"" },
	{ "from claims ceo", 13, "unknown people \"ceo\"" },
	/* quantifiers */
	{ "any part is encryted", 13,
	    "no part can be \"encryted\", did you mean \"encrypted\"?" },
	{ "any part ( any part ( encrypted ) )", 12,
	    "any, all and no cannot stand within one another" },
	{ "any part at bottom ( encrypted )", 13,
	    "\"top\" or \"any depth\" must stand here, not \"bottom\"" },
	{ "any part at any ( encrypted )", 17,
	    "\"depth\" must stand here, not \"(\"" },
	{ "any part encrypted", 10,
	    "\"(\", \"is\" or \"at\" must stand here, not \"encrypted\"" },
	{ "any part ( encrypted ;", 22, "\")\" must stand here, not \";\"" },
	{ "any ( encrypted )", 5,
	    "what to look at (\"part\") must stand here, not \"(\"" },
	/* operators and types */
	{ "subject > 5", 9,
	    "\">\" does not go with \"subject\", which is a string: test it "
	    "with = != ~ !~ contains or in" },
	{ "size ~ /5/", 6,
	    "\"~\" does not go with \"size\", which is a number: test it with "
	    "= "
	    "!= < > <= or >=" },
	{ "size in \"5\"", 6,
	    "\"in\" does not go with \"size\", which is a number: test it with "
	    "= != < > <= or >=" },
	{ "subject", 1,
	    "\"subject\" is a string: test it with = != ~ !~ contains or in" },
	{ "mime.broken = \"yes\"", 13,
	    "\"=\" does not go with \"mime.broken\", which is true or false: "
	    "write it alone, or behind \"not\"" },
	{ "client.fcrdns = \"ok\"", 15,
	    "\"=\" does not go with \"client.fcrdns\", which is one of some "
	    "words: test it with \"is\", \"is not\" or \"in\"" },
	{ "subject is spam", 9,
	    "\"is\" does not go with \"subject\", which is a string: test it "
	    "with = != ~ !~ contains or in" },
	{ "client.ip > 1.2.3.4", 11,
	    "\">\" does not go with \"client.ip\", which is an ip address: "
	    "test "
	    "it with = != or in" },
	{ "client.fcrdns is okay", 18,
	    "\"okay\" is no word of client.fcrdns, did you mean \"ok\"?" },
	{ "any part ( magic is zip or encrypted )", 28,
	    "\"encrypted\" is no word of part.magic; a test of the fact "
	    "\"encrypted\" goes first or in parentheses" },
	{ "subject iz \"x\"", 9,
	    "an operator (= != < > <= >= ~ !~ contains in claims is) must "
	    "stand here, "
	    "not \"iz\", did you mean \"is\"?" },
	{ "subject \"x\"", 9,
	    "an operator (= != < > <= >= ~ !~ contains in claims is) must "
	    "stand here, "
	    "not \"x\"" },
	{ "subject =", 10, "a value must stand here, not \";\"" },
	{ "subject contains \"\"", 18, "every text contains \"\"" },
	{ "size > big", 8,
	    "\"big\" is no number (digits, then K, M or G if wanted)" },
	{ "size > 99999999999", 8,
	    "\"99999999999\" is no number (digits, then K, M or G if wanted)" },
	{ "sender = \"bob\"", 10, "\"bob\" is no address" },
	{ "client.ip = 10.0.0.0/8", 13,
	    "\"10.0.0.0/8\" is a network; use \"in\"" },
	{ "client.ip in 10.0.0.1/8", 14,
	    "\"10.0.0.1/8\" has bits set behind its length" },
	{ "client.ip in 10.0.0.0/33", 14,
	    "\"10.0.0.0/33\" has no network's length behind the /" },
	{ "client.ip in 10.0.0", 14, "\"10.0.0\" is no ip address or network" },
	{ "subject in wrods", 12,
	    "unknown set or map \"wrods\", did you mean \"words\"?" },
	{ "subject in exts", 12,
	    "set \"exts\" holds file name extensions, and \"subject\" is "
	    "none" },
	{ "sender in words", 11,
	    "set \"words\" holds \"alpha\", which is neither an address nor "
	    "@domain" },
	{ "client.fcrdns in words", 18,
	    "set \"words\" holds \"alpha\", which is no word of that fact" },
	{ "client.ip in words", 14,
	    "set \"words\" holds \"alpha\", which is no ip address or "
	    "network" },
	{ "subject in", 11,
	    "the name of a set or map, or values must stand here, not \";\"" },
	{ "header = \"x\"", 1, "\"header\" needs a name: header(\"...\")" },
	{ "subject(\"x\") = \"y\"", 9, "\"subject\" takes no name" },
	{ "header(\"\") = \"y\"", 8, "the name is empty" },
	{ "header(X) = \"y\"", 8,
	    "a name in quotes must stand here, not \"X\"" },
	/* regexes */
	{ "subject ~ \"x\"", 11, "a /regex/ must stand here" },
	{ "subject ~ /a(b/", 15, "missing closing parenthesis" },
	{ "subject ~ /a/q", 14, "unknown flag \"q\" of a regex (i m s x u)" },
	{ "subject ~ /a/ii", 15, "flag \"i\" stands twice" },
	{ "subject ~ /abc", 11, "this regex is not closed" },
	{ "subject ~ /(*UTF)a/", 18,
	    "using UTF is disabled by the application" },
	{ "subject ~ /a\\Cb/", 15, "using \\C is disabled by the application" },
	/* shape */
	{ "", 1, "a test must stand here, not \";\"" },
	{ "( subject = \"x\"", 16, "\")\" must stand here, not \";\"" },
	{ "subject = \"x\" or", 17, "a test must stand here, not \";\"" },
	{ "subject = \"x\" size > 5", 15,
	    "\";\" must stand here, not \"size\"" },
	{ "subject ? 5", 9, "unexpected character \"?\"" },
	{ "when", 1, "a test must stand here, not \"when\"" },
};

/* Whole texts. */
static const struct {
	const char *text;
	unsigned line, column;
	const char *message;
} whole[] = {
	{ "set x = ;", 1, 9, "a member of the set must stand here, not \";\"" },
	{ "set x ext(a);", 1, 7, "\"=\" must stand here, not \"ext\"" },
	{ "set x = ext(a b;", 1, 16, "\")\" must stand here, not \";\"" },
	{ "set x = ext(tar.gz);", 1, 13,
	    "\"tar.gz\" is no file name extension: what stands behind the last "
	    "dot" },
	{ "set x = \"\";", 1, 9, "a member cannot be empty" },
	{ "set and = a;", 1, 5,
	    "\"and\" is a keyword and cannot be the name of a set" },
	{ "set 9a = a;", 1, 5,
	    "\"9a\" cannot be the name of a set: a letter, then letters, "
	    "digits, - and _, 63 at most" },
	{ "set x = a;\nset x = b;", 2, 5,
	    "\"x\" stands already at policy.conf:1" },
	{ "set x = a;\nmap x = text:/dev/null;", 2, 5,
	    "\"x\" stands already at policy.conf:1" },
	{ "map x = hash:/a;", 1, 9,
	    "a map is text:FILE, cidr:FILE, pcre:FILE or cdb:FILE, not "
	    "\"hash:/a\"" },
	{ "map x = text:/nonexistent/map;", 1, 9, NULL },
	{ "rule x { }", 1, 1,
	    "set, map, people or policy must stand here, not \"rule\"" },
	{ "polcy x { }", 1, 1,
	    "set, map, people or policy must stand here, not \"polcy\", did "
	    "you mean "
	    "\"policy\"?" },
	{ "people ceo { }", 1, 8, "people \"ceo\" need a name" },
	{ "engine clamd { unix /run/clamd; }", 1, 8,
	    "engine \"clamd\" needs module clamd, which is not loaded" },
	/* policies */
	{ "policy a { }\npolicy b { }", 2, 8,
	    "policies \"a\" and \"b\" both have no \"for\": call one that is "
	    "for "
	    "everybody else \"default\"" },
	{ "policy a { }\npolicy a { }", 2, 8,
	    "policy \"a\" stands already at policy.conf:1" },
	{ "policy for { }", 1, 8,
	    "\"for\" is a keyword and cannot be the name of a policy" },
	{ "policy a extends b { }", 1, 18,
	    "no policy \"b\" stands before this one" },
	{ "policy a extends a { }", 1, 18,
	    "no policy \"a\" stands before this one" },
	{ "policy defautl { }\npolicy b extends default { }", 2, 18,
	    "no policy \"default\" stands before this one, did you mean "
	    "\"defautl\"?" },
	{ "policy a extend b { }", 1, 10,
	    "extends, for or \"{\" must stand here, not \"extend\", did you "
	    "mean \"extends\"?" },
	{ "policy a for rctp @x { }", 1, 14,
	    "rcpt, sender, client, listener, login or direction must stand "
	    "here, not \"rctp\", did you mean \"rcpt\"?" },
	{ "policy a for size 5 { }", 1, 14,
	    "rcpt, sender, client, listener, login or direction must stand "
	    "here, not \"size\"" },
	{ "policy a for rcpt { }", 1, 19,
	    "whom it is for must stand here, not \"{\"" },
	{ "policy a for rcpt @x.example or sender b@y { }", 1, 30,
	    "\"and\" or \"{\" must stand here, not \"or\"" },
	{ "policy a for rcpt nobody { }", 1, 19,
	    "unknown set or map \"nobody\"" },
	{ "policy a for client 10.0.0.1/8 { }", 1, 21,
	    "\"10.0.0.1/8\" has bits set behind its length" },
	{ "policy a for direction inbuond { }", 1, 24,
	    "\"inbuond\" is no word of direction, did you mean \"inbound\"?" },
	{ "policy a {\n\tthreshold spam 5;\n}", 2, 12,
	    "tag, quarantine or reject must stand here, not \"spam\"" },
	{ "policy a { threshold tag 5; threshold tag 6; }", 1, 39,
	    "the \"threshold tag\" stands already at policy.conf:1" },
	{ "policy a { threshold tag high; }", 1, 26,
	    "\"high\" cannot be a score: a whole number of six digits at "
	    "most" },
	{ "policy a { threshold tag 1000000; }", 1, 26,
	    "\"1000000\" cannot be a score: a whole number of six digits at "
	    "most" },
	{ "policy a { threshold tag 5 \"x\"; }", 1, 28,
	    "\";\" must stand here, not \"x\"" },
	{ "policy a { threshold reject 5 class x; }", 1, 31,
	    "\";\" must stand here, not \"class\"" },
	{ "policy a { threshold reject 5 \"now $score\"; threshold tag off; }",
	    1, 55,
	    "policy \"a\" has no \"threshold tag\" from another policy to take "
	    "out" },
	{ "policy a { group g cap 5; group g cap 6; }", 1, 33,
	    "group \"g\" stands already at policy.conf:1" },
	{ "policy a { group g max 5; }", 1, 20,
	    "\"cap\" must stand here, not \"max\"" },
	{ "policy a { group g cap -5; }", 1, 24,
	    "\"-5\" cannot be a cap: a whole number of six digits at most" },
	{ "policy a { ruel x { } }", 1, 12,
	    "a rule, threshold, group or \"}\" must stand here, not \"ruel\", "
	    "did you mean \"rule\"?" },
	{ "policy a { rule x off; }", 1, 17,
	    "policy \"a\" has no \"x\" from another policy to take out" },
	{ "policy a { rule first { then tag; } }\n"
	  "policy b extends a { rule frist off; }",
	    2, 27,
	    "policy \"b\" has no \"frist\" from another policy to take out, "
	    "did "
	    "you mean \"first\"?" },
	{ "policy a { rule x { then tag; } }\n"
	  "policy b extends a { rule x off; rule x { then tag; } }",
	    2, 39, "rule \"x\" stands already at policy.conf:2" },
	{ "policy a { rule x on; }", 1, 19,
	    "\"{\" or \"off\" must stand here, not \"on\"" },
	{ "policy a for rcpt @x { rule x { early; then tag; } }", 1, 29,
	    "rule \"x\" cannot be early: whom policy \"a\" is for is known at "
	    "rcpt" },
	{ "policy a { rule x { mode shade; } }", 1, 26,
	    "\"shadow\" or \"live\" must stand here, not \"shade\", did you "
	    "mean \"shadow\"?" },
	{ "policy a { rule x { mode live; mode live; } }", 1, 32,
	    "a rule has one \"mode\"" },
	{ "policy a { rule x { always; always; } }", 1, 29,
	    "a rule has one \"always\"" },
	{ "policy a { rule x { when any part is zip;\n"
	  "then reject \"no $part.path\"; } }\n"
	  "policy b extends a { rule x { when size > 5; } }",
	    2, 17,
	    "\"$part.path\" needs a part that was found: the rule's \"when\" "
	    "has no \"any\" of it" },
	{ "policy a { rule x { when score > 5; then score +1; } }", 1, 42,
	    "rule \"x\" reads the score and so cannot add to it" },
	{ "policy a { rule x { then score +1 \"of $score\"; } }", 1, 26,
	    "rule \"x\" reads the score and so cannot add to it" },
	{ "policy a { rule x { when score > 5; then allow; } }", 1, 42,
	    "rule \"x\" reads the score and so cannot allow: that is judged "
	    "before rules that add to it" },
	{ "policy a { rule reject { then accept; } }", 1, 17,
	    "\"reject\" is a keyword and cannot be the name of a rule" },
	{ "policy a {\nrule x { then accept; }\nrule x { then tag; }\n}", 3, 6,
	    "rule \"x\" stands already at policy.conf:2" },
	{ "policy a { rule x { when size > 1; } }", 1, 17,
	    "rule \"x\" has no \"then\"" },
	{ "policy a { rule x { wen size > 1; } }", 1, 21,
	    "when, unless, on, then, mode, always, early, test or \"}\" must "
	    "stand here, not \"wen\", did you mean \"when\"?" },
	{ "policy a { rule x { when size > 1; when size > 2; } }", 1, 36,
	    "a rule has one \"when\"; join the tests by \"and\" or \"or\"" },
	{ "policy a { rule x { then tag; then tag; } }", 1, 31,
	    "a rule has one \"then\"; separate its actions by commas" },
	{ "policy a { rule x { then tag }", 1, 30,
	    "\";\" must stand here, not \"}\"" },
	{ "policy a { rule x { then tag;", 1, 30,
	    "when, unless, on, then, mode, always, early, test or \"}\" must "
	    "stand here, not the end of the file" },
};

/* After `then`. */
static const struct when_case in_then[] = {
	{ "rejct \"x\"", 1,
	    "an action must stand here, not \"rejct\", did you mean "
	    "\"reject\"?" },
	{ "banner \"x\"", 1, "\"banner\" is not available in this version" },
	{ "strip part", 1,
	    "\"strip part\" needs a part that was found: the rule's \"when\" "
	    "has no \"any\" of it" },
	{ "strip url", 7, "\"part\" must stand here, not \"url\"" },
	{ "strip part with \"x\"", 17, "\"note\" must stand here, not \"x\"" },
	{ "score", 6, "a score must stand here, not \";\"" },
	{ "score +3.5", 7,
	    "\"+3.5\" cannot be a score: a whole number of six digits at "
	    "most" },
	{ "score +3 \"x\" in nets", 17,
	    "unknown group \"nets\" (group NAME cap N; makes one)" },
	{ "score +3, score +4", 11, "a rule has one \"score\"" },
	{ "sender add a@b", 8, "\"set\" must stand here, not \"add\"" },
	{ "sender set bob", 12, "\"bob\" is no address" },
	{ "sender set <bob@example.com>", 13,
	    "an address stands without < and >; <> is nobody" },
	{ "sender set <>, sender set a@b", 16, "a rule has one \"sender\"" },
	{ "sender set <>, tempfail", 1,
	    "\"sender\" changes nothing beside \"tempfail\": the message is "
	    "not passed on" },
	{ "hold class spam", 6, "a reason in quotes, \",\" or \";\" must stand here, not \"class\"" },
	{ "hold, quarantine", 7,
	    "a rule has one verdict: \"quarantine\" cannot stand beside "
	    "\"hold\"" },
	{ "hold \"$nothing\"", 7, "unknown fact \"nothing\"" },
	{ "delay 5s, delay 6s", 11, "a rule has one \"delay\"" },
	{ "delay 61s", 7, "a delay is more than nothing and at most 60s" },
	{ "delay 0s", 7, "a delay is more than nothing and at most 60s" },
	{ "delay soon", 7, "\"soon\" is no time (like 5s)" },
	{ "redirect bob", 10, "\"bob\" is no address" },
	{ "redirect @b.example", 10, "\"@b.example\" is no address" },
	{ "copy", 5, "an address must stand here, not \";\"" },
	{ "rcpt bob@example.com", 6,
	    "\"add\" or \"remove\" must stand here, not "
	    "\"bob@example.com\"" },
	{ "redirect a@b, reject \"x\"", 15,
	    "a rule has one verdict: \"reject\" cannot stand beside "
	    "\"redirect\"" },
	{ "redirect a@b, rcpt remove c@d", 15,
	    "\"rcpt\" changes nothing beside \"redirect\", which replaces all "
	    "recipients" },
	{ "reject \"x\", quarantine copy", 13,
	    "\"quarantine\" changes nothing beside \"reject\": the message is "
	    "not passed on" },
	{ "discard, copy a@b", 10,
	    "\"copy\" changes nothing beside \"discard\": the message is not "
	    "passed on" },
	{ "header set X", 13,
	    "the header's value in quotes must stand here, not \";\"" },
	{ "header remove X \"y\"", 17, "\";\" must stand here, not \"y\"" },
	{ "note me", 6, "the note in quotes must stand here, not \"me\"" },
	{ "note \"$nr\"", 7, "unknown fact \"nr\"" },
	{ "reject", 7, "the text of the reply must stand here, not \";\"" },
	{ "reject 450 \"x\"", 8, "reject needs a 5xx code, 450 is none" },
	{ "tempfail 550 \"x\"", 10, "tempfail needs a 4xx code, 550 is none" },
	{ "tempfail 421 \"x\"", 10,
	    "421 closes the connection; use 450 or 451" },
	{ "reject 599 \"x\"", 8, "\"599\" is no reply code" },
	{ "reject 55 \"x\"", 8, "\"55\" is no reply code" },
	{ "reject 550 4.7.1 \"x\"", 12,
	    "status 4.7.1 does not agree with code 550" },
	{ "reject 550 5.7 \"x\"", 12,
	    "\"5.7\" is no enhanced status code (like 5.7.1)" },
	{ "reject 550 5.7.1000 \"x\"", 12,
	    "\"5.7.1000\" is no enhanced status code (like 5.7.1)" },
	{ "reject \"a\\nb\"", 9,
	    "control characters cannot stand in this text" },
	{ "reject \"gr\xc3\xbc\xc3\x9f\"", 9,
	    "a reply is ASCII alone (RFC 5321 4.2)" },
	{ "reject \"x $ y\"", 11,
	    "a fact's name must follow the $ ($$ is a dollar)" },
	{ "reject \"x $subjct\"", 11,
	    "unknown fact \"subjct\", did you mean \"subject\"?" },
	{ "reject \"x $header\"", 11,
	    "\"$header\" needs a name and cannot stand in a text" },
	{ "reject \"x $part.path\"", 11,
	    "\"$part.path\" needs a part that was found: the rule's \"when\" "
	    "has no \"any\" of it" },
	{ "reject \"x $dmarc\"", 11,
	    "fact \"dmarc\" needs module dmarc, which is not loaded" },
	{ "reject \"a\", quarantine", 13,
	    "a rule has one verdict: \"quarantine\" cannot stand beside "
	    "\"reject\"" },
	{ "header add X \"y\", reject \"a\"", 1,
	    "\"header\" changes nothing beside \"reject\": the message is not "
	    "passed on" },
	{ "header add X:Y \"y\"", 12, "\"X:Y\" cannot be a header's name" },
	{ "header \"X\" \"y\"", 8,
	    "add, set, remove or insert must stand here, not \"X\"" },
	{ "subject \"x\"", 9, "\"prefix\" must stand here, not \"x\"" },
	{ "quarantine class class", 18,
	    "\"class\" is a keyword and cannot be a class of the quarantine" },
	{ "tag,", 5, "an action must stand here, not \";\"" },
};

/* Other clauses of a rule that has `then tag;`. */
static const struct when_case in_rule[] = {
	{ "when no part is encrypted; on unknown reject \"$part.path\"", 47,
	    "\"$part.path\" needs a part that was found: where the rule is "
	    "unknown there is none" },
	{ "on unknown allow", 12,
	    "\"allow\" is no verdict: accept, tag, reject, tempfail, "
	    "quarantine, hold, discard or redirect may stand here" },
	{ "on unknown quarantine copy", 12,
	    "\"quarantine copy\" is no verdict: accept, tag, reject, tempfail, "
	    "quarantine, hold, discard or redirect may stand here" },
	{ "on unknown score +1", 12,
	    "\"score\" is no verdict: accept, tag, reject, tempfail, "
	    "quarantine, hold, discard or redirect may stand here" },
	{ "when subject ~ /(?<nr>x)/; on unknown reject \"$nr\"", 47,
	    "unknown fact \"nr\"" },
	{ "when not subject ~ /(?<nr>x)/; unless sender ~ /(?<nr>y)/; on "
	  "unknown reject \"$nr\"",
	    79, "unknown fact \"nr\"" },
	{ "test \"x\" file y with score 5 expect tag", 22,
	    "\"score\" is what rules add up and cannot be given" },
	{ "on error tempfail", 4,
	    "\"unknown\" must stand here, not \"error\"" },
	{ "unless size > 5; unless size > 6", 18,
	    "a rule has one \"unless\"; join the tests by \"and\" or \"or\"" },
	{ "test x file y expect tag", 6,
	    "the test's name in quotes must stand here, not \"x\"" },
	{ "test \"x\" file y expect taq", 24,
	    "a verdict, \"fires\" or \"silent\" must stand here, not \"taq\", "
	    "did you mean \"tag\"?" },
	{ "test \"x\" file y with subject \"z\" expect tag", 22,
	    "\"subject\" is read from the test's file and cannot be given" },
	{ "test \"x\" file y with sender bob expect tag", 29,
	    "\"bob\" is no address" },
	{ "test \"x\" file y with client.ip 1.2.3 expect tag", 32,
	    "\"1.2.3\" is no ip address or network" },
	{ "test \"x\" file y with client.fcrdns good expect tag", 36,
	    "\"good\" is no word of client.fcrdns" },
	{ "test \"x\" file y with size huge expect tag", 27,
	    "\"huge\" is no number" },
	{ "test \"x\" file y with mime.ambiguous 1 expect tag", 37,
	    "\"1\" is neither yes nor no" },
	{ "test \"x\" file y with sender.domain b expect tag", 22,
	    "\"sender.domain\" must be given whole" },
};

#define SETS "set words = alpha beta; set exts = ext(exe com);\n"

/* The first line of the error and where it points; the caret under it. */
static void
expect_error(
    const char *text, unsigned line, unsigned column, const char *message)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	char want[600], first[600] = "";
	struct error e;
	const char *caret;

	assert_null(compile_text(pn_str_of(text), "", arena, &e));
	if (message != NULL)
		(void)snprintf(want, sizeof(want), "policy.conf:%u:%u: %s",
		    line, column, message);
	else
		(void)snprintf(
		    want, sizeof(want), "policy.conf:%u:%u: ", line, column);
	(void)snprintf(first, sizeof(first), "%.*s",
	    (int)(message ? strcspn(e.text, "\n") : strlen(want)), e.text);
	if (strcmp(first, want) != 0)
		print_error("%s\n", text);
	assert_string_equal(first, want);
	/* The third line; what follows tells of an override. */
	caret = strchr(strchr(e.text, '\n') + 1, '\n');
	assert_non_null(caret);
	assert_int_equal(strcspn(caret + 1, "\n"), column);
	arena_free(arena);
}

static void
whole_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(whole); i++)
		expect_error(whole[i].text, whole[i].line, whole[i].column,
		    whole[i].message);
}

static void
within(
    const char *before, const char *after, const struct when_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char text[1024];
		/* Column 0: the case has a second line, two blanks in. */
		unsigned line = c[i].column ? 2 : 3;

		(void)snprintf(text, sizeof(text), SETS "%s%s%s", before,
		    c[i].when, after);
		expect_error(text, line,
		    c[i].column ? (unsigned)strlen(before) + c[i].column : 3,
		    c[i].message);
	}
}

static void
in_expressions(void **state)
{
	(void)state;
	within("policy p { rule r { when ", "; then tag; } }", in_when,
	    PN_COUNT(in_when));
}

static void
in_actions(void **state)
{
	(void)state;
	within("policy p { rule r { when no part is encrypted; then ", "; } }",
	    in_then, PN_COUNT(in_then));
}

static void
in_other_clauses(void **state)
{
	(void)state;
	within("policy p { rule r { then tag; ", "; } }", in_rule,
	    PN_COUNT(in_rule));
}

/* One level too many, of each kind of nesting; one less is taken. */
static void
nesting_is_bounded(void **state)
{
	static const struct {
		const char *open, *close;
	} kinds[] = { { "( ", " )" }, { "not ", "" } };
	struct error e;

	(void)state;
	for (size_t k = 0; k < PN_COUNT(kinds); k++)
		for (int levels = 100; levels <= 101; levels++) {
			struct arena *arena = arena_new(POLICY_ARENA);
			struct buf b = { 0 };

			buf_puts(&b, "policy p { rule r { when ");
			for (int i = 0; i < levels; i++)
				buf_puts(&b, kinds[k].open);
			buf_puts(&b, "size > 5");
			for (int i = 0; i < levels; i++)
				buf_puts(&b, kinds[k].close);
			buf_puts(&b, "; then tag; } }");
			if (levels == 100) {
				assert_non_null(
				    compile_text(buf_str(&b), "", arena, &e));
			} else {
				assert_null(
				    compile_text(buf_str(&b), "", arena, &e));
				assert_non_null(strstr(e.text,
				    "nested too deeply (100 levels at most)"));
			}
			buf_fini(&b);
			arena_free(arena);
		}
}

static void
the_line_and_a_caret_are_shown(void **state)
{
	static const char text[] = "policy default {\n"
				   "\trule a {\n"
				   "\t\twhen any part ( magik is zip );\n"
				   "\t\tthen tag;\n\t}\n}\n";
	struct arena *arena = arena_new(POLICY_ARENA);
	struct error e;

	(void)state;
	assert_null(compile_text(PN_STR_V(text), "", arena, &e));
	assert_string_equal(e.text,
	    "policy.conf:3:19: unknown fact \"magik\", did you mean "
	    "\"magic\"?\n"
	    "\t\twhen any part ( magik is zip );\n"
	    "\t\t                ^");
	arena_free(arena);
}

/* The text is right where it stands, wrong with the override's `when`. */
static void
an_override_is_named(void **state)
{
	static const char text[] = "policy a { rule x { when any part is zip;\n"
				   "then strip part; } }\n"
				   "policy b extends a {\n"
				   "rule x { when size > 5; } }";
	struct arena *arena = arena_new(POLICY_ARENA);
	struct error e;

	(void)state;
	assert_null(compile_text(PN_STR_V(text), "", arena, &e));
	assert_string_equal(e.text,
	    "policy.conf:2:6: \"strip part\" needs a part that was found: the "
	    "rule's \"when\" has no \"any\" of it\n"
	    "then strip part; } }\n"
	    "     ^\n"
	    "(in rule \"x\" as policy \"b\" overrides it at policy.conf:4)");
	arena_free(arena);
}

static void
a_full_arena_is_an_error(void **state)
{
	static const char text[] =
	    "set words = alpha beta;\n"
	    "policy p { rule r { when subject ~ /a+b/ or subject in words; "
	    "then tag; } }";
	struct error e;

	(void)state;
	for (size_t max = 0; max < 16384; max += 64) {
		struct arena *arena = arena_new(max);
		struct rules *r;

		e.text[0] = '\0';
		r = compile_text(PN_STR_V(text), "", arena, &e);
		assert_int_equal(r == NULL, e.text[0] != '\0');
		rules_free(r);
		arena_free(arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_texts),
		cmocka_unit_test(in_expressions),
		cmocka_unit_test(in_actions),
		cmocka_unit_test(in_other_clauses),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(an_override_is_named),
		cmocka_unit_test(the_line_and_a_caret_are_shown),
		cmocka_unit_test(a_full_arena_is_an_error),
	};

	return cmocka_run_group_tests_name("rules_errors", tests, NULL, NULL);
}
