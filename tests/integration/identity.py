"""identity - the MTA behind knows who is talking, by each way there is.

HAProxy in front (PROXY version 1 and 2, with and without TLS there), a Postfix
in front that forwards for its clients, a Postfix behind that is told by
XCLIENT and by PROXY headers; clients that lie. What is believed is what the
Postfix behind logs as client=.
"""

import json
import os
import re
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern
from postfix import Postfix

WAYS = ("xclient", "proxy", "proxy-v1")
BODY = b"Subject: x\r\n\r\nmarker %s\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

HAPROXY = """
global
	log stdout local0
defaults
	mode tcp
	timeout connect 5s
	timeout client 30s
	timeout server 30s
"""


class HaProxy:
    """fronts: (name, (host, port), words of its bind line, of its server line)."""

    def __init__(self, t, fronts):
        self.ports = {}
        text = HAPROXY
        for name, address, bind, server in fronts:
            self.ports[name] = address
            text += "listen %s\n\tbind %s:%d %s\n\tserver s %s\n" % (
                (name,) + address + (bind, server))
        self.path = t.path("haproxy.log")
        self.process = subprocess.Popen(
            ["haproxy", "-db", "-f", t.write("haproxy.cfg", text)],
            stdout=open(self.path, "w"), stderr=subprocess.STDOUT)
        t.defer(self.process.wait)
        t.defer(self.process.terminate)
        if not tap.until(lambda: all(map(self.listens, self.ports.values())), 10):
            raise RuntimeError("haproxy does not listen: " + open(self.path).read())

    @staticmethod
    def listens(address):
        try:
            socket.create_connection(address, 1).close()
            return True
        except OSError:
            return False


def certificate(t):
    pem = t.path("front.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=front.example", "-keyout", pem + ".key", "-out", pem + ".crt"],
                   check=True, capture_output=True, timeout=20)
    with open(pem, "w") as f:
        f.write(open(pem + ".key").read() + open(pem + ".crt").read())
    return pem


def mail(address, marker, source=None, before=None):
    with net.Client(address, source=source, greet=False, timeout=20) as c:
        if before is not None:
            c.send(before)
        c.reply()
        c.cmd("EHLO client.example")
        reply = c.mail("ada@client.example", ["one@example.com"], BODY % marker)
        c.quit()
    return reply


def logged(pf, ip):
    return pf.wait_log(r"smtpd\[\d+\]: \w+: client=unknown\[%s\]" % re.escape(ip))


def through_haproxy(t, pf, daemon, haproxy):
    last = 20
    for way in WAYS:
        for version in ("v1", "v2"):
            source, last = "127.0.0.%d" % last, last + 1
            reply = mail(haproxy.ports["%s-%s" % (way, version)], b"ha", source)
            t.ok(reply.code == 250 and logged(pf, source),
                 "HAProxy %s, %s: Postfix logs the client" % (version, way), reply,
                 daemon.log()[-1500:], pf.log()[-1500:])
    t.ok(daemon.wait_log(r"ev=message.*client=127\.0\.0\.20\b"), "and so do we",
         daemon.log()[-1500:])

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for source, front, what in (
            ("127.0.0.40", "tls", "TLS ends at HAProxy, which says so in the header: passed over"),
            ("127.0.0.41", "through", "TLS begins behind the header"),
            ("127.0.0.44", "later", "STARTTLS behind the header")):
        with net.Client(haproxy.ports[front], source=source, greet=False) as c:
            if front == "later":
                c.reply()
                c.cmd("EHLO client.example")
                c.cmd("STARTTLS")
            c.sock = context.wrap_socket(c.sock)
            if front != "later":
                c.reply()
            c.cmd("HELO client.example")
            reply = c.mail("ada@client.example", ["one@example.com"], BODY % b"tls")
        t.ok(reply.code == 250 and logged(pf, source), what, reply, daemon.log()[-1500:])
    for i, (way, what) in enumerate((("starttls", "a header, then STARTTLS, to Postfix"),
                                     ("wrapped", "a header, then TLS, to HAProxy"))):
        source = "127.0.0.%d" % (42 + i)
        reply = mail(haproxy.ports[way], b"tls", source)
        t.ok(reply.code == 250 and logged(pf, source), what, reply, daemon.log()[-1500:],
             pf.log()[-1500:])
    reply = mail(haproxy.ports["six"], b"six")
    t.ok(reply.code == 250 and logged(pf, "::1"), "an IPv6 client of an IPv4 next hop", reply,
         pf.log()[-1500:])
    t.ok("proxy-header" not in daemon.log(), "health checks are no wrong headers", daemon.log())


