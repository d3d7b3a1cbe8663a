"""routes - where mail goes: pools, routes, names and mail hosts.

One daemon in front of many sinks, with a name server of the test's own: a pool
whose servers come and go under load (none lost, none doubled), a drained server,
the upstream by recipient with a map that is edited, a server by name, and MX:
preference, ties, fall-back, null MX, loops, literals, failures of the DNS.
"""

import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern
from sink import Sink

HOSTS = ["127.0.0.%d" % i for i in range(11, 16)]
BODY = b"Subject: x\r\n\r\n%s\r\n"

LISTEN = """
listen smtp 127.0.0.1:0 { upstream pool; }
listen smtp 127.0.0.1:0 { route ways; identity from 127.0.0.1 xclient; }
listen smtp 127.0.0.1:%(port)d { upstream out; }
listen smtp 127.0.0.1:0 { upstream far; }
listen smtp 127.0.0.1:0 { upstream drained; }
listen smtp 127.0.0.1:%(own)d { upstream ourselves; }
listen smtp 127.0.0.1:%(lonely)d { upstream lonely; }
"""
UPSTREAMS = """
upstream pool { server %(a)s; server %(b)s weight 3; server %(c)s priority 1; identity none;
    connect_timeout 1s; }
upstream drained { server %(a)s drain; server %(b)s priority 9; identity none; }
upstream watched { server %(w)s; identity none; health 1s; }
upstream named { server mta.lab.example:%(named)s; identity none; connect_timeout 1s; }
upstream out { mx port %(port)d; connect_timeout 1s; reply_timeout 5s; }
upstream far { mx smart.lab.example port %(port)d; connect_timeout 1s; }
route ways { a.example pool; .b.example named; map transport; default out;
    refused.lab.example refusing; gone.lab.example gone; sales.example.com box; }
upstream refusing { server %(refusing)s; identity none; }
upstream gone { server 127.0.0.1:1; identity none; }
upstream box { deliver maildir %(box)s; }
upstream ourselves { server us.lab.example:%(own)d; identity none;
    server mta.lab.example:%(named)s priority 9; connect_timeout 1s; }
upstream lonely { server us.lab.example:%(lonely)d; identity none; }
"""


