"""policies_postfix - three recipients of three policies, seen at a real Postfix.

Design 4: with `mixed defer` a recipient of another policy than the first's
comes back in a message of his own; with `strictest` one verdict is for all.
In front a Postfix queue, too: what it makes of 452 4.5.3 is what senders do.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern
from postfix import Postfix

POLICIES = """
policy default {
    rule stamp { when size >= 0; then header set X-Policy "default"; }
}
policy tagged extends default for rcpt two@example.com {
    rule stamp { then header set X-Policy "tagged"; }
    rule prize { when subject contains "prize"; then subject prefix "[TWO] "; }
}
policy hard extends default for rcpt three@example.com {
    rule stamp { then header set X-Policy "hard"; }
    rule casino { when subject contains "casino"; then reject 550 5.7.1 "not for three"; }
}
"""
THREE = ["one@example.com", "two@example.com", "three@example.com"]


def gateway(t, pf, name, extra=""):
    return Postern(t, name=name, upstream="server %s; identity xclient;" % pf.server,
                   policy=None, top=POLICIES, extra=extra,
                   hosts={"127.0.0.1": "localhost.example"})


def got(pf, user, marker):
    return [m for m in pf.mails(user) if marker in m]


def policy_of(mails):
    return [re.search(rb"^X-Policy: (\w+)", m, re.M).group(1).decode() for m in mails]


def defer(t, pf):
    daemon = gateway(t, pf, "defer")
    with net.Client(daemon.address) as c:
        replies = c.envelope("ada@client.example", THREE)[1:]
        reply = c.data(b"Subject: a prize\r\n\r\nmarker first\r\n")
    t.ok([r.code for r in replies] == [250, 452, 452] and reply.code == 250,
         "defer: one recipient of three is taken", replies, reply)
    t.ok(replies[1].text.startswith("4.5.3 send this recipient separately"),
         "the others hear what to do", replies[1])
    pf.settle()
    t.same([len(got(pf, u, b"marker first")) for u in ("one", "two", "three")], [1, 0, 0],
           "at Postfix he alone has it")
    # A sender that queues: each comes by itself, under its own policy.
    front = Postfix(t, "front", domains=("front.example",),
                    main="relayhost = [127.0.0.1]:%d\nminimal_backoff_time = 1s\n"
                    "maximal_backoff_time = 2s\nqueue_run_delay = 1s\n" % daemon.address[1])
    reply = net.send(front.address, "ada@client.example", THREE,
                     b"Subject: a prize\r\n\r\nmarker queued\r\n")
    t.same(reply.code, 250, "a Postfix in front takes a mail for all three", reply)
    tap.until(lambda: all(got(pf, u, b"marker queued") for u in ("one", "two", "three")), 60)
    mails = [got(pf, u, b"marker queued") for u in ("one", "two", "three")]
    t.same([policy_of(m) for m in mails], [["default"], ["tagged"], ["hard"]],
           "each recipient has it once, under his own policy", front.log()[-3000:])
    t.same([b"\nSubject: [TWO] a prize" in m[0] for m in mails if m], [False, True, False],
           "and only one subject is changed")
    reply = net.send(front.address, "ada@client.example", THREE,
                     b"Subject: casino\r\n\r\nmarker refused\r\n")
    tap.until(lambda: got(pf, "one", b"marker refused") and got(pf, "two", b"marker refused")
              and "not for three" in front.log(), 60)
    t.same([len(got(pf, u, b"marker refused")) for u in ("one", "two", "three")], [1, 1, 0],
           "what one policy refuses the two others get", front.log()[-3000:])


def strictest(t, pf):
    daemon = gateway(t, pf, "strictest", "mixed strictest;")
    with net.Client(daemon.address) as c:
        replies = c.envelope("ada@client.example", THREE)[1:]
        reply = c.data(b"Subject: a prize\r\n\r\nmarker all\r\n")
        t.ok([r.code for r in replies] == [250] * 3 and reply.code == 250,
             "strictest: all three are taken", replies, reply)
        c.envelope("ada@client.example", THREE)
        reply = c.data(b"Subject: a prize in a casino\r\n\r\nmarker none\r\n")
        t.ok(reply.code == 550 and reply.text.startswith("5.7.1 not for three"),
             "what one policy refuses is refused for all", reply)
        c.envelope("ada@client.example", THREE[:2])
        reply = c.data(b"Subject: a casino\r\n\r\nmarker two\r\n")
        t.same(reply.code, 250, "without him it is not", reply)
    pf.settle()
    mails = [got(pf, u, b"marker all") for u in ("one", "two", "three")]
    t.same([len(m) for m in mails], [1, 1, 1], "at Postfix each has it once")
    t.ok(all(b"\nSubject: [TWO] a prize" in m[0] for m in mails if m),
         "with what any of the policies changed", *[m[0][-400:] for m in mails if m])
    t.same({tuple(policy_of(m)) for m in mails}, {("hard",)},
           "edits are done in file order: the last policy's header stands")
    t.same([len(got(pf, u, b"marker none")) for u in ("one", "two", "three")], [0, 0, 0],
           "the refused one nobody has")
    t.same([len(got(pf, u, b"marker two")) for u in ("one", "two", "three")], [1, 1, 0],
           "and the last one the two it was for")


def test(t):
    pf = Postfix(t, "behind", main="smtpd_authorized_xclient_hosts = 127.0.0.1\n")
    defer(t, pf)
    strictest(t, pf)


tap.run(test, 150)
