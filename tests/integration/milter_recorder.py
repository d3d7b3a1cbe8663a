"""milter_recorder - a milter of ours hears the same from the proxy as from Postfix.

tests/lib/recorder.c writes down each callback with its arguments and macros
and answers as the case says. Each case runs once under a real Postfix and once
behind the proxy: the log must be the same but for milter_sides.OWN, and so must
what the client heard and what arrived, but for DIFFERENT. Commands that are
none the proxy's milters do not hear of.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import milter
import tap
from milter_sides import CUT, KEYWORDS, Outcome, PosternSide, PostfixSide, compare, mail, stages, told
from peers import Recorder

HEAD = (b"Received: from far.example (far.example [192.0.2.7])\r\n"
        b"\tby nine.helo (Exim) with ESMTP id 1; Mon, 23 Nov 2026 09:59:58 +0000\r\n"
        b"From: Ada <ada@client.example>\r\n"
        b"To: One <one@example.com>,\r\n Two <two@example.com>\r\n"
        b"Subject: a first\r\n\tand a second line\r\n"
        b"X-Two:  two blanks\r\nX-None:no blank\r\nX-Empty:\r\nX-Tab:\ttab\r\n"
        b"X-Eight: Gr\xc3\xbc\xc3\x9fe\r\nX-Twice: 1\r\nX-Twice: 2\r\nX-Twice: 3\r\n"
        b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-Id: <a@client.example>\r\n")
TEXT = HEAD + b"\r\nHello,\r\n.a dot\r\n..two\r\n\r\nbye\r\n"
BIG = HEAD + b"\r\n" + b"".join(b"%06d %s\r\n" % (i, b"x" * 71) for i in range(2500))
TWO = ("one@example.com", "two@example.com")


def turn(at, say="continue", *reply, change=(), **more):
    got = dict(more, at=at, say=say, change=list(change))
    if reply:
        got["reply"] = list(reply)
    return got


def eom(*change):
    """A case that changes something."""
    return {"turns": [turn("eom", change=change)], "steps": mail(TEXT, rcpts=TWO)}


# All there is to know of a client.
CLIENT = {"symbols": {
    "connect": "{client_addr} {client_name} {client_ptr} {client_resolve} {client_port} _",
    "mail": "{auth_authen} {auth_type} {mail_addr}"}}

# name: turns of the recorder, the steps of the client, and what it negotiates.
CASES = {
    "plain": {"steps": mail(TEXT, rcpts=TWO)},
    "esmtp parameters": {"steps": mail(TEXT, params=" SIZE=1000 BODY=8BITMIME")},
    "DSN parameters": {"steps": mail(
        TEXT, params=" RET=HDRS ENVID=abc+2Bd SMTPUTF8",
        rcpt_params=" NOTIFY=FAILURE,DELAY ORCPT=rfc822;one@example.com")},
    "quoted addresses": {"steps": mail(TEXT, sender='"a b"@client.example',
                                       rcpts=('"c d"@example.com',))},
    "null sender": {"steps": mail(TEXT, sender="")},
    "no body": {"steps": mail(HEAD)},
    "empty body": {"steps": mail(HEAD + b"\r\n")},
    "no header": {"steps": mail(b"\r\nnothing above\r\n")},
    "big body": {"steps": mail(BIG)},
    "HELO": {"steps": mail(TEXT), "helo": "HELO nine.helo"},
    "HELO twice": {"steps": ["EHLO ten.helo"] + mail(TEXT)},
    "no HELO": {"steps": ["NOOP"], "helo": None},
    "two mails": {"steps": mail(TEXT) + mail(HEAD, sender="bob@client.example", rcpts=TWO)},
    "RSET after MAIL": {"steps": ["MAIL FROM:<ada@client.example>", "RSET"] + mail(TEXT)},
    "RSET after RCPT": {"steps": ["MAIL FROM:<ada@client.example>",
                                  "RCPT TO:<one@example.com>", "RSET"] + mail(TEXT)},
    "EHLO in a mail": {"steps": ["MAIL FROM:<ada@client.example>", "EHLO ten.helo"]
                       + mail(TEXT)},
    "QUIT in a mail": {"steps": ["MAIL FROM:<ada@client.example>"]},
    "cut after HELO": {"steps": [CUT]},
    "cut after RCPT": {"steps": ["MAIL FROM:<ada@client.example>",
                                 "RCPT TO:<one@example.com>", CUT]},
    "unknown command": {"steps": ["XYZZY now"] + mail(TEXT)},
    "blanks as they came": {"steps": mail(TEXT), "want": {"steps": milter.HDR_LEADSPC}},
    "nothing asked for": {"steps": mail(TEXT), "want": {
        "steps": milter.NOCONNECT | milter.NOHELO | milter.NOMAIL | milter.NORCPT
        | milter.NODATA | milter.NOHDRS | milter.NOEOH | milter.NOBODY
        | milter.NOUNKNOWN}},
    "envelope alone": {"steps": mail(TEXT), "want": {
        "steps": milter.NOHDRS | milter.NOEOH | milter.NOBODY}},
    "no answers waited for": {"steps": mail(BIG), "want": {
        "steps": milter.NR_CONN | milter.NR_HELO | milter.NR_MAIL | milter.NR_RCPT
        | milter.NR_DATA | milter.NR_HDR | milter.NR_EOH | milter.NR_BODY
        | milter.NR_UNKN}},
    "skip": {"steps": mail(BIG), "want": {"steps": milter.SKIP},
             "turns": [turn("body", "skip")]},
    "macros chosen": {"steps": mail(TEXT, rcpts=TWO), "want": {"symbols": {
        "connect": "{client_addr} {client_name} {client_ptr} {client_resolve} j",
        "helo": "{client_addr}", "mail": "{mail_addr} {client_name}",
        "rcpt": "{rcpt_addr} {client_addr}", "data": "i {mail_addr}",
        "eoh": "i", "eom": "i {rcpt_addr}"}}},
    # clients
    "a client with a name": {"steps": mail(TEXT), "who":
                             "NAME=mx.far.example ADDR=192.0.2.7 REVERSE_NAME=mx.far.example",
                             "want": CLIENT},
    "a forged name": {"steps": mail(TEXT), "who":
                      "NAME=[UNAVAILABLE] ADDR=192.0.2.7 REVERSE_NAME=forged.example",
                      # XCLIENT cannot tell Postfix that it is FORGED.
                      "want": {"symbols": {"connect": "{client_name} {client_ptr} _"}}},
    "a name for now unknown": {"steps": mail(TEXT), "who":
                               "NAME=[TEMPUNAVAIL] ADDR=192.0.2.7 REVERSE_NAME=[TEMPUNAVAIL]",
                               "want": CLIENT},
    "a client over IPv6": {"steps": mail(TEXT), "who": "NAME=six.far.example"
                           " ADDR=IPV6:2001:db8::7 REVERSE_NAME=six.far.example",
                           "want": CLIENT},
    "IPv6, no name": {"steps": mail(TEXT), "want": CLIENT, "who":
                      "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 REVERSE_NAME=[UNAVAILABLE]"},
    "a login": {"steps": mail(TEXT), "want": CLIENT, "who":
                "NAME=mx.far.example ADDR=192.0.2.7 REVERSE_NAME=mx.far.example LOGIN=ada"},
    # changes
    "add a field": eom(["addheader", "X-Added", "one"], ["addheader", "X-Added", "two"],
                       ["addheader", "X-Folded", "one\n\ttwo\n three"]),
    "insert fields": eom(["insheader", 0, "X-Zero", "0"], ["insheader", 1, "X-One", "1"],
                         ["insheader", 3, "X-Three", "3"],
                         ["insheader", 99, "X-Last", "99"]),
    "change fields": eom(["chgheader", "subject", 1, "another"],
                         ["chgheader", "X-Twice", 2, "two"],
                         ["chgheader", "X-New", 1, "not there before"],
                         ["chgheader", "X-Twice", 9, "nor a ninth"]),
    "delete fields": eom(["chgheader", "X-Twice", 2, None], ["chgheader", "To", 1, None],
                         ["chgheader", "X-Absent", 1, None],
                         ["chgheader", "X-Twice", 1, None]),
    "all fields at once": eom(["insheader", 0, "X-Top", "1"],
                              ["chgheader", "X-Twice", 3, None],
                              ["addheader", "X-Twice", "4"],
                              ["chgheader", "X-Twice", 3, "was the fourth"],
                              ["chgheader", "X-Top", 1, "changed again"]),
    "a field with its blanks": dict(
        eom(["addheader", "X-A", "  two"], ["insheader", 0, "X-B", ""],
            ["chgheader", "X-Two", 1, "\tone tab"]),
        want={"steps": milter.HDR_LEADSPC}),
    "replace the body": eom(["replacebody", "another body\r\n"], ["replacebody", ".dot\r\n"]),
    "a new body without an end": eom(["replacebody", "no line end"]),
    "recipients": eom(["addrcpt", "<three@example.com>"], ["delrcpt", "<two@example.com>"]),
    "add one who is there": eom(["addrcpt", "<one@example.com>"]),
    "delete one who is not": eom(["delrcpt", "<none@example.com>"]),
    "delete all": eom(["delrcpt", "<one@example.com>"], ["delrcpt", "<two@example.com>"]),
    "sender": eom(["chgfrom", "<bob@other.example>"]),
    "sender, with a parameter": eom(["chgfrom", "<bob@other.example>", "BODY=8BITMIME"]),
    "null sender made": eom(["chgfrom", "<>"]),
    "quarantine": eom(["quarantine", "have a look"]),
    "progress": eom(["progress"], ["wait", 300], ["progress"], ["addheader", "X-A", "late"]),
    "changes and a refusal": {"steps": mail(TEXT), "turns": [
        turn("eom", "reject", "550", "5.7.1", "after all", change=[
            ["addheader", "X-A", "b"], ["addrcpt", "<three@example.com>"]])]},
    # answers
    "accept at connect": {"steps": mail(TEXT), "turns": [turn("connect", "accept")]},
    "accept at HELO": {"steps": mail(TEXT) + mail(TEXT), "turns": [turn("helo", "accept")]},
    "accept at MAIL": {"steps": mail(TEXT) + mail(TEXT),
                       "turns": [turn("mail", "accept", nth=1)]},
    "accept at RCPT": {"steps": mail(TEXT, rcpts=TWO), "turns": [turn("rcpt", "accept")]},
    "accept at the header": {"steps": mail(TEXT), "turns": [turn("header", "accept")]},
    "accept at the end": {"steps": mail(TEXT), "turns": [
        turn("eom", "accept", change=[["addheader", "X-A", "b"]])]},
    "discard at MAIL": {"steps": mail(TEXT), "turns": [turn("mail", "discard")]},
    "discard at RCPT": {"steps": mail(TEXT, rcpts=TWO), "turns": [turn("rcpt", "discard")]},
    "discard at the body": {"steps": mail(TEXT), "turns": [turn("body", "discard")]},
    "discard at the end": {"steps": mail(TEXT) + mail(HEAD),
                           "turns": [turn("eom", "discard", nth=1)]},
    "one recipient refused": {"steps": mail(TEXT, rcpts=TWO), "turns": [
        turn("rcpt", "reject", "550", "5.1.1", "not him", arg="<one@example.com>")]},
    "one recipient later": {"steps": mail(TEXT, rcpts=TWO), "turns": [
        turn("rcpt", "tempfail", "450", "4.2.1", "not now", nth=2)]},
    "many lines": {"steps": mail(TEXT), "turns": [
        turn("eom", "reject", "554", "5.7.1", "first line", "second line", "100%% sure")]},
    "words at length": {"steps": mail(TEXT), "turns": [
        turn("eom", "reject", "554", "5.7.1", *["%02d%s" % (i, " words" * 60)
                                                for i in range(20)])]},
    "temporary with 421": {"steps": mail(TEXT), "turns": [
        turn("mail", "tempfail", "421", "4.7.0", "come back another day")]},
    "a line without enhanced code": {"steps": mail(TEXT), "turns": [
        turn("eom", "reject", "550", None, "no code here")]},
}
STAGES = ("connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body", "eom")
for at in STAGES:
    for say in ("reject", "tempfail"):
        CASES["%s at %s" % (say, at)] = {"steps": mail(TEXT, rcpts=TWO),
                                         "turns": [turn(at, say)]}
    if at != "connect":
        CASES["own words at %s" % at] = {"steps": mail(TEXT, rcpts=TWO), "turns": [
            turn(at, "reject", "554", "5.7.1", "own words")]}




def at_rcpt(outcome):
    """
    What a milter says of the connection, HELO and MAIL the proxy's client
    hears at RCPT, as of a rule: the log has the recipients then. Postfix has
    no words for the connection, and waits until MAIL.
    """
    refused = [r for r in outcome.replies if r[0] >= 400][-1]
    return Outcome([(220, ""), (250, ""), (250, ""), refused, refused, (221, "")], [], 0)


def once(outcome):
    """A recipient who is there already is not added again."""
    return Outcome(outcome.replies, [(f, sorted(set(r)), m) for f, r, m in outcome.sent], 0)


def own_unknown(outcome):
    """The words for a command that is none are the proxy's own."""
    replies = [(500, "5.5.1 Error: command not recognized") if r[0] == 500 else r
               for r in outcome.replies]
    return Outcome(replies, outcome.sent, outcome.held)


