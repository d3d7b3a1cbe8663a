"""byte_identical - a message no rule changed leaves octet for octet.

Promise 2 of the design. Compared at a capturing sink, through the whole
daemon with a policy that reads every mail; and a DKIM signature, made by
opendkim in a first Postfix, still verifies in the maildir of the second.
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
import tools
from postern import Postern
from postfix import Postfix
from sink import Sink

POLICY = 'rule never { when subject contains "a subject that nobody writes";' \
         ' then reject 550 5.7.1 "no"; }'

HEAD = b"From: ada@client.example\r\nSubject: octets\r\n"
ODD = (
    ("dots at line starts", HEAD + b"\r\n.\r\n..\r\n...\r\n.a\r\n\r\n.\r\n"),
    ("a body that begins with a dot", b".first\r\n.second: x\r\n\r\n."),
    ("8-bit octets", HEAD + b"\r\n" + bytes(set(range(1, 256)) - {10, 13}) + b"\r\n"),
    ("a line of 100,000 octets", HEAD + b"\r\n" + b"x" * 100000 + b"\r\nend\r\n"),
    ("a header line of 100,000 octets",
     HEAD + b"X-Long: " + b"y" * 100000 + b"\r\n\r\nend\r\n"),
    ("an empty message", b""),
    ("an empty body", HEAD + b"\r\n"),
    ("headers only, no empty line", HEAD),
    ("a header line without a colon at the end", HEAD + b"no colon here\r\n"),
    ("only empty lines", b"\r\n\r\n\r\n"),
    ("a body only", b"\r\njust a body\r\n"),
    ("a megabyte", HEAD + b"\r\n" + b"0123456789abcde\r\n" * 65536),
    ("three megabytes with dots", HEAD + b"\r\n" + b".line\r\n" * 450000),
)


def finished(body):
    return body if not body or body.endswith(b"\r\n") else body + b"\r\n"


def octets(t, daemon, sink):
    for what, body in ODD:
        n = len(sink.messages)
        reply = net.send(daemon.address, "ada@client.example", ["one@example.com"], body)
        got = sink.messages[n].raw if len(sink.messages) > n else None
        t.ok(reply.code == 250 and got == finished(body), what, reply,
             "sent %d octets, arrived %s" % (len(body), got and len(got)))
    nul = HEAD + b"\r\nbefore\0after\r\n"
    n = len(sink.messages)
    reply = net.send(daemon.address, "ada@client.example", ["one@example.com"], nul)
    arrived = [m.raw for m in sink.messages[n:]]
    t.ok(arrived == [nul] if reply.code == 250 else
         reply.code // 100 == 5 and not arrived,
         "NUL is carried or refused (%d), never changed" % reply.code, reply)
    # A body in many small pieces, cut within CRLF and within the end of data.
    body = HEAD + b"\r\n" + b".a\r\n..b\r\n" * 20
    n = len(sink.messages)
    with net.Client(daemon.address) as c:
        c.envelope("ada@client.example", ["one@example.com"])
        c.cmd("DATA")
        wire = net.stuff(body)
        for i in range(0, len(wire), 3):
            c.send(wire[i:i + 3])
        reply = c.reply()
    t.ok(reply.code == 250 and sink.messages[n].raw == body,
         "sent three octets at a time", reply)
    for what, bad in (("bare LF", b"a\nb"), ("bare CR", b"a\rb"),
                      ("LF dot LF", b"a\n.\nQUIT"), ("LF dot CRLF", b"a\n.\r\nb")):
        n = len(sink.messages)
        reply = net.send(daemon.address, "ada@client.example", ["one@example.com"],
                         HEAD + b"\r\n" + bad + b"\r\n")
        t.ok(reply.raw.startswith(b"550 5.5.2") and len(sink.messages) == n,
             "%s is refused, never passed on" % what, reply)


def corpus(t, daemon, sink):
    mails, where = tools.corpus(200, own=40)
    wrong = []
    n = len(sink.messages)
    with net.Client(daemon.address) as c:
        for name, body in mails:
            n = len(sink.messages)
            reply = c.mail("ada@client.example", ["one@example.com"], body)
            got = [m.raw for m in sink.messages[n:]]
            if reply.code != 250 or got != [finished(body)]:
                wrong.append("%s: %r" % (name, reply))
    t.ok(not wrong, "%d mails %s arrive octet for octet, each once"
         % (len(mails), where), *wrong[:20])


def dkim(t):
    key = t.folder("keys")
    subprocess.run(["opendkim-genkey", "-b", "2048", "-d", "client.example", "-s", "test",
                    "-D", key], check=True, timeout=60)
    public = open(os.path.join(key, "test.txt")).read()
    record = "".join(re.findall(r'"([^"]*)"', public))
    keys = t.write("public-keys", "test._domainkey.client.example %s\n" % record)
    os.chmod(os.path.join(key, "test.private"), 0o600)
    port = net.free_port()
    conf = t.write("opendkim.conf", """
