#!/usr/bin/env python3
"""The milter door in the company of a played engine: what an MTA is asked and
told at each stage, what becomes of a message, and how the door is left."""

import os
import queue
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.environ.get("srcdir", "."), "tests", "lib"))
import milter  # noqa: E402
import tap  # noqa: E402

DOOR = os.path.join(os.environ.get("builddir", "build"), "tests/dialogs/milter_door")
CLIENT = milter.Client("192.0.2.1", name="mx.a.example", port=4711)
PLAIN = b"Subject: hello\r\n\r\nbody\r\n"


class Door:
    def __init__(self, t, **options):
        self.log = queue.Queue()
        self.seen = []
        self.child = subprocess.Popen(
            [DOOR] + ["%s=%s" % o for o in options.items()] + ["spool=" + t.dir],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        t.defer(self.end)
        self.address = self.child.stdout.readline().strip()
        if not self.address:
            raise RuntimeError("the door does not open: " + self.child.stderr.read())
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stderr:
            self.log.put(line)

    def end(self):
        """Its exit status."""
        if not self.child.stdin.closed:
            self.child.stdin.close()
        return self.child.wait(10)

    def said(self, pattern, seconds=20):
        """The log line that has it, of those not yet asked for."""
        until = time.monotonic() + seconds
        while True:
            for i, line in enumerate(self.seen):
                if re.search(pattern, line):
                    return self.seen.pop(i)
            try:
                self.seen.append(self.log.get(timeout=max(0.01, until - time.monotonic())))
            except queue.Empty:
                return None

    def mta(self, **options):
        return milter.Mta(self.address, **options)


def message(verdict, more=b""):
    return b"X-Verdict: " + verdict + b"\r\n" + more + PLAIN


def deliver(mta, text=PLAIN, sender="<ada@a.example>", rcpts=("<one@example.com>",), **how):
    how.setdefault("client", CLIENT)
    how.setdefault("helo", "mx.a.example")
    return mta.deliver(how.pop("client"), how.pop("helo"), sender, list(rcpts), text, **how)


def verdicts(t, door):
    """One connection, every outcome."""
    m = door.mta()
    first = True
    for verdict, action, code in (
            (b"accept", "continue", 250), (b"reject", "reject", 550),
            (b"tempfail", "tempfail", 451), (b"discard", "discard", 250),
            (b"quarantine", "discard", 250), (b"hold", "continue", 250),
            (b"slow-reject", "reject", 550), (b"tag", "continue", 250)):
        r = deliver(m, message(verdict), **({} if first else {"client": None, "helo": None}))
        first = False
        t.ok((r.reply.name, r.code) == (action, code), "%s is %s" % (verdict.decode(), action), r)
        if code >= 400:
            t.ok(re.search(r" \[ref [0-9a-v]{16}\]$", r.text), "and says its reference", r.text)
        if verdict == b"tag":
            t.ok(r.message.startswith(b"X-Verdict: tag\r\nSubject: hello\r\nX-Tag: yes\r\n\r\n"),
                 "and tagged", r.message)
        elif verdict == b"hold":
            t.ok(r.hold is not None, "and held there", r.changes)
        else:
            t.ok(not r.changes, "and unchanged", r.changes)
        line = door.said("ev=message .*queue=" + m.queue_id)
        t.ok(line and "code=%d" % code in line and "client=192.0.2.1 name=mx.a.example "
             "helo=\"mx.a.example\" from=\"<ada@a.example>\" to=\"<one@example.com>\"" in line
             and "door=milter" in line, "and in the log", line)
    m.quit()


def keepers(t, door):
    m = door.mta()
    for keeper, code in ((b"away", 451), (b"full", 452), (b"slow", 250)):
        r = deliver(m, b"X-Verdict: quarantine\r\nX-Keeper: " + keeper + b"\r\n\r\n")
        t.ok(r.code == code, "a keeper that is %s: %d" % (keeper.decode(), code), r)
        r = deliver(m, b"X-Verdict: keep\r\nX-Keeper: " + keeper + b"\r\n\r\n",
                    client=None, helo=None)
        t.ok(r.code == code and r.reply.name == ("continue" if code == 250 else "tempfail"),
             "nor does a copy go on before it is kept", r)
    m.quit()


def envelopes(t, door):
    m = door.mta()
    r = deliver(m, message(b"redirect"), rcpts=["<a@example.com>", "<b@example.com>"])
    t.ok([a for a, _ in r.rcpts] == [b"new@example.com"], "redirected", r.changes)
    r = deliver(m, message(b"copy"), client=None, helo=None)
    t.ok(r.rcpts == [(b"one@example.com", []), (b"new@example.com", [b"NOTIFY=NEVER"])],
         "and copied", r.rcpts)
    r = deliver(m, message(b"rcpt-remove"), rcpts=["<a@example.com>", "<b@example.com>"],
                client=None, helo=None)
    t.ok([a for a, _ in r.rcpts] == [b"a@example.com"], "and one removed", r.rcpts)
    r = deliver(m, message(b"sender"), client=None, helo=None)
    t.ok(r.sender[0] == b"other@example.com", "and the sender changed", r.sender)
    m.quit()


def recipients(t, door):
    m = door.mta()
    r = deliver(m, rcpts=["<rejected@example.com>", "<one@example.com>", "<later@example.com>",
                          "<other@example.com>"])
    t.ok([x.code for x in r.at("rcpt")] == [550, 250, 451, 452], "each recipient its reply",
         r.replies)
    t.ok(r.reply.name == "continue", "and the rest goes on")
    r = deliver(m, sender="<rejected@a.example>", client=None, helo=None)
    t.ok(r.at("mail")[0].goes_on and r.at("rcpt")[0].code == 550,
         "a sender is refused at RCPT", r.replies)
    t.ok(door.said(r"ev=refused .*from=\"<rejected@a.example>\" to=\"<one@example.com>\""),
         "which the log knows")
    r = deliver(m, sender="<early@a.example>", client=None, helo=None)
    t.ok(r.at("mail")[0].code == 550 and not r.at("rcpt"), "an early rule at MAIL", r.replies)
    began = time.monotonic()
    r = deliver(m, rcpts=["<slow@example.com>"], client=None, helo=None)
    t.ok(r.code == 250 and time.monotonic() - began >= 0.19, "a delay is waited for")
    m.quit()
    m = door.mta()
    r = deliver(m, helo="early")
    t.ok(r.stage == "helo" and r.code == 550, "an early rule at HELO", r.replies)
    m.quit()


def early(t):
    for what, code in (("reject", 550), ("tempfail", 451)):
        door = Door(t, early=what)
        m = door.mta()
        r = deliver(m)
        t.ok(r.at("connect") == [None] and r.stage == "helo" and r.code == code and
             "not " in r.text, "a connection refused is told so at HELO: %d" % code, r.replies)
        t.ok(door.said("ev=refused .*code=%d" % code), "and logged")
        m.quit()
        m = door.mta()
        r = deliver(m, helo=None)
        t.ok(r.stage == "mail" and r.code == code, "or at MAIL, if there was none", r.replies)
        m.quit()


def leaving(t, door):
    """Wherever the client or the MTA leaves, the next one is served."""
    for at in ("connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body"):
        m = door.mta()
        r = deliver(m, abort_at=at)
        t.ok(r.action == "aborted", "left at " + at)
        r = deliver(m, client=None, helo=None)
        t.ok(r.code == 250, "and the next mail is taken", r)
        deliver(m, abort_at=at, client=None, helo=None)
        m.close()
    m = door.mta()
    deliver(m, abort_at="body")
    m.reset()
    m = door.mta()
    for i in range(24):
        r = deliver(m, **({} if i == 0 else {"client": None, "helo": None}))
        if r.code != 250:
            break
    t.ok(i == 23 and r.code == 250, "24 messages on one connection", r)
    m.quit_nc()
    m.session = None
    r = deliver(m, message(b"tag"), client=milter.Client("192.0.2.2"), helo="other.example")
    t.ok(r.code == 250 and b"X-Tag: yes" in r.message, "and another client's, not negotiated anew", r)
    t.ok(door.said("ev=message client=192.0.2.2 name=unknown helo=\"other.example\""), "as itself")
    m.quit()


def bytes_of(t, door):
    """What was kept is what the client sent."""
    text = (b"Subject:no blank\r\nX-Two:  two blanks\r\nX-Folded: a\r\n b\r\n\tc\r\nX-Empty:\r\n"
            b"X-Blank: \r\n\r\n.\r\n..dots\r\nbare\nline\rends\0\r\n" + b"x" * 100000 + b"\r\n")
    m = door.mta(chunk=1000)
    r = deliver(m, b"X-Verdict: quarantine\r\n" + text)
    t.ok(door.said(r"ev=kept .*size=%d\b" % (len(text) + 23)), "every byte of it", door.seen)
    m.quit()
    m = door.mta(steps=milter.OFFERS[2][1])
    r = deliver(m, b"X-Verdict: quarantine\r\nX-Usual: 1\r\n\r\n")
    t.ok(door.said(r"ev=kept .*size=%d\b" % (23 + 12 + 2)),
         "an MTA that strips blanks: the usual one", door.seen)
    m.quit()


def old(t, door):
    """Old protocols: the same verdicts, or said that it cannot be done."""
    for version in (2, 3, 4, 6):
        m = door.mta(version=version)
        r = deliver(m, message(b"reject"))
        t.ok(r.code == 550 and "not here" in r.text, "protocol %d" % version, r)
        r = deliver(m, message(b"tag"), client=None, helo=None)
        t.ok(b"X-Tag: yes\r\n" in r.message, "and a tag", r)
        r = deliver(m, rcpts=["<rejected@example.com>"], client=None, helo=None)
        t.ok(r.at("rcpt")[0].code == 550, "and a refused recipient", r.replies)
        m.quit()
    for missing, verdict in ((milter.ADDHDRS, b"tag"), (milter.QUARANTINE, b"hold"),
                             (milter.CHGFROM, b"sender"), (milter.DELRCPT, b"redirect"),
                             (milter.ADDRCPT, b"redirect"), (milter.ADDRCPT_PAR, b"copy")):
        m = door.mta(actions=milter.OFFERS[6][0] & ~missing)
        r = deliver(m, message(verdict))
        t.ok(r.reply.name == "tempfail" and r.text.startswith("4.7.1 ") and not r.changes,
             "%s where the MTA cannot: 451" % verdict.decode(), r)
        t.ok(door.said("level=error .*ev=edits why=\"the MTA offers no way"), "and an error line")
        m.quit()


def limits(t):
    door = Door(t, size=10000)
    m = door.mta(chunk=1000)
    r = deliver(m, PLAIN + b"x" * (9999 - len(PLAIN)) + b"y")
    t.ok(r.code == 250, "as large as may be", r)
    r = deliver(m, PLAIN + b"x" * (10001 - len(PLAIN)), client=None, helo=None)
    t.ok(r.code == 552 and r.text.startswith("5.3.4 "), "one more byte: 552", r)
    r = deliver(m, b"X-Long: " + b"x" * 20000 + b"\r\n\r\n", client=None, helo=None)
    t.ok(r.code == 552, "in the header alone", r)
    t.ok(door.said("ev=message .*code=552"), "which the log knows")
    r = deliver(m, client=None, helo=None)
    t.ok(r.code == 250, "and the next is taken", r)
    m.quit()


def patience(t):
    """At the end of a message the MTA hears that somebody is at it."""
    door = Door(t, progress=50)
    m = door.mta()
    r = deliver(m, message(b"slow-reject"))
    t.ok(r.code == 550 and r.progress >= 3, "progress", r.progress)
    m.quit()


def quiet(t):
    """Nothing is said where nothing can be decided."""
    door = Door(t, stages="", body="no", listen=t.path("quiet"))
    m = door.mta()
    r = deliver(m, PLAIN + b"x" * 100000)
    t.ok([s for s, x in r.replies if x is not None] == ["eom"], "one reply a message", r.replies)
    t.ok(not m.wants("header") and not m.wants("body") and not m.wants("data") and not m.wants("unknown"),
         "nor sent what nobody reads", hex(m.steps))
    m.quit()
    door = Door(t, stages="", body="no")
    m = door.mta()
    r = deliver(m, PLAIN)
    t.ok([s for s, x in r.replies if x is not None] == ["data", "eom"],
         "over TCP one more, so that nothing waits for an ACK", r.replies)
    t.ok(door.said("ev=message client=192.0.2.1 name=mx.a.example .*code=250"), "and logged")
    m.quit()
    door = Door(t, stages="rcpt")
    m = door.mta()
    r = deliver(m, rcpts=["<rejected@example.com>", "<one@example.com>"])
    t.ok([s for s, x in r.replies if x is not None] == ["rcpt", "rcpt", "data", "eom"],
         "replies from the first stage that judges", r.replies)
    m.quit()


def macros(t):
    door = Door(t, macros="auth_type,i,daemon_name")
    m = door.mta()
    want = {s: set(n.split()) for s, n in m.symlists.items()}
    theirs = {"{auth_type}", "i", "{daemon_name}"}
    t.ok(want["connect"] == theirs | {"v", "{client_port}", "{client_ptr}", "{client_resolve}"} and
         want["helo"] == theirs | {"{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}",
                                   "{verify}"} and
         want["mail"] == theirs | {"{auth_authen}", "{mail_addr}"} and
         want["rcpt"] == theirs | {"{rcpt_addr}"} and want["eom"] == {"i"},
         "macros by stage", want)
    m.quit()


def draining(t):
    """Who talks may end; nobody new gets in."""
    for listen in ("inet", t.path("sock")):
        door = Door(t, listen=listen)
        m = door.mta()
        deliver(m)
        door.child.stdin.write("drain\n")
        door.child.stdin.flush()
        time.sleep(0.5)
        r = deliver(m, message(b"reject"), client=None, helo=None)
        t.ok(r.code == 550, "a conversation goes on while draining", r)
        m.quit()
        line = door.child.stdout.readline()
        t.same(line, "drained 0 1 1\n", "and then it is drained")
        t.ok(door.end() == 0, "and ends well")


def storm(t, door):
    """Many at once, and a crowd that leaves anywhere."""
    wrong = []

    def run(n):
        try:
            for i in range(20):
                m = door.mta()
                at = ("mail", "rcpt", "header", "body", None)[(n + i) % 5]
                deliver(m, abort_at=at)
                r = deliver(m, message((b"reject", b"tag", b"slow-reject")[i % 3]),
                            client=None, helo=None)
                if (r.code == 550) != (i % 3 != 1):
                    wrong.append(r)
                (m.quit, m.close, m.reset if door.address.startswith("inet") else m.close)[i % 3]()
        except Exception as e:      # a thread's own would be lost
            wrong.append(e)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(20)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    t.ok(not wrong, "400 connections in a storm of aborts", wrong[:3])


def test(t):
    door = Door(t)
    verdicts(t, door)
    keepers(t, door)
    envelopes(t, door)
    recipients(t, door)
    leaving(t, door)
    bytes_of(t, door)
    old(t, door)
    storm(t, door)
    t.ok(door.end() == 0, "it ran all the time")
    early(t)
    limits(t)
    patience(t)
    quiet(t)
    macros(t)
    draining(t)


tap.run(test, limit_s=90)
