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
import certs
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
                       "eoh", "body", "eom", "quit"], "its callbacks, in order")
    t.same(m.told("connect"), [b"[127.0.0.1]\0" + b"4" + m.told("connect")[0][13:15] +
                               b"127.0.0.1\0"], "connect tells name, port, address")
    t.same(m.told("helo"), [b"client.example\0"], "helo")
    t.same(m.told("mail"), [b"<ada@client.example>\0"], "mail")
    t.same(m.told("rcpt"), [b"<one@example.com>\0"], "rcpt")
    t.same(m.told("header"), [
        b"Received\0from a by b;\n\tMon, 23 Nov 2026 10:00:00 +0000\0",
        b"From\0ada@client.example\0", b"To\0one@example.com\0", b"X-Twice\0first\0",
        b"Subject\0no blank\0", b"X-Twice\0second\0"],
        "headers, folded with LF, the first blank taken")
    t.same((m.told("body"), m.told("eom")), ([b"hello\r\n.dot\r\n"], [b""]),
           "the body, and its end alone")
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


def two(t):
    """In order, each sees what the one before it made of the message."""
    a = Milterd(t, at("eom", [add_header("X-A", "1"), replace_body(b"from a\r\n"),
                              change_header(1, "Subject", "by a"), CONTINUE]), name="a")
    b = Milterd(t, at("eom", [change_header(1, "X-A", "2"), insert_header(0, "X-B", "b"),
                              CONTINUE]), inet=True)
    w = World(t, "two", block("a", a.server) + block("b", b.server))
    r = w.mail()
    t.same(r.code, 250, "two milters", r, w.daemon.log()[-2000:])
    t.same(b.told("body"), [b"from a\r\n"], "the second reads the first one's body")
    t.ok(b"X-A\x001\0" in b.told("header") and b"Subject\0by a\0" in b.told("header"),
         "and header", b.told("header"))
    t.same(w.sink.messages[-1].raw,
           changed([b"X-B: b\r\n"] + FIELDS[:4] + [b"Subject: by a\r\n", FIELDS[5],
                                                   b"X-A: 2\r\n"], b"from a\r\n"),
           "the next hop gets what both made of it")
    a.forget(), b.forget()
    a.script = at("eoh", REJECT)
    t.same(w.mail().code, 550, "the first refuses")
    b.settle()
    t.same([n for n in b.names() if n in ("data", "eom")], [],
           "and the second is not asked", b.names())
    t.ok("abort" in b.names(), "but told that the mail is over", b.names())
    log = w.daemon.log()
    t.ok('rule="milter.a"' in log, "the log names the milter", log[-600:])


def sessions(t):
    """Several mails, RSET, a client that leaves, reuse of the connection."""
    m = Milterd(t)
    w = World(t, "sessions", block("one", m.server, "reuse yes;"))
    with net.Client(w.daemon.address) as c:
        w.more(c), w.more(c)
        c.envelope("ada@client.example", ["one@example.com"])
        c.cmd("RSET")
        w.more(c, rcpts=("one@example.com", "two@example.com"), sender="")
        c.cmd("EHLO again.example")
        w.more(c)
    m.settle()
    mail = ["mail", "rcpt", "data", "header", "eoh", "body", "eom"]
    t.same(m.names(), ["options", "connect", "helo"] + mail + mail +
           ["mail", "rcpt", "abort", "mail", "rcpt", "rcpt"] + mail[2:] + ["helo"] + mail +
           ["quit_nc"], "four mails and one given up")
    t.same(m.told("mail")[3], b"<>\0", "the null sender")
    t.same(m.told("helo")[1], b"again.example\0", "a name that is said again")
    m.forget()
    w.mail()
    m.settle()
    t.same((len(m.conns), m.names()[:2]), (1, ["connect", "helo"]),
           "the next session has the connection of the last", m.names())
    m.forget()
    with net.Client(w.daemon.address) as c:
        c.envelope("ada@client.example", ["one@example.com"])
        c.cmd("DATA")
        c.send(b"Subject: cut\r\n")
    m.settle()
    t.same(m.names(), ["connect", "helo", "mail", "rcpt", "abort", "quit_nc"],
           "a client that leaves in DATA")
    m.forget()
    m.script = at("data", SILENCE)
    c = net.Client(w.daemon.address)
    c.envelope("ada@client.example", ["one@example.com"])
    c.cmd("DATA")
    c.send(BODY + b".\r\n")
    tap.until(lambda: "data" in m.names())
    c.close()
    m.settle()
    t.same(m.names()[-2:], ["data", "closed"], "and one that leaves while it thinks")
    m.script = None
    t.same(w.mail().code, 250, "the next one has a new connection")
    m.hang_up()
    t.same(w.mail().code, 250, "also when the idle one was closed", w.daemon.log()[-800:])
    with net.Client(w.daemon.address) as c:
        t.same(w.more(c).code, 250, "a session begins")
        m.hang_up()
        time.sleep(0.2)
        t.same(w.more(c).code, 250, "and goes on when the milter was started anew",
               w.daemon.log()[-800:])
    m.settle()


