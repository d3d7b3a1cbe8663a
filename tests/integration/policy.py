"""policy - the policies of tests/data through the real daemon.

Each rule's own tests, then each rule met by a mail through SMTP: maildir,
quarantine, and the replies with their [ref ID]. Then broken twins: the same
text with one word wrong is refused at that word's line and column.
"""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import postern
import tap
from postern import Postern

DATA = os.path.join(postern.SOURCE, "tests/data")
POLICY = os.path.join(DATA, "gateway/policy.conf")
RULES = ("exe-attachment", "locked-archive", "spam-tag", "blocked-sender", "textless")

# One policy file for each kind of rule, and its broken twin.
SINGLE = [os.path.join(DATA, "policy", name + ".conf") for name in (
    "exe-attachment", "locked-archive", "spam-tag", "text-map", "quantified")]

# What stands in the gateway's policy, what the twin has instead, which part of that is
# wrong, and what is said about it.
TWINS = (
    ("a regex", "casino)\\b/i", "casino\\b/i", "/i;", r"missing closing parenthesis"),
    ("a map's name", "sender in blocked", "sender in bloked", "bloked",
     r'"bloked".*"blocked"'),
    ("a thing", "no part (", "no prat (", "prat", r'"prat".*"part"'),
    ("an action", "then tempfail", "then tempfial", "tempfial", r'"tempfial".*"tempfail"'),
    ("a missing semicolon", "class attachment;", "class attachment", "\n",
     r'missing ";" after "attachment"'),
    ("a module of later", "sender in partners", "sender in partners and dmarc is pass",
     "dmarc", r'fact "dmarc" needs module dmarc, which is not loaded'),
)


def mail(name):
    for folder in ("mail", "gateway/mails"):
        path = os.path.join(DATA, folder, name)
        if os.path.exists(path):
            with open(path, "rb") as f:
                return f.read()
    raise FileNotFoundError(name)


def rule_tests(t, daemon):
    for path in [POLICY] + SINGLE:
        name = os.path.relpath(path, DATA)
        daemon.configure(None, "include %s;" % path)
        done = daemon.check()
        t.same(done.returncode, 0, "posternd -t finds nothing wrong with " + name,
               done.stdout, done.stderr)
        with open(path) as f:
            count = len(re.findall(r"^\s*test \"", f.read(), re.M))
        done = daemon.cli("test")
        said = done.stdout + done.stderr
        t.ok(done.returncode == 0 and re.search(r"\b%d\b" % count, said),
             "postern test: its %d tests pass" % count, said)
    daemon.configure(None, "include %s;" % POLICY)
    done = daemon.check("-v")
    t.ok(done.returncode == 0 and all(r in done.stdout for r in RULES),
         "posternd -t -v describes each rule", done.stdout, done.stderr)


def through_smtp(t, daemon):
    def send(name, sender="ada@client.example"):
        return net.send(daemon.address, sender, ["one@example.com"], mail(name))

    reply = send("clean.eml")
    t.same(reply.code, 250, "a clean mail is taken", reply)
    t.same(daemon.delivered(b"Subject: Lunch on Friday"), 1, "and lies in the maildir")

    reply = send("exe-in-zip.eml")
    found = re.fullmatch(r"5\.7\.1 program files are not accepted here: (\S+)"
                         r" \[ref (\w+)\]", reply.text)
    t.ok(reply.code == 550 and found and found.group(1).endswith(".exe"),
         "a program in a zip is refused, by its name, with a reference", reply)
    ref = found.group(2) if found else "none"
    done = daemon.cli("explain", ref)
    t.ok(tap.until(lambda: daemon.cli("explain", ref).returncode == 0, 20)
         and "exe-attachment" in daemon.cli("explain", ref).stdout,
         "which explain explains", done.stdout, done.stderr)
    t.ok(re.search(r"id=%s .*ev=message .*code=550" % ref, daemon.log()),
         "and the log has", daemon.log()[-2000:])

    reply = send("locked-zip.eml")
    found = re.search(r"held as (\w+)", reply.text)
    t.ok(reply.code == 250 and found, "a locked zip is held, 250 says as what", reply)
    held = daemon.quarantine()
    t.ok(len(held) == 1 and found and held[0]["id"] == found.group(1)
         and held[0]["class"] == "attachment", "in the quarantine, class attachment", held)
    done = daemon.cli("quarantine", "show", held[0]["id"], json_out=True)
    shown = json.loads(done.stdout)
    t.ok(done.returncode == 0 and "ada@client.example" in done.stdout
         and "locked-archive" in done.stdout, "with envelope and rule", shown, done.stderr)
    t.same(daemon.quarantined(mail("locked-zip.eml")), 1, "octet for octet")
    reply = send("locked-zip.eml", sender="eve@partner.example.net")
    t.ok(reply.code == 250 and "held" not in reply.text
         and daemon.delivered(b"Subject: The contract") == 1,
         "from a partner it is delivered", reply)

    reply = send("lottery.eml")
    t.ok(reply.code == 250 and daemon.delivered(b"\nX-Spam: yes\n") == 1
         and daemon.delivered(b"Subject: [SPAM] ") == 1,
         "spam is delivered with its mark", reply)

    for sender in ("mallory@client.example", "someone@spam.example"):
        with net.Client(daemon.address) as c:
            first, rcpt = c.envelope(sender, ["one@example.com"])
            t.ok(first.code == 250 and re.fullmatch(
                r"5\.7\.1 mail from <?%s>? is not wanted here \[ref \w+\]"
                % re.escape(sender), rcpt.text) and rcpt.code == 550,
                "%s is refused, at RCPT" % sender, first, rcpt)
    reply = send("image-only.eml")
    t.ok(reply.code == 451 and re.fullmatch(
        r"4\.7\.1 a mail without text is not read here \[ref \w+\]", reply.text),
        "a mail without text hears 451", reply)
    t.same(daemon.delivered(b"Subject: holiday"), 0, "and is nowhere")


