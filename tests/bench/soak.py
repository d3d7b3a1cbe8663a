"""soak - does memory stay flat over very many messages and reloads?

    soak.py [--messages 200000] [--reload 1.0] [--every 2.0] [--json FILE]

Runs the daemon of the build that POSTERN_BUILD names in front of smtp-sink,
with a policy that looks at headers, text, parts and URLs, adds up scores and
holds one mail in 2,000. smtp-source sends two kinds of mail in runs of 20
sessions; SIGHUP comes every --reload seconds with a changed policy. RSS and
PSS (smaps_rollup) of each process are read every --every seconds.

Says for each role what the first and the last tenth of the samples had, and
for master and keeper, which live through it all, how they grew. Ends with 1
when a message failed or memory grew: the PSS of all by more than a tenth and
4 MiB, or that of one of the two by more than a tenth and 2 MiB (the keeper
besides what SQLite may cache).
"""

import argparse
import json
import os
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import memory
import net
import tap
import tools
from postern import Postern

SESSIONS = 20
BATCH = 2000
SLACK_ALL, SLACK_ONE = 4 << 20, 2 << 20

PLAIN = b"""From: Ada <ada@client.example>
To: one@example.com
Subject: soak %(n)d
Message-Id: <%(n)d@client.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="b"

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe, see http://www.example.org/%(n)d and tell me.
--b
Content-Type: text/html; charset=utf-8

<p>Gr\xc3\xbc\xc3\x9fe, see <a href="http://www.example.org/">www.example.org</a></p>
--b--
"""

POLICY = """rule version { when size >= 0; then header add X-Soak "%d"; }
rule words    { when subject ~ /\\bsoak (?<n>\\d+)/; then tag; }
rule program  { when any part ( magic is executable ); then reject "no programs"; }
rule hold     { when subject contains "hold me"; then quarantine; }
"""


class Load:
    """Runs of smtp-source until so many messages are sent."""

    def __init__(self, address, folder, messages):
        self.address, self.messages = address, messages
        self.sent, self.failed = 0, []
        self.files = []
        for n in range(2):
            path = os.path.join(folder, "mail%d" % n)
            with open(path, "wb") as f:
                f.write(PLAIN % {b"n": n} if n == 0 else
                        PLAIN % {b"n": n} + b"x" * 60 + b"\n" * 400)
            self.files.append(path)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.sent < self.messages:
            path = self.files[self.sent // (BATCH + 1) % len(self.files)]
            source = tools.smtp_source(
                self.address, SESSIONS, BATCH, "-F", path,
                "-f", "ada@client.example", "-t", "one@example.com")
            out = source.communicate(timeout=300)[0]
            if source.returncode != 0:
                self.failed.append(out)
            held = net.send(self.address, "ada@client.example",
                            ["one@example.com"], b"Subject: hold me\r\n\r\n.\r\n")
            if held.code != 250:
                self.failed.append(str(held))
            self.sent += BATCH + 1


def soak(t, args):
    port = tools.smtp_sink(t)
    daemon = Postern(t, upstream="server 127.0.0.1:%d; identity none;" % port,
                     policy=POLICY % 0, extra="client_connection_limit 500;",
                     workers=2)
    load = Load(daemon.address, t.dir, args.messages)
    samples, reloads = [], 0
    began = at = time.monotonic()
    while load.thread.is_alive():
        reloads += 1
        daemon.configure(POLICY % reloads)
        os.kill(daemon.pid, signal.SIGHUP)
        time.sleep(args.reload)
        if time.monotonic() - at >= args.every and load.sent > BATCH:
            at = time.monotonic()
            samples.append(memory.sample(daemon))
    print("%d messages and %d reloads in %d s, generation %d, %d runs failed" % (
        load.sent, reloads, time.monotonic() - began,
        daemon.status()["generation"], len(load.failed)))
    rows = memory.report(samples)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rows, f)
    t.same(load.failed[:3], [], "no run of smtp-source failed")
    t.ok(not memory.grew(rows["all"], SLACK_ALL), "the memory of all is flat")
    for role in ("master", "keeper"):
        t.ok(not memory.grew(rows[role], SLACK_ONE), "that of the %s is" % role)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--messages", type=int, default=200000)
    p.add_argument("--reload", type=float, default=1.0)
    p.add_argument("--every", type=float, default=2.0)
    p.add_argument("--json")
    args = p.parse_args()
    tap.run(lambda t: soak(t, args), 3600)


main()
