"""milter_client - milters of others behind the proxy, scripted.

Each action at each stage, two of them in order, what they change octet for
octet at the next hop, silent and unwanted callbacks, versions 2 to 6, time
limits, `on unavailable`, and milters that die or talk nonsense anywhere.
"""

import os
import re
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from milterd import *
from postern import Postern
from sink import Sink

BODY = (b"Received: from a by b;\r\n\tMon, 23 Nov 2026 10:00:00 +0000\r\n"
        b"From: ada@client.example\r\nTo: one@example.com\r\n"
        b"X-Twice: first\r\nSubject:no blank\r\nX-Twice: second\r\n"
        b"\r\nhello\r\n.dot\r\n")


def block(name, server, more=""):
    return "milter %s { server %s; %s }\n" % (name, server, more)


class World:
    """A daemon with a sink behind it, and its milters in front of both."""

    def __init__(self, t, name, milters, policy=None, **kw):
        self.t = t
        self.sink = Sink()
        t.defer(self.sink.close)
        self.daemon = Postern(
            t, upstream="server %s; identity none;" % self.sink.server, name=name,
            policy=policy, extra=milters, **kw)

    def mail(self, body=BODY, rcpts=("one@example.com",), sender="ada@client.example"):
        with net.Client(self.daemon.address) as c:
            return self.more(c, body, rcpts, sender)

    def more(self, c, body=BODY, rcpts=("one@example.com",),
             sender="ada@client.example"):
        for r in c.envelope(sender, list(rcpts)):
            if r.code >= 400:
                return r
        return c.data(body)


def straight(t):
    m = Milterd(t)
    w = World(t, "straight", block("one", m.server))
    r = w.mail()
    t.same(r.code, 250, "a mail passes a milter", r, w.daemon.log()[-2000:])
    t.same(w.sink.messages[-1].raw, BODY, "and is the same")
    m.settle()
    t.same(m.names(), ["options", "connect", "helo", "mail", "rcpt", "data", "header",
                       "eoh", "eom", "quit_nc"], "its callbacks, in order")
    t.same(m.told("connect"), [b"unknown\0" + b"4" + m.told("connect")[0][9:11] +
                               b"127.0.0.1\0"], "connect tells name, port, address")
    t.same(m.told("helo"), [b"client.example\0"], "helo")
    t.same(m.told("mail"), [b"<ada@client.example>\0"], "mail")
    t.same(m.told("rcpt"), [b"<one@example.com>\0"], "rcpt")
    t.same(m.told("header"), [
        b"Received\0from a by b;\n\tMon, 23 Nov 2026 10:00:00 +0000\0",
        b"From\0ada@client.example\0", b"To\0one@example.com\0", b"X-Twice\0first\0",
        b"Subject\0no blank\0", b"X-Twice\0second\0"],
        "headers, folded with LF, the first blank taken")
    t.same(m.told("eom"), [b"hello\r\n.dot\r\n"], "the last of the body with the end")
    return w


EARLY = ("connect", "helo", "mail", "rcpt")
LATE = ("data", "header", "eoh", "eom")


def at(stage, what):
    """A script that says this at that stage alone, and goes on elsewhere."""
    return lambda conn, name, data: what if name == stage else None


def refusals(t, w):
    """Each refusal at each stage."""
    for what, text in ((REJECT, "550 5.7.1 Command rejected"),
                       (TEMPFAIL, "451 4.7.1 Service unavailable - try again later"),
                       (reply("554 5.7.9 not 100%% here"), "554 5.7.9 not 100% here"),
                       (reply("450-4.2.0 one\r\n450 4.2.0 two"),
                        "450-4.2.0 one\r\n450 4.2.0 two")):
        for stage in EARLY + LATE:
            w.script = at(stage, what)
            before = len(w.sink.messages)
            r = w.mail()
            t.ok(re.fullmatch(re.escape(text) + r" \[ref \w+\]",
                              r.raw.decode().strip()) is not None,
                 "%r at %s is what the client hears" % (what[4:], stage), r)
            t.same(len(w.sink.messages), before, "and nobody gets the mail")


def accepts(t, w):
    """Accept ends the session's or the mail's callbacks."""
    for stage in EARLY + LATE:
        w.script = at(stage, ACCEPT)
        w.m.forget()
        with net.Client(w.daemon.address) as c:
            t.same([w.more(c).code, w.more(c).code], [250, 250],
                   "two mails pass after accept at " + stage)
        w.m.settle()
        times = 1 if stage in ("connect", "helo") else 2
        t.same(sum(n == stage for n in w.m.names()), times if stage != "header" else 2,
               "%s is told %d times" % (stage, times), w.m.names())
        t.same(w.m.names()[-2 if stage in ("connect", "helo") or stage == "eom"
                           else -3:][0], stage, "nothing comes behind", w.m.names())


def changed(head, body=b"hello\r\n.dot\r\n"):
    return b"".join(head) + b"\r\n" + body


FIELDS = [b"Received: from a by b;\r\n\tMon, 23 Nov 2026 10:00:00 +0000\r\n",
          b"From: ada@client.example\r\n", b"To: one@example.com\r\n",
          b"X-Twice: first\r\n", b"Subject:no blank\r\n", b"X-Twice: second\r\n"]
