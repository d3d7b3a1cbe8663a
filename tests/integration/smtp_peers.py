"""smtp_peers - who sends mail and who takes it, as they are in Debian.

Behind: Postfix, Exim, OpenSMTPD. In front: swaks, smtp-source, openssl
s_client, msmtp, curl, Python's smtplib, and a Postfix that has postern for its
relayhost. Each pair in clear, by STARTTLS and under TLS from the first byte:
the MTA has each mail once, and its body as it was.
"""

import os
import smtplib
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
import tools
from mtas import Exim, OpenSMTPD
from postern import Postern
from postfix import Postfix

TEXT = "a line\n.a dot\n..two\nFrom here\nthe end\n"
FROM, TO = "ada@client.example", "one@example.com"
CLEAR, STARTTLS, WRAPPED = "in clear", "by STARTTLS", "wrapped in TLS"


def message(marker):
    return "From: %s\nTo: %s\nSubject: %s\n\n%s" % (FROM, TO, marker, TEXT)


def run(args, text="", timeout=30):
    done = subprocess.run(args, input=text.encode(), capture_output=True, timeout=timeout)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


# Each sends one mail; (did it say that all went well, what it said).

def swaks(address, how, marker):
    tls = {CLEAR: (), STARTTLS: ("--tls",), WRAPPED: ("--tls-on-connect",)}[how]
    code, text, _ = tools.swaks(address, "--from", FROM, "--to", TO, "--data",
                                message(marker), *tls)
    return code == 0, text


def smtp_source(address, how, marker):
    done = tools.smtp_source(address, 1, 1, "-f", FROM, "-t", TO, "-S", marker)
    text = done.communicate(timeout=30)[0]
    return done.returncode == 0 and not text, text


def s_client(address, how, marker):
    """It knows no SMTP but for EHLO and STARTTLS, and sends what it is given."""
    wire = net.stuff(message(marker).replace("\n", "\r\n").encode()).decode()
    script = "EHLO client.example\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (FROM, TO)
    args = ["openssl", "s_client", "-connect", "%s:%d" % address, "-quiet", "-verify_quiet"]
    done = subprocess.Popen(args + (["-starttls", "smtp"] if how == STARTTLS else []),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)
    watch = threading.Timer(30, done.kill)
    watch.start()
    said = ""
    for part, until in ((script, "354 "), (wire, "250 "), ("quit\r\n", "221 ")):
        done.stdin.write(part)
        done.stdin.flush()
        while not said.splitlines()[-1:] or not said.splitlines()[-1].startswith(until):
            line = done.stdout.readline()
            said += line
            if not line or line[0] in "45":
                break
    done.stdin.close()
    done.wait(10)
    done.stdout.close()
    watch.cancel()
    return "\n221 " in said, said


def msmtp(address, how, marker):
    return_code, text = run(
        ["msmtp", "--file=/dev/null", "--host=%s" % address[0], "--port=%d" % address[1],
         "--domain=client.example", "--from=" + FROM, "--auth=off",
         "--tls=%s" % ("off" if how == CLEAR else "on"), "--tls-certcheck=off",
         "--tls-starttls=%s" % ("on" if how == STARTTLS else "off"), TO], message(marker))
    return return_code == 0, text


def curl(address, how, marker):
    return_code, text = run(
        ["curl", "-sS", "-k", "--mail-from", FROM, "--mail-rcpt", TO, "-T", "-", "--crlf"]
        + (["--ssl-reqd"] if how == STARTTLS else [])
        + ["%s://%s:%d/client.example" % (("smtps" if how == WRAPPED else "smtp",) + address)],
        message(marker))
    return return_code == 0, text


def python(address, how, marker):
    context = ssl._create_unverified_context()
    try:
        c = smtplib.SMTP_SSL(*address, local_hostname="client.example", context=context) \
            if how == WRAPPED else smtplib.SMTP(*address, local_hostname="client.example")
        with c:
            if how == STARTTLS:
                c.starttls(context=context)
            refused = c.sendmail(FROM, [TO], message(marker))
        return refused == {}, refused
    except (smtplib.SMTPException, OSError) as e:
        return False, repr(e)


