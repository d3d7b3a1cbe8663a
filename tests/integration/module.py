"""module - modules outside the tree, built against the installed header alone
and loaded by the installed posternd.

Their facts from .inspect and from asks are in explain; each misbehaviour costs
its own answer, and a message whose .inspect crashes or loops itself alone;
what is built for another version is refused; a file that changed needs a
restart; the example of postern-filter(3) does what the page says.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import postern
import tap
from postern import Postern
from service import Service

DATA = os.path.join(postern.SOURCE, "tests/data/module")
BODY = (b"From: a@client.example\r\nTo: one@example.com\r\n"
        b"Subject: BUY Cheap Pills NOW\r\n%s\r\nhello\r\n")


# building

def install(t):
    """make install into a folder of the test; what stands for its bin."""
    root = t.folder("root")
    env = {k: v for k, v in os.environ.items()
           if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        ["make", "-s", "-C", postern.build(), "install", "DESTDIR=" + root],
        capture_output=True, text=True, env=env, timeout=300)
    t.same(done.returncode, 0, "make install", done.stdout, done.stderr)
    found = {}
    for folder, _, files in os.walk(root):
        for name in files:
            if "completion" not in folder:
                found.setdefault(name, os.path.join(folder, name))
    run = t.folder("run")
    for name in ("posternd", "postern"):
        os.symlink(found[name], os.path.join(run, name))
    shutil.copy(os.path.join(postern.build(), "config.h"), run)
    return root, found, run


class Builder:
    """A compiler that sees what is installed, and nothing else of ours."""

    def __init__(self, t, root, pc):
        self.t = t
        self.out = t.folder("modules")
        os.chmod(self.out, 0o755)
        self.env = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=root,
                        PKG_CONFIG_PATH=os.path.dirname(pc))
        self.flags = self.ask("--cflags").split()

    def ask(self, *what):
        return subprocess.run(["pkg-config", *what, "postern-filter"], env=self.env,
                              capture_output=True, text=True, check=True).stdout.strip()

    def module(self, name, source, *more):
        path = os.path.join(self.out, name + ".so")
        done = subprocess.run(
            ["cc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1",
             "-fPIC", "-shared", "-o", path + ".new", source, *self.flags, *more],
            capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError("cc %s: %s" % (source, done.stderr))
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)
        return path

    def data(self, name, *more):
        return self.module(name, os.path.join(DATA, name + ".c"), *more)


def example(ending):
    """The example of the manual page, as a reader would type it."""
    with open(os.path.join(postern.SOURCE, "contrib/man/postern-filter.3")) as f:
        page = f.read()
    text = re.search(r'\.\\" begin repute\.%s\n\.Bd -literal\n(.*?)\.Ed\n' % ending,
                     page, re.S).group(1)
    return text.replace("\\e", "\\")


# sending

def send(daemon, sender="ada@client.example", header=b"", rcpt="one@example.com"):
    return heard(net.send(daemon.address, sender, [rcpt], BODY % header))


last_reply = None


def heard(reply):
    """Its id is in it, whatever became of the mail."""
    global last_reply
    last_reply = reply
    return reply


def last_id():
    return re.search(r"\[ref (\w+)\]|(?:held|delivered) as (\w+)",
                     last_reply.text).expand(r"\1\2")


def explain(daemon, ident):
    """Its trace, when the keeper has heard of it."""
    def ask():
        done = daemon.cli("explain", ident, json_out=True)
        return json.loads(done.stdout) if done.returncode == 0 else None
    return tap.until(ask)


def trace_of(daemon):
    found = explain(daemon, last_id())
    for key in ("message", "trace"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    return found


def module_status(daemon, name):
    for m in daemon.status().get("modules", []):
        if m["name"] == name:
            return m
    return {}


def counted(daemon, name, key, least):
    """Workers tell every two seconds."""
    return tap.until(lambda: module_status(daemon, name).get(key, 0) >= least, 8)


# the tests

def good(t, build, run):
    service = Service({"ada@client.example": "good", "eve@bad.example": "bad"})
    t.defer(service.close)
    path = build.data("good")
    block = ("module good %s { server %s; words Cheap Pills Watches; timeout 3s; "
             "on unavailable %%s; }\nunavailable_header X-Postern-Unavailable;\n"
             "trace_accept_percent 100;" % (path, service.address))
    daemon = Postern(
        t, name="good", build_dir=run, extra=block % "accept",
        policy="rule bad { when repute is bad; then reject 550 5.7.1 \"bad\"; }"
        "rule shout { when shouting and repute is not good; then tag; }"
        "rule word { when subject.word = \"Cheap\"; then tag; }"
        "rule never { when sender.count > 1000; then tag; }", start=False)
    daemon.dns.records[("client.example.txt.example", "TXT")] = ["second", "first"]
    daemon.start()

    t.same(send(daemon).code, 250, "a mail is judged with the facts of good")
    trace = trace_of(daemon)
    facts = trace["facts"]
    t.same(facts.get("repute"), "good", "a fact from a service is in explain", trace)
    t.same(facts.get("sender.note"), ["first", "second"], "one from the DNS", facts)
    t.same(facts.get("sender.count"), 1, "one from a counter of the keeper", facts)
    t.same(facts.get('opinion("rcpt")'), "one@example.com", "one with a name", facts)
    found = {}
    for one in trace["found"]:
        for key, value in one.items():
            found.setdefault(key, []).append(value)
    t.same(found.get("subject.capitals"), [8], "one from .inspect", trace["found"])
    t.same(found.get("subject.word"), ["Cheap", "Pills"], "and several of one name")
    t.same(facts.get("shouting"), True, ".message reads what .inspect found", facts)
    done = daemon.cli("explain", last_id())
    t.ok("Cheap" in done.stdout + done.stderr, "explain in words names it", done.stdout)

    send(daemon)
    t.same(trace_of(daemon)["facts"].get("sender.count"), 2, "the counter counts")
    t.same(service.connections, 1, "one connection serves all asks", service.asked)
    service.drop()
    t.same(send(daemon).code, 250, "a kept connection that died is replaced")
    t.same(trace_of(daemon)["facts"].get("repute"), "good", "and nobody notices")
    t.same(service.connections, 2, "by one more")
    t.same(send(daemon, "eve@bad.example").code, 550, "a rule decides by the service")
    service.mode = "close"
    send(daemon)
    t.same(send(daemon).code, 250, "a service that closes after each reply is one, too")
    t.ok(b"X-Postern-Unavailable" not in newest(daemon), "no field without need")

    service.close()
    t.same(send(daemon).code, 250, "service away, on unavailable accept: the mail passes")
    t.ok(b"X-Postern-Unavailable: good\r\n" in newest(daemon) or
         b"X-Postern-Unavailable: good\n" in newest(daemon),
         "and a field says who is missing", newest(daemon)[:600])
    t.ok("repute" not in trace_of(daemon)["facts"], "as if nothing was found")
    daemon.configure(daemon_policy(daemon), extra=block % "tempfail")
    reloaded(t, daemon)
    reply = send(daemon)
    t.same(reply.code, 451, "on unavailable tempfail: the mail waits", reply)
    daemon.configure(daemon_policy(daemon), extra=block % "unknown")
    reloaded(t, daemon)
    t.same(send(daemon).code, 250, "on unavailable unknown: rules decide")
    facts = trace_of(daemon)["facts"]
    t.ok("repute" in facts and facts["repute"] is None, "with the facts unknown", facts)
    t.ok(counted(daemon, "good", "failures", 3), "status counts the failures",
         daemon.status().get("modules"))
    t.ok(module_status(daemon, "good").get("last_error", {}).get("text"),
         "and says the last error", module_status(daemon, "good"))
    t.ok(re.search(r"ev=module module=good result=failed", daemon.log()),
         "the log has them, too")
    return daemon, block, path


def daemon_policy(daemon):
    return 'rule bad { when repute is bad; then reject 550 5.7.1 "bad"; }'


def newest(daemon):
    folder = os.path.join(daemon.maildir, "new")
    names = sorted(os.listdir(folder), key=lambda n: os.path.getmtime(
        os.path.join(folder, n)))
    with open(os.path.join(folder, names[-1]), "rb") as f:
        return f.read()


def reloaded(t, daemon):
    done = daemon.cli("reload")
    if done.returncode != 0:
        raise RuntimeError("reload: " + done.stdout + done.stderr)


def ended(daemon):
    """What the module counted under that name, from the keeper's own file."""
    with sqlite3.connect("file:%s/state.db?mode=ro" % daemon.state, uri=True) as db:
        got = db.execute("SELECT value FROM counter WHERE key = ?",
                         (b"ended",)).fetchone()
    return got and got[0]


