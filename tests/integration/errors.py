"""errors - what posternd -t says of a mistake, and where it points.

A table: a configuration, the place (line:column, of a map its file's name
before it) and the beginning of the sentence. What is printed must be exactly
that place and sentence, then the line, then a caret under the column; status
78. Warnings are of -t -v, some of -t alone: status 0.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import tap
from postern import run

MTA = ("upstream mta { server 127.0.0.1:2525; identity none; }\n"
       "listen smtp 127.0.0.1:2526 { upstream mta; }\n")
BY_ROUTE = "listen smtp 127.0.0.1:2528 { route r; }"
FILES = {
    "text": "ada@example.com\n@example.org OK\n",
    "text-bad": "# partners\nada@example.com\n   bob at example.com\n",
    "cidr": "10.0.0.0/8 ok\n",
    "cidr-bad": "10.0.0.0/8 ok\n10.1.0.1/16 ok\n",
    "cidr-if": "if 10.0.0.0/8\n10.1.0.0/16 x\nendif\n",
    "cidr-goes-on": "   goes on\n",
    "pcre": "/spam/ x\n",
    "pcre-none": "# nothing yet\n",
    "pcre-bad": "/spam/ x\n/(ham/ x\n",
    "pcre-open": "/spam x\n",
    "pcre-group": "/(a)b/ $1 of $2\n",
    "pcre-flag": "/a/ik x\n",
    "pcre-loops": "/x/ y\n/x(\\w+\\s?)*y/ z\n",
    "no-cdb": "this is no cdb\n",
}


def rule(text):
    """Behind `when `, in a rule, at line 1 column 26."""
    return "policy p { rule r { when %s; then tag; } }" % text


def then(text):
    """Behind `then `, column 26."""
    return "policy p { rule r { then %s; } }" % text


# ---- settings ----
SETTINGS = [
    ("hostnme mx.example.com;", "1:1", 'unknown setting "hostnme", did you mean "hostname"?'),
    ("hostname mx.example.com", "1:24", 'missing ";" after "mx.example.com"'),
    ("hostname;", "1:9", '"hostname" needs a value'),
    ("workers many;", "1:9", '"many" is not a number'),
    ("workers 0;", "1:9", '"workers" must be at least 1'),
    ("workers 2;\nworkers 3;", "2:1", '"workers" is written twice'),
    ("message_size_limit 1T;", "1:20", '"1T" is not a size'),
    ("message_size_limit 1K;", "1:20", '"message_size_limit" must be at least 64K'),
    ("data_timeout 3;", "1:14", '"3" is not a time'),
    ("data_timeout 2h;", "1:14", '"data_timeout" must be at most 1h'),
    ("map_check 1ms;", "1:1", '"map_check" must be at least 100ms, or 0: never'),
    ("enforce maybe;", "1:9", '"enforce" is yes or no, not "maybe"'),
    ("mixed all;", "1:7", 'unknown way of mixing "all"'),
    ("bare_newline normalize;", "1:14",
     'unknown way with bare newlines "normalize", did you mean "normalise"?'),
    ("mynetworks 10.0.0.1/8;", "1:12", '"10.0.0.1/8" has address bits behind its prefix'),
    ("recipient_limit 99;", "1:17", '"recipient_limit" must be at least 100'),
    ("client_ipv4_prefix_length 33;", "1:27", '"client_ipv4_prefix_length" must be at most 32'),
    ("client_message_rate_limit many;", "1:27", '"many" is not a number'),
    ("limit_exceptions;", "1:17", '"limit_exceptions" needs a value'),
    ("limit_exceptions 192.0.2.1/24;", "1:18", '"192.0.2.1/24" has address bits behind its prefix'),
    ("error_sleep_time 2h;", "1:18", '"error_sleep_time" must be at most 1m'),
    ("session_time_limit 3;", "1:20", '"3" is not a time'),
    ("min_data_rate fast;", "1:15", '"fast" is not a size'),
    ("hopcount_limit -1;", "1:16", '"-1" is not a number'),
    ("greet_wait 2m;", "1:12", '"greet_wait" must be at most 1m'),
    ("pregreet nothing;", "1:10", 'unknown way with early talkers "nothing"'),
    ("memory_limit much;", "1:14", '"much" is not a size'),
    ("rate_time_unit 10ms;", "1:16", '"rate_time_unit" must be at least 1s'),
    ("spool var/spool;", "1:7", '"spool" must be an absolute path, not "var/spool"'),
    ("listen smtp 127.0.0.1:25 { upstream mat; }", "1:37", 'there is no upstream "mat", did you mean "mta"?'),
    ("listen smtp nowhere { upstream mta; }", "1:13", '"nowhere" has no port'),
    ("listen smtp 127.0.0.1:25 { upstream mta; identity from 10.0.0.5; }", "1:64",
     '"identity" needs a value'),
    ("listen smtp 127.0.0.1:25 { upstream mta; identity from 10.0.0.5 prxy; }", "1:65",
     'unknown identity "prxy", did you mean "proxy"?'),
    ("listen smtp 127.0.0.1:25 { upstream mta; tls may; }", "1:46",
     '"tls may" needs a certificate: cert FILE [key FILE]'),
    ("listen smtp 127.0.0.1:25 { upstream mta; tls may cert /nonexistent; }", "1:55",
     'cannot read "/nonexistent": No such file or directory'),
    ("listen smtp 127.0.0.1:25 { upstream mta; client_certificates ask; }", "1:13",
     "listener 127.0.0.1:25 asks for client certificates and has no TLS"),
    ("upstream m { server 127.0.0.1:25; identity none; dial conect; }", "1:55",
     'unknown dial "conect", did you mean "connect"?'),
    ("upstream m { server 127.0.0.1:25; identity none; tls encrytp; }", "1:54",
     'unknown level of TLS "encrytp", did you mean "encrypt"?'),
    ("listen smtp 127.0.0.1:25 { upstream mta; auth always; }", "1:47",
     'unknown auth "always": none, tls, clear or require may stand here'),
    ("listen smtp 127.0.0.1:25 { upstream mta; identity from proxy; }", "1:56",
     'identity from whom?'),
    ("upstream x { server 127.0.0.1:25; identity proxy-v2; }", "1:44",
     'unknown identity "proxy-v2", did you mean "proxy-v1"?'),
    ("upstream x { server 127.0.0.1:25; identity none; tls fingerprint 12:34; }", "1:66",
     '"12:34" is no SHA-256 fingerprint (64 hexadecimal digits)'),
    ("upstream x { server 127.0.0.1:2599; identity none; }\n"
     "listen smtp *:2599 { upstream x; }", "1:21",
     "mail loops back to ourselves: server \"127.0.0.1:2599\" is our own listener *:2599, "
     "which leads to upstream \"x\""),
    ("listen stmp 127.0.0.1:25 { upstream mta; }", "1:8", 'unknown protocol "stmp", did you mean "smtp"?'),
    ("upstream x { server 127.0.0.1:25; }", "1:10", 'upstream "x" has no identity line (write xclient, proxy, tproxy, xforward or none)'),
    ("upstream x { deliver maildri /x; }", "1:22", 'unknown way to deliver "maildri", did you mean "maildir"?'),
    ("upstream x { deliver lmtp /x; }", "1:27", '"/x" has no port'),
    ("upstream x { deliver lmtp 127.0.0.1:24; protocol smtp; }", "1:10",
     'upstream "x" delivers: its deliver line says in what way'),
    ("upstream x { deliver lmtp 127.0.0.1:24; server 127.0.0.1:25; }", "1:10",
     'upstream "x" has both a server and a deliver line'),
    ("upstream x { server 127.0.0.1:25; identity none; protocol lntp; }", "1:59",
     'unknown protocol "lntp", did you mean "lmtp"?'),
    ("upstream x { server 127.0.0.1:25; identity xclnt; }", "1:44", 'unknown identity "xclnt", did you mean "xclient"?'),
    ("upstream x { sever 127.0.0.1:25; }", "1:14", 'unknown setting "sever" in an upstream block, did you mean "server"?'),
    ("include nowhere.conf;", "1:9", 'cannot read {dir}/nowhere.conf: No such file or directory'),
    ("hostname \"mx", "1:10", 'this string is not closed'),
    ("}", "1:1", 'a setting begins with a word'),
    ("hostname mx?;", "1:12", 'unexpected character "?"'),
]

# ---- a ";" that is missing at the end of a line ----
UNENDED = [
    ("hostname \"mx\" # ours\n\nworkers 2;", "1:14", 'missing ";" after "mx"'),
    ("hostname\nworkers 2;", "1:9", '"hostname" needs a value here'),
    ("mynetworks 10.0.0.0/8\nworkers 2;", "1:22", 'missing ";" after "10.0.0.0/8"'),
    ("relay_domains a.example\nworkers 2;", "1:24", 'missing ";" after "a.example"'),
    ("include nowhere.conf\nworkers 2;", "1:21", 'missing ";" after "nowhere.conf"'),
    ("upstream m {\n  server 127.0.0.1:25\n  identity none;\n}", "2:22",
     'missing ";" after "127.0.0.1:25"'),
    ("upstream m {\n  server 127.0.0.1:25;\n  identity none\n}", "3:16", 'missing ";" after "none"'),
    ("upstream m {\n\tmx\n}", "2:4", 'missing ";" after "mx"'),
    ("upstream m {\n\tserver\n}", "2:8", '"server" needs a value here'),
    ("listen smtp 127.0.0.1:25 {\n  upstream mta;\n  tls none\n  auth none;\n}", "3:11",
     'missing ";" after "none"'),
    ("listen smtp 127.0.0.1:25\nworkers 2;", "1:25", 'missing "{" after "127.0.0.1:25"'),
    ("listen milter inet:0@127.0.0.1\nworkers 2;", "1:31", 'missing ";" after "inet:0@127.0.0.1"'),
    ("route r {\n  a.example mta\n  default mta;\n}", "2:16", 'missing ";" after "mta"'),
    ("milter m {\n  server inet:127.0.0.1:1;\n  when login = \"x\"\n  obey all;\n}", "3:19",
     'missing ";" after "x"'),
    ("milter m {\n  server inet:127.0.0.1:1;\n  when client.early-talker\n  obey all;\n}", "3:27",
     'missing ";" after "client.early-talker"'),
    ("milter m {\n  server inet:127.0.0.1:1;\n  macros mail i\n  obey all;\n}", "3:16",
     'missing ";" after "i"'),
    ("module url\nmodule text;", "1:11", 'missing ";" after "url"'),
    ("module url {\n  timeout 5s\n  on unavailable accept;\n}", "2:13", 'missing ";" after "5s"'),
    ("set s = a b\nset t = c;", "1:12", 'missing ";" after "b"'),
    ("set s = a b\nhostname mx.example.com;", "1:12", 'missing ";" after "b"'),
    ("set s = a b\nlisten smtp 127.0.0.1:25 {\n  upstream mta;\n}", "1:12", 'missing ";" after "b"'),
    ("map m = text:text\nworkers 2;", "1:18", 'missing ";" after "text:text"'),
    ("people ceo {\n  name \"Ada\"\n  address a@b;\n}", "2:13", 'missing ";" after "Ada"'),
    ("policy p {\n  rule r {\n    when subject ~ /x/i\n    then tag;\n  }\n}", "3:24",
     'missing ";" after the regex'),
    ("policy p {\n  rule r {\n    when ( size > 5 # so\n    then tag;\n  }\n}", "3:20",
     'missing ")" after "5"'),
    ("policy p {\n  rule r {\n    then tag\n  }\n}", "3:13", 'missing ";" after "tag"'),
    ("policy p {\n  rule r {\n    then hold\n  }\n}", "3:14", 'missing ";" after "hold"'),
    ("policy p {\n  rule r off\n}", "2:8", 'policy "p" has no "r"'),
    ("policy p {\n  threshold tag 5\n}", "2:18", 'missing ";" after "5"'),
    ("policy p {\n  rule r { then tag }\n}", "2:21", '";" must stand here, not "}"'),
]

# ---- grammar ----
GRAMMAR = [
    ("polcy p { }", "1:1", 'unknown setting "polcy", did you mean "policy"?'),
    ("policy p {\n  ruel r { then tag; }\n}", "2:3",
     'a rule, threshold, group or "}" must stand here, not "ruel", did you mean "rule"?'),
    ("policy p { rule r { wen size > 1; then tag; } }", "1:21",
     'when, unless, on, then, mode, always, early, test or "}" must stand here, not "wen"'),
    ("policy p { rule r { when size > 1 } }", "1:35", '";" must stand here, not "}"'),
    ("policy p { rule r { when size > 1; } }", "1:17", 'rule "r" has no "then"'),
    ("policy p { rule and { then tag; } }", "1:17",
     '"and" is a keyword and cannot be the name of a rule'),
    ("policy p { rule 9r { then tag; } }", "1:17", '"9r" cannot be the name of a rule'),
    ("policy p { rule r { then tag; } rule r { then tag; } }", "1:38",
     'rule "r" stands already at '),
    (rule("subject = "), "1:36", 'a value must stand here, not ";"'),
    (rule("( size > 5"), "1:36", '")" must stand here, not ";"'),
    (rule("size > 5 and"), "1:38", 'a test must stand here, not ";"'),
    (rule("size ? 5"), "1:31", 'unexpected character "?"'),
    (rule("subject ~ /abc"), "1:36", "this regex is not closed"),
    (rule("subject ~ /a(b/"), "1:40", "missing closing parenthesis"),
    (rule("subject ~ /a/q"), "1:39", 'unknown flag "q" of a regex'),
    (rule("subject ~ /[z-a]/"), "1:40", "range out of order in character class"),
    (rule("any prat is encrypted"), "1:30",
     'nothing called "prat" has facts of its own, did you mean "part"?'),
    (rule("any part at botom ( encrypted )"), "1:38",
     '"top" or "any depth" must stand here, not "botom"'),
    (rule("any part ( any part ( encrypted ) )"), "1:37",
     "any, all and no cannot stand within one another"),
    (rule("subject is"), "1:36", 'a word must stand here, not ";"'),
]

# ---- names and types ----
NAMES = [
    (rule("subjct = \"x\""), "1:26", 'unknown fact "subjct", did you mean "subject"?'),
    (rule("client.pi = 10.0.0.1"), "1:26", 'unknown fact "client.pi", did you mean "client.ip"?'),
    (rule("any part ( magik is zip )"), "1:37", 'unknown fact "magik", did you mean "magic"?'),
    (rule("any part ( magic is zap )"), "1:46", '"zap" is no word of part.magic, did you mean "zip"?'),
    (rule("any part is encryptd"), "1:38", 'no part can be "encryptd", did you mean "encrypted"?'),
    (rule("part.ext = \"exe\""), "1:26",
     '"part.ext" is a fact of each part: ask with any, all or no part ( ... )'),
    (rule("direction is inbund"), "1:39", '"inbund" is no word of direction, did you mean "inbound"?'),
    (rule("dmarc is pass"), "1:26", 'fact "dmarc" needs module dmarc, which is not loaded'),
    (rule("clamd is infected"), "1:26", 'fact "clamd" needs module clamd, which is not loaded'),
    (rule("size ~ /5/"), "1:31", '"~" does not go with "size", which is a number'),
    (rule("subject > 5"), "1:34", '">" does not go with "subject", which is a string'),
    (rule("client.ip contains \"10.\""), "1:36", '"contains" does not go with "client.ip"'),
    (rule("mime.broken = yes"), "1:38", '"=" does not go with "mime.broken", which is true or false'),
    (rule("subject"), "1:26", '"subject" is a string: test it with'),
    (rule("size > big"), "1:33", '"big" is no number'),
    (rule("size > 99999999999"), "1:33", '"99999999999" is no number'),
    (rule("client.ip = 10.0.0.0/8"), "1:38", '"10.0.0.0/8" is a network; use "in"'),
    (rule("client.ip in 10.0.0.1/8"), "1:39", '"10.0.0.1/8" has bits set behind its length'),
    (rule("sender = ada"), "1:35", '"ada" is no address'),
    (rule("header = \"x\""), "1:26", '"header" needs a name: header("...")'),
    (rule("subject(\"x\") = \"y\""), "1:34", '"subject" takes no name'),
    (rule("subject contains \"\""), "1:43", 'every text contains ""'),
    (rule("sender in partnres"), "1:36", 'unknown set or map "partnres"'),
]

# ---- sets, maps, people ----
LISTS = [
    ("set s = ;", "1:9", 'a member of the set must stand here, not ";"'),
    ("set s = ext(tar.gz);", "1:13", '"tar.gz" is no file name extension'),
    ("set s = a;\nset s = b;", "2:5", '"s" stands already at '),
    ("set partners = a@b;\n" + rule("sender in partnres"), "2:36",
     'unknown set or map "partnres", did you mean "partners"?'),
    ("set s = ext(exe);\n" + rule("subject in s"), "2:37",
     'set "s" holds file name extensions, and "subject" is none'),
    ("set s = 10.0.0.0/8 nonsense;\n" + rule("client.ip in s"), "2:39",
     'set "s" holds "nonsense", which is no ip address or network'),
    ("set s = ada;\n" + rule("sender in s"), "2:36",
     'set "s" holds "ada", which is neither an address nor @domain'),
    ("map m = hash:text;", "1:9",
     'a map is text:FILE, cidr:FILE, pcre:FILE or cdb:FILE, not "hash:text"'),
    ("map m = text:nowhere;", "1:9", '{dir}/nowhere: No such file or directory'),
    ("map m = text:;", "1:14", 'a file\'s name must stand here, not ";"'),
    ("route r { map m; }", "1:11", 'unknown map "m"'),
    ("map m = text:text;\nroute r { map m; }", "text:1:1",
     'route "r" uses this map, and there is no upstream'),
    ("map m = text:text-bad;", "text-bad:3:4", '"bob" is neither an address nor @domain'),
    ("map m = cidr:cidr-bad;", "cidr-bad:2:1", '"10.1.0.1/16" has bits set behind its length'),
    ("map m = cidr:cidr-if;", "cidr-if:1:1", '"if" is not for maps of postern'),
    ("map m = cidr:cidr-goes-on;", "cidr-goes-on:1:4", "a line that begins with a blank"),
    ("map m = pcre:pcre-bad;", "pcre-bad:2:6", "missing closing parenthesis"),
    ("map m = pcre:pcre-open;", "pcre-open:1:1", "the pattern does not end on its line"),
    ("map m = pcre:pcre-group;", "pcre-group:1:14", "the pattern has no group 2"),
    ("map m = pcre:pcre-flag;", "pcre-flag:1:5", 'flag "k" is none of i m s x'),
    ("map m = cdb:no-cdb;", "1:9", '{dir}/no-cdb: this is no cdb'),
    ("map m = text:text;\n" + rule("subject in m"), "2:37",
     'map "m" holds addresses, and "subject" is a string'),
    ("map m = cidr:cidr;\n" + rule("sender in m"), "2:36",
     'map "m" holds networks, and "sender" is an address'),
    ("map m = pcre:pcre;\n" + rule("client.ip in m"), "2:39",
     'map "m" is for strings and addresses, and "client.ip" is an ip address'),
    ("people ceo { }", "1:8", 'people "ceo" need a name'),
    ("people ceo { nam \"A\"; }", "1:14",
     'name, address or "}" must stand here, not "nam", did you mean "name"?'),
    ("people ceo { name Ada; }", "1:19", 'a name in quotes must stand here, not "Ada"'),
    ("people ceo { name \"A\"; address ada; }", "1:32", '"ada" is no address'),
    ("people ceo { name \"Ada\"; }\n" + rule("from claims coe"), "2:38",
     'unknown people "coe", did you mean "ceo"?'),
    ("set ceo = a@b;\n" + rule("from claims ceo"), "2:38",
     '"ceo" is a set; after "claims" stands the name of a people block'),
    ("people ceo { name \"Ada\"; }\n" + rule("client.ip claims ceo"), "2:36",
     '"claims" does not go with "client.ip"'),
]

# ---- policies, stages, scores ----
POLICIES = [
    ("policy a { }\npolicy b { }", "2:8", 'policies "a" and "b" both have no "for"'),
    ("policy a { }\npolicy a { }", "2:8", 'policy "a" stands already at '),
    ("policy b extends a { }", "1:18", 'no policy "a" stands before this one'),
    ("policy a for rctp @x { }", "1:14",
     'rcpt, sender, client, listener, login or direction must stand here, not "rctp"'),
    ("policy a for rcpt nobody { }", "1:19", 'unknown set or map "nobody"'),
    ("policy a for rcpt @x { rule r { early; then tag; } }", "1:29",
     'rule "r" cannot be early: whom policy "a" is for is known at rcpt'),
    ("policy a { rule r off; }", "1:17", 'policy "a" has no "r" from another policy to take out'),
    ("policy a { threshold spam 5; }", "1:22", "tag, quarantine or reject must stand here"),
    ("policy a { threshold tag 5; threshold tag 6; }", "1:39",
     'the "threshold tag" stands already at '),
    ("policy a { threshold tag 5.5; }", "1:26", '"5.5" cannot be a score'),
    ("policy a { group g cap 0x; }", "1:24", '"0x" cannot be a cap'),
    (then("score 5 in nogroup"), "1:37", 'unknown group "nogroup"'),
    ("policy p { rule r { when score > 5; then score +1; } }", "1:42",
     'rule "r" reads the score and so cannot add to it'),
    ("policy p { rule r { when score > 5; then allow; } }", "1:42",
     'rule "r" reads the score and so cannot allow'),
    ("policy p { rule r { mode shade; then tag; } }", "1:26",
     '"shadow" or "live" must stand here, not "shade"'),
]

# ---- conditions in settings ----
def when(text):
    """Behind `when `, in a milter's block, at line 1 column 42."""
    return "milter dkim { server inet:127.0.0.1:1; when %s; }\n" % text


