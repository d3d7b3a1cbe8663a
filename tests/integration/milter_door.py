"""milter_door - postern as a milter, asked by an MTA that we are ourselves.

Each callback and each change, with protocol 2 to 6 and with actions and steps
that are not offered; what must not be silent is not. Where the proxy can do
the same, the same mail goes through it and what comes out is compared octet
for octet. What real MTAs make of it is milter_postfix's.
"""

import collections
import os
import re
import signal
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import memory
import milter
import net
import tap
from milter import Client, Mta
from milter_cases import FROM, HEAD, PART, POLICY, REF, SAME, TO, mail, plain
from postern import Postern, makes, milter_fibers
from sink import Sink

# Without, nobody knows of a connection that has said nothing yet.
FIBERS = milter_fibers()


class Door:
    """A daemon with both doors, so that they can be compared."""

    def __init__(self, t, name="door", policy=POLICY, listen="", extra="", **kw):
        self.t = t
        self.sink = Sink()
        t.defer(self.sink.close)
        self.path = t.path(name + ".sock")
        self.daemon = Postern(
            t, name=name, policy=policy, extra=extra,
            upstream="server %s; identity none;" % self.sink.server,
            listen=listen or "listen smtp 127.0.0.1:0 { upstream up; }\n"
            "listen milter inet:0@127.0.0.1 { upstream up; }\n"
            "listen milter unix:%s { upstream up; mode 0666; }" % self.path, **kw)
        self.inet = self.daemon.milters()[0]

    def mta(self, **kw):
        return Mta(kw.pop("address", self.inet), **kw)

    def one(self, subject, mta=None, body=b"body\r\n", sender=FROM, rcpts=None,
            client=None, helo="client.example", **kw):
        """A message on a connection of its own, or the next one on mta."""
        m = mta or self.mta()
        if m.client and not client:
            helo = None
        elif not client:
            client = Client("192.0.2.1")
        try:
            return m.deliver(client, helo, sender, rcpts or TO, mail(subject, body), **kw)
        finally:
            if mta is None:
                m.quit()

    def good(self, what, mta=None):
        got = self.one(b"good", mta)
        return self.t.ok(got.action == "accept" and got.message == mail(b"good")
                         and not got.changes, what, got, self.daemon.log()[-3000:])

    def kept(self, marker):
        """What matches marker first in each file of the quarantine."""
        for folder, _, files in os.walk(os.path.join(self.daemon.state, "quarantine")):
            for name in files:
                with open(os.path.join(folder, name), "rb") as f:
                    found = re.search(marker, f.read())
                if found:
                    yield found.group(0)

    def proxied(self, subject, body=b"body\r\n", sender=FROM, rcpts=None):
        """The same through the proxy: (reply, what the sink took or None)."""
        had = len(self.sink.messages)
        with net.Client(self.daemon.address, helo="client.example") as c:
            reply = c.mail(sender.strip("<>"), [r.strip("<>") for r in rcpts or TO],
                           mail(subject, body))
        return reply, self.sink.messages[had] if len(self.sink.messages) > had else None


def same_as_proxy(t, d):
    for what, subject, kw in SAME:
        reply, message = d.proxied(subject, **kw)
        got = d.one(subject, **kw)
        wrong = []
        if reply.code // 100 != 2:
            if (got.code, plain(got.text)) != (reply.code, plain(reply.text)):
                wrong.append("replies: proxy %r, milter %r" % (reply, got))
        elif message is None:
            if got.action != "discard":
                wrong.append("the proxy passed nothing on, the milter: %r" % got)
        else:
            if got.message != message.raw:
                wrong.append("proxy  %r\nmilter %r" % (message.raw, got.message))
            rcpts = sorted(re.search(rb"<(.*?)>", r).group(1) for r in message.rcpts)
            if sorted(r for r, _ in got.rcpts) != rcpts:
                wrong.append("rcpts: proxy %r milter %r" % (rcpts, got.rcpts))
            if got.sender[0] != re.search(rb"<(.*?)>", message.mail).group(1):
                wrong.append("sender: proxy %r milter %r" % (message.mail, got.sender))
        t.ok(not wrong, "as through the proxy: " + what, *wrong, got,
             d.daemon.log()[-1500:])


# stages

