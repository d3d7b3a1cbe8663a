"""cli - postern(1): what each command says, and what it ends with.

Without a daemon: usage, scan, test, explain of a stored trace. With one: status,
reload, the life of a held message from list to delete, and a control socket
that garbage does not impress.
"""

import json
import os
import re
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import postern
import tap
from postern import Postern, build, run

POLICY = """
rule held    { when subject ~ /hold (?<what>\\w+)/; then quarantine class papers; }
rule refused { when sender = "mallory@client.example"; then reject 550 5.7.1 "not you"; }
rule tagged  { when size > 0; then tag, header add X-Seen "yes"; }
"""
HOLD = b"From: ada@client.example\r\nSubject: please hold this\r\n\r\n.dot\r\nend\r\n"
COMMANDS = ("status", "reload", "scan", "explain", "test", "quarantine")
ODD = "\x1b]0;owned\x07 \u202egpj.exe \u00fc"


def usage(t):
    done = run(["--help"])
    t.ok(done.returncode == 0 and all(c in done.stdout for c in COMMANDS),
         "--help names every command", done.stdout)
    for c in COMMANDS:
        done = run([c, "--help"])
        t.ok(done.returncode == 0 and done.stdout.startswith("usage: postern " + c)
             and not done.stderr, "%s --help" % c, done.stdout, done.stderr)
    for words, said in (((), "usage"), (("stauts",), 'did you mean "status"'),
                        (("-x",), "usage"), (("status", "x"), "usage"),
                        (("scan",), "usage"), (("scan", "--nonsense", "x"), "usage"),
                        (("explain",), "usage"), (("quarantine",), "usage"),
                        (("quarantine", "lits"), 'did you mean "list"'),
                        (("quarantine", "show"), "usage"),
                        (("quarantine", "release"), "usage"), (("test", "x"), "usage")):
        done = run(words)
        t.ok(done.returncode == 64 and said in done.stderr and not done.stdout,
             "64 for: postern " + " ".join(words), done.returncode, done.stdout, done.stderr)


def without_daemon(t, daemon):
    for words in (("status",), ("reload",), ("explain", "0000000000000000"),
                  ("quarantine", "list"), ("quarantine", "delete", "0000000000000000")):
        done = daemon.cli(*words)
        t.ok(done.returncode == 69 and "posternd running" in done.stderr,
             "69 without a daemon: " + " ".join(words), done.returncode, done.stderr)
    broken = t.write("broken.conf", "listen smtp;\n")
    for words in (("status",), ("test",), ("scan", broken)):
        done = run(("-c", broken) + words)
        t.ok(done.returncode == 78 and "broken.conf:1:" in done.stderr and "^" in done.stderr,
             "78 and a caret for a broken configuration: " + words[0],
             done.returncode, done.stderr)
    # A broken rule is no reason not to ask the daemon.
    rule = t.write("rule.conf", "control unix:%s/nobody;\npolicy p { rule r { when "
                   "subject ~ /};{/ and nonsense ((; then } } }\n" % t.dir)
    done = run(("-c", rule, "status"))
    t.ok(done.returncode in (69, 78), "a broken rule", done.stderr)
    rule = t.write("rule.conf", "control unix:%s/nobody;\npolicy p { rule r { when "
                   "subjetc ~ /};{/; then reject; } }\n" % t.dir)
    done = run(("-c", rule, "status"))
    t.ok(done.returncode == 69 and "/nobody" in done.stderr,
         "a rule that does not compile is skipped", done.returncode, done.stderr)


