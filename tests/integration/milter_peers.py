"""milter_peers - Debian's milters do behind the proxy what they do under Postfix.

opendkim (signs, verifies), opendmarc behind opendkim, clamav-milter, rspamd's
proxy worker and mimedefang, each a real one, asked by a real Postfix and by
the proxy for the same mails: what they were told, what the client heard and
what arrived must be the same. mails of the corpus go through four in a row.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import milter
import tap
import tools
from milter_sides import Outcome, PosternSide, PostfixSide, compare, mail, packets
from milter_tap import MilterTap
from peers import ClamAv, MimeDefang, OpenDkim, OpenDmarc, Rspamd

PLAIN = (b"From: Ada <ada@client.example>\r\nTo: one@example.com\r\n"
         b"Subject: %s\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
         b"Message-Id: <plain@client.example>\r\n\r\nHello\r\n.dot\r\n")
# What `simple` keeps and `relaxed` does not.
ODD = (b"From:  Ada\t<ada@client.example>\r\nTo:one@example.com\r\n"
       b"Subject: a first\r\n   and a second   line  \r\n"
       b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nX-Empty:\r\n"
       b"Message-Id: <odd@client.example>\r\nMIME-Version: 1.0\r\n"
       b"Content-Type: text/plain; charset=utf-8\r\n"
       b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe  \r\n.dot\r\n\r\n\r\n")
BIG = PLAIN % b"big" + b"".join(b"%06d %s\r\n" % (i, b"y" * 70) for i in range(3000))
EXE = (b"From: Ada <ada@client.example>\r\nTo: one@example.com\r\n"
       b"Subject: a program\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
       b"Message-Id: <exe@client.example>\r\nMIME-Version: 1.0\r\n"
       b"Content-Type: multipart/mixed; boundary=\"edge\"\r\n\r\n"
       b"--edge\r\nContent-Type: text/plain\r\n\r\nlook\r\n"
       b"--edge\r\nContent-Type: application/octet-stream; name=\"a.exe\"\r\n"
       b"Content-Disposition: attachment; filename=\"a.exe\"\r\n"
       b"Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAA=\r\n--edge--\r\n")


def said(outcome):
    """The reply to the message."""
    return outcome.replies[-2]


def arrived(outcome):
    return outcome.sent[0][2] if len(outcome.sent) == 1 else b""


def through(peer, message, sender="<ada@client.example>", ip="192.0.2.9"):
    """The message as this milter leaves it, without any MTA."""
    host, port = "127.0.0.1", peer.port
    with milter.Mta((host, port)) as m:
        return m.deliver(milter.Client(ip), "nine.helo", sender, ["<one@example.com>"],
                         message).message


def signed(signer, message):
    return through(signer, message, ip="127.0.0.9")


class Group:
    """
    Milters in the order in which they are asked, and mails: {name: (steps,
    is it what the milter is for?)}. alike: takes out of a message what no two
    runs have in common.
    """

    def __init__(self, peers, mails, alike=lambda m: m):
        self.peers = peers
        self.mails = mails
        self.alike = alike

    def plain(self, outcome):
        return Outcome(outcome.replies, [(f, r, self.alike(m)) for f, r, m in outcome.sent],
                       outcome.held)


def no_signature(message):
    """A signature's time, and the signature itself, which holds it."""
    message = re.sub(rb"(?s)\bt=\d+;", b"t=*;", message)
    return re.sub(rb"(?s)(\r\n\t(?:h=[^;]*; )?b=)[A-Za-z0-9+/=\s]+?(?=\r\nFrom:|\r\n[A-Z])",
                  rb"\1*", message)


def no_boundary(message):
    return re.sub(rb"-{10}=_[0-9-]+", b"EDGE", message)


def two_signers(t):
    return (OpenDkim(t, "s", name="relaxed"),
            OpenDkim(t, "s", name="simple", canon="simple/simple"))


def signing(t):
    signers = two_signers(t)
    verifier = OpenDkim(t, "v", name="judge", trusts=signers)

    def verifies(outcome):
        return through(verifier, arrived(outcome)).count(b"dkim=pass") == 1

    for signer in signers:
        yield Group([signer], {
            "%s, %s" % (name, signer.name): (mail(m), verifies)
            for name, m in (("plain", PLAIN % b"sign"), ("odd blanks", ODD), ("big", BIG))},
            no_signature)