def release(t, daemon):
    held = daemon.quarantine()[0]["id"]
    before = daemon.delivered(b"Subject: The contract")
    done = daemon.cli("quarantine", "release", held)
    t.same(done.returncode, 0, "quarantine release", done.stdout, done.stderr)
    t.ok(tap.until(lambda: daemon.delivered(b"Subject: The contract") == before + 1, 10),
         "delivers it, without judging again", daemon.log()[-2000:])
    done = daemon.cli("quarantine", "delete", held)
    t.ok(done.returncode == 0 and not daemon.quarantine()
         and daemon.quarantined(b"Subject: The contract") == 0,
         "quarantine delete deletes row and file", done.stdout, done.stderr)


def position(text, at):
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def refused(t, daemon, what, where, said):
    """posternd -t says 78, the place, why, and shows it."""
    done = daemon.check()
    out = done.stdout + done.stderr
    t.ok(done.returncode == 78, "%s: refused, exit 78" % what, done.returncode, out)
    t.ok(where + ": " in out and re.search(said, out),
         "%s: at %s" % (what, where), out)
    t.ok(re.search(r"^[ \t]*\^", out, re.M), "%s: with a caret" % what, out)


def broken_files(t, daemon):
    """Each twin differs in one word, which is where it is wrong."""
    for path in SINGLE:
        name = os.path.basename(path)
        twin = os.path.join(DATA, "policy/broken", name)
        file, good, bad = name, open(path).read(), open(twin).read()
        if name == "text-map.conf":     # there it is the map that is broken
            file = "blocked.txt"
            good, bad = [open(os.path.join(DATA, "policy", d, file)).read()
                         for d in (".", "broken")]
        good, bad = good.splitlines(), bad.splitlines()
        line = next(i for i, (a, b) in enumerate(zip(good, bad))
                    if a != b and a.replace("../", "") != b.replace("../", ""))
        same = os.path.commonprefix([good[line], bad[line]])
        column = re.search(r"[\w-]*$", same).start() + 1
        if file == "blocked.txt":
            column = 1
        daemon.configure(None, "include %s;" % twin)
        refused(t, daemon, "broken " + name, "broken/%s:%d:%d" % (file, line + 1, column), "")
    daemon.configure(None, "include %s/policy/broken/later-word.conf;" % DATA)
    refused(t, daemon, "a word of a later module", "broken/later-word.conf:4:41",
            'fact "dmarc" needs module dmarc, which is not loaded')


def twins(t, daemon):
    with open(POLICY) as f:
        good = f.read()
    folder = t.folder("twins")
    for name in ("gateway/partners", "gateway/blocked"):
        os.symlink(os.path.join(DATA, name), os.path.join(folder, os.path.basename(name)))
    for what, old, new, wrong, said in TWINS:
        text = good.replace(old, new, 1)
        if not t.ok(text != good, "%s: there is a twin" % what):
            continue
        t.write("twins/policy.conf", text)
        daemon.configure(None, "include %s/policy.conf;" % folder)
        refused(t, daemon, what, "policy.conf:%d:%d"
                % position(text, text.index(wrong, text.index(new))), said)
    daemon.reload()
    t.ok(daemon.wait_log(r"dmarc, which is not loaded"), "the running daemon says so too",
         daemon.log()[-2000:])
    reply = net.send(daemon.address, "ada@client.example", ["one@example.com"],
                     mail("image-only.eml"))
    t.same(reply.code, 451, "and keeps its old policy", reply)


def test(t):
    daemon = Postern(t, policy=None, top="include %s;" % POLICY)
    rule_tests(t, daemon)
    through_smtp(t, daemon)
    release(t, daemon)
    broken_files(t, daemon)
    twins(t, daemon)


tap.run(test, 60)
