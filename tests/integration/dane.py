"""dane - TLS by what DNSSEC says of a next hop (RFC 7671, 7672), before one zone
that is signed and answers of every kind: records that fit, do not, or cannot be
used; their absence, proven or not; forged ones, errors and silence; CNAMEs on
either side; mail hosts by MX records that are signed, not signed or forged.
Nothing that was not proven to be absent makes a mail go in clear."""

import hashlib
import json
import os
import re
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import certs
import net
import tap
from dnssec import A, CNAME, MX, TLSA, Signed, address, mx, name
from nexthop import Fake
from postern import Postern, run

MAIL = b"Subject: %s\r\n\r\nx\r\n"
HERE = address("127.0.0.1")
WRONG = b"\3\1\1" + bytes(32)


class Case:
    """One server and its upstream. how: of the fake; code: 250, or the status; where: how the mail goes."""

    def __init__(self, host, how, code, where, by_name=False):
        self.host, self.how, self.code, self.where, self.by_name = host, how, code, where, by_name

    def listen(self, t, i, good):
        self.fake = Fake(t, self.how, good)
        self.port = self.fake.server.port
        server, option = ("%s:%d" % (self.host, self.port), "") if self.by_name else \
            (self.fake.address, "name %s" % self.host)
        return "upstream d%d { server %s; identity none; reuse no; connect_timeout 9s; tls dane %s; }\n" % (
            i, server, option)

    def tlsa(self, owner=None):
        return "_%d._tcp.%s" % (self.port, owner or self.host)