CLIENTS = {"swaks": swaks, "smtp-source": smtp_source, "s_client": s_client, "msmtp": msmtp,
           "curl": curl, "smtplib": python}


def can(client, how):
    """smtp-source knows no TLS, s_client nothing else."""
    return {"smtp-source": how == CLEAR, "s_client": how != CLEAR}.get(client, True)


def ways():
    return [(client, how) for client in CLIENTS for how in (CLEAR, STARTTLS, WRAPPED)
            if can(client, how)]


def certificate(t):
    """Key and certificate in one file, for everybody here."""
    pem = t.path("pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=postern.example", "-keyout", pem + ".key",
         "-out", pem + ".crt"], check=True, capture_output=True, timeout=30)
    with open(pem, "w") as out:
        for part in (".key", ".crt"):
            with open(pem + part) as f:
                out.write(f.read())
    os.chmod(pem, 0o600)
    return pem


class Pair:
    """An MTA, and a postern before it with a listener for each way."""

    def __init__(self, t, name, mta, pem):
        self.name, self.mta = name, mta
        self.daemon = Postern(
            t, name=name.lower().replace(" ", "-"),
            listen="listen smtp 127.0.0.1:0 { upstream up; tls may cert %s; }\n"
            "listen smtp 127.0.0.1:0 { upstream up; tls wrapped cert %s; }" % (pem, pem),
            upstream="server %s; identity none;" % mta.server,
            extra="client_connection_limit 500;")
        self.results = {}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def address(self, how):
        return self.daemon.listening()[how == WRAPPED]

    def run(self):
        for client, how in ways():
            marker = "%s-%s-%s" % (self.name, client, how)
            try:
                self.results[client, how] = CLIENTS[client](
                    self.address(how), how, marker.replace(" ", "-"))
            except (OSError, ValueError, subprocess.SubprocessError) as e:
                self.results[client, how] = (False, repr(e))

    def mails(self):
        return self.mta.mails("one") if isinstance(self.mta, Postfix) else self.mta.mails()

    def arrived(self, client, how):
        marker = ("%s-%s-%s" % (self.name, client, how)).replace(" ", "-").encode()
        return [m.replace(b"\r\n", b"\n") for m in self.mails()
                if b"Subject: %s\n" % marker in m.replace(b"\r\n", b"\n")]

    def check(self, t):
        self.thread.join(100)
        self.mta.settle()
        for client, how in ways():
            good, said = self.results.get((client, how), (False, "it never ran"))
            got = self.arrived(client, how)
            whole = client == "smtp-source" or TEXT.encode() in b"".join(got)
            t.ok(good and len(got) == 1 and whole, "%s %s before %s: there once, and whole"
                 % (client, how, self.name), said, *got, self.daemon.log()[-1500:])


def relayhost(t, pair):
    """A Postfix that gives postern all it has."""
    for how, settings in (
            (CLEAR, "smtp_tls_security_level = none"),
            (STARTTLS, "smtp_tls_security_level = encrypt"),
            (WRAPPED, "smtp_tls_security_level = encrypt\nsmtp_tls_wrappermode = yes")):
        front = Postfix(
            t, "front-" + how.split()[-1].lower(), domains=("front.example",),
            main="relayhost = [%s]:%d\n%s\nsmtp_tls_loglevel = 1\n" % (
                pair.address(how) + (settings,)))
        marker = b"relayhost-" + how.split()[-1].encode()
        reply = net.send(front.address, FROM, [TO],
                         b"Subject: %s\r\n\r\nx\r\n" % marker)
        t.ok(reply.code == 250 and front.settle() and tap.until(
            lambda: sum(b"Subject: %s" % marker in m for m in pair.mails()) == 1),
            "Postfix with postern for its relayhost, %s" % how, reply, front.log()[-2000:])
        front.stop()


def test(t):
    pem = certificate(t)
    pairs = [Pair(t, "Postfix", Postfix(t, "behind"), pem), Pair(t, "Exim", Exim(t), pem),
             Pair(t, "OpenSMTPD", OpenSMTPD(t), pem)]
    for pair in pairs:
        pair.check(t)
    relayhost(t, pairs[0])


tap.run(test, 200)
