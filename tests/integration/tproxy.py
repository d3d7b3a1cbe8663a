"""tproxy - identity tproxy between network namespaces, with a real Postfix.

A client, a gateway and an MTA, each in a network of its own:

    10.99.1.2 -- 10.99.1.1  10.99.2.1 -- 10.99.2.2

The gateway's posternd is a worker that is not root. Postfix must log the
client's address, which is nobody's on the gateway. Needs the right to make
namespaces; where that is missing the test is skipped.
"""

import contextlib
import ctypes
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern, build
from postfix import Postfix

BODY = b"Subject: x\r\n\r\nmarker %s\r\n"
# As Documentation/networking/tproxy.rst: what belongs to one of our sockets is
# ours, whatever address it was sent to.
TAKE_BACK = """
table inet postern {
	chain prerouting {
		type filter hook prerouting priority mangle;
		meta l4proto tcp socket transparent 1 meta mark set 1 accept
	}
}
"""


def run(*words, text=None):
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, input=text)
    if done.returncode != 0:
        raise tap.Skip("%s: %s" % (" ".join(words), done.stderr.strip()))


class Net:
    """A network namespace, named after this process."""

    def __init__(self, t, name):
        self.name = "pn-%s-%d" % (name, os.getpid())
        run("ip", "netns", "add", self.name)
        t.defer(subprocess.run, ["ip", "netns", "del", self.name], capture_output=True)
        self.ip("link", "set", "lo", "up")

    def run(self, *words, text=None):
        run("ip", "netns", "exec", self.name, *words, text=text)

    def ip(self, *words):
        self.run("ip", *words)

    def end(self, link, *addresses):
        for address in addresses:
            self.ip("addr", "add", address, "dev", link, *["nodad"] * (":" in address))
        self.ip("link", "set", link, "up")

    @contextlib.contextmanager
    def inside(self):
        """Sockets and processes made here are in that network."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as here, \
                open("/run/netns/" + self.name) as there:
            if libc.setns(there.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(here.fileno(), 0)


def lay(t):
    client, gate, mta = Net(t, "client"), Net(t, "gate"), Net(t, "mta")
    run("ip", "link", "add", "name", "to-c", "netns", client.name, "type", "veth",
        "peer", "name", "to-c", "netns", gate.name)
    run("ip", "link", "add", "name", "to-m", "netns", mta.name, "type", "veth",
        "peer", "name", "to-m", "netns", gate.name)
    client.end("to-c", "10.99.1.2/24", "fd99:1::2/64")
    gate.end("to-c", "10.99.1.1/24", "fd99:1::1/64")
    gate.end("to-m", "10.99.2.1/24", "fd99:2::1/64")
    mta.end("to-m", "10.99.2.2/24", "fd99:2::2/64")
    for where, way in ((client, "1"), (mta, "2")):
        where.ip("route", "add", "default", "via", "10.99.%s.1" % way)
        where.ip("-6", "route", "add", "default", "via", "fd99:%s::1" % way)
    gate.run("nft", "-f", "-", text=TAKE_BACK)
    for family, every in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        gate.ip(family, "rule", "add", "fwmark", "1", "lookup", "100")
        gate.ip(family, "route", "add", "local", every, "dev", "lo", "table", "100")
    return client, gate, mta


def mail(where, address, marker):
    with where.inside():
        with net.Client(address, timeout=20) as c:
            reply = c.mail("ada@client.example", ["one@example.com"], BODY % marker)
            c.quit()
    return reply


def capabilities(pid):
    with open("/proc/%d/status" % pid) as f:
        return {int(x, 16) for x in re.findall(r"^Cap(?:Prm|Eff):\s*(\w+)", f.read(), re.M)}


def test(t):
    if os.getuid() != 0:
        raise tap.Skip("only root may make network namespaces")
    client, gate, mta = lay(t)
    with mta.inside():
        pf = Postfix(t, "behind", main="inet_protocols = all\ninet_interfaces = all\n",
                     services="10.99.2.2:2525 inet n - n - - smtpd\n"
                     "[fd99:2::2]:2525 inet n - n - - smtpd\n")
    daemon = Postern(t, wrap=["ip", "netns", "exec", gate.name], listen="""