def stages(t, d):
    got = d.one(b"x", client=Client("192.0.2.66"))
    t.ok(got.action == "reject" and got.code == 554 and got.stage in ("helo", "mail")
         and plain(got.text) == "5.7.1 not 100% welcome",
         "early, of the client: kept for HELO or MAIL, the per cent sign whole", got)
    got = d.one(b"x", client=Client("192.0.2.66"), helo=None)
    t.ok(got.code == 554 and got.stage == "mail", "without HELO it comes at MAIL", got)
    got = d.one(b"x", client=Client("192.0.2.67"))
    t.ok(got.stage == "rcpt" and plain(got.text) == "5.7.1 client refused",
         "not early: at RCPT", got)
    got = d.one(b"x", helo="early.helo")
    t.ok(got.stage in ("helo", "mail") and got.code == 450 and
         plain(got.text) == "4.7.1 helo: %s later", "early, of HELO", got)
    got = d.one(b"x", helo="late.helo")
    t.ok(got.stage == "rcpt" and got.code == 550, "HELO, not early: at RCPT", got)
    got = d.one(b"x", sender="<early@a.example>")
    t.ok(got.stage == "mail" and got.code == 553, "early, of the sender: at MAIL", got)
    got = d.one(b"x", sender="<late@a.example>")
    t.ok(got.stage == "rcpt" and got.code == 451, "the sender, not early: at RCPT", got)
    got = d.one(b"x", rcpts=["<bad@example.com>", "<one@example.com>", "<later@example.com>"])
    t.same([(a, r.code, plain(r.text)) for a, r in got.refused],
           [(b"bad@example.com", 550, "5.1.1 nobody %% here"),
            (b"later@example.com", 450, "4.2.0 mailbox busy")],
           "recipients are refused each for itself", got)
    t.ok(got.action == "accept" and got.message == mail(b"x"), "for the third it goes on", got)
    got = d.one(b"x", rcpts=["<bad@example.com>"])
    t.ok(got.code == 550 and got.stage == "rcpt", "and for nobody it does not", got)
    with d.mta() as m:
        first = d.one(b"x", m, helo="early.helo")
        got = m.deliver(None, "other.helo", FROM, TO, mail(b"x"))
        t.ok(first.code == 450 and got.action == "accept",
             "another HELO takes its refusal back", first, got)


# versions and offers

def versions(t, d):
    for version in (2, 3, 4, 5, 6):
        for subject in (b"edit me", b"plain"):
            with d.mta(version=version) as m:
                got = d.one(subject, m)
                ok = got.action == "accept"
                if subject == b"plain":
                    ok = ok and not got.changes and got.message == mail(subject)
                else:
                    ok = ok and b"\r\nSubject: [E] edit me\r\n" in got.message \
                        and b"Gone" not in got.message \
                        and got.message.startswith(b"X-Top: first\r\nX-Top: second\r\nReceived")
                t.ok(ok, "protocol %d: %s" % (version, subject.decode()), got,
                     d.daemon.log()[-1500:])
        with d.mta(version=version) as m:
            got = d.one(b"reject me", m)
            t.ok(got.action == "reject" and plain(got.text) == "5.7.1 refused, 50% of it",
                 "protocol %d: a refusal" % version, got)
            got = d.one(b"jail me", m)
            t.same(got.action, "discard", "protocol %d: quarantine" % version, got)
    # what is not sent but asked for must not matter either
    with d.mta(steps=milter.RCPT_REJ) as m:
        t.same(m.steps & ~milter.RCPT_REJ, 0, "nothing is asked for that is not offered")
        got = d.one(b"edit me", m)
        t.ok(got.action == "accept" and all(r is not None for s, r in got.replies),
             "and then each packet has its reply", got.replies)
        t.ok(got.message == d.one(b"edit me").message.replace(b"To:one", b"To:one"),
             "and the message comes out the same", got.message)
    for missing, subject, kw in (
            (milter.ADDHDRS, b"edit me", {}), (milter.CHGHDRS, b"edit me", {}),
            (milter.CHGBODY, b"strip me", {"body": PART}),
            (milter.ADDRCPT | milter.ADDRCPT_PAR, b"redirect me", {}),
            (milter.DELRCPT, b"redirect me", {}),
            (milter.CHGFROM, b"sender me", {}), (milter.QUARANTINE, b"hold me", {})):
        with d.mta(actions=0x1ff & ~missing) as m:
            had = d.daemon.log().count("level=error")
            got = d.one(subject, m, **kw)
            t.ok(got.action == "tempfail" and got.code == 451
                 and got.text.startswith("4.7.1 ") and not got.changes,
                 "%s without action %#x: 451, nothing half done" % (subject.decode(), missing),
                 got)
            t.ok(tap.until(lambda: d.daemon.log().count("level=error") > had),
                 "and an error line", d.daemon.log()[-1500:])
            d.good("then a good one on the same connection", m)


