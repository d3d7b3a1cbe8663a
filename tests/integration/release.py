"""release - what a release came to, by what the next hop did.

Before the message was sent in whole, a lost connection means that nothing was
delivered: waiting, and tried again by itself. Behind its last dot it means that nobody
knows (RFC 1047), and the message must not pass for undelivered.

The copy of a message that went on is one more mail, also in our own maildir.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern
from sink import DIE, Sink

POLICY = 'rule held { when subject contains "hold me"; then quarantine class tests; }'
MAIL = b"Subject: hold me\r\n\r\nbody\r\n"
CASES = (
    ("refuses the recipient", "rcpt", b"550 5.1.1 not here\r\n", "refused"),
    ("closes before the message", "data", DIE, "waiting"),
    ("puts the message off", "body", b"451 4.3.0 later\r\n", "waiting"),
    ("closes behind the message", "body", DIE, "unknown"),
    ("takes it", None, None, "released"),
)


def test(t):
    bent = [None, None]
    sink = Sink(script=lambda session, stage, line: bent[1] if stage == bent[0] else None)
    t.defer(sink.close)
    daemon = Postern(t, upstream="server %s; identity xclient;" % sink.server, policy=POLICY)
    reply = net.send(daemon.address, "ada@client.example", ["one@example.com"], MAIL)
    t.ok(reply.code == 250 and "held as" in reply.text, "a mail is held", reply)
    for what, stage, answer, state in CASES:
        bent[:] = stage, answer
        done = daemon.cli("quarantine", "release", daemon.quarantine()[0]["id"])
        t.same(daemon.quarantine()[0]["state"], state, "the next hop " + what,
               done.stdout, done.stderr)
    t.same(sink.holding(b"hold me"), 1, "it is delivered once")
    copies(t)


def copies(t):
    daemon = Postern(t, name="copies", policy="""rule kept {
        when subject contains "keep me"; then header add X-Edited "yes", quarantine copy; }""")
    net.send(daemon.address, "ada@client.example", ["one@example.com"],
             b"Subject: keep me\r\n\r\nbody\r\n")
    t.same((daemon.delivered(b"keep me"), daemon.delivered(b"X-Edited: yes")), (1, 1),
           "a mail goes on, edited, into the maildir")
    done = daemon.cli("quarantine", "release", daemon.quarantine()[0]["id"])
    t.same(daemon.quarantine()[0]["state"], "released", "its copy is released",
           done.stdout, done.stderr)
    t.same((daemon.delivered(b"keep me"), daemon.delivered(b"X-Edited: yes")), (2, 1),
           "and is there, too, as it came")


tap.run(test, 60)