LATE = "this is known only after the message was read"
CONDITIONS = [
    (when("subject ~ /x/"), "1:45", LATE),
    (when("login = \"x\" and not any part is encrypted"), "1:65", LATE),
    (when("size > 5"), "1:45", LATE),
    (when("client.pi = 10.0.0.1"), "1:45", 'unknown fact "client.pi", did you mean "client.ip"?'),
    (when("sender in partnres"), "1:55", 'unknown set or map "partnres"'),
    (when("( login = \"x\""), "1:58", '")" must stand here, not ";"'),
    (when(""), "1:45", 'a test must stand here, not ";"'),
    (when("login = \"x\"") + rule("milter.dkmi.action is reject"), "2:26",
     'unknown fact "milter.dkmi.action", did you mean "milter.dkim.action"?'),
    (rule("milter.dkim.action is reject"), "1:26",
     'fact "milter.dkim.action" needs a block "milter NAME { ... }"'),
    (when("login = \"x\"") + rule("milter.dkim.action is rejct"), "2:48",
     '"rejct" is no word of milter.dkim.action, did you mean "reject"?'),
    (when("login = \"x\"") + rule("milter.dkim.action is refuse"), "2:48",
     '"refuse" is no word of milter.dkim.action: '),
    (when("login = \"x\"") + rule("milter.dkim is reject"), "2:26",
     'unknown fact "milter.dkim": milter.dkim.'),
    (when("login = \"x\"") + rule("milter.dkim.action"), "2:26",
     '"milter.dkim.action" is one of some words'),
]

