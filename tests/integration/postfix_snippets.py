"""postfix_snippets - what contrib/postfix tells people to paste, pasted.

Each folder's main.cf and master.cf lines go into a real Postfix's, its
postern.conf into ours; only the ports are made free ones and port 25 a
loopback address. A mail goes through, one is refused, and the MTA knows who
is talking.
"""

import os
import re
import shutil
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


def fronted(t, folder, pf, free):
    """Through postern to that Postfix, which sees who the client is."""
    conf = snippet(folder, "postern.conf", free)
    t.ok("listen smtp *:25" in conf, folder + ": postern has port 25", conf)
    conf = conf.replace("*:25", "127.0.0.1:0")
    daemon = Postern(t, name=folder, listen=" ", upstream=conf, policy=POLICY)
    both_ways(t, daemon.address, pf, daemon, folder)
    t.ok(re.search(r"client=unknown\[127\.0\.0\.9\]", pf.whole_log()),
         folder + ": Postfix logs the client's address", pf.log()[-2000:])


def in_front(t):
    free = {2525: net.free_port()}
    # The smtpd of the snippet is the only one: the class's own line goes.
    pf = Postfix(t, "behind", main=snippet("in-front", "main.cf", free),
                 port=free[2525])
    line = unchroot(snippet("in-front", "master.cf", free))
    t.ok(re.search(r"^127\.0\.0\.1:%d inet .* smtpd$" % free[2525], line, re.M),
         "in-front: master.cf names the port that postern.conf relays to", line)
    pf.replace_smtpd(line)
    fronted(t, "in-front", pf, free)


def in_front_proxy(t):
    free = {2525: net.free_port()}
    # Who waits for a header greets nobody without: the class's own line stays.
    pf = Postfix(t, "header", services=unchroot(snippet("in-front-proxy", "master.cf", free)))
    fronted(t, "in-front-proxy", pf, free)


def proxy_filter(t):
    free = {10025: net.free_port(), 10026: net.free_port()}
    pf = Postfix(t, "edge")
    edge = unchroot(snippet("proxy-filter", "master.cf", free))
    t.ok(re.search(r"^smtp +inet", edge, re.M), "proxy-filter: Postfix has port 25")
    pf.replace_smtpd(re.sub(r"^smtp +inet", pf.server + " inet", edge, flags=re.M))
    daemon = Postern(t, name="filter", listen=" ", policy=POLICY,
                     upstream=snippet("proxy-filter", "postern.conf", free))
    both_ways(t, pf.address, pf, daemon, "proxy-filter")
    t.ok(re.search(r"orig_client=unknown\[127\.0\.0\.9\]", pf.whole_log()),
         "proxy-filter: the second smtpd logs the client", pf.log()[-2000:])
    t.ok(daemon.wait_log(r"ev=message.*client=127\.0\.0\.9\b"),
         "proxy-filter: postern judges the client's address", daemon.log()[-2000:])


def milter(t):
    free = {10026: net.free_port(), 8895: net.free_port()}
    main = snippet("milter", "main.cf", free).replace("{", "{{").replace("}", "}}")
    pf = Postfix(t, "beside", main=main,
                 services=unchroot(snippet("milter", "master.cf", free)))
    folder = os.path.join(pf.dir, "queue", "postern")
    os.mkdir(folder)
    shutil.chown(folder, "root", "postfix")
    os.chmod(folder, 0o710)
    conf = snippet("milter", "postern.conf", free)
    t.ok("listen milter unix:/var/spool/postfix/postern/milter" in conf,
         "milter: its socket lies below the queue directory", conf)
    conf = conf.replace("/var/spool/postfix/postern", folder)
    tcp = re.search(r'"(listen milter inet:.*)" in postern.conf:\n#\s+(smtpd_milters.*)',
                    snippet("milter", "main.cf", {}))
    # libmilter's way to write it: the port comes first.
    tcp_listen = tcp.group(1).replace("8895@", "%d@" % free[8895])
    daemon = Postern(t, name="beside", listen=tcp_listen, upstream=conf, policy=POLICY
                     + 'rule keep { when subject contains "keep me"; then quarantine; }')
    both_ways(t, pf.address, pf, daemon, "milter")
    t.ok(re.search(r"milter-reject: END-OF-MESSAGE .*127\.0\.0\.9.*5\.7\.1 not here", pf.whole_log()),
         "milter: Postfix logs what it refused for us", pf.log()[-2000:])
    reply = net.send(pf.address, "ada@client.example", ["one@example.com"],
                     BODY % (b"keep me", b"held"))
    held = daemon.quarantine()
    t.ok(reply.code == 250 and len(held) == 1, "milter: one is held", reply, held)
    done = daemon.cli("quarantine", "release", held[0]["id"])
    pf.settle()
    t.ok(done.returncode == 0 and sum(b"marker held" in m for m in pf.mails("one")) == 1,
         "milter: and released through the smtpd without a milter", done.stdout,
         done.stderr, pf.log()[-2000:])
    pf.set(tcp.group(2).replace(":8895", ":%d" % free[8895]))
    reply = net.send(pf.address, "ada@client.example", ["one@example.com"],
                     BODY % (b"refuse me", b"bad"))
    t.ok(reply.raw.startswith(b"550 5.7.1 not here [ref "), "milter: over TCP as well", reply)
    t.ok("warning: milter" not in pf.log(), "milter: without a warning", pf.log()[-2000:])


def squeezed(text):
    """Without comments and blanks: a manual may write on one line."""
    return re.sub(r"\s+", "", re.sub(r"^#.*$", "", text, flags=re.M))


def manual(t):
    """What postern-postfix(7) tells people to paste is what is pasted here."""
    with open(os.path.join(SOURCE, "contrib/man/postern-postfix.7")) as f:
        page = f.read().replace("\\e", "\\")
    here = os.path.join(SOURCE, "contrib/postfix")
    pasted = [squeezed(snippet(folder, name, {})) for folder in os.listdir(here)
              for name in ("main.cf", "master.cf", "postern.conf")]
    blocks = re.findall(r"^\.Pa (?:main\.cf|master\.cf|postern\.conf) :\n"
                        r"\.Bd -literal.*?\n(.*?)^\.Ed", page, re.M | re.S)
    t.ok(len(blocks) >= 7, "manual: names the files its snippets are for", blocks)
    for block in blocks:
        lines = [squeezed(x) for x in block.splitlines()]
        t.ok(any(squeezed(block) in text or all(x in text for x in lines)
                 for text in pasted),
             "manual: %s ... is as contrib/postfix has it" % lines[0][:30], block)


def test(t):
    manual(t)
    milter(t)
    in_front(t)
    in_front_proxy(t)
    proxy_filter(t)


tap.run(test, 90)
