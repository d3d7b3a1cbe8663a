"""milter_sides - the same mail, once through Postfix and once through the proxy.

    for side in (PostfixSide(t, [("dkim", "inet:127.0.0.1:8891")]),
                 PosternSide(t, [("dkim", "inet:127.0.0.1:8891")])):
        outcome = side.talk(mail(b"Subject: ...", rcpts=("one@example.com",)))

Both ask the milters, in their order, and pass what is left on to a Sink.
An Outcome holds what must be equal on both sides: the replies the client
heard and what the sink got. What cannot be equal is taken out here, and
nowhere else:

  - the text of 2xx replies, which is each server's own (and Postfix's names
    the queue file);
  - the Received field that Postfix puts on top, as every MTA must and a
    transparent proxy must not;
  - SMFIP_RCPT_REJ, which the proxy does not offer: whom the server behind it
    refuses, it refuses after the milter was asked;
  - our `[ref ID]` at the end of a refusal, and `<client>: ` before the words
    of one that Postfix gives at RCPT.
"""

import re

import milter
import net
import tap
from postern import Postern
from postfix import Postfix
from sink import Sink

KEYWORDS = ("PIPELINING", "SIZE 100000000", "8BITMIME", "ENHANCEDSTATUSCODES")

# Postfix as transparent as it can be, so that differences are the milters'.
MAIN = """
inet_protocols = all
virtual_mailbox_maps = static:taken
relay_domains = $virtual_mailbox_domains
transport_maps = static:smtp:[127.0.0.1]:%d
smtp_host_lookup = native
local_header_rewrite_clients =
message_drop_headers =
disable_mime_output_conversion = yes
smtp_line_length_limit = 0
smtp_dns_support_level = disabled
smtpd_authorized_xclient_hosts = 127.0.0.9
smtpd_discard_ehlo_keywords = chunking
delay_logging_resolution_limit = 0
smtpd_milters = %s
milter_default_action = tempfail
"""


CUT = object()  # the client leaves without a word


def mail(message, sender="ada@client.example", rcpts=("one@example.com",), params="",
         rcpt_params=""):
    """The steps of one message."""
    return (["MAIL FROM:<%s>%s" % (sender, params)]
            + ["RCPT TO:<%s>%s" % (r, rcpt_params) for r in rcpts] + [message])


class Outcome:
    """
    replies: (code, text) each; sent: (sender, recipients, message) each;
    held: how many messages were put on hold.
    """

    def __init__(self, replies, sent, held):
        self.replies = replies
        self.sent = sorted(sent, key=repr)  # Postfix sends several at once
        self.held = held

    def __eq__(self, other):
        return (self.replies, self.sent, self.held) == (
            other.replies, other.sent, other.held)

    def __repr__(self):
        return "%r\nheld: %d\n%s" % (self.replies, self.held, "\n".join(
            "%s -> %s\n%s" % (f, ", ".join(r), m.decode("latin-1"))
            for f, r, m in self.sent))


def _said(reply):
    if reply.code < 400:
        return (reply.code, "")
    text = re.sub(r" \[ref \w+\]", "", reply.text)
    return (reply.code, re.sub(r"(?m)^(\d\.\d+\.\d+ )?<[^>]*>: ", r"\1", text))


def _own_received(message):
    """Without the Received field that our Postfix wrote."""
    return re.sub(rb"(?m)^Received: from [^\n]*\n(?:[ \t][^\n]*\n)*?"
                  rb"[ \t]+by asks\.example \(Postfix\)[^\n]*\n(?:[ \t][^\n]*\n)*",
                  b"", message, count=1)


def _address(line):
    return re.search(rb":<([^>]*)>", line).group(1).decode("latin-1")


class Side:
    """address and sink are set by the two below."""

    def talk(self, steps, source="127.0.0.9", helo="EHLO nine.helo", before=(),
             who=None):
        """
        One session, in the name of `who` (of XCLIENT) if given. Steps are command lines, messages (octets: DATA and all
        of it, if there is somebody to get it) and CUT. A recipient is not
        named to a server that refused the sender.
        """
        first = len(self.sink.messages)
        held = self.held()
        replies = []
        if who:
            before = ["XCLIENT " + who, "EHLO nine.helo"] + list(before)
        with net.Client(self.address, source=source, greet=False, timeout=12) as c:
            try:
                replies.append(_said(c.reply()))
                self._steps(c, ([helo] if helo else []) + list(before) + list(steps)
                            + ["QUIT"], replies)
            except net.Cut:
                replies.append("cut")
            except TimeoutError:
                replies.append("silence")
        self.settle()
        return Outcome(replies, [
            (_address(m.mail), [_address(r) for r in m.rcpts],
             _own_received(m.raw)) for m in self.sink.messages[first:]],
            self.held() - held)

    @staticmethod
    def _steps(c, steps, replies):
        sender = taken = False
        for step in steps:
            if step is CUT:
                return
            if isinstance(step, bytes):
                if taken:
                    reply = c.cmd("DATA")
                    if reply.code == 354:
                        c.send(net.stuff(step))
                        reply = c.reply()
                    replies.append(_said(reply))
                sender = taken = False
                continue
            if step.startswith("RCPT") and not sender:
                continue
            reply = c.cmd(step)
            replies.append(_said(reply))
            if step.startswith("MAIL"):
                sender = reply.code == 250
            elif step.startswith("RCPT"):
                taken = taken or reply.code == 250