# ---- actions and tests ----
ACTIONS = [
    (then("rejct \"x\""), "1:26", 'an action must stand here, not "rejct", did you mean "reject"?'),
    (then("reject"), "1:32", 'the text of the reply must stand here, not ";"'),
    (then("reject 450 \"x\""), "1:33", "reject needs a 5xx code, 450 is none"),
    (then("reject 550 4.7.1 \"x\""), "1:37", "status 4.7.1 does not agree with code 550"),
    (then("reject 55 \"x\""), "1:33", '"55" is no reply code'),
    (then("tempfail 421"), "1:35", "421 closes the connection; use 450 or 451"),
    (then("reject \"caf\u00e9\""), "1:34", "a reply is ASCII alone"),
    (then("reject \"$nothing\""), "1:34", 'unknown fact "nothing"'),
    (then("reject \"$part.path\""), "1:34", '"$part.path" needs a part that was found'),
    (then("tag, reject \"x\""), "1:31", 'a rule has one verdict: "reject" cannot stand beside "tag"'),
    (then("reject \"x\", header add X \"y\""), "1:38", '"header" changes nothing beside "reject"'),
    (then("header ad X \"y\""), "1:33", 'add, set, remove or insert must stand here, not "ad", did you mean "add"?'),
    (then("header add \"X:\" \"y\""), "1:37", '"X:" cannot be a header\'s name'),
    (then("redirect nobody"), "1:35", '"nobody" is no address'),
    (then("hold 5m"), "1:31", 'a reason in quotes, "," or ";" must stand here, not "5m"'),
    (then("hold, header add X \"y\", quarantine"), "1:50",
     'a rule has one verdict: "quarantine" cannot stand beside "hold"'),
    (then("sender add a@b"), "1:33", '"set" must stand here, not "add"'),
    (then("sender set nobody"), "1:37", '"nobody" is no address'),
    (then("sender set \"<ada@example.com>\""), "1:37",
     '"<ada@example.com>" is no address: it stands without < and >'),
    (then("sender set <ada@example.com>"), "1:38",
     "an address stands without < and >; <> is nobody"),
    (then("sender set \"\""), "1:37", "nobody is written <>"),
    (then("sender set <>, reject \"x\""), "1:26", '"sender" changes nothing beside "reject"'),
    (then("delay 5m"), "1:32", 'a delay is more than nothing and at most 60s'),
    (then("strip part"), "1:26", '"strip part" needs a part that was found'),
    (then("banner \"x\""), "1:26", '"banner" is not available in this version'),
    ("policy p { rule r { on unknown allow; then tag; } }", "1:32",
     '"allow" is no verdict'),
    ("policy p { rule r { then tag; test \"x\" file x.eml expect rejected; } }", "1:58",
     'a verdict, "fires" or "silent" must stand here, not "rejected", did you mean "reject"?'),
    ("policy p { rule r { then tag; test \"x\" file x.eml with subject \"y\" expect tag; } }", "1:56",
     '"subject" is read from the test\'s file and cannot be given'),
    ("policy p { rule r { then tag; test \"x\" file x.eml with size big expect tag; } }", "1:61",
     '"big" is no number'),
]