def protocols(t):
    """What was agreed on is what is said."""
    whole = ["options", "connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body",
             "eom"]
    long = changed(FIELDS[:1], b"0123456789abcde\r\n" * 8000)
    for version in range(2, 7):
        m = Milterd(t, version=version, actions=0x3f, name="v%d" % version)
        w = World(t, "v%d" % version, block("m", m.server, "protocol %d; reuse yes;" % version))
        t.same((w.mail(long).code, w.sink.messages[-1].raw), (250, long),
               "version %d" % version, w.daemon.log()[-600:])
        m.settle()
        t.same(m.names()[:-1], [n for n in whole if n != "data" or version > 3],
               "its callbacks", m.names())
        t.same(m.names()[-1], "quit_nc" if version == 6 else "quit", "its end")
        t.same(struct.unpack(">III", m.told("options")[0]),
               {2: (2, 0x3f, 0x7f), 3: (3, 0x3f, 0x17f), 4: (4, 0x3f, 0x37f),
                5: (5, 0x3f, 0x37f), 6: (6, 0x1ff, 0x1ff7ff)}[version], "the offer")
        pieces = [len(x) for x in m.told("body") + m.told("eom")]
        t.same(pieces, [65535, 65535, 136000 - 2 * 65535, 0], "the body in pieces")
        w.daemon.end()
    for name in ("connect", "helo", "mail", "rcpt", "header", "eoh", "data", "body"):
        m = Milterd(t, protocol=NO[name], name="no-" + name)
        w = World(t, "no-" + name, block("m", m.server))
        t.same(w.mail(long).code, 250, "without " + name)
        m.settle()
        want = [n for n in whole if n != name]
        t.same(m.names()[:-1], want, "its callbacks", m.names())
        t.ok(len(m.told("eom")[0]) == 0 if name == "body" else True, "no body at the end")
        w.daemon.end()
    every = sum(MUTE.values())
    m = Milterd(t, lambda conn, name, data: None if name == "eom" else SILENCE,
                protocol=every | SKIPS | LEADING_SPACE, name="mute")
    w = World(t, "mute", block("m", m.server))
    t.same((w.mail(long).code, w.sink.messages[-1].raw), (250, long), "all silent")
    m.settle()
    t.same(m.names()[:-1], whole, "and all told", m.names())
    t.same(m.told("header")[0], b"Received\0 from a by b;\n\tMon, 23 Nov 2026 10:00:00 +0000\0",
           "with the leading blank")
    m.script = lambda conn, name, data: [add_header("X-A", "1"), add_header("X-B", " 2"),
                                         CONTINUE] if name == "eom" else SILENCE
    w.mail()
    t.same(w.sink.messages[-1].raw, changed(FIELDS + [b"X-A:1\r\n", b"X-B: 2\r\n"]),
           "values as they are, then")
    m = Milterd(t, at("body", SKIP), protocol=SKIPS, name="skip")
    w = World(t, "skip", block("m", m.server))
    t.same(w.mail(long).code, 250, "skip")
    m.settle()
    t.same([len(x) for x in m.told("body") + m.told("eom")], [65535, 0],
           "no more of the body")


