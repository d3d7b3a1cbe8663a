"""milter_load - the milter door under many connections, aborts and messages.

    milter_load.py [--connections 1000] [--messages 100000] [--unix]
                   [--every 2.0] [--json FILE]

Runs the daemon of the build that POSTERN_BUILD names with a policy that looks
at headers, text, parts and URLs, edits some mail and keeps one in 2,000.

1. So many connections at once, each with a message half told on all of them
   before the first one ends; then 24 messages on each.
2. An abort storm: messages dropped at every point, connections cut with them.
3. So many messages over 20 connections that live for 24 each, with RSS and PSS
   of each process read every so many seconds: what the first and the last
   tenth of the samples had, by role. Ends with 1 when a message went wrong or
   when the milter's process or the keeper grew by more than a tenth and 4 MiB.
"""

import argparse
import json
import os
import resource
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import memory
import milter
import tap
from milter import strings
from postern import Postern

SLACK = 4 << 20
EACH = 24               # messages a connection
AT_ONCE = 20

POLICY = """
rule words    { when subject ~ /\\bload (?<n>\\d+)/; then tag; }
rule program  { when any part ( magic is executable ); then reject "no programs"; }
rule link     { when any url ( host = "www.example.org" ); then header add X-Link "yes"; }
rule text     { when text contains "gr\u00fc\u00dfe"; then note "a greeting"; }
rule keep     { when subject contains "keep me"; then quarantine class load; }
rule refuse   { when subject contains "refuse me"; then reject 550 5.7.1 "refused"; }
"""
FIELDS = [(b"Received", b" from a.example by b.example;\n\tMon, 1 Jan 2024 00:00:00 +0000"),
          (b"From", b" Ada <ada@client.example>"), (b"To", b" one@example.com"),
          (b"Message-Id", b" <1@client.example>"), (b"MIME-Version", b" 1.0"),
          (b"Content-Type", b" multipart/alternative; boundary=\"b\"")]
BODY = b"""--b\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
Gr=FC=DFe, see http://www.example.org/ and tell me.\r
""" + b"x" * 70 + b"\r\n" * 60 + b"""--b\r
Content-Type: text/html; charset=utf-8\r
\r
<p>Gr\xc3\xbc\xc3\x9fe, see <a href="http://www.example.org/">www.example.org</a></p>\r
--b--\r
"""
WANT = {b"load": b"c", b"keep": b"d", b"refuse": b"y"}


class Conn(milter.Session):
    """A connection whose messages are written in one piece."""

    def start(self):
        self.connect("mx.a.example", b"4", 25, "192.0.2.1")
        self.helo("client.example")
        return self

    def _put(self, out, stage, data=b""):
        """One packet more; how many replies it brings."""
        if not self.wants(stage):
            return 0
        out.append(milter.packet(milter.STAGES[stage][0], data))
        return 1 if self.answers(stage) else 0

    def first(self, subject):
        """All but the body."""
        out, due = [], 0
        due += self._put(out, "mail", strings("<ada@client.example>"))
        due += self._put(out, "rcpt", strings("<one@example.com>"))
        due += self._put(out, "data")
        for name, value in FIELDS + [(b"Subject", b" " + subject)]:
            due += self._put(out, "header", strings(name, value))
        due += self._put(out, "eoh")
        self.raw(b"".join(out))
        return due

    def last(self):
        out = []
        due = self._put(out, "body", BODY)
        out.append(milter.packet(b"E"))
        self.raw(b"".join(out))
        return due

    def end(self, due, subject):
        """Read the replies; None, or what was wrong."""
        for _ in range(due):
            self.reply()
        changes = []
        got = self.reply(changes)
        if got.command not in (WANT[subject.split()[0]], b"a"):
            return "%s: %r" % (subject.decode(), got)
        if got.goes_on and not changes:
            return "%s: no change" % subject.decode()
        return None

    def message(self, subject):
        return self.end(self.first(subject) + self.last(), subject)


