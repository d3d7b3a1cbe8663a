"""operators_day - what an operator asks postern(1) for on the first day.

conf, facts, map, try and explain without a daemon; history, drain, top and
doctor with one.
"""

import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern, run

CONF = """\
hostname mx.example.com;
mynetworks 127.0.0.0/8 10.1.0.0/16;
spool "/tmp/x y";
listen smtp *:25 { upstream mta; }
route ways { default mta; map m;
    b.example mta; a.example mta;
    map n; }
include more.conf;
policy p { rule broken { nonsense /};{/ ; } }
"""
MORE = """\
upstream mta {
    server 127.0.0.1:2525; identity xclient;
    reply_timeout 10m;
    server 127.0.0.1:2526 weight 2; server 127.0.0.1:2527 drain;

    server 127.0.0.1:2528 priority 1;
}
"""


def conf(t):
    more = t.write("more.conf", MORE)
    path = t.write("first.conf", CONF)

    def ask(*words):
        return run(("-c", path, "conf") + words)

    def lines(done):
        return [line.split(None, 1)[0] + " | " + line.rpartition(" # ")[2]
                for line in done.stdout.splitlines() if " # " in line]

    done = ask("-n")
    t.same(lines(done), ["hostname | %s:1" % path, "mynetworks | %s:2" % path,
                         "spool | %s:3" % path, "upstream | %s:1" % more,
                         "server | %s:2" % more, "server | %s:4" % more,
                         "server | %s:4" % more, "server | %s:6" % more,
                         "identity | %s:2" % more,
                         "reply_timeout | %s:3" % more,
                         "route | %s:5" % path, "a.example | %s:6" % path,
                         "b.example | %s:6" % path, "map | %s:5" % path,
                         "map | %s:7" % path, "default | %s:5" % path,
                         "listen | %s:4" % path,
                         "upstream | %s:4" % path],
           "conf -n: what is written, with file and line", done.stdout, done.stderr)
    done = ask()
    t.ok("\nlog stderr; " in done.stdout and "log | default" in lines(done)
         and "connect_timeout | default" in lines(done), "conf: with the defaults",
         done.stdout)
    again = t.write("again.conf", done.stdout)
    t.same([l.split(" # ")[0] for l in run(("-c", again, "conf")).stdout.splitlines()],
           [l.split(" # ")[0] for l in done.stdout.splitlines()],
           "conf's answer is a configuration that means the same")
    done = run(("-c", "/nonexistent", "conf", "-d"))
    t.ok(done.returncode == 0 and "spool /var/spool/postern; " in done.stdout
         and "# relay_domains has no value" in done.stdout, "conf -d needs no file",
         done.stdout, done.stderr)
    done = ask("spool", "upstream mta", "--json")
    got = [(s.get("block"), s.get("name"), s.get("value"), s.get("line"))
           for s in json.loads(done.stdout)["settings"]]
    t.same(got[:3], [(None, "spool", '"/tmp/x y"', 3), ("upstream mta", None, None, 1),
                     ("upstream mta", "server", "127.0.0.1:2525", 2)], "conf NAME --json")
    done = ask("hostnam")
    t.ok(done.returncode == 64 and 'did you mean "hostname"' in done.stderr,
         "conf of no setting", done.stderr)
    for wrong, meant in (("lisetn", "listen"), ("upstrem", "upstream"),
                         ("upstream mat", "upstream mta"), ("listen smpt", "listen smtp")):
        done = ask(wrong)
        t.ok(done.returncode == 64 and 'did you mean "%s"?' % meant in done.stderr,
             "conf of no block: " + wrong, done.stderr)
    t.same(ask("-n", "-d").returncode, 64, "conf -n -d")
    for wrong, meant in (("clinet", "client"), ("clinet.ip", "client.ip"), ("sedner", "sender")):
        done = run(("-c", path, "facts", wrong))
        t.ok(done.returncode == 64 and 'did you mean "%s"?' % meant in done.stderr,
             "facts of no name: " + wrong, done.stderr)