# ---- warnings ----
WARNINGS = [
    (rule("size > 10 and size < 5"), ["1:40", 'rule "r" can never fire: size < 5 contradicts size > 10']),
    (rule("size < 0"), ["1:26", 'rule "r" can never fire: size < 0 is true of nothing']),
    (rule("mime.broken or size >= 0"), ["1:41", 'this is always true: "size" is never below 0']),
    (rule("mime.broken or text.urls < 0"),
     ["1:41", 'this is never true: "text.urls" is never below 0']),
    (rule("mime.broken and not mime.broken"), ["1:46", 'rule "r" can never fire: not mime.broken']),
    (rule("client.fcrdns is ok and client.fcrdns is none"),
     ["1:50", 'rule "r" can never fire: client.fcrdns is none contradicts client.fcrdns is ok']),
    ("policy p { rule a { when size > 5; then reject \"x\"; }\nrule b { when size > 5; then tag; } }",
     ["2:6", 'rule "b" never counts: wherever it fires, rule "a" (line 1) rejects, too']),
    ("policy p { rule a { when size > 5; then accept; }\nrule b { when size > 5; then discard; } }",
     ["2:6", 'rule "b" contradicts rule "a" (line 1)']),
    ("policy p { rule a { when client.ip in 10.0.0.0/8; then reject \"x\"; }\n"
     "rule b { when size > 5; then allow; } }",
     ["1:17", 'rule "a" refuses at connect, before rule "b" (line 2) can allow at message']),
    (rule("subject ~ /x(a+)+y/"), ["1:38", "this repeats what is repeated without end itself"]),
    (rule("raw ~ /\\d+/"), ["1:32", "no letter of this must stand in the text"]),
    ("map m = pcre:pcre-loops;\n" + rule("subject in m"), ["pcre-loops:2:3", "this repeats"]),
    ("set s = a;", ["1:5", 'set "s" is never used']),
    ("people ceo { name \"A\"; }", ["1:8", 'people "ceo" is never used']),
    ("policy p { threshold reject 5; rule r { when size > 5; then score +4; } }",
     ["1:22", 'threshold reject 5 is never reached: the rules of policy "p" add at most 4']),
    ("policy a for rcpt @x { }\npolicy b for rcpt u@x { }\npolicy default { }",
     ["2:14", 'policy "b" is never used: whom it is for, policy "a" (line 1) is for, too']),
    ("policy a { }\npolicy default { }", ["1:8", 'policy "a" is never used']),
    ("policy p { group g cap 3; }", ["1:18", 'group "g" is never used']),
    (rule("macro(\"{auth_type}\") = \"x\""), ["1:26", 'without "listen milter" nobody tells macros']),
    (then("hold"), ["1:26", 'rule "r" holds: without "listen milter" there is no MTA that does']),
    ("listen milter inet:0@127.0.0.1;\n" +
     "policy p { rule r { when macro(\"i\") = \"x\"; then hold; } }", None),
    ("upstream box { deliver maildir /tmp/x; }\nrelay_domains a.example;\n"
     "route r { b@a.example box; .c.example box; c.example box; d.example mta; }\n" + BY_ROUTE,
     ["3:44", 'mail for "c.example" is refused: upstream "box" takes that of relay_domains alone']),
    ("listen lmtp 127.0.0.1:0 { upstream box; }\nupstream box { deliver lmtp 127.0.0.1:24; }",
     ["1:1", 'all mail is refused here: upstream "box" takes that of relay_domains alone']),
    (rule("size > 5"), None),
]
# ... that -t alone gives, too
NAMES_OF_NOTHING = [
    ("upstream old { server 127.0.0.1:2527; identity none; }",
     ["1:1", 'upstream "old" is never used: no listener and no route leads there']),
    ("upstream old { server 127.0.0.1:2527; identity none; }\nroute r { default old; }\n" + BY_ROUTE,
     None),
    ("route a { default mta; }\nroute r { default mta; }\n" + BY_ROUTE,
     ["1:1", 'route "a" is never used: no listener has it']),
    ("upstream old { server 127.0.0.1:2527; identity none; }\nroute r { default old; }",
     ["2:1", 'route "r" is never used: no listener has it']),
    ("upstream box { deliver maildir /tmp/x; }\nlisten milter inet:0@127.0.0.1 { upstream box; }",
     None),
    ("upstream old { server 127.0.0.1:2527; identity none; }\nmap m = text:pcre-none;\n"
     "route r { map m; }\n" + BY_ROUTE, None),
    ("policy a for listener 127.0.0.1:2562 { }\npolicy b { }",
     ["1:23", 'there is no listener "127.0.0.1:2562", did you mean "127.0.0.1:2526"?']),
    ("policy a for rcpt @a.example and listener 127.0.0.1:2526 *:submission { }\npolicy b { }",
     ["1:58", 'there is no listener "*:submission": 127.0.0.1:2526 may stand here']),
    ("listen milter unix:/tmp/M;\npolicy a for listener UNIX:/tmp/m { }\npolicy b { }", None),
    (rule('listener = "127.0.0.1:256"'),
     ["1:37", 'there is no listener "127.0.0.1:256", did you mean "127.0.0.1:2526"?']),
    (rule('listener != "127.0.0.1:2526" and not listener ~ /:25$/'), None),
]


