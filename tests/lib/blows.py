"""blows - what tests have in common that kill at moments nobody chose, under load:
clients that send without pause, the blows, and how it all has to end.
"""

import os
import random
import re
import signal
import threading
import time

import net
import tap


def dice(t):
    """Random numbers that are printed and may be given again (POSTERN_SEED)."""
    seed = int(os.environ.get("POSTERN_SEED") or random.randrange(1 << 32))
    t.note("POSTERN_SEED=%d" % seed)
    return random.Random(seed)


class Client(threading.Thread):
    """Sends until .stop is set. one(c) sends a mail, notes in .attempts what was
    heard, and says whether the session goes on; .number tells clients apart."""

    stop = None             # a threading.Event, set by battle()

    def __init__(self, address, number):
        super().__init__(daemon=True)
        self.address, self.number, self.attempts = address, number, []

    def run(self):
        while not self.stop.is_set():
            try:
                with net.Client(self.address, timeout=60) as c:
                    for _ in range(5):
                        if not self.one(c):
                            break
            except (net.Cut, OSError, IndexError):
                time.sleep(0.05)


def pids(daemon, role):
    """From the log: under load the keeper is too busy to tell at once."""
    if role == "master":
        return [daemon.pid]
    log = daemon.log()
    gone = set(re.findall(r"ev=child state=(?:exited|killed) .*?pid=(\d+)", log))
    return [int(pid) for pid in re.findall(
        r"ev=child state=started role=%s pid=(\d+)" % role, log) if pid not in gone]


def kill(daemon, dice, role):
    """One of them; a master is started again. False: there is none just now."""
    try:
        os.kill(dice.choice(pids(daemon, role)), signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return False        # being forked again
    if role == "master":
        daemon.process.wait(10)
        if not tap.until(lambda: not daemon.running(), 30):
            raise RuntimeError("children outlive their master")
        daemon.start()
    return True


def battle(clients, dice, strike, enough, seconds):
    """Blows for so long, or, where too little comes through, up to thrice. True:
    every client came to an end."""
    stop, began = threading.Event(), time.monotonic()
    for c in clients:
        c.stop = stop
        c.start()
    while time.monotonic() < began + seconds or (
            not enough() and time.monotonic() < began + 3 * seconds):
        time.sleep(dice.uniform(0.05, 0.4))
        strike()
    stop.set()
    for c in clients:
        c.join(70)
    return not any(c.is_alive() for c in clients)


def last_mail(t, daemon, what, *mail):
    """As net.send() takes it. A keeper that was killed so often waits a few
    seconds, and mail with it."""
    codes = []

    def taken():
        codes.append(net.send(*mail, timeout=60).code)
        return codes[-1] == 250
    t.ok(tap.until(taken, 40, 0.5) and set(codes) <= {250, 451}, what, codes,
         daemon.log()[-3000:])


def end_twice(t, daemon):
    """A whole start and stop: what recovers, recovers; what drains, drains."""
    t.same(daemon.terminate(), 0, "SIGTERM ends it all", daemon.log()[-2000:])
    daemon.start()
    t.same(daemon.terminate(), 0, "and it starts once more")


def kept(daemon):
    """What lies in the quarantine."""
    for folder, _, files in os.walk(os.path.join(daemon.state, "quarantine")):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                yield f.read()