listen smtp 10.99.1.1:2500 { upstream four; }
listen smtp [fd99:1::1]:2500 { upstream six; }
listen smtp 10.99.1.1:2501 { upstream six; }""", upstream="""
upstream four { server 10.99.2.2:2525; identity tproxy; }
upstream six { server [fd99:2::2]:2525; identity tproxy; }""")

    reply = mail(client, ("10.99.1.1", 2500), b"four")
    t.same(reply.code, 250, "mail comes through", reply, daemon.log()[-2000:])
    t.ok(pf.wait_log(r"\w+: client=unknown\[10\.99\.1\.2\]"),
         "Postfix sees the client's address on its connection", pf.log()[-2000:])
    reply = mail(client, ("fd99:1::1", 2500), b"six")
    t.same(reply.code, 250, "so over IPv6", reply, daemon.log()[-2000:])
    t.ok(pf.wait_log(r"\w+: client=unknown\[fd99:1::2\]"), "with that address",
         pf.log()[-2000:])
    t.ok(re.search(r" connect from unknown\[10\.99\.2\.1\]", pf.whole_log()),
         "a probe comes from ourselves", pf.log())
    reply = mail(client, ("10.99.1.1", 2501), b"mixed")
    t.ok(reply.raw.startswith(b"451 4.4.1 "), "IPv4 does not become IPv6", reply)
    # With loopback for a client there is nothing to pretend.
    with gate.inside():
        t.ok(pf.settle() and len(pf.mails("one")) == 2, "each once", pf.log()[-2000:])

    worker, = daemon.pids("worker")
    others = [p for role in ("inspector", "keeper") for p in daemon.pids(role)]
    t.same(capabilities(worker), {1 << 13}, "the worker has CAP_NET_RAW and no other")
    t.same(set().union(*map(capabilities, others)), {0}, "inspectors and the keeper have none")

    # Without that right it does not start; one that lost it relays nothing.
    poor = ["ip", "netns", "exec", gate.name, "capsh", "--drop=cap_net_raw,cap_net_admin",
            "--", "-c", 'exec "$0" "$@"']
    without = Postern(t, name="without", wrap=poor, start=False,
                      listen="listen smtp 10.99.1.1:2502 { upstream up; }",
                      upstream="server 10.99.2.2:2525; identity tproxy;")
    for options, what in ((["-t"], "posternd -t says so"), ([], "it does not start")):
        done = subprocess.run(
            poor + [os.path.join(build(), "posternd"), "-c", without.conf] + options,
            capture_output=True, text=True, timeout=30)
        t.ok(done.returncode != 0 and "CAP_NET_RAW" in done.stderr, what, done.returncode,
             done.stderr)
    without = Postern(t, name="single", wrap=poor, args=["--single"],
                      listen="listen smtp 127.0.0.1:0 { upstream up; "
                      "identity from 127.0.0.1 proxy; }",
                      upstream="server 10.99.2.2:2525; identity tproxy;")
    before = pf.whole_log().count(": client=")
    with gate.inside(), net.Client(without.address, greet=False) as c:
        c.send(b"PROXY TCP4 10.99.1.2 10.99.1.1 4711 25\r\n")
        c.reply()
        c.cmd("HELO x")
        reply = c.cmd("MAIL FROM:<ada@client.example>")
    t.ok(reply.raw.startswith(b"451 4.3.5 "), "clients hear 451 4.3.5", reply)
    t.ok(without.wait_log(r"error.*CAP_NET_RAW"), "the log says what is missing",
         without.log()[-2000:])
    t.same(pf.whole_log().count(": client="), before, "and nothing is relayed")


tap.run(test, 120)