def by_server(t, ca):
    good, other = ca.issue("dane", "mx.dane.example"), ca.issue("old", "alias-ta.dane.example")
    zone = Signed(t, "dane.example")
    zone.insecure.add("below.dane.example")
    key, cert = bytes.fromhex(good.key_sha256), bytes.fromhex(good.sha256.replace(":", ""))
    authority = b"\2\0\1" + hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca.pem)).digest()
    right = b"\3\1\1" + key
    long = b"\3\0\0" + bytes(3000)
    records = {      # TLSA of a host
        "ee-key": [right], "ee-cert": [WRONG, b"\3\0\1" + cert], "mx": [authority], "ta-name": [authority],
        "wrong": [WRONG], "clear": [right], "refuse": [right], "break": [right], "unusable": [b"\1\1\1" + key],
        "unusable-clear": [b"\3\1\11" + key], "long": [long, right], "long-clear": [b"\3\0\0" + bytes(3500)],
        "forged": [right], "stripped": [right], "broken": [right], "silent": [right], "address-broken": [right],
        "alias-own": [right], "alias-bad": [right], "into-clear": [right], "into-wrong": [WRONG], "alias-ta": [right],
        "real-bad": [WRONG], "real-ta": [authority],
        "a.below": [WRONG], "plain": [right],
    }
    cases = [Case(h + ".dane.example", *how) for h, *how in (
        ("ee-key", "ok", "250", "tls"), ("ee-cert", "ok", "250", "tls"),
        ("mx", "chain", "250", "tls"), ("ta-name", "chain", "4.7.5", None),
        ("wrong", "ok", "4.7.5", None), ("clear", "none", "4.7.4", None),
        ("refuse", "refuse", "4.7.4", None), ("break", "break", "4.7.5", None),
        ("unusable", "ok", "250", "tls"), ("unusable-clear", "none", "4.7.4", None),
        ("long", "ok", "250", "tls"), ("long-clear", "none", "4.7.4", None),
        # Answers that are none.
        ("forged", "ok", "4.7.5", None), ("stripped", "none", "4.7.5", None),
        ("broken", "none", "4.7.5", None), ("silent", "none", "4.7.5", None),
        ("address-broken", "none", "4.7.5", None), ("denied-by-none", "none", "4.7.5", None),
        # It is proven that there is none, or that nobody signs here.
        ("nsec", "none", "250", "clear"), ("nsec3", "none", "250", "clear"), ("nxdomain", "none", "250", "clear"),
        ("nsec-tls", "ok", "250", "tls"), ("a.below", "none", "250", "clear"))]
    cases += [Case("unsigned.example", "ok", "250", "tls"), Case("nothing.example", "none", "250", "clear")]
    # The server's name is an alias: the records of what it stands for, then its own.
    cases += [Case(h, *how, by_name=True) for h, *how in (
        ("plain.dane.example", "ok", "250", "tls"),
        ("alias.dane.example", "ok", "250", "tls"), ("alias-own.dane.example", "ok", "250", "tls"),
        ("alias-bad.dane.example", "ok", "4.7.5", None), ("alias-ta.dane.example", "other", "250", "tls"),
        ("alias-none.dane.example", "none", "250", "clear"), ("alias-forged.dane.example", "ok", "4.7.5", None),
        ("into-clear.dane.example", "none", "4.7.4", None), ("into-wrong.dane.example", "ok", "4.7.5", None),
        ("into-broken.dane.example", "none", "4.7.5", None), ("from.example", "none", "250", "clear"),
        # The records' name is one.
        ("shared.dane.example", "ok", "250", "tls"), ("shared-bad.dane.example", "ok", "4.7.5", None),
        ("shared-forged.dane.example", "ok", "4.7.5", None), ("shared-far.dane.example", "none", "250", "clear"),
        ("shared-none.dane.example", "none", "250", "clear"))]
    chain = certs.Certificate(t.write("chain.pem", good.pem + ca.pem), good.key)
    old = certs.Certificate(t.write("old.pem", other.pem + ca.pem), other.key)
    listen, ups = "", ""
    for i, c in enumerate(cases):
        shown = {"chain": chain, "other": old}.get(c.how, good)
        c.how = "ok" if shown is not good else c.how
        ups += c.listen(t, i, shown)
        listen += "listen smtp 127.0.0.1:0 { upstream d%d; }\n" % i
        short = c.host.replace(".dane.example", "")
        if short in records:
            zone.records[c.tlsa(), TLSA] = records[short]
        if c.by_name:
            zone.records[c.host, A] = [HERE]
    at = {c.host.replace(".dane.example", ""): c for c in cases}

    def alias(short, target, owner=None):
        zone.records.pop((owner or at[short].host, A), None)
        zone.records[owner or at[short].host, CNAME] = [name(target)]

    zone.records["unsigned.example", A] = zone.records["a.below.dane.example", A] = [HERE]
    zone.records[at["unsigned.example"].tlsa(), TLSA] = [WRONG]
    zone.forged.add((at["forged"].tlsa(), TLSA))
    zone.stripped |= {(at["stripped"].tlsa(), TLSA), (at["denied-by-none"].tlsa(), TLSA)}
    zone.broken |= {(at["broken"].tlsa(), TLSA), (at["address-broken"].host, A), (at["into-broken"].tlsa(), TLSA)}
    zone.silent |= {(at["silent"].tlsa(), TLSA)}
    zone.nsec3 |= {at["nsec3"].host, at["nsec3"].tlsa()}
    zone.nxdomain.add(at["nxdomain"].host)

    for host in ("real", "real-bad", "real-ta", "real-none"):
        zone.records[host + ".dane.example", A] = [HERE]
    zone.records["far.example", A] = [HERE]
    alias("alias", "between.dane.example")
    alias("", "real.dane.example", "between.dane.example")
    zone.records[at["alias"].tlsa("real.dane.example"), TLSA] = [right]
    zone.records[at["alias"].tlsa(), TLSA] = [WRONG]
    alias("alias-own", "real-none.dane.example")
    alias("alias-bad", "real-bad.dane.example")
    zone.records[at["alias-bad"].tlsa("real-bad.dane.example"), TLSA] = [WRONG]
    alias("alias-ta", "real-ta.dane.example")
    zone.records[at["alias-ta"].tlsa("real-ta.dane.example"), TLSA] = [authority]
    alias("alias-none", "real-none.dane.example")
    alias("alias-forged", "real.dane.example")
    zone.forged.add(("alias-forged.dane.example", CNAME))
    for short in ("into-clear", "into-wrong", "into-broken"):
        alias(short, "far.example")
    alias("from.example", "real.dane.example")
    zone.records[at["from.example"].tlsa("real.dane.example"), TLSA] = [WRONG]

    for short, shared in (("shared", [right]), ("shared-bad", [WRONG]), ("shared-forged", [right])):
        zone.records[short + ".set.dane.example", TLSA] = shared
        alias("", short + ".set.dane.example", at[short].tlsa())
    zone.forged.add((at["shared-forged"].tlsa(), CNAME))
    zone.records["_dane.far.example", TLSA] = [WRONG]
    alias("", "_dane.far.example", at["shared-far"].tlsa())
    alias("", "gone.dane.example", at["shared-none"].tlsa())

    daemon = Postern(t, listen=listen, upstream=ups, name="dane", start=False, log_level="debug",
                     extra="trust_anchor %s;" % t.write("anchor.key", "; ours\n" + zone.anchor))
    # One answer is signed after the other, in Python, for all of them at once.
    daemon.configure(None, dns=zone.port, dns_timeout="10s")
    daemon.start()
    for c, listener in zip(cases, daemon.listening()):
        reply = net.send(listener, "a@b.example", ["ada@example.com"], MAIL % b"dane")
        log = "\n".join(l for l in daemon.log().split("\n") if ":%d" % c.port in l)
        # "4.4.1" where a probe found out before, and it took its time: that is no mail's status.
        told = "status=" + c.code in log or ("4.4.1" in repr(reply) and "ev=tls " in log and "result=failed" in log)
        t.ok(repr(reply).startswith("250" if c.where else "451 4.") and (c.where or told),
             "%s: %s" % (c.host, c.code), reply, log[-1500:])
        t.same((c.fake.mails(False), c.fake.mails(True)), (int(c.where == "clear"), int(c.where == "tls")),
               "... and the mail goes %s" % (c.where or "nowhere"), c.fake.heard)
    t.same(set(at["alias"].fake.asked_for), {"real.dane.example"}, "an alias is asked for by the name of the records")
    t.same(set(at["alias-own"].fake.asked_for), {"alias-own.dane.example"}, "... which may be its own")
    asked = [n for n, k in zone.asked if k == TLSA and "._tcp." in n and (
        ".below." in n or not n.endswith(".dane.example"))]
    t.same(asked, [], "where nobody signs, nobody is asked for TLSA")

    doctor(t, daemon, at)