def quiet(t, d):
    """No reply comes where none was agreed on, and none is wanting."""
    with d.mta() as m:
        spared = [s for s in milter.STAGES if m.wants(s) and not m.answers(s)]
        m.connect("mx.a.example", b"4", 25, "192.0.2.1")
        m.helo("x.example")
        m.mail(FROM)
        m.rcpt(TO[0])
        for name, value in ((b"Subject", b" edit me"), (b"X-Gone", b" y")) * 3:
            m.header(name, value)
        m.eoh()
        for _ in range(3):
            m.body(b"x" * 60000 + b"\r\n")
        t.ok(not m.waiting(0.5), "no reply stands out unasked (none due: %s)"
             % " ".join(spared), spared)
        reply, changes = m.eom()
        t.ok(reply.goes_on or reply.name == "accept", "the end has one", reply)
        t.ok("connect" in spared and "header" in spared,
             "there are replies that are not due", spared)
        t.ok(not m.waiting(0.2), "and nothing behind it")


NEEDS = (
    # rules, what is not asked for then
    ("no rule", None, milter.NOBODY),
    ("rules of recipients", 'rule r { when rcpt = "bad@example.com";'
     ' then reject 550 5.1.1 "no"; }', milter.NOBODY),
    ("rules of the header", 'rule h { when subject contains "edit me";'
     ' then header add X-Add "one"; }', 0),
    ("rules of the body", 'rule b { when raw contains "edit me";'
     ' then header add X-Add "one"; }', 0),
)
ODD = (b"Subject: edit me\r\n\r\n", b"\r\nedit me, without a header\r\n", b"\r\n",
       b"Subject: edit me\r\n\r\n" + b"x" * 200000 + b"\r\n")


def needs(t):
    """
    Only what the policy needs is asked of the MTA, and messages that lack a
    header or a body are answered whatever that is.
    """
    for what, policy, spared in NEEDS:
        d = Door(t, "needs", policy=policy)
        for steps in (0x1fffff, milter.RCPT_REJ, 0x1fffff & ~milter.NOEOH,
                      0x1fffff & ~milter.NOHDRS, 0x1fffff & ~milter.NOBODY, 0x7f):
            wrong = []
            with d.mta(steps=steps, timeout=10) as m:
                if m.steps & spared != spared & steps:
                    wrong.append("steps %#x" % m.steps)
                client = Client("192.0.2.1")
                for message in ODD:
                    got = m.deliver(client, "x.example" if client else None, FROM, TO, message)
                    client = None
                    edits = b"X-Add" in got.message
                    due = what == "rules of the header" and b"Subject" in message \
                        or what == "rules of the body" and b"edit me" in message
                    if got.action != "accept" or edits != due:
                        wrong.append("%r: %r" % (message[:60], got))
            t.ok(not wrong, "%s, steps %#x: odd messages" % (what, steps), *wrong,
                 d.daemon.log()[-1000:])
        got = d.one(b"x", rcpts=["<bad@example.com>"])
        t.same(got.code, 550 if what == "rules of recipients" else 250, what, got)
        d.daemon.terminate()


# contents

