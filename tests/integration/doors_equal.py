"""doors_equal - the table of policy cases through the proxy, the milter and scan.

Every mail of tests/data/policies (tests/lib/cases.py) is sent to the proxy,
told to the milter by an MTA (tests/lib/milter.py) and given to `postern scan`:
the same verdict, replies, recipients and octets, and the same trace but for
what only one of the doors can know. No milter can give a reply to a connection:
what the proxy's banner refuses an MTA hears at HELO, by the rule's own code. Of
a mail whose body no rule of its recipients wants the milter knows the header.
"""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import milter
import tap
from cases import DATA, read_cases, talk
from postern import Postern
from sink import Sink

NAMES = {"192.0.2.7": "client.example"}
# What no MTA tells, and what the proxy has no name for.
DOOR = ("id", "time", "listener", "helo.verb", "queue")
# The keys of the summary line that are the same at both doors.
KEYS = ("client", "name", "helo", "from", "to", "rcpts", "action", "rule", "policy", "score",
        "would", "onward", "copy", "note")
# A fact that is false where we shake hands, and unknown where an MTA does: it
# tells a milter that a certificate was verified, but not that none was.
HANDSHAKE = "tls.cert.verified"
# Facts that the header tells.
HEADER = {"subject", "from", "reply-to", "to", "cc"}
REFERENCE = re.compile(r"\[ref (\w+)\]")


class Seen:
    """What one door made of a case."""

    def __init__(self, stage, replies, message, rcpts, line):
        self.stage = stage          # that refused, or "dot"
        # Without references, and who greets under which name.
        self.replies = [REFERENCE.sub("[ref]", r).replace("postern.example ", "")
                        for r in replies]
        self.message = message      # octets that went on, or None
        self.rcpts = rcpts
        self.line = {k: line.get(k) for k in KEYS}
        self.id = line["id"]


def summary(daemon, before, door):
    """The mail's line in the log since then, as a dict."""
    def find():
        for line in daemon.log()[before:].splitlines():
            if re.search(r"\bev=(?:message|refused)\b", line) \
                    and ("door=milter" in line) == (door == "milter"):
                return line
        return None
    words = dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', tap.until(find, 10)))
    return {k: v.strip('"') for k, v in words.items()}


def by_proxy(daemon, sink, case):
    before, had = len(daemon.log()), len(sink.messages)
    stage, reply, rcpts = talk(daemon, case)
    new = sink.messages[had:]
    replies = ["%d %s" % (r.code, r.text) for r in rcpts if r.code >= 400]
    if reply.code >= 400 and stage != "rcpt":
        replies.append("%d %s" % (reply.code, reply.text))
    return Seen(stage, replies, new[0].raw if new else None,
                sorted(r.split(b"<")[1].split(b">")[0] for r in new[0].rcpts)
                if new else None, summary(daemon, before, "smtp"))


def by_milter(daemon, case):
    before = len(daemon.log())
    ip = case.get("client", "192.0.2.7")
    macros = {"{auth_authen}": case.said["login"], "{auth_type}": "PLAIN"} \
        if "login" in case.said else {}
    with milter.Mta(daemon.milters()[0], macros=macros) as mta:
        result = mta.deliver(
            milter.Client(ip, name=NAMES.get(ip, "unknown")),
            case.get("helo", "client.example"),
            "<%s>" % case.get("from", "ada@client.example"),
            ["<%s>" % address for address, _ in case.rcpts], case.message())
        mta.quit()
    replies = ["%d %s" % (r.code, r.text) for _, r in result.refused]
    if result.code >= 400 and result.stage != "rcpt":
        replies.append("%d %s" % (result.code, result.text))
    on = result.action == "accept"
    return Seen("dot" if result.stage == "eom" else result.stage, replies,
                result.message if on else None,
                sorted(a for a, _ in result.rcpts) if on else None,
                summary(daemon, before, "milter"))


def by_scan(t, daemon, case):
    """What `postern --json scan` says of it, to the recipients who are not refused."""
    words = ["--client", case.get("client", "192.0.2.7"),
             "--helo", case.get("helo", "client.example"),
             "--sender", case.get("from", "ada@client.example"),
             "--listener", "127.0.0.1:0"]
    if case.get("client", "192.0.2.7") in NAMES:
        words += ["--name", NAMES[case.get("client", "192.0.2.7")]]
    if "login" in case.said:
        words += ["--login", case.said["login"]]
    for address, code in case.rcpts:
        words += ["--rcpt", address]
    done = daemon.cli("scan", *words, t.write("mail.eml", case.message()), json_out=True)
    return json.loads(done.stdout) if done.returncode == 0 else {"failed": done.stderr}


def without_handshake(trace):
    """What is only known to who shakes hands: unknown to a milter, and said to be so."""
    return dict(trace, facts={k: v for k, v in trace["facts"].items() if k != HANDSHAKE})


def comparable(trace):
    if isinstance(trace, dict):
        return {k: comparable(v) for k, v in trace.items() if k not in DOOR}
    if isinstance(trace, list):
        return [comparable(v) for v in trace]
    return trace


def trace_of(daemon, ident):
    def ask():
        answer = daemon.ask("explain", id=ident)
        return answer["ok"] and comparable(answer["message"]["trace"] or {})
    return tap.until(ask, 10, 0.1)


