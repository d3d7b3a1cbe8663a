#!/usr/bin/env python3
"""smuggle - no second message in the first, however it arrives.

Each variant of tests/lib/smuggling.py, in DATA, in one chunk and in two, at
each split of what the client sends, refused and put right. The next hop is
played here and strict: nothing it gets may hold a CR or LF on its own, nor a
mail that the client did not send; each command has one reply.

And the other way round: what a next hop may put into its replies, at each
split, is no second reply for the client, nor a 250 for what it did not take.
"""

import os
import re
import selectors
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import smuggling  # noqa: E402
import tap  # noqa: E402

BUILD = os.environ.get("builddir") or os.path.join(HERE, "..", "..", "build")
ENVELOPE = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"


class Sink:
    """One thread for all connections. .wrong: what should not have come."""

    def __init__(self, keywords):
        self.keywords = keywords
        self.got, self.wrong = [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    sock, _ = self.listener.accept()
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    sock.sendall(b"220 sink\r\n")
                    self.selector.register(sock, selectors.EVENT_READ,
                                           {"held": b"", "data": False, "chunk": None})
                else:
                    self.read(key.fileobj, key.data)

    def send(self, sock, c, said):
        sock.sendall(b"".join(said))

    def read(self, sock, c):
        try:
            more = sock.recv(65536)
        except OSError:
            more = b""
        if not more:
            self.selector.unregister(sock)
            sock.close()
            return
        c["held"] += more
        said = []
        while self.step(c, said):
            pass
        if said:
            self.send(sock, c, said)

    def step(self, c, said):
        """One command, or one message."""
        held = c["held"]
        if c["chunk"] is not None:
            if len(held) < c["chunk"]:
                return False
            self.take(held[:c["chunk"]], said)
            c["held"], c["chunk"] = held[c["chunk"]:], None
            return True
        if c["data"]:
            end = (b"\r\n" + held).find(smuggling.END)
            if end < 0:
                return False
            self.take(smuggling.content(held[:end]), said)
            c["held"], c["data"] = held[end + 3:], False
            return True
        line, lf, rest = held.partition(b"\r\n")
        if not lf:
            return False
        c["held"] = rest
        self.command(c, line, said)
        return True

    def command(self, c, line, said):
        verb = line.split(b" ")[0]
        if smuggling.has_bare(line) or b"evil" in line:
            self.wrong.append(line)
        if verb == b"EHLO":
            said.append(b"250-sink\r\n" + b"".join(b"250-%s\r\n" % k for k in self.keywords)
                        + b"250 8BITMIME\r\n")
        elif verb == b"DATA":
            c["data"] = True
            said.append(b"354 go on\r\n")
        elif verb == b"BDAT":
            c["chunk"] = int(line.split(b" ")[1])
        else:
            said.append(b"250 2.0.0 Ok\r\n")

    def take(self, text, said):
        if smuggling.has_bare(text):
            self.wrong.append(text)
        self.got.append(text)
        said.append(b"250 2.0.0 Ok: taken\r\n")


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(20)
        self.held = b""
        self.codes(1)
        self.sock.sendall(b"HELO x\r\n")
        self.codes(1)

    def codes(self, n):
        """Of the next n replies, none of which has more lines than one."""
        while self.held.count(b"\r\n") < n:
            more = self.sock.recv(65536)
            if not more:
                raise AssertionError("closed after %r" % self.held)
            self.held += more
        lines = self.held.split(b"\r\n", n)
        self.held = lines.pop()
        return [line[:3] for line in lines]


# %d: the code that is due. What stands behind a reply came unasked.
POISON = (b"%d ok\n%d two\r\n", b"%d ok\r%d two\r\n", b"%d ok\r\n%d two\r\n",
          b"%d-ok\n%d two\r\n", b"%d-ok\r\n%d two\n\r\n", b"%d ok\r\r\n", b"%d ok\n",
          b"%d ok\0\r\n%d two\r\n", b"\n%d ok\r\n", b"%d ok\r\n354 go\r\n250 taken\r\n",
          b"%d ok\r\n221 bye\r\n", b"%d ok\r\n421 bye\r\n")


class Liar(Sink):
    """Answers step by step (MAIL, RCPT, DATA, the message), and one of them
    as .poison has it, cut where the sender's address says."""

    step_of, poison = 0, b""

    def command(self, c, line, said):
        if line.startswith(b"MAIL"):
            c["cut"], c["at"] = int(re.search(rb"<(\d+)@", line).group(1)), -1
        super().command(c, line, said)

    def send(self, sock, c, said):
        if "at" not in c or said[0][:3] == b"221":
            super().send(sock, c, said)
            return
        for reply in said:
            c["at"] += 1
            if c["at"] == self.step_of:
                code = int(reply[:3])
                reply = self.poison.replace(b"%d", b"%d" % code)
                sock.sendall(reply[:c["cut"]])
                time.sleep(0.001)
                reply = reply[c["cut"]:]
            try:
                sock.sendall(reply)
            except OSError:
                return


def hear(client):
    """One reply, all its lines; None: the connection is closed."""
    while not re.search(rb"^\d\d\d .*\n", client.held, re.M):
        try:
            more = client.sock.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            return None
        client.held += more
    end = re.search(rb"^\d\d\d .*\n", client.held, re.M).end()
    reply, client.held = client.held[:end], client.held[end:]
    return reply


def lied_to(door, sink, cut):
    """One mail; what is wrong with the replies, or None."""
    client = Client(door.port)
    replies = []
    taken = len(sink.got)
    for say in (b"MAIL FROM:<%d@example.com>" % cut, b"RCPT TO:<b@example.com>", b"DATA",
                b"text\r\n.", b"NOOP"):
        if say == b"text\r\n." and (not replies[-1] or replies[-1][:3] != b"354"):
            continue
        client.sock.sendall(say + b"\r\n")
        replies.append(hear(client))
        if replies[-1] is None:
            break
    client.sock.settimeout(0.002)
    try:
        client.held += client.sock.recv(100)
    except OSError:
        pass
    client.sock.close()
    said = b"".join(r or b"" for r in replies)
    if client.held or smuggling.has_bare(said) or b"\0" in said:
        return "it heard %r and %r" % (replies, client.held)
    if replies[-1] is not None and replies[-1][:3] != b"250":
        return "NOOP: %r" % replies
    took = len(replies) == 5 and replies[3] is not None and replies[3][:3] == b"250"
    if took and len(sink.got) != taken + 1:
        return "it heard %r of a mail that nobody took" % replies
    return None


def lies(t):
    door = Door(t, (b"SIZE 1000000",), sink=Liar)
    for step, name in enumerate(("MAIL", "RCPT", "DATA", "the message")):
        count, wrong = 0, []
        for poison in POISON:
            for cut in range(1, len(poison) + 2):
                door.sink.step_of, door.sink.poison = step, poison
                why = lied_to(door, door.sink, cut)
                count += 1
                if why:
                    wrong.append("%r cut at %d: %s" % (poison, cut, why))
        t.ok(not wrong, "replies to %s: %d times" % (name, count), *wrong[:5])


class Door:
    """The SMTP door, its next hop, and clients that are used again and again."""

    def __init__(self, t, keywords, *options, sink=Sink):
        self.sink = sink(keywords)
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests", "dialogs", "door"), "sink=%d" % self.sink.port,
             "command_timeout=100000", "errors=100000000", "junk=100000000", "conns=1000", "client_conns=1000",
             *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        t.defer(self.process.wait)
        t.defer(self.process.stdin.close)
        self.port = int(self.process.stdout.readline().split()[1])
        tap.until(lambda: self.sink.got is not None)
        self.clients = []

    def ask(self, parts, n):
        """Each client sends its parts, all of them at the same time; n replies of each."""
        while len(self.clients) < len(parts):
            self.clients.append(Client(self.port))
        for k in range(max(len(p) for p in parts)):
            for client, p in zip(self.clients, parts):
                if k < len(p) and p[k]:
                    client.sock.sendall(p[k])
            time.sleep(0.001)
        return [client.codes(n) for client, p in zip(self.clients, parts)]


def splits(data):
    return [(data[:i], data[i:]) for i in range(1, len(data))]


def in_data(door, text):
    """(one of the splits, codes) of each, and how many replies are usual."""
    door.ask([(ENVELOPE + b"DATA\r\n",)] * (len(text) + len(smuggling.END) + 3), 3)
    parts = splits(text + smuggling.END + b"NOOP\r\n")[:len(text) + len(smuggling.END) + 3]
    return parts, door.ask(parts, 2)


def in_chunk(door, text):
    command = b"BDAT %d LAST\r\n" % len(text)
    parts = [(ENVELOPE + command + a, b + b"NOOP\r\n") for a, b in splits(text)]
    return parts, [codes[2:] for codes in door.ask(parts, 4)]


def in_two(door, text):
    parts = [(ENVELOPE + b"BDAT %d\r\n%sBDAT %d LAST\r\n%sNOOP\r\n" % (len(a), a, len(b), b),)
             for a, b in splits(text)]
    return parts, [codes[3:] for codes in door.ask(parts, 5)]


def play(t, door, way, normalise, what):
    """Every variant this way; complaints are few."""
    count, wrong = 0, []
    for variant in smuggling.variants():
        text = smuggling.message(variant)
        sent = text
        if way is in_data:
            sent = smuggling.content(text) + b"\r\n"
        bare = smuggling.has_bare(text)
        want = [b"250" if normalise or not bare else b"550", b"250"]
        if normalise and way is in_data:
            sent = smuggling.undouble(sent)
        if normalise:
            sent = smuggling.put_right(sent)
        door.sink.got.clear()
        parts, codes = way(door, text)
        count += len(parts)
        for p, c in zip(parts, codes):
            if c != want:
                wrong.append("%r: %r, not %r" % (p, c, want))
        taken = [sent] * sum(c[0] == b"250" for c in codes)
        if door.sink.got != taken:
            wrong.append("%r: the next hop took %d, not %d: %r" % (
                text, len(door.sink.got), len(taken), set(door.sink.got)))
    wrong += ["the next hop heard %r" % w for w in door.sink.wrong]
    t.ok(not wrong, "%s: %d times" % (what, count), *wrong[:5])


def test(t):
    ways = ((in_data, "in DATA"), (in_chunk, "in a chunk"), (in_two, "in two chunks"))
    for keywords, behind in (((b"PIPELINING",), ""),
                             ((b"PIPELINING", b"CHUNKING"), ", handed on by BDAT")):
        for normalise in (False, True):
            door = Door(t, keywords, "bare_newline=%s" % ("normalise" if normalise else "reject"))
            for way, where in ways:
                if behind and (normalise or way is not in_two):
                    continue
                play(t, door, way, normalise, "%s, %s%s" % (
                    "put right" if normalise else "refused", where, behind))


    lies(t)


tap.run(test, limit_s=120)
