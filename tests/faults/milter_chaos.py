"""milter_chaos - kill -9 at moments nobody chose, beside a Postfix under load.

Six clients send through a Postfix that asks postern: mail that passes, that is
changed in every way, held, copied to the keeper, refused. All the while milter
workers, inspectors, the keeper and now and then the master are killed, and the
configuration is read again. In the end each attempt has left what its client
heard. A 250 is one copy at the next hop with all of its changes or one with the
keeper, never none, never two, never half a change; anything else has left
nothing at the next hop, and with the keeper one copy at most, which is there when
postern or its word was lost after it had been written.
"""

import collections
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import blows
import tap
from milter_sides import PostfixSide
from postern import Postern

SECONDS = 12            # or, where too little comes through, up to thrice
CLIENTS = 6
POLICY = """
rule refused { when subject contains "refused"; then reject 554 5.7.1 "no"; }
rule held    { when subject contains "held"; then quarantine class tests; }
rule copied  { when subject contains "copied"; then quarantine class copies copy; }
rule changed { when subject contains "changed";
               then header add X-Last "1", header insert X-First "1", subject prefix "[C] ",
                    sender set changed@example.com, rcpt add two@example.com,
                    rcpt remove one@example.com; }
rule strip   { when any part ( name = "a.bin" ); then strip part with note "taken out"; }
"""
KINDS = ("passed", "changed", "held", "copied", "refused")
PART = (b"Content-Type: multipart/mixed; boundary=b\r\nMIME-Version: 1.0\r\n\r\n--b\r\n\r\n%s\r\n%s"
        b"--b\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\n\r\nSECRET\r\n--b--\r\n")


class Client(blows.Client):
    """.attempts: (kind, marker, code)."""

    def one(self, c):
        n = len(self.attempts)
        kind = KINDS[n % len(KINDS)]
        marker = b"marker-%d-%d." % (self.number, n)
        filling = b"filling\r\n" * (n % 11) ** 4
        self.attempts.append((kind, marker, 0))
        head = b"Subject: %s\r\n" % kind.encode()
        code = c.mail("ada@a.example", ["one@example.com"], head + (
            PART % (marker, filling) if kind == "changed" else
            b"\r\n" + marker + b"\r\n" + filling)).code
        self.attempts[n] = (kind, marker, code)
        return True


def markers(texts):
    found = collections.defaultdict(list)
    for text in texts:
        for marker in re.findall(rb"marker-\d+-\d+\.", text)[:1]:
            found[marker].append(text)
    return found


def changed(message):
    """All of it, as Postfix passed it on."""
    raw = message.raw
    return (re.match(rb"X-First: 1\r\n", raw) and b"\r\nX-Last: 1\r\n" in raw
            and b"\r\nSubject: [C] changed\r\n" in raw and b"SECRET" not in raw
            and b"taken out" in raw and b"<changed@example.com>" in message.mail
            and [b"<two@example.com>" in r for r in message.rcpts] == [True])


def unchanged(message):
    return (b"\r\nX-Last" not in message.raw and b"<ada@a.example>" in message.mail
            and [b"<one@example.com>" in r for r in message.rcpts] == [True])


def judge(attempts, sent, held):
    """What is wrong with these attempts, in words."""
    for kind, marker, code in attempts:
        to, there = sent[marker], len(held[marker])
        good = changed if kind == "changed" else unchanged
        if code == 250:
            want = (int(kind != "held"), int(kind in ("held", "copied")))
            ok = (len(to), there) == want and kind != "refused" and all(map(good, to))
        else:
            ok = not to and there <= int(kind in ("held", "copied"))
        if not ok:
            yield "%s %s: heard %s, %d sent on, %d kept, %r" % (
                kind, marker.decode(), code or "a cut", len(to), there,
                [(m.mail, m.rcpts, m.raw[:400]) for m in to])


def test(t):
    dice = blows.dice(t)
    path = t.path("door.sock")
    postfix = PostfixSide(t, [("postern", "unix:" + path)],
                          main="milter_default_action = tempfail\n"
                          "milter_connect_timeout = 5s\nmilter_command_timeout = 10s\n"
                          "smtpd_client_event_limit_exceptions = 127.0.0.1\n"
                          "smtpd_soft_error_limit = 1000\nsmtpd_hard_error_limit = 2000\n")
    daemon = Postern(t, name="door", policy=POLICY, extra="drain_timeout 5s;",
                     upstream="server %s; identity none;" % postfix.sink.server,
                     listen="listen milter unix:%s { upstream up; mode 0666; }" % path)
    struck = collections.Counter()
    clients = [Client(postfix.address, i) for i in range(CLIENTS)]

    def strike():
        role = dice.choices(("milter", "inspector", "keeper", "reload", "master"),
                            (6, 4, 5, 3, 1))[0]
        if role == "reload":
            daemon.reload()
            struck[role] += 1
        else:
            struck[role] += blows.kill(daemon, dice, role)

    def enough():
        heard = collections.Counter(a[2] for c in clients for a in list(c.attempts))
        return heard[250] > 50 and heard[554] > 10 and len(+struck) >= 3
    t.ok(blows.battle(clients, dice, strike, enough, SECONDS),
         "every client comes to an end", daemon.log()[-3000:])
    blows.last_mail(t, daemon, "and a last mail is kept", postfix.address, "ada@a.example",
                    ["one@example.com"], b"Subject: held\r\n\r\nlast\r\n")
    t.ok(postfix.postfix.settle(60), "Postfix has nothing left", postfix.log()[-2000:])
    blows.end_twice(t, daemon)

    attempts = [a for c in clients for a in c.attempts]
    sent = collections.defaultdict(list)
    for m in postfix.sink.messages:
        for marker in markers([m.raw]):
            sent[marker].append(m)
    wrong = list(judge(attempts, sent, markers(blows.kept(daemon))))
    heard = collections.Counter(code for _, _, code in attempts)
    t.note("struck: %r; heard: %r" % (dict(struck), dict(heard)))
    t.ok(heard[250] > 50 and heard[554] > 10 and len(+struck) >= 3,
         "%d mails got through, %d blows" % (heard[250], sum(struck.values())))
    t.ok(not wrong, "each of %d attempts left what its client heard" % len(attempts),
         "%d did not" % len(wrong), *wrong[:8])
    t.same(re.findall(r".*(?:error|fatal|panic): .*", postfix.postfix.whole_log()), [],
           "Postfix has nothing worse to say than warnings")


tap.run(test, 240)