def judge(conf, where, says, lines):
    """What is wrong with these three lines, or None."""
    if len(lines) < 3:
        return "too short"
    place = where if not where[0].isdigit() else "%s:%s" % (conf, where)
    if not where[0].isdigit():
        place = os.path.join(os.path.dirname(conf), where)
    if not lines[0].startswith(place + ": " + says):
        return "wanted %s: %s" % (place, says)
    column = int(where.rsplit(":", 1)[1])
    if len(lines[2].replace("\t", " ")) != column or lines[2].strip() != "^":
        return "the caret is not under column %d" % column
    return None


def test(t):
    folder = t.folder("conf")
    for name, text in FILES.items():
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    conf = os.path.join(folder, "t.conf")

    def check(text, *options):
        with open(conf, "w") as f:
            f.write(text + "\n" + MTA)
        return run(["-c", conf, "-t"] + list(options), program="posternd")

    def table(name, cases):
        bad = []
        for text, where, says in cases:
            done = check(text)
            wrong = judge(conf, where, says.replace("{dir}", folder), done.stderr.split("\n"))
            if done.returncode != 78 or wrong:
                bad += [text, wrong, done.stderr]
        t.ok(not bad, "%s: %d mistakes" % (name, len(cases)), *bad)
        return len(cases)

    n = sum(table(name, cases) for name, cases in [
        ("settings", SETTINGS), ("lines without an end", UNENDED), ("grammar", GRAMMAR), ("names and types", NAMES),
        ("sets, maps, people", LISTS), ("policies and scores", POLICIES),
        ("conditions in settings", CONDITIONS), ("actions and tests", ACTIONS)])
    bad = []
    for text, warning in NAMES_OF_NOTHING:
        done = check(text)
        wrong = judge(conf, warning[0], "warning: " + warning[1], done.stderr.split("\n")) \
            if warning else done.stderr
        if done.returncode != 0 or wrong or done.stdout:
            bad += [text, wrong, done.stderr, done.stdout]
    t.ok(not bad, "%d warnings of -t" % len(NAMES_OF_NOTHING), *bad)
    bad = []
    for text, warning in WARNINGS + NAMES_OF_NOTHING:
        done = check(text, "-v")
        if done.stderr:
            bad += [text, "twice?", done.stderr]
        lines = done.stdout.rstrip("\n").split("\n")
        wanted = 1 if warning else 0
        wrong = None
        if warning:
            wrong = judge(conf, warning[0], "warning: " + warning[1], lines[-4:-1])
        if not lines[-1].startswith("%d warning" % wanted) or done.returncode != 0 or wrong:
            bad += [text, wrong, "\n".join(lines[-6:]), done.stderr]
    t.ok(not bad, "%d warnings" % len(WARNINGS), *bad)
    t.ok(n + len(WARNINGS) >= 100, "%d in all" % (n + len(WARNINGS)))


tap.run(test, 120)