POLICY = """\
# what follows is read by whoever is asked why
rule papers {
    when subject contains "papers";
    then quarantine class papers;
}

rule no-programs {
    when any part is executable or subject ~ /\\.exe\\b(?<rest>.*)}/;   # a } in a regex
    then reject 550 5.7.1 "no programs here";
}
rule not-two { when rcpt = "two@example.com"; then reject 550 5.1.1 "two has left"; }
rule marked  { when size > 0; then header add X-Seen "yes"; }
rule never   { when size > 1G; then discard; }
rule liar    { early; when helo.name = "liar.example"; then reject "no such host"; }
rule slow    { when subject = "slow"; then delay 1s, note "a \\"word\\"", score +2 "why" in g; }
group g cap 5;
"""
MAIL = b"From: ada@client.example\r\nTo: one@example.com\r\nSubject: %s\r\n\r\nbody\r\n"


def ref_of(reply):
    return reply.text.rpartition("[ref ")[2].rstrip("]")


def explain(t, daemon, policy):
    """From the reference to the line to change, in one command."""
    def send(rcpts, subject):
        return net.send(daemon.address, "ada@client.example", rcpts, MAIL % subject)

    refused = send(["one@example.com"], b"get it.exe now}")
    ref = ref_of(refused)
    done = daemon.cli("explain", ref)
    head = done.stdout.partition("also fired")[0]
    t.ok(done.returncode == 0 and "verdict  reject 550 5.7.1 no programs here" in head
         and "no-programs: fired at message (" in head
         and "%s:8)" % policy in head
         and "       10 |     then reject 550 5.7.1 \"no programs here\";" in head
         and "       11 | }\n" in head and "       12 |" not in head
         and 'rest=" now"' in head
         and '\n    then reject 550 5.7.1 "no programs here"\n' in head,
         "refused: the rule, its file, line and text, the values", done.stdout, done.stderr)
    t.ok("  marked: fired" in done.stdout.partition("also fired")[2]
         .partition("did not fire")[0]
         and '    then header add X-Seen "yes"\n' in done.stdout
         and "  papers: silent" in done.stdout.partition("did not fire")[2],
         "the others, by what they came to", done.stdout)
    got = json.loads(daemon.cli("explain", ref, json_out=True).stdout)
    t.ok(got["id"] == ref and got["trace"]["verdict"]["rule"] == "no-programs",
         "explain REF --json", got)
    done = daemon.cli("explain", "--for-sender", ref)
    t.ok(done.returncode == 0 and "was refused: 550 5.7.1 no programs here. Reference: %s."
         % ref in done.stdout and "no-programs" not in done.stdout,
         "to the sender: what he heard, and no more", done.stdout, done.stderr)

    at_rcpt = send(["two@example.com"], b"x")
    done = daemon.cli("explain", ref_of(at_rcpt))
    head = done.stdout.partition("did not fire")[0]
    t.ok("verdict  reject 550 5.1.1 two has left" in head
         and "not-two: fired at rcpt (" in head
         and "refused  <two@example.com> 550" in head
         and 'it is "two@example.com"' in head and "   12 | rule not-two" in head,
         "refused at RCPT, no message", done.stdout, done.stderr)

    with net.Client(daemon.address) as c:
        got = c.envelope("ada@client.example", ["one@example.com", "two@example.com"])
        last = c.data(MAIL % b"for one of two")
    done = daemon.cli("explain", ref_of(got[-1]))
    t.ok(last.code == 250 and "refused  <two@example.com> 550" in done.stdout
         and "decided by\n  not-two: fired" in done.stdout,
         "one recipient refused, the other got it", done.stdout, done.stderr)
    done = daemon.cli("explain", "--for-sender", ref_of(got[-1]))
    t.ok("was accepted; for <two@example.com> it was refused: 550 5.1.1 two has left"
         in done.stdout, "and to the sender", done.stdout)

    held = send(["one@example.com"], b"papers")
    ref = held.text.split()[-1]
    done = daemon.cli("explain", ref)
    t.ok("verdict  quarantine class papers" in done.stdout
         and "decided by\n  papers: fired" in done.stdout
         and 'it is "papers"' in done.stdout, "held", done.stdout, done.stderr)
    done = json.loads(daemon.cli("explain", "--for-sender", ref, json_out=True).stdout)
    t.same((done["outcome"], done["recipients"], done["ref"]),
           ("held", ["one@example.com"], ref), "held, to the sender, --json")

    big = net.send(daemon.address, "ada@client.example", ["one@example.com"],
                   MAIL % b"big" + b"x" * 70000)
    t.same(big.code, 552, "too big", big)
    accepted = send(["one@example.com"], b"fine")
    ref = accepted.text.split()[-1]
    done = daemon.cli("explain", ref)
    t.ok("marked: fired" in done.stdout and "verdict  tag" in done.stdout, "accepted",
         done.stdout, done.stderr)
    with net.Client(daemon.address, helo="liar.example") as c:
        early = c.ehlo
    ref = ref_of(early)
    done = daemon.cli("explain", ref)
    t.ok(early.code == 550 and done.stdout.startswith("message  %s " % ref)
         and " bytes\n" not in done.stdout and "liar: fired at helo (" in done.stdout,
         "refused early, before there was a message", early, done.stdout)
    done = daemon.cli("explain", "--for-sender", ref)
    t.ok(done.stdout.startswith("Your connection of ") and " to was" not in done.stdout,
         "and to who connected", done.stdout)
    slow = send(["one@example.com"], b"slow")
    done = daemon.cli("explain", slow.text.split()[-1])
    t.ok('    then delay 1s,\n         note "a \\"word\\"",\n         score +2 "why" in g\n'
         in done.stdout, "actions as the rule has them", slow, done.stdout)
    # The file moves on; the reference stays.
    with open(policy) as f:
        text = f.read()
    t.write("postern/policy.conf", "# one\n# two\n" + text)
    done = daemon.cli("explain", ref_of(refused))
    t.ok("the file has changed since: the rule stands at line 10 now" in done.stdout
         and "       12 |     then reject" in done.stdout, "the file has changed", done.stdout)
    t.write("postern/policy.conf", text)


