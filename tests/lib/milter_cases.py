"""milter_cases - a policy that does everything, and the mails that make it.

What stands in the subject is done to the message; refusals of client, HELO,
sender and recipient come by name. Shared by the tests of the milter door with
our own MTA's side, with miltertest and with Postfix, so that all mean the same.
"""

import re

POLICY = r"""
rule c-early { early; when client.ip in 192.0.2.66 127.0.0.66; then reject 554 5.7.1 "not 100% welcome"; }
rule c-late  { when client.ip in 192.0.2.67 127.0.0.67; then reject 550 5.7.1 "client refused"; }
rule h-early { early; when helo.name = "early.helo"; then tempfail 450 4.7.1 "helo: %s later"; }
rule h-late  { when helo.name = "late.helo"; then reject 550 5.7.1 "helo refused"; }
rule m-early { early; when sender = "early@a.example"; then reject 553 5.1.8 "sender refused at once"; }
rule m-late  { when sender = "late@a.example"; then tempfail 451 4.1.8 "sender refused"; }
rule r-bad   { when rcpt = "bad@example.com"; then reject 550 5.1.1 "nobody %% here"; }
rule r-later { when rcpt = "later@example.com"; then tempfail 450 4.2.0 "mailbox busy"; }
rule do-reject   { when subject contains "reject me"; then reject 554 5.7.1 "refused, 50% of it"; }
rule do-tempfail { when subject contains "tempfail me"; then tempfail 451 4.7.1 "not now"; }
rule do-discard  { when subject contains "discard me"; then discard; }
rule do-hold     { when subject contains "hold me"; then hold "look at this"; }
rule jail     { when subject contains "jail me"; then quarantine class tests; }
rule do-redirect { when subject contains "redirect me"; then redirect abuse@example.com; }
rule do-header   { when subject contains "edit me";
                then header add X-Add "one", header insert X-Top "first", header insert X-Top "second",
                     header set X-Set "new value", header remove X-Gone, subject prefix "[E] "; }
rule do-strip    { when subject contains "strip me" and any part ( name = "a.bin" );
                then strip part with note "taken out: $part.path"; }
rule rcpts    { when subject contains "rcpt me";
                then rcpt add new@example.com, rcpt remove two@example.com; }
rule nobody   { when subject contains "empty me"; then rcpt remove one@example.com; }
rule do-sender   { when subject contains "sender me"; then sender set bounces@example.com; }
rule unsender { when subject contains "null me"; then sender set <>; }
rule kept     { when subject contains "keep me"; then quarantine class copies copy; }
rule copied   { when subject contains "copy me"; then copy archive@example.com; }
rule login    { when login = "ada"; then header add X-Login "$login"; }
rule tls      { when tls.version = "TLSv1.3"; then header add X-Tls "$tls.version $tls.cipher"; }
rule sendfact { when subject contains "sender fact"; then header add X-Sender "$sender"; }
rule name     { when subject contains "name me" and client.fcrdns is ok;
                then header add X-Client "$client.name"; }
rule nameless { when subject contains "name me" and client.fcrdns is none; then header add X-Client "none"; }
rule temp     { when subject contains "name me" and client.fcrdns is temporary;
                then header add X-Client "temporary"; }
rule daemon   { when macro("{daemon_name}") = "inside"; then header add X-Daemon "inside"; }
rule own      { when macro("{x_own}") = "here"; then header add X-Own "here"; }
rule eight    { when raw contains "body refused"; then reject 554 5.6.0 "such a body"; }
"""

PART = (b"Content-Type: multipart/mixed; boundary=b\r\nMIME-Version: 1.0\r\n\r\n--b\r\n\r\nhello\r\n"
        b"--b\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"TVqQAAMAAAAE\r\n" * 9 + b"--b--\r\n")
HEAD = (b"Received: from x.example\r\n\tby y.example;\r\n\tMon, 1 Jan 2024 00:00:00 +0000\r\n"
        b"Received: from w.example by x.example; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        b"From: Ada <ada@a.example>\r\nX-Gone: 1\r\nTo:one@example.com\r\nX-Set:   old\r\n"
        b"X-Gone: 2\r\n folded\r\nX-Odd:\t tab\r\nX-Empty:\r\nx-set: other\r\nx-GONE: 3\r\n")
TO = ["<one@example.com>"]
REF = re.compile(r" \[ref \w+\]")
FROM = "<ada@a.example>"


def mail(subject, body=b"body\r\n", head=HEAD):
    return head + b"Subject: " + subject + b"\r\n" + (
        body if body.startswith(b"Content-Type") else b"\r\n" + body)


def plain(text):
    """A reply without the reference at its end."""
    return REF.sub("", text)


# (what, subject, more): what both doors can do, for one to be held to the other
SAME = (
    ("nothing", b"untouched", {}),
    ("reject", b"please reject me", {}),
    ("tempfail", b"please tempfail me", {}),
    ("discard", b"please discard me", {}),
    ("quarantine", b"please jail me", {}),
    ("redirect", b"please redirect me", {"rcpts": ["<one@example.com>", "<two@example.com>"]}),
    ("header fields", b"please edit me", {}),
    ("strip", b"please strip me", {"body": PART}),
    ("strip and header fields", b"strip me and edit me", {"body": PART}),
    ("recipients", b"please rcpt me", {"rcpts": ["<one@example.com>", "<two@example.com>"]}),
    ("no recipient left", b"please empty me", {}),
    ("sender", b"please sender me", {}),
    ("null sender", b"please null me", {}),
    ("from nobody", b"from nobody, edit me", {"sender": "<>"}),
    ("copy to the keeper", b"please keep me", {}),
    ("copy to an address", b"please copy me", {}),
    ("refused for its body", b"x", {"body": b"body refused\r\n"}),
    ("folded subject", b"edit me\r\n and fold", {}),
    ("8 bits", b"edit me \xc3\xbc", {"body": b"\xe4\xf6\r\n\x01\x7f\r\n"}),
    ("dots", b"edit me", {"body": b".\r\n..\r\n.x\r\n"}),
    ("no body", b"edit me", {"body": b""}),
)
