"""milter_reload - a Postfix whose milter is reloaded, killed and restarted.

Two smtpd of one Postfix, one with postern as its milter over a unix socket, one
over TCP. While mail flows, in sessions of one message and of many, quick ones
and such as pause between commands, postern is reloaded every second: no client
hears of it and Postfix has nothing to warn of. What it does where it loses its
milter (milter_default_action, tempfail here) is known by its reply, so that a
single one would be seen. Then what does cost something, and no more than that:
a milter process that is killed, Postfix restarted, postern restarted and its
master killed, each with sessions under way.
"""

import collections
import os
import re
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import milter
import net
import tap
import tools
from postern import Postern
from postfix import Postfix
from sink import Sink

# Or, where that is too short for as many policies, up to thrice.
SECONDS = int(os.environ.get("POSTERN_RELOAD_SECONDS", "22"))
POLICIES = SECONDS * 2 // 3
MARK = re.compile(rb"^X-Policy: (\d+)\r$", re.M)
MAIN = """
milter_default_action = tempfail
milter_command_timeout = 40s
virtual_transport = smtp:[127.0.0.1]:%d
"""
# What Postfix says of its own where a milter fails it.
DEFAULT = "451 4.7.1 Service unavailable - try again later"
LISTEN = """
listen milter unix:{dir}/milter {{ upstream next; group postfix; }}
listen milter inet:%d@127.0.0.1 {{ upstream next; }}
"""


def policy(n):
    return ('rule mark { when size >= 0; then header add X-Policy "%d"; }\n'
            'rule bad { when subject contains "refused"; then reject 550 5.7.1 "no"; }'
            % n)


def message(subject, lines=5):
    return (b"From: Ada <ada@client.example>\r\nTo: one@example.com\r\n"
            b"Subject: " + subject + b"\r\n\r\n" + b"a line of it\r\n" * lines)


class Load:
    """Sessions on end until stop; what each message's client heard."""

    def __init__(self, ways):
        self.stop = threading.Event()
        self.heard = []
        self.sources = []
        self.trouble = []
        self.number = 0
        self.lock = threading.Lock()
        self.threads = [
            threading.Thread(target=self.guard, args=(work, address), daemon=True)
            for address in ways
            for work in (self.source, self.source, self.several, self.several, self.slow)]
        for thread in self.threads:
            thread.start()

    def guard(self, work, address):
        while not self.stop.is_set():
            try:
                work(address)
            except Exception as e:
                self.trouble.append("%s %s: %r" % (work.__name__, address, e))

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def subject(self):
        with self.lock:
            self.number += 1
            return b"load %d." % self.number

    def source(self, address):
        """Two sessions at a time, a message in each."""
        run = tools.smtp_source(address, 2, 10, "-d", "-l", "3000",
                                "-f", "ada@client.example", "-t", "one@example.com")
        self.sources.append((run.communicate(timeout=60)[0], run.returncode))

    def several(self, address):
        """Messages in one session, some of them refused, with short pauses."""
        with net.Client(address) as c:
            for i in range(6):
                subject = self.subject()
                if i % 3 == 2:
                    subject += b" refused"
                reply = c.mail("ada@client.example", ["one@example.com"],
                               message(subject, 50))
                self.heard.append((subject, reply))
                if reply.code not in (250, 550):
                    return
                time.sleep(0.05 * i)
            c.quit()

    def slow(self, address):
        """A reload falls between any two of its commands, and into its data."""
        with net.Client(address) as c:
            for _ in range(2):
                subject = self.subject()
                for pause, line in ((1.1, "MAIL FROM:<ada@client.example>"),
                                    (1.1, "RCPT TO:<one@example.com>"), (0.6, "DATA")):
                    time.sleep(pause)
                    reply = c.cmd(line)
                    if reply.code // 100 > 3:
                        break
                else:
                    c.send(message(subject))
                    time.sleep(1.1)
                    c.send(b"the rest\r\n.\r\n")
                    reply = c.reply()
                self.heard.append((subject, reply))
                if reply.code != 250:
                    return
            c.quit()


def milter_words(pf, since):
    """What Postfix has to say of milters but for verdicts of ours."""
    return [line for line in pf.whole_log()[since:].splitlines()
            if "milter" in line and "milter-reject" not in line]


