"""limits - over two workers: connections and rates of one client and in all;
what a killed worker held comes back, and what was counted stays over a reload;
a tarpit holds up nobody else, bytes have to come, who talks too early is
found, and who comes when memory is short is turned away while those who are
there go on. Each with its line for fail2ban and its count."""

import os
import re
import select
import signal
import socket
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern, configured

NETS = "mynetworks 192.0.2.0/24;"
AWAY = "421 4.7.0 postern.example Error: too many connections"


class Client:
    """One connection; each reply is its last line."""

    def __init__(self, daemon, source="127.0.0.1"):
        self.sock = socket.create_connection(daemon.address, 30, (source, 0))
        self.file = self.sock.makefile("rb")

    def reply(self):
        while True:
            line = self.file.readline().decode()
            if line[3:4] != "-":
                return line.rstrip("\r\n")

    def say(self, *lines):
        self.sock.sendall("".join(l + "\r\n" for l in lines).encode())
        return [self.reply() for _ in lines]

    def greet(self):
        got = self.reply()
        return got if not got.startswith("220") else self.say("EHLO x")[0]

    def silent(self, seconds):
        return not select.select([self.sock], [], [], seconds)[0]

    def close(self):
        self.file.close()
        self.sock.close()


def greetings(daemon, n, source="127.0.0.1"):
    """n clients that stay, and what each heard first."""
    clients = [Client(daemon, source) for _ in range(n)]
    return clients, [c.reply() for c in clients]


def at_each(daemon, n):
    """n clients at each of the two workers."""
    clients, heard = [], []
    workers = daemon.pids("worker")
    for away in workers:
        os.kill(away, signal.SIGSTOP)
        try:
            more, said = greetings(daemon, n)
        finally:
            os.kill(away, signal.SIGCONT)
        clients += more
        heard += said
    return clients, heard


def leave(clients):
    for c in clients:
        c.close()


def hasty(daemon, words):
    """A client whose words are there before any worker looks at it."""
    workers = daemon.pids("worker")
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        c = Client(daemon)
        c.sock.sendall(words)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    return c


def limits(metrics, name):
    with urllib.request.urlopen("http://%s:%d/metrics" % metrics, timeout=10) as answer:
        found = re.search(r'postern_limits_total\{limit="%s"\} (\d+)' % name,
                          answer.read().decode())
    return int(found.group(1)) if found else 0


def daemon_of(t, name, extra, metrics=None, **kw):
    if metrics is not None:
        extra += " metrics 127.0.0.1:%d;" % metrics[1]
    d = Postern(t, start=False, name=name, workers=2, extra=extra, **kw)
    with open(d.conf) as f:
        text = f.read()
    with open(d.conf, "w") as f:
        f.write(re.sub(r"mynetworks .*;", NETS, text, count=1))
    return d.start()


def connections(t):
    metrics = ("127.0.0.1", net.free_port())
    d = daemon_of(t, "connections", "client_connection_limit 20; connection_limit 30; "
                  "client_ipv4_prefix_length 30; log_style both;", metrics)
    mine, heard = at_each(d, 10)
    more, said = greetings(d, 40)
    mine, heard = mine + more, heard + said
    t.same(sum(h.startswith("220") for h in heard), 20, "a client has its connections in all "
           "workers together", heard)
    t.same({h for h in heard if not h.startswith("220")}, {AWAY + " from 127.0.0.1"},
           "the others hear why")
    t.ok(re.search(r"warning: Connection concurrency limit exceeded: 21 from unknown"
                   r"\[127\.0\.0\.1\] for service smtp", d.log()), "the log has Postfix's words")
    near, heard = greetings(d, 1, "127.0.0.2")
    t.same(heard, [AWAY + " from 127.0.0.2"], "one of the same net is the same client")
    leave(near)
    other, heard = greetings(d, 20, "127.0.0.9")
    t.same(sum(h.startswith("220") for h in heard), 10, "in all there are so many")
    t.same({h for h in heard if not h.startswith("220")}, {AWAY}, "the others hear that")
    leave(other)
    t.ok(tap.until(lambda: limits(metrics, "client_connections") == 41 and
                   limits(metrics, "connections") == 10), "both are counted",
         limits(metrics, "client_connections"), limits(metrics, "connections"))

    workers = d.pids("worker")
    os.kill(workers[0], signal.SIGKILL)
    tap.until(lambda: len(set(d.pids("worker")) - {workers[0]}) == 2)
    t.same(sum(c.silent(0) for c in mine), 10, "a worker is killed")
    more, heard = greetings(d, 30)
    t.same(sum(h.startswith("220") for h in heard), 10,
           "what it held is given back, and no more", heard)
    leave(more)
    leave(mine)

    def all_free():
        again, heard = greetings(d, 21)
        leave(again)
        return sum(h.startswith("220") for h in heard) == 20
    t.ok(tap.until(all_free), "when all have left, all may come again")
    d.terminate()