class Load:
    """Clients that send one mail after the other, each with a mark of its own."""

    def __init__(self, address, clients=4):
        self.address, self.end = address, threading.Event()
        self.taken, self.refused, self.cut = [], [], []
        self.threads = [threading.Thread(target=self.send, args=(i,)) for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def send(self, which):
        n = 0
        while not self.end.is_set():
            n += 1
            mark = b"mark-%d-%d." % (which, n)
            try:
                reply = net.send(self.address, "a@client.example", ["b@a.example"], BODY % mark)
                (self.taken if reply.code == 250 else self.refused).append((mark, reply))
            except (net.Cut, OSError) as e:
                self.cut.append((mark, e))

    def stop(self):
        self.end.set()
        for thread in self.threads:
            thread.join(30)


def answers(address, rcpts, sender="a@client.example", ehlo=None):
    """What each recipient hears, after MAIL's."""
    with net.Client(address) as c:
        if ehlo:
            c.cmd(ehlo)
            c.cmd("EHLO client.example")
        return [str(r) for r in c.envelope(sender, rcpts)[1:]]


def one(address, rcpt, mark):
    return net.send(address, "a@client.example", [rcpt], BODY % mark)


def holding(sinks, mark):
    return [s.holding(mark) for s in sinks]


def servers(daemon, upstreams):
    """Rows of postern status: upstream, server, workers to which it is up, away, draining."""
    return sorted(re.findall(r"^ +(%s) +(\S+) +(\d) +(\d) +(\d)$" % upstreams,
                             daemon.cli("status").stdout, re.M))


def pools(t, daemon, a, b, c):
    address = daemon.listening()[0]
    for i in range(80):
        one(address, "b@a.example", b"spread.")
    shares = holding((a, b, c), b"spread.")
    t.ok(sum(shares) == 80 and 5 <= shares[0] <= 38 and shares[2] == 0,
         "by weight, and nothing for the spare", shares)
    load = Load(address)
    time.sleep(1)
    port = b.address[1]
    b.close()
    t.ok(tap.until(lambda: re.search(r"%s +0 +1 +0$" % re.escape(b.server),
                                     daemon.cli("status").stdout, re.M), 10),
         "postern status shows that it is away", daemon.cli("status").stdout)
    time.sleep(1)
    again = Sink(announce=("PIPELINING",), port=port)
    t.defer(again.close)
    t.ok(tap.until(lambda: again.holding(b"mark-") > 3, 10),
         "a server that comes back has its share", daemon.log()[-1500:])
    load.stop()
    # The sessions of a killed server may hear 4xx (it died with a mail in hand).
    bad = [m for m, r in load.refused if r.code // 100 != 4]
    t.ok(len(load.taken) > 50 and not bad and not load.cut,
         "%d mails while a server is killed and comes back: %d deferred, none refused"
         % (len(load.taken), len(load.refused)), bad, load.cut)
    want = sorted([("pool", s.server, "1", "0", "0") for s in (a, again, c)] +
                  [("drained", a.server, "0", "0", "1"), ("drained", again.server, "1", "0", "0")])
    t.ok(tap.until(lambda: servers(daemon, "pool|drained") == want, 10, 0.2),
         "and that it is back, and what is drained", daemon.cli("status").stdout)
    all_sinks = (a, b, c, again)
    wrong = [(m, holding(all_sinks, m)) for m, _ in load.taken
             if sum(holding(all_sinks, m)) != 1]
    t.ok(not wrong, "each that was taken is at one server, once", wrong[:5])
    # The killed one may have taken a mail and not said so any more (RFC 1047).
    wrong = [m for m, _ in load.refused
             if sum(holding((a, c, again), m)) != 0 or sum(holding((b,), m)) > 1]
    t.ok(not wrong, "and each that was not at none", wrong[:5])
    log = daemon.log()
    server = "server=%s" % again.server
    t.ok(len(re.findall(r"ev=server .*%s state=away" % re.escape(server), log)) == 1 and
         len(re.findall(r"ev=server .*%s state=up" % re.escape(server), log)) == 1,
         "the log says once that it is away, and that it is back", log[-2000:])
    t.same(one(daemon.listening()[4], "b@a.example", b"drained.").code, 250,
           "a drained server is no obstacle")
    t.same(holding((a, again), b"drained."), [0, 1], "and gets nothing, as the first it is")
    return again


def routes(t, daemon, pool, named, outside):
    address = daemon.listening()[1]
    t.same(one(address, "x@A.Example", b"to-pool.").code, 250, "a domain of the route")
    t.same(sum(holding(pool, b"to-pool.")), 1, "goes to its upstream")
    t.same(one(address, "x@sub.b.example", b"to-named.").code, 250, "a subdomain")
    t.same(named.holding(b"to-named."), 1, "goes to a server that is looked up")
    t.same(one(address, "x@mapped.example", b"to-map.").code, 250, "a domain of the map")
    t.same(named.holding(b"to-map."), 1, "goes where the map says")
    held = net.send(address, "a@client.example", ["x@sub.b.example"],
                    b"Subject: hold\r\n\r\nto-release.\r\n")
    got = daemon.cli("quarantine", "release", held.text.split()[-1])
    t.ok(tap.until(lambda: named.holding(b"to-release.") == 1, 10),
         "what was held is released to the upstream of its route", held, got, daemon.log()[-1500:])
    got = answers(address, ["x@a.example", "y@sub.b.example", "z@a.example"])
    t.ok(got[0][:3] == "250" and got[1][:9] == "452 4.5.3" and got[2][:3] == "250",
         "recipients of another upstream come again", got)
    got = answers(address, ["x@one.lab.example", "x@two.lab.example"])
    t.ok(got[0][:3] == "250" and got[1][:9] == "452 4.5.3",
         "so do those of another domain, where MX decides", got)
    got = answers(address, ["x@one.lab.example", "x@a.example", "x@example.com"],
                  ehlo="XCLIENT ADDR=192.0.2.9")
    t.ok(got[0] == "554 5.7.1 Relay access denied" and got[1][:3] == "250",
         "a stranger is relayed to no third party", got)


def mail_hosts(t, daemon, port, sinks):
    address, hosts = daemon.listening()[2], daemon.dns.records
    for i, ip in enumerate(HOSTS):
        hosts["mx%d.lab.example" % i, "A"] = [ip]
    hosts.update({
        ("two.lab.example", "MX"): ["20 mx1.lab.example", "10 mx0.lab.example"],
        ("ties.lab.example", "MX"): ["5 mx0.lab.example", "5 mx1.lab.example", "5 mx2.lab.example"],
        ("away.lab.example", "MX"): ["10 mx4.lab.example", "20 mx1.lab.example"],
        ("direct.lab.example", "A"): [HOSTS[3]],
        ("none.lab.example", "MX"): ["0 ."],
        ("empty.lab.example", "MX"): ["10 nowhere.lab.example"], ("empty.lab.example", "TXT"): ["x"],
        ("fails.lab.example", "MX"): "servfail",
        ("silent.lab.example", "MX"): None,
        ("half.lab.example", "MX"): ["10 lost.lab.example", "20 mx2.lab.example"], ("lost.lab.example", "A"): "servfail",
        ("loops.lab.example", "MX"): ["10 us.lab.example", "20 mx1.lab.example"],
        ("worse.lab.example", "MX"): ["10 mx1.lab.example", "20 us.lab.example", "30 mx2.lab.example"],
        ("xn--bcher-kva.lab.example", "MX"): ["10 mx2.lab.example"],
        ("cares.lab.example", "MX"): ["10 mx5.lab.example"], ("mx5.lab.example", "AAAA"): ["::1"],
        ("mx5.lab.example", "A"): [HOSTS[0]],
    })

    def where(rcpt, mark):
        reply = one(address, rcpt, mark)
        return (reply.code, [i for i, s in enumerate(sinks) if s.holding(mark)])

    t.same(where("x@two.lab.example", b"mx-two."), (250, [0]), "the lowest preference first")
    t.same(where("x@direct.lab.example", b"mx-direct."), (250, [3]), "without MX, the domain's address")
    t.same(where("x@away.lab.example", b"mx-away."), (250, [1]), "a host that is away: the next")
    t.same(where("x@half.lab.example", b"mx-half."), (250, [2]), "one whose name fails: the next")
    t.same(where("x@worse.lab.example", b"mx-worse."), (250, [1]),
           "ourselves as a backup: those before us")
    t.same(where("x@[%s]" % HOSTS[2], b"mx-literal."), (250, [2]), "an address literal")
    t.same(where("x@cares.lab.example", b"mx-six."), (250, [0]), "an IPv6 address that is away: the IPv4")
    for i in range(30):
        one(address, "x@ties.lab.example", b"mx-ties.")
    shares = holding(sinks[:3], b"mx-ties.")
    t.ok(sum(shares) == 30 and min(shares) > 0, "equals share", shares)
    with net.Client(address) as c:
        c.cmd("EHLO client.example")
        c.cmd("MAIL FROM:<a@client.example> SMTPUTF8")
        got = c.cmd("RCPT TO:<x@b\u00fccher.lab.example>".encode())
        t.ok(got.code == 250, "a domain in letters is looked up in A-labels", got)
    with net.Client(address) as c:
        c.cmd("EHLO client.example")
        c.cmd("MAIL FROM:<a@client.example> BODY=8BITMIME")
        got = c.cmd("RCPT TO:<x@direct.lab.example>")
        t.ok(str(got).startswith("554 5.6.3"), "a host that takes no 8 bits says so for good", got)
    for rcpt, want in (("x@none.lab.example", "556 5.1.10"), ("x@nowhere.lab.example", "550 5.1.2"),
                       ("x@empty.lab.example", "550 5.4.4"), ("x@fails.lab.example", "451 4.4.3"),
                       ("x@silent.lab.example", "451 4.4.3"), ("x@loops.lab.example", "554 5.4.6")):
        got = answers(address, [rcpt])
        t.ok(got[0].startswith(want), "%s: %s" % (rcpt, want), got)
    hosts["smart.lab.example", "MX"] = ["10 mx2.lab.example"]
    reply = net.send(daemon.listening()[3], "a@client.example",
                     ["x@one.example", "y@two.example"], BODY % b"mx-smart.")
    t.same((reply.code, sinks[2].holding(b"mx-smart.")), (250, 1),
           "mx of a given domain, for all recipients")


def our_own_names(t, daemon, own, lonely, named):
    """A server whose name leads to the listener that it is the server of."""
    t.same((one(("127.0.0.1", own), "x@a.example", b"not-us.").code, named.holding(b"not-us.")),
           (250, 1), "a server that is ourselves, by name, is passed over")
    got = net.send(("127.0.0.1", lonely), "a@client.example", ["x@a.example"], BODY % b"never.")
    t.ok(str(got).startswith("451 4.4.1"), "where it is the only one, clients hear 451", got)
    t.ok(daemon.wait_log(r"level=error .*ev=resolve upstream=lonely server=us\.lab\.example:%d "
                         r"error=.*our own listener 127\.0\.0\.1:%d" % (lonely, lonely)),
         "and the log says why", daemon.log()[-1500:])


def named_in_log(t, daemon, pool, named, host, refusing):
    """Who took a mail, or refused it: in the log, and in history."""
    by_name = "mta.lab.example[%s]:%d" % named.address
    mx = "mx0.lab.example[%s]:%d" % host.address
    for sender, rcpt, event, upstream, servers in (
            ("one", "x@a.example", "message", "pool", [s.server for s in pool]),
            ("two", "x@sub.b.example", "message", "named", [by_name]),
            ("three", "x@one.lab.example", "message", "out", [mx]),
            ("four", "x@refused.lab.example", "refused", "refusing", [refusing.server]),
            ("five", "x@gone.lab.example", "refused", "gone", ["127.0.0.1:1"]),
            ("six", "x@sales.example.com", "message", "box", [""])):
        sender += "@client.example"
        net.send(daemon.listening()[1], sender, [rcpt], BODY % b"named.")
        line = r'id=(\S+) .*ev=%s .* from="<%s>" .* upstream=(\S+)(?: server=(\S+))?' % (event, sender)
        found = tap.until(lambda: re.search(line, daemon.log()), 10)
        t.ok(found and found.group(2) == upstream and (found.group(3) or "") in servers,
             "the log names who took it, or did not: " + upstream, found, daemon.log()[-1500:])
        row = tap.until(lambda: daemon.ask("history", **{"from": sender})["messages"], 10)[0]
        t.ok(row["upstream"] == upstream and row["server"] == (found.group(3) or ""),
             "so does history", row)
    done = daemon.cli("history", "--upstream", "named", "--server", "MTA.lab", "--from", "two@client.example")
    t.ok(" upstream=named server=%s x\n" % by_name in done.stdout, "which is asked by it", done.stdout)
    t.same(daemon.cli("history", "--upstream", "pool", "--server", "mta.lab").stdout, "",
           "and finds no other")
    done = daemon.cli("explain", row["id"])
    t.ok("\nupstream    box\n" in done.stdout, "explain: of an accept", done.stdout, done.stderr)
    net.send(daemon.listening()[1], "seven@client.example", ["x@sub.b.example"], b"Subject: hold\r\n\r\n.x\r\n")
    row = tap.until(lambda: daemon.ask("history", **{"from": "seven@client.example"})["messages"], 10)[0]
    done = daemon.cli("explain", row["id"])
    t.ok("\nupstream named %s\n" % by_name in done.stdout, "and of a mail that is held", done.stdout)
    denied = net.send(daemon.listening()[1], "eight@client.example", ["x@nowhere.lab.example"], BODY % b"-")
    found = tap.until(lambda: re.search(r'ev=refused .*"<eight@.*', daemon.log()), 10)
    t.ok(denied.code >= 500 and found and " server=" not in found.group(0),
         "where nobody was told, nobody is named", found)


def after_a_reload(t, daemon):
    """Servers are as they were, also at once, and those that the new file has."""
    which = "pool|drained|watched|gone|refusing"
    want = servers(daemon, which)
    seen, until = [], time.monotonic() + 3
    daemon.reload()
    while time.monotonic() < until:
        seen.append(servers(daemon, which))
    at = [[row[:2] for row in rows] for rows in seen]
    t.ok(len(at) > 10 and all(rows == [row[:2] for row in want] for rows in at),
         "no server is missing behind a reload", want, [rows for rows in seen if rows != want][:3])
    t.ok(not any(row[2:] == ("0", "0", "0") for rows in seen for row in rows), "or in no state")
    t.ok(tap.until(lambda: servers(daemon, which) == want, 10), "and they are as before", want,
         daemon.cli("status").stdout)


def test(t):
    port = net.free_port()
    a, b, c, w = [Sink(announce=("PIPELINING", "8BITMIME")) for _ in range(4)]
    sinks = [Sink(announce=("PIPELINING",) + ("8BITMIME", "SMTPUTF8") * (h != HOSTS[3]),
                  host=h, port=port) for h in HOSTS[:4]]
    named = Sink(host=HOSTS[4])
    for s in [a, b, c, w, named] + sinks:
        t.defer(s.close)
    refusing = Sink(script=lambda session, stage, line: b"550 5.1.1 no\r\n" if stage == "rcpt" else None)
    t.defer(refusing.close)
    own, lonely = net.free_port(), net.free_port()
    values = dict(own=own, lonely=lonely, refusing=refusing.server, box=t.path("postern", "maildir"), a=a.server, b=b.server, c=c.server, w=w.server, named=named.address[1], port=port)
    transport = t.write("transport", "@mapped.example named\nfast@one.lab.example pool\n")
    os.chmod(transport, 0o644)
    daemon = Postern(t, policy='rule h { when subject = "hold"; then quarantine; }',
                     upstream=UPSTREAMS % values, listen=LISTEN % values, start=False,
                     top="map transport = text:%s;\n" % transport, extra="map_check 300ms;")
    daemon.dns.records.update({
        ("us.lab.example", "A"): ["127.0.0.1"], ("mta.lab.example", "A"): [HOSTS[4]],
        ("one.lab.example", "MX"): ["10 mx0.lab.example"]})
    daemon.start()
    w.close()
    b = pools(t, daemon, a, b, c)
    t.ok(tap.until(lambda: servers(daemon, "watched") == [("watched", w.server, "0", "1", "0")], 10),
         "one that is watched is found to be away before there is mail", daemon.cli("status").stdout)
    after_a_reload(t, daemon)
    mail_hosts(t, daemon, port, sinks)
    routes(t, daemon, (a, b, c), named, sinks)
    our_own_names(t, daemon, own, lonely, named)
    named_in_log(t, daemon, (a, b, c), named, sinks[0], refusing)
    with open(transport, "w") as f:
        f.write("@mapped.example pool\n")
    t.ok(tap.until(lambda: one(daemon.listening()[1], "x@mapped.example", b"edited.").code == 250
                   and sum(holding((a, b, c), b"edited.")), 15, 0.3),
         "a map that was edited is followed", daemon.log()[-1500:])
    with open(transport, "w") as f:
        f.write("@mapped.example pol\n")
    t.ok(daemon.wait_log(r"ev=reload result=failed .*transport:1:1: route .* no upstream .*pol"),
         "one that names no upstream changes nothing", daemon.log()[-1500:])
    lines = re.findall(r"ev=\w+ upstream=watched .*", daemon.log())
    t.ok(sum("state=away" in line for line in lines) == daemon.status()["generation"] == len(lines),
         "a server that stays away is one line a worker, however often it is looked at", lines)
    again = Sink(port=w.address[1])
    t.defer(again.close)
    t.ok(daemon.wait_log(r"ev=server upstream=watched server=%s state=up away=\d+s" % re.escape(w.server), 40),
         "and one when it is back")


tap.run(test, 160)