def marks(sink):
    return [MARK.findall(m.raw.split(b"\r\n\r\n")[0] + b"\r\n") for m in list(sink.messages)]


def counted(sink):
    """Number of a policy -> messages that it judged."""
    return collections.Counter(int(n) for m in marks(sink) for n in m)


def conversations(daemon):
    return int(sum(w["sessions"] for w in daemon.status()["workers"]))


def reloads(t, pf, daemon, sink, ways):
    since = len(pf.whole_log())
    load = Load(ways)
    written, began = 0, time.monotonic()
    while time.monotonic() < began + SECONDS or (
            len(counted(sink)) < POLICIES and time.monotonic() < began + 3 * SECONDS):
        written += 1
        daemon.configure(policy(written))
        daemon.reload()
        time.sleep(1)
    ruled = tap.until(lambda: written in counted(sink), 30, 0.2)
    load.end()
    t.note("%d reloads, %d messages by smtp-source, %d by others" % (
        written, 10 * len(load.sources), len(load.heard)))
    t.ok(not load.trouble, "no session broke", load.trouble[:5])
    odd = [s for s in load.sources if s[1] != 0 or s[0]]
    t.ok(load.sources and not odd, "no session of smtp-source was refused", odd[:5])
    wrong = [(s, r) for s, r in load.heard
             if r.code != (550 if b"refused" in s else 250)]
    t.ok(load.heard and not wrong, "each client heard the rules, and nothing else",
         wrong[:5])
    t.ok(not milter_words(pf, since), "milter_default_action never fired",
         milter_words(pf, since)[:5])
    t.ok(pf.settle(60), "Postfix delivered all it took")
    taken = sum(r.code == 250 for _, r in load.heard) + 10 * len(load.sources)
    t.same(len(sink.messages), taken, "each message arrived once")
    seen = marks(sink)
    t.ok(all(len(m) == 1 for m in seen), "under one policy each",
         [m for m in seen if len(m) != 1][:5])
    judged = counted(sink)
    t.ok(ruled and len(judged) >= POLICIES,
         "%d of %d policies judged mail, the last among them" % (len(judged), written),
         sorted(judged.items()))
    t.ok(tap.until(lambda: {p["generation"] for p in daemon.processes("milter")} ==
                   {daemon.status()["generation"]}, 20, 0.2),
         "the old milters have left", daemon.processes())
    t.ok("result=timeout" not in daemon.log() and "result=killed" not in daemon.log() and
         "state=killed" not in daemon.log(), "by themselves")


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def killed(t, pf, daemon, sink, ways):
    """Inspectors die and nobody hears of it; a milter's death costs the sessions
    that it had, not one more, and no mail."""
    sink.messages.clear()
    since = len(pf.whole_log())
    load = Load(ways)
    for _ in range(6):
        time.sleep(0.5)
        for pid in daemon.pids("inspector"):
            kill(pid)
    load.end()
    wrong = [(s, r) for s, r in load.heard
             if r.code != (550 if b"refused" in s else 250)]
    t.ok(load.heard and not wrong and not milter_words(pf, since),
         "inspectors were killed six times, and no client heard of it",
         wrong[:5], milter_words(pf, since)[:5])

    pf.settle(60)
    sink.messages.clear()
    load = Load(ways)
    gone = set()
    for _ in range(4):
        time.sleep(1)
        # Both are there again, so that eight die.
        tap.until(lambda: len(set(daemon.pids("milter")) - gone) == 2, 20, 0.1)
        for pid in daemon.pids("milter"):
            kill(pid)
            gone.add(pid)
    time.sleep(1)
    load.end()
    replies = [r for _, r in load.heard]
    wrong = [(s, r) for s, r in load.heard if repr(r) != DEFAULT
             and r.code != (550 if b"refused" in s else 250)]
    t.ok(not wrong, "milters were killed four times: a client hears the rules or %s"
         % DEFAULT, wrong[:5], load.trouble[:5])
    t.note("%d of %d messages were put off" % (
        sum(repr(r) == DEFAULT for r in replies), len(replies)))
    pf.settle(60)
    arrived = [re.search(rb"Subject: (load \d+\.)", m.raw) for m in sink.messages]
    arrived = collections.Counter(m.group(1) for m in arrived if m)
    t.same(arrived, collections.Counter(s for s, r in load.heard if r.code == 250),
           "what was taken arrived once, what was not did not")
    seen = marks(sink)
    t.ok(all(len(m) == 1 for m in seen), "all of it judged",
         [m for m in seen if len(m) != 1][:5])
    t.same(daemon.status()["deaths"]["milter"], 8, "status counts them")
    fresh = [net.send(a, "ada@client.example", ["one@example.com"], message(b"after"))
             for a in ways]
    t.same([r.code for r in fresh], [250, 250], "the next sessions are served")


