"""next_hop - next hops that misbehave, at each step of a mail and in each way.

One daemon, and for each row of the table a listener of its own with a next hop
of its own, all at once. The client must hear what the row says, none of it may
hang past its time-out, a mail is there once if the client heard 250 and not at
all if he heard another word (but where the next hop broke off after the end of
the message: RFC 1047), and afterwards, when the next hop behaves, mail flows.
"""

import os
import re
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern

SMALL = b"Subject: x\r\n\r\nmarker\r\n"
LARGE = SMALL + b"0123456789abcdef0123456789abcdef\r\n" * 250000
CODES = {"banner": b"220", "EHLO": b"250", "MAIL": b"250", "RCPT": b"250", "DATA": b"354",
         ".": b"250"}

SILENCE = 30     # of seconds; no time-out of ours is as long
AWAY, LOST = r"451 4\.4\.1 ", r"451 4\.4\.2 "
FINE = r"250 2\.0\.0 taken"
SAID4, SAID5 = r"450 4\.0\.0 said so", r"550 5\.0\.0 said so"

# What makes no sense anywhere: it is no SMTP.
NONSENSE = ("close", "silent", "10000 lines", "unfinished", "unfinished, open", "NUL", "bare CR",
            "bare LF", "64 KiB line", "no code", "two codes", "code 354")

ROWS = [("connect", "refuses", AWAY)]
ROWS += [("banner", how, AWAY) for how in NONSENSE + ("4xx", "5xx", "twice")]
ROWS += [("EHLO", how, AWAY) for how in NONSENSE]
ROWS += [("EHLO", "4xx", SAID4)]                        # to this client's name
ROWS += [("EHLO", "5xx", FINE)]                         # HELO is enough
for stage in ("MAIL", "RCPT"):
    ROWS += [(stage, how, LOST) for how in NONSENSE]
    ROWS += [(stage, "4xx", SAID4), (stage, "5xx", SAID5), (stage, "2000 octets", FINE)]
# Once more on another connection, then it is lost.
ROWS += [("DATA", how, LOST) for how in NONSENSE if how != "code 354"]
ROWS += [("DATA", "4xx", SAID4), ("DATA", "5xx", SAID5), ("DATA", "twice", LOST),
         ("DATA", "code 250", r"451 4\.3\.0 The next hop is out of step")]
ROWS += [("body", "close", LOST), ("body", "stops reading", LOST), ("body", "early 250", LOST),
         ("body", "early 5xx", SAID5)]
ROWS += [(".", how, LOST) for how in NONSENSE]
ROWS += [(".", "4xx", SAID4), (".", "5xx", SAID5), (".", "twice", FINE),
         (".", "2000 octets", FINE)]
ROWS += [(stage, "trickles", FINE) for stage in CODES]


class Hop:
    """A next hop that misbehaves in one way at one stage, until .well."""

    def __init__(self, stage, how):
        self.stage, self.how, self.well = stage, how, False
        self.taken = 0          # messages it said 250 to
        self.seen = 0           # whose end it saw
        if how == "refuses":
            self.port, self.server = net.free_port(), None
        else:
            self.server = net.Server(self.serve)
            self.port = self.server.port

    def behave(self):
        self.well = True
        if self.server is None:
            sock = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self.accept, args=(sock,), daemon=True).start()

    def accept(self, sock):
        while True:
            self.serve(sock.accept()[0])

    def say(self, sock, stage, usual):
        """True: goes on."""
        code = CODES.get(stage, b"250")
        how = self.how if stage == self.stage and not self.well else ""
        plain = code + b" 2.0.0 fine\r\n" if usual is None else usual
        if how == "close":
            return False
        if how in ("silent", "unfinished, open"):
            sock.sendall(code + b"-half\r\n" if how != "silent" else b"")
            time.sleep(SILENCE)
            return False
        if how == "trickles":
            for i in range(len(plain)):
                sock.sendall(plain[i:i + 1])
                time.sleep(0.01)
            return True
        sock.sendall({
            "": plain,
            "4xx": b"450 4.0.0 said so\r\n",
            "5xx": b"550 5.0.0 said so\r\n",
            "10000 lines": (code + b"-line\r\n") * 10000 + plain,
            "unfinished": code + b"-half\r\n",
            "NUL": code + b" 2.0.0 a\0b\r\n",
            "bare CR": code + b" 2.0.0 a\rb\r\n",
            "bare LF": code + b" 2.0.0 fine\n",
            "64 KiB line": code + b" 2.0.0 " + b"x" * 70000 + b"\r\n",
            "2000 octets": code + b" 2.0.0 taken" + b"x" * 2000 + b"\r\n",
            "no code": b"hello there\r\n",
            "two codes": code + b"-a\r\n450 b\r\n",
            "code 354": b"354 go on\r\n" if stage != "DATA" else plain,
            "code 250": b"250 ok\r\n",
            "twice": plain + plain,
        }[how])
        return how != "unfinished"

    def body(self, sock, f):
        """True: it saw the end."""
        how = self.how if self.stage == "body" and not self.well else ""
        if how:
            f.readline()
            if how.startswith("early"):
                sock.sendall(b"250 2.0.0 taken\r\n" if how == "early 250"
                             else b"550 5.0.0 said so\r\n")
            if how != "close":
                time.sleep(SILENCE)
            return False
        for line in f:
            if line == b".\r\n":
                return True
        return False

    def dialogue(self, sock, f):
        if not self.say(sock, "banner", None):
            return
        for line in f:
            verb = line.split()[0].decode() if line.split() else ""
            if not self.say(sock, verb, b"221 2.0.0 bye\r\n" if verb == "QUIT" else None) or \
                    verb == "QUIT":
                return
            if verb == "DATA" and not (self.stage == "DATA" and not self.well and
                                       self.how in ("4xx", "5xx", "code 250")):
                if not self.body(sock, f):
                    return
                self.seen += 1
                good = self.well or self.stage != "." or \
                    self.how in ("trickles", "twice", "2000 octets")
                self.taken += good
                if not self.say(sock, ".", b"250 2.0.0 taken\r\n"):
                    return

    def serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with sock, sock.makefile("rb") as f:
                self.dialogue(sock, f)
        except OSError:
            pass