def keeper_away(t, build, run):
    """Counters do not wait for a keeper that hangs. And what .end counts."""
    service = Service(path=t.path("service"))
    t.defer(service.close)
    daemon = Postern(
        t, name="away", build_dir=run, policy="rule c { when sender.count > 0; then tag; }",
        extra="module good %s { server %s; timeout 1s; }\ntrace_accept_percent 100;" % (
            os.path.join(build.out, "good.so"), service.address))
    send(daemon)
    t.same(trace_of(daemon)["facts"].get("repute"), "none", "a service on a unix socket")
    t.same(tap.until(lambda: ended(daemon)), 1, ".end has counted")
    keeper = daemon.pids("keeper")[0]
    with net.Client(daemon.address) as c:
        os.kill(keeper, 19)  # STOP: it is there, and does not answer
        began = time.monotonic()
        reply = c.cmd("MAIL FROM:<ada@client.example>")
        took = time.monotonic() - began
        os.kill(keeper, 18)
    t.same(reply.code, 250, "a keeper that hangs holds nobody back", reply)
    t.ok(0.8 < took < 15, "for longer than the module's time limit", took)


REFUSED = r"refused=\d+"
FAILED = 'result=failed stage=%s why="%s"'

RUDE_MAIL = (
    # local part, what the log says, are its facts unknown
    ("wrongtype", REFUSED, False), ("undeclared", REFUSED, False),
    ("foreign", REFUSED, False), ("content", REFUSED, False),
    ("keyed", REFUSED, False), ("large", REFUSED, True), ("many", REFUSED, True),
    ("memory", REFUSED, False), ("view", "refused=4", False),
    ("pending", FAILED % ("mail", "it waits for nothing"), True),
    ("nonsense", FAILED % ("mail", "it returned what is no step"), True),
    ("never", FAILED % ("mail", "no answer in time"), True),
    ("reply", FAILED % ("mail", "it gave up"), True),
    ("circle", FAILED % ("mail", ".*"), True),
    ("asks", FAILED % ("mail", "no answer in time"), True))

