"""smtp_peers - who sends mail and who takes it, as they are in Debian.

Behind: Postfix, Exim, OpenSMTPD. In front: swaks, smtp-source, openssl
s_client, msmtp, curl, Python's smtplib, and a Postfix that relays to it. Each pair in clear, by STARTTLS and
under TLS from the first byte: the MTA has each mail once, and its body as it
was. The same once more where the next hop is spoken to under TLS.
"""

import os
import re
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

    def __init__(self, t, name, mta, pem, server=None, tls="none", clients=tuple(CLIENTS)):
        self.name, self.mta, self.clients = name, mta, clients
        self.daemon = Postern(
            t, name=name.lower().replace(" ", "-"),
            listen="listen smtp 127.0.0.1:0 { upstream up; tls may cert %s; }\n"
            "listen smtp 127.0.0.1:0 { upstream up; tls wrapped cert %s; }" % (pem, pem),
            upstream="server %s; identity none; tls %s;" % (server or mta.server, tls),
            extra="client_connection_limit 500;")
        self.results = {}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def address(self, how):
        return self.daemon.listening()[how == WRAPPED]

    def ways(self):
        return [(client, how) for client, how in ways() if client in self.clients]

    def run(self):
        for client, how in self.ways():
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
        for client, how in self.ways():
            good, said = self.results.get((client, how), (False, "it never ran"))
            got = self.arrived(client, how)
            whole = client == "smtp-source" or TEXT.encode() in b"".join(got)
            t.ok(good and len(got) == 1 and whole, "%s %s before %s: there once, and whole"
                 % (client, how, self.name), said, *got, self.daemon.log()[-1500:])


def in_front(t, pair):
    """A Postfix that gives postern what it has, a recipient in each way."""
    ways_there = {"one": (CLEAR, "-o smtp_tls_security_level=none"),
                  "two": (STARTTLS, "-o smtp_tls_security_level=encrypt"),
                  "three": (WRAPPED, "-o smtp_tls_security_level=encrypt"
                            " -o smtp_tls_wrappermode=yes")}
    transports = t.write("transports", "".join(
        "%s@example.com to-%s:[%s]:%d\n" % ((user, user) + pair.address(how))
        for user, (how, _) in ways_there.items()))
    front = Postfix(
        t, "front", domains=("front.example",),
        main="transport_maps = texthash:%s\n" % transports,
        services="".join("to-%s unix - - n - - smtp %s\n" % (user, options)
                         for user, (_, options) in ways_there.items()))
    with net.Client(front.address) as c:
        reply = c.mail(FROM, ["%s@example.com" % user for user in ways_there],
                       b"Subject: in front\r\n\r\nx\r\n")
    front.settle()
    for user, (how, _) in ways_there.items():
        t.ok(reply.code == 250 and tap.until(lambda: sum(
            b"Subject: in front" in m for m in pair.mta.mails(user)) == 1),
            "Postfix in front of it, %s" % how, reply, front.log()[-2000:])


def test(t):
    pem = certificate(t)
    wrapped = "127.0.0.1:%d" % net.free_port()
    postfix = Postfix(
        t, "behind", main="smtpd_tls_security_level = may\nsmtpd_tls_chain_files = %s\n"
        "smtpd_tls_loglevel = 1\n" % pem,
        services=wrapped + " inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n")
    exim = Exim(t, "tls_advertise_hosts = *\ntls_certificate = /pem\n")
    with open(pem) as f:
        exim.give("pem", f.read())
    few = ("swaks", "smtplib")
    pairs = [Pair(t, "Postfix", postfix, pem), Pair(t, "Exim", exim, pem),
             Pair(t, "OpenSMTPD", OpenSMTPD(t), pem),
             Pair(t, "Postfix behind STARTTLS", postfix, pem, tls="encrypt", clients=few),
             Pair(t, "Postfix behind TLS", postfix, pem, wrapped, "encrypt wrapped", few),
             Pair(t, "Exim behind STARTTLS", exim, pem, tls="encrypt", clients=few)]
    for pair in pairs:
        pair.check(t)
    t.ok(len(re.findall(r"TLS connection established from", postfix.whole_log())) >= 2,
         "Postfix was spoken to by STARTTLS and under TLS", postfix.log()[-2000:])
    in_front(t, pairs[0])


tap.run(test, 200)