Mode s
Domain client.example
Selector test
KeyFile %s/test.private
Socket inet:%d@127.0.0.1
Canonicalization simple/simple
InternalHosts 127.0.0.1
RequireSafeKeys no
Background no
Syslog no
""" % (key, port))
    signer = subprocess.Popen(["opendkim", "-f", "-x", conf], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    t.defer(signer.wait)
    t.defer(signer.terminate)
    if not tap.until(lambda: net.is_open(("127.0.0.1", port)), 30):
        raise RuntimeError("opendkim does not listen")

    behind = Postfix(t, "second",
                     main="smtpd_authorized_xclient_hosts = 127.0.0.1\n")
    daemon = Postern(t, name="dkim", policy=POLICY,
                     upstream="server %s; identity xclient;" % behind.server)
    first = Postfix(t, "first", domains=("unused.example",),
                    main="relayhost = [127.0.0.1]:%d\n"
                    "smtpd_milters = inet:127.0.0.1:%d\n"
                    "milter_default_action = tempfail\n" % (daemon.address[1], port))
    body = (b"From: Ada <ada@client.example>\r\nTo: one@example.com\r\n"
            b"Subject: two  spaces\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n"
            b"Message-Id: <1@client.example>\r\n\r\n"
            b"Trailing space \r\n.dot\r\n\r\n\r\nlast \xc3\xbc line\r\n\r\n\r\n")
    reply = net.send(first.address, "ada@client.example", ["one@example.com"], body)
    t.same(reply.code, 250, "a first Postfix signs and takes it", reply, first.log()[-2000:])
    t.ok(tap.until(lambda: behind.mails("one"), 20), "it goes through postern to a second",
         first.log()[-2000:], daemon.log()[-2000:])
    mail = behind.mails("one")[0].replace(b"\n", b"\r\n")
    t.ok(b"DKIM-Signature:" in mail, "with a signature", mail)

    verify = t.write("verify.conf", "Mode v\nTestPublicKeys %s\nSyslog no\n" % keys)

    def verdict(octets):
        file = t.write("mail.eml", octets)
        done = subprocess.run(["opendkim", "-x", verify, "-vvv", "-t", file],
                              capture_output=True, text=True, timeout=30,
                              stdin=subprocess.DEVNULL)
        return done.stdout + done.stderr

    good = verdict(mail)
    t.ok("verification (s=test" in good and "succeeded" in good,
         "that verifies after postern and Postfix", good)
    bad = verdict(mail.replace(b"Trailing space \r\n", b"Trailing space\r\n"))
    t.ok("succeeded" not in bad, "and would not with one space less", bad)


def test(t):
    sink = Sink()
    t.defer(sink.close)
    daemon = Postern(t, upstream="server %s; identity xclient;" % sink.server,
                     policy=POLICY, workers=2)
    octets(t, daemon, sink)
    corpus(t, daemon, sink)
    dkim(t)


tap.run(test, 120)