class PostfixSide(Side):
    name = "Postfix"

    def __init__(self, t, milters, main="", keywords=KEYWORDS):
        self.sink = Sink(announce=keywords)
        t.defer(self.sink.close)
        self.postfix = Postfix(
            t, "asks", main=MAIN % (self.sink.address[1],
                                    ", ".join(a for _, a in milters)) + main)
        self.address = self.postfix.address

    def ask(self, milters):
        """These milters from now on."""
        self.postfix.set("smtpd_milters=" + ", ".join(a for _, a in milters))

    def settle(self):
        self.postfix.settle(10)

    def held(self):
        return self.postfix.held()

    def log(self):
        return self.postfix.log()


class PosternSide(Side):
    """settings: of every milter block; policy and extra as Postern's."""

    name = "postern"

    def __init__(self, t, milters, settings="", policy=None, extra="",
                 keywords=KEYWORDS, name="asks"):
        self.sink = Sink(announce=keywords)
        t.defer(self.sink.close)
        self.extra = extra
        self.settings = settings
        self.policy = policy
        self.daemon = Postern(
            t, name=name, policy=policy, extra=self._blocks(milters),
            listen="listen smtp 127.0.0.1:0 { upstream up; identity from 127.0.0.9 xclient; }",
            upstream="server %s; identity none;" % self.sink.server)
        self.address = self.daemon.address

    def _blocks(self, milters):
        return "".join("milter %s { server %s; %s }\n" % (n, a, self.settings)
                       for n, a in milters) + self.extra

    def ask(self, milters, settings=None, policy=None):
        """These milters from now on, and another policy and settings if given."""
        self.settings = self.settings if settings is None else settings
        self.policy = self.policy if policy is None else policy
        self.daemon.configure(self.policy, extra=self._blocks(milters))
        before = self.daemon.log().count("ev=ready")
        self.daemon.reload()
        if not tap.until(lambda: self.daemon.log().count("ev=ready") > before, 20):
            raise RuntimeError("no reload: " + self.daemon.log()[-3000:])

    def settle(self):
        """The reply came when the sink had it."""

    def held(self):
        return self.daemon.quarantined(b"")

    def log(self):
        return self.daemon.log()


# What a milter is told and cannot be the same on both sides: whose name and
# queue it is, which way the mail goes on, the client's port.
#
# The mail's id is there with MAIL; Postfix has a queue file, and its name, once
# a recipient is accepted. That it is told from DATA on is what is compared.
OWN = ("i", "j", "v", "{daemon_name}", "{daemon_addr}", "{daemon_port}", "{client_port}",
       "{mail_host}", "{mail_mailer}", "{rcpt_host}", "{rcpt_mailer}")

# Stages at which both know the mail's id.
NAMED = ("data", "header", "eoh", "body", "eom") + tuple("TLNBE")


def _line(at, args, macros):
    return "%s %s %s" % (at, list(args), " ".join(
        "%s=%s" % (k, "*" if k in OWN else v) for k, v in sorted(macros.items())
        if k != "i" or at in NAMED))


def told(entries):
    """A recorder's log as lists of lines, one a conversation; see OWN."""
    talks = {}
    for e in entries:
        args = list(e["args"])
        if e["at"] == "connect":
            args[3] = "*"
        if e["at"] == "negotiate":
            args[1] &= ~milter.RCPT_REJ
        lines = talks.setdefault(e["conn"], [])
        # Postfix ends each mail with an abort; libmilter passes it on where a
        # filter that wants few callbacks has none that ends a mail.
        if e["at"] != "abort" or lines and not lines[-1].startswith(("eom", "abort")):
            lines.append(_line(e["at"], args, e.get("macros", {})))
    return list(talks.values())


def packets(talks):
    """The same of MilterTap.since()."""
    return [[_line(p[0], p[1:3] + ("*",) + p[4:] if p[0] == "C" else p[1:], macros)
             for p, macros in talk] for talk in talks]


def stages(entries):
    """The callbacks alone, in order, header and body once for a row of them."""
    got = []
    for e in entries:
        if not got or got[-1] != e["at"] or e["at"] not in ("header", "body"):
            got.append(e["at"])
    return got


def compare(t, what, got, want):
    """`got` by postern as `want` by Postfix; else what differs first."""
    if t.ok(got == want, what):
        return True
    a, b = (x.splitlines() if isinstance(x, str) else x
            for x in (repr(want) if isinstance(want, Outcome) else want,
                      repr(got) if isinstance(got, Outcome) else got))
    for i in range(max(len(a), len(b))):
        x = a[i] if i < len(a) else None
        y = b[i] if i < len(b) else None
        if x != y:
            at = next((n for n, (a, b) in enumerate(zip(x or "", y or "")) if a != b), 0)
            at = max(at - 200, 0)
            t.note("line %d, from %d\n  Postfix: %.600s\n  postern: %.600s" % (
                i, at, (x or "")[at:], (y or "")[at:]))
            break
    return False