def macros(t):
    m = Milterd(t, macros={"connect": "j {client_addr} {client_port} {client_name} {nope}",
                           "rcpt": "{rcpt_addr},{client_ptr}"}, name="asks")
    n = Milterd(t, name="plain")
    w = World(t, "macros", block("asks", m.server) +
              block("plain", n.server, "macros eom i mail_addr;".replace("eom", "end-of-message")))
    w.mail()
    n.settle(), m.settle()
    c = m.conns[0]
    t.same({k: v for k, v in c.macros("connect").items() if k != "{client_port}"},
           {"j": "postern.example", "{client_addr}": "127.0.0.1", "{client_name}": "unknown"},
           "what a milter asks for")
    t.same(c.macros("rcpt"), {"{rcpt_addr}": "one@example.com", "{client_ptr}": "unknown"},
           "at rcpt")
    c = n.conns[0]
    got = c.macros("connect")
    t.ok(got.pop("v").startswith("postern "), "v")
    t.same(got, {"j": "postern.example", "{daemon_name}": "postern.example",
                 "{daemon_addr}": "127.0.0.1", "_": "unknown [127.0.0.1]"},
           "what Postfix tells: connect")
    ident = c.macros("mail").pop("i")
    t.same([c.macros(x) for x in ("helo", "mail", "rcpt", "data", "eoh", "eom")],
           [{}, {"i": ident, "{mail_addr}": "ada@client.example",
                 "{mail_host}": "client.example", "{mail_mailer}": "smtp"},
            {"i": ident, "{rcpt_addr}": "one@example.com", "{rcpt_host}": "example.com",
             "{rcpt_mailer}": "smtp"}, {"i": ident}, {"i": ident},
            {"i": ident, "{mail_addr}": "ada@client.example"}],
           "and what the configuration says")


def macros_of_tls(t):
    ca, foreign = certs.Authority(t), certs.Authority(t, "foreign")
    door, own = ca.issue("door", "mx.example"), ca.issue("own", "client.example")
    m = Milterd(t, name="tls")
    w = World(t, "tls", block("m", m.server), listen="listen smtp 127.0.0.1:0 { upstream up;"
              " client_certificates ask ca %s; tls may cert %s key %s; }"
              % (ca.cert, door.cert, door.key))
    names = {"{cert_subject}": "client.example", "{cert_issuer}": "ca"}
    for who, more, what in ((own, names, "and the names in its certificate"),
                            (foreign.issue("s", "s.example"), {}, "of one nobody knows, none"),
                            (None, {}, "without one, none")):
        with certs.Client(w.daemon.address, own=who) as c:
            c.starttls()
            w.more(c)
        m.settle()
        got = m.conns[-1].macros("helo")
        cipher = got.pop("{cipher}")
        t.ok(cipher.startswith("TLS_"), "the cipher is told", cipher)
        t.same(got, dict(more, **{"{tls_version}": "TLSv1.3", "{cipher_bits}": "256"}), what)


FAILURES = [(stage, how) for stage in ("options",) + EARLY + LATE
            for how in ("dies", "silent", "nonsense", "trickle", "cut")]
WRONG = {"dies": DIE, "silent": SILENCE, "nonsense": packet(b"!"),
         "cut": [b"\0\0", DIE]}