def facts(t, daemon):
    done = daemon.cli("facts")
    t.ok(done.returncode == 0 and "client.ip " in done.stdout
         and 'header("NAME")' in done.stdout, "facts", done.stdout, done.stderr)
    done = daemon.cli("facts", "part", "--json")
    got = {f["name"]: f for f in json.loads(done.stdout)["facts"]}
    t.ok("part.name" in got and "client.ip" not in got
         and "zip" in got["part.magic"]["words"] and got["part.magic"]["module"] == "attachment"
         and got["part.magic"]["stage"] == "message" and got["part.magic"]["type"] == "word",
         "facts part --json", got)
    bad = t.write("postern/facts.conf", open(daemon.conf).read() + "policy q { nonsense }")
    t.ok("client.ip " in run(("-c", bad, "facts")).stdout, "facts while a rule is broken")
    done = daemon.cli("facts", "part.magik")
    t.ok(done.returncode == 64 and 'did you mean "part.magic"' in done.stderr,
         "facts of no fact", done.stderr)


SCORES = """\
map partners = text:partners;
map nets = cidr:nets;
policy base {
    threshold reject 6 "too much like spam";
    group lures cap 4;
    rule lure { when subject contains "lure"; then score +3 "a lure" in lures; }
    rule bait { when subject contains "bait"; then score +3 "a bait" in lures; }
    rule hook { when size > 0; then score +2 "a hook"; }
    rule trial { mode shadow; when subject contains "lure"; then reject "in shadow"; }
    rule slow { when raw ~ /(x+x+)+[yz]/; then score +1 "slow"; }
}
policy sales extends base for rcpt @sales.example.com {
    threshold reject 100;
    rule friend { when sender in partners; then allow; }
}
"""