def contents(t, d):
    cases = (
        ("a body of 3 MiB", HEAD + b"Subject: edit me\r\n\r\n" + b"0123456789\r\n" * 262144),
        ("one line of 3 MiB", HEAD + b"Subject: edit me\r\n\r\n" + b"x" * (3 << 20) + b"\r\n"),
        ("900 header fields", b"Subject: edit me\r\n"
         + b"".join(b"X-Gone: %d\r\n" % i for i in range(900)) + b"\r\nbody\r\n"),
        ("a field of 60,000 bytes", b"X-Long: " + b"y" * 60000 + b"\r\nSubject: edit me\r\n\r\n.\r\n"),
        ("folds of all sorts", b"Subject: edit me\r\n\tand\r\n  more\r\nX-Gone:\r\n 1\r\n"
         b"X:\r\n\t2\r\n \r\n 3\r\n\r\nbody\r\n"),
        ("no blank behind colons", b"From:ada@a.example\r\nSubject:edit me\r\n\r\nbody\r\n"),
        ("no final line end", HEAD + b"Subject: edit me\r\n\r\nbody"),
        ("a body of NULs", HEAD + b"Subject: edit me\r\n\r\n" + b"\0" * 70000 + b"\r\n"),
        ("no header at all", b"\r\nonly a body\r\n"),
    )
    for what, message in cases:
        for chunk in (65535, 1000) if len(message) < 100000 else (65535,):
            m = d.mta(chunk=chunk)
            got = m.deliver(Client(), "x.example", FROM, TO, message)
            m.quit()
            m = milter.Message(message)
            fine = got.action == "accept" and milter.Message(got.message).body == m.body
            old = [f for f in m.fields if f[0] not in (b"X-Gone", b"Subject")]
            now = [f for f in milter.Message(got.message).fields
                   if f[0] not in (b"X-Top", b"X-Add", b"X-Set", b"Subject")]
            new = [f for f in old if f[0].lower() not in (b"x-gone", b"x-set")]
            t.ok(fine and now == new and (b"edit me" not in message or b"[E] edit me" in got.message),
                 "%s, chunks of %d" % (what, chunk), got.action, got.text, now[:20], new[:20],
                 d.daemon.log()[-1000:])


