"""release_kill9 - kill -9 of whoever has a hand in a release, at the two points
where it matters: written down but not handed over, and answered but not
written down. It comes to its end by itself, and one copy arrives.

Needs a build with --enable-fault-hooks: this one, or POSTERN_FAULT_BUILD.
"""

import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import fault
import net
import postern
import tap
from sink import Sink

POINTS = ("release-begun", "release-outcome")
VICTIMS = ("keeper", "worker", "master")
POLICY = 'rule held { when subject contains "hold"; then quarantine class tests; }'


def hold(daemon, marker):
    reply = net.send(daemon.address, "bob@client.example", ["ada@example.com"],
                     b"Subject: hold %s\r\n\r\nbody\r\n" % marker)
    return reply.text.split()[-1]


def state(daemon, ident):
    for m in daemon.quarantine():
        if m["id"] == ident:
            return m["state"]
    return None


def release(t, build, point, victim):
    what = "%s dies at %s" % (victim, point)
    marker = ("%s-%s" % (victim, point)).encode()
    faults = fault.Faults(t, "%s-%s.sock" % (victim, point))
    sink = Sink()
    t.defer(sink.close)
    daemon = postern.Postern(t, name="%s-%s" % (victim, point), build_dir=build, policy=POLICY,
                             upstream="server %s; identity xclient;" % sink.server,
                             extra="release_retry 1s;", env=faults.env(point))
    ident = hold(daemon, marker)
    pid = {"master": daemon.pid}.get(victim) or daemon.pids(victim)[0]
    asking = subprocess.Popen([os.path.join(build, "postern"), "-c", daemon.conf, "quarantine",
                               "release", ident], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    stop = faults.wait()
    if stop is None:
        t.ok(False, what + ": the point is reached", daemon.log()[-1000:])
        return
    os.kill(pid, signal.SIGKILL)
    faults.disarm()
    stop.go()
    asking.wait(30)
    if victim == "master":
        daemon.process.wait(10)
        tap.until(lambda: not daemon.running(), 20)
        daemon.start()
    done = tap.until(lambda: state(daemon, ident) == "released", 25)
    t.ok(done, what + ": it is released", state(daemon, ident), daemon.log()[-1500:])
    t.same(sink.holding(marker), 1, what + ": one copy")
    daemon.end()


def test(t):
    build = os.environ.get("POSTERN_FAULT_BUILD") or postern.build()
    if not postern.configured("FAULT_HOOKS", build):
        raise tap.Skip("a build without fault hooks")
    for point in POINTS:
        for victim in VICTIMS:
            release(t, build, point, victim)


tap.run(test, 200)
