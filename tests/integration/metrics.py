"""metrics - what /metrics says equals what was sent, in a form that Prometheus
takes; /health is well, and says what ails when it is not, and /ready that an
upstream has no server left. GET changes nothing,
and nothing else is answered."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern
from sink import Sink

POLICY = """
rule held     { when subject contains "hold me";   then quarantine class spam; }
rule refused  { when subject contains "refuse me"; then reject 550 5.7.1 "no"; }
rule nobody   { when rcpt = nobody@example.com;    then reject 550 5.1.1 "nobody"; }
rule shadowed { mode shadow; when subject contains "plain"; then reject 550 5.7.1 "no"; }
"""
LINE = re.compile(r'^([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?\d+)$')


def http(address, request, seconds=10):
    """Status, head and body of an answer, as it came."""
    with socket.create_connection(address, seconds) as s:
        s.sendall(request if isinstance(request, bytes) else
                  b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % request.encode())
        got = b""
        try:
            while more := s.recv(65536):
                got += more
        except ConnectionResetError:
            pass
    head, _, body = got.partition(b"\r\n\r\n")
    status = int(head.split()[1]) if head.startswith(b"HTTP/") else None
    return status, head.decode(), body.decode()


def parse(text):
    """{name: {labels: value}}; raises where a strict reader would."""
    families, got, family = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in families, "twice: " + line
            families[name] = None
            family = name
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == family and kind in ("counter", "gauge"), line
            families[name] = kind
        else:
            match = LINE.match(line)
            assert match, line
            name, labels, value = match.groups()
            assert name == family and families[name], "outside of its family: " + line
            assert families[name] != "counter" or name.endswith("_total"), line
            assert labels not in got.setdefault(name, {}), "twice: " + line
            got[name][labels or ""] = int(value)
    return got


def total(scraped, name, *labels):
    return sum(v for k, v in scraped.get("postern_" + name, {}).items()
               if all(l in k for l in labels))


def send(daemon, subject, rcpts=("ada@example.com",)):
    return net.send(daemon.address, "bob@client.example", list(rcpts),
                    b"Subject: %s\r\n\r\nbody\r\n" % subject.encode())


def upstreams_away(t):
    """Whether mail would find its next hop, which is not whether we live."""
    one, two, other = Sink(), Sink(), Sink()
    for s in (one, two, other):
        t.defer(s.close)
    where = ("127.0.0.1", net.free_port())
    daemon = Postern(t, name="ready", workers=2, extra="metrics 127.0.0.1:%d;" % where[1],
                     listen="listen smtp 127.0.0.1:0 { route ways; }",
                     upstream="route ways { example.com pool; sales.example.com other; }\n"
                     "upstream pool { server %s; server %s; identity none; health 1s; }\n"
                     "upstream other { server %s; identity none; health 1s; }\n"
                     % (one.server, two.server, other.server))
    look = lambda path="/ready": http(where, path)[::2]
    away = lambda: total(parse(http(where, "/metrics")[2]), "upstream_servers", 'state="away"')
    t.ok(tap.until(lambda: look() == (200, "ok\n"), 10), "ready", look())
    one.close()
    t.ok(tap.until(lambda: away() == 2, 20), "both workers find that a server is away")
    t.same(look(), (200, "ok\n"), "one server of two is enough")
    two.close()
    t.ok(tap.until(lambda: look() == (503, "upstream pool: all its servers are away\n"), 20),
         "without any the upstream is named", look())
    t.same(look("/health"), (200, "ok\n"), "the gateway itself is well")
    got = parse(http(where, "/metrics")[2])
    t.same((total(got, "healthy"), total(got, "ready")), (1, 0), "and so metrics say")
    daemon.reload()
    daemon.wait_log("ev=reload result=ok")
    t.ok(tap.until(lambda: look() == (503, "upstream pool: all its servers are away\n"), 20),
         "the next generation finds the same", look())
    again = Sink(port=two.address[1])
    t.defer(again.close)
    t.ok(tap.until(lambda: look() == (200, "ok\n"), 45), "one that is back makes it ready", look())


def lookups_failing(t):
    """Mail hosts of the world: whether they can be looked up at all."""
    where = ("127.0.0.1", net.free_port())
    daemon = Postern(t, name="world", extra="metrics 127.0.0.1:%d;" % where[1],
                     upstream="mx port %d; identity none; connect_timeout 1s;" % net.free_port())
    look = lambda: http(where, "/ready")[::2]
    failing = (503, "upstream up: no mail host can be looked up\n")

    def mail(domain, records, code):
        daemon.dns.records[(domain, "MX")] = records
        reply = send(daemon, "hello", ["ada@" + domain])
        t.ok(repr(reply).startswith(code), "%s: %s" % (domain, code), reply)

    t.ok(tap.until(lambda: look() == (200, "ok\n"), 10), "mx: ready before any mail", look())
    mail("one.lab.example", "servfail", "451 4.4.3")
    t.same(look(), (200, "ok\n"), "mx: one domain without an answer is that domain's own")
    mail("two.lab.example", "servfail", "451 4.4.3")
    t.ok(tap.until(lambda: look() == failing, 20), "mx: two in a row are not", look())
    mail("three.lab.example", [], "550 5.1.2")
    t.ok(tap.until(lambda: look() == (200, "ok\n"), 20), "mx: an answer is an answer, if it is no", look())


def test(t):
    lookups_failing(t)
    upstreams_away(t)
    sink = Sink()
    t.defer(sink.close)
    port = net.free_port()
    where = ("127.0.0.1", port)
    daemon = Postern(t, policy=POLICY, workers=2,
                     upstream="server %s; identity xclient;" % sink.server,
                     extra="metrics 127.0.0.1:%d; quarantine spam { keep 1d; quota 2K; }" % port)
    scrape = lambda: parse(http(where, "/metrics")[2])

    for _ in range(7):
        t.same(send(daemon, "plain").code, 250, "accepted") if _ == 0 else send(daemon, "plain")
    for _ in range(3):
        send(daemon, "refuse me")
    for _ in range(2):
        send(daemon, "hold me")
    with net.Client(daemon.address) as c:
        c.cmd("MAIL FROM:<bob@client.example>")
        c.cmd("RCPT TO:<nobody@example.com>")
        c.cmd("QUIT")

    ready = tap.until(lambda: total(scrape(), "messages_total") == 12 and
                      total(scrape(), "recipients_refused_total") == 1, 10)
    text = http(where, "/metrics")[2]
    got = parse(text)
    t.ok(ready, "every message is counted", text)
    for (name, *labels), want in {
            ("messages_total", 'action="accept"', 'answer="2xx"'): 7,
            ("messages_total", 'action="reject"', 'answer="5xx"'): 3,
            ("messages_total", 'action="quarantine"', 'answer="2xx"'): 2,
            ("recipients_refused_total", 'by="rules"'): 1,
            ("quarantine_messages", 'class="spam"', 'state="held"'): 2,
            ("sessions_total",): 13,
            ("sessions",): 0,
            ("rules_fired_total", 'rule="refused"'): 3,
            ("rules_fired_total", 'rule="nobody"'): 1,
            ("rules_fired_total", 'rule="shadowed"'): 0,
            ("rules_shadow_total", 'rule="shadowed"'): 7,
            ("healthy",): 1}.items():
        t.same(total(got, name, *labels), want, " ".join([name] + labels))
    t.ok(total(got, "bytes_total") > 12 * 20, "bytes are counted")
    settled = tap.until(lambda: total(scrape(), "processes") == 8, 10)
    got = scrape()
    t.ok(settled and total(got, "processes", 'role="worker"') == 2, "processes are told",
         got.get("postern_processes"))
    t.ok(total(got, "resident_bytes", 'role="worker"') > 1 << 20, "and their memory")
    t.ok(abs(total(got, "start_time_seconds") - time.time()) < 120, "and the start")
    status = daemon.status()
    t.same(sum(w["messages_total"] for w in status["workers"]), 12,
           "status has the messages of each worker", status["workers"])

    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                              capture_output=True, timeout=30)
        t.same(done.returncode, 0, "promtool takes it", done.stdout, done.stderr)

    # Full: nothing that is held goes, the new one waits at its sender.
    codes = [send(daemon, "hold me " + "x" * 1100).code for _ in range(3)]
    t.same(codes, [250, 452, 452], "a full class says 452")
    t.same(total(scrape(), "quarantine_refused_total"), 2, "and counts it")

    # What it does not do.
    head = http(where, "/metrics")[1]
    t.ok("text/plain; version=0.0.4" in head, "the type is Prometheus'", head)
    for request, want in ((b"POST /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n", (501, 405)),
                          (b"HEAD /health HTTP/1.0\r\n\r\n", (501, 405)),
                          (b"DELETE /health HTTP/1.0\r\n\r\n", (501, 405)),
                          (b"GET /other HTTP/1.0\r\n\r\n", (404,)),
                          (b"GET /metrics/../x HTTP/1.0\r\n\r\n", (404,)),
                          (b"GET / HTTP/1.0\r\n" + b"X: " + b"y" * 70000 + b"\r\n\r\n",
                           (400, 413, None)),
                          (b"\0\0\0\0\r\n\r\n", (400, None)),
                          (b"GET /metrics HTTP/1.0\r\nContent-Length: 9\r\n\r\n123456789",
                           (413, 400, 200))):
        t.ok(http(where, request)[0] in want, "no answer to %r" % request[:30],
             http(where, request)[:2])
    with socket.create_connection(where) as silent:
        t.same(http(where, "/health")[0], 200, "who says nothing keeps nobody waiting")
        silent.settimeout(20)
        t.same(silent.recv(1), b"", "and is closed")

    # A reload, and one that fails; the totals of workers that are gone stay.
    daemon.reload()
    daemon.wait_log("ev=reload result=ok")
    tap.until(lambda: total(scrape(), "reloads_total", 'result="ok"') == 1, 10)
    daemon.configure("rule x { whem }")
    daemon.reload()
    daemon.wait_log("ev=reload result=failed")
    t.ok(tap.until(lambda: total(scrape(), "reloads_total", 'result="failed"') == 1, 10),
         "a failed reload is counted")
    got = scrape()
    t.same((total(got, "generation"), total(got, "reloads_total", 'result="ok"')), (2, 1),
           "and one that did not fail")
    t.same(total(got, "messages_total", 'action="accept"'), 7, "totals do not go back")

    # A worker that cannot come back.
    victim = daemon.pids("worker")[0]
    os.kill(victim, signal.SIGKILL)
    t.ok(tap.until(lambda: total(scrape(), "process_deaths_total", 'role="worker"') == 1, 10),
         "a death is counted")
    t.same(http(where, "/health")[0], 200, "and mended")
    master = daemon.pid
    os.kill(master, signal.SIGSTOP)
    try:
        sick = tap.until(lambda: http(where, "/health")[0] == 503, 25)
        answer = http(where, "/health")
    finally:
        os.kill(master, signal.SIGCONT)
    t.ok(sick and "the master does not answer" in answer[2], "a master that hangs is sick", answer)
    t.ok(tap.until(lambda: http(where, "/health")[0] == 200, 10), "and well again")


tap.run(test, 240)