def parameters(t, d):
    m = d.mta()
    got = m.deliver(Client(), "x.example", ("<ada@a.example>", ["SIZE=1000", "BODY=8BITMIME",
                                                                "RET=HDRS", "ENVID=q1"]),
                    [("<one@example.com>", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;o@example.com"]),
                     ("<two@example.com>", ["NOTIFY=NEVER"])], mail(b"please jail me params"))
    t.same(got.action, "discard", "with parameters: held", got)
    m.quit()
    held = [q for q in d.daemon.quarantine() if "params" in q.get("subject", "")]
    t.same(len(held), 1, "it is in the quarantine", d.daemon.quarantine())
    had = len(d.sink.messages)
    done = d.daemon.cli("quarantine", "release", held[0]["id"])
    t.ok(tap.until(lambda: len(d.sink.messages) > had, 10),
         "and released through the listener's upstream", done.stdout, done.stderr,
         d.daemon.log()[-2000:])
    if len(d.sink.messages) > had:
        m = d.sink.messages[-1]
        t.same(m.raw, mail(b"please jail me params"), "octet for octet")
        t.ok(b"ENVID=q1" in m.mail and b"RET=HDRS" in m.mail and len(m.rcpts) == 2
             and b"NOTIFY=SUCCESS,FAILURE" in m.rcpts[0]
             and b"ORCPT=rfc822;o@example.com" in m.rcpts[0] and b"NOTIFY=NEVER" in m.rcpts[1],
             "with its envelope", m.mail, m.rcpts)


def without_upstream(t):
    d = Door(t, "homeless", listen="listen milter inet:0@127.0.0.1;")
    got = d.one(b"jail me")
    t.same(got.action, "discard", "a listener without upstream: held", got)
    held = d.daemon.quarantine()
    done = d.daemon.cli("quarantine", "release", held[0]["id"])
    t.ok(done.returncode != 0 and re.search("upstream", done.stdout + done.stderr),
         "release says that there is no upstream", done.stdout, done.stderr)
    t.ok("released" != d.daemon.quarantine()[0]["state"], "and it stays held")
    d.daemon.terminate()


def held_by_mta(t, d):
    got = d.one(b"please hold me")
    t.ok(got.action == "accept" and got.hold == b"look at this",
         "hold: into the MTA's own hold queue, with the reason", got)
    got = d.one(b"please hold me and edit me")
    t.ok(got.hold is not None and b"\r\nX-Add: one\r\n" in got.message,
         "with its edits", got)


# facts

def facts(t, d):
    def fields(**kw):
        macros, mm = kw.pop("session", {}), kw.pop("message", {})
        m = d.mta(macros=macros)
        got = m.deliver(Client(**kw), "x.example", FROM, TO, mail(b"name me"), macros=mm)
        m.quit()
        return got, {n: v.strip() for n, v in milter.Message(got.message).fields
                     if n in (b"X-Login", b"X-Tls", b"X-Client", b"X-Daemon", b"X-Own")}
    got, f = fields(ip="192.0.2.1", name="mx.a.example")
    t.same(f, {b"X-Client": b"mx.a.example"}, "client.name as the MTA knows it", got)
    got, f = fields(ip="192.0.2.1")
    t.same(f, {b"X-Client": b"none"}, "\"unknown\" is no name", got)
    got, f = fields(ip="192.0.2.1", name="[192.0.2.1]")
    t.same(f, {b"X-Client": b"none"}, "nor is an address", got)
    got, f = fields(ip="192.0.2.1", name="mx.a.example", session={"{tls_version}": "TLSv1.3",
                                                                 "{cipher}": "AES"})
    t.same(f.get(b"X-Tls"), b"TLSv1.3 AES", "tls.version and tls.cipher", got)
    got, f = fields(ip="192.0.2.1", message={"{auth_authen}": "ada", "{auth_type}": "PLAIN"})
    t.same(f.get(b"X-Login"), b"ada", "login", got)
    got, f = fields(ip="192.0.2.1", session={"{daemon_name}": "inside"})
    t.same(f.get(b"X-Daemon"), b"inside", "macro(\"{daemon_name}\")", got)
    got, f = fields(ip="2001:db8::7")
    t.same(got.action, "accept", "a client with an IPv6 address", got)
    with d.mta() as m:
        names = " ".join(m.symlists.values())
        t.ok("{x_own}" in names and "{daemon_name}" in names,
             "the macros that rules read are asked for", m.symlists)
        m.known["{x_own}"] = "here"
        got = d.one(b"own", m)
        t.ok(b"X-Own: here" in got.message, "and come", got, got.message)
    for what, client in (("over a unix socket of the MTA", Client("/run/mta", family=b"L")),
                         ("of an unknown family", Client("", name="localhost", family=b"U"))):
        got = d.one(b"name me", client=client)
        t.ok(got.action == "accept", "a client " + what, got, d.daemon.log()[-1000:])
    with d.mta() as m:
        got = m.deliver(None, None, FROM, TO, mail(b"name me"))
        t.ok(got.action == "accept" and b"X-Client: none" in got.message,
             "a client of whom nothing is told has no name, and none is looked for", got)
    t.same([q for q in d.daemon.dns.asked if q[0] != "1.0.0.127.in-addr.arpa"], [],
           "DNS hears nothing of the milter door's clients")
    with d.mta(macros=False) as m:
        d.good("without any macros", m)
    got = d.one(b"logged", macros={"i": "4QwErTy"})
    t.ok(d.daemon.wait_log(r"ev=message.*queue=4QwErTy.*door=milter|ev=message.*door=milter.*queue=4QwErTy"),
         "the log line has the MTA's queue id and the door", d.daemon.log()[-1500:])


# connections

def connections(t, d):
    with d.mta() as m:
        got = [d.one(s, m) for s in (b"good", b"reject me", b"edit me", b"jail me",
                                     b"discard me", b"tempfail me") * 4]
    t.same([g.action for g in got],
           ["accept", "reject", "accept", "discard", "discard", "tempfail"] * 4,
           "24 messages on one connection")
    t.ok(len({g.message for g in got[2::6]}) == 1, "edits stay the message's own")
    for stage in ("helo", "mail", "rcpt", "data", "header", "eoh", "body"):
        with d.mta() as m:
            got = d.one(b"edit me", m, abort_at=stage)
            t.same(got.action, "aborted", "aborted after %s" % stage)
            got = d.one(b"good", m)
            t.ok(got.action == "accept" and got.message == mail(b"good") and not got.changes,
                 "the next message is a new one", got)
            m.abort()
            m.abort()
            t.ok(d.one(b"reject me", m).code == 554, "and after two aborts more")
    with d.mta() as m:
        d.one(b"edit me", m)
        m.quit_nc()
        got = d.one(b"x", m, client=Client("192.0.2.67"))
        t.same(got.code, 550, "another client on the same connection is another", got)
        m.quit_nc()
        d.good("and the next one, too", m)
    for how in ("close", "reset"):
        for stage in ("connect", "helo", "mail", "rcpt", "header", "body"):
            m = d.mta()
            _until(m, stage)
            getattr(m, how)()
        m = d.mta()
        _until(m, "body")
        m.send(b"E")        # gone while the verdict is made
        getattr(m, how)()
    d.good("cut at every point: it still serves")
    with d.mta() as m:
        t.ok(d.one(b"edit me", m, unknown=[b"XYZZY a"]).action == "accept", "unknown commands")
    with d.mta(address="unix:" + d.path) as m:
        d.good("over a unix socket", m)
    t.ok(d.daemon.wait_log("ev=message"), "all of it is logged")


def _until(m, stage):
    for name, call in (("connect", lambda: m.connect("x", b"4", 25, "192.0.2.1")),
                       ("helo", lambda: m.helo("x.example")), ("mail", lambda: m.mail(FROM)),
                       ("rcpt", lambda: m.rcpt(TO[0])),
                       ("header", lambda: m.header("Subject", " edit me")),
                       ("body", lambda: m.body(b"x" * 1000 + b"\r\n"))):
        call()
        if name == stage:
            return


# limits

LONG = "x%" * 190


def limits(t):
    d = Door(t, "limits", extra="message_size_limit 1M;", policy=r"""
rule long  { when subject contains "long"; then reject 550 5.7.1 "%s"; }
rule lines { when subject contains "many"; then reject 550 5.7.1 "%s"; }
rule code  { when subject contains "four"; then tempfail 452 4.3.1 "four"; }
rule sized { when size > 0; then header add X-Size "$size"; }
""" % (LONG, "$subject " * 40))
    got = d.one(b"long")
    t.ok(got.code == 550 and plain(got.text.replace("\n5.7.1 ", " ")).endswith(LONG)
         and all(len(l) <= 990 for l in got.reply.lines),
         "a long reply comes whole", got)
    subject = b"many " + b"50% of it " * 11
    got = d.one(subject)
    lines = got.reply.lines
    t.ok(got.code == 550 and len(lines) > 4 and all(l.startswith(b"5.7.1 ") for l in lines),
         "a reply of %d lines, each with its status" % len(lines), got)
    t.same(REF.sub("", b" ".join(l[6:] for l in lines).decode()).split(),
           ((subject.strip() + b" ") * 40).decode().split(), "and not a word is lost", got)
    got = d.one(b"four")
    t.same((got.code, plain(got.text)), (452, "4.3.1 four"), "a code of its own", got)
    for steps in (0x1fffff, 0x1fffff & ~milter.NR_BODY, 0x1fffff & ~milter.SKIP, milter.RCPT_REJ):
        with d.mta(steps=steps) as m:
            got = d.one(b"big", m, body=b"0123456789abcde\r\n" * (2 << 16))
            t.ok(got.code == 552 and got.text.startswith("5.3.4"),
                 "over message_size_limit, steps %#x: 552 5.3.4" % steps, got)
            got = d.one(b"next", m)
            t.ok(got.action == "accept" and b"X-Size: " in got.message,
                 "and the next message on the connection is taken", got)
    got = d.one(b"fits", body=b"0123456789abcde\r\n" * 60000)
    t.ok(got.action == "accept", "what is below the limit fits", got)
    d.daemon.terminate()


def delays(t):
    """No MTA waits longer for a reply than 30 s, whatever rules add up to."""
    d = Door(t, "delays", policy="""
rule c { when client.ip = 192.0.2.1; then delay 19s; }
rule h { when helo.name = "slow.example"; then delay 19s; }
""")
    with d.mta() as m:
        m.connect("mx.a.example", b"4", 25, "192.0.2.1")
        began = time.monotonic()
        m.helo("slow.example")
        took = time.monotonic() - began
        t.ok(19 < took < 35, "connect and HELO, answered together, wait 20 s together", took)
    d.daemon.terminate()


# processes that die

def stacks(t, d):
    """What was done so far had room on fibers' stacks, each of 256 KiB."""
    touched = [kib for pid in d.daemon.pids("milter") for kib in memory.of_size(pid, 256)]
    t.ok(touched and max(touched) <= 48, "of its stack a fiber needs a fifth at most",
         sorted(touched)[-5:])


def slow_to_begin(t, d):
    """Accepted before a reload, and the MTA's first word comes long after it."""
    links = [milter.Link(address) for address in (d.inet, "unix:" + d.path)]
    old = d.daemon.pids("milter")
    time.sleep(0.3)
    d.daemon.reload()
    tap.until(lambda: not set(d.daemon.pids("milter")) & set(old), 2)
    for link in links:
        try:
            link.send(b"O", struct.pack(">III", 6, *milter.OFFERS[6]))
            got = link.recv()[0]
        except net.Cut as e:
            got = str(e)
        t.same(got, b"O", "who is slow to begin is served by whom a reload replaces")
        link.close()
    t.ok(tap.until(lambda: not set(d.daemon.pids("milter")) & set(old), 10),
         "which goes when he has")


def deaths(t, d):
    for role in ("keeper", "inspector"):
        wrong, heard = [], []
        pids = d.daemon.pids(role)

        def kill():
            time.sleep(0.05)
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        killer = threading.Thread(target=kill)
        killer.start()
        for i in range(40):
            marker = b"death-%s-%d-" % (role.encode(), i)
            got = d.one(b"jail me " + marker)
            kept = d.daemon.quarantined(marker)
            heard.append(got.action)
            if (got.action, kept) not in (("discard", 1), ("tempfail", 0)):
                wrong.append("%s: %r, kept %d" % (marker.decode(), got, kept))
            time.sleep(0.02)
        killer.join()
        t.ok(not wrong and "discard" in heard,
             "the %s dies: what is not kept is refused for now (%d of 40)"
             % (role, heard.count("tempfail")), *wrong[:5], d.daemon.log()[-2000:])
        t.ok(tap.until(lambda: d.one(b"jail me again").action == "discard", 15, 0.2),
             "and the new one serves")


def worker_dies(t, d):
    pids = d.daemon.pids("milter")
    t.ok(len(pids) == 2, "a process for each milter listener", d.daemon.processes())
    m = d.mta()
    _until(m, "rcpt")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)

    def again():
        try:
            return d.one(b"good").action == "accept"
        except (OSError, net.Cut):
            return False
    t.ok(tap.until(again, 10), "killed, they are forked again", d.daemon.log()[-2000:])
    m.close()