def load_balancers_own(t, pf, listener):
    for what, header in (("UNKNOWN", b"PROXY UNKNOWN\r\n"),
                         ("LOCAL", SIGNATURE + b"\x20\0\0\0")):
        before = pf.log().count("client=unknown[127.0.0.1]")
        reply = mail(listener, b"own", before=header)
        t.ok(reply.code == 250 and tap.until(
            lambda: pf.log().count("client=unknown[127.0.0.1]") > before),
            "%s: the load balancer itself" % what, reply, pf.log()[-1500:])


def liars(t, pf, daemon, listener):
    with net.Client(listener, source="127.0.0.8", greet=False, timeout=20) as c:
        c.send(b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 25\r\n")
        c.reply()
        t.same(c.reply().code, 500, "an unlisted client's PROXY header is a wrong command")
        ehlo = c.cmd("EHLO liar.example")
        t.ok(b"XCLIENT" not in ehlo.raw and b"XFORWARD" not in ehlo.raw,
             "it is not offered to say who it is", ehlo)
        for verb in ("XCLIENT", "XFORWARD"):
            reply = c.cmd(verb + " ADDR=127.0.0.1 NAME=localhost")
            t.ok(reply.raw.startswith(b"550 5.7.0 "), "its %s is refused" % verb, reply)
        reply = c.cmd("MAIL FROM:<ada@client.example>")
        reply = c.cmd("RCPT TO:<someone@elsewhere.example>")
    t.ok(reply.raw.startswith(b"554 5.7.1 ") and
         pf.wait_log(r"reject: RCPT from unknown\[127\.0\.0\.8\]: 554"),
         "Postfix takes it for whom it is, and relays nothing for it", reply, pf.log()[-1500:])
    with net.Client(listener, source="127.0.0.8", greet=False, timeout=20) as c:
        c.send(SIGNATURE + b"\x21\x11\0\x0c" + bytes(12) + b"\r\n")
        codes = [c.reply().code for _ in range(5)]
        reply = c.mail("ada@client.example", ["one@example.com"], BODY % b"liar")
    t.ok(codes == [220, 500, 500, 500, 500] and reply.code == 503,
         "version 2 is four of them", codes, reply)
    with net.Client(listener, greet=False, timeout=20) as c:
        c.send(b"EHLO liar.example\r\n")
        try:
            said = c.reply().raw
        except (net.Cut, OSError):
            said = b""
    t.ok(said == b"" and daemon.wait_log(r"level=warn.* ev=proxy-header .*proxy=127\.0\.0\.1 "),
         "a listed one without a header is cut off, and logged", said, daemon.log()[-1500:])


def forwarded(t, pf, daemon, listeners):
    front = Postfix(t, "front", domains=("front.example",), main="relayhost = [127.0.0.1]:%d\n"
                    "relay_domains = example.com\nsmtp_send_xforward_command = yes\n"
                    % listeners["xforward"][1])
    last = 51
    for over, level, wrapper in (("plain", "none", "no"), ("STARTTLS", "encrypt", "no"),
                                 ("TLS", "encrypt", "yes")):
        if over != "plain":
            front.set("relayhost=[127.0.0.1]:%d" % listeners["xforward-" + over][1],
                      "smtp_tls_security_level=" + level, "smtp_tls_wrappermode=" + wrapper)
        for source in ("127.0.0.%d" % last, "127.0.0.%d" % (last + 1)):
            reply = mail(front.address, b"relayhost", source)
            t.ok(reply.code == 250 and logged(pf, source),
                 "a Postfix in front with relayhost and XFORWARD, %s: %s" % (over, source), reply,
                 front.log()[-1500:], daemon.log()[-1500:])
        last += 2


def doctor(t, daemon):
    done = daemon.cli("doctor", "--json")
    got = {c["check"]: (c["result"], c["found"]) for c in json.loads(done.stdout)["checks"]}
    for what, result, said in (
            ("upstream xclient", "ok", "XCLIENT"), ("upstream proxy", "ok", "PROXY header"),
            ("upstream proxy-v1", "ok", "PROXY header"),
            ("upstream wrong", "fail", "PROXY header"),
            ("upstream wrong-v1", "fail", "PROXY header")):
        f = got.get(what, ("", ""))
        t.ok(f[0] == result and said in f[1], "doctor: %s, %s" % (what, result), f)


def wrong(t, pf, daemon, listeners):
    before = pf.whole_log().count(": client=")
    for way, listener in zip(("proxy", "proxy-v1"), listeners):
        with net.Client(listener, timeout=20) as c:
            reply = c.cmd("MAIL FROM:<ada@client.example>")
            after = c.cmd("RCPT TO:<one@example.com>")
        t.ok(reply.raw[:4] == b"451 " and after.code == 503,
             "%s to a Postfix that expects no header: nothing is relayed" % way, reply, after)
    t.same(pf.whole_log().count(": client="), before, "it saw no mail")
    t.ok(daemon.wait_log(r"level=error.* ev=identity .*PROXY header"), "and the log says why",
         daemon.log()[-1500:])


def test(t):
    takes, next_hop = net.free_port(), ("127.0.0.1", net.free_port())
    pem = certificate(t)
    pf = Postfix(t, "behind", main="smtpd_authorized_xclient_hosts = 127.0.0.1\n"
                 "inet_protocols = all\nsmtpd_tls_security_level = may\n"
                 "smtpd_tls_chain_files = %s\n" % pem,
                 services="127.0.0.1:%d inet n - n - - smtpd"
                 " -o smtpd_upstream_proxy_protocol=haproxy\n" % takes)
    upstreams = "".join("upstream %s { server 127.0.0.1:%d; identity %s; }\n" % (
        way, pf.address[1] if way == "xclient" else takes, way) for way in WAYS)
    upstreams += "".join("upstream %s { server %s; identity %s; }\n" % (name, pf.server, way)
                         for name, way in (("wrong", "proxy"), ("wrong-v1", "proxy-v1")))
    upstreams += "upstream starttls { server 127.0.0.1:%d; identity proxy; tls encrypt; }\n" % takes
    upstreams += ("upstream wrapped { server %s:%d; identity proxy-v1; tls encrypt wrapped; }\n"
                  % next_hop)
    proxied = WAYS + ("starttls", "wrapped")
    listen = "".join("listen smtp 127.0.0.1:0 { upstream %s; identity from 127.0.0.1 proxy; }\n"
                     % way for way in proxied)
    listen += ("listen smtp 127.0.0.1:0 { upstream xclient; identity from 127.0.0.1 proxy;"
               " tls wrapped cert %s; }\n" % pem)
    for tls in ("", "tls may cert %s;" % pem, "tls wrapped cert %s;" % pem):
        listen += ("listen smtp 127.0.0.1:0 { upstream xclient; identity from 127.0.0.1 xforward;"
                   " %s }\n" % tls)
    listen += ("listen smtp 127.0.0.1:0 { upstream xclient; identity from 127.0.0.1 proxy;"
               " tls require cert %s; }\n" % pem)
    listen += "listen smtp 127.0.0.1:0 { upstream wrong; }\n"
    listen += "listen smtp 127.0.0.1:0 { upstream wrong-v1; }\n"
    daemon = Postern(t, listen=listen, upstream=upstreams)
    listeners = dict(zip(proxied + ("tls", "xforward", "xforward-STARTTLS", "xforward-TLS",
                                    "tls-later", "wrong", "wrong-v1"), daemon.listening()))

    def front(name, to, words, bind="", host="127.0.0.1"):
        return (name, (host, net.free_port(host)), bind, "%s:%d " % listeners[to] + words)
    fronts = [front(way + "-" + version, way, "send-proxy%s check inter 500ms check-send-proxy"
                    % ("-v2" if version == "v2" else ""))
              for way in WAYS for version in ("v1", "v2")]
    fronts += [front("tls", "xclient", "send-proxy-v2-ssl", bind="ssl crt " + pem),
               front("through", "tls", "send-proxy-v2"),
               front("later", "tls-later", "send-proxy-v2"),
               front("starttls", "starttls", "send-proxy"),
               front("wrapped", "wrapped", "send-proxy"),
               front("six", "proxy", "send-proxy-v2", host="::1"),
               ("next", next_hop, "accept-proxy ssl crt " + pem,
                "127.0.0.1:%d send-proxy-v2" % takes)]
    haproxy = HaProxy(t, fronts)

    through_haproxy(t, pf, daemon, haproxy)
    load_balancers_own(t, pf, listeners["xclient"])
    liars(t, pf, daemon, listeners["xclient"])
    forwarded(t, pf, daemon, listeners)
    wrong(t, pf, daemon, (listeners["wrong"], listeners["wrong-v1"]))
    doctor(t, daemon)


tap.run(test, 120)
