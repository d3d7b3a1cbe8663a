"""net - free loopback ports, a server to build others on, and a raw SMTP client
that sends exact octets.

smtplib repairs line ends and dots on its way; tests of a transparent proxy
must not.
"""

import errno
import os
import random
import re
import socket
import threading

PORTS = range(20000, 32000)     # below those that the kernel gives to whoever asks
claims = []


def free_port(host="127.0.0.1"):
    """A port for a server that cannot report port 0: nobody listens on it, and
    no other test gets it, nor any client as its own, as long as we run."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in random.sample(PORTS, len(PORTS)):
        # A name in the kernel, which goes when we go.
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind("\0postern-test-port-%d" % port)
            with socket.socket(family) as s:
                s.bind((host, port))
        except OSError as e:
            claim.close()
            if e.errno != errno.EADDRINUSE:
                raise
            continue
        claims.append(claim)
        return port
    raise RuntimeError("no port is free")


def is_open(address):
    """Somebody listens there."""
    try:
        socket.create_connection(address, 1).close()
        return True
    except OSError:
        return False


class Server:
    """Listens at a loopback port, a free one by default, or at a unix socket's
    path; each connection is given to serve(sock) in a thread of its own."""

    def __init__(self, serve, path=None, host="127.0.0.1", port=0):
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(path)
            os.chmod(path, 0o777)
            self.address = "unix:" + path
        else:
            self.sock = socket.socket()
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind((host, port))
            self.port = self.sock.getsockname()[1]
            self.address = "inet:%s:%d" % (host, self.port)
        self.sock.listen(64)
        threading.Thread(target=self._accept, args=(serve,), daemon=True).start()

    def close(self):
        """Nobody is there any more. Harmless when it is so already."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def _accept(self, serve):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()


def stuff(body):
    """RFC 5321 4.5.2, and the end of data."""
    body = re.sub(rb"(?:\A|(?<=\r\n))\.", b"..", body)
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    return body + b".\r\n"


class Cut(Exception):
    """The connection ended before a whole reply came."""


class Reply:
    def __init__(self, raw):
        self.raw = raw
        self.code = int(raw[:3])
        self.lines = [l[4:].decode("utf-8", "backslashreplace")
                      for l in raw.split(b"\r\n")[:-1]]
        self.text = "\n".join(self.lines)

    def __repr__(self):
        return self.raw.decode("utf-8", "backslashreplace").rstrip()


class Client:
    """One SMTP session; source is the address it connects from."""

    def __init__(self, address, source=None, timeout=30, greet=True,
                 helo="client.example"):
        self.sock = socket.create_connection(
            address, timeout, (source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held = b""
        if greet:
            self.banner = self.reply()
            self.ehlo = self.cmd("EHLO " + helo)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as e:
            raise Cut(str(e))

    def line(self):
        while b"\n" not in self.held:
            try:
                more = self.sock.recv(65536)
            except socket.timeout:
                raise
            except OSError as e:
                raise Cut(str(e))
            if not more:
                raise Cut("connection closed after %r" % self.held)
            self.held += more
        line, self.held = self.held.split(b"\n", 1)
        return line + b"\n"

    def reply(self):
        raw = b""
        while True:
            line = self.line()
            raw += line
            if line[3:4] != b"-":
                return Reply(raw)

    def cmd(self, line):
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def envelope(self, sender, rcpts):
        """MAIL and the RCPTs; the replies in order."""
        got = [self.cmd("MAIL FROM:<%s>" % sender)]
        if got[0].code == 250:
            got += [self.cmd("RCPT TO:<%s>" % r) for r in rcpts]
        return got

    def data(self, body):
        """DATA and the body as it is (stuffed here); the final reply."""
        go = self.cmd("DATA")
        if go.code != 354:
            return go
        self.send(stuff(body))
        return self.reply()

    def mail(self, sender, rcpts, body):
        """A whole transaction; the last reply that was heard."""
        got = self.envelope(sender, rcpts)
        if not any(r.code // 100 == 2 for r in got[1:]):
            return got[-1]
        return self.data(body)

    def quit(self):
        reply = self.cmd("QUIT")
        self.close()
        return reply


def send(address, sender, rcpts, body, **kw):
    """One session, one mail; the reply that decided."""
    with Client(address, **kw) as c:
        reply = c.mail(sender, rcpts, body)
        try:
            c.quit()
        except Cut:
            pass
        return reply
