"""tls_out - TLS towards next hops: each level, DANE by a signed zone, the others to a real Postfix, to one whose
certificate is wrong, and to fake ones that inject, refuse or break the handshake.
What a level wants and does not get never goes in clear."""

import hashlib
import os
import re
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import certs
import dnssec
import net
import tap
from postern import Postern
from postfix import Postfix

MAIN = """
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {cert}
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_tls_ask_ccert = yes
smtpd_tls_CAfile = {ca}
"""
WRAPPED = "%s:%d inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"
MAIL = b"Subject: %s\r\n\r\nx\r\n"


class Fake:
    """A next hop that does with STARTTLS what it was told to."""

    def __init__(self, t, how, cert):
        self.how, self.heard = how, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert.cert, cert.key)
        self.connections = 0
        self.server = net.Server(self.serve)
        t.defer(self.server.close)
        self.address = "127.0.0.1:%d" % self.server.port

    def serve(self, sock):
        self.connections += 1
        f = sock.makefile("rb")
        sock.sendall(b"220 fake ESMTP\r\n")
        secure = data = False
        while line := f.readline():
            if data:
                if line == b".\r\n":
                    data = False
                    sock.sendall(b"250 2.0.0 Ok: queued as FAKE\r\n")
                continue
            self.heard.append((secure, line.strip()))
            verb = line[:4].upper()
            if verb == b"EHLO":
                words = [b"fake", b"PIPELINING"] if secure else [b"fake"]
                words += [b"8BITMIME"] if not secure else []
                if self.how != "none" and not secure:
                    words.append(b"STARTTLS")
                sock.sendall(b"".join(b"250%s%s\r\n" % (b" " if i == len(words) - 1 else b"-", w)
                                      for i, w in enumerate(words)))
            elif line.strip().upper() == b"STARTTLS":
                if self.how == "refuse":
                    sock.sendall(b"454 4.7.0 not now\r\n")
                    continue
                if self.how == "inject":
                    sock.sendall(b"220 go\r\n250 injected\r\n")
                else:
                    sock.sendall(b"220 go\r\n")
                if self.how == "break":
                    sock.sendall(b"this is no ServerHello\r\n")
                    f.read(1)
                    return
                if self.how == "silent":
                    f.read()
                    return
                try:
                    sock = self.context.wrap_socket(sock, server_side=True)
                except OSError:
                    return      # it has seen the injection, and gone
                f = sock.makefile("rb")
                secure = True
            elif verb == b"DATA":
                data = True
                sock.sendall(b"354 go on\r\n")
            elif verb == b"QUIT":
                sock.sendall(b"221 bye\r\n")
                return
            else:
                sock.sendall(b"250 2.0.0 Ok\r\n")

    def mails(self, secure):
        return sum(s == secure and l.upper().startswith(b"MAIL") for s, l in self.heard)


def try_fakes(t, ca, cert):
    want = {     # how: may, encrypt; code, and where the mail went
        "ok": (("250", "tls"), ("250", "tls")),
        "none": (("250", "clear"), ("451 4.7.4", None)),
        "refuse": (("250", "clear"), ("451 4.7.4", None)),
        "break": (("250", "clear"), ("451 4.7.5", None)),
        "silent": (("250", "clear"), ("451 4.", None)),     # or away, as the probe found
        "inject": (("451 4.4.1", None), ("451 4.4.1", None)),
    }
    fakes, listen, ups = {}, "", ""
    for how in want:
        for level in ("may", "encrypt"):
            fake = fakes[how, level] = Fake(t, how, cert)
            listen += "listen smtp 127.0.0.1:0 { upstream %s-%s; }\n" % (how, level)
            ups += "upstream %s-%s { server %s; identity none; tls %s; connect_timeout 2s; }\n" % (
                how, level, fake.address, level)
    daemon = Postern(t, listen=listen, upstream=ups, name="fakes")
    for (how, level), address in zip(fakes, daemon.listening()):
        reply = net.send(address, "a@b.example", ["ada@example.com"], MAIL % how.encode())
        code, where = want[how][level == "encrypt"]
        fake = fakes[how, level]
        t.ok(repr(reply).startswith(code), "%s, %s: the client hears %s" % (level, how, code), reply)
        t.same((fake.mails(False), fake.mails(True)), (int(where == "clear"), int(where == "tls")),
               "... and the mail goes %s" % (where or "nowhere"), fake.heard)
    log = daemon.log()
    t.ok(re.search(r"level=error .*ev=tls upstream=inject-may .*result=injection dropped=14", log),
         "an injection is an error in the log", log[-600:])
    t.ok(re.search(r"level=error .*ev=tls upstream=none-encrypt .*why=\"it does not offer STARTTLS\"", log),
         "so is a server without TLS")
    t.ok(re.search(r"level=error .*ev=tls upstream=break-encrypt .*why=\"the handshake failed: ", log),
         "... and a handshake that fails")
    t.ok(all(b"8BITMIME" not in l for _, l in fakes["ok", "may"].heard), "a fake was asked")
    with net.Client(daemon.listening()[0]) as c:
        t.ok("8BITMIME" not in c.ehlo.lines, "keywords said in clear are forgotten", c.ehlo)


