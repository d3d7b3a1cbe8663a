"""milter_chaos - kill -9 at moments nobody chose, beside a Postfix under load.

Six clients send through a Postfix that asks postern: mail that passes, that is
changed in every way, held, copied to the keeper, refused. All the while milter
workers, inspectors, the keeper and now and then the master are killed, and the
configuration is read again. In the end each attempt has left what its client
heard. A 250 is one copy at the next hop with all of its changes or one with the
keeper, never none, never two, never half a change; anything else has left
nothing at the next hop, and with the keeper one copy at most, which is there when
postern or its word was lost after it had been written.

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

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from milter_sides import PostfixSide
from postern import Postern

SECONDS = 12            # or, where too little comes through, up to thrice
CLIENTS = 6
POLICY = """
rule refused { when subject contains "refused"; then reject 554 5.7.1 "no"; }
rule held    { when subject contains "held"; then quarantine class tests; }
rule copied  { when subject contains "copied"; then quarantine class copies copy; }
rule changed { when subject contains "changed";
               then header add X-Last "1", header insert X-First "1", subject prefix "[C] ",
                    sender set changed@example.com, rcpt add two@example.com,
                    rcpt remove one@example.com; }
rule strip   { when any part ( name = "a.bin" ); then strip part with note "taken out"; }
"""
KINDS = ("passed", "changed", "held", "copied", "refused")
PART = (b"Content-Type: multipart/mixed; boundary=b\r\nMIME-Version: 1.0\r\n\r\n--b\r\n\r\n%s\r\n%s"
        b"--b\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\n\r\nSECRET\r\n--b--\r\n")


class Client(threading.Thread):
    """Sends until it is told to stop; .attempts: (kind, marker, code)."""

    def __init__(self, address, number, stop):
        super().__init__(daemon=True)
        self.address, self.number, self.stop = address, number, stop
        self.attempts = []
        self.start()

    def run(self):
        while not self.stop.is_set():
            try:
                with net.Client(self.address, timeout=60) as c:
                    for _ in range(4):
                        self.one(c)
            except (net.Cut, OSError, IndexError):
                time.sleep(0.05)

    def one(self, c):
        n = len(self.attempts)
        kind = KINDS[n % len(KINDS)]
        marker = b"marker-%d-%d." % (self.number, n)
        filling = b"filling\r\n" * (n % 11) ** 4
        self.attempts.append((kind, marker, 0))
        head = b"Subject: %s\r\n" % kind.encode()
        code = c.mail("ada@a.example", ["one@example.com"], head + (
            PART % (marker, filling) if kind == "changed" else
            b"\r\n" + marker + b"\r\n" + filling)).code
        self.attempts[n] = (kind, marker, code)


def pids(daemon, role):
    if role == "master":
        return [daemon.pid]
    log = daemon.log()
    gone = set(re.findall(r"ev=child state=(?:exited|killed) .*?pid=(\d+)", log))
    return [int(pid) for pid in re.findall(
        r"ev=child state=started role=%s pid=(\d+)" % role, log) if pid not in gone]


def strike(daemon, dice, struck):
    role = dice.choices(("milter", "inspector", "keeper", "reload", "master"),
                        (6, 4, 5, 3, 1))[0]
    struck[role] += 1
    try:
        if role == "reload":
            daemon.reload()
            return
        os.kill(dice.choice(pids(daemon, role)), signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return      # being forked again
    if role == "master":
        daemon.process.wait(10)
        if not tap.until(lambda: not daemon.running(), 30):
            raise RuntimeError("children outlive their master")
        daemon.start()


def markers(texts):
    found = collections.defaultdict(list)
    for text in texts:
        for marker in re.findall(rb"marker-\d+-\d+\.", text)[:1]:
            found[marker].append(text)
    return found


def kept(daemon):
    for folder, _, files in os.walk(os.path.join(daemon.state, "quarantine")):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                yield f.read()


def changed(message):
    """All of it, as Postfix passed it on."""
    raw = message.raw
    return (re.match(rb"X-First: 1\r\n", raw) and b"\r\nX-Last: 1\r\n" in raw
            and b"\r\nSubject: [C] changed\r\n" in raw and b"SECRET" not in raw
            and b"taken out" in raw and b"<changed@example.com>" in message.mail
            and [b"<two@example.com>" in r for r in message.rcpts] == [True])


def unchanged(message):
    return (b"\r\nX-Last" not in message.raw and b"<ada@a.example>" in message.mail
            and [b"<one@example.com>" in r for r in message.rcpts] == [True])


def judge(attempts, sent, held):
    """What is wrong with these attempts, in words."""
    for kind, marker, code in attempts:
        to, there = sent[marker], len(held[marker])
        good = changed if kind == "changed" else unchanged
        if code == 250:
            want = (int(kind != "held"), int(kind in ("held", "copied")))
            ok = (len(to), there) == want and kind != "refused" and all(map(good, to))
        else:
            ok = not to and there <= int(kind in ("held", "copied"))
        if not ok:
            yield "%s %s: heard %s, %d sent on, %d kept, %r" % (
                kind, marker.decode(), code or "a cut", len(to), there,
                [(m.mail, m.rcpts, m.raw[:400]) for m in to])


def test(t):
    seed = int(os.environ.get("POSTERN_SEED") or random.randrange(1 << 32))
    t.note("POSTERN_SEED=%d" % seed)
    dice = random.Random(seed)
    path = t.path("door.sock")
    postfix = PostfixSide(t, [("postern", "unix:" + path)],
                          main="milter_default_action = tempfail\n"
                          "milter_connect_timeout = 5s\nmilter_command_timeout = 10s\n"
                          "smtpd_client_event_limit_exceptions = 127.0.0.1\n"
                          "smtpd_soft_error_limit = 1000\nsmtpd_hard_error_limit = 2000\n")
    daemon = Postern(t, name="door", policy=POLICY, extra="drain_timeout 5s;",
                     upstream="server %s; identity none;" % postfix.sink.server,
                     listen="listen milter unix:%s { upstream up; mode 0666; }" % path)
    stop, struck = threading.Event(), collections.Counter()
    clients = [Client(postfix.address, i, stop) for i in range(CLIENTS)]
    began = time.monotonic()

    def enough():
        heard = collections.Counter(a[2] for c in clients for a in list(c.attempts))
        return heard[250] > 50 and heard[554] > 10 and len(struck) >= 3
    while time.monotonic() < began + SECONDS or (
            not enough() and time.monotonic() < began + 3 * SECONDS):
        time.sleep(dice.uniform(0.05, 0.4))
        strike(daemon, dice, struck)
    stop.set()
    for c in clients:
        c.join(70)
    t.ok(not any(c.is_alive() for c in clients), "every client comes to an end",
         daemon.log()[-3000:])
    codes = []

    def taken():
        codes.append(net.send(postfix.address, "ada@a.example", ["one@example.com"],
                              b"Subject: held\r\n\r\nlast\r\n", timeout=60).code)
        return codes[-1] == 250
    t.ok(tap.until(taken, 40, 0.5) and set(codes) <= {250, 451},
         "and a last mail is kept", codes, daemon.log()[-3000:])
    t.ok(postfix.postfix.settle(60), "Postfix has nothing left", postfix.log()[-2000:])
    t.same(daemon.terminate(), 0, "SIGTERM ends it all", daemon.log()[-2000:])
    daemon.start()
    t.same(daemon.terminate(), 0, "and it starts once more")

    attempts = [a for c in clients for a in c.attempts]
    sent = collections.defaultdict(list)
    for m in postfix.sink.messages:
        for marker in markers([m.raw]):
            sent[marker].append(m)
    wrong = list(judge(attempts, sent, markers(kept(daemon))))
    heard = collections.Counter(code for _, _, code in attempts)
    t.note("struck: %r; heard: %r" % (dict(struck), dict(heard)))
    t.ok(heard[250] > 50 and heard[554] > 10 and len(struck) >= 3,
         "%d mails got through, %d blows" % (heard[250], sum(struck.values())))
    t.ok(not wrong, "each of %d attempts left what its client heard" % len(attempts),
         "%d did not" % len(wrong), *wrong[:8])
    t.same(re.findall(r".*(?:error|fatal|panic): .*", postfix.postfix.whole_log()), [],
           "Postfix has nothing worse to say than warnings")


tap.run(test, 240)
