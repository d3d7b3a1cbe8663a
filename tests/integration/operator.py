"""operator - what an operator asks postern(1) for on the first day.

conf, facts, map, try and explain without a daemon; history, drain, top and
doctor with one.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import tap
from postern import run

CONF = """\
hostname mx.example.com;
mynetworks 127.0.0.0/8 10.1.0.0/16;
spool "/tmp/x y";
listen smtp *:25 { upstream mta; }
include more.conf;
policy p { rule broken { nonsense /};{/ ; } }
"""
MORE = """\
upstream mta {
    server 127.0.0.1:2525; identity xclient;
    reply_timeout 10m;
}
"""


def conf(t):
    more = t.write("more.conf", MORE)
    path = t.write("first.conf", CONF)

    def ask(*words):
        return run(("-c", path, "conf") + words)

    def lines(done):
        return [line.split(None, 1)[0] + " | " + line.rpartition(" # ")[2]
                for line in done.stdout.splitlines() if " # " in line]

    done = ask("-n")
    t.same(lines(done), ["hostname | %s:1" % path, "mynetworks | %s:2" % path,
                         "spool | %s:3" % path, "upstream | %s:1" % more,
                         "server | %s:2" % more, "identity | %s:2" % more,
                         "reply_timeout | %s:3" % more, "listen | %s:4" % path,
                         "upstream | %s:4" % path],
           "conf -n: what is written, with file and line", done.stdout, done.stderr)
    done = ask()
    t.ok("\nlog stderr; " in done.stdout and "log | default" in lines(done)
         and "connect_timeout | default" in lines(done), "conf: with the defaults",
         done.stdout)
    again = t.write("again.conf", done.stdout)
    t.same([l.split(" # ")[0] for l in run(("-c", again, "conf")).stdout.splitlines()],
           [l.split(" # ")[0] for l in done.stdout.splitlines()],
           "conf's answer is a configuration that means the same")
    done = run(("-c", "/nonexistent", "conf", "-d"))
    t.ok(done.returncode == 0 and "spool /var/spool/postern; " in done.stdout
         and "# relay_domains has no value" in done.stdout, "conf -d needs no file",
         done.stdout, done.stderr)
    done = ask("spool", "upstream mta", "--json")
    got = [(s.get("block"), s.get("name"), s.get("value"), s.get("line"))
           for s in json.loads(done.stdout)["settings"]]
    t.same(got[:3], [(None, "spool", '"/tmp/x y"', 3), ("upstream mta", None, None, 1),
                     ("upstream mta", "server", "127.0.0.1:2525", 2)], "conf NAME --json")
    done = ask("hostnam")
    t.ok(done.returncode == 64 and 'did you mean "hostname"' in done.stderr,
         "conf of no setting", done.stderr)
    t.same(ask("-n", "-d").returncode, 64, "conf -n -d")


def test(t):
    conf(t)


tap.run(test, 120)