RUDE_INSPECT = (
    ("fail", FAILED % ("message", "its .inspect gave up"), True),
    ("ask", REFUSED, True), ("count", REFUSED, True),
    ("pending", FAILED % ("message", "its .inspect gave up"), True),
    ("wrongtype", REFUSED, False), ("client", "refused=3", False),
    ("memory", REFUSED, False),
    ("many", FAILED % ("message", "its .inspect gave up"), True))


def rude(t, build, run):
    service = Service()
    t.defer(service.close)
    path = build.data("rude")
    daemon = Postern(
        t, name="rude", build_dir=run,
        policy='rule r { when rude.mail = "y"; on unknown tag; then tag; }'
        "rule i { when rude.inspect > 5000000; on unknown tag; then tag; }",
        extra="inspect_deadline 3s;\ntrace_accept_percent 100;\n"
        "module rude %s { server %s; timeout 700ms; }" % (path, service.address))
    t.same(send(daemon).code, 250, "a mail that rude has no mind to spoil")

    def tried(where, how, rule, pattern, lost, **kw):
        seen = len(daemon.log())
        reply = send(daemon, **kw)
        trace = trace_of(daemon)
        unknown = any(r["result"] == "unknown" for s in trace["stages"]
                      for r in s["rules"] if r.get("rule") == rule)
        said = re.search("module=rude " + pattern, daemon.log()[seen:])
        t.ok((reply.code, unknown) == (250, lost) and said,
             "in %s, %s: it is logged, %s" % (
                 where, how, "and its facts are unknown" if lost
                 else "and the mail is judged all the same"),
             reply, unknown, daemon.log()[seen:], json.dumps(trace)[:3000])

    for how, pattern, lost in RUDE_MAIL:
        tried(".mail", how, "r", pattern, lost, sender=how + "@client.example")
    for how, pattern, lost in RUDE_INSPECT:
        tried(".inspect", how, "i", pattern, lost,
              header=b"X-Rude: " + how.encode() + b"\r\n")
    for key, least in (("calls", 20), ("refused", 1000), ("failures", 8),
                       ("timeouts", 2)):
        t.ok(counted(daemon, "rude", key, least), "status counts " + key,
             daemon.status().get("modules"))
    workers = daemon.pids("worker")
    for how in ("crash", "loop"):
        codes = []
        for attempt in range(3):
            reply = send(daemon, header=b"X-Rude: " + how.encode() + b"\r\n")
            codes.append(reply.code)
            t.same(send(daemon).code, 250, "%s %d: another mail passes" % (
                how, attempt + 1))
        t.same(codes, [451, 451, 250], ".inspect that does %s costs its own message" % how,
               reply, daemon.log()[-2000:])
        t.ok(any(m.get("class") == "failed" for m in daemon.quarantine()),
             "which is held", daemon.quarantine())
        t.ok(re.search('module=rude result=failed stage=message why="its .inspect '
                       'crashed, or did not end"', daemon.log()),
             "and the log names the module", daemon.log()[-2000:])
    t.same(daemon.pids("worker"), workers, "no worker died of it")
    eml = t.write("loop.eml", b"X-Rude: loop\r\n\r\nhello\r\n")
    daemon.configure('rule i { when rude.inspect > 1; then tag; test "loop" file %s expect accept; }' % eml,
                     extra="inspect_deadline 300ms;\nmodule rude %s { server %s; }" % (path, service.address))
    done = daemon.check()
    t.ok(done.returncode == 78 and "takes longer than inspect_deadline" in done.stderr,
         "posternd -t says what became of a test", done.returncode, done.stderr)


