"""milter_packets - packets that no MTA would send, at postern's milter door.

Sessions made from random numbers (milter_fuzz), several at once, over TCP and
over a unix socket, through libmilter into the engine; all the while a good mail
now and then must come out as it should. In the end the processes are those that
began, memory is what it was, every conversation has ended and no sanitizer of
the build has said a word.

POSTERN_SEED says which numbers, POSTERN_FUZZ_SECONDS for how long (20), POSTERN_FUZZ_SESSION that only this session of the seed is sent.
"""

import collections
import os
import re
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import memory
import milter
import milter_fuzz
import postern
import tap
from milter_cases import POLICY, mail

SESSIONS_AT_ONCE = 6
SEED = 20261123 # the same each time; those who search take others
SLACK = 12 << 20
# What the fuzzer's values ask for, besides what the cases' do.
MORE = """
rule x-hold  { when header("X-Hold") ~ /./; then hold "odd"; }
rule x-keep  { when header("X-Keep") ~ /./; then quarantine class odd copy; }
rule x-odd   { when mime.ambiguous or mime.broken; then header add X-Odd "$subject $from"; }
rule x-zip   { when any part at any depth ( magic is zip or magic is executable );
               then strip part with note "$part.path"; }
rule x-text  { when text ~ /hello/; then header insert X-Text "$sender $rcpt $helo.name"; }
rule x-gone  { when rcpt = "gone@example.com"; then reject 550 5.1.1 "$rcpt"; }
rule x-macro { when macro("{mail_addr}") ~ /@/ and macro("_") ~ /./; then tag; }
rule x-delay { when subject contains "delay me"; then delay 200ms; }
"""


# Without, libmilter steps over the end of a list of macros in which a value is
# wanting (smfi_getsymval; 8.17.1).
GUARDED = postern.milter_fibers()


class Fuzz:
    def __init__(self, addresses, seed, only, seconds):
        self.addresses, self.seed = addresses, seed
        self.ends = collections.Counter()
        self.wrong = []
        self.next = only or 0
        self.last = only + 1 if only is not None else 1 << 62
        self.until = time.monotonic() + seconds
        self.lock = threading.Lock()
        self.under_way = {}
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True)
                        for i in range(SESSIONS_AT_ONCE)]
        for thread in self.threads:
            thread.start()

    def take(self, who):
        with self.lock:
            if self.next >= self.last or time.monotonic() > self.until:
                self.under_way.pop(who, None)
                return None
            self.under_way[who] = self.next
            self.next += 1
            return self.next - 1

    def run(self, who):
        while (number := self.take(who)) is not None:
            try:
                end = milter_fuzz.session(self.seed, number, GUARDED).run(
                    self.addresses[number % len(self.addresses)])
            except OSError as e:
                end = "no connection: %s" % e
            self.ends[end] += 1
            if end not in ("closed", "ended"):
                self.wrong.append("session %d: %s" % (number, end))

    def alive(self):
        return any(t.is_alive() for t in self.threads)


def good(t, daemon, address, wrong):
    m = milter.Mta(address)
    got = m.deliver(milter.Client(), "x.example", "<ada@a.example>", ["<one@example.com>"],
                    mail(b"edit me"))
    m.quit()
    if got.action != "accept" or b"\r\nX-Add: one\r\n" not in got.message:
        wrong.append(repr(got))


def sanitized():
    return postern.makes(r"^PN_CFLAGS = .*-fsanitize")


NO_VALUES = milter.packet(b"D", b"C" + b"i\0" * 9)
BROKEN = (
    ("a broken list of macros", NO_VALUES),
    ("one behind a length that is negative to libmilter",
     struct.pack(">I", 0xfffffff0) + b"A" + NO_VALUES * 9),
)


def broken_alone(t, daemon, address, what, packets):
    """What libmilter does not survive ends its conversation, and no other."""
    m = milter.Mta(address)
    sock = milter.dial(address, 10)
    sock.sendall(milter.packet(b"O", struct.pack(">III", 6, *milter.OFFERS[6])) +
                 packets + milter.packet(b"C", b"x\0U"))
    sock.settimeout(10)
    while sock.recv(65536):
        pass
    sock.close()
    daemon.wait_log("an MTA sent a broken packet")
    got = m.deliver(milter.Client(), "x.example", "<ada@a.example>", ["<one@example.com>"],
                    mail(b"edit me"))
    m.quit()
    t.same(got.action, "accept", what + " ends its own conversation alone")


def rss(pids):
    return sum(memory.rollup(p)["rss"] for p in pids)


def test(t):
    seed = int(os.environ.get("POSTERN_SEED") or SEED)
    seconds = float(os.environ.get("POSTERN_FUZZ_SECONDS") or 20)
    only = os.environ.get("POSTERN_FUZZ_SESSION")
    t.note("POSTERN_SEED=%d" % seed)
    path = t.path("door.sock")
    daemon = postern.Postern(
        t, policy=POLICY + MORE, extra="message_size_limit 1M;",
        listen="listen milter inet:0@127.0.0.1;\nlisten milter unix:%s { mode 0666; }" % path)
    addresses = [daemon.milters()[0], "unix:" + path]
    roles = ("milter", "inspector", "keeper", "master")
    before = {r: daemon.pids(r) for r in roles}
    fuzz = Fuzz(addresses, seed, int(only) if only else None, seconds)
    began, first, wrong = time.monotonic(), None, []
    while fuzz.alive():
        good(t, daemon, addresses[0], wrong)
        time.sleep(0.5)
        if first is None and time.monotonic() - began > seconds / 4:
            first = rss(before["milter"])
        if {r: daemon.pids(r) for r in roles} != before:
            fuzz.until = 0
            t.note("sessions under way: %r" % fuzz.under_way)
            break
    for thread in fuzz.threads:
        thread.join(30)
    t.note("%d sessions: %s" % (sum(fuzz.ends.values()), dict(fuzz.ends)))
    t.ok(not fuzz.wrong, "each session comes to its end", *fuzz.wrong[:10])
    t.ok(not wrong, "good mails pass all the while", *wrong[:5])
    t.same({r: daemon.pids(r) for r in roles}, before, "no process has died",
           daemon.log()[-3000:])
    last = rss(before["milter"])
    if first is not None and not sanitized():
        t.ok(last < first * 1.1 + SLACK, "memory is flat: %d KiB after a quarter, %d KiB now"
             % (first >> 10, last >> 10))
    good(t, daemon, addresses[1], wrong)
    t.ok(not wrong, "and the door still serves", *wrong)
    if GUARDED:
        for address in addresses:
            for what, packets in BROKEN:
                broken_alone(t, daemon, address, what, packets)
        t.same({r: daemon.pids(r) for r in roles}, before, "nor has one now",
               daemon.log()[-3000:])
    t.same(daemon.terminate(), 0, "it ends with status 0", daemon.log()[-3000:])
    t.same(re.findall(r".*(?:Sanitizer|runtime error|must\().*", daemon.log())[:10], [],
           "no sanitizer has anything to say")


tap.run(test, int(float(os.environ.get("POSTERN_FUZZ_SECONDS") or 20)) + 120)
