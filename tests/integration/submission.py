"""submission - users log in through postern at a real Postfix, whose passwords
a real Dovecot has; set up as contrib/postfix/submission tells people.

Python's smtplib, swaks and a client of our own in front; each mechanism that
Dovecot has, what is refused, what is taken back, and a next hop that goes away.
No password is anywhere afterwards, in no log at any level.
"""

import base64
import hashlib
import hmac
import os
import re
import shutil
import smtplib
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from dovecot import Passwords
from milterd import Milterd
from postern import Postern, SOURCE
from postfix import Postfix

SECRET = "sesam-Oeffne-dich"
POLICY = """
rule who { when login != ""; then header add "X-Login" "$login"; }
rule way { when direction is outbound; then header add "X-Way" "out"; }
rule bob { when login = "bob"; then reject 550 5.7.1 "not you, bob"; }
"""


def b64(data):
    return base64.b64encode(data).decode()


def snippet(name):
    with open(os.path.join(SOURCE, "contrib/postfix/submission", name)) as f:
        return f.read()


def conf(port, cert):
    """postern.conf of the snippet, on free ports; and one in clear, for what
    would be hidden from this test otherwise."""
    text = snippet("postern.conf")
    for was, now in (("127.0.0.1:2587", "127.0.0.1:%d" % port),
                     ("*:587", "127.0.0.1:%d" % net.free_port()),
                     ("*:465", "127.0.0.1:%d" % net.free_port()),
                     ("/etc/postern/tls/mx.pem", cert)):
        text = text.replace(was, now)
    return "listen smtp 127.0.0.1:0 { upstream submission; auth clear; " \
        "identity from 127.0.0.1 xclient; }\n" + text


def certificate(t):
    """Key and certificate in one file, for a day."""
    path = os.path.join(t.folder("tls"), "mx.pem")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj",
         "/CN=mx.example.com", "-keyout", path + ".key", "-out", path + ".crt"],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    with open(path, "w") as f:
        for part in (".key", ".crt"):
            with open(path + part) as one:
                f.write(one.read())
    t.same(made.returncode, 0, "a certificate is made", made.stderr)
    return path


def smtpd(port, auth):
    """master.cf of the snippet, out of the chroot."""
    text = re.sub(r"^(\S+\s+inet\s+\S+\s+\S+)\s+y\b", r"\1 n",
                  snippet("master.cf"), flags=re.M)
    return text.replace("127.0.0.1:2587", "127.0.0.1:%d" % port) \
        .replace("private/auth", auth)


def arrived(t, pf, marker):
    pf.settle()
    return [m for m in pf.mails("one") if marker.encode() in m]


def by_smtplib(t, daemon, pf, mechanism):
    with smtplib.SMTP(*daemon.address, local_hostname="desk.example") as c:
        c.ehlo()
        c.user, c.password = "ada", SECRET
        code, _ = c.auth(mechanism, getattr(c, "auth_" + mechanism.lower().replace("-", "_")))
        t.same(code, 235, "smtplib: %s logs in" % mechanism)
        c.sendmail("ada@example.com", ["one@example.com"],
                   "Subject: hello\r\n\r\nby %s\r\n" % mechanism)
    got = arrived(t, pf, "by " + mechanism)
    t.ok(len(got) == 1 and b"X-Login: ada" in got[0],
         "smtplib: %s: the mail has the fact login" % mechanism, got)
    t.ok(re.search(r"sasl_method=%s, sasl_username=ada" % mechanism, pf.whole_log()),
         "smtplib: %s: Postfix knows the login" % mechanism, pf.log()[-2000:])


def by_swaks(t, address, mechanism, *tls):
    done = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(address[1]), *tls,
         "--auth", mechanism, "--auth-user", "ada", "--auth-password", SECRET,
         "--from", "ada@example.com", "--to", "two@example.com", "--helo", "desk.example"],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    t.ok(done.returncode == 0 and "235 2.7.0" in done.stdout,
         "swaks: %s logs in and sends%s" % (mechanism, "".join(" by " + x for x in tls)),
         done.stdout + done.stderr)