def half_way(address):
    """A session with a second message begun."""
    c = net.Client(address)
    c.mail("ada@client.example", ["one@example.com"], message(b"the first"))
    c.envelope("ada@client.example", ["one@example.com"])
    return c


def postfix_restarts(t, pf, daemon, ways):
    sessions = [half_way(a) for a in ways for _ in range(3)]
    for c in sessions[::2]:
        c.cmd("DATA")
        c.send(message(b"cut off"))
    t.ok(tap.until(lambda: conversations(daemon) == 6, 10), "six conversations",
         conversations(daemon))
    pf.stop()
    for pid in pf.smtpds():
        os.kill(pid, signal.SIGKILL)    # they would wait for their clients
    t.ok(tap.until(lambda: conversations(daemon) == 0, 10),
         "Postfix stops: no conversation is left", conversations(daemon))
    for c in sessions:
        c.close()
    pf.start()
    got = [net.send(a, "ada@client.example", ["one@example.com"], message(b"anew"))
           for a in ways]
    t.same([r.code for r in got], [250, 250], "Postfix is back: mail is judged")
    t.same(daemon.status()["deaths"]["milter"], 8, "and no milter died of it")


def postern_restarts(t, pf, daemon, sink, ways):
    """A stop lets what was begun end, and tells Postfix of nothing else."""
    old = [half_way(a) for a in ways]
    daemon.process.send_signal(signal.SIGTERM)
    t.ok(daemon.wait_log(r"ev=stopping"), "it stops")
    t.ok(tap.until(lambda: not os.path.exists(os.path.join(daemon.dir, "milter")), 20),
         "its socket file is gone")
    since = len(pf.whole_log())
    put_off = [net.send(a, "ada@client.example", ["one@example.com"], message(b"away"))
               for a in ways]
    t.same([repr(r) for r in put_off], [DEFAULT] * 2,
           "without a milter Postfix does what milter_default_action says")
    t.ok(milter_words(pf, since), "and its log says so")
    got = [c.data(message(b"begun before")) for c in old]
    t.same([r.code for r in got], [250, 250], "messages that were begun are judged", got)
    for c in old:
        c.quit()
    t.ok(tap.until(lambda: daemon.process.poll() is not None, 10) and
         daemon.process.returncode == 0, "with the last session it leaves",
         daemon.log()[-1500:])
    t.same(daemon.running(), [], "all of it")
    daemon.start()
    got = [net.send(a, "ada@client.example", ["one@example.com"], message(b"anew"))
           for a in ways]
    t.same([r.code for r in got], [250, 250], "started again, it is asked again")
    pf.settle()
    t.same([sink.holding(b"begun before"), sink.holding(b"away")], [2, 0],
           "what was taken arrived")


def answers(milter):
    """Does somebody listen there?"""
    family = socket.AF_UNIX if isinstance(milter, str) else socket.AF_INET
    with socket.socket(family) as s:
        return s.connect_ex(milter[5:] if isinstance(milter, str) else milter) == 0


def master_dies(t, pf, daemon, sink, ways):
    """Its milters finish what they have and take nothing new; the next posternd
    gets their addresses at once."""
    old = [half_way(a) for a in ways]
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait(10)
    t.ok(tap.until(lambda: not any(map(answers, daemon.milters())), 10),
         "the master is killed: its milters close their sockets")
    daemon.start()
    got = [net.send(a, "ada@client.example", ["one@example.com"], message(b"next one"))
           for a in ways]
    t.same([r.code for r in got], [250, 250], "the next one serves both addresses", got)
    got = [c.data(message(b"orphans'")) for c in old]
    t.same([r.code for r in got], [250, 250],
           "while the orphans end what they had begun", got)
    for c in old:
        c.quit()
    left = tap.until(lambda: set(daemon.running()) <=
                     {p["pid"] for p in daemon.processes()}, 10)
    t.ok(left, "and leave", daemon.running(), daemon.processes())
    pf.settle()
    t.same(sink.holding(b"orphans'"), 2, "their mail arrived")