def scores(t, daemon):
    mail = t.write("score.eml", MAIL % b"lure and bait" + b"x" * 200)
    conf = t.write("postern/score.conf", open(daemon.conf).read().replace(
        "include policy.conf;", "") + SCORES)
    t.write("postern/partners", "# who we know\nbob@partner.example\n@friends.example  all of them\n")
    t.write("postern/nets", "192.0.2.0/24  the lab\n")

    def ask(*words):
        return run(("-c", conf) + words)

    done = ask("explain", "--rcpt", "one@example.com", mail)
    out = done.stdout
    head = out.partition("\nscore")[0]
    t.ok("verdict  reject" in head and "decided by\n  threshold reject: fired" in head
         and " |     threshold reject 6 \"too much like spam\";" in head,
         "a score that is too high: the threshold and its line", out, done.stderr)
    score = out.partition("\nscore ")[2].partition("\n\n")[0]
    t.same(out.count("\nscore "), 1, "the score is told once", out)
    t.same(score.splitlines(),
           ["6 at message", "  +3 lure: a lure, in group lures",
            "  +3 bait: a bait, in group lures, capped to +1", "  +2 hook: a hook"],
           "what the score is made of", out)
    t.ok("would    reject by trial, but for" in out
         and 0 < out.find("\nwould have decided\n  trial: fired in shadow at message")
         < out.find("\nscore ") and '| ' + SCORES.split("\n")[8] in out,
         "a rule in shadow", out)
    t.ok(0 < out.find("\nunknown: ") < out.find("  slow: unknown at")
         and ": unknown, for the pattern took too long" in out, "a rule that is unknown, and why",
         out)
    got = json.loads(ask("--json", "scan", "--rcpt", "one@sales.example.com", mail).stdout)
    t.ok(got["action"] != "reject", "another policy's threshold", got)

    done = ask("explain", "--rcpt", "one@sales.example.com", "--from", "bob@partner.example", mail)
    head = done.stdout.partition("\nnot judged, as another rule allows\n")
    t.ok("\nallowed by\n  friend: allowed at " in head[0] and "    then allow\n" in head[0]
         and " |     rule friend {" in head[0] and "no rule decided" not in done.stdout
         and "\nscore " not in done.stdout
         and re.match(r"(  [\w ]+: skipped .*\)\n)+(\n|$)", head[2]),
         "a rule that allows, and what is not judged for it", done.stdout, done.stderr)

    done = ask("map")
    t.ok(done.returncode == 0 and "partners         %s" % t.path("postern/partners")
         in done.stdout and "score.conf:" in done.stdout, "map lists maps", done.stdout, done.stderr)
    done = ask("map", "partners", "bob@partner.example", "eve@friends.example",
               "mallory@partner.example")
    t.ok(done.returncode == 1 and done.stdout.splitlines() == [
        "bob@partner.example: %s:2" % t.path("postern/partners"),
        "eve@friends.example: %s:3: all of them" % t.path("postern/partners"),
        "mallory@partner.example: not there"], "map NAME KEY", done.stdout, done.stderr)
    done = ask("map", "nets", "192.0.2.7", "--json")
    t.same(json.loads(done.stdout), {"entries": [{"map": "nets", "key": "192.0.2.7",
           "found": True, "value": "the lab", "file": t.path("postern/nets"), "line": 1}]},
           "map --json", done.stderr)
    done = ask("map", "nets", "no-address")
    t.ok(done.returncode == 65 and done.stderr, "a key that is none for it", done.stderr)
    done = ask("map", "partner", "x")
    t.ok(done.returncode == 64 and 'did you mean "partners"' in done.stderr,
         "a map that is none", done.stderr)