def scanning(t, daemon):
    def scan(*words, **kw):
        return daemon.cli("scan", *words, **kw)

    lf = t.write("lf.eml", HOLD.replace(b"\r\n", b"\n"))
    crlf = t.write("crlf.eml", HOLD)
    plain = t.write("plain.eml", b"Subject: x\n\nno end")
    done = scan(crlf)
    t.ok(done.returncode == 0 and "verdict  quarantine class papers" in done.stdout
         and done.stdout.index("decided by\n  held: fired") < done.stdout.index("tagged: "),
         "the deciding rule stands first", done.stdout, done.stderr)
    t.ok("%s:" % daemon.conf in done.stdout, "with its file and line", done.stdout)
    t.ok('it is "hold this"' in done.stdout and 'what="this"' in done.stdout,
         "and the text and the capture it saw", done.stdout)
    done = scan(lf, crlf, plain, json_out=True)
    got = [json.loads(line) for line in done.stdout.splitlines()]
    t.same([(g["file"], g["action"], g["rule"], g["reply"]) for g in got],
           [(lf, "quarantine", "held", ""), (crlf, "quarantine", "held", ""),
            (plain, "tag", "tagged", "")], "one object a file", done.stderr)
    t.same([g["trace"]["size"] for g in got], [len(HOLD), len(HOLD), 22],
           "LF goes as CRLF, an open last line is closed")
    words = ("--client", "192.0.2.7", "--name", "c.example", "--helo", "h.example",
             "--login", "bob", "--sender", "<mallory@client.example>",
             "--rcpt", "one@example.com", "--rcpt", "two@example.com",
             "--listener", "127.0.0.1:25", plain)
    got = json.loads(scan(*words, json_out=True).stdout)
    t.same((got["action"], got["reply"]), ("reject", "550 5.7.1 not you"),
           "what the options tell is judged")
    t.same(got["trace"]["client"], {"ip": "192.0.2.7", "name": "c.example",
           "helo": "h.example", "login": "bob", "listener": "127.0.0.1:25"},
           "and stands in the trace")
    for sender in ("", "<>"):
        got = json.loads(scan("--sender", sender, plain, json_out=True).stdout)
        t.same(got["trace"]["sender"], "", "the null sender as %r" % sender)
    done = scan("--rcpt", "one two@", plain)
    t.ok(done.returncode == 65 and "no address" in done.stderr, "65: no address", done.stderr)
    done = scan(t.path("nothing.eml"), plain)
    t.ok(done.returncode == 66 and "tagged" in done.stdout,
         "66 for a file that is not there, the others are read", done.returncode, done.stderr)
    with open(crlf, "rb") as f:
        done = scan("-", stdin=f)
    t.ok(done.returncode == 0 and "quarantine" in done.stdout, "standard input", done.stderr)
    done = scan(t.write("empty.eml", b""))
    t.ok(done.returncode == 0 and "0 bytes" in done.stdout, "an empty file", done.stdout)


def poison(t, daemon):
    """What breaks the inspector is held against it; the next file is read."""
    if not postern.configured("FAULT_HOOKS", daemon.build):
        return
    bad = t.write("bad.eml", b"X-Postern-Fault: crash\n\n")
    done = daemon.cli("scan", bad, t.write("good.eml", HOLD), json_out=True)
    got = [json.loads(line) for line in done.stdout.splitlines()]
    t.same([(g["action"], g.get("class")) for g in got],
           [("quarantine", "failed"), ("quarantine", "papers")],
           "a message that breaks the inspector, and one behind it", done.stderr)


def explaining_files(t, daemon):
    mail = t.write("why.eml", HOLD)
    done = daemon.cli("explain", mail)
    t.ok(done.returncode == 0 and "held: fired" in done.stdout,
         "explain FILE judges it now", done.stdout, done.stderr)
    got = daemon.cli("scan", mail, json_out=True).stdout
    stored = t.write("trace.json", got)
    again = daemon.cli("explain", stored)
    t.ok(again.returncode == 0 and again.stdout.splitlines()[1:] == done.stdout.splitlines()[1:],
         "explain of what scan --json printed reads the same", again.stdout)
    trace = json.loads(got)["trace"]
    trace["sender"] = ODD
    trace["stages"][-1]["rules"][0]["when"] = {"test": ODD, "result": "true", "value": ODD}
    done = daemon.cli("explain", t.write("odd.json", json.dumps(trace)))
    t.ok(done.returncode == 0 and "\x1b" not in done.stdout and "\x07" not in done.stdout
         and "\u202e" not in done.stdout and "\u00fc" in done.stdout,
         "what would move the cursor or turn text is shown as octets", done.stdout)
    for text in ("{}", '{"omitted":5}', '{"stages":[{"rules":[1,{}]}],"verdict":[]}', "{"):
        done = daemon.cli("explain", t.write("odd.json", text))
        t.same(done.returncode, 0, "explain of %s" % text, done.stderr)