def subject(n):
    return b"keep me %d" % n if n % 2000 == 0 else \
        b"refuse me %d" % n if n % 50 == 1 else b"load %d" % n


def crowd(t, address, n):
    began = time.monotonic()
    conns = [Conn(address, timeout=120) for _ in range(n)]
    for c in conns:
        c.start()
    due = [c.first(subject(i + 1)) for i, c in enumerate(conns)]
    due = [d + c.last() for d, c in zip(due, conns)]
    wrong = [c.end(d, subject(i + 1)) for i, (d, c) in enumerate(zip(due, conns))]
    t.same([w for w in wrong if w][:5], [], "%d connections at once, a message on each (%.1f s)"
           % (n, time.monotonic() - began))
    began = time.monotonic()
    wrong = []
    for i in range(1, EACH):
        for c in conns:
            c.due = c.first(subject(i + 1)) + c.last()
        wrong += [c.end(c.due, subject(i + 1)) for c in conns]
    t.same([w for w in wrong if w][:5], [], "%d messages on each of them (%.1f s)"
           % (EACH, time.monotonic() - began))
    for c in conns:
        c.quit()


def storm(t, daemon, address, n):
    """Aborts and cuts at every point, n of each."""
    began, before = time.monotonic(), daemon.pids("milter")
    for i in range(n):
        c = Conn(address, timeout=60).start()
        for stage in range(4):
            due = 0
            if stage == 0:
                due = c._put(out := [], "mail", strings("<a@b>"))
                c.raw(b"".join(out))
            else:
                due = c.first(subject(i + 2))
            if stage > 1:
                due += c._put(out := [], "body", BODY)
                c.raw(b"".join(out))
            if stage == 3 and i % 2:
                (c.close, c.reset, c.quit)[i % 3]()
                break
            for _ in range(due):
                c.reply()
            c.abort()
        else:
            c.quit()
    t.same(daemon.pids("milter"), before, "%d messages dropped at every point (%.1f s)"
           % (4 * n, time.monotonic() - began))
    with Conn(address) as c:
        t.same(c.start().message(b"load 1"), None, "then a message passes")


def flat(t, daemon, address, args):
    samples, wrong, sent = [], [], 0
    began = at = time.monotonic()
    while sent < args.messages:
        conns = [Conn(address, timeout=60).start() for _ in range(AT_ONCE)]
        for _ in range(EACH):
            for c in conns:
                c.said = subject(sent)
                c.due = c.first(c.said) + c.last()
                sent += 1
            wrong += [w for w in (c.end(c.due, c.said) for c in conns) if w]
        for c in conns:
            c.quit()
        if time.monotonic() - at >= args.every:
            at = time.monotonic()
            samples.append(memory.sample(daemon))
    samples.append(memory.sample(daemon))
    seconds = time.monotonic() - began
    print("%d messages in %d s, %d a second" % (sent, seconds, sent / seconds))
    rows = memory.report(samples)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rows, f)
    t.same(wrong[:5], [], "no message went wrong")
    for role in ("milter", "keeper", "master"):
        t.ok(not memory.grew(rows[role], SLACK), "the memory of the %s is flat" % role)


def load(t, args):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, args.connections + 1000), hard))
    path = t.path("door.sock")
    daemon = Postern(t, policy=POLICY,
                     listen="listen milter %s"
                     % ("unix:%s { mode 0666; }" % path if args.unix
                               else "inet:0@127.0.0.1;"))
    address = daemon.milters()[0]
    crowd(t, address, args.connections)
    storm(t, daemon, address, args.connections)
    flat(t, daemon, address, args)
    t.same(daemon.terminate(), 0, "it ends with status 0", daemon.log()[-2000:])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--connections", type=int, default=1000)
    p.add_argument("--messages", type=int, default=100000)
    p.add_argument("--unix", action="store_true")
    p.add_argument("--every", type=float, default=2.0)
    p.add_argument("--json")
    args = p.parse_args()
    tap.run(lambda t: load(t, args), 3600)


main()