def trying(t, daemon):
    conf = t.write("postern/try.conf", open(daemon.conf).read().replace(
        "include policy.conf;", "") + """
policy p {
    rule out { when direction is outbound and subject contains "secret"; then reject "not out"; }
    rule dyn { when client.name contains "dyn" ; on unknown tempfail; then tag; }
    rule tls { when not tls.version = "TLSv1.3" and login = "bob"; then reject "no tls"; }
    rule hdr { when header("X-A") = "b" and raw contains "hello"; then quarantine class hdr; }
}
""")

    def ask(*words):
        done = run(("-c", conf, "--json", "try") + words)
        if done.returncode:
            return done
        got = json.loads(done.stdout)
        return got["action"], got["rule"]

    t.same(ask("--from", "a@x.example", "--to", "b@y.example", "--subject", "the secret",
               "--client", "127.0.0.1"), ("reject", "out"), "try: a message of options")
    t.same(ask("--to", "b@y.example", "--subject", "the secret", "--client", "192.0.2.1"),
           ("accept", ""), "try: from elsewhere")
    t.same(ask("--to", "b@y.example", "--subject", "the secret", "--client", "192.0.2.1",
               "--fact", "direction=outbound"), ("reject", "out"), "try --fact")
    t.same(ask("--unknown", "client.name"), ("tempfail", "dyn"), "try --unknown")
    t.same(ask("--name", "a.dyn.example"), ("tag", "dyn"), "try --name")
    t.same(ask("--name", "a.dyn.example", "--fact", "client.name=b.example"), ("accept", ""),
           "--fact stands above the rest")
    t.same(ask("--login", "bob", "--fact", "tls.version=TLSv1.3"), ("accept", ""),
           "try with a fact of the session")
    t.same(ask("--header", "X-A: b", "--body", "oh, hello"), ("quarantine", "hdr"),
           "try --header --body")
    mail = t.write("try.eml", b"X-A: b\n\nhello\n")
    t.same(ask(mail), ("quarantine", "hdr"), "try FILE")
    for words, said in ((("--fact", "subject=x"), "cannot be given"),
                        (("--fact", "directon=x"), 'did you mean "direction"'),
                        (("--fact", "direction=up"), "none of its words"),
                        (("--fact", "client.ip=x"), "is no address"),
                        (("--fact", "size=x"), "is no number"),
                        (("--fact", "login"), "is not NAME=VALUE"),
                        (("--fact", 'login("x")=y'), "takes no name"),
                        (("--header", "x"), "is not Name: value"),
                        (("--header",), "usage"), ((mail, "--body", "x"), "usage"),
                        ((mail, mail), "usage")):
        done = ask(*words)
        t.ok(not isinstance(done, tuple) and done.returncode == 64 and said in done.stderr,
             "64: try " + " ".join(words).replace(t.dir, ""), done)


def profile(t, daemon):
    conf = t.write("postern/profile.conf", open(daemon.conf).read().replace(
        "include policy.conf;", "") + """
policy p {
    rule dear { when raw ~ /(?:a|b| |c|1){1,16}\\r/; then reject "dear"; }
    rule cheap { when subject contains "needle"; then tag; }
    rule worker { when size > 1G; then tag; }
}
policy q extends p for rcpt @sales.example.com {
    rule both { when subject contains "needle" and raw contains "needle"; then tag; }
}
""")
    folder = t.folder("mails")
    for i in range(4):
        with open(os.path.join(folder, "%d.eml" % i), "wb") as f:
            f.write(MAIL % (b"needle" if i % 2 else b"hay") + b"abab c1" * 500 * (i + 1))

    def ask(*words):
        return run(("-c", conf, "profile") + words)

    # So often that it is no matter whose turn it was when others had theirs.
    done = ask("--json", "--repeat", "20", folder)
    got = json.loads(done.stdout)
    rules = {r["rule"]: r for r in got["rules"]}
    t.same((got["messages"], [r["rule"] for r in got["rules"]][0], set(rules)),
           (80, "dear", {"dear", "cheap", "both"}), "profile: the dearest rule first",
           done.stdout, done.stderr)
    t.ok(rules["cheap"]["hits"] == 40 and rules["cheap"]["tests"] == 80
         and rules["dear"]["hits"] == rules["dear"]["tests"] == 80 and 0 < rules["cheap"]["ns"] < rules["dear"]["ns"]
         < got["ns"] and rules["both"]["ns"] >= rules["cheap"]["ns"]
         and rules["dear"]["dearest"].startswith("raw ~ "), "what it counts", rules)
    done = ask(os.path.join(folder, "1.eml"), folder)
    t.ok(done.returncode == 0 and done.stdout.startswith("5 messages, ")
         and re.search(r"^ +[\d.]+ +[\d.]+ +[\d.]+ +5  dear \(policy p, %s:\d+\) raw ~ " % conf,
                       done.stdout, re.M), "for people", done.stdout, done.stderr)
    for words, code in (((), 64), (("--repeat", "x", folder), 64), ((conf + ".not",), 66)):
        t.same(ask(*words).returncode, code, "%d: profile %s" % (code, " ".join(words)))


