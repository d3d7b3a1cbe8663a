"""policies - policies for different recipients, and the effect of every action.

Every mail of tests/data/policies (tests/lib/cases.py has the words of a case)
goes through the real daemon to a next hop that keeps what it was told.
"""

import json
import os
import quopri
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from cases import DATA, PROGRAM, attachment, multipart, read_cases, talk, zipped
from postern import Postern
from sink import Sink

STRIPPED = (b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n")


def without(raw, line):
    assert raw.count(line) == 1, (line, raw)
    return raw.replace(line, b"")


def undone(case, got):
    """What came through with the edits taken back, part by part; and the same
    octets of what was sent."""
    sent = case.message()
    parts = list(case.parts)
    for what, text in case.edits:
        line = text.encode() + b"\r\n"
        if what == "+":
            assert line in got.partition(b"\r\n\r\n")[0] + b"\r\n", (line, got)
            got = without(got, line)
        elif what == "-":
            sent = without(sent, line)
        elif what == "first":
            assert got.startswith(line), got
            got = got[len(line):]
        elif what == "subject":
            got = without(got, b"Subject: " + line)
            sent = without(sent, b"Subject: %s\r\n" % case.get("subject").encode())
        elif what == "strip":
            part = parts.pop(0)
            at = sent.index(part)
            begin = got.index(STRIPPED)
            assert got[:begin] == sent[:at], (got[:begin], sent[:at])
            end = got.index(b"\r\n--", begin)
            note = got[begin:end].partition(b"\r\n\r\n")[2]
            assert text.encode() in quopri.decodestring(note), note
            sent, got = sent[at + len(part):], got[end:]
        elif what == "block":
            at = sent.index(parts[0])
            end = got.index(b"]\r\n", at) + 3
            assert got[:at] == sent[:at] and text.encode() in got[at:end], got
            sent, got = sent[at + len(parts.pop(0)):], got[end:]
        elif what == "body":
            head, _, body = got.partition(b"\r\n\r\n")
            assert STRIPPED in head + b"\r\n", head
            assert b"octet-stream" not in head and b"attachment" not in head, head
            assert text.encode() in quopri.decodestring(body), body
            return b"", b""
        else:
            raise KeyError(what)
    return got, sent


def edits_are_right(t, case, message):
    try:
        got, sent = undone(case, message.raw)
        why = None if got == sent else "got:  %r\nsent: %r" % (got, sent)
    except (AssertionError, ValueError) as e:
        why = repr(e)
    return t.ok(why is None, "%s: edits %s, the rest as it was" % (
        case.name, ", ".join(e[0] for e in case.edits) or "none"), why)


def explained(daemon, ident):
    def ask():
        done = daemon.cli("explain", ident, json_out=True)
        return json.loads(done.stdout) if done.returncode == 0 else None
    answer = tap.until(ask, 10, 0.1)
    return answer and answer.get("message", answer)["trace"]


def fired(trace):
    """Rules that fired: name, and whether its values were told."""
    return {r["rule"]: "when" in r for s in trace["stages"] for r in s["rules"]
            if r.get("result") in ("fired", "allowed")}


def summary(daemon, before):
    """The new summary line as a dict."""
    found = tap.until(lambda: re.search(
        r"^.*\bid=(\S+) .*\bev=(?:message|refused)\b.*$", daemon.log()[before:], re.M), 10)
    words = dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', found.group(0)))
    return {k: v.strip('"') for k, v in words.items()}


def whole(t, daemon, case, ident):
    held = [m for m in daemon.quarantine() if m["id"] == ident]
    got = daemon.cli("quarantine", "export", ident)
    t.ok(len(held) == 1 and held[0]["class"] == case.get("kept"),
         "%s: kept, class %s" % (case.name, case.get("kept")), held, got.stderr)


def one_case(t, daemon, sink, case, explain):
    before, had = len(daemon.log()), len(sink.messages)
    stage, reply, rcpts = talk(daemon, case)
    said = "%d %s" % (reply.code, reply.text)
    ok = stage == case.get("at", stage if reply.code >= 400 and not case.get("at")
                           else "dot") and said.startswith(case.get("reply", "250"))
    ok = ok and (stage != "dot" or [r.code for r in rcpts] == [c for _, c in case.rcpts])
    line = summary(daemon, before)
    action, _, rule = case.get("verdict", "accept").partition(" ")
    want = {"action": action, "rule": rule,
            "policy": {"none": None}.get(case.get("policy"), case.get("policy", "default")),
            "score": case.get("score"), "would": None}
    if case.get("would"):
        want["would"] = case.get("would").replace(" ", ":")
    seen = {k: line.get(k) for k in want}
    t.ok(ok and seen == want and case.get("note", "") in line.get("note", ""),
         "%s: %s" % (case.name, case.get("verdict", "accept")),
         "%s at %s" % (reply, stage), "got:  %r" % seen, "want: %r" % want, line, rcpts)
    new = sink.messages[had:]
    onward = case.get("onward")
    if reply.code == 250 and action not in ("quarantine", "discard"):
        to = [r.split(b"<")[1].split(b">")[0].decode() for r in new[0].rcpts] if new else []
        t.same(to, onward.split() if onward else [a for a, c in case.rcpts if c == 250],
               "%s: the next hop has it for the right ones" % case.name, line)
        if new:
            edits_are_right(t, case, new[0])
    else:
        t.same(len(new), 0, "%s: nobody gets it" % case.name)
    if case.get("kept"):
        whole(t, daemon, case, line["id"])
    names = [n for n in (case.get("fired"), rule, (case.get("would") or " ").split(" ", 1)[1])
             if n]
    if names:
        explain.append((case, line["id"], names))


def explains(t, daemon, ask):
    wrong = []
    for case, ident, names in ask:
        trace = explained(daemon, ident)
        if trace is None or not all(fired(trace).get(n) for n in names):
            wrong.append("%s: %s: %s" % (case.name, names, trace and fired(trace)))
    t.ok(not wrong, "explain of %d mails names the rules that fired, with their values"
         % len(ask), *wrong)


def gateway(t, sink, name, extra=""):
    return Postern(t, name=name, upstream="server %s; identity xclient;" % sink.server,
                   listen="listen smtp 127.0.0.1:0 { upstream up;"
                   " identity from 127.0.0.1 xclient; }", policy=None,
                   top="include %s/policy.conf;" % DATA, extra=extra,
                   hosts={"192.0.2.7": "client.example"})


def random_mail(dice):
    """A tree of parts, some of them programs: the mail, and these in order."""
    gone = []

    def part(depth):
        kind = dice.choice(["text", "text", "exe", "zip", "multi", "message"][:6 if depth < 3 else 4])
        if kind == "exe":
            gone.append(attachment(b"p%d.exe" % len(gone),
                                   b"MZ" + dice.randbytes(dice.randrange(2, 3000))))
            return gone[-1]
        if kind == "zip":
            gone.append(attachment(b"p%d.zip" % len(gone), zipped("x%d.scr" % len(gone),
                                                                 PROGRAM)))
            return gone[-1]
        if kind == "multi":
            return multi(depth + 1)
        if kind == "message":
            return b"Content-Type: message/rfc822\r\n\r\nSubject: f\r\n" + multi(depth + 1)
        return b"Content-Type: text/plain\r\n\r\n" + b"".join(
            dice.choice([b"line\r\n", b".dot\r\n", b"--\r\n", b"\r\n", b"\xc3\xa4\r\n"])
            for _ in range(dice.randrange(6))) + b"end"

    def multi(depth):
        boundary = b"=_%d_%d" % (depth, dice.randrange(1 << 30))
        return multipart([part(depth) for _ in range(dice.randrange(1, 5))], boundary)

    return b"Subject: a tree\r\n" + multi(0), gone


def trees(t, daemon, sink):
    """Whatever the tree: each program becomes a note, no other octet moves."""
    dice, wrong, parts = random.Random(3), [], 0
    with net.Client(daemon.address) as c:
        c.cmd("XCLIENT ADDR=192.0.2.7")
        c.cmd("EHLO client.example")
        for i in range(100):
            had = len(sink.messages)
            sent, gone = random_mail(dice)
            reply = c.mail("ada@client.example", ["sam@sales.example.com"], sent)
            got = sink.messages[had].raw if len(sink.messages) > had else b""
            pieces = [b""]
            for part in gone:
                before, _, sent = sent.partition(part)
                pieces[-1] += before
                pieces.append(b"")
                parts += 1
            pieces[-1] += sent
            pattern = rb"Content-Type: text/plain; charset=utf-8\r\n[^\0]{1,400}?".join(
                re.escape(p) for p in pieces)
            if reply.code != 250 or not re.fullmatch(pattern, got) or b"MZ" in got:
                wrong.append((i, reply, len(gone), got[:2000]))
    t.ok(not wrong, "100 trees with %d programs: each is a note, all else as it was" % parts,
         *wrong[:2])


def many(t, sink):
    """As many recipients as the limit allows, of two policies."""
    daemon = gateway(t, sink, "many", extra="mixed strictest;")
    had = len(sink.messages)
    to = ["u%d@%sexample.com" % (i, "sales." if i % 2 else "") for i in range(1000)]
    with net.Client(daemon.address, timeout=60) as c:
        replies = c.envelope("ada@client.example", to)[1:]
        reply = c.data(b"Subject: invoice 1, archive\r\n\r\nhello\r\n")
    t.ok(all(r.code == 250 for r in replies) and reply.code == 250 and
         len(sink.messages) == had + 1 and len(sink.messages[-1].rcpts) == 1001,
         "1000 recipients of two policies, and a copy", reply, replies[-1],
         daemon.log()[-1000:])


def own_maildir(t):
    """What rules do to recipients where postern itself delivers."""
    daemon = Postern(t, name="maildir", policy=None, top="include %s/policy.conf;" % DATA
                     + ' policy far for rcpt far@example.com { rule out { when subject contains'
                     ' "away"; then redirect ada@elsewhere.example, quarantine copy; } }')

    def send(to, subject):
        return net.send(daemon.address, "ada@client.example", [to],
                        b"Subject: %s\r\n\r\nhello\r\n" % subject)
    reply = send("one@example.com", b"archive")
    held = daemon.delivered(b"Subject: archive\n")
    t.ok(reply.code == 250 and held == 2 and
         daemon.delivered(b"Delivered-To: archive@example.com") == 1,
         "a maildir has the mail, once for each", reply, held)
    reply = send("one@example.com", b"divert")
    t.ok(reply.code == 250 and daemon.delivered(b"Delivered-To: abuse@example.com") == 1,
         "and what is redirected", reply)
    reply = send("far@example.com", b"away")
    t.ok(reply.code == 451 and daemon.delivered(b"Subject: away") == 0 and
         daemon.wait_log("ev=onward.*relay_domains"),
         "what would have to leave is 451, and the log says why", reply)
    t.same(daemon.quarantine(), [], "and no copy is kept of what comes again")


def held_and_bounced(t):
    """`hold` and `sender set`, of the proxy; a macro that only a test has."""
    eml = t.write("held.eml", b"Subject: hold me\r\n\r\nhello\r\n")
    daemon = Postern(t, name="hold", policy='''
        rule held    { when subject contains "hold me" or macro("{auth_type}") = "PLAIN";
                       then hold "look at $subject";
                       test "by name" file %s expect quarantine;
                       test "by macro" file %s with macro("auth_type") "plain"
                                       expect quarantine; }
        rule nobody  { when header("X-From") = "nobody"; then sender set <>; }
        rule another { when subject contains "another"; then sender set b+1@example.com; }
        rule both    { when subject contains "both"; then quarantine class odd; }
        rule more    { when subject contains "hold me"; then rcpt add two@example.com; }
    ''' % (eml, t.write("other.eml", b"Subject: other\r\n\r\nhello\r\n")))

    def send(text):
        before = len(daemon.log())
        reply = net.send(daemon.address, "ada@client.example", ["one@example.com"],
                         text + b"\r\n\r\nhello\r\n")
        return reply, summary(daemon, before)

    reply, line = send(b"X-From: nobody\r\nSubject: one")
    t.ok(reply.code == 250 and daemon.delivered(b"Return-Path: <>\n") == 1 and
         line["onward_from"] == "<>", "sender set <> is the maildir's Return-Path", reply, line)
    reply, line = send(b"X-From: nobody\r\nSubject: another")
    t.ok(reply.code == 250 and daemon.delivered(b"Return-Path: <b+1@example.com>\n") == 1 and
         line["from"] == "<ada@client.example>" and line["onward_from"] == "<b+1@example.com>",
         "of two the later one counts", reply, line)
    trace = explained(daemon, line["id"])
    t.same(trace["onward_sender"], "b+1@example.com", "and the trace has it")
    said = daemon.cli("explain", line["id"]).stdout
    t.ok("onward   from <b+1@example.com>\n" in said and
         "then sender set b+1@example.com\n" in said, "explain says so", said)
    reply, line = send(b"Subject: hold me")
    held = daemon.quarantine()
    t.ok(reply.code == 250 and "held as" in reply.text and
         [h["class"] for h in held] == ["hold"] and "onward" not in line,
         "what the proxy holds is in the keeper's class hold, as it came", reply, held, line)
    trace = explained(daemon, line["id"])
    t.same((trace["verdict"]["class"], trace["verdict"]["why"]), ("hold", "look at hold me"),
           "the trace says why")
    reply, line = send(b"Subject: hold me, both")
    t.ok(reply.code == 250 and line["rule"] == "both" and
         sorted(h["class"] for h in daemon.quarantine()) == ["hold", "odd"],
         "a quarantine of another rule is not weakened", reply, line)
    ran = daemon.cli("test")
    t.same(ran.returncode, 0, "tests give macros", ran.stdout, ran.stderr)


def mixed(t, sink):
    """Recipients of three policies in one mail: defer, strictest."""
    defer = gateway(t, sink, "defer")
    strictest = gateway(t, sink, "strictest", extra="mixed strictest;")
    three = ["one@example.com", "sam@sales.example.com", "boss@example.com"]
    body = b"Subject: a prize\r\n\r\nhello\r\n"
    with net.Client(defer.address) as c:
        got = [r.code for r in c.envelope("ada@client.example", three)[1:]]
        later = c.envelope("ada@client.example", [])
    t.same(got, [250, 452, 452], "defer: the first one's policy, the others come back")
    with net.Client(defer.address) as c:
        replies = c.envelope("ada@client.example", ["nobody@example.com"] + three[1:])[1:]
        reply = c.data(body)
    t.ok([r.code for r in replies] == [550, 250, 452] and reply.code == 250,
         "defer: who was refused is not the first", replies, reply)
    t.ok(re.match(rb"452 4\.5\.3 send this recipient separately \[ref \w+\]", replies[2].raw),
         "the reply says what to do", replies[2])
    with net.Client(strictest.address) as c:
        before = len(strictest.log())
        replies = c.envelope("ada@client.example", three)[1:]
        reply = c.data(body)
    line = summary(strictest, before)
    t.ok([r.code for r in replies] == [250] * 3 and
         reply.text.startswith("5.7.1 not for the boss"),
         "strictest: all are taken, one refusal is for all", replies, reply)
    t.same((line["policy"], line["rule"]), ("default,sales,strict", "threshold reject"),
           "strictest: the line names each policy")
    with net.Client(strictest.address) as c:
        before, had = len(strictest.log()), len(sink.messages)
        c.envelope("ada@client.example", three[:2])
        reply = c.data(body)
    line = summary(strictest, before)
    raw = sink.messages[-1].raw
    t.ok(reply.code == 250 and len(sink.messages) == had + 1 and
         raw.startswith(b"Subject: [SPAM] a prize\r\nX-Spam: yes, 6\r\n"),
         "strictest: what one policy changes is changed for all", reply, raw)
    trace = explained(strictest, line["id"])
    judged = [(s["policy"], s.get("rcpt")) for s in trace["stages"] if s["stage"] != "connect"]
    t.ok(("default", "one@example.com") in judged and ("sales", "sam@sales.example.com") in judged
         and ("default", None) in judged and ("sales", None) in judged,
         "strictest: the trace has each policy's stages", judged)
    old = strictest.cli("scan", "--rcpt", three[0], "--rcpt", three[2], "-",
                        json_out=True, stdin=open(t.write("prize.eml", body)))
    answer = json.loads(old.stdout)
    t.same((answer["action"], answer["rule"]), ("reject", "threshold reject"),
           "postern scan judges as strictly", old.stdout)
    old = defer.cli("scan", "--rcpt", three[1], "-", json_out=True,
                    stdin=open(t.path("prize.eml")))
    t.same(json.loads(old.stdout)["trace"]["policy"], "sales",
           "postern scan takes the recipient's policy", old.stdout)


def nothing_enforced(t, sink):
    daemon = gateway(t, sink, "shadow", extra="enforce no;")
    had = len(sink.messages)
    with net.Client(daemon.address) as c:
        before = len(daemon.log())
        reply = c.mail("spammer@evil.example", ["one@example.com"],
                       b"Subject: divert EICAR prize\r\n\r\nhello\r\n")
    line = summary(daemon, before)
    t.ok(reply.code == 250 and line["would"] == "reject:bad-sender" and
         line["action"] == "accept" and len(sink.messages) == had + 1 and
         sink.messages[-1].raw == b"Subject: divert EICAR prize\r\n\r\nhello\r\n" and
         sink.messages[-1].rcpts == [b"RCPT TO:<one@example.com>"],
         "enforce no: nothing is done, and the line says what would have been", reply, line)


def test(t):
    sink = Sink()
    t.defer(sink.close)
    cases = read_cases()
    t.ok(len(cases) >= 60, "there are %d cases" % len(cases))
    daemon = gateway(t, sink, "postern")
    ask = []
    for case in cases:
        one_case(t, daemon, sink, case, ask)
    explains(t, daemon, ask)
    trees(t, daemon, sink)
    mixed(t, sink)
    many(t, sink)
    own_maildir(t)
    held_and_bounced(t)
    nothing_enforced(t, sink)


tap.run(test, 240)
