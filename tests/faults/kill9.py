"""kill9 - kill -9 of every process at every step of a message.

Promise 1 of the design, per attempt: 250 seen means exactly one copy; 4xx or
5xx seen means none; a cut connection means none or one (RFC 1047's window;
counted and printed). The step is hit by the daemon's own fault points, never
by sleeping: the worker stands still there while the victim is killed.

Needs a build with --enable-fault-hooks: this one, or POSTERN_FAULT_BUILD.
"""

import os
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import fault
import net
import postern
import tap
from postfix import Postfix

POINTS = ("accept", "ehlo", "mail", "rcpt", "data", "body", "dot", "found",
          "relaying", "relayed")
# Within the keeper: body synced, index committed, before its answer.
KEEPER_POINTS = ("keep-body", "keep-index", "keep-done")
# Between a copy that is kept and the message that goes on.
COPY_POINTS = ("copied",)
VICTIMS = ("worker", "inspector", "keeper", "master")
POLICY = """
rule held { when subject contains "hold me"; then quarantine class tests; }
rule copied { when subject contains "copy me"; then quarantine class copies copy; }
"""


class Attempt(threading.Thread):
    """One client, one mail; .code is what it heard in the end, None a cut."""

    def __init__(self, address, marker, subject):
        super().__init__(daemon=True)
        self.address = address
        self.marker = marker
        # Larger than a socket's first gulp, so that `body` is in the middle.
        self.body = (b"Subject: %s\r\n\r\n%s\r\n" % (subject, marker)
                     + b"filling up the body of this mail\r\n" * 4000)
        self.code = None
        self.heard = "cut"
        self.start()

    def run(self):
        try:
            with net.Client(self.address, timeout=40) as c:
                if self.ends(c.ehlo):
                    return
                if self.ends(c.cmd("MAIL FROM:<ada@client.example>")):
                    return
                if self.ends(c.cmd("RCPT TO:<one@example.com>")):
                    return
                go = c.cmd("DATA")
                if go.code != 354:
                    self.heard, self.code = repr(go), go.code
                    return
                wire = net.stuff(self.body)
                c.send(wire[:len(wire) // 2])
                time.sleep(0.02)
                c.send(wire[len(wire) // 2:])
                reply = c.reply()
                self.heard, self.code = repr(reply), reply.code
                c.quit()
        except (net.Cut, OSError) as e:
            if self.code is None:
                self.heard = "cut (%s)" % e

    def ends(self, reply):
        if reply.code // 100 != 2:
            self.heard, self.code = repr(reply), reply.code
            return True
        return False


class Kind:
    """A daemon, and how to count the copies of a marker it is answerable for."""

    def __init__(self, t, name, build):
        self.t = t
        self.name = name
        self.faults = fault.Faults(t, name + ".sock")
        self.faults.disarm()
        self.pf = None
        upstream = "maildir"
        if name == "postfix":
            self.pf = Postfix(t, "behind", main="smtpd_authorized_xclient_hosts ="
                              " 127.0.0.1\n")
            upstream = "server %s; identity xclient;" % self.pf.server
        self.daemon = postern.Postern(
            t, name=name, upstream=upstream, policy=POLICY, build_dir=build,
            env=self.faults.env("*"), extra="drain_timeout 5s;")
        self.subject = {"quarantine": b"hold me", "copy": b"copy me"}.get(
            name, b"deliver me")

    def copies(self, marker):
        n = self.daemon.delivered(marker)
        if self.name != "copy":  # which may stay of a message that did not go on
            n += self.daemon.quarantined(marker)
        if self.pf:
            n += sum(marker in m for m in self.pf.mails("one"))
        return n

    def lacks_copy(self, attempt, marker):
        """250 promises the copy, too; nothing promises two."""
        n = self.daemon.quarantined(marker) if self.name == "copy" else 1
        return n > 1 or (attempt.code == 250 and n != 1)

    def whole(self, seconds=15):
        """Pids by role, once every role is filled (again)."""
        def roles():
            try:
                found = {}
                for p in self.daemon.processes():
                    found.setdefault(p["role"], []).append(p["pid"])
            except (RuntimeError, ValueError, OSError):
                return None
            alive = all(os.path.exists("/proc/%d" % pid)
                        for pids in found.values() for pid in pids)
            return found if alive and all(
                len(found.get(r, [])) == (2 if r == "inspector" else 1)
                for r in VICTIMS) else None
        got = tap.until(roles, seconds, 0.05)
        if not got:
            raise RuntimeError("%s: not whole again:\n%s" % (
                self.name, self.daemon.log()[-4000:]))
        return got

    def hit(self, point, victim, marker):
        """Kill victim while a message stands at point; the attempt, or None."""
        pids = self.whole()
        self.faults.arm()
        attempt = Attempt(self.daemon.address, marker, self.subject)
        stop = self.faults.wait()
        while stop is not None and stop.point != point:
            stop.go()
            stop = self.faults.wait()
        if stop is None:
            self.faults.disarm()
            attempt.join(45)
            return None
        for pid in pids[victim]:  # of two inspectors one has the message
            os.kill(pid, signal.SIGKILL)
        self.faults.disarm()
        stop.go()
        attempt.join(45)
        if victim == "master":
            self.daemon.process.wait(10)
            left = tap.until(lambda: not self.daemon.running(), 10)
            if not left:
                raise RuntimeError("children outlive their master: %r"
                                   % self.daemon.running())
            self.daemon.start()
        return attempt


def broken(code, copies):
    if code is None:
        return copies > 1
    return copies != (1 if code // 100 == 2 else 0)


def kind(t, name, build):
    k = Kind(t, name, build)
    points = POINTS + (KEEPER_POINTS if name != "postfix" else ()) + (
        COPY_POINTS if name == "copy" else ())
    attempts = []
    for point in points:
        for victim in VICTIMS:
            if point in KEEPER_POINTS and victim == "inspector":
                continue
            marker = ("marker-%s-%s-%s-" % (name, point, victim)).encode()
            attempt = k.hit(point, victim, marker)
            if attempt is None:
                t.ok(False, "%s: the point %s is reached" % (name, point),
                     k.daemon.log()[-2000:])
                continue
            attempts.append((point, victim, attempt))
    last = Attempt(k.daemon.address, b"marker-last", k.subject)
    last.join(45)
    # Everything that was under way has had its time now; nothing comes later.
    if k.pf:
        k.pf.settle()
    time.sleep(1)
    cuts = [0, 0]
    for point, victim, a in attempts:
        n = k.copies(a.marker)
        if a.code is None and n <= 1:
            cuts[n] += 1
        t.ok(not a.is_alive() and not broken(a.code, n) and not k.lacks_copy(a, a.marker),
             "%s: %s killed at %s: client heard %s, copies %d" % (
                 name, victim, point, a.code or "a cut", n), a.heard)
    t.note("%s: %d connections were cut: %d left no copy, %d one"
           % (name, sum(cuts), cuts[0], cuts[1]))
    t.ok(last.code == 250 and k.copies(b"marker-last") == 1,
         "%s: after all that a mail is taken, once" % name, last.heard,
         k.daemon.log()[-2000:])
    k.daemon.end()


def test(t):
    build = os.environ.get("POSTERN_FAULT_BUILD") or postern.build()
    if not t.ok(postern.configured("FAULT_HOOKS", build),
                "the build has fault hooks", build):
        return
    for name in ("maildir", "quarantine", "copy", "postfix"):
        kind(t, name, build)


tap.run(test, 300)
