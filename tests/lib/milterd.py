"""milterd - a milter that does as it is told, to test who asks it.

    m = Milterd(t, script)                  # unix socket; inet=True for TCP
    m.server                                # "unix:/...", as postern.conf has it
    m.names()                               # ["connect", "helo", "mail", ...]
    m.told("rcpt")                          # data of each, as it came

script(conn, name, data) is called for each callback (MACRO, ABORT and QUIT are
only written down) and returns

    None                    the usual answer: continue
    bytes                   sent as they are: packet(b"r"), or nonsense
    a list of bytes, numbers (seconds to wait) and DIE
    DIE                     the connection is closed at once
    SILENCE                 nothing is said

What the milter says in the negotiation is `options` (version, actions,
protocol, macros); NO and MUTE give the protocol's bits by name.
"""

import os
import socket
import struct
import threading
import time

import tap

DIE, SILENCE = object(), object()

NAMES = {b"A": "abort", b"B": "body", b"C": "connect", b"D": "macro", b"E": "eom",
         b"H": "helo", b"K": "quit_nc", b"L": "header", b"M": "mail", b"N": "eoh",
         b"O": "options", b"Q": "quit", b"R": "rcpt", b"T": "data", b"U": "unknown"}
NO = {"connect": 0x1, "helo": 0x2, "mail": 0x4, "rcpt": 0x8, "body": 0x10,
      "header": 0x20, "eoh": 0x40, "unknown": 0x100, "data": 0x200}
MUTE = {"header": 0x80, "connect": 0x1000, "helo": 0x2000, "mail": 0x4000,
        "rcpt": 0x8000, "data": 0x10000, "unknown": 0x20000, "eoh": 0x40000,
        "body": 0x80000}
SKIPS, LEADING_SPACE = 0x400, 0x100000
ALL = 0x1ff
LISTS = ("connect", "helo", "mail", "rcpt", "data", "eom", "eoh")


def packet(what, data=b""):
    return struct.pack(">I", len(data) + 1) + what + data


def strings(*texts):
    return b"".join((t if isinstance(t, bytes) else t.encode()) + b"\0"
                    for t in texts)


CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD, SKIP, PROGRESS, SHUTDOWN, CONN_FAIL = \
    (packet(c) for c in (b"c", b"a", b"r", b"t", b"d", b"s", b"p", b"4", b"f"))


def reply(text):
    return packet(b"y", strings(text))


def add_header(name, value):
    return packet(b"h", strings(name, value))


def insert_header(index, name, value):
    return packet(b"i", struct.pack(">I", index) + strings(name, value))


def change_header(nth, name, value):
    return packet(b"m", struct.pack(">I", nth) + strings(name, value))


def replace_body(data):
    return packet(b"b", data)


def add_rcpt(address, parameters=None):
    if parameters is None:
        return packet(b"+", strings(address))
    return packet(b"2", strings(address, parameters))


def delete_rcpt(address):
    return packet(b"-", strings(address))


def change_from(address, *parameters):
    return packet(b"e", strings(address, *parameters))


def quarantine(why):
    return packet(b"q", strings(why))


class Conn:
    def __init__(self, milterd, sock, nr):
        self.milterd = milterd
        self.sock = sock
        self.nr = nr
        self.events = []        # (name, data), macros and all
        self.gone = False

    def take(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                return None
            data += more
        return data

    def packet(self):
        head = self.take(4)
        body = head and self.take(struct.unpack(">I", head)[0])
        return (NAMES.get(body[:1], "?"), body[1:]) if body else (None, b"")

    def macros(self, of):
        """The last told for this callback, as a dict."""
        code = {v: k for k, v in NAMES.items()}[of]
        told = [d for name, d in self.events if name == "macro" and d[:1] == code]
        if not told:
            return None
        words = told[-1][1:].split(b"\0")[:-1]
        return dict(zip((w.decode() for w in words[::2]),
                        (w.decode() for w in words[1::2])))

    def say(self, what):
        for one in what if isinstance(what, list) else [what]:
            if one is DIE:
                return False
            if one is SILENCE:
                continue
            if isinstance(one, (int, float)):
                time.sleep(one)
            else:
                self.sock.sendall(one)
        return True

    def answer(self, name, data):
        m = self.milterd
        if name == "options":
            said = m.script(self, name, data) if m.bends_options and m.script else None
            return m.greeting() if said is None else said
        said = m.script(self, name, data) if m.script else None
        if said is not None:
            return said
        return SILENCE if m.protocol & MUTE.get(name, 0) else CONTINUE

    def run(self):
        try:
            while True:
                name, data = self.packet()
                self.events.append((name or "closed", data))
                if name is None or name == "quit":
                    break
                if name in ("macro", "abort", "quit_nc"):
                    continue
                if not self.say(self.answer(name, data)):
                    break
        except OSError:
            pass
        self.gone = True
        self.sock.close()


class Milterd:
    def __init__(self, t, script=None, inet=False, version=6, actions=ALL, protocol=0,
                 macros=None, bends_options=False, name="milterd"):
        self.script = script
        self.version, self.actions, self.protocol = version, actions, protocol
        self.lists = macros or {}
        self.bends_options = bends_options
        self.conns = []
        if inet:
            self.sock = socket.create_server(("127.0.0.1", 0))
            self.server = "inet:127.0.0.1:%d" % self.sock.getsockname()[1]
        else:
            folder = t.folder("milters")
            path = os.path.join(folder, "%s.%d" % (name, len(os.listdir(folder))))
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(path)
            os.chmod(path, 0o777)
            self.server = "unix:" + path
        self.sock.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()
        t.defer(self.close)

    def accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            conn = Conn(self, sock, len(self.conns))
            self.conns.append(conn)
            threading.Thread(target=conn.run, daemon=True).start()

    def close(self):
        """Nobody is there any more."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.gone = True
        self.sock.close()

    def hang_up(self):
        for conn in self.conns:
            try:
                conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def greeting(self):
        lists = b"".join(struct.pack(">I", LISTS.index(k)) + strings(v)
                         for k, v in self.lists.items())
        return packet(b"O", struct.pack(">III", self.version, self.actions,
                                        self.protocol) + lists)

    def settle(self, seconds=10):
        """Until every session has been taken leave of."""
        return tap.until(lambda: all(
            c.events and c.events[-1][0] in ("quit", "quit_nc", "closed")
            for c in self.conns if c.events), seconds)

    def forget(self):
        """What was told up to now."""
        self.settle()
        for conn in self.conns:
            conn.events.clear()

    def events(self, macros=False):
        return [e for c in list(self.conns) for e in list(c.events)
                if macros or e[0] != "macro"]

    def names(self):
        """Callbacks in order, headers and pieces of body once."""
        got = []
        for name, _ in self.events():
            if not (got and name == got[-1] and name in ("header", "body")):
                got.append(name)
        return got

    def told(self, name):
        return [data for n, data in self.events() if n == name]