def dismissed(outcome):
    """421 at MAIL: said at RCPT, as all that is; then the connection ends."""
    return Outcome([(220, ""), (250, ""), (250, ""), outcome.replies[2], "cut"], [], 0)


# Cases whose outcome differs from Postfix's, and how.
DIFFERENT = {"%s at %s" % (say, at): at_rcpt for at in ("connect", "helo", "mail")
             for say in ("reject", "tempfail", "own words")}
DIFFERENT.update({"add one who is there": once, "unknown command": own_unknown,
                  "temporary with 421": dismissed})


# What libmilter's callbacks are in a plain mail with two recipients.
PLAIN = ["negotiate", "connect", "helo", "mail", "rcpt", "rcpt", "data", "header", "eoh",
         "body", "eom", "close"]


# Two in a row: (turns of the first, of the second).
ROWS = {
    "the second sees what the first did": (
        [turn("eom", change=[["insheader", 0, "X-A", "1"], ["addheader", "X-B", "2"],
                             ["chgheader", "Subject", 1, "by a"],
                             ["chgheader", "X-Twice", 2, None],
                             ["replacebody", "body of a\r\n"]])],
        [turn("eom", change=[["chgheader", "X-A", 1, "by b"],
                             ["insheader", 0, "X-C", "on top of a"]])]),
    "both change the envelope": (
        [turn("eom", change=[["addrcpt", "<three@example.com>"],
                             ["chgfrom", "<a@other.example>"]])],
        [turn("eom", change=[["delrcpt", "<three@example.com>"],
                             ["delrcpt", "<one@example.com>"]])]),
    "both replace the body": (
        [turn("eom", change=[["replacebody", "of a\r\n"]])],
        [turn("eom", change=[["replacebody", "of b\r\n"]])]),
    "the first refuses the message": ([turn("eom", "reject", "550", "5.7.1", "by a")], []),
    "the second refuses the message": (
        [turn("eom", change=[["addheader", "X-A", "1"]])],
        [turn("eom", "reject", "550", "5.7.1", "by b")]),
    "the first accepts at MAIL": ([turn("mail", "accept")], []),
    "the first accepts at the end": (
        [turn("eom", "accept", change=[["addheader", "X-A", "1"]])], []),
    "the first holds": ([turn("eom", change=[["quarantine", "a"]])], []),
    "the second throws away": ([], [turn("eom", "discard")]),
    "the first refuses one recipient": (
        [turn("rcpt", "reject", "550", "5.1.1", "not him", arg="<one@example.com>")], []),
}
# Where the second is told otherwise than by Postfix: what it hears of, and why.
ROWS_DIFFERENT = {
    # A rule may take whom a milter refuses: each milter knows all recipients.
    "the first refuses one recipient":
        ["negotiate", "connect", "helo", "mail", "rcpt", "rcpt", "data", "header", "eoh",
         "body", "eom", "close"],
    # DATA is told with the message, when the one before has let it pass.
    "the first refuses the message":
        ["negotiate", "connect", "helo", "mail", "rcpt", "rcpt", "abort", "close"],
    # What is held is judged to the end: who looks at it sees all there is.
    "the first holds":
        ["negotiate", "connect", "helo", "mail", "rcpt", "rcpt", "data", "header", "eoh",
         "body", "eom", "close"],
}
# No milter, or one that dies at a stage; with both answers to that.
AWAY = ("nobody",) + STAGES


