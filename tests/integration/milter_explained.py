"""milter_explained - what a milter says, in the words of postern.

A refusal of a milter is told like a rule's: in the log, in `postern explain`
with the fact that rules find it in, in the counters. A rule that allows
overrides it, one over its facts decides as any other, `enforce no` only tells.
"""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from milterd import *
from postern import Postern

POLICY = """
    rule ours   { when sender = ours@client.example; then allow; }
    rule twice  { when milter.sign.action is reject or quarantine and
                       header("X-Twice") = "yes"; then reject 550 5.7.20 "not signed"; }
    rule bounce { when milter.sign.action is not reject; then sender set <>; }
"""


def gateway(t, m, name, extra=""):
    return Postern(t, name=name, policy=POLICY,
                   extra="milter sign { server %s; }\n%s" % (m.server, extra))


def send(daemon, sender="ada@client.example", head=b""):
    before = len(daemon.log())
    with net.Client(daemon.address) as c:
        for r in c.envelope(sender, ["one@example.com"]):
            if r.code >= 400:
                break
        else:
            r = c.data(head + b"Subject: one\r\n\r\nhello\r\n")
    line = tap.until(lambda: re.search(r"^.* id=(\S+) ev=(?:message|refused) .*$|"
                                       r"^.*\bid=(\S+) .*\bev=(?:message|refused)\b.*$",
                                       daemon.log()[before:], re.M), 10)
    return r, line.group(0), line.group(1) or line.group(2)


def explained(daemon, ident):
    done = tap.until(lambda: (lambda d: d if d.returncode == 0 else None)(
        daemon.cli("explain", ident)), 10)
    return done.stdout


def behind(text, title):
    """The paragraph under a title, or ''."""
    found = re.search(r"^%s\n((?:.+\n)+)" % re.escape(title), text, re.M)
    return found.group(1) if found else ""


def test(t):
    m = Milterd(t, lambda conn, name, data: reply("550 5.7.9 who signed this?")
                if name == "eom" else None)
    daemon = gateway(t, m, "explained")

    r, line, ident = send(daemon)
    t.ok(r.code == 550 and r.text.startswith("5.7.9 who signed this?") and
         'rule="milter.sign"' in line and "action=reject" in line,
         "a milter's refusal is told as a rule's", r, line)
    text = explained(daemon, ident)
    t.ok("  milter.sign said reject 550 5.7.9 \"who signed this?\" at message\n"
         "    milter.sign.action is reject\n" == behind(text, "decided by"),
         "explain says what it said", text)

    r, line, ident = send(daemon, head=b"X-Twice: yes\r\n")
    text = explained(daemon, ident)
    t.ok(r.code == 550 and r.text.startswith("5.7.20 not signed") and 'rule="twice"' in line,
         "a rule over its facts goes before it", r, line)
    t.ok("milter.sign.action is reject or quarantine: true, it is \"reject\"" in
         behind(text, "decided by") and
         "milter.sign said reject" in behind(text, "also fired"), "and both are told", text)

    r, line, ident = send(daemon, sender="ours@client.example")
    text = explained(daemon, ident)
    t.ok(r.code == 250 and "action=accept" in line and
         "ours: allowed at mail" in behind(text, "allowed by"),
         "a rule that allows overrides it", r, line, text)

    got = tap.until(lambda: re.search(r'rules_fired_total\{[^}]*milter\.sign[^}]*\}"?:? *(\{[^}]*\}|\S+)',
                                      daemon.cli("top", "--once", json_out=True).stdout), 10)
    t.ok(got, "it is counted like a rule", daemon.cli("top", "--once", json_out=True).stdout[:3000])

    m.script = lambda conn, name, data: TEMPFAIL if name == "rcpt" else None
    r, line, ident = send(daemon)
    text = explained(daemon, ident)
    t.ok(r.code == 451 and "milter.sign said tempfail 451" in behind(text, "decided by") and
         "milter.sign.early-action is tempfail" in text, "at rcpt as well", r, line, text)

    m.script = lambda conn, name, data: [quarantine("look here"), CONTINUE] \
        if name == "eom" else None
    r, line, ident = send(daemon)
    text = explained(daemon, ident)
    t.ok(r.code == 250 and [h["class"] for h in daemon.quarantine()] == ["hold"] and
         "milter.sign said hold \"look here\"" in text, "what it holds the keeper has", r, text)

    lenient = Postern(t, name="lenient", policy="",
                      extra="milter sign { server %s; obey no; }\n" % m.server)
    m.script = lambda conn, name, data: reply("550 5.7.9 who signed this?") \
        if name == "eom" else None
    r, line, ident = send(lenient)
    text = explained(lenient, ident)
    t.ok(r.code == 250 and '  milter.sign said reject 550 5.7.9 "who signed this?" at message, '
         "which is not obeyed\n" in text, "what is not obeyed is told as what it said", r, text)
    m.script = lambda conn, name, data: [add_header("X-Signed", "yes"), CONTINUE] \
        if name == "eom" else None
    r, line, ident = send(daemon)
    text = explained(daemon, ident)
    t.ok(r.code == 250 and "  milter.sign said continue at message, and changed the message\n" in text,
         "what changed the message as well", r, text)
    m.close()
    r, line, ident = send(daemon)
    text = explained(daemon, ident)
    t.ok(r.code == 451 and behind(text, "decided by") ==
         "  milter.sign: it had no answer (on unavailable)\n" and "no rule" not in text,
         "one that is away decides, too", r, line, text)
    m = Milterd(t, None)
    daemon = gateway(t, m, "again")

    m.script = None
    r, line, ident = send(daemon)
    t.ok(r.code == 250 and 'onward_from="<>"' in line and "rule=\"bounce\"" in line,
         "a rule may ask that it said nothing against it", r, line)

    m.script = lambda conn, name, data: REJECT if name == "eom" else None
    shadow = gateway(t, m, "shadow", "enforce no;")
    r, line, ident = send(shadow)
    text = explained(shadow, ident)
    t.ok(r.code == 250 and 'would="reject:milter.sign"' in line and
         "milter.sign said reject" in behind(text, "would have decided"),
         "enforce no only tells", r, line, text)


tap.run(test, 60)