def replay(t, daemon):
    base = open(daemon.conf).read().replace("include policy.conf;", "")
    old = t.write("postern/old.conf", base + """policy p {
    rule needle { when subject contains "needle"; then tag; }
    rule big { when size > 10000; then quarantine; }
}""")
    new = t.write("postern/new.conf", base + """policy p {
    rule needle { when subject contains "needle"; then reject "no needles"; }
    rule large { when size > 10000; then quarantine; }
}""")
    folder = t.path("mails")  # of profile(): needles are 1 and 3; 2 and 3 are big

    def ask(*words):
        return run(("-c", old, "replay") + words)

    done = ask("--with", new, folder)
    t.ok(done.returncode == 1 and done.stdout.splitlines() == [
        folder + "/1.eml: tag by needle -> reject by needle",
        folder + "/2.eml: quarantine by big -> quarantine by large",
        folder + "/3.eml: quarantine by big -> reject by needle",
        "  messages  now         -> then",
        "         1  accept      -> accept",
        "         1  tag         -> reject",
        "         1  quarantine  -> quarantine",
        "         1  quarantine  -> reject",
        "         1  the same, by the same rule"], "replay --with", done.stdout, done.stderr)
    done = ask("--json", "--with", new, folder + "/0.eml", folder + "/1.eml")
    t.same(json.loads(done.stdout), {"messages": 2, "changed": [
        {"file": folder + "/1.eml", "now": {"action": "tag", "rule": "needle"},
         "then": {"action": "reject", "rule": "needle"}}]}, "replay --json", done.stderr)
    done = ask("--with", old, folder, t.path("nothing"))
    t.ok(done.returncode == 66 and "4  the same" in done.stdout, "66: a file is missing",
         done.stdout, done.stderr)
    t.same(ask("--with", old, folder).returncode, 0, "0: nothing changes")
    t.same(ask(folder).returncode, 64, "64: replay with nothing")
    bad = t.write("postern/bad.conf", base + "policy p { nonsense }")
    t.same(ask("--with", bad, folder).returncode, 78, "78: a broken configuration")


def history(t, daemon):
    def search(*words):
        done = daemon.cli("history", *words, json_out=True)
        return [(m["rule"], m["code"]) for m in json.loads(done.stdout)["messages"]]

    net.send(daemon.address, "bob@elsewhere.example", ["two@example.com"], b"x")
    tap.until(lambda: search("--from", "@elsewhere.example"))
    t.same(search("--rule", "not-two", "--since", "1h", "--from", "<bob@elsewhere.example>"),
           [("not-two", 550)], "history by rule, time and sender")
    every = search("--limit", "0")
    t.ok(len(every) >= 6 and ("no-programs", 550) in every, "all of it", every)
    t.same(search("--limit", "2"), every[:2], "two of it")
    t.same(search("--until", "2020-01-01"), [], "long ago")
    t.same(search("--action", "quarantine", "--subject", "papers", "--to", "@example.com",
                  "--client", "127.0.0.0/8"), [("papers", 250)], "by what it came to")
    done = daemon.cli("history", "--rule", "not-two")
    t.ok(done.returncode == 0 and " reject     550 not-two 127.0.0.1 <bob@elsewhere.example> "
         "<two@example.com> " in done.stdout, "for people", done.stdout, done.stderr)
    for words in (("--since", "yesterday"), ("--limit", "x"), ("--nonsense", "x"), ("x",)):
        t.same(daemon.cli("history", *words).returncode, 64, "64: history " + " ".join(words))


