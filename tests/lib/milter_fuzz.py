"""milter_fuzz - sessions of milter packets that no MTA would send, and some it would.

    session = milter_fuzz.Session(random.Random(7))
    session.run(address)            # sends it; returns what became of it

A session is a list of steps made from its random numbers alone, so the same
numbers make the same octets whatever the other side answers. Most packets are
well formed and most are in order: what lies behind the first check is reached
too. Then something is bent: a length, an order, an end, a NUL, the connection.
"""

import random
import select
import socket
import struct
import time

import milter

NAMES = (b"From", b"To", b"Subject", b"Received", b"Content-Type", b"X-Hold",
         b"X-Keep", b"MIME-Version", b"", b":", b"A" * 998, b"\xff\xfe", b"a b",
         b"Content-Transfer-Encoding", b"List-Id", b"DKIM-Signature")
VALUES = (b"", b" ", b" hello", b"\n\tfolded\n more", b"\n", b"\n\n\n", b"%s%n%%",
          b" ada@a.example", b" \"a\\\" <x@y>", b"multipart/mixed; boundary=b",
          b"multipart/mixed; boundary=\"" + b"b" * 300, b" base64",
          b" quoted-printable", b"=?utf-8?q?gr=C3=BC?=", b"=?utf-8?b?////?=",
          b"x" * 10000, b"\r\n\r\nbody", b"\x00", b" reject me", b" hold me",
          b" quarantine me", b" discard me", b" edit me", b" delay me")
ADDRESSES = (b"<ada@a.example>", b"<>", b"", b"<", b">", b"one@example.com",
             b"<one@example.com>", b"<\"a b\"@x>", b"<@a,@b:c@d>", b"<" + b"a" * 5000 + b"@x>",
             b"<refused@example.com>", b"<a@[127.0.0.1]>", b"<\xc3\xbc@x>", b"<a@b> SIZE=3",
             b"<gone@example.com>")
PARAMETERS = (b"SIZE=100", b"SIZE=99999999999999999999", b"BODY=8BITMIME", b"", b"=",
              b"NOTIFY=NEVER", b"ORCPT=rfc822;a@b", b"SMTPUTF8", b"X" * 3000, b"RET=HDRS")
HOSTS = (b"client.example", b"unknown", b"[127.0.0.1]", b"localhost", b"", b"x" * 3000,
         b"%n%n", b"\xff")
IPS = (b"192.0.2.1", b"127.0.0.1", b"IPv6:2001:db8::1", b"::1", b"", b"999.1.1.1",
       b"/run/x", b"1" * 300, b"IPv6:")
PEERS = ((b"4", b"192.0.2.1"), (b"4", b"127.0.0.1"), (b"6", b"IPv6:2001:db8::1"),
         (b"6", b"IPv6:::1"), (b"L", b"/run/x"), (b"U", b""))
MACROS = (b"i", b"j", b"{client_addr}", b"{auth_authen}", b"{tls_version}", b"{cipher}",
          b"{client_resolve}", b"{client_ptr}", b"{daemon_name}", b"", b"{", b"{}", b"_",
          b"{mail_addr}", b"{" + b"m" * 600 + b"}")
BODIES = (b"", b"hello\r\n", b"\x00" * 100, b"\n", b"\r", b".\r\n", b"--b\r\n\r\nx\r\n--b--\r\n",
          b"--b\r\nContent-Type: application/zip\r\n\r\nPK\x03\x04\x14\x00", b"x" * 65535,
          b"line\r\n" * 1000, b"TVqQAAMAAAA=\r\n", b"reject body\r\n", b"<html><b>x")
LENGTHS = (0, 1, 2, 3, 4, 5, 65535, 65536, 65537, 1 << 20, 0x7fffffff, 0x80000000,
           0xffffffff)