def rates(t):
    d = daemon_of(t, "rates", "client_connection_rate_limit 30; client_message_rate_limit 6; "
                  "client_recipient_rate_limit 10; limit_exceptions 127.0.0.77; log_style both;")
    heard = []
    for _ in range(8):
        c = Client(d)
        c.greet()
        heard += c.say("MAIL FROM:<a@client.example>")
        c.close()
    t.same([h[:9] for h in heard], ["250 2.1.0"] * 6 + ["450 4.7.1"] * 2,
           "messages of a client are counted over connections and workers")
    t.ok("Message delivery request rate limit exceeded: 7 from unknown[127.0.0.1]" in d.log(),
         "Postfix's words for that")
    d.reload()
    tap.until(lambda: re.search(r"ev=ready generation=2", d.log()))
    c = Client(d)
    c.greet()
    t.same(c.say("MAIL FROM:<a@client.example>"), ["450 4.7.1 Error: too much mail from 127.0.0.1"],
           "a reload forgets nothing")
    c.close()
    c = Client(d, "127.0.0.2")
    c.greet()
    heard = c.say("MAIL FROM:<a@client.example>", *["RCPT TO:<b%d@example.com>" % i
                                                    for i in range(12)])
    t.same([h[:3] for h in heard], ["250"] * 11 + ["450"] * 2, "recipients of another client")
    c.close()
    clients, heard = greetings(d, 40, "127.0.0.3")
    t.same(sum(h.startswith("220") for h in heard), 30, "connections in a time")
    leave(clients)
    clients, heard = greetings(d, 40, "127.0.0.77")
    t.same(sum(h.startswith("220") for h in heard), 40, "exceptions are none of those")
    leave(clients)
    d.terminate()


def slow(t):
    metrics = ("127.0.0.1", net.free_port())
    d = daemon_of(t, "slow", "soft_error_limit 2; error_sleep_time 6s; greet_wait 300ms; "
                  "pregreet note; min_data_rate 1000; min_data_rate_grace 1s; command_timeout 2s; "
                  "log_style both;", metrics,
                  policy='rule hasty { when client.early-talker; then reject 554 5.7.1 "early"; }')
    c = Client(d)
    began = time.monotonic()
    c.greet()
    t.ok(time.monotonic() - began >= 0.25, "the greeting waits")
    c.say("one", "two")
    c.sock.sendall(b"three\r\n")
    # Whichever worker they are at: four of them are not all at the other one.
    others = [Client(d) for _ in range(4)]
    for other in others:
        other.greet()
        other.say("NOOP")
    t.ok(c.silent(0), "others do not wait in the tarpit, who made the errors does")
    t.same(c.reply()[:9], "500 5.5.1", "and is answered then")
    leave(others + [c])

    dribbler = Client(d)
    dribbler.greet()
    began = time.monotonic()
    try:
        while dribbler.silent(0.3) and time.monotonic() - began < 30:
            dribbler.sock.sendall(b"N")
    except OSError:
        pass
    t.ok(time.monotonic() - began < 30, "a command's octets do not give it time for ever")
    t.same(dribbler.reply()[:9], "421 4.4.2", "it has its time as a whole")
    dribbler.close()

    slowly = Client(d)
    slowly.greet()
    slowly.say("MAIL FROM:<a@client.example>", "RCPT TO:<b@example.com>", "DATA")
    began = time.monotonic()
    while slowly.silent(0.2) and time.monotonic() - began < 30:
        slowly.sock.sendall(b"a line\r\n")
    t.same(slowly.reply()[:9], "421 4.4.2", "a message has to come at its rate")
    slowly.close()
    t.ok(net.send(d.address, "a@client.example", ["b@example.com"],
                  b"Subject: in time\r\n\r\nx\r\n").code == 250, "others' messages pass")

    early = hasty(d, b"EHLO early\r\n")
    early.reply()
    early.reply()
    heard = early.say("MAIL FROM:<a@client.example>", "RCPT TO:<b@example.com>")
    t.ok(heard[1].startswith("554 5.7.1 early"), "rules know who talked too early", heard)
    early.close()
    t.ok(re.search(r"PREGREET 12 after \d+\.\d\d from \[127\.0\.0\.1\]:\d+: EHLO early", d.log()),
         "and so does the log")
    t.ok(tap.until(lambda: all(limits(metrics, l) == n for l, n in (
        ("soft_errors", 1), ("data_rate", 1), ("early_talker", 1)))), "all are counted")
    early = hasty(d, b"EHLO login\r\nauth plain AGFkYQBzZWNyZXQ=\r\n")
    early.reply()
    early.close()
    t.ok(tap.until(lambda: len(re.findall(r"EHLO login[^A\n]*auth(\"|$)", d.log(), re.M)) == 2),
         "who logs in that early is logged up to there", d.log()[-600:])
    t.ok("AGFkYQ" not in d.log(), "and not his login")
    d.terminate()


