"""reuse_mx - a connection to a mail host serves what MX leads there, and nothing else.

Kept for a minute here, so that each mail after the first could have it: one for
the same domain has, and one for another whose MX names the same host. None has
it whose MX names another host, if at the same address, nor once the MX says
so; nor one of an upstream with another port or other TLS. What was refused
once, or ended meanwhile, is left alone, and loses no mail.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import certs
import net
import nexthop
import tap
from postern import Postern
from sink import DIE, Sink

A, B = "127.0.0.31", "127.0.0.32"
KEEP = "keep 20 idle 1m;"
BODY = b"Subject: x\r\n\r\n%s\r\n"


class Host(Sink):
    def mails(self):
        """Of each connection that had some."""
        return [n for n in (sum(x[:4] == b"MAIL" for x in s.lines) for s in self.sessions) if n]


def hosts(t):
    """Whom MX leads to, and how that changes."""
    port, bend = net.free_port(), {}
    a, b, second = [Host(host=ip, port=at, script=lambda s, stage, line: bend.get(stage, lambda s: None)(s))
                    for ip, at in ((A, port), (B, port), (A, net.free_port()))]
    for s in (a, b, second):
        t.defer(s.close)
    daemon = Postern(t, start=False, name="hosts", listen="""
listen smtp 127.0.0.1:0 { upstream out; }
listen smtp 127.0.0.1:0 { upstream again; }
listen smtp 127.0.0.1:0 { upstream other; }
listen smtp 127.0.0.1:0 { upstream never; }""", upstream="""
upstream out { mx port %d; %s }
upstream again { mx port %d; %s }
upstream other { mx port %d; %s }
upstream never { mx port %d; reuse no; }""" % (port, KEEP, port, KEEP, second.address[1], KEEP, port))
    records = daemon.dns.records
    daemon.dns.ttl = 0      # asked for each mail
    records.update({
        ("one.lab.example", "MX"): ["10 mx-a.lab.example"], ("two.lab.example", "MX"): ["10 mx-a.lab.example"],
        ("alias.lab.example", "MX"): ["10 mx-alias.lab.example"],
        ("mx-a.lab.example", "A"): [A], ("mx-b.lab.example", "A"): [B], ("mx-alias.lab.example", "A"): [A]})
    daemon.start()

    def send(domain, listener=0, code=250, helo="client.example"):
        with net.Client(daemon.listening()[listener], helo=helo) as c:
            reply = c.mail("a@client.example", ["b@" + domain], BODY % domain.encode())
            c.quit()
        t.same(reply.code, code, "a mail for %s: %d" % (domain, code), reply, daemon.log()[-1500:])

    for _ in range(3):
        send("one.lab.example")
    t.same((a.mails(), b.mails()), ([3], []), "one connection for all of a domain's mail")
    send("two.lab.example")
    t.same(a.mails(), [4], "another domain's, whose mail host it is")
    send("one.lab.example", helo="other.example")
    t.same((a.mails(), [x for x in a.sessions[0].lines if x[:4] == b"EHLO"]),
           ([5], [b"EHLO postern.example"]), "another client's: who we are is all it was told")
    send("alias.lab.example")
    t.same(a.mails(), [5, 1], "but not another host at the same address")
    send("one.lab.example", listener=1)
    t.same(a.mails(), [5, 1, 1], "nor what another upstream keeps")
    send("one.lab.example", listener=2)
    t.same((a.mails(), second.mails()), ([5, 1, 1], [1]), "nor at another port")
    for _ in range(2):
        send("one.lab.example", listener=3)
    t.same(a.mails(), [5, 1, 1, 1, 1], "nor with `reuse no`")

    records["one.lab.example", "MX"] = ["10 mx-b.lab.example"]
    send("one.lab.example")
    t.same((a.mails(), b.mails()), ([5, 1, 1, 1, 1], [1]), "once the MX names another, mail goes there")
    records["one.lab.example", "MX"] = ["10 mx-a.lab.example", "20 mx-b.lab.example"]
    send("one.lab.example")
    t.same((a.mails(), b.mails()), ([6, 1, 1, 1, 1], [1]), "the best host, though one to another is kept")
    records["fails.lab.example", "MX"] = "servfail"
    send("fails.lab.example", code=451)
    t.same(a.mails(), [6, 1, 1, 1, 1], "who cannot be known is nobody, whatever is kept")
    records["one.lab.example", "MX"] = ["0 ."]
    send("one.lab.example", code=556)
    t.same(a.mails(), [6, 1, 1, 1, 1], "nor where nobody takes mail now")

    records["one.lab.example", "MX"] = ["10 mx-a.lab.example"]
    bend["rcpt"] = lambda s: b"450 4.2.0 later\r\n"
    send("one.lab.example", code=450)
    del bend["rcpt"]
    t.same(a.mails(), [7, 1, 1, 1, 1], "what is refused comes by a kept one, too")
    send("one.lab.example")
    t.same(a.mails(), [7, 1, 1, 1, 1, 1], "which is left alone afterwards")
    a.sessions[-1].sock.shutdown(2)
    send("one.lab.example")
    t.same(a.mails(), [7, 1, 1, 1, 1, 1, 1], "one that ended meanwhile loses no mail")
    old = a.sessions[-1]
    bend["mail"] = lambda s: DIE if s is old else None
    send("one.lab.example")
    t.same(a.mails(), [7, 1, 1, 1, 1, 1, 2, 1], "nor one that ends at MAIL")
    with net.Client(daemon.listening()[0], helo="client.example") as c:
        for domain in ("one.lab.example", "two.lab.example", "alias.lab.example"):
            t.same(c.mail("a@client.example", ["b@" + domain], BODY % b"session").code, 250, "in one session")
    t.same(a.mails(), [7, 2, 1, 1, 1, 1, 2, 3], "... by what is each one's")


def secure(t):
    """Under TLS it is the same connection, with the same peer."""
    ca = certs.Authority(t)
    port = net.free_port()
    good = nexthop.Fake(t, "ok", ca.issue("good", "mx-a.lab.example"), A, port)
    wrong = nexthop.Fake(t, "ok", ca.issue("wrong", "mx-c.lab.example"), B, port)
    daemon = Postern(t, start=False, name="secure", listen="""