def try_postfix(t, ca, foreign):
    good = ca.issue("mx", "mx.example")
    own = ca.issue("postern", "postern.example")
    wrapped = net.free_port()
    pf = Postfix(t, "behind", users=("ada",), services=WRAPPED % ("127.0.0.1", wrapped),
                 main=MAIN.format(key=good.key, cert=good.cert, ca=ca.cert))
    levels = (
        ("may", "250", "may;"),
        ("encrypt", "250", "encrypt;"),
        ("verify", "250", "verify ca %s name mx.example;" % ca.cert),
        ("verify-name", "451 4.7.5", "verify ca %s name other.example;" % ca.cert),
        ("verify-address", "451 4.7.5", "verify ca %s;" % ca.cert),
        ("verify-ca", "451 4.7.5", "verify ca %s name mx.example;" % foreign.cert),
        ("verify-system", "451 4.7.5", "verify name mx.example;"),
        ("fingerprint", "250", "fingerprint %s;" % good.sha256),
        ("fingerprint-key", "250", "fingerprint %s %s;" % ("00" * 32, good.key_sha256)),
        ("fingerprint-other", "451 4.7.5", "fingerprint %s;" % own.sha256),
        ("own", "250", "encrypt cert %s key %s;" % (own.cert, own.key)),
        ("wrapped", "250", "verify wrapped ca %s name mx.example;" % ca.cert),
    )
    ups = "".join("upstream %s { server 127.0.0.1:%d; identity xclient; reuse no; tls %s }\n" % (
        name, wrapped if name == "wrapped" else pf.address[1], line) for name, _, line in levels)
    daemon = Postern(t, upstream=ups, listen="".join(
        "listen smtp 127.0.0.1:0 { upstream %s; tls may cert %s key %s; }\n" % (name, good.cert, good.key)
        for name, _, _ in levels), extra="log_style both;", log_level="debug", hosts={"127.0.0.7": "client.example"})
    for (name, want, _), address in zip(levels, daemon.listening()):
        for again in (False, True):
            with net.Client(address, source="127.0.0.7") as c:
                reply = c.mail("a@b.example", ["ada@example.com"], MAIL % name.encode())
                t.ok(repr(reply).startswith(want), "%s%s: %s" % (name, ", once more" * again, want), reply)
                c.quit()
    pf.settle()
    got = pf.mails("ada")
    for name, want, _ in levels:
        mine = [m for m in got if b"Subject: " + name.encode() + b"\n" in m]
        t.same(len(mine), 2 * (want == "250"), "%s: so many arrive" % name)
        t.ok(all(b"using TLSv1.3" in m and b"127.0.0.7" in m for m in mine), "... under TLS, with XCLIENT behind it",
             mine[:1])
    mine = [m for m in got if b"Subject: own\n" in m]
    t.ok(mine and b"postern.example" in mine[0], "our own certificate is shown", mine[:1])
    t.ok(re.search(r"upstream=verify .*result=ok .*resumed=yes", daemon.log()), "a session is resumed")
    t.ok(re.search(r"Verified TLS connection established to 127.0.0.1:\d+: TLSv1.3 with cipher", daemon.log()),
         "Postfix's line of it")
    t.ok(re.search(r"ev=tls upstream=verify-name .*why=\"[Hh]ostname mismatch", daemon.log()),
         "the log says what is wrong with it")
    body = b"Subject: large\r\n\r\n" + b"".join(
        b"%07d " % i + os.urandom(24).hex().encode() + b"\r\n" for i in range(60000)) + b".dots\r\n..\r\n"
    with certs.Client(daemon.listening()[1]) as c:
        c.starttls()
        t.same(c.mail("a@b.example", ["ada@example.com"], body).code, 250, "3.5 MB, TLS on both sides")
        c.quit()
    pf.settle(30)
    got = [m for m in pf.mails("ada") if b"Subject: large\n" in m]
    lines = body.replace(b"\r\n", b"\n")
    tail = got[0][got[0].index(b"Subject: large"):] if got else b""
    t.ok(len(got) == 1 and tail.split(b"\n\n", 1)[1] == lines.split(b"\n\n", 1)[1], "... arrive as they were",
         len(got), len(tail), len(lines), tail[:400], tail[-200:])
    t.ok("ERROR: AddressSanitizer" not in daemon.log(), "no complaint of a sanitizer")


