"""scan_equal - the proxy and `postern scan` reach the same verdict by the same way.

Deciding is a pure function of facts and rules (design 1). Each mail goes
through the daemon and through `postern scan` with the same client, HELO,
sender and recipient; the traces must be equal as JSON, but for id and time.
"""

import collections
import concurrent.futures
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import postern
import tap
import tools
from postern import Postern
from sink import Sink

# The second recipient's, with what changes a mail and with a score.
OTHER = r"""
policy two for rcpt two@example.com {
    group signs cap 5;
    threshold tag 3; threshold quarantine 5 class signs;
    rule traced  { when size >= 0; then score +1, note "to $rcpt"; }
    rule html    { when any part ( type = "text/html" ); then score +4 "html" in signs; }
    rule list    { when header("List-Id") ~ /./; then score -2 "a list"; }
    rule packed  { when any part ( magic is zip or magic is executable );
                   then strip part with note "$part.path", quarantine class packed copy; }
    rule many    { when any part at any depth ( ext in executables or magic is executable ); then redirect abuse@example.com; }
    rule shadow  { mode shadow; when subject ~ /e/; then reject 550 5.7.1 "not yet"; }
    rule first   { when direction is internal; always; then copy archive@example.com; }
}
"""
# Every mail is tagged, so that the keeper has the trace of every one.
TOP = """
set executables = ext(exe com scr pif bat cmd js vbs lnk zip);
"""
POLICY = r"""
rule traced   { when size >= 0; then tag, header add X-Traced "yes"; }
rule program  { when any part at any depth ( ext in executables or magic is executable );
                then reject 550 5.7.1 "program: $part.path"; }
rule html     { when any part ( type = "text/html" ) and not all part ( type = "text/html" );
                then quarantine class html; }
rule lists    { when header("List-Id") ~ /\.(?:example|net|com|org)/i or header("Precedence") = "list";
                then subject prefix "[LIST] "; }
rule free     { when subject ~ /\b(?:free|money|viagra|guarantee)\b/i;
                then header add X-Spam "subject $subject"; }
rule sender   { when sender contains "client" and client.ip = "127.0.0.9";
                then header add X-Sender "$sender"; }
rule odd      { when mime.ambiguous or mime.broken; then tag; }
rule raw      { when raw ~ /<script/i; then tempfail 451 4.7.1 "later"; }
"""
ID = re.compile(r"\bid=(\S+) .*\bev=message\b")


def comparable(trace):
    """Without what differs from one run to the next."""
    if isinstance(trace, dict):
        return {k: comparable(v) for k, v in trace.items() if k not in ("id", "time")}
    if isinstance(trace, list):
        return [comparable(v) for v in trace]
    return trace


def through_proxy(daemon, mails, rcpts):
    """(reply, id) of each, in order."""
    got, had = [], len(ID.findall(daemon.log()))
    with net.Client(daemon.address, source="127.0.0.9", helo="scan.client.example") as c:
        for name, body in mails:
            got.append(c.mail("ada@client.example", rcpts, body))
        c.quit()
    tap.until(lambda: len(ID.findall(daemon.log())) >= had + len(mails), 10)
    return list(zip(got, ID.findall(daemon.log())[had:]))


def through_scan(t, daemon, mails, rcpts):
    """What `postern --json scan` says of each, in order: one run, many files."""
    folder = t.folder("mails")
    paths = []
    for i, (name, body) in enumerate(mails):
        paths.append(os.path.join(folder, "%04d.eml" % i))
        with open(paths[-1], "wb") as f:
            f.write(body)
    done = daemon.cli("scan", "--client", "127.0.0.9", "--name", "nine.client.example",
                      "--helo", "scan.client.example", "--sender", "ada@client.example",
                      *(word for r in rcpts for word in ("--rcpt", r)),
                      "--listener", "127.0.0.1:0", *paths,
                      json_out=True, timeout=120)
    t.same(done.returncode, 0, "postern scan reads %d files" % len(paths), done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def explained(daemon, ident):
    done = daemon.cli("explain", ident, json_out=True)
    try:
        answer = json.loads(done.stdout)
        return answer.get("message", answer)["trace"]
    except (ValueError, KeyError):
        return "no JSON: %s %s" % (done.stdout[:200], done.stderr)


def difference(name, reply, ident, trace, scan):
    a, b = comparable(trace), comparable(scan["trace"])
    if a != b:
        return "%s (%d) %s:\n  proxy %s\n  scan  %s" % (
            name, reply.code, ident, json.dumps(a, sort_keys=True),
            json.dumps(b, sort_keys=True))
    said = "%d %s" % (reply.code, reply.text.rpartition(" [ref ")[0])
    if reply.code >= 400 and said != scan.get("reply"):
        return "%s: the client heard %r, scan says %r" % (name, said, scan.get("reply"))
    return None


def equal(t, daemon, mails, where, rcpts, least):
    seen = through_proxy(daemon, mails, rcpts)
    if not t.same(len(seen), len(mails), "each of %d mails %s has its summary line"
                  % (len(mails), where), daemon.log()[-2000:]):
        return
    codes = collections.Counter(r.code for r, _ in seen)
    t.note("replies: %r" % dict(codes))
    # The keeper has the last batch of traces when it can explain the last mail.
    tap.until(lambda: daemon.cli("explain", seen[-1][1]).returncode == 0, 10, 0.2)
    scans = through_scan(t, daemon, mails, rcpts)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        traces = list(pool.map(lambda s: explained(daemon, s[1]), seen))
    wrong = list(filter(None, (
        difference(name, reply, ident, trace, scan) for (name, _), (reply, ident), trace,
        scan in zip(mails, seen, traces, scans))))
    t.ok(len(scans) == len(mails) and not wrong,
         "verdict and trace of %d mails to %s are equal through proxy and scan"
         % (len(mails), " and ".join(rcpts)), "%d differ" % len(wrong), *wrong[:5])
    actions = collections.Counter(s["action"] for s in scans)
    t.ok(len(actions) >= least, "there were different verdicts among them: %s"
         % ", ".join("%d %s" % (n, a) for a, n in actions.most_common()))


def test(t):
    sink = Sink()
    t.defer(sink.close)
    daemon = Postern(t, upstream="server %s; identity xclient;" % sink.server,
                     policy=POLICY, top=TOP + OTHER, extra="mixed strictest;",
                     hosts={"127.0.0.9": "nine.client.example"})
    # A sanitizer makes 500 processes slow without seeing more in them.
    few = postern.configured("WITH_SANITIZERS")
    mails, where = tools.corpus(100 if few else 500, own=60)
    # A bare CR is refused at the door and has no trace; scan reads files.
    mails = [(n, b) for n, b in mails if not re.search(rb"\r(?!\n)", b)]
    equal(t, daemon, mails, where, ["one@example.com"], 3)
    # Some of each kind: they are in the order of their folders.
    equal(t, daemon, mails[::3], where, ["two@example.com"], 2)
    equal(t, daemon, mails[::10], where, ["one@example.com", "two@example.com"], 2)


tap.run(test, 180)
