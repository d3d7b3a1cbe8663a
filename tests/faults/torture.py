"""torture - messages, and a disaster at every step of them.

Clients send to a next hop, to a maildir, to the quarantine and to both, by DATA
and BDAT, small and large, while at the daemon's own fault points (and at each
command that the next hop hears) something happens by chance:

    kill -9 worker | inspector | keeper | master
    next hop cut    its connections are reset, all of them or at one command
    full disk       the file system of spool and state has no byte left
    hung disk       the process stands still in this step, as in a write

In the end each attempt must have left what its client heard, promise 1 of the
design: 250 exactly one copy, 4xx and 5xx none, a cut connection none or one.
One window is not ours (RFC 1047): the next hop took the message and its 250
was lost on the way. Such attempts are counted by themselves.

    torture.py [MESSAGES]        `make torture`: 10,000, and every disaster is
                                 to happen; POSTERN_SEED throws the same dice

Needs root (a small file system is mounted) and a build with
--enable-fault-hooks. Prints a table; TAP.
"""

import collections
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import fault
import maildir
import net
import postern
import sink as sinks
import tap

MESSAGES, MANY = 400, 10000
CLIENTS = 8
DISK = 600                  # MiB
CHANCE = 1 / 60             # of a disaster, at each step
# The master's death costs a start, the keeper's a pause: both are rarer.
DISASTERS = {"kill -9 worker": 30, "kill -9 inspector": 15, "kill -9 keeper": 6,
             "kill -9 master": 1, "next hop cut": 20, "full disk": 10, "hung disk": 8}
KINDS = ("relay", "maildir", "held", "copied")
SUBJECTS = {"held": b"hold me", "copied": b"copy me"}
POLICY = """
rule held { when subject contains "hold me"; then quarantine class tests; }
rule copied { when subject contains "copy me"; then quarantine class copies copy; }
"""


class Client(threading.Thread):
    """Sends until there is nothing left; .attempts: (marker, kind, code); .heard: words."""

    def __init__(self, number, todo, ports, dice):
        super().__init__(daemon=True)
        self.number, self.todo, self.ports, self.dice = number, todo, ports, dice
        self.attempts, self.heard = [], {}
        self.start()

    def run(self):
        while self.todo.take():
            kind = self.dice.choice(KINDS)
            marker = b"marker-%d-%d-" % (self.number, len(self.attempts))
            code = 0
            try:
                with net.Client(("127.0.0.1", self.ports[kind == "maildir"]),
                                timeout=60) as c:
                    reply = self.one(c, kind, marker)
                    code, self.heard[marker] = reply.code, reply
            except (net.Cut, OSError, IndexError):
                time.sleep(0.02)
            self.attempts.append((marker, kind, code))

    def one(self, c, kind, marker):
        body = b"Subject: %s\r\n\r\n%s\r\n" % (SUBJECTS.get(kind, b"deliver me"), marker)
        body += b"filling up the body of it\r\n" * self.dice.choices(
            (1, 100, 4000, 60000), (50, 40, 9, 1))[0]
        if self.dice.random() < 0.5:
            return c.mail("a@client.example", ["one@example.com"], body)
        replies = c.envelope("a@client.example", ["one@example.com"])
        if replies[-1].code // 100 != 2:
            return replies[-1]
        half = len(body) // 2
        for part, last in ((body[:half], b""), (body[half:], b" LAST")):
            c.send(b"BDAT %d%s\r\n" % (len(part), last) + part)
            reply = c.reply()
            if reply.code != 250:
                break
        return reply


