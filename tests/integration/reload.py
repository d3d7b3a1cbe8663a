"""reload - SIGHUP every 100 ms under load, and no mail client notices.

Design 2: a reload is a new generation; old sessions end under the rules they
began with, listening sockets are never closed. The policy alternates between
two headers and every mail carries exactly one of them, with the number of the
policy that added it, so the generations that finished a message are counted.
"""

import collections
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import tap
import tools
from postern import Postern
from sink import Sink

SECONDS = 20            # or, where that is too short for all GENERATIONS, up to thrice
GENERATIONS = 50
SESSIONS = 20
BATCH = 200
HEADER = re.compile(rb"^X-(?:Even|Odd): (\d+)\r$", re.M)


def policy(n):
    return 'rule mark { when size >= 0; then header add X-%s "%d"; }' % (
        ("Even", "Odd")[n % 2], n)


def load(daemon, stop, runs):
    """smtp-source again and again; what each run came to."""
    while not stop.is_set():
        source = tools.smtp_source(daemon.address, SESSIONS, BATCH, "-l", "2000",
                                   "-f", "ada@client.example", "-t", "one@example.com")
        try:
            out = source.communicate(timeout=60)[0]
        except Exception as e:
            source.kill()
            out = str(e)
        runs.append((source.returncode, out))


def marks(message):
    """The numbers of the policies that added a header to it."""
    return [int(n) for n in HEADER.findall(message.raw.split(b"\r\n\r\n")[0] + b"\r\n")]


def counted(sink):
    """Number of a policy -> messages that it marked."""
    return collections.Counter(n for m in list(sink.messages) for n in marks(m))


def old_processes(daemon):
    newest = daemon.status()["generation"]
    return [p for p in daemon.processes()
            if p["role"] in ("worker", "inspector") and p["generation"] != newest]


def test(t):
    sink = Sink()
    t.defer(sink.close)
    daemon = Postern(t, upstream="server %s; identity none;" % sink.server,
                     policy=policy(0), extra="client_connection_limit 500;",
                     log_level="warn" if os.environ.get("POSTERN_QUIET") else "info")
    stop, runs = threading.Event(), []
    thread = threading.Thread(target=load, args=(daemon, stop, runs), daemon=True)
    thread.start()
    written = 0
    began = time.monotonic()
    while time.monotonic() < began + SECONDS or (
            len(counted(sink)) < GENERATIONS and time.monotonic() < began + 3 * SECONDS):
        written += 1
        daemon.configure(policy(written))
        daemon.reload()
        time.sleep(0.1)
    ruled = tap.until(lambda: written in counted(sink), 30, 0.2)
    stop.set()
    thread.join(90)
    finished = time.monotonic()

    t.ok(daemon.process.poll() is None, "the daemon lives", daemon.log()[-3000:])
    t.note("%d times SIGHUP, %d runs of %d messages over %d sessions"
           % (written, len(runs), BATCH, SESSIONS))
    failed = [r for r in runs if r[0] != 0]
    t.ok(runs and not failed, "no session of %d runs of smtp-source failed" % len(runs),
         *failed[:5], daemon.log()[-3000:])
    t.same(len(sink.messages), len(runs) * BATCH, "each message arrived once")
    odd = [m for m in map(marks, sink.messages) if len(m) != 1]
    t.ok(not odd, "every mail carries exactly one of the two headers", odd[:10])
    finished_by = counted(sink)
    t.ok(len(finished_by) >= GENERATIONS, "%d generations each finished a message (at least %d)"
         % (len(finished_by), GENERATIONS), sorted(finished_by.items()))
    t.ok(ruled, "the last policy rules in the end", max(finished_by, default=None), written)

    left = tap.until(lambda: not old_processes(daemon),
                     max(0.1, 10 - (time.monotonic() - finished)), 0.2)
    t.ok(left, "10 s later no process of an old generation is left",
         old_processes(daemon))
    status = {p["pid"] for p in daemon.processes()}
    t.ok(set(daemon.running()) <= status, "and none that status does not know",
         daemon.running(), daemon.status())


tap.run(test, 200)
