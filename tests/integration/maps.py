"""maps - files that the policy is made of change, and nobody says so; people.

map_check: the daemon looks at its maps and reloads what changed: an address
added, a cdb put in the place of another, a pattern in the sandboxed inspector.
A broken map changes nothing and is logged once; `map_check 0` never looks.
"""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern

POLICY = """
rule blocked  { when sender in blocked;     then reject 550 5.7.1 "blocked"; }
rule neighbour{ when client.ip in nets;     then reject 550 5.7.1 "nets"; }
rule words    { when subject in words;      then reject 550 5.7.1 "words"; }
rule listed   { when from in listed;        then reject 550 5.7.1 "listed"; }
rule spoof    { when from claims ceo or reply-to claims ceo;
                unless from.address in ceo;  then reject 550 5.7.1 "spoof"; }
"""
TOP = """
map blocked = text:blocked;
map nets    = cidr:nets;
map words   = pcre:words;
map listed  = cdb:listed.cdb;
people ceo { name "Ada Meyer"; address ada@example.com; }
"""
BODY = b"Subject: %s\r\nFrom: %s\r\n\r\nhello\r\n"


class Maps:
    def __init__(self, folder):
        self.folder = folder

    def put(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

    def put_cdb(self, name, pairs):
        path = os.path.join(self.folder, name)
        subprocess.run(["cdb", "-c", "-m", path + ".new"], check=True, text=True,
                       input="".join("%s %s\n" % p for p in pairs))
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)


def verdict(daemon, sender="ada@client.example", subject=b"hello",
            author=b"ada@client.example"):
    reply = net.send(daemon.address, sender, ["one@example.com"], BODY % (subject, author))
    return reply.text.split()[1] if reply.code == 550 else reply.code


# Who says he is whom, in a field; the verdict.
CLAIMS = [
    (b"Ada Meyer <mallory@example.org>", "spoof"),
    (b"\"Meyer, Ada (CEO)\" <mallory@example.org>", "spoof"),
    (b"=?UTF-8?B?0JBkYSBN0LV5ZXI=?= <mallory@example.org>", "spoof"),
    (b"=?iso-8859-1?Q?=C0da?= =?iso-8859-1?Q?_M=EAyer?= <mallory@example.org>", "spoof"),
    (b"\"ada@example.com\" <mallory@example.org>", "spoof"),
    (b"x@y.example\r\nReply-To: Ada Meyer <mallory@example.org>", "spoof"),
    (b"Ada Meyer <ada@example.com>", 250),
    (b"ada@example.com", 250),
    (b"Adam Meyers <adam@example.org>", 250),
    (b"Ada Meyerhof <hof@example.org>", 250),
]


def becomes(daemon, want, **mail):
    return tap.until(lambda: verdict(daemon, **mail) == want, 15, 0.3)


def generation(daemon):
    return daemon.status()["generation"]


def test(t):
    folder = t.folder("maps")
    os.chmod(folder, 0o755)
    maps = Maps(folder)
    maps.put("blocked", "# nobody\n")
    maps.put("nets", "192.0.2.0/24 documentation\n")
    maps.put("words", "/viagra/ 550 no\n")
    maps.put_cdb("listed.cdb", [("eve@listed.example", "x")])
    top = TOP
    for name in ("blocked", "nets", "words", "listed.cdb"):
        top = top.replace(":%s;" % name, ":%s;" % os.path.join(folder, name))
    daemon = Postern(t, policy=POLICY, top=top, extra="map_check 300ms;")

    t.same(verdict(daemon), 250, "a clean mail passes")
    t.same(verdict(daemon, subject=b"ViAgRa"), "words",
           "a pattern is searched for in the inspector")
    t.same(verdict(daemon, author=b"Eve <Eve@Listed.example>"), "listed",
           "and so is a key of the cdb")
    wrong = [(c, got) for c, got in ((c, verdict(daemon, author=c[0])) for c in CLAIMS)
             if got != c[1]]
    t.ok(not wrong, "%d display names: who claims to be Ada Meyer" % len(CLAIMS), *wrong)
    first = generation(daemon)
    time.sleep(1.5)
    t.same(generation(daemon), first, "files that stay as they are reload nothing")

    maps.put("blocked", "ada@client.example\n")
    t.ok(becomes(daemon, "blocked"), "an address put into the map is refused, without a signal",
         daemon.log()[-2000:])
    t.ok("ev=map state=changed file=\"%s/blocked\"" % folder in daemon.log(),
         "the log says which file", daemon.log()[-2000:])
    with open(os.path.join(folder, "blocked"), "w") as f:
        f.write("# written in place\n")
    t.ok(becomes(daemon, 250), "and taken out in place it passes again",
         daemon.log()[-2000:])

    before = generation(daemon)
    maps.put("nets", "127.0.0.0/8 DUNNO\n0.0.0.0/0 all\n")
    t.ok(tap.until(lambda: generation(daemon) > before, 15, 0.2), "another map is read")
    t.same(verdict(daemon), 250, "a network with DUNNO is not in the map")
    maps.put("nets", "127.0.0.0/8 us\n")
    t.ok(becomes(daemon, "nets"), "one with another value is")
    maps.put("nets", "")

    t.ok(becomes(daemon, 250), "an empty map holds nothing")
    maps.put_cdb("listed.cdb", [("@client.example", "x")])
    t.ok(becomes(daemon, "listed"), "a cdb renamed into place is asked",
         daemon.log()[-2000:])
    t.same(verdict(daemon, author=b"eve@listed.example"), 250, "and the old one is not")
    maps.put_cdb("listed.cdb", [])
    t.ok(becomes(daemon, 250), "an empty cdb holds nothing")

    before = generation(daemon)
    maps.put("words", "/viagra/ no\n/chea(p/ no\n")
    t.ok(daemon.wait_log(r"ev=reload result=failed .*words:2:8: missing closing parenthesis"),
         "a broken map is logged with line and column", daemon.log()[-2000:])
    time.sleep(1.5)
    t.same(daemon.log().count("words:2:8:"), 1, "once")
    t.same(generation(daemon), before, "the old generation serves on")
    t.same(verdict(daemon, subject=b"viagra"), "words", "by the old map")
    os.unlink(os.path.join(folder, "words"))
    t.ok(daemon.wait_log(r"ev=reload result=failed .*words: No such file"),
         "so does a map that is gone", daemon.log()[-2000:])
    maps.put("words", "/cheap/ no\n")
    t.ok(becomes(daemon, "words", subject=b"cheap"), "mended, it rules",
         daemon.log()[-2000:])

    mended = generation(daemon)
    daemon.configure(POLICY, top, extra="map_check 0;")
    daemon.reload()
    t.ok(daemon.wait_log(r"ev=reload result=ok generation=%d" % (mended + 1)),
         "map_check 0 is read", daemon.log()[-2000:])
    quiet = generation(daemon)
    maps.put("words", "/dear/ no\n")
    time.sleep(1.5)
    t.same(generation(daemon), quiet, "with map_check 0 nothing is looked at")
    daemon.reload()
    t.ok(becomes(daemon, "words", subject=b"dear"), "until it is told")


tap.run(test, 120)
