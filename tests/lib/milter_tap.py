"""milter_tap - stands between an MTA and a milter and writes down what is said.

    tap = MilterTap(t, "unix:/tmp/x/sock")      # the milter behind
    ... smtpd_milters = inet:127.0.0.1:%d       # tap.port
    tap.talks[0].heard                          # what the MTA said, decoded
    tap.talks[0].said                           # what the milter answered

What was heard is a list of tuples that begin with the packet's letter:
("O", version, actions, steps), ("D", "M", {"i": "4F..", ...}), ("C", host,
family, port, address), ("H", name), ("M", "<a@b>", "SIZE=1"), ("R", ...),
("T",), ("L", name, value), ("N",), ("B", octets), ("E", octets), ("A",),
("Q",), ("K",), ("U", line). Octets are latin-1 strings. What was said stays
raw: ("c", b"").
"""

import socket
import struct
import threading

import milter
import net
import tap


def connect(address):
    """unix:/path or inet:HOST:PORT, as Postfix writes it."""
    kind, _, rest = address.partition(":")
    if kind == "unix":
        return milter.dial(address, None)
    host, _, port = rest.rpartition(":")
    return milter.dial((host, int(port)), None)


def _strings(data):
    return tuple(s.decode("latin-1") for s in data.split(b"\0")[:-1])


def decode(code, data):
    """A packet of the MTA as a tuple."""
    if code == "O":
        return (code,) + struct.unpack(">III", data[:12])
    if code == "D":
        words = _strings(data[1:])
        return (code, data[:1].decode(), dict(zip(words[::2], words[1::2])))
    if code == "C":
        host, _, rest = data.partition(b"\0")
        family = rest[:1].decode()
        if family == "U":
            return (code, host.decode("latin-1"), family, 0, "")
        return (code, host.decode("latin-1"), family,
                struct.unpack(">H", rest[1:3])[0], rest[3:-1].decode())
    if code in "BE":
        return (code, data.decode("latin-1"))
    return (code,) + _strings(data)


class Talk:
    """One conversation."""

    def __init__(self):
        self.heard = []
        self.said = []
        self.over = False

    def told(self):
        """
        Each command with the macros known by then, as (command, {name:
        value}). The same whether an MTA repeats macros or not; without
        negotiation, the end, and an abort of what is over.
        """
        macros, got, inside = {}, [], False
        for packet in self.heard:
            code = packet[0]
            if code == "D":
                macros.update(packet[2])
            elif code == "A" and inside or code not in "OQKA":
                got.append((packet, dict(macros)))
            if code in "EA":
                inside = False
            elif code in "MRTLNB":
                inside = True
        return got


class MilterTap:
    def __init__(self, t, address):
        self.behind = address
        self.talks = []
        self.server = net.Server(self._serve)
        self.port = self.server.port
        t.defer(self.server.close)

    def since(self, first):
        """What was told in all conversations from the first-th on."""
        tap.until(lambda: all(k.over for k in self.talks[first:]), 10)
        return [k.told() for k in self.talks[first:]]

    def _serve(self, mta):
        try:
            behind = connect(self.behind)
        except OSError:
            mta.close()
            return
        mta.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talk = Talk()
        self.talks.append(talk)
        for source, to, keep in (
                (mta, behind, lambda c, d: talk.heard.append(decode(c, d))),
                (behind, mta, lambda c, d: talk.said.append((c, d)))):
            threading.Thread(target=self._pass, args=(talk, source, to, keep),
                             daemon=True).start()

    @staticmethod
    def _pass(talk, source, to, keep):
        held = b""
        try:
            while True:
                more = source.recv(65536)
                if not more:
                    break
                held += more
                while len(held) >= 4:
                    n = struct.unpack(">I", held[:4])[0]
                    if len(held) < 4 + n:
                        break
                    # Written down first: who sees the answer may look.
                    keep(held[4:5].decode("latin-1"), held[5:4 + n])
                    held = held[4 + n:]
                to.sendall(more)
        except OSError:
            pass
        talk.over = True
        for s in (source, to):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
