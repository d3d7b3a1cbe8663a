"""doctor_hosts - postern doctor looks servers and mail hosts up as a worker does.

Names that the configured name server alone knows: a server at each of its
addresses, and what the MX records of a domain lead to, with every way in which
they lead to nobody.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern, run
from sink import KEYWORDS, XCLIENT, Sink

A, B, AWAY = "127.0.0.21", "127.0.0.22", "127.0.0.23"

LISTEN = """
listen smtp 127.0.0.1:%(own)d { upstream out; }
listen smtp 127.0.0.1:0 { route ways; identity from 127.0.0.1 xclient; }
"""
UPSTREAMS = """
upstream named { server mta.lab.example:%(port)d; identity xclient; }
upstream lost { server lost.lab.example:%(port)d; identity xclient; }
upstream deaf { server deaf.lab.example:%(port)d; identity xclient; }
upstream out { mx port %(port)d; }
upstream free { mx port %(port)d; }
upstream wrapped { mx one.lab.example port %(port)d; tls verify; }
route ways { default free; one.lab.example named; }
"""
HOSTS = {
    ("mta.lab.example", "A"): [A, AWAY],
    ("mx-a.lab.example", "A"): [A], ("mx-b.lab.example", "A"): [B], ("mx-away.lab.example", "A"): [AWAY],
    ("us.lab.example", "A"): ["127.0.0.1"], ("lost.lab.example", "A"): "servfail",
    ("one.lab.example", "MX"): ["20 mx-b.lab.example", "10 mx-a.lab.example"],
    ("away.lab.example", "MX"): ["10 mx-away.lab.example", "20 mx-b.lab.example"],
    ("gone.lab.example", "MX"): ["10 mx-away.lab.example"],
    ("direct.lab.example", "A"): [B],
    ("none.lab.example", "MX"): ["0 ."],
    ("empty.lab.example", "MX"): ["10 nowhere.lab.example"], ("empty.lab.example", "TXT"): ["x"],
    ("fails.lab.example", "MX"): "servfail",
    ("loops.lab.example", "MX"): ["10 us.lab.example", "20 mx-b.lab.example"],
    ("backup.lab.example", "MX"): ["10 mx-a.lab.example", "20 us.lab.example", "30 mx-b.lab.example"],
}


def test(t):
    port = net.free_port()
    sinks = [Sink(announce=KEYWORDS + (XCLIENT,), host=ip, port=port) for ip in (A, B)]
    for s in sinks:
        t.defer(s.close)
    values = dict(port=port, own=port)
    daemon = Postern(t, start=False, listen=LISTEN % values, upstream=UPSTREAMS % values)
    daemon.dns.records.update(HOSTS)
    text = open(daemon.conf).read()

    def ask(relay, upstreams=""):
        """The findings of each upstream, and which sinks were dialled meanwhile."""
        before = [len(s.sessions) for s in sinks]
        conf = text.replace("relay_domains example.com sales.example.com;",
                            "relay_domains %s;" % relay) + upstreams
        done = run(("-c", t.write("doctor.conf", conf), "doctor", "--json"))
        found = {}
        for c in json.loads(done.stdout or '{"checks": []}')["checks"]:
            found.setdefault(c["check"], []).append((c["result"], c["found"]))
        return found, [len(s.sessions) > n for s, n in zip(sinks, before)]

    got, _ = ask("a.lab.example")
    at = "mta.lab.example[%s]:%d"
    t.ok([r for r, _ in got["upstream named"]] == ["ok", "warn"]
         and got["upstream named"][0][1].startswith(at % (A, port))
         and got["upstream named"][1][1] == at % (AWAY, port) + ": Connection refused",
         "a name that the configured resolver knows, at each address", got["upstream named"])
    t.same(got["upstream lost"], [("fail", "lost.lab.example:%d has no address: the resolver (`dns`) "
                                           "has no answer" % port)], "a name that fails")
    t.same(got["upstream deaf"], [("fail", "deaf.lab.example:%d has no address: no such name, or "
                                           "none for it" % port)], "one that there is not")
    t.same([r for r, _ in got["tls wrapped"]], ["fail", "fail"], "TLS as its upstream has it, at both hosts")
    t.ok(sorted(f.split(":")[0] for _, f in got["tls wrapped"]) == sorted(
        "mx-%s.lab.example[%s]" % pair for pair in (("a", A), ("b", B))), "... by name", got["tls wrapped"])
    t.same(got["upstream free"], [("ok", "mail goes to the mail hosts of any domain: none is dialled")],
           "whose domains nobody knows")

    def said(domain):
        got, dialled = ask(domain, "upstream by { mx %s port %d; }\n" % (domain, port))
        return got["upstream by"], got["upstream out"], dialled

    for domain, want in (
            ("one", [("ok", A), ("ok", B)]), ("direct", [("ok", B)]), ("backup", [("ok", A)]),
            ("away", [("ok", B), ("warn", AWAY)]), ("gone", [("fail", AWAY)]),
            ("none", [("fail", "556 5.1.10")]), ("nowhere", [("fail", "550 5.1.2")]),
            ("empty", [("fail", "550 5.4.4")]), ("fails", [("fail", "451 4.4.3")]),
            ("loops", [("fail", "554 5.4.6")])):
        given, relayed, dialled = said(domain + ".lab.example")
        t.ok([r for r, _ in given] == [r for r, _ in want]
             and all(word in found for (_, found), (_, word) in zip(given, want)),
             "the mail hosts of %s.lab.example" % domain, given)
        t.same(relayed, given, "... and where relay_domains lead there")
    t.ok(not any(line.startswith(b"MAIL") for s in sinks for session in s.sessions for line in session.lines),
         "without mail")
    got, _ = ask("one.lab.example direct.lab.example backup.lab.example away.lab.example gone.lab.example")
    t.ok(got["upstream out"][-1] == ("ok", "2 more of relay_domains are not looked up")
         and len(got["upstream out"]) == 5, "three domains are enough", got["upstream out"])


tap.run(test, 120)
