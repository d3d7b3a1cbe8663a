"""postfix_snippets - what contrib/postfix tells people to paste, pasted.

Each folder's main.cf and master.cf lines go into a real Postfix's, its
postern.conf into ours; only the ports are made free ones and port 25 a
loopback address. A mail goes through, one is refused, and the MTA knows who
is talking.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern, SOURCE
from postfix import Postfix

BODY = b"Subject: %s\r\n\r\nmarker %s\r\n"
POLICY = """rule marked { when subject contains "refuse me";
    then reject 550 5.7.1 "not here"; }"""


def snippet(folder, name, ports):
    """A file's text with the ports of this run."""
    path = os.path.join(SOURCE, "contrib/postfix", folder, name)
    if not os.path.exists(path):
        return ""
    with open(path) as f:
        text = f.read()
    for port, free in ports.items():
        text = re.sub(r"127\.0\.0\.1:%d\b" % port, "127.0.0.1:%d" % free, text)
    return text


def unchroot(text):
    """Our private Postfix has no chroot to run in: that one column."""
    return re.sub(r"^(\S+\s+inet\s+\S+\s+\S+)\s+y\b", r"\1 n", text, flags=re.M)


def both_ways(t, address, pf, daemon, what):
    reply = net.send(address, "ada@client.example", ["one@example.com"],
                     BODY % (b"hello", b"clean"), source="127.0.0.9",
                     helo="nine.helo")
    t.same(reply.code, 250, what + ": a mail goes through", reply,
           daemon.log()[-2000:])
    pf.settle()
    t.same(sum(b"marker clean" in m for m in pf.mails("one")), 1,
           what + ": and is delivered once", pf.log()[-2000:])
    reply = net.send(address, "ada@client.example", ["one@example.com"],
                     BODY % (b"refuse me", b"bad"), source="127.0.0.9")
    t.ok(reply.raw.startswith(b"550 5.7.1 not here [ref "),
         what + ": a refusal reaches the client", reply)
    pf.settle()
    t.same(sum(b"marker bad" in m for m in pf.mails("one")), 0,
           what + ": and the mail is nowhere")


def in_front(t):
    free = {2525: net.free_port()}
    # The smtpd of the snippet is the only one: the class's own line goes.
    pf = Postfix(t, "behind", main=snippet("in-front", "main.cf", free),
                 port=free[2525])
    line = unchroot(snippet("in-front", "master.cf", free))
    t.ok(re.search(r"^127\.0\.0\.1:%d inet .* smtpd$" % free[2525], line, re.M),
         "in-front: master.cf names the port that postern.conf relays to", line)
    pf.replace_smtpd(line)
    conf = snippet("in-front", "postern.conf", free)
    t.ok("listen smtp *:25" in conf, "in-front: postern has port 25", conf)
    conf = conf.replace("*:25", "127.0.0.1:0")
    daemon = Postern(t, name="front", listen=" ", upstream=conf, policy=POLICY)
    both_ways(t, daemon.address, pf, daemon, "in-front")
    t.ok(re.search(r"client=unknown\[127\.0\.0\.9\]", pf.log()),
         "in-front: Postfix logs the client's address", pf.log()[-2000:])


def proxy_filter(t):
    free = {10025: net.free_port(), 10026: net.free_port()}
    pf = Postfix(t, "edge")
    edge = unchroot(snippet("proxy-filter", "master.cf", free))
    t.ok(re.search(r"^smtp +inet", edge, re.M), "proxy-filter: Postfix has port 25")
    pf.replace_smtpd(re.sub(r"^smtp +inet", pf.server + " inet", edge, flags=re.M))
    daemon = Postern(t, name="filter", listen=" ", policy=POLICY,
                     upstream=snippet("proxy-filter", "postern.conf", free))
    both_ways(t, pf.address, pf, daemon, "proxy-filter")
    t.ok(re.search(r"orig_client=unknown\[127\.0\.0\.9\]", pf.log()),
         "proxy-filter: the second smtpd logs the client", pf.log()[-2000:])
    t.ok(daemon.wait_log(r"ev=message.*client=127\.0\.0\.9\b"),
         "proxy-filter: postern judges the client's address", daemon.log()[-2000:])


def test(t):
    in_front(t)
    proxy_filter(t)


tap.run(test, 90)
