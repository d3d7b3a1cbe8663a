"""doctor - postern doctor finds what is wrong, and nothing where all is well."""

import json
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import dns
import net
import tap
from milterd import Milterd
from postern import Postern, build, run
from sink import KEYWORDS, XCLIENT, Sink


class Lists(dns.Dns):
    """A name server with three lists: a good one, one of everybody, one that is deaf."""

    wild = False

    def _host(self, name, kind):
        if kind == 1 and (self.wild or name in (
                "2.0.0.127.bl.good.example", "1.0.0.127.bl.everybody.example",
                "2.0.0.127.bl.everybody.example")):
            return socket.inet_aton("127.0.0.2")
        return super()._host(name, kind)


def findings(done):
    return {c["check"]: (c["result"], c["found"] + " " + c["advice"])
            for c in json.loads(done.stdout)["checks"]}


def test(t):
    names = Lists({"127.0.0.9": "postern.example"})
    t.defer(names.close)
    sink, plain = Sink(), Sink(announce=KEYWORDS)
    liar = Sink(announce=KEYWORDS + (XCLIENT,),
                script=lambda s, stage, line: b"550 5.7.0 no\r\n" if stage == "xclient" else None)
    for s in (sink, plain, liar):
        t.defer(s.close)
    milter = "unix:" + t.path("postern/milter")
    other = Milterd(t)
    daemon = Postern(t, upstream="server %s; identity xclient;" % sink.server, listen="""
listen smtp 127.0.0.1:0 { upstream up; }
listen milter %s { group postfix; }""" % milter, policy="""
rule r { when dnsbl("bl.good.example"); then tag; }""", top="""
milter ours { server %s; }
module dnsbl %s { zone bl.good.example; }
""" % (other.server, os.path.join(build(), ".libs/dnsbl.so")))
    good = open(daemon.conf).read().replace("dns 127.0.0.1:%d" % daemon.dns.port,
                                            "dns 127.0.0.1:%d" % names.port).replace(
        "dns_timeout 2s", "dns_timeout 20s")

    os.chmod(os.path.join(daemon.dir, "spool"), 0o700)

    def ask(text, *words):
        return run(("-c", t.write("postern/doctor.conf", text), "doctor") + words)

    done = ask(good, "--json")
    got = findings(done)
    bad = {what: f for what, f in got.items() if f[0] != "ok" and what != "clock"}
    t.ok(done.returncode == 0 and not bad, "nothing is wrong where nothing is", bad, done.stderr)
    t.same({"policy", "listen", "daemon", "mynetworks", "relay_domains", "spool", "state", "log",
            "clock", "resolver", "hostname", "list bl.good.example", "upstream up",
            "milter " + milter, "milter ours"} - set(got),
           set(), "all of it is looked at")
    t.ok("sees the client's address" in got["upstream up"][1]
         and any(b"XCLIENT ADDR=192.0.2.1" in line for s in sink.sessions for line in s.lines),
         "the next hop was asked", got["upstream up"])
    t.ok("protocol 6" in got["milter " + milter][1], "the milter listener, too",
         got["milter " + milter])
    t.ok("protocol 6" in got["milter ours"][1], "and one of others", got["milter ours"])
    t.ok(all("MAIL" not in str(line) for s in sink.sessions for line in s.lines), "without mail")

    log = t.path("second.log")
    done = run(("-c", t.write("postern/second.conf", good.replace("log stderr", "log " + log))),
               program="posternd")
    why = done.stderr.strip().removeprefix("posternd: ")
    t.ok(done.returncode == 71 and why and done.stderr.startswith("posternd: ") and
         why in open(log).read(), "a second one says why not to its log and to who started it",
         done.stderr)

    other.close()
    os.chmod(milter[5:], 0o600)
    away = "inet:%d@127.0.0.1" % net.free_port()
    bad = good.replace("upstream up {", """listen milter %s;
listen milter inet:0@127.0.0.1;
upstream deaf { server 127.0.0.1:%d; identity xclient; }
upstream plain { server %s; identity xclient; }
upstream liar { server %s; identity xclient; }
upstream none { server %s; identity none; }
upstream up {""" % (away, net.free_port(), plain.server, liar.server, plain.server))
    for old, new in (("mynetworks 127.0.0.0/8", "mynetworks 0.0.0.0/0"),
                     ("relay_domains example.com sales.example.com;", ""),
                     ("hostname postern.example", "hostname nowhere.example"),
                     ("zone bl.good.example;", "zone bl.good.example; zone bl.everybody.example; "
                      "zone bl.deaf.example;"),
                     ("log stderr", "log /nonexistent/log"),
                     ("/control;", "/nobody;"), ("/spool;", "/state;")):
        bad = bad.replace(old, new)
    done = ask(bad, "--json")
    got = findings(done)
    t.same(done.returncode, 1, "1 when something is wrong", done.stderr)
    for what, result, said in (
            ("mynetworks", "fail", "whole world"), ("relay_domains", "warn", "none"),
            ("hostname", "warn", "no address"), ("daemon", "warn", "nobody answers"),
            ("log", "fail", "cannot be written"),
            ("list bl.good.example", "ok", ""), ("list bl.everybody.example", "fail", "127.0.0.1"),
            ("list bl.deaf.example", "fail", "does not list 127.0.0.2"),
            ("upstream deaf", "fail", "refused"), ("upstream none", "warn", "postern itself"),
            ("upstream plain", "fail", "smtpd_authorized_xclient_hosts"),
            ("milter " + milter, "fail", "group postfix"), ("milter " + away, "fail", "refused"),
            ("milter inet:0@127.0.0.1", "warn", "port"), ("milter ours", "fail", other.server),
            ("upstream liar", "fail", "refuses it with 550"), ("upstream up", "ok", "")):
        f = got.get(what, ("", ""))
        t.ok(f[0] == result and said in f[1], "%s: %s" % (result, what), f)
    if daemon.users:
        t.ok(got["spool"][0] == "fail" and "belongs to" in got["spool"][1], "fail: spool",
             got["spool"])
    done = ask(bad.replace("upstream deaf {", "upstream box { deliver lmtp 127.0.0.1:1; }\n"
                           "upstream deaf {"), "--json")
    got = findings(done).get("relay_domains")
    t.ok(got and got[0] == "fail" and "refuse every recipient" in got[1],
         "fail: relay_domains, where mail ends in mailboxes", got, done.stderr)
    names.wild = True
    done = ask(good)
    t.ok(done.returncode == 1 and "fail  resolver " in done.stdout and " -> use a resolver of your own"
         in done.stdout, "a resolver that invents", done.stdout)
    names.close()
    done = ask(good.replace("dns_timeout 20s", "dns_timeout 300ms"))
    t.ok(done.returncode == 1 and re.search(r"^fail  resolver +127\.0\.0\.1:\d+: no answer",
                                              done.stdout, re.M), "a resolver that is away",
         done.stdout)
    done = ask(good.replace("when dnsbl", "when dnsbll"))
    t.ok(done.returncode == 1 and "fail  policy " in done.stdout and 'unknown fact "dnsbll"'
         in done.stdout and "ok    upstream up" in done.stdout, "a broken policy hides nothing else",
         done.stdout, done.stderr)
    done = ask("listen smtp;")
    t.same(done.returncode, 78, "78: no settings to look at")


tap.run(test, 120)
