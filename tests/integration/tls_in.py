"""tls_in - TLS towards clients: STARTTLS in each state and wrapped, certificates
by name, tickets at all workers and over a reload, new certificates without a
restart, client certificates as facts, and what a client may not do."""

import os
import re
import select
import socket
import ssl
import sys
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import certs
import maildir
import net
import tap
from postern import Postern

warnings.simplefilter("ignore", DeprecationWarning)    # of TLS 1.1, which is refused

LISTEN = """
listen smtp 127.0.0.1:0 {{ upstream up; client_certificates ask ca {ca};
    tls may cert {a.cert} key {a.key} cert {b.cert} key {b.key}
        cert {rsa.cert} key {rsa.key}; }}
listen smtp 127.0.0.1:0 {{ upstream up; tls wrapped cert {a.cert} key {a.key}; }}
listen smtp 127.0.0.1:0 {{ upstream up; tls require cert {a.cert} key {a.key}; }}
listen smtp 127.0.0.1:0 {{ upstream up; client_certificates require ca {ca};
    tls may cert {a.cert} key {a.key}; }}
"""
POLICY = """
rule show { when sender.local = "facts"; then header add X-Seen
  "$tls.version|$tls.bits|$tls.sni|$tls.cert.subject|$tls.cert.issuer|$tls.cert.fingerprint"; }
rule verified { when tls.cert.verified; then header add X-Verified "yes"; }
"""
MAIL = b"Subject: x\r\n\r\n%s\r\n"


def facts(t, daemon, address, **kw):
    before = maildir.mails(daemon.maildir)
    with certs.Client(address, **kw) as c:
        c.starttls()
        t.same(c.mail("facts@client.example", ["ada@example.com"], MAIL % b"facts").code, 250,
               "a mail under TLS")
        c.quit()
    return [m for m in maildir.mails(daemon.maildir) if m not in before][0]


def commands(t, address, require):
    with net.Client(address) as c:
        t.ok("STARTTLS" in c.ehlo.lines, "EHLO offers STARTTLS")
        t.same(c.cmd("STARTTLS now").code, 501, "an argument is one too many")
        c.cmd("MAIL FROM:<a@b.example>")
        t.same(c.cmd("STARTTLS").code, 503, "not within a mail")
    with certs.Client(address) as c:
        c.starttls()
        t.ok("STARTTLS" not in c.ehlo.lines, "under TLS it is not offered again")
        t.same(c.cmd("STARTTLS").code, 503, "nor taken")
    with net.Client(address, greet=False) as c:
        c.reply()
        t.same(c.cmd("EHLO secret.example").code, 250, "EHLO in clear")
        t.same(c.cmd("STARTTLS").code, 220, "STARTTLS")
        c.sock = certs.context().wrap_socket(c.sock)
        t.same(c.cmd("MAIL FROM:<a@b.example>").code, 503, "after the handshake it must greet anew")
    with net.Client(require) as c:
        got = [c.cmd(x).code for x in ("NOOP", "HELP", "MAIL FROM:<a@b.example>", "RSET",
                                       "VRFY a", "AUTH PLAIN AGEAYg==", "ETRN x")]
        t.same(got, [250, 214, 530, 530, 530, 530, 530], "require: TLS before all of weight")
    with certs.Client(require) as c:
        c.starttls()
        t.same(c.mail("a@b.example", ["ada@example.com"], MAIL % b"required").code, 250, "... and then it goes")