def try_dane(t, ca):
    """RFC 7672, by a signed zone, one that nobody signs, and a forged answer."""
    good, other = ca.issue("dane", "mx.dane.example"), ca.issue("dane2", "mx.dane.example")
    zone = dnssec.Signed(t, "dane.example")
    key, cert = bytes.fromhex(good.key_sha256), bytes.fromhex(good.sha256.replace(":", ""))
    der = ssl.PEM_cert_to_DER_cert(ca.pem)
    wrong = bytes(32)
    cases = (       # host, its records; how the fake is, what the client hears, how the mail goes
        ("ee-key.dane.example", [b"\3\1\1" + key], "ok", "250", "tls"),
        ("ee-cert.dane.example", [b"\3\1\1" + wrong, b"\3\0\1" + cert], "ok", "250", "tls"),
        ("mx.dane.example", [b"\2\0\1" + hashlib.sha256(der).digest()], "chain", "250", "tls"),
        ("ta-name.dane.example", [b"\2\0\1" + hashlib.sha256(der).digest()], "chain", "451 4.7.5", None),
        ("wrong.dane.example", [b"\3\1\1" + wrong], "ok", "451 4.7.5", None),
        ("clear.dane.example", [b"\3\1\1" + key], "none", "451 4.7.4", None),
        ("unusable.dane.example", [b"\1\1\1" + key], "ok", "250", "tls"),
        ("unusable-clear.dane.example", [b"\3\1\11" + key], "none", "451 4.7.4", None),
        ("forged.dane.example", [b"\3\1\1" + key], "ok", "451 4.7.5", None),
        ("unsigned.example", [b"\3\1\1" + wrong], "ok", "250", "tls"),
        ("nothing.example", [], "none", "250", "clear"),
    )
    listen, ups, fakes = "", "", []
    chain = certs.Certificate(t.write("chain.pem", good.pem + ca.pem), good.key)
    for i, (host, records, how, _, _) in enumerate(cases):
        fake = Fake(t, "ok" if how == "chain" else how, chain if how == "chain" else good)
        name = "_%d._tcp.%s" % (fake.server.port, host)
        if records:
            zone.records[name, 52] = records
        if host.startswith("forged"):
            zone.forged.add(name)
        fakes.append(fake)
        listen += "listen smtp 127.0.0.1:0 { upstream d%d; }\n" % i
        ups += "upstream d%d { server %s; identity none; reuse no; tls dane name %s; }\n" % (
            i, fake.address, host)
    anchor = t.write("anchor.key", "; ours\n" + zone.anchor)
    daemon = Postern(t, listen=listen, upstream=ups, name="dane", extra="trust_anchor %s;" % anchor,
                     start=False, log_level="debug")
    daemon.configure(None, dns=zone.port)
    daemon.start()
    for (host, _, _, code, where), fake, address in zip(cases, fakes, daemon.listening()):
        reply = net.send(address, "a@b.example", ["ada@example.com"], MAIL % b"dane")
        t.ok(repr(reply).startswith(code), "dane, %s: the client hears %s" % (host, code), reply,
             "\n".join(l for l in daemon.log().split("\n") if fake.address in l)[-900:])
        t.same((fake.mails(False), fake.mails(True)), (int(where == "clear"), int(where == "tls")),
               "... and the mail goes %s" % (where or "nowhere"), fake.heard)


def test(t):
    ca, foreign = certs.Authority(t), certs.Authority(t, "foreign")
    try_fakes(t, ca, ca.issue("fake", "fake.example"))
    try_dane(t, ca)
    try_postfix(t, ca, foreign)


tap.run(test, 120)