def unavailable(t):
    """A milter that dies, stalls or talks nonsense, at each stage."""
    m = Milterd(t, bends_options=True)
    more = "connect_timeout 300ms; command_timeout 300ms; content_timeout 300ms; %s"
    w = World(t, "broken", block("m", m.server, more % ""))
    for stage, how in FAILURES:
        what = WRONG.get(how) or [b"\0", 0.2, b"\0", 0.2, b"\0", 0.2, b"\1", 0.2, b"c"]
        m.script = at(stage, what)
        began, r = time.time(), w.mail()
        t.ok(r.code == 451 and "a check is not available" in r.text and
             time.time() - began < 30, "%s at %s is 451" % (how, stage), r)
    m.script = None
    # 300 ms are not much for it here.
    t.ok(tap.until(lambda: w.mail().code == 250), "well again", w.daemon.log()[-900:])
    t.ok('module=milter.m result="well again"' in w.daemon.log(), "says the log")
    status = lambda: w.daemon.cli("status").stdout
    t.ok(tap.until(lambda: "last error: " in status(), 10),
         "the status knows the last failure", status())
    w.daemon.end()
    for say, code in (("accept", 250), ("tempfail", 451), ("unknown", 250)):
        w = World(t, "on-" + say, block("m", m.server, more % "on unavailable %s;" % say),
                  policy="rule r { when milter.m.action is accept; "
                  "on unknown reject 550 \"not known\"; then tag; }" if say == "unknown" else
                  "rule r { when milter.m.action is accept; then tag; }")
        for stage in ("options", "rcpt", "eom"):
            m.script = at(stage, DIE)
            r = w.mail()
            t.same(r.code, 550 if say == "unknown" else code,
                   "%s, dies at %s" % (say, stage), r)
        w.daemon.end()
    m.close()
    w = World(t, "nobody", block("m", m.server, more % "on unavailable accept;") +
              block("n", "inet:127.0.0.1:%d" % net.free_port(), "on unavailable accept;") +
              block("o", "inet:no.such.name.example:25", "on unavailable accept;"),
              top="unavailable_header X-Missing;")
    r = w.mail()
    t.same(r.code, 250, "nobody is there, nor under a name", r)
    t.ok(b"X-Missing: milter.m, milter.n, milter.o\r\n" in w.sink.messages[-1].raw,
         "the message tells", w.sink.messages[-1].raw)
    log = w.daemon.log()
    t.ok("module=milter.m result=failed" in log and "nobody is there" in log, "so does the log",
         log[-900:])


def judged(t):
    """Facts, obedience, and rules that know better."""
    m = Milterd(t, at("eom", [add_header("X-Spam", "yes"), reply("550 5.7.1 spam")]))
    rules = """
        rule mine { when milter.m.action is reject and milter.m.code = 550 and
                    milter.m.reply = "spam" and milter.m.header("x-spam") = "yes";
                    then header add X-Seen "$milter.m.reply"; }"""
    w = World(t, "obey-no", block("m", m.server, "obey no;"), policy=rules)
    r = w.mail()
    t.same(r.code, 250, "obey no: it is told, no more", r, w.daemon.log()[-900:])
    t.ok(b"X-Seen: spam\r\n" in w.sink.messages[-1].raw and
         b"X-Spam" not in w.sink.messages[-1].raw, "a rule sees it", w.sink.messages[-1].raw)
    w.daemon.end()
    m.script = at("eom", [add_header("X-Spam", "yes"), CONTINUE])
    w = World(t, "obey-edits", block("m", m.server, "obey edits;"))
    t.same(w.mail().code, 250, "obey edits")
    t.ok(b"X-Spam: yes\r\n" in w.sink.messages[-1].raw, "changes are made")
    m.script = at("rcpt", REJECT)
    t.same(w.mail().code, 250, "refusals are not")
    w.daemon.end()
    w = World(t, "allow", block("m", m.server), policy=
              'rule ours { when sender.domain = "client.example"; then allow; }')
    for stage in ("mail", "rcpt", "eom"):
        m.script = at(stage, REJECT)
        t.same((w.mail().code, w.mail(sender="x@else.example").code), (250, 550),
               "an allow at mail overrides a refusal at " + stage, w.daemon.log()[-900:])
    w.daemon.end()
    w = World(t, "early", block("m", m.server), policy=
              "rule e { when milter.m.early-action is reject; "
              'then reject 554 5.7.0 "as the milter says"; }')
    m.script = at("rcpt", REJECT)
    r = w.mail()
    t.ok(r.code == 554 and "as the milter says" in r.text, "a rule's text goes before", r)
    w.daemon.end()
    m.script = at("eom", [quarantine("looks odd"), CONTINUE])
    w = World(t, "hold", block("m", m.server))
    r = w.mail()
    t.ok(r.code == 250 and "held as" in r.text, "quarantine: the keeper holds it", r)
    t.same(len(w.sink.messages), 0, "nobody gets it")
    listed = w.daemon.cli("quarantine", "list").stdout
    t.ok("hold" in listed, "in class hold", listed)
    for stage in EARLY + LATE:
        m.script = at(stage, DISCARD)
        r = w.mail()
        t.same((r.code, len(w.sink.messages)), (250, 0), "discard at " + stage, r)
    for stage in EARLY + LATE:
        for what in (SHUTDOWN, CONN_FAIL):
            m.script = at(stage, what)
            t.same(w.mail().code, 421, "%r at %s" % (what[4:], stage))