def body(c):
    """The better half of a message: 1 MB."""
    c.say("MAIL FROM:<a@client.example>", "RCPT TO:<b@example.com>", "DATA")
    c.sock.sendall(b"Subject: x\r\n\r\n" + (b"y" * 78 + b"\r\n") * 12000)


def short(t):
    if configured("__SANITIZE_ADDRESS__") or "-fsanitize" in open(
            os.path.join(os.environ.get("builddir") or ".", "Makefile")).read():
        t.note("a sanitizer's heap does not tell what it holds")
        return
    metrics = ("127.0.0.1", net.free_port())
    d = daemon_of(t, "short", "memory_limit 8M; spool_memory 4M; spool_memory_all 256M;", metrics)
    early, heard = at_each(d, 2)
    for c in early:
        c.say("EHLO x")
    flood, away = [], []
    for stopped in d.pids("worker"):
        os.kill(stopped, signal.SIGSTOP)
        try:
            for _ in range(40):
                flood.append(Client(d))
                got = flood[-1].greet()
                if not got.startswith("250"):
                    away.append(got)
                    flood.pop().close()
                    break
                body(flood[-1])
                time.sleep(0.12)
        finally:
            os.kill(stopped, signal.SIGCONT)
    t.same(away, ["421 4.3.2 postern.example Error: short of resources, try again later"] * 2,
           "who comes when memory is short is turned away", len(flood))
    for c in flood:
        c.sock.sendall((b"z" * 78 + b"\r\n") * 12000)

    def turned_away(c):
        got = c.say("MAIL FROM:<a@client.example>")[0]
        if got.startswith("250"):
            c.say("RSET")
        return got.startswith("452 4.3.1")
    t.ok(all(tap.until(lambda c=c: turned_away(c)) for c in early),
         "then new mails are, of those who are there")
    for c in flood:
        c.sock.sendall(b".\r\n")
    t.same({c.reply()[:3] for c in flood}, {"250"}, "what was under way is finished", len(flood))
    leave(flood + early)

    def welcome():
        c = Client(d)
        got = c.reply()
        c.close()
        return got.startswith("220")
    t.ok(tap.until(welcome), "then there is room again")
    t.ok(tap.until(lambda: limits(metrics, "memory") >= 6), "it is counted")
    t.same(len(re.findall(r"ev=memory state=short", d.log())), 2, "each worker's log says it once")
    d.terminate()


def descriptors(t):
    d = daemon_of(t, "descriptors", "client_connection_limit 1000;",
                  wrap=["prlimit", "--nofile=160:160"])
    clients, heard = greetings(d, 400)
    t.same({h[:9] for h in heard} - {"220 poste"}, {"421 4.3.2"},
           "who comes when descriptors are short hears it", heard[-1])
    first = clients[heard.index(next(h for h in heard if h.startswith("220")))]
    first.say("EHLO x")
    got = first.say("MAIL FROM:<a@client.example>", "RCPT TO:<b@example.com>", "DATA")
    first.sock.sendall(b"x" * 70 + b"\r\n.\r\n")
    t.same(first.reply()[:3], "250", "and who is there has some left", got)
    leave(clients)
    d.terminate()


def test(t):
    connections(t)
    rates(t)
    slow(t)
    short(t)
    descriptors(t)


tap.run(test, 100)
