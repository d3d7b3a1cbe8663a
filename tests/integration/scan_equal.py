"""scan_equal - both doors and `postern scan` reach the same verdict by the same way.

Deciding is a pure function of facts and rules (design 1). Each mail goes
through the proxy, through the milter (tests/lib/milter.py is the MTA) and
through `postern scan` with the same client, HELO, sender and recipient; the
traces must be equal as JSON, but for id, time and what only one of the doors
can know. What passes leaves the proxy as it leaves the MTA that the milter
told what to change: the same octets, for the same recipients.
"""

import collections
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import milter
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
    rule traced  { when size >= 0; then score +1, note "to $rcpt", header insert X-Two "$rcpt"; }
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
LINE = re.compile(r"\bid=(\S+) .*\bev=message\b.*? code=\d+(.*)$", re.M)
CLIENT, NAME, HELO, SENDER = ("127.0.0.9", "nine.client.example", "scan.client.example",
                              "ada@client.example")
# What differs from one run to the next; and from door to door: the listener,
# in the client's place and as a fact, which of HELO and EHLO was said, of which
# no MTA tells, and what the MTA calls the mail.
RUN = ("id", "time")
# Without one, no milter is told whether a certificate was verified.
DOOR = RUN + ("listener", "helo.verb", "queue", "tls.cert.verified")

# What became of a mail: code and text of the refusal, id; octets and recipients
# of what went on, or None.
Seen = collections.namedtuple("Seen", "code text id message rcpts")


def comparable(trace, but):
    if isinstance(trace, dict):
        return {k: comparable(v, but) for k, v in trace.items() if k not in but}
    if isinstance(trace, list):
        return [comparable(v, but) for v in trace]
    return trace


def summaries(daemon):
    """(id, the line's end) of each message so far."""
    return LINE.findall(daemon.log())


def text_of(reply):
    return reply.text.rpartition(" [ref ")[0] if reply.code >= 400 else ""


def through_proxy(daemon, sink, mails, rcpts):
    """What was seen of each, in order."""
    got, had = [], len(summaries(daemon))
    with net.Client(daemon.address, source=CLIENT, helo=HELO) as c:
        for _, body in mails:
            before = len(sink.messages)
            reply = c.mail(SENDER, rcpts, body)
            got.append((reply, sink.messages[before:]))
        c.quit()
    tap.until(lambda: len(summaries(daemon)) >= had + len(mails), 10)
    return [Seen(reply.code, text_of(reply), ident, new[0].raw if new else None,
                 sorted(r.split(b"<")[1].split(b">")[0] for r in new[0].rcpts)
                 if new else None)
            for (reply, new), (ident, _) in zip(got, summaries(daemon)[had:])]


def through_milter(daemon, mails, rcpts):
    """Likewise."""
    client, got = milter.Client(CLIENT, name=NAME), []
    had = len(summaries(daemon))
    with milter.Mta(daemon.milters()[0]) as mta:
        for _, body in mails:
            result = mta.deliver(None if got else client, None if got else HELO,
                                 "<%s>" % SENDER, rcpts, body)
            got.append((result, mta.queue_id))
        mta.quit()
    tap.until(lambda: len(summaries(daemon)) >= had + len(mails), 10)
    ids = {re.search(r"queue=(\S+)", rest).group(1): ident
           for ident, rest in summaries(daemon)[had:]}
    return [Seen(r.code, text_of(r), ids.get(queue),
                 r.message if r.action == "accept" else None,
                 sorted(a for a, _ in r.rcpts) if r.action == "accept" else None)
            for r, queue in got]


def can_be_told(body):
    """Does the protocol carry this message as it is? An MTA would make another
    one of it before a milter sees it."""
    message = milter.Message(body)
    head = body[:len(body) - len(message.body)]
    return message.blank and message.bytes() == body and b"\0" not in head