RULES = """\
# kept
policy default {
    rule a {
        mode shadow;      # since monday
        when size > 0; then reject "a";
    }
    rule b { mode shadow; when subject ~ /mode shadow;}/; then reject "b"; }   # kept, too
    rule c {
	when size > 1;
	mode    shadow ;
	then reject "c";
    }
    rule d { when size > 1G; then reject "d"; mode shadow; }
    rule live { when size > 2G; then reject "l"; }
}
policy other extends default for rcpt @sales.example.com {
    rule a { mode shadow; }
    rule c { when size > 3; }
}
"""


def promote(t, daemon):
    policy = t.write("postern/policy.conf", RULES)
    os.chmod(policy, 0o640)
    daemon.cli("reload")
    generation = daemon.status()["generation"]
    net.send(daemon.address, "carol@client.example", ["one@example.com"], MAIL % b"trial")

    def trials(*words):
        return daemon.cli("history", "--from", "carol@client.example", *words).stdout

    t.ok(tap.until(trials), "a message passes rules in shadow")
    for words in (("--would", "reject"), ("--rule", "a")):
        t.ok(" accept     250 - " in trials(*words) and ' would="reject:a" upstream=up trial\n' in trials(*words),
             "what would have become of it: history " + " ".join(words), trials())
    t.same(trials("--would", "quarantine"), "", "and what would not")

    def text():
        with open(policy) as f:
            return f.read()

    done = daemon.cli("promote", "--dry-run", "c")
    t.ok(done.returncode == 0 and text() == RULES and done.stdout == """\
--- {0}
+++ {0}
@@ -8,5 +8,4 @@
     rule c {{
 \twhen size > 1;
-\tmode    shadow ;
 \tthen reject "c";
     }}
""".format(policy), "promote --dry-run", done.stdout, done.stderr)
    done = daemon.cli("promote", "c")
    t.ok(done.returncode == 0 and done.stdout.endswith("reloaded\n")
         and text() == RULES.replace("\tmode    shadow ;\n", "")
         and os.stat(policy).st_mode & 0o777 == 0o640,
         "a line of its own goes, the rest stays", done.stdout, done.stderr, text())
    t.ok(tap.until(lambda: daemon.status()["generation"] == generation + 1), "and it is reloaded")
    for rule, words, old, new in (
            ("b", (), "rule b { mode shadow; when subject", "rule b { when subject"),
            ("d", (), 'reject "d"; mode shadow; }', 'reject "d"; }'),
            ("a", ("--policy", "default"), "        mode shadow;      # since", "        # since")):
        before = text()
        done = daemon.cli("promote", "--no-reload", *words, rule)
        t.ok(done.returncode == 0 and text() == before.replace(old, new)
             and done.stdout.endswith("written; not reloaded\n"), "promote " + rule,
             done.stdout, done.stderr, text())
    t.write("postern/policy.conf", RULES)
    for words, code, said in ((("a",), 64, "--policy"), (("live",), 65, "live already"),
                              (("nosuch",), 64, "there is no rule"), ((), 64, "usage"),
                              (("--policy", "other", "c"), 65, "by the policy that")):
        done = daemon.cli("promote", *words)
        t.ok(done.returncode == code and said in done.stderr and text() == RULES,
             "%d: promote %s" % (code, " ".join(words)), done.stdout, done.stderr)
    done = daemon.cli("promote", "--no-reload", "--json", "d")
    got = json.loads(done.stdout)
    t.ok(got["rule"] == "d" and got["policy"] == "default" and got["written"] is True
         and got["reloaded"] is False and "-    rule d" in got["diff"], "promote --json", got)
    t.write("postern/policy.conf", "policy default {\n" + POLICY + "}\n")
    t.same(daemon.cli("reload").returncode, 0, "all as before")