def doctor(t, daemon, at):
    """What postern doctor says of some: it asks, and compares, as the worker did."""
    want = (        # a case; of its records; of its certificate
        ("ee-key", "ok", r"ee-key\S* has 1 TLSA record, validated: 3 1 1 [0-9a-f]{16}\.\.\.$", "ok", "as its TLSA"),
        ("ee-cert", "ok", r"has 2 TLSA records, validated: .*3 0 1 ", "ok", "as its TLSA"),
        ("mx", "ok", "validated: 2 0 1 ", "ok", "as its TLSA"),
        ("ta-name", "ok", "validated: 2 0 1 ", "fail", "451 4.7.5"),
        ("wrong", "ok", "validated: 3 1 1 0{16}", "fail", "451 4.7.5 .*or its TLSA records"),
        ("clear", "ok", "validated: 3 1 1", "fail", "no STARTTLS: mail gets 451 4.7.4"),
        ("unusable", "warn", r"validated: 1 1 1 \S+ \(not usable\): whoever", "ok", "nothing is verified"),
        ("forged", "fail", "cannot be known, or the answer is forged", None, None),
        ("nsec", "warn", "has no TLSA record, validated", "ok", "in clear"),
        ("nsec-tls", "warn", "has no TLSA record, validated", "ok", "nothing is verified"),
        ("a.below", "warn", "nobody signed", "ok", "in clear"),
        ("alias", "ok", r"^real\.dane\.example has 1 TLSA", "ok", "as its TLSA"),
        ("alias-own", "ok", r"^alias-own\.dane\.example has 1 TLSA", "ok", "as its TLSA"),
        ("into-wrong", "ok", r"^into-wrong\.dane\.example has 1 TLSA", "fail", "451 4.7.5"),
        ("from.example", "warn", "nobody signed", "ok", "in clear"))
    text = re.sub(r"^(listen|upstream) .*\n", "", open(daemon.conf).read(), flags=re.M)
    text += "".join("upstream %s { server %s; identity none; tls dane name %s; }\n" % (
        short.replace(".", "-"), at[short].fake.address, at[short].host) for short, *_ in want)
    done = run(("-c", t.write("doctor.conf", text), "doctor", "--json"))
    got = {c["check"]: (c["result"], c["found"] + " " + c["advice"]) for c in json.loads(done.stdout or "{}")["checks"]}
    for short, result, said, tls, so in want:
        of = short.replace(".", "-")
        found = got.get("dane " + of, ("", ""))
        t.ok(found[0] == result and re.search(said, found[1].rstrip()), "doctor: %s: its records" % short, found)
        found = got.get("tls " + of, (None, ""))
        t.ok(found[0] == tls and (tls is None or re.search(so, found[1])), "doctor: %s: %s" % (short, so), found)