def testing(t, daemon):
    t.write("postern/mail.eml", HOLD)
    daemon.configure('rule r { when subject contains "hold"; then reject "no"; '
                     'test "one" file mail.eml expect reject; '
                     'test "two" file mail.eml with size 7 expect fires; }')
    done = daemon.cli("test")
    t.ok(done.returncode == 0 and done.stdout.endswith("2 passed, 0 failed\n"),
         "tests that pass", done.stdout, done.stderr)
    daemon.configure('rule r { when size < 8; then reject "no"; '
                     'test "one" file mail.eml expect reject; '
                     'test "two" file mail.eml with size 7 expect fires; }')
    done = daemon.cli("test", json_out=True)
    got = json.loads(done.stdout)
    t.ok(done.returncode == 65 and [x["passed"] for x in got["tests"]] == [False, True]
         and got["passed"] == 1 and got["tests"][0]["why"],
         "65 when one fails, and which", done.stdout, done.stderr)
    daemon.configure('rule r { when size < 8; then reject "no"; '
                     'test "one" file missing.eml expect reject; }')
    done = daemon.cli("test")
    t.ok(done.returncode == 65 and "missing.eml" in done.stderr,
         "65 when a file is missing", done.returncode, done.stderr)
    daemon.configure(POLICY)


def held_mail(t, daemon):
    def word(*words, **kw):
        return daemon.cli("quarantine", *words, **kw)

    rcpts = ["one@example.com", "two@example.com"]
    for i in range(3):
        reply = net.send(daemon.address, "ada@client.example", rcpts, HOLD)
        t.same(reply.code, 250, "held, no. %d" % i, reply)
    held = daemon.quarantine()
    t.same([(m["state"], m["class"], m["rule"], m["sender"], m["subject"], m["size"],
             [r["path"] for r in m["recipients"]]) for m in held],
           [("held", "papers", "held", "ada@client.example", "please hold this",
             len(HOLD), rcpts)] * 3,
           "list knows three")
    ids = [m["id"] for m in held]
    t.same(ids, sorted(ids, reverse=True), "newest first")
    done = word("list")
    t.same([line.split()[0] for line in done.stdout.splitlines()], ids, "list for people")
    done = word("show", ids[0])
    t.ok(done.returncode == 0 and "held: fired" in done.stdout
         and "<two@example.com> held" in done.stdout, "show", done.stdout, done.stderr)
    shown = json.loads(word("show", ids[0], json_out=True).stdout)
    t.ok(shown["id"] == ids[0] and shown["trace"]["id"] == ids[0], "show --json", shown)
    done = word("export", ids[0], text=False)
    t.same(done.stdout, HOLD, "export, octet for octet")

    done = word("release", ids[0])
    t.ok(done.returncode == 0 and "%s released" % ids[0] in done.stdout
         and daemon.delivered(b"Subject: please hold this") == 2,
         "release delivers to both recipients", done.stdout, done.stderr)
    done = word("release", ids[0])
    t.ok(done.returncode == 75 and daemon.delivered(b"Subject: please hold this") == 2,
         "what is released is not released again", done.returncode, done.stderr)
    done = word("delete", ids[0], "0000nobody", ids[1])
    t.ok(done.returncode == 66 and [m["id"] for m in daemon.quarantine()] == ids[2:],
         "delete: 66 for one that is not there, the others go", done.returncode, done.stderr)
    t.same(daemon.quarantined(b"please hold this"), 1, "with their files")
    done = word("show", "../../etc/passwd")
    t.same(done.returncode, 64, "no path gets through", done.stderr)