def left(t, build, run):
    """The client leaves while an ask is under way: nothing is heard of it."""
    service = Service()
    t.defer(service.close)
    daemon = Postern(t, name="left", build_dir=run, policy="", extra="module rude %s { "
                     "server %s; timeout 2s; }" % (os.path.join(build.out, "rude.so"),
                                                   service.address))
    workers = daemon.pids("worker")
    for _ in range(20):
        with net.Client(daemon.address) as c:
            c.send(b"MAIL FROM:<never@client.example>\r\n")
            time.sleep(0.02)
    time.sleep(2.5)
    t.same(send(daemon).code, 250, "twenty clients that left do no harm")
    t.same(daemon.pids("worker"), workers, "to no worker")


def refused(t, build, run):
    shape = os.path.join(DATA, "shape.c")
    good_block = "module good %s { server inet:127.0.0.1:1; }" % os.path.join(
        build.out, "good.so")
    abi = int(build.ask("--variable=abi"))
    cases = (
        ("old", ("-DSHAPE=OLD",), "module shape is built for module ABI %d, this postern "
         "speaks %d: build it again against the filter.h of this version" % (
             abi - 1, abi)),
        ("nameless", ("-DSHAPE=NAMELESS",), 'is module "", not "shape"'),
        ("none", ("-DEMPTY", "-DSHAPE=OLD"), "defines no pn_filter"))
    daemon = Postern(t, name="refused", build_dir=run, policy="", start=False)
    for name, flags, says in cases:
        path = build.module(name, shape, *flags)
        daemon.configure("", extra="module shape %s;" % path)
        done = daemon.check()
        t.ok(done.returncode == 78 and says in done.stderr,
             "posternd -t refuses %s with a sentence" % name, done.stderr)
    path = build.module("hookless", shape, "-DSHAPE=HOOKLESS")
    daemon.configure("", extra="module shape %s;\n%s" % (path, good_block))
    done = daemon.check("-v")
    t.ok(done.returncode == 0 and "module shape" in done.stdout,
         "one without hooks does nothing, and no harm", done.stdout, done.stderr)
    daemon.start()
    t.same(send(daemon).code, 250, "and mail passes")
    done = daemon.cli("facts")
    t.ok("subject.capitals" in done.stdout, "postern facts lists a module's facts",
         done.stdout, done.stderr)
    build.module("hookless", shape, "-DSHAPE=HOOKLESS")
    done = daemon.cli("reload")
    t.ok(done.returncode == 78 and "that needs a restart" in done.stdout + done.stderr,
         "a file that changed needs a restart, and reload says so",
         done.stdout, done.stderr)
    done = daemon.check()
    t.ok(done.returncode == 0 and re.search(
        r"running posternd: module shape: \S+hookless.so changed since it was loaded: "
        "that needs a restart", done.stderr), "posternd -t says so, too", done.stderr)
    t.ok(any("module shape" in text for text in daemon.status().get("modules_changed", [])),
         "and postern status", daemon.status())
    t.same(send(daemon).code, 250, "mail passes under the old policy")
    daemon.configure("", extra="module shape %s;" % build.module(
        "hookless2", shape, "-DSHAPE=OLD"))
    done = daemon.cli("reload")
    t.ok(done.returncode == 78 and "build it again" in done.stdout + done.stderr,
         "reload refuses another version", done.stdout, done.stderr)