def run(recorder, side, case):
    """(what came of it, what the milter was told, the entries)."""
    recorder.script(*case.get("turns", ()), **case.get("want", {}))
    recorder.restart()
    kw = {k: case[k] for k in ("helo", "who") if k in case}
    outcome = side.talk(case["steps"], **kw)
    recorder.closed(2 if "who" in case else 1)
    entries = recorder.heard()
    return outcome, told(entries), entries


def heard(lines):
    """Without what the proxy does not pass on."""
    return [line for line in sum(lines, []) if not line.startswith("unknown ")]


def cases(t, recorder, postfix, postern, names):
    want = {name: run(recorder, postfix, CASES[name]) for name in names}
    got = {name: run(recorder, postern, CASES[name]) for name in names}
    if "plain" in want:
        t.same(stages(want["plain"][2]), PLAIN, "Postfix calls all callbacks")
    for name in names:
        t.ok(all(all(e["done"]) for e in want[name][2] if "done" in e),
             "%s: Postfix's milter could do it" % name, *want[name][1])
        as_is = DIFFERENT.get(name, lambda outcome: outcome)
        compare(t, "%s: the same came of it" % name, got[name][0], as_is(want[name][0]))
        compare(t, "%s: the milter was told the same" % name,
                heard(got[name][1]), heard(want[name][1]))