class Session:
    """steps: (octets, seconds to wait behind them, read until so many replies?)"""

    ORDER = "CHMRRTLLLLNBBE"

    def __init__(self, dice, broken_macros=True):
        self.dice = dice
        self.broken_macros = broken_macros
        self.version = dice.choice((2, 3, 4, 5, 6, 6, 6, 6))
        self.steps = []
        self.end = dice.choice(("quit", "quit", "quit", "close", "reset", "half"))
        self.wait_eom = dice.random() < 0.8
        self._make()

    # what is said

    def _negotiation(self):
        d = self.dice
        actions, steps = milter.OFFERS[self.version]
        roll = d.random()
        if roll < 0.75:
            offer = (self.version, actions, steps)
        elif roll < 0.9:
            offer = (self.version, d.getrandbits(9) & actions, d.getrandbits(21) & steps)
        else:
            offer = tuple(d.getrandbits(32) for _ in range(3))
        data = struct.pack(">III", *offer)
        if d.random() < 0.03:
            data = data[:d.randrange(12)]
        if d.random() < 0.03:
            data += bytes(d.getrandbits(8) for _ in range(d.randrange(40)))
        return b"O", data

    def _some(self, table, n):
        return [self.dice.choice(table) for _ in range(self.dice.randrange(n + 1))]

    def _data(self, command):
        d = self.dice
        pick = d.choice
        if command == "C":
            family, ip = pick(PEERS)
            if d.random() < 0.1:
                family, ip = bytes([pick(b"46LUx")]), pick(IPS)
            return milter.connect_info(pick(HOSTS), family, d.getrandbits(16), ip)
        if command == "H":
            return milter.strings(pick(HOSTS))
        if command == "M":
            return milter.strings(pick(ADDRESSES), *self._some(PARAMETERS, 3))
        if command == "R":
            return milter.strings(pick(ADDRESSES[5:]), *self._some(PARAMETERS, 2))
        if command == "L":
            return milter.strings(pick(NAMES), pick(VALUES))
        if command == "U":
            return milter.strings(pick((b"XYZZY", b"", b"A" * 600, b"\xff\x00")))
        if command == "B" or command == "E" and d.random() < 0.1:
            return pick(BODIES)
        if command == "D":
            return bytes([pick(b"CHMRTNE" if d.random() < 0.97 else b"LBUxA")]) + milter.strings(
                *(pick(t).replace(b"\0", b"") for _ in range(d.randrange(4))
                  for t in (MACROS, HOSTS + VALUES)))
        if command == "O":
            return self._negotiation()[1]
        return b""

    def _packets(self):
        d = self.dice
        order = list(self.ORDER)
        if d.random() < 0.3:
            order = order[:d.randrange(len(order))] + ["A"] + order[2:]
        if d.random() < 0.2:
            order += d.choice(("K", "A", "E", "")) and list("K" + self.ORDER)
        for _ in range(d.choice((0, 0, 0, 1, 2, 5))):
            at = d.randrange(len(order))
            roll = d.randrange(4)
            if roll == 0:
                order.insert(at, d.choice("CHMRTLNBEUAKQDOx\x00\xff"))
            elif roll == 1 and len(order) > 1:
                del order[at]
            elif roll == 2:
                other = d.randrange(len(order))
                order[at], order[other] = order[other], order[at]
            else:
                order[at:at] = [order[at]] * d.choice((1, 3, 40))
        if d.random() < 0.3:        # a second message
            order += list("MRTLNBE")
        for command in order:
            if command in "CHMRTE" and d.random() < 0.4:
                yield b"D", command.encode() + self._data("D")[1:]
            yield command.encode("latin-1"), self._data(command)

    def _bend(self, command, data):
        """The octets of one packet, mostly as they should be."""
        d = self.dice
        roll = d.random()
        good = milter.packet(command, data)
        if roll < 0.975 or command == b"D" and not self.broken_macros:
            return good
        if roll < 0.98:             # another length than what follows
            return struct.pack(">I", d.choice(LENGTHS)) + good[4:]
        if roll < 0.985:            # nothing ends where it should
            return milter.packet(command, data.rstrip(b"\0"))
        if roll < 0.99:             # a NUL where none should be
            at = d.randrange(len(data) + 1)
            return milter.packet(command, data[:at] + b"\0" * d.choice((1, 2, 9)) + data[at:])
        if roll < 0.993:
            return good[:d.randrange(len(good))]
        flipped = bytearray(good)
        for _ in range(d.choice((1, 1, 4))):
            at = d.randrange(len(flipped))
            flipped[at] ^= 1 << d.randrange(8)
        return bytes(flipped)

    def _make(self):
        d = self.dice
        out = [(b"O", self._bend(*self._negotiation()))] if d.random() < 0.97 else []
        out += [(c, self._bend(c, data)) for c, data in self._packets()]
        if d.random() < 0.1:
            out = out[:d.randrange(1, len(out) + 1)]
        self.steps = out

    # how it is said

    def run(self, address, seconds=20):
        """
        Send it all, read what comes, end. How it ended: "closed" by the other
        side, "ended" by ours; or "hangs": all is sent and shut, and nothing comes
        or ends for so long.
        """
        sock = milter.dial(address, seconds)
        try:
            return self._run(sock, seconds)
        except socket.timeout:
            return "hangs"
        except OSError:
            return "closed"
        finally:
            sock.close()

    def _run(self, sock, seconds):
        d = self.dice
        pipelined = d.random() < 0.3
        for command, octets in self.steps:
            self._send(sock, octets)
            if not pipelined or command == b"E" and self.wait_eom:
                self._drink(sock, 0.3 if command == b"E" else 0.002)
            else:               # or both sides would wait for room to write
                self._drink(sock, 0)
        if self.end == "quit":
            sock.sendall(milter.packet(b"Q"))
        if self.end == "close":
            return "ended"
        if self.end == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return "ended"
        sock.shutdown(socket.SHUT_WR)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sock.settimeout(max(0.01, end - time.monotonic()))
            if not sock.recv(65536):
                return "closed"
        return "hangs"

    def _send(self, sock, octets):
        if len(octets) < 200 and self.dice.random() < 0.02:
            for at in range(len(octets)):
                sock.sendall(octets[at:at + 1])
        else:
            sock.sendall(octets)

    @staticmethod
    def _drink(sock, seconds):
        if select.select([sock], [], [], seconds)[0] and not sock.recv(65536):
            raise BrokenPipeError


def session(seed, number, broken_macros=True):
    """The number-th session of that seed."""
    return Session(random.Random(seed * 1000003 + number), broken_macros)
