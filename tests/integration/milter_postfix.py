"""milter_postfix - a real Postfix asks postern through smtpd_milters.

The policy and the mails of milter_cases go through Postfix with postern as its
milter and through postern as the proxy: what the client hears and what the next
hop gets must be the same, over TCP and over a unix socket. Then what only one
of the two can do: the hold queue, non_smtpd_milters, logins and TLS that
Postfix tells of.
"""

import os
import re
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import certs
import net
import tap
from milter_cases import HEAD, POLICY, SAME, mail, plain
from milter_sides import PosternSide, PostfixSide
from postern import Postern

MAIN = """
milter_protocol = 6
milter_command_timeout = 10s
milter_content_timeout = 20s
non_smtpd_milters = $smtpd_milters
milter_connect_macros = j {{daemon_name}} {{daemon_addr}} v _ {{client_ptr}} {{client_resolve}}
smtpd_authorized_xclient_hosts = 127.0.0.9
smtpd_delay_open_until_valid_rcpt = no
virtual_mailbox_maps = static:all/
"""

MANY = 'rule many { when subject contains "many"; then reject 550 5.7.1 "%s"; }' % (
    "$subject " * 40)

CERT = 'rule cert { when subject contains "cert-"; then header add X-Cert ' \
    '"$tls.cert.verified|$tls.bits|$tls.cert.subject|$tls.cert.issuer"; }'


def steps(subject, body=b"body\r\n", sender="<ada@a.example>", rcpts=("<one@example.com>",)):
    return (["MAIL FROM:" + sender] + ["RCPT TO:" + r for r in rcpts]
            + [mail(subject, body)])


STAGES = (
    ("a client, at RCPT", b"x", {}, {"source": "127.0.0.67"}),
    ("HELO, at RCPT", b"x", {}, {"helo": "EHLO late.helo"}),
    ("a sender at once", b"x", {"sender": "<early@a.example>"}, {}),
    ("a sender, at RCPT", b"x", {"sender": "<late@a.example>"}, {}),
    ("all recipients", b"x", {"rcpts": ["<bad@example.com>", "<later@example.com>"]}, {}),
    ("two of three recipients", b"x",
     {"rcpts": ["<bad@example.com>", "<one@example.com>", "<later@example.com>"]}, {}),
)


def compare(t, how, postfix, proxy):
    cases = [(what, s, kw, {}) for what, s, kw in SAME] + list(STAGES)
    for what, subject, kw, talk in cases:
        said = [side.talk(steps(subject, **kw), **talk) for side in (proxy, postfix)]
        # What the keeper holds is on hold for the proxy's side alone.
        seen = [(o.replies, [(f, sorted(to), m) for f, to, m in o.sent]) for o in said]
        t.ok(seen[0] == seen[1], "%s, as through the proxy: %s" % (how, what),
             "proxy: %r" % said[0], "milter: %r" % said[1])
    # What Postfix can hear of the client only with HELO or MAIL.
    for what, talk, code in (("the client", {"source": "127.0.0.66"}, 554),
                             ("HELO", {"helo": "EHLO early.helo"}, 450)):
        said = postfix.talk(steps(b"x"), **talk)
        t.ok(code in [r[0] for r in said.replies] and not said.sent,
             "%s: early, of %s" % (how, what), said)


def old_protocols(t, postfix, proxy):
    """Postfix of old: but for the blanks, nothing is lost."""
    for version in (2, 4):
        postfix.postfix.set("milter_protocol=%d" % version)
        for what, subject, kw in SAME:
            said = [side.talk(steps(subject, **kw)) for side in (proxy, postfix)]
            seen = [(o.replies, [(f, sorted(to), squeezed(m)) for f, to, m in o.sent])
                    for o in said]
            t.ok(seen[0] == seen[1], "protocol %d, as through the proxy: %s"
                 % (version, what), "proxy: %r" % said[0], "milter: %r" % said[1])
    postfix.postfix.set("milter_protocol=6")


