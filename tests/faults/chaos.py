"""chaos - kill -9 at moments nobody chose, under load.

kill9 knows the steps of a message; this one does not. Eight clients send
without pause, to a next hop (once a maildir, once an SMTP server) and to the
quarantine, one recipient and two, while workers, inspectors, the keeper and now
and then the master are killed. In the end each attempt must have left what its
client heard: promise 1 of the design.
"""

import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import blows
import maildir
import net
import tap
from postern import Postern
from sink import Sink

SECONDS = 10            # or, where too little comes through, up to thrice
ENOUGH = 100
CLIENTS = 8
POLICY = """
rule held { when subject contains "hold me"; then quarantine class tests; }
"""


class Client(blows.Client):
    """.attempts: (marker, copies due, code)."""

    def __init__(self, address, number, copies_each):
        super().__init__(address, number)
        self.copies_each = copies_each  # does each recipient get a copy?
        self.n = 0

    def one(self, c):
        self.n += 1
        held = self.n % 2
        rcpts = ["one@example.com", "two@example.com"][:1 + self.n % 3 // 2]
        marker = b"marker-%d-%d-" % (self.number, self.n)
        body = b"Subject: %s\r\n\r\n%s\r\n" % (
            b"hold me" if held else b"deliver me", marker) \
            + b"filling\r\n" * (self.n % 11) ** 4
        code = 0
        try:
            code = c.mail("ada@client.example", rcpts, body).code
        finally:
            due = 1 if held or not self.copies_each else len(rcpts)
            self.attempts.append((marker, due, code))
        return code // 100 in (2, 4) and code != 421


def copies(daemon, sink):
    """How often each marker is at the next hop and in the quarantine."""
    found = collections.Counter()
    texts = maildir.mails(daemon.maildir) + [m.raw for m in sink.messages]
    texts += blows.kept(daemon)
    for text in texts:
        at = text.find(b"marker-")
        found[text[at:text.index(b"\n", at)].strip()] += 1
    return found


def chaos(t, dice, name):
    sink = Sink()
    t.defer(sink.close)
    port = net.free_port()      # the same one after the master is started again
    daemon = Postern(t, name=name, policy=POLICY, workers=3, extra="drain_timeout 5s;",
                     listen="listen smtp 127.0.0.1:%d { upstream up; }" % port,
                     upstream="maildir" if name == "maildir"
                     else "server %s; identity xclient;" % sink.server)
    killed = collections.Counter()
    clients = [Client(("127.0.0.1", port), i, name == "maildir") for i in range(CLIENTS)]

    def strike():
        role = dice.choices(("worker", "inspector", "keeper", "master"), (6, 6, 4, 1))[0]
        killed[role] += blows.kill(daemon, dice, role)

    def enough():
        got = sum(a[2] == 250 for c in clients for a in list(c.attempts))
        return got > ENOUGH and len(+killed) >= 3
    t.ok(blows.battle(clients, dice, strike, enough, SECONDS),
         "%s: every client comes to an end" % name, daemon.log()[-3000:])
    blows.last_mail(t, daemon, "and a last mail is taken",
                    ("127.0.0.1", port), "ada@client.example", ["one@example.com"],
                    b"Subject: last\r\n\r\nmarker-last\r\n")
    blows.end_twice(t, daemon)

    found = copies(daemon, sink)
    heard, cut, wrong = collections.Counter(), [0, 0], []
    for marker, due, code in (a for c in clients for a in c.attempts):
        n = found[marker]
        heard[code] += 1
        if code == 0:
            cut[n > 0] += 1
        if n not in ((0, due) if code == 0 else (due,) if code == 250 else (0,)):
            wrong.append("%s: client heard %s, copies %d of %d"
                         % (marker.decode(), code or "a cut", n, due))
    t.note("killed: %r; heard: %r" % (dict(killed), dict(heard)))
    t.note("%d connections were cut with a mail under way: %d left nothing, %d all"
           % (sum(cut), *cut))
    t.ok(heard[250] > ENOUGH and len(+killed) >= 3,
         "%s: %d mails got through, %d processes were killed"
         % (name, heard[250], sum(killed.values())))
    t.ok(not wrong, "%s: each of %d attempts left what its client heard"
         % (name, sum(heard.values())),
         "%d did not" % len(wrong), *wrong[:20])


def test(t):
    dice = blows.dice(t)
    chaos(t, dice, "maildir")
    chaos(t, dice, "relay")


tap.run(test, 300)
