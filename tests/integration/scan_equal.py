"""scan_equal - the proxy and `postern scan` reach the same verdict by the same way.

Deciding is a pure function of facts and rules (design 1). Each mail goes
through the daemon and through `postern scan` with the same client, HELO,
sender and recipient; the traces must be equal as JSON, but for id and time.
"""

import concurrent.futures
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
import tools
from postern import Postern
from sink import Sink

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


def trace_of(answer):
    return answer.get("trace", answer) if isinstance(answer, dict) else answer


def through_proxy(daemon, mails):
    """Reply code and id of each, in order."""
    got = []
    with net.Client(daemon.address, source="127.0.0.9", helo="scan.client.example") as c:
        for name, body in mails:
            got.append(c.mail("ada@client.example", ["one@example.com"], body).code)
        c.quit()
    tap.until(lambda: len(ID.findall(daemon.log())) >= len(mails), 10)
    return list(zip(got, ID.findall(daemon.log())))


def compare(daemon, folder, number, name, body, code, ident):
    path = os.path.join(folder, "%04d.eml" % number)
    with open(path, "wb") as f:
        f.write(body)
    explained = daemon.cli("explain", ident, json_out=True)
    scanned = daemon.cli("scan", "--client", "127.0.0.9", "--name", "nine.client.example",
                         "--helo", "scan.client.example", "--sender", "ada@client.example",
                         "--rcpt", "one@example.com", "--listener", daemon.listener,
                         path, json_out=True)
    try:
        a = comparable(trace_of(json.loads(explained.stdout)))
        b = comparable(trace_of(json.loads(scanned.stdout)))
    except ValueError:
        return "%s: no JSON: %s %s / %s %s" % (name, explained.stdout[:200], explained.stderr,
                                               scanned.stdout[:200], scanned.stderr)
    if a != b:
        return "%s (%d): %s\n  proxy %s\n  scan  %s" % (
            name, code, ident, json.dumps(a, sort_keys=True), json.dumps(b, sort_keys=True))
    return None


def test(t):
    sink = Sink()
    t.defer(sink.close)
    daemon = Postern(t, upstream="server %s; identity xclient;" % sink.server,
                     policy=POLICY, top=TOP, hosts={"127.0.0.9": "nine.client.example"})
    daemon.listener = "127.0.0.1:0"
    folder = t.folder("mails")
    mails, where = tools.corpus(500, own=60)
    # A bare CR is refused at the door and has no trace; scan reads files.
    mails = [(n, b) for n, b in mails if not re.search(rb"\r(?!\n)", b)]
    seen = through_proxy(daemon, mails)
    t.same(len(seen), len(mails), "each of %d mails %s has its summary line"
           % (len(mails), where), daemon.log()[-2000:])
    codes = {c: sum(1 for code, _ in seen if code == c) for c in {c for c, _ in seen}}
    t.note("replies: %r" % codes)
    # The keeper has the last batch of traces when it can explain the last mail.
    tap.until(lambda: daemon.cli("explain", seen[-1][1]).returncode == 0, 10, 0.2)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = list(filter(None, pool.map(
            lambda job: compare(daemon, folder, job[0], *job[1][0], *job[1][1]),
            enumerate(zip(mails, seen)))))
    t.ok(not wrong, "verdict and trace of %d mails are equal through proxy and scan"
         % len(mails), "%d differ" % len(wrong), *wrong[:5])
    t.ok(len({c for c, _ in seen}) >= 2, "there were different verdicts among them", codes)


tap.run(test, 150)