def through_scan(t, daemon, mails, rcpts):
    """What `postern --json scan` says of each, in order: one run, many files."""
    folder = t.folder("mails")
    paths = []
    for i, (name, body) in enumerate(mails):
        paths.append(os.path.join(folder, "%04d.eml" % i))
        with open(paths[-1], "wb") as f:
            f.write(body)
    done = daemon.cli("scan", "--client", CLIENT, "--name", NAME, "--helo", HELO,
                      "--sender", SENDER, *(word for r in rcpts for word in ("--rcpt", r)),
                      "--listener", "127.0.0.1:0", *paths,
                      json_out=True, timeout=120)
    t.same(done.returncode, 0, "postern scan reads %d files" % len(paths), done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def traces_of(daemon, seen):
    """What history has of each: a thousand processes would take their time."""
    def ask(ident):
        answer = daemon.ask("explain", id=ident)
        return answer["message"]["trace"] if answer["ok"] else None
    # The last batch comes within a second; what is held can be explained before.
    return [tap.until(lambda: ask(s.id), 10, 0.1) for s in seen]


def difference(name, seen, trace, scan):
    a, b = comparable(trace, RUN), comparable(scan["trace"], RUN)
    if a != b:
        return "%s (%d) %s:\n  proxy %s\n  scan  %s" % (
            name, seen.code, seen.id, json.dumps(a, sort_keys=True),
            json.dumps(b, sort_keys=True))
    said = "%d %s" % (seen.code, seen.text)
    if seen.code >= 400 and said != scan.get("reply"):
        return "%s: the client heard %r, scan says %r" % (name, said, scan.get("reply"))
    return None


def apart(name, proxy, mta, trace, told):
    """What differs between the doors."""
    a, b = comparable(trace, DOOR), comparable(told, DOOR)
    if a != b:
        return "%s %s %s:\n  proxy  %s\n  milter %s" % (
            name, proxy.id, mta.id, json.dumps(a, sort_keys=True),
            json.dumps(b, sort_keys=True))
    for what in ("code", "text", "rcpts", "message"):
        if getattr(proxy, what) != getattr(mta, what):
            return "%s: %s through the proxy: %r\n  through the milter: %r" % (
                name, what, getattr(proxy, what), getattr(mta, what))
    return None


def doors_equal(t, daemon, mails, rcpts, seen, traces):
    """Each mail that can be told, as it came through the proxy and the milter."""
    kept = [i for i, (_, body) in enumerate(mails) if can_be_told(body)]
    t.ok(len(kept) >= 0.9 * len(mails), "%d of %d mails can be told to a milter"
         % (len(kept), len(mails)))
    mtas = through_milter(daemon, [mails[i] for i in kept], rcpts)
    if not t.ok(all(m.id for m in mtas), "each of them has its summary line",
                daemon.log()[-2000:]):
        return
    told = traces_of(daemon, mtas)
    wrong = list(filter(None, (
        apart(mails[i][0], seen[i], mta, traces[i], trace)
        for i, mta, trace in zip(kept, mtas, told))))
    changed = sum(m.message is not None and m.message != mails[i][1]
                  for i, m in zip(kept, mtas))
    t.ok(not wrong and changed > 0, "%d mails to %s: verdict, trace, recipients and octets"
         " are equal through proxy and milter (%d changed)"
         % (len(kept), " and ".join(rcpts), changed), "%d differ" % len(wrong), *wrong[:5])


def equal(t, daemon, sink, mails, where, rcpts, least):
    seen = through_proxy(daemon, sink, mails, rcpts)
    if not t.same(len(seen), len(mails), "each of %d mails %s has its summary line"
                  % (len(mails), where), daemon.log()[-2000:]):
        return
    codes = collections.Counter(s.code for s in seen)
    t.note("replies: %r" % dict(codes))
    traces = traces_of(daemon, seen)
    scans = through_scan(t, daemon, mails, rcpts)
    wrong = list(filter(None, (
        difference(name, one, trace, scan) for (name, _), one, trace, scan
        in zip(mails, seen, traces, scans))))
    t.ok(len(scans) == len(mails) and not wrong,
         "verdict and trace of %d mails to %s are equal through proxy and scan"
         % (len(mails), " and ".join(rcpts)), "%d differ" % len(wrong), *wrong[:5])
    actions = collections.Counter(s["action"] for s in scans)
    t.ok(len(actions) >= least, "there were different verdicts among them: %s"
         % ", ".join("%d %s" % (n, a) for a, n in actions.most_common()))
    doors_equal(t, daemon, mails, rcpts, seen, traces)


def test(t):
    sink = Sink()
    t.defer(sink.close)
    daemon = Postern(t, upstream="server %s; identity xclient;" % sink.server,
                     listen="listen smtp 127.0.0.1:0 { upstream up; }"
                     " listen milter inet:0@127.0.0.1;",
                     policy=POLICY, top=TOP + OTHER, extra="mixed strictest;",
                     hosts={CLIENT: NAME})
    # A sanitizer makes 500 processes slow without seeing more in them.
    few = postern.configured("WITH_SANITIZERS")
    mails, where = tools.corpus(100 if few else 500, own=60)
    # A bare CR is refused at the door and has no trace; scan reads files.
    mails = [(n, b) for n, b in mails if not re.search(rb"\r(?!\n)", b)]
    equal(t, daemon, sink, mails, where, ["one@example.com"], 3)
    # Some of each kind: they are in the order of their folders.
    equal(t, daemon, sink, mails[::3], where, ["two@example.com"], 2)
    equal(t, daemon, sink, mails[::10], where, ["one@example.com", "two@example.com"], 2)


tap.run(test, 180)
