"""release_retry - a release that the next hop puts off is tried again by the
keeper: for those recipients alone, through a keeper, a worker and a daemon
that die meanwhile, until its time is over. One copy is delivered."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern
from sink import Sink

POLICY = 'rule held { when subject contains "hold"; then quarantine class tests; }'
RCPTS = ("ada@example.com", "eve@example.com")


class Hop:
    """A next hop whose answers to a stage come from a list; then it is well."""

    def __init__(self, t):
        self.answers = {}
        self.asked = []
        self.answer = threading.Event()     # none to a message while it is not set
        self.answer.set()
        self.sink = Sink(script=self.script)
        t.defer(self.sink.close)

    def script(self, session, stage, line):
        if stage == "rcpt":
            self.asked.append(line)
        if stage == "body":
            self.answer.wait(60)
        waiting = self.answers.get(line) or self.answers.get(stage)
        return waiting.pop(0) if waiting else None


def hold(daemon, subject):
    reply = net.send(daemon.address, "bob@client.example", RCPTS,
                     b"Subject: hold %s\r\n\r\nbody\r\n" % subject)
    return reply.text.split()[-1]


def show(daemon, ident):
    done = daemon.cli("quarantine", "show", ident, json_out=True)
    return json.loads(done.stdout)


def state(daemon, ident):
    return show(daemon, ident)["state"]


def kill(daemon, role):
    victim = daemon.pids(role)[0]
    os.kill(victim, signal.SIGKILL)
    return tap.until(lambda: victim not in daemon.running(), 10)


def test(t):
    hop = Hop(t)
    daemon = Postern(t, upstream="server %s; identity xclient;" % hop.sink.server, policy=POLICY,
                     extra="release_retry 5s 1s; release_life 20s;")

    # 451 twice, the keeper killed between, and one recipient has his last word.
    ident = hold(daemon, b"one")
    hop.answers = {b"RCPT TO:<eve@example.com>": [b"550 5.1.1 no such user\r\n"],
                   "body": [b"451 4.3.0 later\r\n", b"451 4.3.0 later still\r\n"]}
    began = time.time()
    done = daemon.cli("quarantine", "release", ident)
    ended = time.time()
    t.ok(done.returncode == 75, "put off: the command says so", done.returncode, done.stdout)
    first = show(daemon, ident)
    t.same((first["state"], first["tries"], [r["state"] for r in first["recipients"]]),
           ("waiting", 1, ["waiting", "refused"]), "it waits, for one of the two")
    t.ok(began + 5 <= first["next_us"] / 1e6 <= ended + 5.1, "and the next try is known",
         first["next_us"])
    t.ok("later" in daemon.cli("quarantine", "show", ident).stdout, "with the words of the last one")
    hop.asked.clear()
    t.ok(kill(daemon, "keeper"), "the keeper is killed")
    t.ok(tap.until(lambda: state(daemon, ident) == "refused", 20), "the third try goes through",
         show(daemon, ident))
    t.same(hop.sink.holding(b"hold one"), 1, "one copy")
    t.same(hop.asked, [b"RCPT TO:<ada@example.com>"] * 2, "the other is not asked again")
    t.same(show(daemon, ident)["tries"], 3, "three tries")
    t.same([r["state"] for r in show(daemon, ident)["recipients"]], ["released", "refused"],
           "and what became of each stands there")

    # The keeper dies while the worker is at it: that worker tells the next one.
    ident = hold(daemon, b"two")
    hop.answer.clear()
    began = len(hop.asked)
    asking = subprocess.Popen([os.path.join(daemon.build, "postern"), "-c", daemon.conf,
                               "quarantine", "release", ident],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tap.until(lambda: len(hop.asked) == began + 2, 30)
    kill(daemon, "keeper")
    hop.answer.set()
    asking.wait(20)
    t.ok(tap.until(lambda: state(daemon, ident) == "released", 15),
         "an outcome reaches the keeper that follows", show(daemon, ident))
    t.same(hop.sink.holding(b"hold two"), 1, "one copy")

    # The worker dies: nobody knows, and it is tried again.
    ident = hold(daemon, b"three")
    hop.answer.clear()
    began = len(hop.asked)
    asking = subprocess.Popen([os.path.join(daemon.build, "postern"), "-c", daemon.conf,
                               "quarantine", "release", ident],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tap.until(lambda: len(hop.asked) == began + 2, 30)
    kill(daemon, "worker")
    asking.wait(20)
    lost = show(daemon, ident)
    t.ok(lost["state"] == "unknown" and lost["next_us"] > 0, "a worker that dies: unknown", lost)
    hop.answer.set()
    t.ok(tap.until(lambda: state(daemon, ident) == "released", 15), "and tried again",
         show(daemon, ident))

    # The whole daemon ends and begins: the plan is on the disk.
    ident = hold(daemon, b"four")
    hop.answers = {"body": [b"451 4.3.0 later\r\n"]}
    daemon.cli("quarantine", "release", ident)
    t.same(daemon.terminate(), 0, "it ends with a release that waits")
    daemon.start()
    t.ok(tap.until(lambda: state(daemon, ident) == "released", 15), "and begins with it",
         show(daemon, ident))
    t.same(hop.sink.holding(b"hold four"), 1, "one copy")

    # Its time is over; a reload changes how long that is.
    ident = hold(daemon, b"five")
    hop.answers = {"mail": [b"451 4.3.0 never\r\n"] * 100}
    daemon.configure(POLICY, extra="release_retry 1s; release_life 3500ms;")
    daemon.reload()
    daemon.wait_log("ev=reload result=ok")
    daemon.cli("quarantine", "release", ident)
    t.ok(tap.until(lambda: state(daemon, ident) == "failed", 15), "its time is over",
         show(daemon, ident))
    tries = show(daemon, ident)["tries"]
    t.ok(2 <= tries <= 5, "after the tries that had room in it", tries)
    time.sleep(1.5)
    t.same(show(daemon, ident)["tries"], tries, "it is left alone")
    hop.answers = {}
    done = daemon.cli("quarantine", "release", ident)
    t.same((done.returncode, state(daemon, ident)), (0, "released"), "until it is asked for again")
    done = daemon.cli("quarantine", "release", ident)
    t.ok(done.returncode != 0 and hop.sink.holding(b"hold five") == 1,
         "what is released is not released twice", done.stderr)


tap.run(test, 120)