def squeezed(message):
    """
    The blanks behind colons are not told before protocol 6: what the milter
    sets has one, whatever there was.
    """
    head, end, body = message.partition(b"\r\n\r\n")
    return re.sub(rb"(?m)^([!-9;-~]+:)[ \t]*", rb"\1 ", head) + end + body


def long_replies(t, how, postfix):
    subject = b"many " + b"50% of it " * 11
    said = postfix.talk(steps(subject))
    code, text = said.replies[-2]
    words = re.sub(r"(?m)^5\.7\.1 ", "", text).split()
    t.ok(code == 550 and len(text.split("\n")) > 4, "%s: a reply of %d lines"
         % (how, len(text.split("\n"))), said)
    t.same(words, ((subject.strip() + b" ") * 40).decode().split(), "none of its words is lost")


def several(t, how, postfix):
    """Several messages in a session, and a client that leaves within one."""
    marker = b"session-" + how.split()[-1].encode() + b"-%d."
    with net.Client(postfix.address, source="127.0.0.9") as c:
        codes = []
        for i in range(8):
            subject = (b"edit me", b"reject me", b"untouched", b"jail me")[i % 4]
            codes.append(c.mail("ada@a.example", ["one@example.com"], mail(
                subject + b" " + marker % i)).code)
            if i == 3:
                c.envelope("ada@a.example", ["one@example.com"])
                c.cmd("RSET")
        c.envelope("ada@a.example", ["one@example.com"])
        c.cmd("DATA")
        c.send(HEAD)
    t.same(codes, [250, 554, 250, 250] * 2, "%s: eight messages in a session" % how)
    postfix.settle()
    t.same([postfix.sink.holding(marker % i) for i in range(8)],
           [1, 0, 1, 0] * 2, "and each is where it should be")


def quarantine(t, how, postfix, daemon):
    marker = b"jailed-" + how.split()[-1].encode()
    said = postfix.talk(steps(b"jail me " + marker))
    t.ok(said.replies[-2][0] == 250 and not said.sent and not said.held,
         "%s: kept by the keeper, 250, nothing in Postfix" % how, said)
    t.same(daemon.quarantined(marker), 1, "it is there")
    held = [q for q in daemon.quarantine() if marker.decode() in q["subject"]]
    had = len(postfix.sink.messages)
    done = daemon.cli("quarantine", "release", held[0]["id"])
    t.ok(tap.until(lambda: len(postfix.sink.messages) > had, 10) and
         postfix.sink.messages[-1].raw == mail(b"jail me " + marker),
         "and released octet for octet", done.stdout, done.stderr,
         [m.raw for m in postfix.sink.messages[had:]])


def hold(t, how, postfix, daemon):
    said = postfix.talk(steps(b"hold me and edit me, 1"))
    t.ok(said.replies[-2][0] == 250 and said.held == 1 and not said.sent,
         "%s: on hold" % how, said)
    line = tap.until(lambda: re.search(r"ev=message .*held=mta", daemon.log()), 10)
    ids = re.findall(r" id=(\S+) .*ev=message .*held=mta", daemon.log())
    done = daemon.cli("explain", ids[-1] if ids else "none")
    t.ok(line and "in the MTA's own hold queue" in done.stdout,
         "our log and explain say who holds it", done.stdout, done.stderr)
    pf = postfix.postfix
    queue = pf.command("postqueue", "-c", pf.etc, "-p").stdout
    t.ok(re.search(r"^\w+!", queue, re.M), "postqueue shows it", queue)
    t.ok(pf.wait_log(r"milter-hold: END-OF-MESSAGE"), "Postfix logs why", pf.log()[-1500:])
    had = len(postfix.sink.messages)
    pf.command("postsuper", "-c", pf.etc, "-H", "ALL")
    pf.command("postqueue", "-c", pf.etc, "-f")
    t.ok(tap.until(lambda: len(postfix.sink.messages) > had, 10) and
         b"X-Add: one\r\n" in postfix.sink.messages[-1].raw,
         "let go, it is delivered with its edits", pf.log()[-1500:])


