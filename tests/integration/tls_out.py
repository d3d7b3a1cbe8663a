"""tls_out - TLS towards next hops: each level but DANE (dane.py), to a real Postfix, to one whose certificate is
wrong, and to fake ones that inject, refuse or break the handshake.
What a level wants and does not get never goes in clear."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import certs
import net
import nexthop
import tap
from postern import Postern, run
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


def doctor(t, daemon, want, without=()):
    """What postern doctor finds at each upstream: result, and words of it."""
    text = open(daemon.conf).read()
    for name in without:
        text = re.sub(r"(?m)^(listen .*upstream %s;|upstream %s \{).*\n" % (name, name), "", text)
    done = run(("-c", t.write("doctor-%s.conf" % daemon.name, text), "doctor", "--json"))
    t.ok(done.stdout, "doctor has findings", done)
    got = {c["check"]: (c["result"], c["found"] + " " + c["advice"])
           for c in json.loads(done.stdout)["checks"]}
    for name, (result, words) in want.items():
        found = got.get("tls " + name, ("", ""))
        t.ok(found[0] == result and re.search(words, found[1]), "doctor: %s: %s" % (name, result),
             found, done.stderr)
    return got


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
            fake = fakes[how, level] = nexthop.Fake(t, how, cert)
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
    clear, tls = "mail goes there in clear", r"speaks TLSv1\.[23] with cipher \S+ \(\d+/\d+ bits\)"
    got = doctor(t, daemon, {
        "ok-may": ("ok", tls), "ok-encrypt": ("ok", tls + ".* nothing is verified"),
        "none-may": ("ok", clear), "none-encrypt": ("fail", "no STARTTLS: mail gets 451 4.7.4"),
        "refuse-may": ("ok", "refuses it: " + clear), "refuse-encrypt": ("fail", "refuses it: .*4.7.4"),
        "break-may": ("warn", clear), "break-encrypt": ("fail", "handshake: .*451 4.7.5"),
        "inject-may": ("fail", "more in clear .*4.4.1"), "inject-encrypt": ("fail", "more in clear"),
    }, without=("silent-may", "silent-encrypt"))
    t.ok("upstream break-may" in got and "upstream break-encrypt" not in got,
         "where mail goes on in clear, so does doctor", got)
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
    doctor(t, daemon, {
        "may": ("ok", "TLSv1.3"), "encrypt": ("ok", "nothing is verified"), "verify": ("ok", "TLSv1.3 .*verified"),
        "verify-name": ("fail", "[Hh]ostname mismatch.*451 4.7.5"), "verify-address": ("fail", "mismatch"),
        "verify-ca": ("fail", "not whom we want: "), "verify-system": ("fail", "not whom we want: "),
        "fingerprint": ("ok", "verified"), "fingerprint-key": ("ok", "verified"),
        "fingerprint-other": ("fail", "another fingerprint"), "own": ("ok", "TLSv1.3"),
        "wrapped": ("ok", "verified")})
    got = doctor(t, daemon, {})
    t.ok("sees the client's address (XCLIENT)" in got["upstream verify"][1]
         and got["upstream wrapped"][0] == "ok", "and what comes under TLS is looked at, too", got)
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


def test(t):
    ca, foreign = certs.Authority(t), certs.Authority(t, "foreign")
    try_fakes(t, ca, ca.issue("fake", "fake.example"))
    try_postfix(t, ca, foreign)


tap.run(test, 120)
