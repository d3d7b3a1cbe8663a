"""chaos - kill -9 at moments nobody chose, under load.

kill9 knows the steps of a message; this one does not. Eight clients send
without pause, to a next hop (once a maildir, once an SMTP server) and to the
quarantine, one recipient and two, while workers, inspectors, the keeper and now and then the master are killed. In the
end each attempt must have left what its client heard: promise 1 of the design.
The random numbers are printed and may be given again (POSTERN_SEED).
"""

import collections
import os
import random
import re
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
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


class Client(threading.Thread):
    """Sends until it is told to stop; .attempts: (marker, copies due, code)."""

    def __init__(self, address, number, stop, copies_each):
        super().__init__(daemon=True)
        self.address, self.number, self.stop = address, number, stop
        self.copies_each = copies_each  # does each recipient get a copy?
        self.attempts = []
        self.n = 0
        self.start()

    def run(self):
        while not self.stop.is_set():
            try:
                with net.Client(self.address, timeout=60) as c:
                    for _ in range(5):
                        if not self.one(c):
                            break
            except (net.Cut, OSError, IndexError):
                time.sleep(0.05)

    def one(self, c):
        """A mail; False: the session is over."""
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


def pids(daemon, role):
    """From the log: under load the keeper is too busy to tell at once."""
    if role == "master":
        return [daemon.pid]
    log = daemon.log()
    gone = set(re.findall(r"ev=child state=(?:exited|killed) .*?pid=(\d+)", log))
    return [int(pid) for pid in re.findall(
        r"ev=child state=started role=%s pid=(\d+)" % role, log) if pid not in gone]


def kill_one(daemon, dice, killed):
    role = dice.choices(("worker", "inspector", "keeper", "master"), (6, 6, 4, 1))[0]
    try:
        os.kill(dice.choice(pids(daemon, role)), signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return      # being forked again
    killed[role] += 1
    if role == "master":
        daemon.process.wait(10)
        if not tap.until(lambda: not daemon.running(), 30):
            raise RuntimeError("children outlive their master")
        daemon.start()


def copies(daemon, sink):
    """How often each marker is at the next hop and in the quarantine."""
    found = collections.Counter()
    texts = maildir.mails(daemon.maildir) + [m.raw for m in sink.messages]
    for folder, _, files in os.walk(os.path.join(daemon.state, "quarantine")):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                texts.append(f.read())
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
    stop, killed = threading.Event(), collections.Counter()
    clients = [Client(("127.0.0.1", port), i, stop, name == "maildir")
               for i in range(CLIENTS)]
    began = time.monotonic()

    def enough():
        got = sum(a[2] == 250 for c in clients for a in list(c.attempts))
        return got > ENOUGH and len(killed) >= 3
    while time.monotonic() < began + SECONDS or (
            not enough() and time.monotonic() < began + 3 * SECONDS):
        time.sleep(dice.uniform(0.05, 0.4))
        kill_one(daemon, dice, killed)
    stop.set()
    for c in clients:
        c.join(70)
    t.ok(not any(c.is_alive() for c in clients), "%s: every client comes to an end" % name,
         daemon.log()[-3000:])
    # A whole start and stop: what recovers, recovers; what drains, drains. A
    # keeper that was killed so often waits a few seconds, and mail with it.
    codes = []

    def taken():
        codes.append(net.send(
            ("127.0.0.1", port), "ada@client.example", ["one@example.com"],
            b"Subject: last\r\n\r\nmarker-last\r\n", timeout=60).code)
        return codes[-1] == 250
    t.ok(tap.until(taken, 40, 0.5) and set(codes) <= {250, 451},
         "and a last mail is taken", codes, daemon.log()[-3000:])
    t.same(daemon.terminate(), 0, "SIGTERM ends it all", daemon.log()[-2000:])
    daemon.start()
    t.same(daemon.terminate(), 0, "and it starts once more")

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
    t.ok(heard[250] > ENOUGH and len(killed) >= 3,
         "%s: %d mails got through, %d processes were killed"
         % (name, heard[250], sum(killed.values())))
    t.ok(not wrong, "%s: each of %d attempts left what its client heard"
         % (name, sum(heard.values())),
         "%d did not" % len(wrong), *wrong[:20])


def test(t):
    seed = int(os.environ.get("POSTERN_SEED") or random.randrange(1 << 32))
    t.note("POSTERN_SEED=%d" % seed)
    dice = random.Random(seed)
    chaos(t, dice, "maildir")
    chaos(t, dice, "relay")


tap.run(test, 300)