def conditions(t):
    m = Milterd(t)
    for when, hears in (
            ("client.ip in 192.0.2.0/24", []),
            ("client.ip in 127.0.0.0/8",
             ["options", "connect", "helo", "mail", "rcpt", "rcpt", "data", "header"]),
            ('helo.name = "client.example"',
             ["options", "connect", "helo", "mail", "rcpt", "rcpt", "data", "header"]),
            ('sender.domain = "client.example"',
             ["options", "connect", "helo", "mail", "rcpt", "rcpt", "data", "header"]),
            ('rcpt = "two@example.com"',
             ["options", "connect", "helo", "mail", "rcpt", "data", "header"]),
            ('rcpt = "three@example.com"', [])):
        w = World(t, "when%d" % len(m.conns) + re.sub(r"\W+", "", when)[:9],
                  block("m", m.server, "when %s;" % when))
        r = w.mail(rcpts=("one@example.com", "two@example.com"))
        w.daemon.end()
        m.settle()
        t.same((r.code, m.names()[:len(hears)] if hears else m.names()), (250, hears),
               "when " + when, m.names())
        if hears.count("rcpt") == 1:
            t.same(m.told("rcpt"), [b"<two@example.com>\0"], "of that recipient alone")
        m.forget()


def limits(t):
    """Long replies, long fields, large bodies, progress, and no enforcing."""
    m = Milterd(t)
    more = "content_timeout 2s;"
    w = World(t, "limits", block("m", m.server, more), top="spool_memory 64K; spool_memory_all 0;\n")
    lines = ["550-5.7.1 %02d %s" % (i, "x" * 480) for i in range(31)] + ["550 5.7.1 end"]
    m.script = at("eom", reply("\r\n".join(lines)))
    r = w.mail()
    t.same(r.raw.decode().splitlines()[:31] if r.raw.count(b"\n") == 32 else r.raw, lines[:31],
           "a reply of 32 lines, all of it")
    m.script = at("eom", [1.2, PROGRESS, 1.2, PROGRESS, 1.2, CONTINUE])
    t.same(w.mail().code, 250, "progress is an answer for a while")
    m.script = at("eom", [1.2, 1.2, 1.2, CONTINUE])
    t.same(w.mail().code, 451, "without it time is over", w.daemon.log()[-500:])
    m.script = None
    m.forget()
    t.same(w.mail(changed([b"X-Long: " + b"x" * 65000 + b"\r\n"])).code, 250,
           "a field that just fits")
    m.settle()
    t.same([len(x) for x in m.told("header")], [65000 + 8], "is told whole")
    t.same(w.mail(changed([b"X-Long: " + b"x" * 66000 + b"\r\n"])).code, 451,
           "one that does not is no mail for this milter", w.daemon.log()[-500:])
    t.ok("64 KiB" in w.daemon.log(), "which the log says")
    large = changed(FIELDS[:1], b"".join(b"%06d .\r\n.\r\n" % i for i in range(200000)))
    other = b"".join(b"%07d\r\n" % i for i in range(300000))
    m.forget()
    t.same((w.mail(large).code, w.sink.messages[-1].raw == large), (250, True),
           "a large message passes")
    m.settle()
    t.ok(b"".join(m.told("body")) == large.split(b"\r\n\r\n", 1)[1],
         "and is told whole")
    mute = Milterd(t, lambda conn, name, data: None if name == "eom" else SILENCE,
                   protocol=sum(MUTE.values()))
    x = World(t, "mute-large", block("m", mute.server, "content_timeout 5s;"))
    t.same(x.mail(large).code, 250, "to a silent milter, too", x.daemon.log()[-500:])
    mute.settle()
    t.ok(b"".join(mute.told("body")) == large.split(b"\r\n\r\n", 1)[1], "whole")
    x.daemon.end()
    m.script = at("eom", [replace_body(other[i:i + 65535])
                          for i in range(0, len(other), 65535)] + [CONTINUE])
    t.same((w.mail(large).code, w.sink.messages[-1].raw == changed(FIELDS[:1], other)),
           (250, True), "another large body instead")
    t.same((w.mail().code, w.sink.messages[-1].raw == changed(FIELDS, other)), (250, True),
           "of a small message, too")
    m.script = at("eom", [add_header("X-%d" % i, "v" * 60000) for i in range(200)])
    t.same(w.mail().code, 451, "more changes than a mail has memory for", w.daemon.log()[-500:])
    m.script = at("rcpt", [CONTINUE] + [CONTINUE * 200000] * 4)
    with net.Client(w.daemon.address) as c:
        c.envelope("ada@client.example", ["one@example.com"])
        t.ok(tap.until(lambda: m.conns[-1].events[-1][0] == "closed" or
                       m.conns[-1].gone), "one that floods is closed")
    m.script = None
    w.daemon.end()
    m.script = at("eom", [add_header("X-A", "1"), REJECT])
    w = World(t, "enforce", block("m", m.server), top="enforce no;\n")
    t.same((w.mail().code, w.sink.messages[-1].raw), (250, BODY), "enforce no: refused by none")
    t.ok('would="reject:milter.m"' in w.daemon.log(), "the log says what would be",
         w.daemon.log()[-500:])
    m.script = at("eom", [add_header("X-A", "1"), CONTINUE])
    t.same((w.mail().code, w.sink.messages[-1].raw), (250, BODY), "changed by none")


