"""logs - programs that read Postfix's log read ours: pflogsumm and fail2ban
count what really happened. And a verdict as a line of JSON.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern, SOURCE
from sink import Sink

POLICY = """
rule banned  { when client.ip = "127.0.0.3"; then reject 550 5.7.1 "go away"; }
rule left    { when rcpt = "left@example.com"; then reject 550 5.1.1 "has left"; }
rule forger  { when sender = "forger@client.example"; then reject 554 5.7.1 "no such sender"; }
rule spam    { when subject contains "spam"; then reject 554 5.7.1 "spam"; }
rule later   { when subject contains "later"; then tempfail 451 4.7.1 "come again"; }
rule hold    { when subject contains "hold"; then quarantine class papers; }
rule sink    { when subject contains "sink"; then discard; }
rule shadow  { mode shadow; when size > 0; then reject 550 5.7.1 "would be"; }
rule liar    { early; when helo.name = "liar.example"; then reject 550 5.7.1 "no such host"; }
rule mark    { when subject contains "plain"; then header add X-Seen "yes"; }
"""
MAIL = b"From: ada@client.example\r\nMessage-ID:\r\n <%s.1@client.example>\r\nSubject: %s\r\n\r\nbody\r\n"


def unknown(session, stage, line):
    if stage == "rcpt" and b"nobody@" in line:
        return b"550 5.1.1 <nobody@example.com>: Recipient address rejected: " \
               b"User unknown in local recipient table\r\n"
    if stage == "body" and b"Subject: full" in line:
        return b"452 4.3.1 Insufficient system storage\r\n"
    return None


def traffic(t, daemon):
    def send(subject, rcpts=("one@example.com",), sender="ada@client.example", **kw):
        return net.send(daemon.address, sender, list(rcpts), MAIL % (subject, subject), **kw).code

    t.same([send(b"plain") for _ in range(3)], [250] * 3, "three go through")
    t.same(send(b"plain", ("one@example.com", "two@example.com"), source="127.0.0.9"), 250,
           "one to two recipients")
    t.same([send(b"plain", source="127.0.0.3") for _ in range(2)], [550] * 2, "two are banned")
    t.same(send(b"plain", ["left@example.com"], source="127.0.0.4"), 550, "has left")
    t.same(send(b"plain", ["nobody@example.com"], source="127.0.0.5"), 550, "user unknown")
    t.same(send(b"plain", sender="forger@client.example", source="127.0.0.6"), 554, "a forger")
    t.same([send(s, source="127.0.0.7") for s in (b"spam", b"later", b"full")], [554, 451, 452],
           "refused by what they hold")
    t.same([send(s) for s in (b"hold", b"sink")], [250, 250], "held and discarded")
    with net.Client(daemon.address, source="127.0.0.2", helo="liar.example") as c:
        t.same(c.ehlo.code, 550, "a liar")
        c.quit()
    with net.Client(daemon.address, source="127.0.0.8") as c:
        for _ in range(6):
            c.cmd("NONSENSE")
    daemon.wait_log(r"too many errors|lost connection after")


def count(pattern, text):
    found = re.search(pattern, text, re.M)
    return int(found.group(1)) if found else None


def pflogsumm(t, log, name="postfix"):
    if not shutil.which("pflogsumm"):
        t.note("pflogsumm is not installed")
        return
    done = subprocess.run(["pflogsumm", "--syslog-name=" + name, "--smtpd-stats", log],
                          capture_output=True, text=True, timeout=60)
    text = done.stdout
    got = {what: count(r"^ +(\d+) +%s\b" % what, text)
           for what in ("received", "delivered", "deferred", "bounced", "rejected", "held",
                        "discarded")}
    # As with Postfix, what a content filter stops has been received.
    t.same(got, {"received": 9, "delivered": 5, "deferred": 0, "bounced": 0, "rejected": 9,
                 "held": 1, "discarded": 1}, "pflogsumm counts what happened", text, done.stderr)
    t.ok("Client host rejected: go away (total: 2)" in text
         and "Recipient address rejected: has left (total: 1)" in text
         and "Sender address rejected: no such sender (total: 1)" in text
         and re.search(r"^ +5 +\S+ +0 +\S+ s +\S+ s +example\.com", text, re.M),
         "with the reasons, and the recipients' domain", text)


def fail2ban(t, log, conf, *more):
    """The addresses the filter would count, with how often."""
    if not shutil.which("fail2ban-regex"):
        t.note("fail2ban is not installed")
        return None
    done = subprocess.run(["fail2ban-regex", "--print-all-matched", *more, log, conf],
                          capture_output=True, text=True, timeout=60)
    text = done.stdout
    hosts = {}
    for line in text[text.find("Matched line(s)"):].splitlines():
        found = re.search(r"(?:\[|client=)(127\.0\.0\.\d)\b", line)
        if line.startswith("|") and found:
            hosts[found.group(1)] = hosts.get(found.group(1), 0) + 1
    if count(r", (\d+) matched,", text) != sum(hosts.values()):
        t.note(text)
    return hosts


def read_logs(t, daemon, name="postfix"):
    log = daemon.log_path
    text = daemon.log()
    pflogsumm(t, log, name)
    stock = "/etc/fail2ban/filter.d/postfix.conf"
    if os.path.exists(stock):
        t.same(fail2ban(t, log, stock), {"127.0.0.3": 2, "127.0.0.5": 1, "127.0.0.8": 1},
               "fail2ban's own filter finds the banned, the unknown user, the babbler", text)
    first = re.search(r"Z \w[\w-]* %s/smtp\[\d+\]: (\w+): to=<one@example\.com>, "
                      r"relay=up\[127\.0\.0\.1\]:%s, delay=\d+\.\d\d, dsn=2\.0\.0, "
                      r"status=sent \(250 2\.0\.0 Ok: queued\)$"
                      % (name, daemon.next_hop), text, re.M)
    if t.ok(first, "where a message went", text):
        lines = [line.partition("]: ")[2].partition(": ")[2] for line in text.splitlines()
                 if "]: %s: " % first.group(1) in line]
        t.same([re.sub(r"(size|delay)=[\d.]+", r"\1=N", line) for line in lines],
               ["client=unknown[127.0.0.1]", "message-id=<plain.1@client.example>",
                "from=<ada@client.example>, size=N, nrcpt=1 (queue active)",
                "to=<one@example.com>, relay=up[127.0.0.1]:%s, delay=N, dsn=2.0.0, "
                "status=sent (250 2.0.0 Ok: queued)" % daemon.next_hop, "removed"],
               "the way of one message, as Postfix tells it")


def own_lines(t, daemon):
    conf = os.path.join(SOURCE, "contrib/fail2ban/postern.conf")
    if not shutil.which("fail2ban-regex"):
        return
    # Beside common.conf, as in /etc/fail2ban/filter.d.
    folder = t.folder("filter.d")
    for f in ("/etc/fail2ban/filter.d/common.conf", conf):
        shutil.copy(f, folder)
    conf = os.path.join(folder, "postern.conf")
    refused = {"127.0.0.2": 1, "127.0.0.3": 2, "127.0.0.4": 1, "127.0.0.5": 1, "127.0.0.6": 1}
    t.same(fail2ban(t, daemon.log_path, conf), refused, "our own filter, on our own lines")
    t.same(fail2ban(t, daemon.log_path, conf + "[mode=aggressive]"),
           dict(refused, **{"127.0.0.7": 1}), "and in mode aggressive")


def verdicts(t, daemon):
    got = [json.loads(line) for line in daemon.log().splitlines() if line.startswith("{")]
    t.same(len(got), 15, "a JSON line each verdict")
    one = [v for v in got if v["rule"] == "spam"][0]
    t.ok(re.match(r"\d{4}-\d\d-\d\dT[\d:]+\.\d{6}Z$", one.pop("time")) and one.pop("id")
         and one.pop("size") > 50 and one.pop("listener")
         and re.fullmatch(r"127\.0\.0\.1:\d+", one.pop("server")), "with time, id, size and server", one)
    t.same(one, {"action": "reject", "code": 554, "status": "5.7.1", "text": "spam",
                 "degraded": False, "rule": "spam", "client": "127.0.0.7", "name": "",
                 "helo": "client.example", "authenticated": False,
                 "sender": "ada@client.example", "recipients": ["one@example.com"],
                 "accepted": 1, "refused": 0, "policy": "default", "score": 0,
                 "fired": ["spam"], "shadow": ["shadow"], "upstream": "up"},
           "and everything else")


def binding(t):
    """What no relay can help is said to who can."""
    sink = Sink(announce=("AUTH SCRAM-SHA-1 SCRAM-SHA-1-PLUS",),
                script=lambda s, stage, line:
                b"535 5.7.8 Error: authentication failed\r\n" if stage == "auth" else None)
    t.defer(sink.close)
    d = Postern(t, upstream="server %s; identity none;" % sink.server, name="binding",
                listen="listen smtp 127.0.0.1:0 { upstream up; auth clear; }")
    said = r"level=warn .*ev=login upstream=up mechanism=SCRAM-SHA-1 code=535 why=.*-PLUS"

    def login(flag):
        with net.Client(d.address) as c:
            c.cmd("EHLO x")
            first = base64.b64encode(flag + b",,n=ada,r=secret").decode()
            t.same(c.cmd("AUTH SCRAM-SHA-1 " + first).code, 535, "%s is refused" % flag)

    login(b"n")
    login(b"y")
    t.ok(d.wait_log(said), "-PLUS at the next hop, and a client that could: a warning", d.log())
    t.same(len(re.findall(said, d.log())), 1, "but not of the client that could not")
    t.same(len(re.findall(r"ev=login client=127\.0\.0\.1 .* result=refused code=535$",
                          d.log(), re.M)), 2, "both were refused")


def test(t):
    binding(t)
    sink = Sink(script=unknown)
    t.defer(sink.close)

    def daemon(name, extra):
        d = Postern(t, upstream="server %s; identity xclient;" % sink.server, policy=POLICY,
                    extra="error_limit 5; " + extra, name=name)
        d.next_hop = sink.address[1]
        return d

    both = daemon("both", "log_style both postfix; log_verdicts json;")
    traffic(t, both)
    read_logs(t, both)
    own_lines(t, both)
    verdicts(t, both)
    t.same(both.terminate(), 0, "it ends")
    alone = daemon("alone", "log_style postfix postfix-edge;")
    traffic(t, alone)
    read_logs(t, alone, "postfix-edge")
    t.ok(not re.search(r"ev=(message|refused)", alone.log())
         and re.search(r"Z [\w-]+ posternd\[\d+\]: level=info proc=master ev=start", alone.log()),
         "log_style postfix: our lines about mail are left out", alone.log()[:600])
    for line, said in (("log_style postfics;", 'did you mean "postfix"'),
                       ('log_style both "a b";', "no name for a log line"),
                       ("log_verdicts xml;", 'unknown form of verdicts "xml"')):
        bad = t.write("bad.conf", line + "\n")
        done = subprocess.run([os.path.join(both.build, "posternd"), "-t", "-c", bad],
                              capture_output=True, text=True)
        t.ok(done.returncode == 78 and said in done.stderr, line, done.stderr)


tap.run(test, 180)
