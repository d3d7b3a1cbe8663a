"""milter_sides - the same mail, once through Postfix and once through the proxy.

    for side in (PostfixSide(t, [("dkim", "inet:127.0.0.1:8891")]),
                 PosternSide(t, [("dkim", "inet:127.0.0.1:8891")])):
        outcome = side.send(Mail(...))

Both ask the milters, in their order, and pass what is left on to a Sink.
An Outcome holds what must be equal on both sides: the replies the client
heard and what the sink got. What cannot be equal is taken out here, and
nowhere else:

  - the text of 2xx replies, which is each server's own (and Postfix's names
    the queue file);
  - the Received field that Postfix puts on top, as every MTA must and a
    transparent proxy must not;
  - our `[ref ID]` at the end of a refusal, and `<client>: ` before the words
    of one that Postfix gives at RCPT.
"""

import re

import net
import tap
from postern import Postern
from postfix import Postfix
from sink import Sink

KEYWORDS = ("PIPELINING", "SIZE 100000000", "8BITMIME", "ENHANCEDSTATUSCODES")

# Postfix as transparent as it can be, so that differences are the milters'.
MAIN = """
relay_domains = $virtual_mailbox_domains
transport_maps = static:smtp:[127.0.0.1]:%d
smtp_host_lookup = native
local_header_rewrite_clients =
message_drop_headers =
disable_mime_output_conversion = yes
smtp_line_length_limit = 0
smtp_dns_support_level = disabled
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_discard_ehlo_keywords = chunking
delay_logging_resolution_limit = 0
smtpd_milters = %s
milter_default_action = tempfail
"""


class Mail:
    def __init__(self, name, message, sender="ada@client.example",
                 rcpts=("one@example.com",), params="", rcpt_params=""):
        self.name = name
        self.message = message
        self.sender = sender
        self.rcpts = list(rcpts)
        self.params = params
        self.rcpt_params = rcpt_params

    def envelope(self):
        """The commands before DATA."""
        return ["MAIL FROM:<%s>%s" % (self.sender, self.params)] + [
            "RCPT TO:<%s>%s" % (r, self.rcpt_params) for r in self.rcpts]


class Outcome:
    """replies: (code, text) each; sent: (sender, recipients, message) each."""

    def __init__(self, replies, sent):
        self.replies = replies
        self.sent = sent

    def __eq__(self, other):
        return (self.replies, self.sent) == (other.replies, other.sent)

    def __repr__(self):
        return "%r\n%s" % (self.replies, "\n".join(
            "%s -> %s\n%s" % (f, ", ".join(r), m.decode("latin-1"))
            for f, r, m in self.sent))


def _said(reply):
    if reply.code < 400:
        return (reply.code, "")
    text = re.sub(r" \[ref \w+\]", "", reply.text)
    return (reply.code, re.sub(r"(?m)^(\d\.\d+\.\d+ )?<[^>]*>: ", r"\1", text))


def _own_received(message):
    """Without the Received field that a Postfix of ours wrote."""
    return re.sub(rb"(?m)^Received: from [^\n]*\n(?:[ \t][^\n]*\n)*?"
                  rb"[ \t]+by asks\.example \(Postfix\)[^\n]*\n(?:[ \t][^\n]*\n)*",
                  b"", message, count=1)


def _address(line):
    return re.search(rb":<([^>]*)>", line).group(1).decode("latin-1")


class Side:
    """address and sink are set by the two below."""

    def send(self, mail, **kw):
        return self.talk([mail], **kw)

    def talk(self, mails, source="127.0.0.9", helo="nine.helo", before=(),
             xclient=None):
        """All mails in one session, each to its end."""
        first = len(self.sink.messages)
        replies = []
        with net.Client(self.address, source=source, greet=False) as c:
            def say(line):
                reply = c.cmd(line)
                replies.append(_said(reply))
                return reply
            try:
                replies.append(_said(c.reply()))
                say("EHLO " + helo)
                for line in before:
                    say(line)
                for mail in mails:
                    got = [say(line) for line in mail.envelope()]
                    if got[0].code == 250 and any(r.code == 250 for r in got[1:]):
                        if say("DATA").code == 354:
                            c.send(net.stuff(mail.message))
                            replies.append(_said(c.reply()))
                say("QUIT")
            except net.Cut:
                replies.append("cut")
        self.settle()
        return Outcome(replies, [
            (_address(m.mail), [_address(r) for r in m.rcpts],
             _own_received(m.raw)) for m in self.sink.messages[first:]])

    def settle(self):
        pass


class PostfixSide(Side):
    name = "Postfix"

    def __init__(self, t, milters, main="", keywords=KEYWORDS):
        self.sink = Sink(announce=keywords)
        t.defer(self.sink.close)
        self.postfix = Postfix(
            t, "asks", main=MAIN % (self.sink.address[1],
                                    ", ".join(a for _, a in milters)) + main)
        self.address = self.postfix.address

    def settle(self):
        self.postfix.settle(10)

    def log(self):
        return self.postfix.log()


class PosternSide(Side):
    """settings: of every milter block; policy and extra as Postern's."""

    name = "postern"

    def __init__(self, t, milters, settings="", policy=None, extra="",
                 keywords=KEYWORDS):
        self.sink = Sink(announce=keywords)
        t.defer(self.sink.close)
        blocks = "".join("milter %s { server %s; %s }\n" % (n, a, settings)
                         for n, a in milters)
        self.daemon = Postern(
            t, name="asks", policy=policy, extra=blocks + extra,
            upstream="server %s; identity none;" % self.sink.server)
        self.address = self.daemon.address

    def log(self):
        return self.daemon.log()


def compare(t, what, got, want):
    """got as want, or the first lines that differ."""
    if t.ok(got == want, what):
        return True
    a, b = repr(want).splitlines(), repr(got).splitlines()
    for i in range(max(len(a), len(b))):
        x = a[i] if i < len(a) else None
        y = b[i] if i < len(b) else None
        if x != y:
            t.note("line %d\n  Postfix: %s\n  postern: %s" % (i, x, y))
            break
    return False


__all__ = ["Mail", "Outcome", "PostfixSide", "PosternSide", "compare", "tap"]
