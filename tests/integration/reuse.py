"""reuse - connections to the next hop serve many clients, and lose no mail.

Eight clients send to a next hop that closes connections when it likes: when
MAIL comes on one that served others, after a RCPT, at DATA, at the end of a
message, and behind its last 250. 250 must have left exactly one copy, all else
none; a connection that dies at MAIL is nobody's news; each mail was introduced
with its own client's name, by EHLO and where it is told so by XFORWARD. The
same where MX leads to the next hop, but for the name, which is our own there.
"""

import collections
import os
import random
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import net
import tap
from postern import Postern
from sink import DIE, Sink

CLIENTS, MAILS = 8, 60
NAMES = ("one.example", "two.example", "three.example")
LIMIT = 100     # mails of one connection, as postern.conf(5) says
REFUSED = b"451 4.3.0 not now\r\n"


class NextHop:
    """The sink's script, and what it did."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.lock = threading.Lock()
        self.done = collections.Counter()
        self.told = {}          # marker: (name by EHLO, name by XFORWARD)

    def __call__(self, session, stage, line):
        with self.lock:
            if stage == "body":
                hello = [x for x in session.lines if x[:4] == b"EHLO"][-1]
                self.told[marker_in(line)] = (hello[5:].decode(),
                                              session.identity.get("HELO"))
            served = sum(x[:4] == b"MAIL" for x in session.lines) > 1
            if stage == "mail" and not served:
                return None
            if stage not in ("mail", "rcpt", "data", "body", "sent") or \
                    self.dice.random() > (0.2 if stage in ("mail", "sent") else 0.03):
                return None
            self.done[stage] += 1
            return REFUSED if stage == "mail" and self.dice.random() < 0.3 else DIE


def marker_in(text):
    at = text.find(b"marker-")
    return text[at:text.index(b"\r\n", at)]


class Client(threading.Thread):
    def __init__(self, address, number, seed):
        super().__init__(daemon=True)
        self.address, self.number = address, number
        self.dice = random.Random(seed + number)
        self.attempts, self.broken = [], []
        self.start()

    def run(self):
        try:
            while len(self.attempts) < MAILS:
                name = self.dice.choice(NAMES)
                with net.Client(self.address, helo=name, timeout=30) as c:
                    for _ in range(self.dice.randint(1, 3)):
                        self.one(c, name)
                    c.quit()
        except Exception as e:  # of any kind: it is the test's to tell
            self.broken.append(repr(e))

    def one(self, c, name):
        marker = b"marker-%d-%d-" % (self.number, len(self.attempts))
        body = b"Subject: x\r\n\r\n%s\r\n" % marker
        reply = c.mail("ada@client.example", ["one@example.com"], body)
        self.attempts.append((marker, name, reply))
        if reply.code != 250:
            c.cmd("RSET")


def play(t, identity, seed, by_mx=False):
    hop = NextHop(seed)
    sink = Sink(script=hop)
    where = "mx port %d;" % sink.address[1] if by_mx else "server %s; identity %s;" % (sink.server, identity)
    identity = "mx" if by_mx else identity
    daemon = Postern(
        t, name=identity, upstream=where + " keep 20 idle 5s;", start=False,
        listen="listen smtp 127.0.0.1:0 { upstream up; %s }" % (
            "identity from 127.0.0.1 xforward;" if identity == "xforward" else ""))
    daemon.dns.records.update({("example.com", "MX"): ["10 mx.lab.example"],
                               ("mx.lab.example", "A"): ["127.0.0.1"]})
    daemon.start()
    clients = [Client(daemon.address, n, seed) for n in range(CLIENTS)]
    for c in clients:
        c.join(100)
    t.same([b for c in clients for b in c.broken], [], identity + ": every client has its replies")
    attempts = [a for c in clients for a in c.attempts]
    copies = collections.Counter(marker_in(m.raw) for m in sink.messages)
    wrong = [(marker, str(reply), copies[marker]) for marker, _, reply in attempts
             if copies[marker] != (reply.code == 250)]
    t.same(wrong[:3], [], identity + ": 250 is one copy, all else none")
    failed = [r for _, _, r in attempts if r.code != 250]
    seen = hop.done["rcpt"] + hop.done["data"] + hop.done["body"]
    t.ok(len(failed) <= seen, identity + ": nobody hears of one that died at MAIL",
         "%d failed of %d, %r, %r" % (len(failed), len(attempts), hop.done,
                                       collections.Counter(map(str, failed))))
    strangers = [(marker, name, hop.told[marker]) for marker, name, r in attempts
                 if r.code == 250 and hop.told[marker] != (
                     "postern.example" if by_mx else name,
                     name if identity == "xforward" else None)]
    t.same(strangers[:3], [], "%s: each mail under %s name" % (
        identity, "our own" if by_mx else "its client's"))
    used = [sum(x[:4] == b"MAIL" for x in s.lines) for s in sink.sessions]
    t.ok(max(used) <= LIMIT and sum(n > 0 for n in used) < len(attempts),
         identity + ": connections are shared, and not for ever", repr(used))
    print("# %s: %d mails, %d connections, %d at most on one, %r" % (
        identity, len(attempts), sum(n > 0 for n in used), max(used), dict(hop.done)))
    t.same(daemon.terminate(), 0, identity + ": and it ends")
    sink.close()


def test(t):
    seed = int(os.environ.get("POSTERN_SEED") or random.randrange(1 << 30))
    print("# POSTERN_SEED=%d" % seed)
    for identity in ("none", "xforward"):
        play(t, identity, seed)
    play(t, "none", seed, by_mx=True)


tap.run(test, 240)