class Todo:
    def __init__(self, n):
        self.left, self.lock = n, threading.Lock()

    def take(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0


class Pids:
    """Who lives, by role, from the log: the daemon is too busy to be asked."""

    def __init__(self, daemon):
        self.daemon, self.at, self.alive = daemon, 0, {}

    def of(self, role):
        with open(self.daemon.log_path, errors="replace") as f:
            f.seek(self.at)
            text = f.read()
        cut = text.rfind("\n") + 1
        self.at += len(text[:cut].encode())
        for state, name, pid in re.findall(
                r"ev=child state=(\w+) role=(\w+) .*?pid=(\d+)", text[:cut]):
            if state == "started":
                self.alive[int(pid)] = name
            elif state in ("exited", "killed"):
                self.alive.pop(int(pid), None)
        return [pid for pid, name in self.alive.items()
                if name == role and parent(pid) == self.daemon.process.pid]


def parent(pid):
    """Of a process that may be gone, and its number another's."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


class Torturer:
    def __init__(self, t, dice, daemon, faults, sink, disk):
        self.t, self.dice, self.daemon, self.faults = t, dice, daemon, faults
        self.sink, self.filler = sink, os.path.join(disk, "filler")
        self.pids = Pids(daemon)
        self.done = collections.Counter()       # (disaster, step)
        self.starting = threading.Lock()
        self.over = False
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while not self.over:
            stop = self.faults.wait(1)
            if stop is None:
                continue
            if self.dice.random() < CHANCE:
                what = self.dice.choices(list(DISASTERS), DISASTERS.values())[0]
                self.done[what, stop.point] += self.strike(what, stop)
            else:
                stop.go()

    def strike(self, what, stop):
        """1: it happened."""
        did = 1
        if what.startswith("kill"):
            did = self.kill(what.split()[-1], stop)
        elif what == "next hop cut":
            self.sink.cut()
        elif what == "full disk":
            self.fill()
        else:
            threading.Timer(self.dice.uniform(0.2, 1.5), stop.go).start()
            return 1
        stop.go()
        return did

    def kill(self, role, stop):
        if role == "master":
            return self.kill_master(stop)
        pids = self.pids.of(role)
        try:
            os.kill(stop.pid if stop.pid in pids else self.dice.choice(pids), signal.SIGKILL)
            return 1
        except (IndexError, ProcessLookupError):
            return 0                # being forked again

    def kill_master(self, stop):
        with self.starting:
            os.kill(self.daemon.process.pid, signal.SIGKILL)
            self.daemon.process.wait(10)
            empty(self.filler)
            stop.go()
            self.faults.disarm()    # children finish what they have
            if not tap.until(lambda: not self.daemon.running(), 30):
                raise RuntimeError("children outlive their master")
            self.daemon.start()
            self.pids = Pids(self.daemon)
            self.faults.arm()
        return 1

    def fill(self):
        try:
            with open(self.filler, "wb", 0) as f:
                while f.write(b"\0" * (1 << 20)):
                    pass
        except OSError:
            pass
        threading.Timer(self.dice.uniform(0.1, 0.5), empty, [self.filler]).start()

    def script(self, session, stage, line):
        """What the next hop does at a command (sink.py)."""
        if self.dice.random() > CHANCE / 8:
            return None
        self.done["next hop cut", "its " + stage] += 1
        if stage == "sent":
            self.sink.window.add(marker_of(line))
        return sinks.DIE


def empty(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def marker_of(text):
    found = re.search(rb"marker-\d+-\d+-", text)
    return found.group() if found else b""


class Sink(sinks.Sink):
    """Can be cut; .window: what it took then, and could not say so."""

    def __init__(self):
        super().__init__()
        self.window = set()

    def _take(self, session, mail, rcpts, wire):
        try:
            return super()._take(session, mail, rcpts, wire)
        except OSError:
            self.window.add(marker_of(wire))
            raise

    def cut(self):
        with self.lock:
            sessions, self.sessions = self.sessions, []
        for s in sessions:
            try:
                s.sock.shutdown(2)
            except OSError:
                pass


def held(state):
    found = collections.Counter()
    for folder, _, files in os.walk(os.path.join(state, "quarantine")):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                found[marker_of(f.read(4096))] += 1
    return found


def right(attempt, window, at):
    """Did the client hear what is so?"""
    marker, kind, code = attempt
    n = {place: at[place][marker] for place in at}
    copies = n["quarantine"] if kind == "held" else n["maildir"] + n["next hop"]
    if kind == "copied" and (n["quarantine"] > 1 or code == 250 and n["quarantine"] != 1):
        return False
    if code == 0 or marker in window:
        return copies <= 1
    return copies == (code // 100 == 2)


def table(t, tortures, attempts, wrong, window, at):
    steps = collections.defaultdict(set)
    count = collections.Counter()
    for (what, step), n in tortures.items():
        if n:
            steps[what].add(step)
            count[what] += n
    for what in DISASTERS:
        t.note("| %-17s | %5d times | at %2d steps: %s" % (
            what, count[what], len(steps[what]), " ".join(sorted(steps[what]))))
    heard = collections.Counter(code // 100 * 100 for _, _, code in attempts)
    t.note("| messages %d | heard 250: %d | 4xx: %d | 5xx: %d | cut: %d | in the window: %d |"
           % (len(attempts), heard[200], heard[400], heard[500], heard[0], len(window)))
    lost = [a for a in wrong if a[2] == 250 and
            not sum(at[place][a[0]] for place in at)]
    t.note("| lost %d | doubled or otherwise untrue %d |" % (len(lost), len(wrong) - len(lost)))


def mounted(t):
    disk = t.folder("disk")
    os.chmod(disk, 0o755)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm,mode=755" % DISK,
                           "tmpfs", disk], capture_output=True, text=True)
    if not t.ok(done.returncode == 0, "a file system of %d MiB" % DISK, done.stderr):
        return None
    t.defer(subprocess.run, ["umount", "-l", disk])
    return disk


def torture(t, dice, disk, messages):
    faults = fault.Faults(t)
    sink = Sink()
    t.defer(sink.close)
    ports = net.free_port(), net.free_port()
    daemon = postern.Postern(
        t, name="disk/postern", policy=POLICY, workers=2, env=faults.env("*"), start=False,
        extra="drain_timeout 5s; error_limit 1000;",
        listen="listen smtp 127.0.0.1:%d { upstream up; }\n"
        "listen smtp 127.0.0.1:%d { upstream box; }" % ports,
        upstream="upstream up { server %s; identity none; }\n"
        "upstream box { deliver maildir %s/maildir; }" % (
            sink.server, os.path.join(disk, "postern")))
    daemon.log_path = t.path("log")     # not on that disk
    daemon.start()
    torturer = Torturer(t, dice, daemon, faults, sink, disk)
    sink.script = torturer.script
    todo = Todo(messages)
    clients = [Client(i, todo, ports, random.Random(dice.random())) for i in range(CLIENTS)]
    for c in clients:
        c.join(1500)
    torturer.over = True
    sink.script = lambda *_: None
    with torturer.starting:
        faults.disarm()
    time.sleep(2)               # the disk, and what stood still
    t.ok(not any(c.is_alive() for c in clients), "every client comes to an end",
         daemon.log()[-3000:])

    def taken():
        try:
            return net.send(("127.0.0.1", ports[0]), "a@client.example", ["one@example.com"],
                            b"Subject: last\r\n\r\nlast\r\n").code == 250
        except (OSError, net.Cut):
            return False
    t.ok(tap.until(taken, 60, 0.5), "and a last mail is taken", daemon.log()[-3000:])
    t.same(daemon.terminate(30), 0, "SIGTERM ends it all", daemon.log()[-2000:])
    daemon.start()
    t.same(daemon.terminate(), 0, "and it starts once more")

    at = {"next hop": collections.Counter(marker_of(m.raw[:4096]) for m in sink.messages),
          "maildir": collections.Counter(map(marker_of, maildir.mails(daemon.maildir))),
          "quarantine": held(daemon.state)}
    attempts = [a for c in clients for a in c.attempts]
    heard = {m: reply for c in clients for m, reply in c.heard.items()}
    window = sink.window
    wrong = [a for a in attempts if not right(a, window, at)]
    table(t, torturer.done, attempts, wrong, window, at)
    kinds = {what for (what, _), n in torturer.done.items() if n}
    t.ok(len(attempts) == messages and len(kinds) == len(DISASTERS) if messages >= MANY
         else kinds, "%d messages, %d disasters of %d kinds" % (
             len(attempts), sum(torturer.done.values()), len(kinds)))
    t.ok(not wrong, "each message left what its client heard", "%d did not" % len(wrong),
         *("%s %s: heard %r, %s" % (m.decode(), kind, heard.get(m), {p: at[p][m] for p in at})
           for m, kind, _ in wrong[:20]))


def test(t):
    if not t.ok(postern.configured("FAULT_HOOKS", postern.build()), "the build has fault hooks",
                "configure --enable-fault-hooks"):
        return
    seed = int(os.environ.get("POSTERN_SEED") or random.randrange(1 << 32))
    t.note("POSTERN_SEED=%d" % seed)
    disk = mounted(t)
    if disk:
        torture(t, random.Random(seed), disk,
                int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES)


tap.run(test, 1800)