def by_mx(t, ca):
    """Whose MX records are signed, is bound to what they name; and their domain may stand in the certificate."""
    zone = Signed(t, "dane.example")
    authority = b"\2\0\1" + hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca.pem)).digest()
    port = net.free_port()
    hosts = {}      # name: the fake

    def host(label, how, bears, tlsa, unsigned=False):
        full = label + (".example" if unsigned else ".dane.example")
        ip = "127.0.1.%d" % (len(hosts) + 1)
        own = ca.issue(label, bears)
        hosts[label] = Fake(t, how, certs.Certificate(t.write(label + ".pem", own.pem + ca.pem), own.key), ip, port)
        zone.records[full, A] = [address(ip)]
        if tlsa:
            zone.records["_%d._tcp.%s" % (port, full), TLSA] = tlsa
        return full

    by_domain = host("by-domain", "ok", "one.dane.example", [authority])
    by_alias = host("by-alias", "ok", "other.dane.example", [authority])
    by_far = host("by-far", "ok", "far.example", [authority])
    nobody = host("nobody", "ok", "nobody.example", [authority])
    clear = host("clear", "none", "clear.dane.example", [authority])
    without = host("without", "none", "without.dane.example", [])
    wrong = host("wrong", "ok", "wrong.dane.example", [WRONG])
    broken = host("broken", "ok", "broken.dane.example", [authority])
    last = host("last", "ok", "last.dane.example", [authority])
    host("itself", "ok", "itself.dane.example", [authority])
    outside = host("outside", "none", "outside.example", [WRONG], unsigned=True)
    zone.broken.add(("_%d._tcp.%s" % (port, broken), TLSA))
    zone.records.update({
        ("one.dane.example", MX): [mx(10, by_domain)],
        ("alias.dane.example", CNAME): [name("one.dane.example")],
        ("other.dane.example", CNAME): [name("two.dane.example")],
        ("two.dane.example", MX): [mx(10, by_alias)],
        ("nobody.dane.example", MX): [mx(10, nobody)],
        ("clear.example", MX): [mx(10, clear)],
        ("far.example", MX): [mx(10, by_far)],
        ("near.example", CNAME): [name("far.example")],
        ("without.dane.example", MX): [mx(10, without)],
        ("outside.dane.example", MX): [mx(10, outside)],
        ("forged.dane.example", MX): [mx(10, without)],
        ("forged-host.dane.example", MX): [mx(10, "lost.dane.example")],
        ("lost.dane.example", A): [address("127.0.1.1")],
        ("second.dane.example", MX): [mx(10, wrong), mx(15, broken), mx(20, last)],
    })
    zone.forged |= {("forged.dane.example", MX), ("lost.dane.example", A)}
    cases = (       # domain, what the client hears, which host has it, how
        ("one.dane.example", "250", "by-domain", "tls"),
        ("alias.dane.example", "250", "by-domain", "tls"),       # the certificate has the canonical name
        ("other.dane.example", "250", "by-alias", "tls"),        # ... the one that was looked up
        ("nobody.dane.example", "451 4.7.5", None, None),
        ("clear.example", "451 4.7.4", None, None),              # nobody signed that it is its mail host
        ("far.example", "250", "by-far", "tls"),
        ("near.example", "451 4.7.5", None, None),               # nor what it is an alias of
        ("without.dane.example", "250", "without", "clear"),
        ("outside.dane.example", "250", "outside", "clear"),
        ("[127.0.1.5]", "250", "clear", "clear"),                # a literal has no records
        ("itself.dane.example", "250", "itself", "tls"),         # no MX
        ("second.dane.example", "250", "last", "tls"),           # the others are as if they were away
        ("forged.dane.example", "451 4.4.3", None, None),
        ("forged-host.dane.example", "451 4.4.3", None, None),
    )
    daemon = Postern(t, upstream="upstream up { mx port %d; connect_timeout 9s; tls dane; }" % port, name="mx",
                     start=False, log_level="debug", extra="log_style both; trust_anchor %s;" % t.write(
                         "anchor-mx.key", zone.anchor))
    # One answer is signed after the other, in Python, for all of them at once.
    daemon.configure(None, dns=zone.port, dns_timeout="10s")
    daemon.start()
    seen = {label: (0, 0) for label in hosts}
    for domain, code, label, how in cases:
        reply = net.send(daemon.address, "a@b.example", ["ada@" + domain], MAIL % b"mx")
        t.ok(repr(reply).startswith(code), "mx of %s: %s" % (domain, code), reply, daemon.log()[-1500:])
        if label:
            seen[label] = (seen[label][0] + (how == "clear"), seen[label][1] + (how == "tls"))
        t.same({k: (f.mails(False), f.mails(True)) for k, f in hosts.items()}, seen,
               "... and the mail goes to %s, %s" % (label, how))
    log = daemon.log()
    t.ok(re.search(r"Verified TLS connection established to by-domain\.dane", log), "who is verified is called so")
    t.ok(re.search(r"Trusted TLS connection established to by-far\.dane", log) and
         not re.search(r"Verified TLS connection established to by-far", log),
         "... but not where anybody may have named it", log[-1500:])
    before = hosts["by-domain"].connections
    for _ in range(2):
        t.same(net.send(daemon.address, "a@b.example", ["ada@one.dane.example"], MAIL % b"mx").code, 250, "once more")
    t.same(hosts["by-domain"].connections - before, 2, "what DNSSEC said of a host is asked for each connection")
    doctor_by_mx(t, daemon, port)