def versions(t, recorder, postfix, postern, asked):
    """
    The protocol down to version 2. Postfix knows no 5, and offers with all
    what version 6 brought for the end of the message.
    """
    for version in (2, 3, 4, 6):
        postfix.postfix.set("milter_protocol=%d" % version)
        want = run(recorder, postfix, CASES["plain"])
        postern.ask(asked, "protocol %d;" % version)
        got = run(recorder, postern, CASES["plain"])
        compare(t, "version %d: the same came of it" % version, got[0], want[0])
        lines = heard(got[1]), heard(want[1])
        if version < 6:
            lines = [[re.sub(r"^negotiate \[\d+,", "negotiate [*,", x) for x in side]
                     for side in lines]
        compare(t, "version %d: the milter was told the same" % version, *lines)
    postern.ask(asked, "")


def in_a_row(t, first, postfix, postern):
    second = Recorder(t, "second")
    asked = [("first", first.address), ("second", second.address)]
    steps = mail(TEXT, rcpts=TWO)

    def row(side, turns):
        for recorder, mine in zip((first, second), turns):
            recorder.script(*mine)
            recorder.restart()
        outcome = side.talk(steps)
        for recorder in (first, second):
            recorder.closed(1)
        return (outcome, [heard(told(r.heard())) for r in (first, second)],
                stages(second.heard()))

    postfix.ask(asked)
    want = {name: row(postfix, turns) for name, turns in ROWS.items()}
    postern.ask(asked)
    for name, turns in ROWS.items():
        outcome, lines, callbacks = row(postern, turns)
        compare(t, "%s: the same came of it" % name, outcome, want[name][0])
        compare(t, "%s: the first was told the same" % name, lines[0], want[name][1][0])
        if name in ROWS_DIFFERENT:
            t.same(callbacks, ROWS_DIFFERENT[name], "%s: what the second was told" % name)
        else:
            compare(t, "%s: the second was told the same" % name, lines[1],
                    want[name][1][1])


