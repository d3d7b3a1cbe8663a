"""cases - the table of what policies make of mails: tests/data/policies.

policy.conf, and cases.txt with one mail each and what becomes of it. Words of a
case, one a line:

    from ADDRESS   to ADDRESS[=CODE]...   client IP   login NAME   helo NAME
    mail KIND      of mails() below       subject TEXT       head FIELD
    policy NAME    in the summary line; "none": no policy was found
    reply TEXT     how the deciding reply begins ("250" unless said)
    at STAGE       which command hears it (the dot unless said)
    verdict ACTION RULE                   ("accept" unless said)
    fired RULE     explain shows it fired
    score N   would ACTION RULE   note TEXT     in the summary line
    onward ADDRESS...      whom the next hop gets it for ("nobody")
    kept CLASS     held or copied, whole
    edit + FIELD | - FIELD | first FIELD | subject TEXT
    edit strip NOTE | body NOTE | block NOTE        parts, in their order

What no edit names is as it was sent, octet for octet.
"""

import base64
import binascii
import io
import os
import zipfile

import net
import postern

DATA = os.path.join(postern.SOURCE, "tests/data/policies")


def attachment(name, data):
    lines = base64.encodebytes(data).replace(b"\n", b"\r\n").rstrip(b"\r\n")
    return (b"Content-Type: application/octet-stream; name=%s\r\n"
            b"Content-Disposition: attachment; filename=%s\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n%s" % (name, name, lines))


def multipart(parts, boundary=b"=_b"):
    return (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n"
            b"A multipart.\r\n" % boundary
            + b"".join(b"--%s\r\n%s\r\n" % (boundary, p) for p in parts)
            + b"--%s--\r\n.an end with a dot\r\n" % boundary)


def zipped(name, data):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(zipfile.ZipInfo(name), data)
    return b.getvalue()


PROGRAM = b"MZ\x90\x00" + bytes(range(256)) * 8
TEXT = b"Content-Type: text/plain\r\n\r\nhello\r\n.with a dot\r\n"


def mails(kind):
    """The rest of a mail, from its MIME header on; and the parts that strip
    takes out, as they stand there."""
    exe = attachment(b"tool.exe", PROGRAM)
    archive = attachment(b"tools.zip", zipped("tool.exe", PROGRAM))
    if kind == "plain":
        return b"\r\nhello\r\n.with a dot\r\n", []
    if kind == "exe":
        return multipart([TEXT, exe]), [exe]
    if kind == "zip":
        return multipart([TEXT, archive]), [archive]
    if kind == "whole":
        return b"MIME-Version: 1.0\r\n" + exe + b"\r\n", []
    if kind == "html":
        return multipart([TEXT, b"Content-Type: text/html\r\n\r\n<p>hello</p>"]), []
    if kind == "two":
        second = attachment(b"second.scr", PROGRAM)
        inner = b"Subject: inner\r\n" + multipart([TEXT, second], b"=_inner")
        return multipart([exe, b"Content-Type: message/rfc822\r\n\r\n" + inner]), \
            [exe, second]
    if kind == "forwarded":
        second = attachment(b"second.scr", PROGRAM)
        inner = b"Subject: inner\r\n" + multipart([TEXT, second], b"=_inner")
        return multipart([TEXT, b"Content-Type: message/rfc822\r\n\r\n" + inner]), [second]
    if kind == "encoded":
        second = attachment(b"second.scr", PROGRAM)
        inner = b"Subject: inner\r\n" + multipart([TEXT, second], b"=_inner")
        whole = attachment(b"mail.eml", inner).replace(b"application/octet-stream",
                                                       b"message/rfc822")
        return multipart([TEXT, whole]), [whole]
    if kind == "uu":
        block = b"begin 644 tool.exe\r\n" + b"".join(
            binascii.b2a_uu(PROGRAM[i:i + 45]).replace(b"\n", b"\r\n")
            for i in range(0, len(PROGRAM), 45)) + b"`\r\nend\r\n"
        return b"\r\nbefore\r\n" + block + b".after\r\n", [block]
    if kind == "ambiguous":
        return (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"one\";"
                b" boundary=\"two\"\r\n\r\n"
                + b"".join(b"--%s\r\n%s\r\n--%s--\r\n" % (b, exe, b)
                           for b in (b"one", b"two"))), []
    raise KeyError(kind)


class Case:
    def __init__(self, name):
        self.name = name
        self.said = {}
        self.edits = []

    def add(self, word, rest):
        if word == "edit":
            self.edits.append(rest.partition(" ")[::2])
        elif word == "to":
            self.said.setdefault("to", []).extend(rest.split())
        else:
            self.said[word] = rest

    def get(self, word, otherwise=None):
        return self.said.get(word, otherwise)

    @property
    def rcpts(self):
        """(address, code it hears) of each."""
        pairs = [r.partition("=")[::2] for r in self.get("to", ["one@example.com"])]
        return [(a, int(c or 250)) for a, c in pairs]

    def message(self):
        rest, self.parts = mails(self.get("mail", "plain"))
        head = b"Subject: %s\r\n" % self.get("subject", "hello").encode()
        if "head" in self.said:
            head += self.said["head"].encode() + b"\r\n"
        head += b"X-Case: %s\r\n" % self.name.encode()
        return head + rest


def read_cases():
    cases = []
    with open(os.path.join(DATA, "cases.txt")) as f:
        for line in f:
            word, _, rest = line.strip().partition(" ")
            if word == "case":
                cases.append(Case(rest))
            elif word and word != "#":
                cases[-1].add(word, rest)
    return cases


def talk(daemon, case):
    """(stage, reply) of what decided, the RCPT replies."""
    rcpts = []
    with net.Client(daemon.address, timeout=20) as c:
        ident = "XCLIENT ADDR=%s" % case.get("client", "192.0.2.7")
        if "login" in case.said:
            ident += " LOGIN=" + case.said["login"]
        reply = c.cmd(ident)
        if reply.code != 220:
            return "banner", reply, rcpts
        reply = c.cmd("EHLO " + case.get("helo", "client.example"))
        if reply.code != 250:
            return "helo", reply, rcpts
        reply = c.cmd("MAIL FROM:<%s>" % case.get("from", "ada@client.example"))
        if reply.code != 250:
            return "mail", reply, rcpts
        for address, _ in case.rcpts:
            rcpts.append(c.cmd("RCPT TO:<%s>" % address))
        if not any(r.code == 250 for r in rcpts):
            c.quit()
            return "rcpt", rcpts[-1], rcpts
        reply = c.data(case.message())
        c.quit()
        return "dot", reply, rcpts
