"""drain - postern upstream NAME drain|resume: a server gets no mail for a while,
from any worker, also one that was forked since, whatever died meanwhile; until it is taken back, or the
configuration is read again.
"""

import os
import re
import signal
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern
from sink import Sink

WORKERS = 2


def servers(daemon, upstream="pool"):
    """By server: to how many workers it is up, away, draining."""
    return {m[0]: tuple(int(n) for n in m[1:]) for m in re.findall(
        r"^ +%s +(\S+) +(\d) +(\d) +(\d)$" % upstream, daemon.cli("status").stdout, re.M)}


def ready(where):
    try:
        with urllib.request.urlopen("http://%s:%d/ready" % where, timeout=10) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.read().decode()


def test(t):
    a, b, c, n = sinks = [Sink() for _ in range(3)] + [Sink(host="127.0.0.15")]
    for s in sinks:
        t.defer(s.close)
    where = ("127.0.0.1", net.free_port())
    daemon = Postern(t, workers=WORKERS, start=False, listen="""
listen smtp 127.0.0.1:0 { upstream pool; }
listen smtp 127.0.0.1:0 { upstream named; }""", upstream="""
upstream pool { server %s; server %s; server %s drain; identity none; }
upstream named { server mta.lab.example:%d; identity none; }
upstream world { mx; identity none; }""" % (a.server, b.server, c.server, n.address[1]),
                     extra="metrics 127.0.0.1:%d;" % where[1])
    daemon.dns.records["mta.lab.example", "A"] = ["127.0.0.15"]
    daemon.start()
    up, draining, mixed = (WORKERS, 0, 0), (0, 0, WORKERS), {}

    def order(*words):
        done = daemon.cli("upstream", *words)
        t.same(done.returncode, 0, "postern upstream " + " ".join(words), done.stderr)
        return done.stdout

    def become(said, state_a, state_b, state_c=draining):
        want = {a.server: state_a, b.server: state_b, c.server: state_c}
        t.ok(tap.until(lambda: servers(daemon) == want, 20), said, servers(daemon))

    def send(mark, times, code=250, listener=0):
        """Where they went."""
        replies = [net.send(daemon.listening()[listener], "x@client.example", ["b@a.example"],
                            b"Subject: x\r\n\r\n%s\r\n" % mark) for _ in range(times)]
        t.same({r.code for r in replies}, {code}, "%s: answered with %d" % (mark.decode(), code), replies)
        return [s.holding(mark) for s in sinks]

    def ehlo():
        with net.Client(daemon.listening()[0]) as client:
            return client.ehlo.lines

    become("as the configuration says", up, up)
    send(b"before.", 4)
    t.same(order("pool", "drain", a.server), "draining\n", "it says so")
    become("postern status shows that one is drained, to each worker", draining, up)
    t.same(send(b"drained.", 12), [0, 12, 0, 0], "it gets no mail, however many kept a connection to it")
    pid = next(p["pid"] for p in daemon.ask("status")["processes"] if p["role"] == "worker")
    os.kill(pid, signal.SIGKILL)
    t.ok(tap.until(lambda: pid not in [p["pid"] for p in daemon.ask("status")["processes"]], 20), "a worker dies")
    become("the one that follows knows of it", draining, up)
    t.same(send(b"again.", 12), [0, 12, 0, 0], "and sends it none")
    for role in "keeper", "worker":
        pid = next(p["pid"] for p in daemon.ask("status")["processes"] if p["role"] == role)
        os.kill(pid, signal.SIGKILL)
        t.ok(tap.until(lambda: daemon.cli("status").returncode == 0 and
                       pid not in [p["pid"] for p in daemon.ask("status")["processes"]], 20), "the %s dies" % role)
    become("the next keeper knows of it, and the worker that begins then", draining, up)
    t.same(order("pool", "resume", a.server), "resumed\n", "it says so")
    become("it is back", up, up)
    got = send(b"resumed.", 24)
    t.ok(got[0] > 0 and got[1] > 0 and sum(got) == 24, "and has its share", got)

    promised = ehlo()
    order("pool", "drain")
    become("all of an upstream", draining, draining)
    t.same(ehlo(), promised, "a client is promised what it was before")
    t.same(send(b"none.", 2, 451), [0, 0, 0, 0], "mail waits at its senders")
    t.ok(tap.until(lambda: "upstream pool: all its servers are draining\n" in ready(where), 10),
         "/ready says so", ready(where))
    order("pool", "resume", c.server)
    become("one of them, which is written with drain", draining, draining, up)
    t.same(send(b"spare.", 3), [0, 0, 3, 0], "has all of it")
    order("pool", "resume")
    become("all: as it is written", up, up)

    t.same(send(b"named.", 2, listener=1), [0, 0, 0, 2], "a server by name")
    name = "mta.lab.example[127.0.0.15]:%d" % n.address[1]
    t.ok(tap.until(lambda: name in servers(daemon, "named"), 10), "is known by name and address",
         daemon.cli("status").stdout)
    order("named", "drain", name)
    t.ok(tap.until(lambda: sum(servers(daemon, "named")[name][:2]) == 0, 10), "and drained by that",
         servers(daemon, "named"))
    pid = next(p["pid"] for p in daemon.ask("status")["processes"] if p["role"] == "worker")
    os.kill(pid, signal.SIGKILL)
    t.ok(tap.until(lambda: pid not in [p["pid"] for p in daemon.ask("status")["processes"]], 20), "a worker dies")
    t.same(send(b"hidden.", 8, 451, listener=1), [0, 0, 0, 0], "the one that follows finds it, and knows")
    order("named", "drain")
    order("named", "resume", name)
    t.ok(tap.until(lambda: send(b"shown.", 1, listener=1)[3] > 0, 10), "one of all is back")
    order("named", "resume")
    order("named", "drain")
    t.same(send(b"unnamed.", 4, 451, listener=1), [0, 0, 0, 0], "all, also where a worker had yet to find it")

    for words, code, said in (
            (("pool", "drain", "127.0.0.1:1"), 66, "upstream pool has no server 127.0.0.1:1"),
            (("nobody", "drain"), 66, "no server of an upstream nobody is known"),
            (("world", "drain"), 66, "no server of an upstream world is known"),
            (("pool", "drains"), 64, "usage: postern upstream"), (("pool",), 64, "usage: postern upstream")):
        done = daemon.cli("upstream", *words)
        t.ok(done.returncode == code and said in done.stderr, " ".join(words), done.returncode, done.stderr)
    t.same(daemon.ask("upstream.drain")["exit"], 64, "the keeper wants a name")

    order("pool", "drain", b.server)
    become("one more", up, draining)
    daemon.reload()
    become("a reload begins as the configuration says", up, up)
    t.ok(len(re.findall(r"ev=server upstream=pool server=%s state=draining" % a.server, daemon.log())) >= WORKERS
         and re.search(r'ev=upstream upstream=pool server="%s" order=drain' % a.server, daemon.log()),
         "the log has the order, and who took it", daemon.log()[-2000:])


tap.run(test, 120)
