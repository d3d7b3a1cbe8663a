"""idle - what a session costs that only waits.

    idle.py [--sessions 10000] [--busy 500] [--messages 5000] [--most 10]
            [--tls] [--json FILE]

One worker of the build that POSTERN_BUILD names, in front of smtp-sink. So
many clients connect and stay: first they have heard the banner, then EHLO's
answer, then each has sent a mail. At each of these points the memory that the
worker has to itself (Private_Clean and Private_Dirty of smaps_rollup, PSS
beside it) is read, and what it was before is taken off. Before that, and again
beside them all, --busy sessions of smtp-source send --messages mails.

What the kernel holds for a socket is not in it: about 4 KiB each (the slabs
TCP, sock_inode_cache, filp, dentry, eventpoll_epi), whatever the program.
With --tls the clients that wait speak STARTTLS first (--most is 40 then); the
busy ones do not.

Ends with 1 when a session costs more than --most KiB, a client was sent away,
or a message of the busy ones failed.
"""

import argparse
import json
import os
import resource
import socket
import ssl
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import certs
import memory
import tap
import tools
from postern import Postern

MAIL = (b"MAIL FROM:<ada@client.example>\r\n", b"RCPT TO:<one@example.com>\r\n",
        b"DATA\r\n", b"Subject: idle\r\n\r\n" + b"text\r\n" * 200 + b".\r\n")


def raise_limit(wanted):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < wanted:
        sys.exit("%d descriptors are needed, %d allowed" % (wanted, hard))


class Crowd:
    """Clients that stay. What they do, a hundred do at a time."""

    def __init__(self, address, n):
        self.socks = [socket.create_connection(address, 60) for _ in range(n)]
        self.bad = []
        self.hear(self.socks, "220")

    def hear(self, some, code):
        for s in some:
            got = s.recv(4096).decode("latin-1")
            if not got.startswith(code):
                self.bad.append(got)

    def say(self, *dialogue):
        for at in range(0, len(self.socks), 100):
            some = self.socks[at:at + 100]
            for line, code in dialogue:
                for s in some:
                    s.sendall(line)
                self.hear(some, code)

    def secure(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for i, s in enumerate(self.socks):  # no crowd in the midst of handshakes
            s.sendall(b"STARTTLS\r\n")
            self.hear([s], "220")
            self.socks[i] = context.wrap_socket(s)

    def close(self):
        for s in self.socks:
            s.close()


def busy(address, args):
    """Messages a second."""
    began = time.monotonic()
    source = tools.smtp_source(
        address, args.busy, args.messages, "-d", "-l", "10240",
        "-f", "ada@client.example", "-t", "one@example.com")
    out = source.communicate(timeout=600)[0]
    return args.messages / (time.monotonic() - began), source.returncode, out


def measure(t, args):
    raise_limit(args.sessions + 200)
    port = tools.smtp_sink(t)
    cert = certs.Authority(t).issue("mx", "mx.example")
    daemon = Postern(t, upstream="server 127.0.0.1:%d; identity none;" % port,
                     listen="listen smtp 127.0.0.1:0 { upstream up; "
                     "tls may cert %s key %s; }" % (cert.cert, cert.key)
                     if args.tls else None,
                     extra="client_connection_limit %d; connection_limit %d;"
                     % ((2 * args.sessions,) * 2))
    worker = daemon.pids("worker")[0]
    alone = busy(daemon.address, args)
    before = memory.rollup(worker)
    rows = []

    def row(what):
        time.sleep(2) # connections to the sink that nobody needs are closed
        now = memory.rollup(worker)
        rows.append((what, [(now[k] - before[k]) / args.sessions / 1024
                            for k in ("private", "pss")]))

    crowd = Crowd(daemon.address, args.sessions)
    row("connected")
    crowd.say((b"EHLO client.example\r\n", "250"))
    row("greeted")
    if args.tls:
        crowd.secure()
        row("behind STARTTLS")
        crowd.say((b"EHLO client.example\r\n", "250"))
    crowd.say(*zip(MAIL, ("250", "250", "354", "250")))
    row("has sent a mail")
    beside = busy(daemon.address, args)
    row("... beside the busy ones")
    crowd.say((b"NOOP\r\n", "250"))
    print("%d sessions, one worker; before them it had %d KiB to itself" % (
        args.sessions, before["private"] >> 10))
    for what, (private, pss) in rows:
        print("  %-26s %5.1f KiB private, %5.1f KiB PSS a session" % (
            what, private, pss))
    print("  %d busy ones: %d messages/s alone, %d beside them" % (
        args.busy, alone[0], beside[0]))
    t.same(crowd.bad[:3], [], "every client is answered")
    for name, run in ("alone", alone), ("beside the idle", beside):
        t.same(run[1:], (0, ""), "the busy ones go on, " + name)
    most = max(private for _, (private, _) in rows)
    t.ok(most <= args.most, "a session costs at most %g KiB: %.1f" % (
        args.most, most))
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"rows": rows, "busy": [alone[0], beside[0]]}, f)
    crowd.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--sessions", type=int, default=10000)
    p.add_argument("--busy", type=int, default=500)
    p.add_argument("--messages", type=int, default=5000)
    p.add_argument("--most", type=float)
    p.add_argument("--tls", action="store_true")
    p.add_argument("--json")
    args = p.parse_args()
    args.most = args.most or (40 if args.tls else 10)
    tap.run(lambda t: measure(t, args), 900)


main()
