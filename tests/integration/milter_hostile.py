"""milter_hostile - milters that lie, flood, or want what nobody can do.

Whatever a milter says: no command of its own reaches the next hop, no message
goes on half changed, no refusal is lost, the worker serves others, and the
mail is answered. What cannot be done is as if the milter were not there.
"""

import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import memory
import net
import postern
import tap
from milterd import *
from postern import Postern
from sink import Sink

BODY = (b"From: ada@client.example\r\nTo: one@example.com\r\nSubject: hi\r\n"
        b"\r\nhello\r\n.dot\r\n")
ONE = "one@example.com"


def at(stage, what):
    return lambda conn, name, data: what if name == stage else None


class World:
    """A milter, a daemon that asks it, a sink behind that."""

    def __init__(self, t, name, more="", policy=None, **kw):
        self.m = Milterd(t, name=name, **kw)
        self.sink = Sink()
        t.defer(self.sink.close)
        self.daemon = Postern(
            t, upstream="server %s; identity none;" % self.sink.server, name=name,
            policy=policy, extra="milter m { server %s; %s }\n" % (self.m.server, more))

    def more(self, c, body=BODY, rcpts=(ONE,)):
        for r in c.envelope("ada@client.example", list(rcpts)):
            if r.code >= 400:
                return r
        return c.data(body)

    def mail(self, script, **kw):
        """The reply, and what the next hop got: (MAIL, [RCPT ...], bytes)."""
        self.m.script = script
        before = len(self.sink.messages)
        with net.Client(self.daemon.address) as c:
            r = self.more(c, **kw)
        return r, [(g.mail, g.rcpts, g.raw) for g in self.sink.messages[before:]]

    def why(self):
        lines = [x for x in self.daemon.log().splitlines() if "result=failed" in x]
        return lines[-1].split("why=")[1] if lines else ""


UNTAKEN = (
    # what, the actions, what the log says
    ("a sender with a command behind it",
     [change_from("<x@y.example> \r\nRCPT TO:<evil@y.example>")], "sender that is no address"),
    ("one with words behind it", [change_from("x@y.example> SIZE=1")],
     "sender that is no address"),
    ("one with a line end in it", [change_from("<\"x\r\ny\"@z.example>")],
     "sender that is no address"),
    ("parameters with a command in them",
     [change_from("<x@y.example>", "SIZE=1\r\nRCPT TO:<evil@y.example>")],
     "sender with parameters"),
    ("parameters that nobody knows", [change_from("<x@y.example>", "FOO=1")],
     "sender with parameters"),
    ("a recipient's, with a command", [add_rcpt("<x@y.example>",
                                                "NOTIFY=NEVER\r\nRSET")],
     "recipient with parameters"),
    ("a recipient's that nobody knows", [add_rcpt("<x@y.example>", "FOO")],
     "recipient with parameters"),
    ("a recipient that is nobody", [add_rcpt("<>")], "recipient that is no address"),
    ("one of no bytes", [add_rcpt("")], "recipient that is no address"),
    ("a field's name with a line end", [add_header("X\r\nY", "v")], "field that cannot be"),
    ("a field's name with a colon", [insert_header(0, "X: v\nY", "v")],
     "field that cannot be"),
    ("a reply of 250", [reply("250 2.0.0 Ok")], "the reply it wants given"),
    ("a reply of 199", [reply("199 hm")], "the reply it wants given"),
    ("a reply of 600", [reply("600 hm")], "the reply it wants given"),
    ("a reply of two codes", [reply("550-no\r\n450 later")], "the reply it wants given"),
    ("a packet of 4 GiB", [struct.pack(">I", 0xffffffff) + b"c"], "no packet"),
    ("a packet of nothing", [struct.pack(">I", 0)], "no packet"),
    ("an index without its bytes", [packet(b"i", b"\0\0")], "makes no sense"),
    ("skip at the end", [SKIP], "makes no sense"),
    ("quarantine, again and again", [quarantine("x") * 1000] * 1000, "more than a mail"),
    ("a field, again and again", [insert_header(0, "X", "v") * 1000] * 100,
     "more than a mail"),
    ("many fields on top of each other", [insert_header(0, "X", "v") * 6000],
     "have no end"),
    ("ten thousand recipients",
     [b"".join(add_rcpt("<u%d@example.com>" % i) for i in range(10000))], "have no end"),
)


def untaken(t):
    """What cannot be done: 451, or with `accept` the message as it came."""
    w = World(t, "untaken", "content_timeout 60s;")
    easy = World(t, "easy", "content_timeout 60s; on unavailable accept;")
    for name, what, why in UNTAKEN:
        script = at("eom", [add_header("X-Before", "1")] + what + [CONTINUE])
        began = time.time()
        r, got = w.mail(script)
        t.ok(r.code == 451 and got == [] and why in w.why(), name + ": 451", r, got,
             w.why())
        t.ok(time.time() - began < 50, "not for want of time", time.time() - began)
        r, got = easy.mail(script)
        t.same((r.code, [(len(x[1]), x[2]) for x in got]), (250, [(1, BODY)]),
               "or the mail as it came", r)
    w.daemon.end(), easy.daemon.end()


