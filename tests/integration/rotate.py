"""rotate - the log file is moved away under load and opened anew on SIGUSR1:
every message has its line in one of the files, no line is torn, and every
process follows. A file that cannot be opened changes nothing."""

import glob
import os
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern

TURNS = 8
SENDERS = 4
LINE = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z posternd\[\d+\]: (id=\S+ )?level=\w+ proc=\w+ ev=\S+ ?.*$")
POLICY = 'rule held { when subject contains "hold me"; then quarantine; }'


class Load(threading.Thread):
    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.sent, self.running = address, 0, True
        self.start()

    def run(self):
        while self.running:
            with net.Client(self.address) as c:
                for _ in range(20):
                    reply = c.mail("bob@client.example", ["ada@example.com"],
                                   b"Subject: x\r\n\r\nx\r\n")
                    self.sent += reply.code == 250
                c.cmd("QUIT")


def files(folder):
    return sorted(glob.glob(os.path.join(folder, "mail.log*")))


def written(folder):
    return [line for f in files(folder)
            for line in open(f, errors="replace").read().split("\n")[:-1]]


def holders(daemon, path):
    """Processes of the daemon that have this file open."""
    got = set()
    for pid in daemon.running():
        for fd in glob.glob("/proc/%d/fd/*" % pid):
            try:
                if os.path.samefile(fd, path):
                    got.add(pid)
            except OSError:
                pass
    return got


def test(t):
    folder = t.folder("logs")
    path = os.path.join(folder, "mail.log")
    daemon = Postern(t, policy=POLICY, workers=2, log_target=path, start=False)
    daemon.log_path, out = path, daemon.log_path
    daemon.began_at = 0
    daemon.start(wait=False)
    daemon.began_at = 0
    daemon.wait_ready()
    address = daemon.address
    loads = [Load(address) for _ in range(SENDERS)]
    for turn in range(TURNS):
        time.sleep(0.3)
        os.rename(path, "%s.%d" % (path, turn))
        os.kill(daemon.pid, signal.SIGUSR1)
        t.ok(tap.until(lambda: os.path.exists(path) and "ev=log state=reopened" in
                       open(path, errors="replace").read(), 10),
             "turn %d: the file is there again" % turn) if turn == 0 else \
            tap.until(lambda: os.path.exists(path), 10)
    for load in loads:
        load.running = False
    for load in loads:
        load.join(20)
    sent = sum(load.sent for load in loads)
    t.ok(sent > 50, "there was load", sent)

    # Who writes at all writes to the new one.
    want = set(daemon.pids("master") + daemon.pids("keeper") + daemon.pids("worker"))
    t.ok(tap.until(lambda: want <= holders(daemon, path), 10), "every process has followed",
         want, holders(daemon, path))
    readers = set(daemon.pids("inspector"))
    t.ok(not (holders(daemon, path + ".%d" % (TURNS - 1)) - readers),
         "and let go of the old file")

    def messages():
        return [m.group(1) for m in (re.search(r"^\S+ \S+ id=(\S+) .* ev=message ", line)
                                     for line in written(folder)) if m]
    tap.until(lambda: len(messages()) >= sent, 20, 0.2)
    ids, lines = messages(), written(folder)
    torn = [line for line in lines if not LINE.match(line)]
    t.ok(not torn, "no line is torn", torn[:3])
    for f in files(folder):
        data = open(f, "rb").read()
        if data and not data.endswith(b"\n"):
            t.ok(False, "%s ends within a line" % f)
    t.same(len(ids), sent, "each message has its line")
    t.same(len(set(ids)), len(ids), "once")
    t.ok(all(os.path.getsize(f) > 0 for f in files(folder)), "each file has some",
         [(f, os.path.getsize(f)) for f in files(folder)])

    # The keeper's own lines come into the new file, too.
    before = os.path.getsize(path)
    held = net.send(address, "bob@client.example", ["ada@example.com"],
                    b"Subject: hold me\r\n\r\nx\r\n").text.split()[-1]
    daemon.cli("quarantine", "release", held)
    t.ok(tap.until(lambda: "proc=keeper" in open(path).read()[before:], 10),
         "the keeper writes to it")

    # Where it cannot be opened, the file of before goes on.
    os.rename(path, path + ".kept")
    os.mkdir(path)
    os.kill(daemon.pid, signal.SIGUSR1)
    t.ok(tap.until(lambda: "state=not-reopened" in open(path + ".kept").read(), 10),
         "a file that cannot be opened is told, in the old one")
    net.send(address, "bob@client.example", ["ada@example.com"], b"Subject: y\r\n\r\ny\r\n")
    t.ok(tap.until(lambda: open(path + ".kept").read().rstrip().endswith("code=250")
                   or "ev=message" in open(path + ".kept").read().split("not-reopened")[-1], 10),
         "which goes on")
    os.rmdir(path)
    t.same(daemon.terminate(), 0, "it ends well")
    daemon.log_path = out


tap.run(test, 90)