def sendmail(t, how, postfix):
    """non_smtpd_milters: no connection, no HELO but Postfix's own."""
    pf = postfix.postfix

    def submit(subject):
        marker = subject + b" by command " + how.split()[-1].encode()
        had = len(postfix.sink.messages)
        done = subprocess.run(
            ["sendmail", "-C", pf.etc, "-f", "ada@a.example", "-i", "one@example.com"],
            input=b"From: ada@a.example\nTo: one@example.com\nSubject: %s\n\nbody\n" % marker,
            capture_output=True, timeout=30)
        pf.settle(10)
        return done, [m.raw for m in postfix.sink.messages[had:]]
    done, got = submit(b"edit me")
    t.ok(len(got) == 1 and b"X-Add: one\r\n" in got[0] and b"Subject: [E] edit me" in got[0],
         "%s: the sendmail command's mail is edited" % how, done, got, pf.log()[-1500:])
    done, got = submit(b"discard me")
    t.ok(not [m for m in got if b"Subject: discard me" in m], "thrown away", got)
    done, got = submit(b"reject me")
    t.ok(not [m for m in got if b"\r\nSubject: reject me by" in m.split(b"\r\n\r\n")[0]],
         "refused: not passed on", got)
    t.ok(pf.wait_log(r"milter-reject: END-OF-MESSAGE.*5\.7\.1 refused"),
         "and Postfix has the text for its bounce", pf.log()[-1500:])


# Ways to write bad@example.com that Postfix takes, and RFC 5321 does not.
SPELT = ("<(c)bad@example.com>", "<bad(c)@example.com>", "<bad @example.com>",
         "<bad@example.com.>", "<bad%example.com>")


def spelling(t, postfix):
    """Addresses that Postfix reads its own way: rules mean those it reads."""
    for rcpt in SPELT + ("<@relay.example:bad@example.com>", '<"bad"@example.com>'):
        said = postfix.talk(steps(b"x", rcpts=(rcpt,)))
        t.ok(550 in [r[0] for r in said.replies] and not said.sent,
             "a recipient that is refused, written " + rcpt, said)
        good = rcpt.replace("bad", "two")
        for subject, want in ((b"redirect me", ["abuse@example.com"]),
                              (b"rcpt me", ["new@example.com", "one@example.com"])):
            said = postfix.talk(steps(subject, rcpts=(good, "<one@example.com>")))
            t.same([sorted(to) for _, to, _ in said.sent], [want],
                   "%s, to one written %s" % (subject.decode(), good))
    for sender in ("<(c)late@a.example>", "<late@a.example.>", "<@relay.example:late@a.example>"):
        said = postfix.talk(steps(b"x", sender=sender))
        t.ok(451 in [r[0] for r in said.replies] and not said.sent,
             "a sender that is refused, written " + sender, said)


def told(t, postfix, daemon, certificate):
    """What Postfix tells of client, login and TLS."""
    def sent(c, subject, marker):
        reply = c.mail("ada@a.example", ["one@example.com"], mail(subject + marker))
        postfix.settle()
        found = [m.raw for m in postfix.sink.messages if marker in m.raw]
        return reply, found[0] if found else b""
    with net.Client(postfix.address, source="127.0.0.9") as c:
        ok = c.cmd("XCLIENT NAME=mx.a.example ADDR=192.0.2.9 LOGIN=ada HELO=mx.helo")
        c.cmd("EHLO mx.helo")
        reply, raw = sent(c, b"name me ", b"told-1.")
    t.ok(ok.code == 220 and b"\r\nX-Login: ada\r\n" in raw, "the login", ok, reply, raw)
    t.ok(b"\r\nX-Client: mx.a.example\r\n" in raw, "the client's name", raw)
    t.ok(daemon.wait_log(r"ev=message.*client=192\.0\.2\.9\b.*queue=\w+.*door=milter|"
                         r"ev=message.*door=milter.*queue=\w+"),
         "its address, and Postfix's queue id", daemon.log()[-1500:])
    queue = re.findall(r"\bqueue=(\w+)", daemon.log())[-1]
    t.ok(postfix.postfix.wait_log(r"\b%s: " % queue), "which Postfix's log has as well", queue)
    with net.Client(postfix.address, source="127.0.0.9") as c:
        ok = c.cmd("STARTTLS")
        if not t.same(ok.code, 220, "Postfix begins TLS", ok, c.ehlo, postfix.log()[-1500:]):
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certificate)
        context.check_hostname = False
        c.sock = context.wrap_socket(c.sock)
        c.cmd("EHLO mx.helo")
        reply, raw = sent(c, b"", b"told-2.")
        cipher = c.sock.cipher()[0].encode()
    t.ok(b"\r\nX-Tls: TLSv1.3 " + cipher in raw, "TLS version and cipher", ok, reply, raw)