def injection(t, daemon, address):
    with net.Client(address) as c:
        c.send(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@evil.example>\r\nRCPT TO:<ada@example.com>\r\n")
        t.same(c.reply().code, 220, "commands behind STARTTLS in one packet")
        t.same(c.held, b"", "... are not answered")
        c.sock = certs.context().wrap_socket(c.sock)
        c.sock.settimeout(1)
        try:
            t.same(c.sock.recv(100), "nothing", "... nor behind the handshake")
        except socket.timeout:
            t.ok(True, "... nor behind the handshake")
        c.sock.settimeout(20)
        t.same(c.cmd("RCPT TO:<ada@example.com>").code, 503, "... and count for nothing")
    t.ok(daemon.wait_log(r"ev=tls client=127.0.0.1 why=\"commands behind STARTTLS in clear\" dropped=69"),
         "... but for a line in the log", daemon.log()[-500:])


def names(t, address, by, ca):
    def seen(name, **kw):
        with certs.Client(address, name=name, **kw) as c:
            c.starttls()
            return ssl.DER_cert_to_PEM_cert(c.sock.getpeercert(True))
    for name, want in (("a.example", "a"), ("b.example", "b"), ("x.w.example", "b"),
                       ("X.W.EXAMPLE", "b"), ("y.x.w.example", "a"), ("exact.w.example", "a"), (None, "a"),
                       ("none.example", "a")):
        t.ok(seen(name) in by[want].pem, "%s gets the certificate %s" % (name, want))
    with certs.Client(address, name="a.example", trust=ca) as c:
        c.starttls()
        t.ok(c.sock.version() == "TLSv1.3", "verified, under TLS 1.3")
    only_rsa = certs.context(version=ssl.TLSVersion.TLSv1_2)
    only_rsa.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
    with certs.Client(address, context_of=only_rsa) as c:
        c.starttls()
        t.ok(ssl.DER_cert_to_PEM_cert(c.sock.getpeercert(True)) in by["rsa"].pem,
             "who knows no EC gets the RSA certificate of the same names")


def refused(t, daemon, address, wrapped):
    old = certs.context()
    old.minimum_version = ssl.TLSVersion.TLSv1_1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with certs.Client(address, context_of=old) as c:
            c.starttls()
            t.ok(False, "TLS 1.1 is refused", c.sock.version())
    except (ssl.SSLError, ConnectionError) as e:
        t.ok(True, "TLS 1.1 is refused")
    with net.Client(address) as c:
        c.cmd("STARTTLS")
        c.send(b"EHLO me\r\nMAIL FROM:<a@b.example>\r\n")
        c.sock.settimeout(5)
        got = b""
        try:
            while more := c.sock.recv(1000):
                got += more
        except ConnectionError:
            pass
        t.ok(b"250" not in got, "garbage instead of a ClientHello ends the connection", got)
    t.ok(daemon.wait_log(r"ev=tls client=127.0.0.1 result=failed"), "... and is logged")
    for greet in (True, False):
        began = time.monotonic()
        with net.Client(address if greet else wrapped, greet=greet) as c:
            if greet:
                c.cmd("STARTTLS")
            end = None
            try:
                for byte in b"\x16\x03\x01\x02\x00\x01" + b"\0" * 60:
                    c.send(bytes([byte]))
                    if select.select([c.sock], [], [], 0.3)[0]:
                        end = c.sock.recv(100)
                        break
            except (ConnectionError, net.Cut):
                end = b""
        took = time.monotonic() - began
        t.ok(end == b"" and took > 1.5, "a client that trickles its handshake is cut off", took, end)


def large(t, daemon, address):
    body = b"Subject: large\r\n\r\n" + b"".join(
        b"%07d " % i + os.urandom(24).hex().encode() + b"\r\n" for i in range(60000))
    body += b".dots\r\n..more\r\n" * 3
    with certs.Client(address) as c:
        c.starttls()
        t.same(c.mail("a@b.example", ["ada@example.com"], body).code, 250, "3.5 MB under TLS")
        c.send(b"NOOP\r\n" * 50 + b"RSET\r\n")
        t.same([c.reply().code for _ in range(51)], [250] * 51, "fifty commands in one record")
        for byte in b"NOOP\r\n":
            c.send(bytes([byte]))
        t.same(c.reply().code, 250, "a command of six records")
        c.quit()
    got = [m for m in maildir.mails(daemon.maildir) if b"Subject: large" in m]
    t.ok(len(got) == 1 and got[0].endswith(body.replace(b"\r\n", b"\n")),
         "... arrives as it was")


def tickets(t, daemon, address):
    def resumed(session, ctx):
        with certs.Client(address, context_of=ctx, session=session) as c:
            c.starttls()
            c.cmd("NOOP")
            return c.sock.session_reused, c.sock.session
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        ctx = certs.context(version=version)
        _, session = resumed(None, ctx)
        got = []
        for _ in range(12):
            was, session = resumed(session, ctx)
            got.append(was)
        t.same(got, [True] * 12, "%s: resumed at whichever worker" % version.name)
        before = daemon.log().count("ev=ready")
        daemon.reload()
        t.ok(tap.until(lambda: daemon.log().count("ev=ready") > before, 20), "a reload")
        t.same(resumed(session, ctx)[0], True, "... and still")


def reload(t, daemon, address, ca):
    with certs.Client(address) as old:
        old.starttls()
        new = ca.issue("a", "a.example", "exact.w.example")
        before = daemon.log().count("ev=ready")
        daemon.reload()
        tap.until(lambda: daemon.log().count("ev=ready") > before, 20)
        with certs.Client(address) as c:
            c.starttls()
            t.ok(ssl.DER_cert_to_PEM_cert(c.sock.getpeercert(True)) in new.pem,
                 "a reload reads certificates anew")
        t.same(old.cmd("NOOP").code, 250, "... and sessions go on")
    with open(new.key, "rb") as f:
        was = f.read()
    with open(new.key, "wb") as f:
        f.write(b"-----BEGIN NONSENSE-----\n")
    daemon.reload()
    t.ok(daemon.wait_log(r"ev=reload result=failed error=.*holds no private key"),
         "a key that is none: the reload fails", daemon.log()[-600:])
    with certs.Client(address) as c:
        t.same(c.starttls().code, 220, "... and changes nothing")
    with open(new.key, "wb") as f:
        f.write(was)


def private(t, daemon, by):
    """No inspector holds a key, nor the keeper."""
    with open(by["a"].key) as f:
        line = f.read().split("\n")[1].encode()
    der = certs._openssl("pkey", "-in", by["a"].key, "-outform", "DER")
    at = der.index(b"\x04\x20") + 2     # the private number of a P-256 key
    secret = der[at:at + 32]

    def holds(pid):
        with open("/proc/%d/maps" % pid) as f:
            areas = [l.split() for l in f]
        with open("/proc/%d/mem" % pid, "rb") as mem:
            for a in areas:
                lo, hi = (int(x, 16) for x in a[0].split("-"))
                if "r" not in a[1] or a[-1].startswith("[v") or hi - lo > 1 << 30:
                    continue    # what a sanitizer reserves
                try:
                    mem.seek(lo)
                    data = mem.read(hi - lo)
                except (OSError, ValueError, OverflowError, MemoryError):
                    continue
                if line in data or secret in data:
                    return True
        return False
    t.ok(any(holds(p) for p in daemon.pids("worker")), "workers hold the key")
    for role in ("inspector", "keeper"):
        t.same([p for p in daemon.pids(role) if holds(p)], [], "no %s does" % role)


def mistakes(t, daemon, by, ca):
    other = ca.issue("other", "other.example")
    late = ca.issue("late", "late.example", days=1)
    listen = "listen smtp 127.0.0.1:0 { upstream up; tls may cert %s key %s; }"
    was = daemon.values["listeners"]
    for cert, key, want in (
            (other.cert, by["a"].key, "the private key in .* is not that of the certificate in"),
            (other.key, other.key, "holds no certificate"),
            (other.cert, "/nonexistent", r"postern.conf:\d+:\d+: cannot read \"/nonexistent\": No such file")):
        daemon.configure(POLICY, listeners=listen % (cert, key))
        done = daemon.check()
        t.ok(done.returncode == 78 and re.search(want, done.stderr), "-t: " + want, done.stderr)
    daemon.configure(POLICY, listeners=listen % (late.cert, late.key))
    done = daemon.check()
    t.ok(done.returncode == 0 and re.search(r"warning: the certificate in \S+ expires on", done.stderr),
         "-t warns of one that ends soon", done.stderr)
    daemon.configure(POLICY, listeners=was)


def test(t):
    ca, foreign = certs.Authority(t), certs.Authority(t, "foreign")
    by = {"a": ca.issue("a", "a.example", "exact.w.example"), "b": ca.issue("b", "b.example", "*.w.example"),
          "rsa": ca.issue("rsa", "a.example", "exact.w.example", kind="rsa")}
    daemon = Postern(t, policy=POLICY, workers=2, extra="starttls_timeout 2s; log_style both;",
                     listen=LISTEN.format(ca=ca.cert, **by))
    may, wrapped, require, certain = daemon.listening()
    commands(t, may, require)
    injection(t, daemon, may)
    names(t, may, by, ca)
    refused(t, daemon, may, wrapped)
    with certs.Client(wrapped, wrapped=True) as c:
        t.ok("STARTTLS" not in c.ehlo.lines, "wrapped: no STARTTLS")
        t.same(c.mail("a@b.example", ["ada@example.com"], MAIL % b"wrapped").code, 250, "wrapped: a mail")
        c.quit()
    own = ca.issue("client", "client.example")
    raw = facts(t, daemon, may, own=own)
    t.ok(b"X-Seen: TLSv1.3|256|a.example|CN=client.example|CN=ca|%s\n"
         % own.sha256.replace(":", "").lower().encode() in raw.replace(b"\r\n", b"\n"),
         "what a client's certificate says are facts", raw[:900])
    t.ok(b"X-Verified: yes" in raw, "... verified")
    t.ok(re.search(rb"with ESMTPS \(TLSv1.3", raw), "Received says ESMTPS", raw[:600])
    raw = facts(t, daemon, may, own=foreign.issue("stranger", "stranger.example"))
    t.ok(b"CN=stranger.example|CN=foreign" in raw and b"X-Verified" not in raw,
         "... of another authority, not", raw[:700])
    for who, want in ((own, True), (None, False), (foreign.issue("s", "s.example"), False)):
        try:
            with certs.Client(certain, own=who) as c:
                c.starttls()
                got = c.cmd("NOOP").code == 250
        except (ssl.SSLError, ConnectionError, net.Cut):
            got = False
        t.same(got, want, "client_certificates require: %s" % (who and who.cert))
    large(t, daemon, may)
    tickets(t, daemon, may)
    reload(t, daemon, may, ca)
    private(t, daemon, by)
    mistakes(t, daemon, by, ca)
    t.ok(re.search(r"smtpd\[\d+\]: Anonymous TLS connection established from localhost\[127.0.0.1\]: TLSv1.3 with cipher",
                   daemon.log()) or "Anonymous TLS connection established from" in daemon.log(),
         "Postfix's line of it")
    t.ok("ERROR: AddressSanitizer" not in daemon.log(), "no complaint of a sanitizer")


tap.run(test, 120)
