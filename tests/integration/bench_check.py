"""bench_check - the bench's own question, asked of what it measures: does the
peer relay, body unchanged, 1 KiB to 5 MiB, with dots to stuff?

The bench is the folder that POSTERN_BENCH names; without it there is nothing
to ask.
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import postern
import tap

PEERS = ("postern", "postern-100")
SIZES = 8  # four, each with and without dots


def test(t):
    bench = os.environ.get("POSTERN_BENCH")
    if not bench:
        raise tap.Skip("POSTERN_BENCH is not set")
    # It uses ports up to 5,000 above the first; none of those that tests get.
    first = net.PORTS.start - 5000 - net.free_port() % 5000
    env = dict(os.environ, BENCH_PORT=str(first), BENCH_NO_CGROUP="1",
               BENCH_CACHE=t.folder("cache"), POSTERN_BUILD=postern.build(),
               BENCH_PEERS=os.path.join(postern.SOURCE, "tests/bench/peers"))
    done = subprocess.run([os.path.join(bench, "bench"), "check", "--peers", ",".join(PEERS)],
                          env=env, cwd=bench, capture_output=True, text=True, timeout=100)
    said = done.stdout + done.stderr
    for peer in PEERS:
        same = re.findall(r"^%s +\S+ +accepted=True body same, header \+0 bytes$" % peer,
                          said, re.M)
        t.same(len(same), SIZES, "%s relays every size unchanged" % peer, said)


tap.run(test, 120)
