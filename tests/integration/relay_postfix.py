"""relay_postfix - real Postfix behind, swaks in front.

Design 6: replies word for word, the MTA behind knows who is talking, and
without the channel that tells it nothing is relayed. Then the other way
round: Postfix's before-queue filter in front, reinjection behind.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
import tools
from postern import Postern
from postfix import Postfix

BODY = b"Subject: %s\r\n\r\nmarker %s\r\n.a line with a dot\r\n"


def three_recipients(t, pf, daemon):
    to = "one@example.com,nobody@example.com,two@example.com"
    with net.Client(pf.address) as c:
        own = c.envelope("ada@client.example", ["nobody@example.com"])[1].raw
    code, text, replies = tools.swaks(
        daemon.address, "--from", "ada@client.example", "--to", to,
        "--body", "marker three")
    t.same(code, 0, "swaks sends to three recipients, one unknown", text)
    t.ok(own.decode().strip() in replies,
         "Postfix's own 550 reaches the client word for word", own, text)
    t.ok(pf.settle(), "Postfix delivers what it took")
    got = [sum(b"marker three" in m for m in pf.mails(u)) for u in ("one", "two")]
    t.same(got, [1, 1], "the two others get the mail exactly once")
    with net.Client(daemon.address) as c:
        through = c.envelope("ada@client.example", ["nobody@example.com"])[1].raw
    t.same(through, own, "octet for octet, as Postfix says it directly")


def who_is_talking(t, pf, daemon):
    stranger = "someone@elsewhere.example"
    code, text, replies = tools.swaks(
        daemon.address, "--from", "ada@client.example", "--to", stranger,
        "--local-interface", "127.0.0.9", "--quit-after", "RCPT")
    t.ok(any(r.startswith("554 5.7.1 <someone@elsewhere.example>: Relay access denied")
             for r in replies), "Postfix refuses to relay for 127.0.0.9", text)
    t.ok(pf.wait_log(r"reject: RCPT from nine\.client\.example\[127\.0\.0\.9\]: 554"),
         "Postfix logs 127.0.0.9 with its name", pf.log()[-2000:])
    code, text, replies = tools.swaks(
        daemon.address, "--from", "ada@client.example", "--to", stranger,
        "--quit-after", "RCPT")
    t.same(code, 0, "127.0.0.1, in mynetworks, may relay", text)
    code, text, replies = tools.swaks(
        daemon.address, "--from", "ada@client.example", "--to", "one@example.com",
        "--local-interface", "127.0.0.10", "--body", "marker ten")
    t.ok("554 5.7.1 <unknown[127.0.0.10]>: Client host rejected: "
         "we know 127.0.0.10, thank you" in replies,
         "a check_client_access entry reaches the client word for word", text)
    with net.Client(daemon.address, source="127.0.0.9", helo="nine.helo") as c:
        reply = c.mail("ada@client.example", ["one@example.com"],
                       BODY % (b"nine", b"nine"))
        c.quit()
    t.same(reply.code, 250, "127.0.0.9 may write to example.com", reply)
    pf.settle()
    mails = [m for m in pf.mails("one") if b"marker nine" in m]
    t.ok(len(mails) == 1 and re.search(
        rb"Received: from nine\.helo \(nine\.client\.example \[127\.0\.0\.9\]\)", mails[0]),
        "Postfix's Received line names the client, its HELO and its PTR", *mails)
    t.ok(not any(b"marker ten" in m for m in pf.mails("one")),
         "the refused client's mail is nowhere")


def without_xclient(t, pf, daemon):
    pf.set("smtpd_authorized_xclient_hosts=")
    before = len(pf.mails("one"))
    with net.Client(daemon.address) as c:
        first = c.cmd("MAIL FROM:<ada@client.example>")
        rcpt = c.cmd("RCPT TO:<one@example.com>")
        data = c.cmd("DATA")
    t.ok(first.raw.startswith(b"451 4.3.5 "), "no XCLIENT behind: MAIL gets 451 4.3.5",
         first)
    t.ok(rcpt.code == 503 and data.code == 503, "and nothing goes on from there",
         rcpt, data)
    t.ok(daemon.wait_log(r"level=error.*(?i:xclient)|(?i:xclient).*level=error|error.*(?i:xclient)"),
         "the log has it as an error", daemon.log()[-2000:])
    pf.settle()
    t.same(len(pf.mails("one")), before, "nothing is relayed")
    pf.set("smtpd_authorized_xclient_hosts=127.0.0.1")
    reply = net.send(daemon.address, "ada@client.example", ["one@example.com"],
                     BODY % (b"again", b"again"))
    t.same(reply.code, 250, "with XCLIENT again, mail flows again", reply)


def over_ipv6(t, pf, daemon):
    host, port = daemon.listening()[1]
    t.ok(host == "::1" and port > 0, "an IPv6 listener on a free port", daemon.listening())
    reply = net.send((host, port), "ada@client.example", ["one@example.com"],
                     BODY % (b"six", b"six"), helo="six.helo")
    t.same(reply.code, 250, "takes a mail", reply)
    t.ok(pf.wait_log(r"client=\S+\[::1\]"), "and Postfix logs ::1", pf.log()[-2000:])


def before_queue(t):
    door = net.free_port()
    back = net.free_port()
    pf = Postfix(
        t, "edge", smtpd="-o smtpd_proxy_filter=127.0.0.1:%d"
        " -o smtpd_client_connection_count_limit=0" % door,
        services="127.0.0.1:%d inet n - n - - smtpd"
        " -o smtpd_authorized_xforward_hosts=127.0.0.1"
        " -o mynetworks=127.0.0.1 -o receive_override_options=no_unknown_recipient_checks\n"
        % back)
    daemon = Postern(
        t, name="between",
        listen="listen smtp 127.0.0.1:%d { upstream up;"
        " identity from 127.0.0.1 xforward; }" % door,
        upstream="server 127.0.0.1:%d; identity xforward;" % back,
        policy='rule no-marker { when subject contains "refuse me";'
        ' then reject 550 5.7.1 "not here"; }')
    reply = net.send(pf.address, "ada@client.example", ["one@example.com"],
                     BODY % (b"x", b"queue"), source="127.0.0.9", helo="nine.helo")
    t.same(reply.code, 250, "before the queue: Postfix, postern, Postfix take it",
           reply, daemon.log()[-2000:])
    pf.settle()
    t.same(sum(b"marker queue" in m for m in pf.mails("one")), 1,
           "delivered exactly once", pf.log()[-2000:])
    t.ok(re.search(r"orig_client=unknown\[127\.0\.0\.9\]", pf.whole_log()),
         "the reinjecting smtpd logs the original client (XFORWARD)", pf.log()[-3000:])
    t.ok(daemon.wait_log(r"ev=message.*client=127\.0\.0\.9\b"),
         "postern takes 127.0.0.9 for the client", daemon.log()[-2000:])
    reply = net.send(pf.address, "ada@client.example", ["one@example.com"],
                     BODY % (b"refuse me", b"refused"), source="127.0.0.9")
    t.ok(re.match(rb"550 5\.7\.1 not here \[ref \w+\]", reply.raw),
         "postern's refusal goes through Postfix to the client", reply)
    pf.settle()
    t.same(sum(b"marker refused" in m for m in pf.mails("one")), 0,
           "and the refused mail is nowhere")


def test(t):
    access = t.write("access", "127.0.0.10 REJECT we know 127.0.0.10, thank you\n")
    pf = Postfix(t, "behind", main="smtpd_authorized_xclient_hosts = 127.0.0.1\ninet_protocols = all\n"
                 "smtpd_client_restrictions = check_client_access texthash:%s\n" % access)
    daemon = Postern(t, upstream="server %s; identity xclient;" % pf.server,
                     listen="listen smtp 127.0.0.1:0 { upstream up; }\n"
                     "listen smtp [::1]:0 { upstream up; }",
                     hosts={"127.0.0.9": "nine.client.example",
                            "127.0.0.1": "localhost.example"})
    three_recipients(t, pf, daemon)
    who_is_talking(t, pf, daemon)
    over_ipv6(t, pf, daemon)
    without_xclient(t, pf, daemon)
    t.ok(re.search(r"ev=message", daemon.log()), "each message has its summary line",
         daemon.log())
    before_queue(t)


tap.run(test, 90)