def as_documented(t, daemon, pf):
    """587 and 465, as they are pasted."""
    _, submission, submissions = daemon.listening()
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(*submission, local_hostname="desk.example") as c:
        c.ehlo()
        t.ok(c.has_extn("starttls") and not c.has_extn("auth"),
             "587: AUTH is not offered in clear", c.esmtp_features)
        t.same(c.docmd("AUTH", "PLAIN " + b64(b"\0ada\0" + SECRET.encode()))[0], 538,
               "587: nor taken")
        t.same(c.docmd("MAIL", "FROM:<ada@example.com>")[0], 530,
               "587: nor mail without it")
        c.starttls(context=trust)
        c.ehlo()
        t.ok(c.has_extn("auth"), "587: under TLS it is", c.esmtp_features)
        t.same(c.docmd("MAIL", "FROM:<ada@example.com>")[0], 530,
               "587: mail wants the login there, too")
        c.login("ada", SECRET)
        c.sendmail("ada@example.com", ["one@example.com"],
                   "Subject: hello\r\n\r\nby STARTTLS\r\n")
    with smtplib.SMTP_SSL(*submissions, local_hostname="desk.example",
                          context=trust) as c:
        c.login("ada", SECRET)
        c.sendmail("ada@example.com", ["one@example.com"],
                   "Subject: hello\r\n\r\nby wrapped\r\n")
    for marker in ("by STARTTLS", "by wrapped"):
        got = arrived(t, pf, marker)
        t.ok(len(got) == 1 and b"X-Login: ada" in got[0],
             "submission: a mail arrives %s" % marker, got)
    by_swaks(t, submission, "CRAM-MD5", "--tls")
    by_swaks(t, submissions, "PLAIN", "--tls-on-connect")