def asking(t, daemon):
    status = daemon.status()
    t.ok(status["generation"] == 1 and {p["role"] for p in status["processes"]} ==
         {"master", "worker", "inspector", "keeper"}, "status --json", status)
    done = daemon.cli("status")
    t.ok(done.returncode == 0 and done.stdout.startswith("generation 1\n")
         and re.search(r"^processes\n  role +pid +rss +generation +worker  lane\n"
                       r"  master +\d+ +[\d.]+ MiB +\n", done.stdout, re.M)
         and re.search(r"^started    \d{4}-\d\d-\d\dT[\d:]{8}Z$", done.stdout, re.M)
         and re.search(r"^workers\n  worker +generation +sessions +sessions_total +messages_total +bytes_total\n"
                       r"( +\d+){5} +\d+ B$", done.stdout, re.M)
         and "{" not in done.stdout, "status for people", done.stdout)
    reply = net.send(daemon.address, "mallory@client.example", ["one@example.com"], HOLD)
    ref = reply.text.rpartition("[ref ")[2].rstrip("]")
    done = daemon.cli("explain", ref)
    t.ok(done.returncode == 0 and "verdict  reject 550 5.7.1 not you" in done.stdout,
         "explain REF right behind the reply", reply, done.stdout, done.stderr)
    t.ok("refused: fired at mail (%s:" % daemon.conf in done.stdout
         and ' | rule refused { when sender' in done.stdout,
         "the whole path of the rule's file, though it was started with less", done.stdout)
    t.same(daemon.cli("explain", "0000000000000000").returncode, 66, "66: no such REF")
    done = daemon.cli("reload")
    t.ok(done.returncode == 0 and tap.until(lambda: daemon.status()["generation"] == 2),
         "reload", done.stdout, done.stderr)
    good = open(daemon.conf).read()
    t.write("postern/postern.conf", good.replace("when size", "when sizzle"))
    done = daemon.cli("reload")
    t.ok(done.returncode == 78 and "sizzle" in done.stderr and "^" in done.stderr
         and daemon.status()["generation"] == 2, "a broken policy: 78, shown, the old one stays",
         done.returncode, done.stderr)
    t.write("postern/postern.conf", good)


def garbage(t, daemon):
    path = os.path.join(daemon.dir, "control")
    for data in (b"\0\0\0\n", b"x" * 100000, b"{\"cmd\":[]}\n", b"[" * 4000 + b"\n",
                 b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe\n", b""):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                said = s.makefile("rb").read()
            except (BrokenPipeError, ConnectionResetError):
                said = b""
        t.ok(said == b"" or json.loads(said)["ok"] is False,
             "%d octets of garbage" % len(data), said[:200])
    t.same(daemon.cli("quarantine", "list").returncode, 0, "and the keeper lives")
    if daemon.users:
        # A copy, for the build folder may be nobody's to enter.
        shutil.copy(os.path.join(build(), "postern"), t.folder("bin"))
        done = run(["-c", daemon.conf, "status"], t.path("bin"), user="nobody")
        t.ok(done.returncode in (69, 77), "nobody may not ask", done.returncode, done.stderr)
        done = run(["-c", daemon.conf, "status"], t.path("bin"), user="nobody",
                   group="nogroup", extra_groups=[])
        t.ok(done.returncode == 77 and "answers root" in done.stderr,
             "nor does the socket let him in, which is no word on who runs",
             done.returncode, done.stderr)


def test(t):
    usage(t)
    daemon = Postern(t, policy=POLICY, start=False)
    without_daemon(t, daemon)
    scanning(t, daemon)
    poison(t, daemon)
    explaining_files(t, daemon)
    testing(t, daemon)
    conf, daemon.conf = daemon.conf, os.path.basename(daemon.conf)
    daemon.start()  # from its folder; who asks stands elsewhere
    daemon.conf = conf
    held_mail(t, daemon)
    asking(t, daemon)
    garbage(t, daemon)


tap.run(test, 120)