def away(t, recorder, postfix, postern):
    """Refused for now, or taken, as configured: the code is compared."""
    steps = mail(TEXT)
    nobody = [("recorder", "inet:127.0.0.1:9")]
    asked = [("recorder", recorder.address)]

    def outcome(side, at):
        if at != "nobody":
            recorder.script(turn(at, change=[["die"]]))
            recorder.restart()
        got = side.talk(steps)
        codes = [r[0] if r != "cut" else r for r in got.replies if r == "cut" or r[0] >= 400]
        return codes[:1], len(got.sent)

    for what, setting in (("tempfail", "on unavailable tempfail;"),
                          ("accept", "on unavailable accept;")):
        postfix.postfix.set("milter_default_action=" + what)
        for milters, stages_here in ((nobody, AWAY[:1]), (asked, AWAY[1:])):
            postfix.ask(milters)
            postern.ask(milters, setting)
            for at in stages_here:
                t.same(outcome(postern, at), outcome(postfix, at),
                       "%s, %s: as Postfix" % (what, at))


def over_unix(t, postfix, postern):
    """At a socket that two other users may write to."""
    recorder = Recorder(t, "unix", unix=True)
    outcomes = []
    for side in (postfix, postern):
        recorder.restart()
        side.ask([("unix", recorder.address)])
        outcomes.append((side.talk(mail(TEXT)), recorder.closed(1), told(recorder.heard())[-1:]))
    compare(t, "over a unix socket: the same came of it", outcomes[1][0], outcomes[0][0])
    compare(t, "over a unix socket: the milter was told the same", heard(outcomes[1][2]),
            heard(outcomes[0][2]))


