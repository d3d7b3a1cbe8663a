#!/usr/bin/env python3
"""early_no - a next hop that refuses a message before it has read it all.

What is not sent yet must never be: some would take it for commands. The
client hears the refusal, and the connection is cut, with all that still
waited for room.
"""

import os
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import tap  # noqa: E402

BUILD = os.environ.get("builddir") or os.path.join(HERE, "..", "..", "build")
SIZE = 8000000


class Hop:
    """Says no in the midst of DATA, and reads on when it is told to."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        self.read_on = threading.Event()
        self.ends, self.bytes = [], 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            self.talk(s)
        except OSError:
            s.close()

    def talk(self, s):
        s.sendall(b"220 hop\r\n")
        said = b""
        while True:
            piece = s.recv(4096)
            if not piece:
                return
            said += piece
            while b"\r\n" in said:
                line, said = said.split(b"\r\n", 1)
                if line == b"DATA":
                    self.refuse(s)
                    return
                s.sendall(b"250 PIPELINING\r\n")

    def refuse(self, s):
        s.sendall(b"354 go on\r\n")
        s.recv(4096)
        s.sendall(b"552 5.3.4 no\r\n")
        self.read_on.wait(60)
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                self.bytes += len(piece)
            self.ends.append("closed")
        except ConnectionResetError:
            self.ends.append("cut")
        s.close()


def say(s, f, text, code):
    s.sendall(text)
    line = f.readline()
    if not line.startswith(code):
        raise AssertionError("%r to %r" % (line, text[:60]))


def refused(t, what, line):
    hop = Hop()
    door = subprocess.Popen([os.path.join(BUILD, "tests", "dialogs", "door"), "sink=%d" % hop.port,
                             "size=%d" % (2 * SIZE), "reuse=no"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)
    t.defer(door.wait, 10)
    t.defer(door.stdin.close)
    t.defer(hop.listener.close)
    with socket.create_connection(("127.0.0.1", int(door.stdout.readline().split()[1]))) as s:
        s.settimeout(60)
        f = s.makefile("rb")
        say(s, f, b"", b"220")
        say(s, f, b"HELO x\r\n", b"250")
        say(s, f, b"MAIL FROM:<a@example.com>\r\n", b"250")
        say(s, f, b"RCPT TO:<b@example.com>\r\n", b"250")
        say(s, f, b"DATA\r\n", b"354")
        s.sendall(line * (SIZE // len(line)))
        say(s, f, b".\r\n", b"552")
        hop.read_on.set()
        t.ok(tap.until(lambda: hop.ends), what + ": its connection ends while the client stays")
    t.same(hop.ends, ["cut"], what + ": nothing that waited is sent behind it", hop.bytes)


def test(t):
    refused(t, "as it is", b"x" * 76 + b"\r\n")
    refused(t, "with dots", b"..RSET" + b"x" * 70 + b"\r\n")


tap.run(test, limit_s=120)
