"""lmtp - mail's last hop: a real Dovecot behind, a real Postfix in front.

RFC 2033: each recipient has a reply of its own, so that one full mailbox costs
the others nothing; what a client of SMTP cannot be told does not happen to it.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from dovecot import Dovecot
from postern import Postern
from postfix import Postfix

BODY = b"Subject: %s\r\n\r\nmarker %s\r\n.a line with a dot\r\n"


def holding(store, user, marker):
    return sum(marker in m for m in store.mails(user))


def between(t, store):
    """Postfix -> LMTP -> postern -> LMTP -> Dovecot."""
    daemon = Postern(
        t, name="between", listen="listen lmtp 127.0.0.1:0 { upstream up; }",
        upstream="server %s; protocol lmtp; identity none;" % store.server,
        policy='rule r { when subject contains "refuse me";'
        ' then reject 550 5.7.1 "not here"; }\n'
        'rule c { when subject contains "and three"; then rcpt add three@example.com; }')
    pf = Postfix(t, "front", users=("one", "two", "three"), main="""
virtual_transport = lmtp:inet:%s:%d
""" % daemon.address, services="lmtp unix - - n - - lmtp\n")
    with net.Client(pf.address) as c:
        reply = c.mail("ada@client.example",
                       ["one@example.com", "three@example.com", "two@example.com"],
                       BODY % (b"x", b"each"))
    t.same(reply.code, 250, "Postfix takes a mail for three", reply)
    t.ok(pf.wait_log(r"to=<three@example.com>.*status=(deferred|bounced).*(?i:quota|full)"),
         "and hears that the third is full", pf.log()[-3000:])
    t.ok(pf.wait_log(r"to=<one@example.com>.*status=sent") and
         pf.wait_log(r"to=<two@example.com>.*status=sent"), "that the others have it",
         pf.log()[-3000:])
    t.same([holding(store, u, b"marker each") for u in ("one", "two", "three")], [1, 1, 0],
           "which is so")
    mail = [m for m in store.mails("one") if b"marker each" in m][0]
    t.ok(b"(postern)" not in mail, "end to end, no Received is added", mail)
    reply = net.send(pf.address, "ada@client.example",
                     ["one@example.com", "two@example.com"],
                     BODY % (b"refuse me", b"refused"))
    t.same(reply.code, 250, "Postfix takes a mail that a rule refuses")
    t.ok(pf.wait_log(r"to=<one@example.com>.*status=bounced.*not here") and
         pf.wait_log(r"to=<two@example.com>.*status=bounced.*not here"),
         "and hears so for each recipient", pf.log()[-3000:])
    with net.Client(daemon.address, greet=False) as c:
        c.reply()
        c.cmd("LHLO x")
        replies = c.envelope("a@client.example", ["one@example.com", "nobody@example.com"])
    t.same([r.code for r in replies], [250, 250, 550],
           "a recipient that Dovecot does not know", replies)
    with net.Client(daemon.address, greet=False) as c:
        c.reply()
        c.cmd("LHLO x")
        c.envelope("a@client.example", ["one@example.com"])
        reply = c.data(BODY % (b"and three", b"added"))
    t.same([reply.code, holding(store, "one", b"marker added")], [250, 1],
           "whom a rule added is no concern of the client's", reply)
    held = daemon.quarantine()
    t.ok(len(held) == 1 and held[0]["class"] == "failed" and
         [r["path"] for r in held[0]["recipients"]] == ["three@example.com"],
         "and not forgotten", held)


def last_stop(t, store):
    """SMTP -> postern -> LMTP, on Dovecot's unix socket."""
    daemon = Postern(
        t, name="last", upstream="deliver lmtp unix:%s;" % store.socket,
        policy='rule q { when subject contains "hold me"; then quarantine; }\n'
        'rule k { when subject contains "kept too"; then quarantine copy; }\n'
        'rule c { when subject contains "and three"; then rcpt add three@example.com; }')
    with net.Client(daemon.address, helo="client.helo") as c:
        replies = c.envelope("ada@client.example", [
            "someone@elsewhere.example", "one@example.com", "two@example.com"])
        t.same([r.code for r in replies], [250, 554, 250, 452],
               "one recipient of our own domains a mail", replies)
        reply = c.data(BODY % (b"x", b"last"))
    t.same(reply.code, 250, "it is taken", reply)
    mails = [m for m in store.mails("one") if b"marker last" in m]
    t.ok(len(mails) == 1 and re.search(
        rb"Received: from client\.helo .*by postern\.example\s+\(postern\) with ESMTP", mails[0],
        re.S), "once, with our Received", *mails)
    t.ok(b"\n.a line with a dot" in mails[0], "and as it was written")
    reply = net.send(daemon.address, "ada@client.example", ["three@example.com"],
                     BODY % (b"x", b"full"))
    t.ok(reply.code in (452, 552), "a full mailbox is the client's to hear of", reply)
    reply = net.send(daemon.address, "ada@client.example", ["one@example.com"],
                     BODY % (b"one and three", b"rest"))
    t.same(reply.code, 250, "a recipient that a rule added is refused: the client has his 250",
           reply)
    t.same(holding(store, "one", b"marker rest"), 1, "he has it once")
    held = daemon.quarantine()
    t.ok(len(held) == 1 and held[0]["class"] == "failed" and
         "three@example.com" in str(held[0]) and "one@example.com" not in str(held[0]),
         "it is held for the other alone", held)
    reply = net.send(daemon.address, "ada@client.example", ["one@example.com"],
                     BODY % (b"kept too and three", b"both"))
    t.same(reply.code, 250, "of one that is copied, too", reply)
    held = daemon.quarantine()
    t.same(sorted(h["class"] == "failed" and "three@example.com" in str(h) for h in held),
           [False, True, True], "the copy and the rest are two", held)
    reply = net.send(daemon.address, "ada@client.example", ["two@example.com"],
                     BODY % (b"hold me", b"held"))
    t.same(reply.code, 250, "what a rule holds is held", reply)
    held = [h for h in daemon.quarantine() if h["subject"] == "hold me"]
    done = daemon.cli("quarantine", "release", held[0]["id"])
    t.ok(tap.until(lambda: holding(store, "two", b"marker held") == 1),
         "and released by LMTP", done, daemon.log()[-2000:])


def test(t):
    store = Dovecot(t, users=("one", "two"), full=("three",))
    between(t, store)
    last_stop(t, store)


tap.run(test, 120)