def reused(t, recorder, postern):
    """One connection for client after client; each is told all of its own."""
    asked = [("recorder", recorder.address)]
    recorder.script()
    recorder.restart()
    postern.ask(asked, "")
    postern.talk(mail(TEXT))
    recorder.closed(1)
    want = heard(told(recorder.heard()))
    postern.ask(asked, "reuse yes;")
    recorder.restart()
    for i in range(3):
        postern.talk(mail(TEXT))
        recorder.closed(i + 1)
    got = told(recorder.heard())
    t.same([line.split()[0] for line in got[0][:2]], ["negotiate", "connect"],
           "the first of three conversations negotiates")
    t.ok(got[0] == want and got[1] == want[1:] and got[2] == want[1:],
         "each is told the same, and the others do not negotiate", *got)


def test(t):
    recorder = Recorder(t)
    asked = [("recorder", recorder.address)]
    postfix = PostfixSide(t, asked, keywords=KEYWORDS + ("DSN", "SMTPUTF8"))
    recorder.closed(1)  # the helper looked whether Postfix is there
    postern = PosternSide(t, asked, keywords=KEYWORDS + ("DSN", "SMTPUTF8"))
    parts = sys.argv[1:]
    cases(t, recorder, postfix, postern, [n for n in CASES if not parts or n in parts])
    if not parts or "versions" in parts:
        versions(t, recorder, postfix, postern, asked)
    if not parts or "in_a_row" in parts:
        in_a_row(t, recorder, postfix, postern)
    if not parts or "away" in parts:
        away(t, recorder, postfix, postern)
    if not parts or "over_unix" in parts:
        over_unix(t, postfix, postern)
    if not parts or "reused" in parts:
        reused(t, recorder, postern)


tap.run(test, 300)
