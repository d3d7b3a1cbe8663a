"""poison - one message breaks the inspector; the others never notice.

The inspector crashes, then loops, on a marker (fault hooks), with 8 other
messages outstanding at it. Design 2: those 8 are delivered, the poison hears
451, 451, and at its third attempt goes to the quarantine, class failed. And a
probe tries from within the sandbox what hostile content would like to do.

Needs a build with --enable-fault-hooks: this one, or POSTERN_FAULT_BUILD.
"""

import os
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import net
import postern
import tap

OTHERS = 8
POLICY = """
rule never { when subject contains "a subject that nobody writes"; then tag; }
"""


class Sender(threading.Thread):
    """A session that stops before the final dot until it is told."""

    def __init__(self, address, body):
        super().__init__(daemon=True)
        self.address, self.body = address, body
        self.ready, self.go = threading.Event(), threading.Event()
        self.sent = threading.Event()
        self.reply = None
        self.start()

    def run(self):
        try:
            with net.Client(self.address, timeout=60) as c:
                c.envelope("ada@client.example", ["one@example.com"])
                c.cmd("DATA")
                wire = net.stuff(self.body)
                c.send(wire[:-3])
                self.ready.set()
                self.go.wait(60)
                c.send(wire[-3:])
                self.sent.set()
                self.reply = c.reply()
        except (net.Cut, OSError) as e:
            self.reply = e
        finally:
            self.ready.set()
            self.sent.set()


def code(sender):
    return getattr(sender.reply, "code", None)


def small_lane(daemon):
    return [p["pid"] for p in daemon.processes("inspector") if p["lane"] == "small"]


def round_of(t, daemon, fault, attempt):
    """The poison in the middle of 8 others, all at the inspector together."""
    head = b"From: ada@client.example\r\nSubject: %s\r\n"
    marker = ("%s-%d" % (fault, attempt)).encode()
    poison = head % b"poison" + b"X-Postern-Fault: %s\r\n\r\nsame body\r\n" \
        % fault.encode()
    bodies = [head % b"other" + b"\r\nother %s %d.\r\n" % (marker, i)
              for i in range(OTHERS)]
    bodies.insert(OTHERS // 2, poison)
    senders = [Sender(daemon.address, b) for b in bodies]
    for s in senders:
        s.ready.wait(30)
    inspector = tap.until(lambda: small_lane(daemon))[0]
    # While it stands still every message waits at it, in this order.
    os.kill(inspector, signal.SIGSTOP)
    for s in senders:
        s.go.set()
        s.sent.wait(30)
        time.sleep(0.03)
    time.sleep(0.3)
    os.kill(inspector, signal.SIGCONT)
    for s in senders:
        s.join(60)
    bad = senders.pop(OTHERS // 2)
    t.ok([code(s) for s in senders] == [250] * OTHERS
         and all(daemon.delivered(b"other %s %d." % (marker, i)) == 1
                 for i in range(OTHERS)),
         "%s, attempt %d: the 8 others are delivered, once each" % (fault, attempt),
         *[s.reply for s in senders], daemon.log()[-3000:])
    now = tap.until(lambda: [p for p in small_lane(daemon) if p != inspector])
    t.ok(now and inspector not in daemon.running(),
         "%s, attempt %d: that inspector is gone, another is there" % (fault, attempt))
    return bad.reply


def poison(t, daemon, fault):
    for attempt in (1, 2):
        reply = round_of(t, daemon, fault, attempt)
        t.ok(str(reply).startswith("451 4.7.1"), "%s: attempt %d hears 451 4.7.1"
             % (fault, attempt), reply)
    before = len(daemon.quarantine())
    reply = round_of(t, daemon, fault, 3)
    t.ok(str(reply).startswith("250 2.0.0"), "%s: the third is held" % fault, reply)
    held = daemon.quarantine()
    t.ok(len(held) == before + 1 and held[0]["class"] == "failed",
         "%s: in the quarantine, class failed" % fault, held)
    t.same(daemon.delivered(b"X-Postern-Fault: " + fault.encode()), 0,
           "%s: and nowhere else" % fault)


def probe(t, daemon):
    """A call that succeeds lets the mail pass; one that fails breaks it off."""
    def send(word):
        return net.send(daemon.address, "ada@client.example", ["one@example.com"],
                        b"Subject: probe\r\nX-Postern-Fault: %s\r\n\r\nprobe\r\n" % word,
                        timeout=60)
    reply = send(b"nothing")
    t.same(reply.code, 250, "a probe that tries nothing passes", reply)
    for call in ("open", "socket", "connect", "execve", "mmap", "ptrace"):
        reply = send(b"probe-" + call.encode())
        t.ok(reply.raw.startswith(b"451 4.7.1"), "%s fails in the sandbox" % call, reply,
             daemon.log()[-1000:])


def test(t):
    build = os.environ.get("POSTERN_FAULT_BUILD") or postern.build()
    if not t.ok(postern.configured("FAULT_HOOKS", build),
                "the build has fault hooks", build):
        return
    daemon = postern.Postern(t, policy=POLICY, build_dir=build,
                             extra="inspect_deadline 3s;")
    poison(t, daemon, "crash")
    poison(t, daemon, "loop")
    probe(t, daemon)


tap.run(test, 150)