def forwarded(t):
    """XFORWARD: a mail whose client is another has a conversation of its own."""
    m = Milterd(t)
    w = World(t, "forwarded", block("m", m.server), listen="listen smtp 127.0.0.1:0 "
              "{ upstream up; identity from 127.0.0.0/8 xforward; }")
    with net.Client(w.daemon.address) as c:
        t.same(w.more(c).code, 250, "a mail")
        c.cmd("XFORWARD ADDR=192.0.2.7 NAME=mx.client.example HELO=other.example")
        t.same(w.more(c).code, 250, "one of another client")
        t.same(w.more(c).code, 250, "and one more of the first")
    m.settle()
    t.same([c.events[-1][0] for c in m.conns], ["quit", "quit"], "two conversations")
    names = [[n for n, d in c.events if n in ("connect", "helo", "mail", "eom")]
             for c in m.conns]
    t.same(names, [["connect", "helo", "mail", "eom", "mail", "eom"],
                   ["connect", "helo", "mail", "eom"]], "in order")
    other = dict((n, d) for n, d in m.conns[1].events)
    t.ok(other["connect"].endswith(b"192.0.2.7\0") and other["helo"] == b"other.example\0",
         "the other one's address and name", other["connect"], other["helo"])


def test(t):
    straight(t)
    m = Milterd(t, lambda *a: w.script(*a), name="bent")
    w = World(t, "bent", block("one", m.server))
    w.m = m
    refusals(t, w)
    accepts(t, w)
    changes(t, w)
    two(t)
    sessions(t)
    protocols(t)
    macros(t)
    macros_of_tls(t)
    unavailable(t)
    judged(t)
    conditions(t)
    limits(t)
    forwarded(t)


tap.run(test, limit_s=300)