CHANGES = (
    ("add", [add_header("X-New", "new")], changed(FIELDS + [b"X-New: new\r\n"])),
    ("add, folded", [add_header("X-New", "new\n\tand more\nbad")],
     changed(FIELDS + [b"X-New: new\r\n\tand more\r\n\tbad\r\n"])),
    ("insert at 0", [insert_header(0, "X-New", "new")],
     changed([b"X-New: new\r\n"] + FIELDS)),
    ("insert at 1: behind what the next hop puts in front",
     [insert_header(1, "X-New", "new")], changed([b"X-New: new\r\n"] + FIELDS)),
    ("insert at 1, then at 0",
     [insert_header(1, "X-B", "b"), insert_header(0, "X-A", "a")],
     changed([b"X-A: a\r\n", b"X-B: b\r\n"] + FIELDS)),
    ("insert at 3", [insert_header(3, "X-New", "new")],
     changed(FIELDS[:2] + [b"X-New: new\r\n"] + FIELDS[2:])),
    ("insert beyond the last", [insert_header(99, "X-New", "new")],
     changed(FIELDS + [b"X-New: new\r\n"])),
    ("change the second", [change_header(2, "x-twice", "2nd")],
     changed(FIELDS[:5] + [b"x-twice: 2nd\r\n"])),
    ("change number 0: the first", [change_header(0, "X-Twice", "1st")],
     changed(FIELDS[:3] + [b"X-Twice: 1st\r\n"] + FIELDS[4:])),
    ("change what is not there: added", [change_header(1, "X-None", "now")],
     changed(FIELDS + [b"X-None: now\r\n"])),
    ("delete both, the first first", [change_header(1, "X-Twice", "")] * 2,
     changed(FIELDS[:3] + FIELDS[4:5])),
    ("delete a third that is not there", [change_header(3, "X-Twice", "")], BODY),
    ("delete a folded one", [change_header(1, "Received", "")], changed(FIELDS[1:])),
    ("delete, then count again",
     [change_header(1, "X-Twice", ""), change_header(1, "X-Twice", "left")],
     changed(FIELDS[:3] + FIELDS[4:5] + [b"X-Twice: left\r\n"])),
    ("body", [replace_body(b"new\r\n.with a dot\r\n")],
     changed(FIELDS, b"new\r\n.with a dot\r\n")),
    ("body in pieces, any line ends",
     [replace_body(b"one\r"), replace_body(b"\ntwo\nth"), replace_body(b"ree\rfour")],
     changed(FIELDS, b"one\r\ntwo\r\nthree\r\nfour\r\n")),
    ("body of nothing", [replace_body(b"")], changed(FIELDS, b"")),
    ("all at once", [replace_body(b"b\r\n"), add_header("X-A", "a"),
                     change_header(1, "Subject", "s"), insert_header(0, "X-I", "i")],
     changed([b"X-I: i\r\n"] + FIELDS[:4] + [b"Subject: s\r\n"] + FIELDS[5:] +
             [b"X-A: a\r\n"], b"b\r\n")),
)


def changes(t, w):
    """What the next hop gets, octet for octet."""
    for name, packets, want in CHANGES:
        w.script = at("eom", packets + [CONTINUE])
        r = w.mail()
        t.same((r.code, w.sink.messages[-1].raw), (250, want), name, r)
        w.script = at("eom", packets + [reply("550 5.7.1 no")])
        before = len(w.sink.messages)
        t.same((w.mail().code, len(w.sink.messages)), (550, before), name + ", refused")
    for name, packets, mail, rcpts in (
            ("add a recipient", [add_rcpt("<two@example.com>")], "ada@client.example",
             ["one", "two"]),
            ("add one that is there", [add_rcpt("one@example.com")],
             "ada@client.example", ["one"]),
            ("add with parameters", [add_rcpt("<two@example.com>", "NOTIFY=NEVER")],
             "ada@client.example", ["one", "two"]),
            ("another for the one", [delete_rcpt("<one@example.com>"),
                                     add_rcpt("two@example.com")],
             "ada@client.example", ["two"]),
            ("another sender", [change_from("<bob@client.example>")],
             "bob@client.example", ["one"]),
            ("no sender", [change_from("<>")], "", ["one"])):
        w.script = at("eom", packets + [ACCEPT])
        r = w.mail()
        got = w.sink.messages[-1]
        t.same((r.code, re.findall(r"<(.*?)>", got.mail.decode() if
                                   isinstance(got.mail, bytes) else got.mail)[0],
                sorted(re.findall(r"<(.*?)@", " ".join(
                    x.decode() if isinstance(x, bytes) else x for x in got.rcpts)))),
               (250, mail, rcpts), name, r)
    w.script = at("eom", [delete_rcpt("one@example.com"), CONTINUE])
    before = len(w.sink.messages)
    t.same((w.mail().code, len(w.sink.messages)), (250, before),
           "no recipient left: taken, and nobody gets it")


def test(t):
    straight(t)
    m = Milterd(t, lambda *a: w.script(*a), name="bent")
    w = World(t, "bent", block("one", m.server))
    w.m = m
    refusals(t, w)
    accepts(t, w)
    changes(t, w)


tap.run(test, limit_s=240)