listen smtp 127.0.0.1:0 { upstream clear; }
listen smtp 127.0.0.1:0 { upstream may; }
listen smtp 127.0.0.1:0 { upstream verify; }""", upstream="""
upstream clear { mx port %d; %s }
upstream may { mx port %d; tls may; %s }
upstream verify { mx port %d; tls verify ca %s; %s }""" % (port, KEEP, port, KEEP, port, ca.cert, KEEP))
    daemon.dns.records.update({
        ("one.lab.example", "MX"): ["10 mx-a.lab.example"], ("two.lab.example", "MX"): ["10 mx-a.lab.example"],
        ("wrong.lab.example", "MX"): ["10 mx-b.lab.example"],
        ("mx-a.lab.example", "A"): [A], ("mx-b.lab.example", "A"): [B]})
    daemon.start()

    def send(listener, domain):
        return net.send(daemon.listening()[listener], "a@client.example", ["b@" + domain], BODY % b"x").code

    for listener, counts in ((0, (2, 0, 1)), (1, (2, 2, 2)), (2, (2, 4, 3))):
        got = [send(listener, "one.lab.example"), send(listener, "two.lab.example")]
        t.same((got, (good.mails(False), good.mails(True), good.connections)), ([250, 250], counts),
               "each level of TLS has its own", daemon.log()[-1500:])
    t.same([send(1, "wrong.lab.example"), send(2, "wrong.lab.example")], [250, 451],
           "what one level takes, another does not", daemon.log()[-1500:])
    t.same((wrong.mails(False), wrong.mails(True)), (0, 1), "and gets no mail by the first's connection")


def test(t):
    hosts(t)
    secure(t)


tap.run(test, 120)