def by_scram(t, daemon, name="ada", password=SECRET):
    """SCRAM-SHA-256 (RFC 5802) by hand; the last reply."""
    c = net.Client(daemon.address)
    first = "n=%s,r=clientnonce" % name
    challenge = c.cmd("AUTH SCRAM-SHA-256 " + b64(("n,," + first).encode())).text
    server = base64.b64decode(challenge).decode()
    parts = dict(p.split("=", 1) for p in server.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(),
                                 base64.b64decode(parts["s"]), int(parts["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    final = "c=biws,r=" + parts["r"]
    signature = hmac.digest(hashlib.sha256(key).digest(),
                            ",".join((first, server, final)).encode(), "sha256")
    proof = bytes(a ^ b for a, b in zip(key, signature))
    reply = c.cmd(b64((final + ",p=" + b64(proof)).encode()))
    if reply.code == 334:   # the server proves itself; we have nothing to add
        reply = c.cmd("")
    return c, reply


def refusals(t, daemon, pf):
    """One session: wrong, taken back, broken, and at last right."""
    with net.Client(daemon.address) as c:
        t.same(c.cmd("MAIL FROM:<ada@example.com>").code, 250,
               "refusals: MAIL itself is Postfix's to answer")
        t.same(c.cmd("RCPT TO:<one@example.com>").code, 554,
               "refusals: it takes no recipient without a login")
        c.cmd("RSET")
        wrong = b64(b"\0ada\0wrong-Password")
        reply = c.cmd("AUTH PLAIN " + wrong)
        t.ok(reply.code == 535 and "5.7.8" in reply.text,
             "refusals: a wrong password is Postfix's 535", reply)
        t.same(c.cmd("AUTH LOGIN").code, 334, "refusals: LOGIN asks for the name")
        t.same(c.cmd("*").code, 501, "refusals: it can be taken back")
        t.same(c.cmd("AUTH CRAM-MD5").code, 334, "refusals: CRAM-MD5 asks")
        t.same(c.cmd("this is no base64").code, 501, "refusals: no base64")
        t.same(c.cmd("AUTH NTLM").code, 504, "refusals: what Dovecot has not")
        reply = c.cmd("AUTH PLAIN " + b64(b"\0bob\0" + SECRET.encode()))
        t.same(reply.code, 235, "refusals: the right one is taken afterwards")
        reply = c.mail("bob@example.com", ["one@example.com"], b"x: y\r\n\r\nbob\r\n")
        t.ok(reply.raw.startswith(b"550 5.7.1 not you, bob"),
             "refusals: a rule knows who it is", reply)
    t.ok(daemon.wait_log(r"ev=login client=127\.0\.0\.1 mechanism=PLAIN "
                         r"result=refused code=535"),
         "refusals: one is in the log", daemon.log()[-2000:])


def scram(t, daemon):
    c, reply = by_scram(t, daemon)
    with c:
        t.same(reply.code, 235, "scram: logs in", reply)
    c, reply = by_scram(t, daemon, password="other")
    with c:
        t.same(reply.code, 535, "scram: not with another password", reply)


def as_another(t, daemon, pf):
    """XCLIENT from a proxy before us, then AUTH: Postfix knows both."""
    with net.Client(daemon.address) as c:
        t.same(c.cmd("XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7").code, 220,
               "xclient: a listed host says who it is")
        c.cmd("EHLO far.example")
        reply = c.cmd("AUTH PLAIN " + b64(b"\0ada\0" + SECRET.encode()))
        t.same(reply.code, 235, "xclient: and that one logs in", reply)
        reply = c.mail("ada@example.com", ["far@example.net"], b"x: y\r\n\r\nfar\r\n")
        t.same(reply.code, 250, "xclient: and sends anywhere", reply)
        t.ok(re.search(r"client=unknown\[192\.0\.2\.7\], sasl_method=PLAIN, "
                       r"sasl_username=ada", pf.whole_log()),
             "xclient: Postfix logs the address and the login", pf.log()[-2000:])
        reply = c.mail("ada@example.com", ["far@example.net"],
                       b"x: y\r\n\r\nagain\r\n")
        t.same(reply.code, 250, "xclient: twice in one session", reply)
        t.same(c.cmd("EHLO far.example").code, 250, "xclient: greets again")
        reply = c.mail("ada@example.com", ["one@example.com", "far@example.net"],
                       b"x: y\r\n\r\nto both\r\n")
        t.same(reply.code, 250, "xclient: and is still logged in", reply)
    got = arrived(t, pf, "to both")
    t.ok(len(got) == 1 and b"X-Way: out" in got[0],
         "xclient: a login makes the direction outbound", got)


def away(t, daemon, pf):
    with net.Client(daemon.address) as c:
        c.cmd("AUTH PLAIN " + b64(b"\0ada\0" + SECRET.encode()))
        pf.stop()
        reply = c.cmd("MAIL FROM:<ada@example.com>")
        t.ok(reply.code == 421 and "login" in reply.text,
             "away: a login is gone with its connection", reply)
    with net.Client(daemon.address) as c:
        reply = c.cmd("AUTH PLAIN " + b64(b"\0ada\0" + SECRET.encode()))
        t.same(reply.code, 454, "away: nobody can be asked: temporary", reply)


def banned(t, daemon):
    """Guesses are found by fail2ban, in our words and in Postfix's."""
    if not shutil.which("fail2ban-regex"):
        t.note("fail2ban is not installed")
        return
    folder = t.folder("filter.d")
    for f in ("/etc/fail2ban/filter.d/common.conf",
              os.path.join(SOURCE, "contrib/fail2ban/postern.conf")):
        shutil.copy(f, folder)
    for what, mark, conf in (
            ("ours", "ev=login .*result=refused", os.path.join(folder, "postern.conf")),
            ("Postfix's", "SASL (?!SCRAM).* failed", "/etc/fail2ban/filter.d/postfix.conf[mode=auth]")):
        lines = [x for x in daemon.log().splitlines() if re.search(mark, x)]
        done = subprocess.run(["fail2ban-regex", daemon.log_path, conf],
                              capture_output=True, text=True, timeout=60)
        found = re.search(r"\[(\d+)\] .*(?:ev=login|SASL) ", done.stdout)
        t.ok(lines and found and int(found.group(1)) == len(lines),
             "fail2ban: %s filter finds each refused login" % what, lines[:2] + [done.stdout[-1500:]])


def test(t):
    auth = Passwords(t, {"ada": SECRET, "bob": SECRET})
    port = net.free_port()
    pf = Postfix(t, "submission", services=smtpd(port, auth.socket),
                 main="\ndefault_transport = discard\n")
    milter = Milterd(t)
    daemon = Postern(t, log_level="debug", policy=POLICY, listen=" ",
                     extra="log_style both; milter m { server %s; }" % milter.server, upstream=conf(port, certificate(t)))
    as_documented(t, daemon, pf)
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        by_smtplib(t, daemon, pf, mechanism)
        told = milter.conns[-1].macros("mail")
        t.same((told.get("{auth_type}"), told.get("{auth_authen}")), (mechanism, "ada"),
               "smtplib: %s: a milter hears of it" % mechanism)
        by_swaks(t, daemon.address, mechanism)
    scram(t, daemon)
    refusals(t, daemon, pf)
    as_another(t, daemon, pf)
    away(t, daemon, pf)
    log = daemon.log()
    for secret in (SECRET, "wrong-Password", b64(b"\0ada\0" + SECRET.encode()),
                   b64(SECRET.encode()), b64(b"ada")):
        t.ok(secret not in log, "log: nothing of an exchange is in it")
    banned(t, daemon)
    done = daemon.cli("history", "list", json_out=True)
    t.ok(SECRET not in str(done), "history: nor there")
    t.ok(re.search(r'ev=message .*login="ada"', log), "log: the login is", log[-2000:])


tap.run(test, 90)