class Row(threading.Thread):
    """A client's mail through one row, and one more when the next hop behaves."""

    def __init__(self, hop, want, address):
        super().__init__(daemon=True)
        self.hop, self.want, self.address = hop, want, address
        self.reply = self.again = self.took = self.taken = self.seen = None
        self.start()

    def run(self):
        began = time.monotonic()
        body = LARGE if self.hop.stage == "body" else SMALL
        try:
            self.reply = net.send(self.address, "a@client.example", ["one@example.com"], body)
        except (OSError, net.Cut) as e:
            self.reply = e
        self.took = time.monotonic() - began
        self.taken, self.seen = self.hop.taken, self.hop.seen
        self.hop.behave()
        tap.until(self.flows, 40, every=0.3)

    def flows(self):
        try:
            self.again = net.send(self.address, "a@client.example", ["one@example.com"], SMALL)
            return self.again.code == 250
        except (OSError, net.Cut) as e:
            self.again = e
            return False

    def is_right(self):
        """None, or what is wrong."""
        raw = getattr(self.reply, "raw", b"").decode("latin-1")
        if not re.match(self.want, raw.split("\r\n")[-2] if raw else ""):
            return "the client heard %r" % self.reply
        if any(len(line) > 510 for line in raw.split("\r\n")):
            return "a line of %d octets" % max(map(len, raw.split("\r\n")))
        if self.taken != (self.reply.code == 250) and not \
                (self.hop.stage == "." and self.seen == 1 and self.taken == 0):
            return "the next hop has %d of it" % self.taken
        if self.seen > 1:
            return "the next hop has seen it %d times" % self.seen
        if self.took > SILENCE - 5:
            return "it took %.1f s" % self.took
        if getattr(self.again, "code", 0) != 250:
            return "afterwards: %r" % self.again
        return None


def test(t):
    hops = [Hop(stage, how) for stage, how, _ in ROWS]
    daemon = Postern(
        t, listen="".join("listen smtp 127.0.0.1:0 { upstream up%d; }\n" % i
                          for i in range(len(hops))),
        upstream="".join(
            "upstream up%d { server 127.0.0.1:%d; identity none;"
            " connect_timeout 3s; reply_timeout 3s; data_timeout 3s; }\n" % (i, hop.port)
            for i, hop in enumerate(hops)),
        extra="client_connection_limit 500;")
    addresses = daemon.listening()
    rows = [Row(hop, want, address)
            for hop, (_, _, want), address in zip(hops, ROWS, addresses)]
    for row in rows:
        row.join(100)
        wrong = row.is_right()
        t.ok(wrong is None, "%s: %s: %s" % (row.hop.stage, row.hop.how,
                                            row.want.replace("\\", "")), wrong)
    t.ok(daemon.process.poll() is None and "signal=" not in daemon.log(),
         "nobody crashed", daemon.log()[-2000:])


tap.run(test, 150)
