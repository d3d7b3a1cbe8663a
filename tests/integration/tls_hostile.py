"""tls_hostile - clients that use TLS against us: small fragments. And LMTP
that requires TLS."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import certs
import net
import tap
from postern import Postern

LISTEN = """
listen smtp 127.0.0.1:0 {{ upstream up; tls may cert {a.cert} key {a.key}; }}
listen lmtp 127.0.0.1:0 {{ upstream up; tls require cert {a.cert} key {a.key}; }}
"""


def s_client(address, said, *options, starttls="smtp"):
    """What one says, and all that it hears."""
    done = subprocess.run(["openssl", "s_client", "-quiet", "-ign_eof", "-starttls", starttls,
                           "-connect", "%s:%d" % address, *options],
                          input=said, capture_output=True, timeout=60)
    return done.stdout


def fragments(t, daemon, address):
    """RFC 6066 4: a client may ask for records of 512 bytes. Replies to a batch are more."""
    before = sorted(daemon.pids("worker"))
    for version in ("-tls1_2", "-tls1_3"):
        got = s_client(address, b"EHLO x\r\n" + b"NOOP\r\n" * 80 + b"QUIT\r\n",
                       version, "-maxfraglen", "512")
        t.same((got.count(b"250 2.0.0 Ok\r\n"), got.endswith(b"221 2.0.0 Bye\r\n")), (80, True),
               "80 replies in records of 512 bytes, %s" % version)
    t.same(sorted(daemon.pids("worker")), before, "... and no worker died of it")


def lmtp(t, address):
    with net.Client(address, greet=False) as c:
        c.reply()
        got = c.cmd("LHLO x")
        t.ok(got.code == 250 and "STARTTLS" in got.lines,
             "LMTP that requires TLS can be greeted before it, and says so", got.lines)


def unused(t, daemon, ca):
    """Who writes it believes that the next hop is verified."""
    was = daemon.values["listeners"]
    daemon.configure('rule r { when sender.local = "x"; then header add X-Seen "x"; }',
                     listeners="upstream x { server 127.0.0.1:1; identity none; tls may ca %s; }\n" % ca.cert + was)
    done = daemon.check()
    t.ok(done.returncode == 78 and "ca is for \"tls verify\"" in done.stderr,
         "an authority nobody looks at is an error", done.stderr)


def test(t):
    ca = certs.Authority(t)
    daemon = Postern(t, policy='rule r { when sender.local = "x"; then header add X-Seen "x"; }', workers=1,
                     listen=LISTEN.format(a=ca.issue("a", "a.example")))
    smtp, lmtp_door = daemon.listening()
    fragments(t, daemon, smtp)
    lmtp(t, lmtp_door)
    unused(t, daemon, ca)
    t.ok("ERROR: AddressSanitizer" not in daemon.log(), "no complaint of a sanitizer")


tap.run(test, 120)
