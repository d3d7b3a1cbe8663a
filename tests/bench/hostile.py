"""hostile - what patterns and texts made to be slow cost, and whom.

    hostile.py [--probes 1000] [--senders 2] [--workers 2] [--pause 0]

Runs the daemon of the build that POSTERN_BUILD names in front of smtp-sink,
with patterns that backtrack without end on texts made for them. A probe sends
mails of 10 KiB one after the other, each in a connection of its own, and
takes the time from connect to the reply to the dot: alone, beside as many busy
loops at nice 19 as there are senders, then while `senders` others send
harmless texts of 1 MiB, `pause` seconds apart, then while they send hostile ones. A
kernel that preempts lazily keeps a wake-up waiting for its tick behind any busy
process, however nice: the loops show how much of the rest is that. Those are judged and then refused, so that the sink, which
is one process and slow with a megabyte, keeps the probe waiting for nobody.

Says p50 and p99 of the probe in each and the ratio to its quiet p99, and how
long the reply to a hostile text took, beside a harmless one of that size. Ends
with 1 when a hostile text took 250 ms more than a harmless one, or when the
probe's p99 under hostile texts is more than twice that beside the loops or the
harmless ones.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import net
import tap
import tools
from postern import Postern

MIB = 1 << 20
LIMIT_MS = 250

POLICY = r"""
rule judged   { when subject = "large";             then reject 550 5.7.1 "judged"; }
rule nested   { when raw ~ /(a+)+$/;                then tag; }
rule twice    { when raw ~ /(?:x+x+)+y/;            then tag; }
rule blanks   { when raw ~ /\s+$/;                  then tag; }
rule stars    { when raw ~ /.*.*.*=.*;/s;           then tag; }
rule optional { when raw ~ /(?:a?){40}a{40}b/;      then tag; }
rule words    { when raw ~ /(\w+\s?)*!/;            then tag; }
"""

HARMLESS = {"harmless": b"The lazy dog sleeps."}
TEXTS = {
    "a's": b"a" * 900,
    "x's": b"x" * 900,
    "blanks": b" " * 900,
    "equals": b"a=" * 450,
    "words": b"abc " * 225,
}


def mail(line, size):
    head = b"From: a@client.example\r\nSubject: %s\r\n\r\n" % (
        b"large" if size == MIB else b"probe")
    return head + (line + b"!\r\n") * ((size - len(head)) // (len(line) + 3)) \
        + b".\r\n"


def one_mail(address, raw):
    """Seconds from connect to the reply to the dot, and its code. raw ends in
    the dot: sending shall cost this machine little."""
    began = time.monotonic()
    with net.Client(address, timeout=60) as c:
        c.envelope("ada@client.example", ["one@example.com"])
        c.cmd("DATA")
        c.send(raw)
        reply = c.reply()
        took = time.monotonic() - began
        c.quit()
    return took, reply.code


def probe(address, n):
    raw = mail(b"The quick brown fox jumps over the lazy dog.", 10 * 1024)
    times = sorted(one_mail(address, raw)[0] * 1000 for _ in range(n))
    return times[n // 2], times[n * 99 // 100]


def keep_sending(address, lines, pause, stop, results):
    """Texts, one after the other, until told to stop. A process of its own: a
    thread would hold the interpreter that times the probe. Nice, because its
    like are on other machines."""
    os.nice(19)
    texts = {name: mail(line, MIB) for name, line in lines.items()}
    took = []  # (milliseconds, text, code)
    while not stop.is_set():
        for name, raw in texts.items():
            seconds, code = one_mail(address, raw)
            took.append((seconds * 1000, name, code))
            time.sleep(pause)
    results.put(took)


def beside(address, args, lines):
    """The probe's p50 and p99 while such texts come in; what these took."""
    stop, results = multiprocessing.Event(), multiprocessing.Queue()
    for _ in range(args.senders):
        multiprocessing.Process(target=keep_sending, daemon=True, args=(
            address, lines, args.pause, stop, results)).start()
    time.sleep(1)
    percentiles = probe(address, args.probes)
    stop.set()
    took = sorted(x for _ in range(args.senders) for x in results.get(timeout=60))
    return percentiles, took


def beside_loops(address, args):
    loops = [multiprocessing.Process(target=spin, daemon=True)
             for _ in range(args.senders)]
    for loop in loops:
        loop.start()
    percentiles = probe(address, args.probes)
    for loop in loops:
        loop.kill()
        loop.join()
    return percentiles


def spin():
    os.nice(19)
    while True:
        pass


def measure(t, args):
    sink = tools.smtp_sink(t)
    daemon = Postern(t, upstream="server 127.0.0.1:%d; identity none;" % sink,
                     policy=POLICY, workers=args.workers)
    probe(daemon.address, args.probes // 10)
    quiet = probe(daemon.address, args.probes)
    loops = beside_loops(daemon.address, args)
    large, harmless = beside(daemon.address, args, HARMLESS)
    busy, took = beside(daemon.address, args, TEXTS)
    for name, (p50, p99) in (("quiet", quiet), ("busy loops", loops),
                             ("harmless 1 MiB", large),
                             ("hostile 1 MiB", busy)):
        print("probe, ms  %-14s  p50 %.2f p99 %.2f  x quiet %.2f"
              % (name, p50, p99, p99 / quiet[1]))
    usual = statistics.median(x[0] for x in harmless)
    print("1 MiB, ms  harmless        median %.1f most %.1f of %d"
          % (usual, harmless[-1][0], len(harmless)))
    for name in TEXTS:
        mine = [x[0] for x in took if x[1] == name]
        print("           %-14s  median %.1f most %.1f of %d" % (
            name, statistics.median(mine), max(mine), len(mine)))
    t.same({x[2] for x in took + harmless}, {550}, "large texts are judged")
    t.ok(took[-1][0] - usual <= LIMIT_MS,
         "none took %d ms more than a harmless one" % LIMIT_MS, took[-3:])
    t.ok(busy[1] <= 2 * max(loops[1], large[1]),
         "the probe's p99 stays within twice that beside busy loops and large texts")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--probes", type=int, default=1000)
    p.add_argument("--senders", type=int, default=2)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--pause", type=float, default=0)
    args = p.parse_args()
    tap.run(lambda t: measure(t, args), 900)


main()