def top(t, daemon):
    def counted():
        series = daemon.status().get("series", {})
        n = series.get('rules_fired_total{rule="not-two"}', 0)
        return n if n == 3 and any("quarantine" in name for name in series) else 0

    before = tap.until(counted)  # they come now and then
    t.same(before, 3, "the keeper counts how often rules fire", daemon.status())
    done = daemon.cli("top", "--once", "--interval", "0.2")
    t.ok(done.returncode == 0 and re.search(r"^sessions \d+ now, [\d.]+/s   messages ", done.stdout,
                                            re.M)
         and re.search(r"^ +0\.0/s +%d  not-two$" % before, done.stdout, re.M)
         and re.search(r"^ +0\.0/s +\d+  quarantine", done.stdout, re.M),
         "top --once", done.stdout, done.stderr)
    # Counters reach the keeper now and then: watch until these do.
    watch = subprocess.Popen([os.path.join(daemon.build, "postern"), "-c", daemon.conf, "--json",
                              "top", "--interval", "0.5"], stdout=subprocess.PIPE, text=True)
    watch.stdout.readline()  # it has seen how things stood
    for _ in range(5):
        net.send(daemon.address, "x@y.example", ["two@example.com"], b"x")
    counts = []
    while sum(counts) < 4.5 and len(counts) < 20:
        got = json.loads(watch.stdout.readline())
        counts.append(got["series"]['rules_fired_total{rule="not-two"}']["rate"] * got["seconds"])
    watch.kill()
    watch.wait()
    t.ok(4.5 < sum(counts) < 5.5, "top --json, again and again", counts)
    for words in (("--interval", "0"), ("--interval", "x"), ("x",)):
        t.same(daemon.cli("top", *words).returncode, 64, "64: top " + " ".join(words))


def drain(t, daemon):
    c = net.Client(daemon.address)
    c.envelope("ada@client.example", ["one@example.com"])
    done = daemon.cli("drain")
    t.ok(done.returncode == 0 and done.stdout == "draining\n", "drain", done.stdout, done.stderr)

    # All close the socket at once: who comes now need not wait in vain.
    def refused():
        try:
            with net.Client(daemon.address, greet=False, timeout=0.5) as late:
                late.reply()
        except ConnectionRefusedError:
            return True
        except (OSError, net.Cut):
            pass
        return False

    t.ok(tap.until(refused), "who is new is refused")
    waits = subprocess.Popen([os.path.join(daemon.build, "postern"), "-c", daemon.conf, "drain",
                              "--wait"], stdout=subprocess.PIPE, text=True)
    tap.until(lambda: any(line.split()[5] == "03" and line.endswith("/control\n")
                          for line in open("/proc/net/unix")
                          if daemon.dir in line))
    time.sleep(0.5)  # it has come, and asks
    t.same(c.data(MAIL % b"at last").code, 250, "who was there goes on")
    t.ok(c.quit().code == 221 and daemon.process.wait(20) == 0, "then it ends")
    t.same((waits.communicate(timeout=20)[0], waits.returncode), ("ended\n", 0), "drain --wait")


def test(t):
    conf(t)
    t.folder("postern")
    policy = t.write("postern/policy.conf", "policy default {\n" + POLICY + "}\n")
    daemon = Postern(t, extra="include policy.conf; message_size_limit 64K;")
    facts(t, daemon)
    scores(t, daemon)
    trying(t, daemon)
    profile(t, daemon)
    replay(t, daemon)
    explain(t, daemon, policy)
    history(t, daemon)
    top(t, daemon)
    promote(t, daemon)
    drain(t, daemon)


tap.run(test, 120)