def doctor_by_mx(t, daemon, port):
    """What postern doctor says of mail hosts: the MX itself, its host's records, its certificate."""
    want = (        # a domain; of its MX; of the records; of the certificate
        ("one.dane.example", None, r"^by-domain\S+ has 1 TLSA", ("ok", "as its TLSA")),
        ("alias.dane.example", None, r"^by-domain\S+ has 1 TLSA", ("ok", "as its TLSA")),
        ("other.dane.example", None, r"^by-alias\S+ has 1 TLSA", ("ok", "as its TLSA")),
        ("nobody.dane.example", None, r"^nobody\S+ has 1 TLSA", ("fail", "451 4.7.5")),
        ("far.example", "anybody may", r"^by-far\S+ has 1 TLSA", ("ok", "as its TLSA")),
        ("near.example", "anybody may", r"^by-far\S+ has 1 TLSA", ("fail", "451 4.7.5")),
        ("itself.dane.example", None, r"^itself\S+ has 1 TLSA", ("ok", "as its TLSA")),
        ("forged.dane.example", "451 4.4.3", None, None),
        ("forged-host.dane.example", "451 4.4.3", None, None))
    text = re.sub(r"^(listen|upstream) .*\n", "", open(daemon.conf).read(), flags=re.M)
    text += "".join("upstream %s { mx %s port %d; tls dane; }\n" % (d.split(".")[0], d, port) for d, *_ in want)
    done = run(("-c", t.write("doctor-mx.conf", text), "doctor", "--json"))
    checks = json.loads(done.stdout or '{"checks": []}')["checks"]
    for domain, of_mx, records, tls in want:
        short = domain.split(".")[0]
        said = {k: [(c["result"], c["found"]) for c in checks if c["check"] == k + " " + short]
                for k in ("upstream", "dane", "tls")}
        t.ok(any(of_mx in found for r, found in said["upstream"] if r != "ok") if of_mx
             else [r for r, _ in said["upstream"]] == ["ok"], "doctor: mx of %s" % domain, said)
        t.ok(len(said["dane"]) == 1 and re.search(records, said["dane"][0][1]) if records else not said["dane"],
             "doctor: ... its host's records", said)
        t.ok(len(said["tls"]) == 1 and said["tls"][0][0] == tls[0] and tls[1] in said["tls"][0][1] if tls
             else not said["tls"], "doctor: ... its certificate", said)


def test(t):
    ca = certs.Authority(t)
    by_server(t, ca)
    by_mx(t, ca)


tap.run(test, 120)