def verifying(t):
    signers = two_signers(t)
    verifier = OpenDkim(t, "v", name="verifier", trusts=signers)
    good = {"%s, %s" % (name, s.name): signed(s, m) for s in signers
            for name, m in (("plain", PLAIN % b"verify"), ("odd blanks", ODD), ("big", BIG))}
    mails = {name: (mail(m), lambda o: b"dkim=pass" in arrived(o))
             for name, m in good.items()}
    bad = good["plain, relaxed"].replace(b"Hello", b"Help!")
    mails["changed on the way"] = (mail(bad), lambda o: b"dkim=fail" in arrived(o))
    mails["not signed"] = (mail(PLAIN % b"none"), lambda o: b"dkim=none" in arrived(o))
    mails["an answer of a stranger"] = (
        mail(b"Authentication-Results: gateway.example; dkim=pass\r\n" + PLAIN % b"forged"),
        lambda o: arrived(o).count(b"Authentication-Results") == 1)
    yield Group([verifier], mails)


def aligning(t):
    """opendmarc judges by what opendkim, before it, wrote into the header."""
    signer = OpenDkim(t, "s", name="signer")
    verifier = OpenDkim(t, "v", name="dkim", trusts=[signer])
    dmarc = OpenDmarc(t, policies={"client.example": "reject", "soft.example": "quarantine",
                                   "none.example": "none"})
    good = signed(signer, PLAIN % b"dmarc")

    def by(domain):
        return PLAIN.replace(b"client.example", domain) % b"dmarc"

    mails = {
        "signed": (mail(good), lambda o: b"dmarc=pass" in arrived(o)
                   and arrived(o).index(b"dmarc=") < arrived(o).index(b"dkim=pass")),
        "not signed, p=reject": (mail(by(b"client.example")), lambda o: said(o) == (
            550, "5.7.1 rejected by DMARC policy for client.example")),
        "not signed, p=quarantine": (mail(by(b"soft.example"), sender="a@soft.example"),
                                     lambda o: o.held == 1 and not o.sent),
        "not signed, p=none": (mail(by(b"none.example"), sender="a@none.example"),
                               lambda o: b"dmarc=fail" in arrived(o)),
        "no policy": (mail(by(b"free.example"), sender="a@free.example"),
                      lambda o: b"dmarc=none" in arrived(o)),
    }
    yield Group([verifier, dmarc], mails)


def scanning(t):
    clam = ClamAv(t)
    bad = PLAIN % b"a virus" + b"\r\n" + ClamAv.MARK + b"\r\n"
    yield Group([clam], {
        "clean": (mail(PLAIN % b"clean"), lambda o: b"X-Virus-Status: Clean" in arrived(o)),
        "clean already, says the sender": (
            mail(b"X-Virus-Status: Clean, trust me\r\n" + PLAIN % b"clean"),
            lambda o: b"trust me" not in arrived(o)),
        "big": (mail(BIG), lambda o: b"X-Virus-Status: Clean" in arrived(o)),
        "infected": (mail(bad), lambda o: said(o) == (
            550, "5.7.1 infected with Test.Postern.UNOFFICIAL")),
    })
    for what, good in (("Quarantine", lambda o: o.held == 1 and not o.sent),
                       ("Blackhole", lambda o: not o.sent and said(o)[0] == 250),
                       ("Defer", lambda o: said(o)[0] == 451)):
        clam.becomes(what)
        yield Group([clam], {"infected: " + what: (mail(bad), good)})


def scoring(t):
    yield Group([Rspamd(t)], {
        "nothing": (mail(PLAIN % b"plain"), lambda o: b"X-Spam" not in arrived(o)),
        "header": (mail(PLAIN % b"rspamd header"), lambda o: b"X-Spam: Yes" in arrived(o)),
        "rewrite": (mail(PLAIN % b"rspamd rewrite"),
                    lambda o: b"Subject: [SPAM] rspamd rewrite" in arrived(o)),
        "defer": (mail(PLAIN % b"rspamd defer"),
                  lambda o: said(o) == (451, "4.7.1 Try again later")),
        "reject": (mail(PLAIN % b"rspamd reject"),
                   lambda o: said(o) == (554, "5.7.1 Spam message rejected")),
        "big": (mail(BIG), lambda o: len(o.sent) == 1),
    })


