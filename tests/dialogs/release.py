#!/usr/bin/env python3
"""release - held mail goes on to a real next hop: as the client it came from,
byte for byte, and each recipient's answer comes back to the operator."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern
from sink import DIE, KEYWORDS, XCLIENT, Sink

POLICY = 'rule held { when subject contains "hold"; then quarantine; }'
BINARY = b"Subject: hold this\r\n\r\n\n\r\0\r\n.\r\n.\n\xff\r"
BODY = b"Subject: hold me\r\n\r\n.dot\r\n\xff\r\n"
RCPTS = ("ada@example.com", "nobody@example.com")


def hold(t, daemon):
    reply = net.send(daemon.address, "sender@example.net", RCPTS, BODY)
    t.ok(reply.code == 250 and "held as" in reply.text, "the mail is held", reply)
    return reply.text.split()[-1]


def hold_binary(daemon):
    with net.Client(daemon.address) as c:
        c.cmd("MAIL FROM:<sender@example.net> BODY=BINARYMIME")
        c.cmd("RCPT TO:<ada@example.com>")
        c.send(b"BDAT %d LAST\r\n" % len(BINARY) + BINARY)
        reply = c.reply()
        c.quit()
    return reply.text.split()[-1]


def binary(t, daemon, sink):
    """No octet of it is a line end to anybody; and a maildir would spoil it."""
    ident = hold_binary(daemon)
    count = len(sink.messages)
    done = daemon.cli("quarantine", "release", ident)
    t.same([m.raw for m in sink.messages[count:]], [BINARY],
           "what is binary is held and released so", done.stdout, done.stderr)
    said = sink.messages[-1].session.lines
    t.ok(b"BDAT %d LAST" % len(BINARY) in said, "by BDAT", said)
    ident = hold_binary(daemon)
    daemon.values["upstreams"] = "upstream up { deliver maildir %s; }" % daemon.maildir
    daemon.configure(POLICY)
    daemon.terminate()
    daemon.start()
    done = daemon.cli("quarantine", "release", ident)
    t.ok("554 A maildir's line ends would spoil it" in done.stdout + done.stderr,
         "to no maildir", done.stdout, done.stderr)


def test(t):
    answers = {}
    sink = Sink(announce=KEYWORDS + (XCLIENT, "CHUNKING", "BINARYMIME"),
                script=lambda session, stage, line: answers.get(line, answers.get(stage)))
    daemon = Postern(t, policy=POLICY, upstream="server %s; identity xclient;" % sink.server)
    ident = hold(t, daemon)
    t.ok(not sink.messages, "the next hop has heard of no message")

    answers["body"] = DIE
    done = daemon.cli("quarantine", "release", ident)
    t.ok("unknown" in done.stdout + done.stderr and not sink.messages,
         "it dies after the body: nobody knows", done.stdout, done.stderr)
    answers.clear()
    answers[b"RCPT TO:<nobody@example.com>"] = b"550 5.1.1 no such user\r\n"
    done = daemon.cli("quarantine", "release", ident)
    t.ok("550 no such user" in done.stdout + done.stderr, "a refusal comes back in its words",
         done.stdout, done.stderr)
    t.ok(len(sink.messages) == 1, "one copy went on", len(sink.messages))
    message = sink.messages[0]
    t.ok(message.raw == BODY, "byte for byte", message.wire)
    t.ok(message.rcpts == [b"RCPT TO:<ada@example.com>"], "to the other recipient", message.rcpts)
    said = b" ".join(message.session.lines)
    t.ok(b"ADDR=127.0.0.1" in said and b"HELO=client.example" in said,
         "as the client that sent it", message.session.lines)
    binary(t, daemon, sink)


tap.run(test, limit_s=60)