class Jailer(threading.Thread):
    """Sends what has to be kept until it is told to stop; .heard: {marker: action}."""

    def __init__(self, d, number, stop):
        super().__init__(daemon=True)
        self.d, self.number, self.stop = d, number, stop
        self.heard = {}
        self.start()

    def run(self):
        m, n = None, 0
        while not self.stop.is_set():
            n += 1
            marker = b"jailer-%d-%d-" % (self.number, n)
            self.heard[marker] = "cut"
            try:
                m = m or self.d.mta()
                self.heard[marker] = self.d.one(b"jail me " + marker, m).action
            except (OSError, net.Cut):
                m = None
                time.sleep(0.02)


def worker_dies_at_work(t, d):
    """What was answered is true, whenever the door's process dies."""
    stop = threading.Event()
    jailers = [Jailer(d, i, stop) for i in range(4)]
    killed = 0
    for _ in range(6):
        time.sleep(0.4)
        for pid in d.daemon.pids("milter"):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    time.sleep(1)
    tap.until(lambda: sum(len(j.heard) for j in jailers) > 20, 30)
    stop.set()
    for j in jailers:
        j.join(35)
    heard = {m: a for j in jailers for m, a in j.heard.items()}
    kept = collections.Counter(d.kept(rb"jailer-\d+-\d+-"))
    wrong = ["%s: %s, kept %d" % (m.decode(), a, kept[m]) for m, a in heard.items()
             if kept[m] not in {"discard": (1,), "cut": (0, 1)}.get(a, (0,))]
    t.ok(not wrong and len(heard) > 20, "%d killed at work: each of %d messages is where its"
         " answer says, %d were cut" % (killed, len(heard), list(heard.values()).count("cut")),
         *wrong[:10])


def test(t):
    d = Door(t)
    d.good("a good mail passes untouched")
    stages(t, d)
    same_as_proxy(t, d)
    versions(t, d)
    quiet(t, d)
    contents(t, d)
    parameters(t, d)
    held_by_mta(t, d)
    facts(t, d)
    connections(t, d)
    if FIBERS:
        if not makes(r"^PN_CFLAGS = .*-fsanitize"):
            stacks(t, d)
        slow_to_begin(t, d)
    deaths(t, d)
    worker_dies(t, d)
    worker_dies_at_work(t, d)
    t.same(d.daemon.terminate(), 0, "it ends with status 0", d.daemon.log()[-3000:])
    t.ok("ERROR:" not in d.daemon.log() and "runtime error" not in d.daemon.log(),
         "no sanitizer has anything to say", d.daemon.log()[-5000:])
    needs(t)
    limits(t)
    delays(t)
    without_upstream(t)


tap.run(test, 240)
