"""single - posternd --single relays and judges as the real thing does.

One process and loop for debuggers: no forks, no sandbox, the same frames and
the same verdicts.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern
from sink import Sink

POLICY = """
rule refuse { when subject contains "refuse"; then reject 550 5.7.1 "not here"; }
rule held { when subject contains "hold me"; then quarantine class tests; }
rule mark { when any part ( ext = "exe" ); then header add X-Program "yes"; }
"""
PROGRAM = (b"Subject: program\r\nMIME-Version: 1.0\r\n"
           b"Content-Type: application/octet-stream; name=a.exe\r\n"
           b"Content-Disposition: attachment; filename=a.exe\r\n\r\nMZ\r\n")


def outcome(daemon, body):
    reply = net.send(daemon.address, "ada@client.example", ["one@example.com"], body)
    # The reference that ends a refusal, and ids, differ from mail to mail.
    return reply.code, reply.text.split(" [ref")[0].split(" as ")[0]


def test(t):
    sinks = [Sink(), Sink()]
    for s in sinks:
        t.defer(s.close)
    real = Postern(t, name="real", policy=POLICY,
                   upstream="server %s; identity xclient;" % sinks[0].server)
    one = Postern(t, name="single", policy=POLICY, args=["--single"],
                  upstream="server %s; identity xclient;" % sinks[1].server)
    t.same(len(one.running()), 1, "--single is one process", one.running())
    for what, body in (
            ("a plain mail", b"Subject: plain\r\n\r\nhello\r\n.dot\r\n"),
            ("a refused one", b"Subject: refuse\r\n\r\nhello\r\n"),
            ("a held one", b"Subject: hold me\r\n\r\nheld here\r\n"),
            ("one that gets a header", PROGRAM)):
        counts = [len(s.messages) for s in sinks]
        got = [outcome(d, body) for d in (real, one)]
        t.same(got[1], got[0], "%s: the same reply" % what, one.log()[-2000:])
        arrived = [[m.raw for m in s.messages[n:]] for s, n in zip(sinks, counts)]
        t.same(arrived[1], arrived[0], "%s: the same octets behind" % what)
    t.same(len(sinks[0].messages), 2, "two were relayed")
    t.ok(b"X-Program: yes\r\n" in sinks[1].messages[-1].raw, "the header is added")
    t.same((real.quarantined(b"held here"), one.quarantined(b"held here")), (1, 1),
           "one is in each quarantine")
    t.same(one.terminate(), 0, "SIGTERM ends it, status 0")


tap.run(test, 60)