def manual(t, build, run):
    service = Service({"ada@client.example": "good"})
    t.defer(service.close)
    source = t.write("repute.c", example("c"))
    path = build.module("repute", source)
    text = example("conf").replace("module repute {", "module repute %s {" % path) \
        .replace("inet:127.0.0.1:7070", service.address.replace("127.0.0.1", "localhost"))
    daemon = Postern(t, name="manual", build_dir=run, policy=None, extra=text)
    loud = b"Subject: AAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n\r\nx\r\n"
    t.same(net.send(daemon.address, "eve@client.example", ["one@example.com"], loud).code,
           550, "the manual's example: a loud stranger is refused")
    t.same(net.send(daemon.address, "ada@client.example", ["one@example.com"], loud).code,
           250, "one of good repute may shout")


def dnsbl(t, found, run):
    lists = {"2.0.0.127": ["127.0.0.2", "127.0.0.4"]}
    daemon = Postern(
        t, name="dnsbl", build_dir=run, start=False,
        listen="listen smtp 127.0.0.1:0 { upstream up; identity from 127.0.0.0/8 xclient; }",
        extra="trace_accept_percent 100;\nmodule dnsbl %s { timeout 2s; canary 1s; zone "
        "zen.example 127.0.0.2-127.0.0.11; zone all.example; zone quiet.example; "
        "zone dead.example; }" % found["dnsbl.so"],
        policy='rule pbl { when dnsbl.code("zen.example") in 127.0.0.10/31; '
        'then reject 550 5.7.1 "policy"; }'
        'rule listed { when dnsbl("zen.example"); then reject 554 5.7.1 "listed"; }'
        'rule world { when dnsbl("all.example"); on unknown tag; '
        'then reject 554 5.7.1 "world"; }'
        'rule quiet { when dnsbl("quiet.example"); then tag; }'
        'rule dead { when dnsbl("dead.example"); then tag; }')
    r = daemon.dns.records
    daemon.dns.ttl = 0

    def put(name, *codes, zone="zen.example"):
        r[(name + "." + zone, "A")] = list(codes) or None

    put("2.0.0.127", *lists["2.0.0.127"])
    put("2.0.0.127", "127.0.0.2", zone="all.example")
    put("1.0.0.127", "127.0.0.2", zone="all.example")  # lists the whole world
    put("2.0.0.127", "127.0.0.2", zone="quiet.example")
    put("2.0.0.127", zone="dead.example")
    put("1.0.0.127", zone="dead.example")
    put("7.100.51.198", "127.0.0.2")
    put("8.100.51.198", "127.0.0.10", "127.0.0.4")
    put("9.100.51.198", "127.255.255.254")
    put("10.100.51.198", "127.0.0.99")
    put("11.100.51.198", "10.0.0.1", "127.0.0.3")
    put("1.0.0.0." + "0." * 20 + "8.b.d.0.1.0.0.2", "127.0.0.2")
    daemon.start()

    def parts():
        return {p["part"]: p["state"] for p in
                module_status(daemon, "dnsbl").get("parts", [])}
    t.ok(tap.until(lambda: parts().get("all.example") and parts().get("dead.example"), 8),
         "status tells of lists that are off or silent", daemon.status().get("modules"))
    t.same(parts().get("all.example"), "off: lists 127.0.0.1",
           "a list that lists 127.0.0.1 is switched off", parts())
    t.same(parts().get("dead.example"), "does not answer", "one is silent", parts())
    done = daemon.cli("status")
    t.ok(re.search(r"^  dnsbl( +\d+){4}\n.*^    all\.example: off: lists 127\.0\.0\.1 \(",
                   done.stdout, re.M | re.S), "in words, too", done.stdout)
    t.ok(len(re.findall(r'part="all.example" state="off', daemon.log())) <= 1,
         "and the log says it once", daemon.log()[-2000:])

    def mail(ip):
        with net.Client(daemon.address) as c:
            c.cmd("XCLIENT ADDR=" + (ip if "." in ip else "IPV6:" + ip))
            c.cmd("EHLO client.example")
            return heard(c.mail("a@client.example", ["one@example.com"], BODY % b""))

    def fact(name):
        return trace_of(daemon)["facts"].get(name, "absent")

    reply = mail("198.51.100.7")
    t.ok(reply.code == 554 and "listed" in reply.text, "a listed client is refused", reply)
    reply = mail("2001:db8::1")
    t.same(reply.code, 554, "by its IPv6 address, too", reply)
    reply = mail("198.51.100.8")
    t.ok(reply.code == 550 and "policy" in reply.text, "codes can be told apart", reply)
    for ip, what in (("198.51.100.9", "127.255.255.254 is no listing"),
                     ("198.51.100.10", "nor is a code that is not documented")):
        reply = mail(ip)
        t.same((reply.code, fact('dnsbl("zen.example")')), (250, None), what, reply,
               trace_of(daemon)["facts"])
    t.ok(tap.until(lambda: "127.0.0.99" in parts().get("zen.example", "") or
                   re.search(r"zen.example.*document", daemon.log()), 8),
         "which is told", parts())
    reply = mail("198.51.100.11")
    t.same((reply.code, fact('dnsbl.code("zen.example")')), (554, ["127.0.0.3"]),
           "beside a documented one it does not count", reply)
    t.same(mail("198.51.100.12").code, 250, "a client that nobody lists passes")
    t.same((fact('dnsbl("zen.example")'), fact('dnsbl("all.example")'),
            fact('dnsbl("quiet.example")')), (False, None, False),
           "what is off is unknown", trace_of(daemon)["facts"])
    asked = len([n for n, _ in daemon.dns.asked if n.endswith("168.192.zen.example")])
    t.same(mail("192.168.1.1").code, 250, "a private address")
    t.same((asked, fact('dnsbl("zen.example")')), (0, "absent"), "is not asked for")
    asked = [n for n, _ in daemon.dns.asked if "all.example" in n and
             not n.startswith(("1.0.0.127", "2.0.0.127"))]
    t.same(asked, [], "nobody is asked for at a list that is off")
    del r[("1.0.0.127.all.example", "A")]
    put("12.100.51.198", "127.0.0.7", zone="all.example")


def test(t):
    root, found, run = install(t)
    for name in ("filter.h", "pn_str.h", "postern-filter.pc", "dnsbl.so", "posternd"):
        t.ok(name in found, "installed: " + name, sorted(found))
    build = Builder(t, root, found["postern-filter.pc"])
    t.ok(build.ask("--variable=moduledir").endswith("/postern"),
         "pkg-config tells the folder of modules", build.ask("--variable=moduledir"))
    good(t, build, run)
    keeper_away(t, build, run)
    rude(t, build, run)
    left(t, build, run)
    refused(t, build, run)
    manual(t, build, run)
    dnsbl(t, found, run)


tap.run(test, 240)