def at_connect(trace):
    """Without what HELO added to it."""
    return dict(trace, client=dict(trace["client"], helo=""),
                facts={k: v for k, v in trace["facts"].items()
                       if not k.startswith(("helo.", "tls."))},
                stages=[s for s in trace["stages"] if s["stage"] == "connect"])


def of_header(trace):
    """What is known of a message whose body no rule wants."""
    facts = {k: v for k, v in trace["facts"].items() if k not in ("size", "mime.ambiguous")}
    return dict(trace, size=None, partial=True, facts=facts,
                found=[f for f in trace["found"] if set(f) <= HEADER])


def differences(proxy, mta):
    """Between the doors, in words."""
    for what in ("stage", "replies", "line", "rcpts", "message"):
        a, b = getattr(proxy, what), getattr(mta, what)
        if proxy.stage == "banner" and what in ("stage", "replies"):
            a, b = len(proxy.replies), len(mta.replies)
        if proxy.stage == "banner" and what == "line":
            a, b = dict(a, helo=None), dict(b, helo=None)
        if a != b:
            yield "%s: proxy %r, milter %r" % (what, a, b)


def one_case(t, daemon, sink, case):
    proxy, mta = by_proxy(daemon, sink, case), by_milter(daemon, case)
    wrong = list(differences(proxy, mta))
    t.ok(not wrong, "%s: %s at both doors" % (case.name, proxy.line["action"]), *wrong)
    return case, proxy, mta


def kept(t, daemon, seen):
    """What is held, or of which a copy is: whole, as it came, at both doors."""
    held, wrong, n = {m["id"]: m["class"] for m in daemon.quarantine()}, [], 0
    for case, proxy, mta in seen:
        for one in (proxy, mta):
            n += "kept" in case.said
            if held.get(one.id) != case.get("kept"):
                wrong.append("%s %s: %r" % (case.name, one.id, held.get(one.id)))
            elif one.id in held:
                got = daemon.cli("quarantine", "export", one.id, text=False)
                if got.stdout != case.message():
                    wrong.append("%s %s: %r %r" % (case.name, one.id, got.stdout, got.stderr))
    t.ok(not wrong and n > 0, "%d of them are kept, octet for octet" % n, *wrong)


def traces(t, daemon, seen):
    wrong, compared, partial = [], 0, 0
    for case, proxy, mta in seen:
        a, b = trace_of(daemon, proxy.id), trace_of(daemon, mta.id)
        if proxy.stage == "banner":
            a, b = at_connect(a), at_connect(b)
        if b.get("partial"):
            partial += 1
            a, b = of_header(a), of_header(b)
        compared += bool(a)
        if b["facts"].get(HANDSHAKE) is None:
            a, b = without_handshake(a), without_handshake(b)
        if a != b:
            wrong.append("%s:\n  proxy  %s\n  milter %s" % (
                case.name, json.dumps(a, sort_keys=True), json.dumps(b, sort_keys=True)))
    t.ok(not wrong and compared >= 50 and partial > 0,
         "the doors' traces of %d mails are equal (%d have one, %d without the body)"
         % (len(seen), compared, partial), "%d differ" % len(wrong), *wrong[:4])


def told(t, daemon, seen):
    """In words: what the MTA calls it, and that its body was not asked for."""
    mta = next(m for _, _, m in seen if (trace_of(daemon, m.id) or {}).get("partial"))
    said = daemon.cli("explain", mta.id).stdout
    t.ok(re.search(r"^message .* bytes of header, no rule asks for the body, to the MTA 4Qx\d+$",
                   said, re.M) and re.search(
                       r"\bid=%s .* door=milter queue=4Qx\d+ body=unasked$" % mta.id,
                       daemon.log(), re.M),
         "explain and the log say what is missing, and the queue id", said)


def scans(t, daemon, seen):
    wrong, done = [], 0
    for case, proxy, _ in seen:
        if proxy.stage != "dot" or proxy.replies[:-1]:
            continue
        done += 1
        scan = by_scan(t, daemon, case)
        got = (scan.get("action"), scan.get("rule") or "")
        if got != (proxy.line["action"], proxy.line["rule"]):
            wrong.append("%s: scan %r, proxy %r" % (case.name, scan, proxy.line))
            continue
        trace = trace_of(daemon, proxy.id)
        if trace and trace != comparable(scan["trace"]):
            wrong.append("%s:\n  proxy %s\n  scan  %s" % (
                case.name, json.dumps(trace, sort_keys=True),
                json.dumps(comparable(scan["trace"]), sort_keys=True)))
    t.ok(not wrong and done >= 50, "postern scan has verdict and trace of %d mails, too" % done,
         "%d differ" % len(wrong), *wrong[:4])


def test(t):
    sink = Sink()
    t.defer(sink.close)
    # A trace of every mail, of those that simply pass as well.
    daemon = Postern(t, upstream="server %s; identity xclient;" % sink.server,
                     listen="listen smtp 127.0.0.1:0 { upstream up;"
                     " identity from 127.0.0.1 xclient; }"
                     " listen milter unix:%s/milter { upstream up; }" % t.folder("socket"),
                     policy=None, top="include %s/policy.conf;" % DATA,
                     extra="trace_accept_percent 100;", hosts=NAMES)
    seen = [one_case(t, daemon, sink, case) for case in read_cases()]
    kept(t, daemon, seen)
    traces(t, daemon, seen)
    told(t, daemon, seen)
    scans(t, daemon, seen)


tap.run(test, 180)
