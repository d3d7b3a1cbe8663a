"""sink - an SMTP server that keeps the exact octets of what it was told.

    sink = Sink(announce=("PIPELINING", "8BITMIME", "XCLIENT NAME ADDR"))
    ... sink.address ...
    sink.messages[0].raw

`script` may bend it: script(session, stage, line) is called at the stages
connect, ehlo, auth, xclient, xforward, mail, rcpt, data, body (after the final
dot), sent (after the 250 to the body went out), quit; it returns None for the usual answer, reply bytes
to give instead, or DIE to reset the connection at once.

A message is in `messages` once its 250 is about to be sent: from then on the
sink answers for it, as an MTA that has fsynced its queue file does.
"""

import re
import socket
import struct
import threading
import time

DIE = object()

KEYWORDS = ("PIPELINING", "SIZE 100000000", "8BITMIME", "SMTPUTF8", "DSN",
            "ENHANCEDSTATUSCODES")
XCLIENT = "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT"
XFORWARD = "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT"


class Message:
    def __init__(self, session, mail, rcpts, wire, chunk=False):
        self.session = session
        self.mail = mail            # the MAIL line, as it came, without CRLF
        self.rcpts = rcpts          # the RCPT lines accepted here
        self.wire = wire            # octets of DATA before ".\r\n", still stuffed
        self.raw = wire if chunk else re.sub(rb"(?:\A|(?<=\r\n))\.", b"", wire)
        self.time = time.time()


class Session:
    def __init__(self, sock, peer):
        self.sock = sock
        self.peer = peer
        self.lines = []             # every command line as it came
        self.held = b""
        self.identity = {}          # what XCLIENT or XFORWARD said last

    def read_line(self):
        while b"\r\n" not in self.held:
            more = self.sock.recv(65536)
            if not more:
                return None
            self.held += more
        line, self.held = self.held.split(b"\r\n", 1)
        self.lines.append(line)
        return line

    def read_chunk(self, size):
        while len(self.held) < size:
            more = self.sock.recv(65536)
            if not more:
                return None
            self.held += more
        chunk, self.held = self.held[:size], self.held[size:]
        return chunk

    def read_data(self):
        data, look = bytearray(self.held), 0
        while True:
            if data.startswith(b".\r\n"):
                self.held = bytes(data[3:])
                return b""
            at = data.find(b"\r\n.\r\n", look)
            if at >= 0:
                self.held = bytes(data[at + 5:])
                return bytes(data[:at + 2])
            look = max(0, len(data) - 4)
            more = self.sock.recv(262144)
            if not more:
                return None
            data += more


class Sink:
    def __init__(self, announce=KEYWORDS + (XCLIENT, XFORWARD), script=None,
                 host="127.0.0.1", port=0):
        self.announce = announce
        self.script = script or (lambda session, stage, line: None)
        self.messages = []
        self.sessions = []
        self.lock = threading.Lock()
        self.listener = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(512)
        self.address = self.listener.getsockname()[:2]
        self.server = ("[%s]:%d" if ":" in host else "%s:%d") % self.address
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            sessions = list(self.sessions)
        for s in sessions:
            s.sock.close()

    def holding(self, marker):
        """How many messages with these octets the sink has said 250 to."""
        with self.lock:
            return sum(marker in m.raw for m in self.messages)

    def _accept(self):
        while True:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(sock, peer)
            with self.lock:
                self.sessions.append(session)
            threading.Thread(target=self._serve, args=(session,),
                             daemon=True).start()

    def _serve(self, s):
        try:
            self._talk(s)
        except OSError:
            pass
        finally:
            s.sock.close()

    def _say(self, s, stage, line, usual):
        """False: the script wants the connection reset."""
        answer = self.script(s, stage, line)
        if answer is DIE:
            s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
            return None
        answer = usual if answer is None else answer
        if answer:
            s.sock.sendall(answer)
        return answer

    def _talk(self, s):
        mail, rcpts = None, []
        if self._say(s, "connect", b"", b"220 sink.example ESMTP\r\n") is None:
            return
        while True:
            line = s.read_line()
            if line is None:
                return
            verb = line[:4].upper()
            if line[:7].upper() == b"XCLIENT" or line[:8].upper() == b"XFORWARD":
                stage = line.split(b" ")[0].decode().lower()
                for pair in line.split(b" ")[1:]:
                    name, _, value = pair.partition(b"=")
                    s.identity[name.decode().upper()] = value.decode()
                usual = (b"220 sink.example ESMTP\r\n" if stage == "xclient"
                         else b"250 2.0.0 Ok\r\n")
                if self._say(s, stage, line, usual) is None:
                    return
            elif verb in (b"EHLO", b"HELO"):
                words = ("sink.example",) + tuple(self.announce)
                if verb == b"HELO":
                    words = words[:1]
                usual = b"".join(b"250%s%s\r\n" % (
                    b" " if i == len(words) - 1 else b"-", w.encode())
                    for i, w in enumerate(words))
                if self._say(s, "ehlo", line, usual) is None:
                    return
                mail, rcpts = None, []
            elif verb == b"MAIL":
                got = self._say(s, "mail", line, b"250 2.1.0 Ok\r\n")
                if got is None:
                    return
                if got[:1] == b"2":
                    mail, rcpts = line, []
            elif verb == b"RCPT":
                got = self._say(s, "rcpt", line, b"250 2.1.5 Ok\r\n")
                if got is None:
                    return
                if got[:1] == b"2":
                    rcpts.append(line)
            elif verb == b"DATA":
                usual = (b"354 End data with <CR><LF>.<CR><LF>\r\n" if rcpts
                         else b"554 5.5.1 Error: no valid recipients\r\n")
                got = self._say(s, "data", line, usual)
                if got is None:
                    return
                if got[:1] != b"3":
                    continue
                wire = s.read_data()
                if wire is None:
                    return
                if not self._take(s, mail, rcpts, wire):
                    return
                mail, rcpts = None, []
            elif verb == b"AUTH":
                if self._say(s, "auth", line, b"502 5.5.1 Error: command not implemented\r\n") is None:
                    return
            elif verb == b"BDAT":
                wire = s.read_chunk(int(line.split(b" ")[1]))
                if wire is None or not self._take(s, mail, rcpts, wire, True):
                    return
                mail, rcpts = None, []
            elif verb == b"RSET":
                mail, rcpts = None, []
                s.sock.sendall(b"250 2.0.0 Ok\r\n")
            elif verb == b"NOOP":
                s.sock.sendall(b"250 2.0.0 Ok\r\n")
            elif verb == b"QUIT":
                self._say(s, "quit", line, b"221 2.0.0 Bye\r\n")
                return
            else:
                s.sock.sendall(b"502 5.5.2 Error: command not recognized\r\n")

    def _take(self, s, mail, rcpts, wire, chunk=False):
        answer = self.script(s, "body", wire)
        if answer is DIE:
            s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
            return False
        if answer is None:
            answer = b"250 2.0.0 Ok: queued\r\n"
        if answer[:1] == b"2":
            with self.lock:
                self.messages.append(Message(s, mail, rcpts, wire, chunk))
        s.sock.sendall(answer)
        return self.script(s, "sent", wire) is not DIE