def defanging(t):
    def has(*marks):
        return lambda o: all(m in arrived(o) for m in marks)
    yield Group([MimeDefang(t)], {
        "plain": (mail(PLAIN % b"plain"), has(b"X-First: on top", b"X-Defang: seen for <ada")),
        "subject": (mail(PLAIN % b"mimedefang subject"),
                    has(b"Subject: mimedefang subject (defanged)")),
        "recipients": (mail(PLAIN % b"mimedefang add"),
                       lambda o: o.sent[0][1] == ["two@example.com"]),
        "sender": (mail(PLAIN % b"mimedefang from"),
                   lambda o: o.sent[0][0] == "other@client.example"),
        "reject": (mail(PLAIN % b"mimedefang reject"),
                   lambda o: said(o) == (554, "5.7.1 mimedefang will not have it")),
        "defer": (mail(PLAIN % b"mimedefang defer"),
                  lambda o: said(o) == (451, "4.3.0 mimedefang will have it later")),
        "discard": (mail(PLAIN % b"mimedefang discard"),
                    lambda o: said(o)[0] == 250 and not o.sent),
        "a program": (mail(EXE), has(b"An attachment a.exe was here", b"look")),
    }, no_boundary)


def in_a_row(t):
    """Mails as they are, through four."""
    peers = [OpenDkim(t, "v", name="first"), ClamAv(t, name="second"),
             Rspamd(t, name="third"), OpenDkim(t, "s", name="last")]
    mails, where = tools.corpus(80, 12)
    t.note("%d mails %s" % (len(mails), where))
    yield Group(peers, {
        name: (mail(raw, sender="a@client.example"),
               lambda o: said(o)[0] in (250, 451, 550, 554)) for name, raw in mails},
        no_signature)


# What a rule does, and whether a signature made by a milter outlives it: rules
# edit what the milters leave. All fields but the first are signed below.
EDITS = (
    ('header add X-Seen "yes"', True),
    ('header set X-Seen "yes"', True),
    ('header remove X-Mailer', True),
    ('header set Subject "another"', False),
    ('subject prefix "[SPAM] "', False),
    ('strip part with note "$part.path"', False),
)


def edited(t, postern):
    """A signature and rules that edit; who verifies is not touched by them."""
    signer = OpenDkim(t, "s", name="signs")
    verifier = OpenDkim(t, "v", name="judges", trusts=[signer])
    message = b"X-Mailer: mine\r\n" + EXE
    good = signed(signer, message)
    for action, holds in EDITS:
        when = 'any part at top ( ext = "exe" )' if "part" in action else "size >= 0"
        policy = "rule edit { when %s; then %s; }" % (when, action)
        postern.ask([("dkim", signer.address)], policy=policy)
        got = arrived(postern.talk(mail(message)))
        t.ok(b"DKIM-Signature:" in got and got[got.index(b"DKIM"):] != good[good.index(b"DKIM"):],
             "%s: signed, and edited" % action, got)
        t.same(b"dkim=pass" in through(verifier, got), holds,
               "%s: the signature %s" % (action, "holds" if holds else "is broken"), got)
        postern.ask([("dkim", verifier.address)], policy=policy)
        got = arrived(postern.talk(mail(good)))
        t.ok(b"dkim=pass" in got, "%s: who verifies sees it as it came" % action, got)


def run(t, what, side, group, taps):
    """{name: what came of it, what each milter was told}, for each mail."""
    got = {}
    for name, (steps, good) in group.mails.items():
        first = [len(p.talks) for p in taps]
        outcome = side.talk(steps)
        t.ok(good(outcome), "%s, %s: %s" % (what, name, side.name), repr(outcome)[:2000])
        got[name] = group.plain(outcome), [packets(p.since(n)) for p, n in zip(taps, first)]
    return got


def test(t):
    postfix = PostfixSide(t, [])
    postern = PosternSide(t, [])
    for make in (signing, verifying, aligning, scanning, scoring, defanging, in_a_row):
        what = make.__name__
        if sys.argv[1:] and what not in sys.argv[1:]:
            continue
        for group in make(t):
            taps = [MilterTap(t, p.address) for p in group.peers]
            asked = [(p.name, "inet:127.0.0.1:%d" % w.port)
                     for p, w in zip(group.peers, taps)]
            postfix.ask(asked)
            want = run(t, what, postfix, group, taps)
            postern.ask(asked)
            got = run(t, what, postern, group, taps)
            for name in group.mails:
                compare(t, "%s, %s: the same came of it" % (what, name),
                        got[name][0], want[name][0])
                for i, peer in enumerate(group.peers):
                    compare(t, "%s, %s: %s was told the same" % (what, name, peer.name),
                            got[name][1][i], want[name][1][i])
    if not sys.argv[1:] or "edited" in sys.argv[1:]:
        edited(t, postern)


tap.run(test, 400)