def late(t):
    """A refusal is heard though other answers came before it was asked."""
    w = World(t, "late")
    for stage in ("connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body"):
        r, got = w.mail(lambda conn, name, data: CONTINUE * 2 if name == stage else
                        REJECT if name == "eom" else None)
        t.ok(r.code in (451, 550) and got == [],
             "two answers to %s do not hide a refusal" % stage, r, w.why())
    # What it says too much of one mail is not the next one's answer.
    w.m.script = at("eom", [CONTINUE + REJECT])
    with net.Client(w.daemon.address) as c:
        t.same(w.more(c).code, 250, "an answer too many at the end of a mail")
        w.m.script = None
        t.same(w.more(c).code, 250, "refuses not the next one", w.why())
    w.daemon.end()
    w = World(t, "endless", "content_timeout 500ms; command_timeout 500ms;")
    for stage in ("rcpt", "eom"):
        began = time.time()
        r, got = w.mail(at(stage, [0.05, PROGRESS] * 800))
        t.ok(r.code == 451 and got == [] and time.time() - began < 35 and
             "has no end" in w.why(), "progress for ever at " + stage, r, w.why())
    w.daemon.end()


def stale(t):
    """A kept connection that breaks when some recipients were told already."""
    w = World(t, "stale", "reuse yes;", protocol=sum(MUTE.values()))
    t.same(w.mail(None)[0].code, 250, "a mail, and its connection is kept")
    w.m.settle()
    with net.Client(w.daemon.address) as c:
        c.envelope("ada@client.example", [ONE])
        tap.until(lambda: "rcpt" in w.m.names()[-1:])
        w.m.hang_up()
        time.sleep(0.2)
        t.same(c.cmd("RCPT TO:<two@example.com>").code, 451,
               "a new one would be told of the second recipient alone", w.why())
    w.m.forget()
    w.daemon.end()


def odd(t):
    """Recipients that are written in more than one way, and taken away."""
    w = World(t, "odd")
    for name in ('"one"@example.com', "@relay.example:one@example.com", "ONE@example.com"):
        for said in (name, "one@example.com"):
            r, got = w.mail(at("eom", [delete_rcpt("<%s>" % said), CONTINUE]),
                            rcpts=(name, "two@example.com"))
            t.same((r.code, [x[1] for x in got]), (250, [[b"RCPT TO:<two@example.com>"]]),
                   "<%s> is taken away as <%s>" % (name, said), r)
    w.daemon.end()


def nobody(t):
    """A milter that takes the last recipient away, and others who know better."""
    gone = at("eom", [delete_rcpt(ONE), CONTINUE])
    w = World(t, "allowed", policy="rule a { when sender.domain = \"client.example\"; "
              "then allow; }")
    r, got = w.mail(gone)
    t.same((r.code, got), (250, []), "an allow does not send it to nobody", r)
    w.daemon.end()
    w = World(t, "added", policy="rule a { when sender.domain = \"client.example\"; "
              "then rcpt add two@example.com; }")
    r, got = w.mail(gone)
    t.same((r.code, [x[1] for x in got]),
           (250, [[b"RCPT TO:<two@example.com> NOTIFY=NEVER"]]),
           "a rule adds one: he gets it", r)
    w.daemon.end()
    w = World(t, "redirected", policy="rule a { when sender.domain = \"client.example\"; "
              "then redirect two@example.com; }")
    r, got = w.mail(gone)
    t.same((r.code, [x[1] for x in got]), (250, [[b"RCPT TO:<two@example.com>"]]),
           "a rule redirects it: he gets it", r)
    w.daemon.end()
    w = World(t, "discarded")
    r, got = w.mail(gone)
    t.same((r.code, got), (250, []), "otherwise it is discarded", r)
    t.ok('action=discard rule="milter.m"' in w.daemon.log(), "by the milter, says the log",
         w.daemon.log()[-400:])
    w.daemon.end()


def idle(t):
    """What a large message needed is given back while the client says nothing."""
    large = BODY + (b"x" * 998 + b"\r\n") * 1000
    w = World(t, "idle")
    w.m.script = at("eom", [replace_body(b"y" * 65000)] * 20 + [CONTINUE])
    pid, clients, used = w.daemon.pids("worker")[0], [], []
    for i in range(40):
        clients.append(net.Client(w.daemon.address))
        t.same(w.more(clients[-1], large).code, 250, "session %d has sent a mail" % i)
        used.append(memory.rollup(pid)["rss"])
    # A sanitizer keeps what is freed.
    t.ok(postern.configured("WITH_SANITIZERS") or used[-1] - used[9] < 30 * (64 << 10),
         "a session that waits needs less than 64 KiB", used[-1] - used[9])
    for c in clients:
        c.close()
    w.daemon.end()


def test(t):
    untaken(t)
    late(t)
    stale(t)
    odd(t)
    nobody(t)
    idle(t)


tap.run(test, limit_s=200)