def comes_and_goes(t, daemon, ways):
    """A listener more, and one less: without a restart, and with its file."""
    before = daemon.values["listeners"]
    more = os.path.join(daemon.dir, "more")
    daemon.configure(policy(0), listeners=before + "listen milter unix:%s;" % more)
    daemon.reload()
    t.ok(tap.until(lambda: answers("unix:" + more), 10) and len(daemon.pids("milter")) >= 3,
         "a reload adds a listener and its process")
    with milter.Mta("unix:" + more) as mta:
        mta.open(milter.Client("192.0.2.1"), "mx.a.example")
        daemon.configure(policy(0), listeners=before)
        daemon.reload()
        t.ok(tap.until(lambda: not os.path.exists(more), 10), "and takes it away, and its file")
        got = mta.deliver(None, None, "<ada@a.example>", ["<one@example.com>"],
                          message(b"refused"))
        t.same(got.code, 550, "but lets the conversation there end", got)
    t.ok(tap.until(lambda: len(daemon.pids("milter")) == 2, 10), "then its process ends",
         daemon.processes())
    got = [net.send(a, "ada@client.example", ["one@example.com"], message(b"still"))
           for a in ways]
    t.same([r.code for r in got], [250, 250], "and the others never noticed")


def overdue(t, daemon, ways):
    """One that idles past drain_timeout loses its milter, and hears that."""
    idle = [net.Client(a) for a in ways]
    for c in idle:
        c.mail("ada@client.example", ["one@example.com"], message(b"first"))
    again = daemon.status()["generation"] + 1
    daemon.configure(policy(0), extra="drain_timeout 1s;")
    daemon.reload()
    t.ok(daemon.wait_log(r"ev=reload result=ok generation=%d" % again), "a shorter drain_timeout")
    idle += [net.Client(a) for a in ways]
    daemon.reload()
    t.ok(tap.until(lambda: len(re.findall(r"proc=milter ev=drain result=timeout",
                                          daemon.log())) == 2, 10),
         "past it the old milters leave, and say so", again, daemon.log()[-1500:])
    got = [c.mail("ada@client.example", ["one@example.com"], message(b"late"))
           for c in idle]
    t.same([repr(r) for r in got[2:]], [DEFAULT] * 2,
           "who idled beyond it hears what Postfix says without a milter")
    t.same([r.code for r in got[:2]], [250, 250],
           "who has a longer one from before is judged", got[:2])
    for c in idle:
        c.close()


def test(t):
    sink = Sink()
    t.defer(sink.close)
    port = net.free_port()
    tcp = ("127.0.0.1", net.free_port())
    daemon = Postern(t, upstream="upstream next { server %s; identity none; }" % sink.server,
                     policy=policy(0), start=False,
                     listen=LISTEN.format(dir=t.path("postern")) % port)
    # Within 40 s, so that one that idles does not decide how long this takes.
    daemon.configure(policy(0), extra="drain_timeout 40s;")
    daemon.start()
    pf = Postfix(t, main=MAIN % sink.address[1],
                 smtpd="-o smtpd_milters=unix:%s/milter" % daemon.dir,
                 services="%s:%d inet n - n - - smtpd -o smtpd_milters=inet:127.0.0.1:%d\n"
                 % (tcp + (port,)))
    ways = (pf.address, tcp)
    t.same([len(daemon.pids("milter")), len(daemon.pids("worker"))], [2, 1],
           "two milters, and a worker for what is released")
    reloads(t, pf, daemon, sink, ways)
    killed(t, pf, daemon, sink, ways)
    postfix_restarts(t, pf, daemon, ways)
    postern_restarts(t, pf, daemon, sink, ways)
    master_dies(t, pf, daemon, sink, ways)
    comes_and_goes(t, daemon, ways)
    overdue(t, daemon, ways)


tap.run(test, 240)