def certificates(t, postfix, ca):
    """Postfix names whose a certificate is where its CAs vouch for it; and of names the common one."""
    known, stranger = ca.issue("client", "client.example"), certs.Authority(t, "foreign").issue("x", "client.example")
    for what, cert, want in (("one of its CA", known, b"yes|256|client.example|ca"),
                             ("a stranger's", stranger, b"unknown|256||"), ("none", None, b"unknown|256||")):
        marker = b"shown-%s." % what[:3].encode()
        with net.Client(postfix.address, source="127.0.0.9") as c:
            c.cmd("STARTTLS")
            context = certs.context(own=cert)
            c.sock = context.wrap_socket(c.sock)
            c.cmd("EHLO mx.helo")
            reply = c.mail("ada@a.example", ["one@example.com"], mail(b"cert-" + marker))
        postfix.settle()
        raw = b"".join(m.raw for m in postfix.sink.messages if marker in m.raw)
        got = re.findall(rb"\r\nX-Cert: (.*)\r\n", raw)
        t.same(got, [want], "the client's certificate, %s" % what, reply, raw[:900])


def make_certificate(t):
    key, cert = t.path("key.pem"), t.path("cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=asks.example", "-keyout", key, "-out", cert],
        check=True, capture_output=True, timeout=60)
    return key, cert


def test(t):
    path = t.path("door.sock")
    key, cert = make_certificate(t)
    ca = certs.Authority(t)
    tls = ("smtpd_tls_security_level = may\nsmtpd_tls_key_file = %s\n"
           "smtpd_tls_cert_file = %s\nsmtpd_tls_ask_ccert = yes\nsmtpd_tls_CAfile = %s\n" % (key, cert, ca.cert))
    postfix = PostfixSide(t, [], main=MAIN + tls)
    daemon = Postern(
        t, name="door", policy=POLICY + MANY + CERT,
        upstream="server %s; identity none;" % postfix.sink.server,
        listen="listen milter inet:0@127.0.0.1 { upstream up; }\n"
        "listen milter unix:%s { upstream up; mode 0666; }" % path)
    proxy = PosternSide(t, [], policy=POLICY)
    for how, address in (("over TCP", "inet:%s:%d" % daemon.milters()[0]),
                         ("over unix", "unix:" + path)):
        postfix.ask([("postern", address)])
        compare(t, how, postfix, proxy)
        several(t, how, postfix)
        long_replies(t, how, postfix)
        quarantine(t, how, postfix, daemon)
        hold(t, how, postfix, daemon)
        sendmail(t, how, postfix)
    spelling(t, postfix)
    told(t, postfix, daemon, cert)
    certificates(t, postfix, ca)
    old_protocols(t, postfix, proxy)
    t.same(re.findall(r".*(?:warning|error|fatal|panic): .*milter.*", postfix.postfix.whole_log()), [],
           "Postfix has nothing to complain of")
    t.ok("level=error" not in daemon.log(), "nor has postern",
         *re.findall(r".*level=error.*", daemon.log())[:10])
    t.same(daemon.terminate(), 0, "it ends with status 0", daemon.log()[-3000:])


tap.run(test, 300)
