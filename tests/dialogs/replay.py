#!/usr/bin/env python3
"""replay - plays golden transcripts against the SMTP door.

    replay.py [-v] [--single|--daemon] [FILE.txt|FILE.table...]     TAP

By default against tests/dialogs/door (libsmtp with an engine made for this),
with --single and --daemon against posternd; all of tests/dialogs when no file
is named.

Each transcript is played twice: lines that follow one another in one packet,
and byte by byte. Both must read the same. A line of a transcript is

    door: KEY=VALUE...   options of tests/dialogs/door, before all else
    sink: KEYWORDS       what the next hop announces ("," between); "down": there
                         is none; "none": nobody asks it (maildir)
    second: KEYWORDS     a second server, whose turn comes when the first one's
                         is over; "same": it announces the same. With "door:
                         route=1" it is another upstream's, of example.net and
                         two@example.com; box@example.com has a maildir
    hop: proxy           the next hop takes a PROXY header before it greets, and
                         hears it like a line: "PROXY TCP4 ..." as in version 1,
                         "PROXY2 TCP4 ..." for version 2
    mode: whole          not byte by byte (it waits for time-outs)
    mode: early          ... and the next hop's first greeting comes late
    within: SECONDS      it holds if played in that time, as before the next probe;
                         where a busy machine takes longer it is played again
    C: TEXT              the client sends this line
    C= TEXT              ... these bytes: \\r \\n \\0 \\xNN \\\\, and {N*c} for N times c
    C^                   ... shakes hands: TLS from here on
    C! [half]            ... closes, or says that it will send no more
    C+ / C-              another client comes, and talks from here on / goes
    C+ again             ... and comes again as long as it is turned away by 421
    S: TEXT              it is answered this line; {id} an id, {name} this
                         machine's name if it has one, {*} anything
    S* CODE              ... a whole reply of that code, of any number of lines
    S! [cut]             ... and the connection is closed; cut: perhaps by a reset
    U< VERB REPLY        the next hop will answer VERB so, once. VERB is also
                         CONNECT and "." (the end of a message, of a chunk's
                         too: BDAT is answered before it is read); REPLY may
                         hold \\r\\n, and be !close, !silent
    U> TEXT              the next hop heard this line
    U+ TEXT              ... and as often as may be; something else came then
    U= TEXT              ... this message, as it was on the wire without its end
    U! close | TEXT      the next hop closes, or says TEXT unasked
    U# N                 ... has greeted so many connections, the probe's not counted
    V<, V>, V+, V=, V!   the same of the second server, if there is one
    ~ SECONDS            nothing happens
    T! TERM              a signal for the door

The next hop answers everything with 250 (354, 220, 221) unless told
otherwise. EHLO, HELO, LHLO and QUIT there need not be written.

FILE.table makes one transcript for each state in it, with each of its verbs.
A few are played at once: most of them wait for something all the time.
"""

import atexit
import collections
import concurrent.futures
import fnmatch
import functools
import ipaddress
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import dns  # noqa: E402
from postern import users  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("builddir") or os.path.join(HERE, "..", "..", "build")
AT_ONCE = 4
WAIT = 30  # a machine may be busy; what waits in vain is red already
KEYWORDS = ("PIPELINING,SIZE 100000,8BITMIME,SMTPUTF8,DSN,ENHANCEDSTATUSCODES,"
            "XCLIENT NAME ADDR PORT PROTO HELO LOGIN REVERSE_NAME,"
            "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE")
USUAL = {"CONNECT": "220 sink ESMTP", "DATA": "354 go on", "QUIT": "221 bye",
         "MAIL": "250 2.1.0 Ok", "RCPT": "250 2.1.5 Ok", "XCLIENT": "220 sink ESMTP", "STARTTLS": "454 4.7.0 not now",
         "AUTH": "235 2.7.0 Ok", ".": "250 2.0.0 Ok: queued as UP1"}


class Mismatch(Exception):
    pass


def unescape(text):
    text = re.sub(r"\{(\d+)\*(.)\}", lambda m: m.group(2) * int(m.group(1)), text)
    def one(m):
        c = m.group(1)
        if c[0] == "x":
            return chr(int(c[1:], 16))
        return {"r": "\r", "n": "\n", "0": "\0", "\\": "\\", "t": "\t"}[c]
    text = text.encode().decode("latin-1")
    return re.sub(r"\\(x[0-9a-fA-F]{2}|[rn0t\\])", one, text).encode("latin-1")


class Heard(str):
    """A line; who waits for it finds its answer on the way, too."""

    def __new__(cls, text, answered=True):
        line = super().__new__(cls, text)
        line.answered = answered
        return line


class Sink:
    """The next hop: scripted, and it remembers."""

    def __init__(self, keywords, takes_header=False):
        self.keywords = keywords
        self.takes_header = takes_header
        self.heard = collections.deque()
        self.messages = collections.deque()
        self.replies = collections.defaultdict(collections.deque)
        self.change = threading.Condition()
        self.connections = []
        self.finished = 0
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def answer(self, sock, verb):
        with self.change:
            queue = self.replies[verb]
            text = queue.popleft() if queue else None
        if text is None and verb in ("EHLO", "LHLO"):
            words = ["sink"] + self.keywords.split(",")
            text = "\\r\\n".join("250%s%s" % (" " if i == len(words) - 1 else "-", w)
                                 for i, w in enumerate(words))
        if text is None:
            text = USUAL.get(verb, "250 2.0.0 Ok")
        if text == "!close":
            raise ConnectionError
        if text == "!late":
            time.sleep(0.3)
            text = USUAL[verb]
        if text != "!silent":
            sock.sendall(unescape(text) + b"\r\n")
        return text

    def note(self, where, what):
        with self.change:
            where.append(what)
            self.change.notify_all()

    def note_answer(self, line):
        with self.change:
            line.answered = True
            self.change.notify_all()

    def note_connection(self):
        with self.change:
            self.accepted += 1
            self.change.notify_all()

    def expect_connections(self, n):
        self.wait(lambda: self.accepted > n)
        time.sleep(0.02)
        if self.accepted != n + 1:
            raise Mismatch("the next hop has seen %d connections" % (self.accepted - 1))

    def serve(self, sock):
        f = sock.makefile("rb")
        try:
            if self.takes_header:
                self.note(self.heard, Heard(self.header(f)))
            try:
                banner = self.answer(sock, "CONNECT")
            finally:
                self.note_connection()
            if banner[:1] in "45":
                sock.shutdown(socket.SHUT_WR)
            while True:
                line = f.readline()
                if not line:
                    break
                text = line.rstrip(b"\r\n").decode("latin-1")
                verb = text.split(" ")[0].upper()
                if verb == "BDAT" and not self.replies[verb]:
                    self.note(self.heard, Heard(text))
                    self.take_chunk(sock, f, int(text.split(" ")[1]))
                    continue
                heard = Heard(text, False)
                self.note(self.heard, heard)
                try:
                    reply = self.answer(sock, verb)
                finally:
                    self.note_answer(heard)
                if verb == "QUIT":
                    break
                if verb == "DATA" and reply.startswith("354"):
                    self.take(sock, f)
        except OSError:
            pass
        f.close()
        sock.close()
        with self.change:
            self.finished += 1
            self.change.notify_all()

    def header(self, f):
        head = f.read(1)
        if head == b"P":
            return "P" + f.readline().rstrip(b"\r\n").decode("latin-1")
        head += f.read(15)
        if head[:12] != b"\r\n\r\n\0\r\nQUIT\n":
            return "no header: %r" % head
        data = f.read(int.from_bytes(head[14:16], "big"))
        if head[12] == 0x20:
            return "PROXY2 LOCAL"
        six = head[13] == 0x21
        size = 16 if six else 4
        ends = [str(ipaddress.ip_address(data[i * size:(i + 1) * size])) for i in (0, 1)]
        ports = [str(int.from_bytes(data[2 * size + i:2 * size + i + 2], "big")) for i in (0, 2)]
        return " ".join(["PROXY2", "TCP6" if six else "TCP4"] + ends + ports)

    def take(self, sock, f):
        body = b""
        while True:
            line = f.readline()
            if not line:
                self.note(self.messages, None)
                raise ConnectionError
            if line == b".\r\n":
                break
            body += line
        self.note(self.messages, body)
        self.answer(sock, ".")

    def take_chunk(self, sock, f, size):
        body = f.read(size)
        self.note(self.messages, body if len(body) == size else None)
        if len(body) < size:
            raise ConnectionError
        self.answer(sock, ".")

    def wait(self, what):
        with self.change:
            if not self.change.wait_for(what, WAIT):
                raise Mismatch("nothing came")

    def usual(self, line):
        return line.split(" ")[0].upper() in ("EHLO", "HELO", "LHLO", "QUIT")

    def next_line(self, pattern):
        def there():
            while self.heard and self.usual(self.heard[0]) and \
                    not pattern.fullmatch(self.heard[0]):
                self.heard.popleft()
            return self.heard and self.heard[0].answered
        self.wait(there)
        return self.heard[0]

    def expect_line(self, pattern):
        line = self.next_line(pattern)
        if not pattern.fullmatch(line):
            raise Mismatch("the next hop heard %r" % line)
        self.heard.popleft()

    def skip_lines(self, pattern):
        while pattern.fullmatch(self.next_line(pattern)):
            self.heard.popleft()

    def expect_message(self, body):
        self.wait(lambda: self.messages)
        got = self.messages.popleft()
        if got != body:
            raise Mismatch("the next hop took %r" % got)

    def rest(self):
        rest = [x for x in self.heard if not self.usual(x)]
        if rest or self.messages:
            raise Mismatch("the next hop also heard %r %r" % (rest, list(self.messages)))

    def go_away(self):
        """Nobody listens any more; the port stays taken, lest another gets it."""
        self.listener.shutdown(socket.SHUT_RDWR)

    def close_all(self):
        for sock in self.connections:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.connections = []


@functools.lru_cache
def certificate():
    """A file with a key and its certificate, which is its own authority."""
    fd, path = tempfile.mkstemp(suffix=".pem")
    os.close(fd)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=x",
                    "-keyout", path, "-out", path + ".crt"],
                   check=True, capture_output=True, timeout=60)
    with open(path, "a") as out, open(path + ".crt") as f:
        out.write(f.read())
    os.unlink(path + ".crt")
    atexit.register(os.unlink, path)
    return path


class Door:
    """tests/dialogs/door, with its engine made for dialogues."""

    def __init__(self, script, sink, second, verbose):
        args = script.door.split() + ["debug=1"] * verbose
        if "tls=" in script.door:
            args.append("cert=" + certificate())
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests", "dialogs", "door"), "sink=%d" % sink,
             "second=%d" % second] + args,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=None if verbose else subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[1])

    @staticmethod
    def can(script):
        return True

    def end(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        code = self.process.wait(WAIT)
        err = self.process.stderr.read().decode() if self.process.stderr else ""
        return code, err


CONF = """
hostname postern.example; relay_domains example.com;
{users}
workers 1; {nets} {limits} dns 127.0.0.1:{dns};
spool {dir}/spool; state {dir}/state; control unix:{dir}/control;
log stderr; log_level {level};
listen {door} 127.0.0.1:0 {{ {to} {listed} {auth} }}
upstream up {{ {up} }}
{more}
policy other for rcpt other@example.com {{ }}
policy default {{
    rule rejected {{ when rcpt.local = "rejected"; then reject 550 5.7.1 "not here"; }}
    rule later {{ when rcpt.local = "later"; then tempfail 451 4.7.1 "not now"; }}
    rule sender {{ when sender.local = "rejected"; then reject 550 5.7.1 "not here"; }}
    rule r {{ when header("X-Verdict") = "reject"; then reject 550 5.7.1 "not here"; }}
    rule t {{ when header("X-Verdict") = "tempfail"; then tempfail 451 4.7.1 "not now"; }}
    rule q {{ when header("X-Verdict") = "quarantine"; then quarantine; }}
    rule h {{ when header("X-Verdict") = "hold"; then hold "look at it"; }}
    rule d {{ when header("X-Verdict") = "discard"; then discard; }}
    rule early-name {{ when helo.name = "early"; early; then reject 550 5.7.1 "not here"; }}
    rule early-sender {{ when sender.local = "early"; early; then reject 550 5.7.1 "not here"; }}
    {early}
    rule slow {{ when rcpt.local = "slow"; then delay 200ms; }}
    rule redirect {{ when header("X-Verdict") = "redirect"; then redirect new@example.com; }}
    rule copy {{ when header("X-Verdict") = "copy"; then copy new@example.com; }}
    rule more {{ when header("X-Verdict") = "rcpt-add"; then rcpt add new@example.com; }}
    rule abroad {{ when header("X-Verdict") = "abroad"; then rcpt add new@elsewhere.example; }}
    rule less {{ when header("X-Verdict") = "rcpt-remove"; then rcpt remove b@example.com; }}
    rule from {{ when header("X-Verdict") = "sender"; then sender set other@example.com; }}
    rule nobody {{ when header("X-Verdict") = "sender-null"; then sender set <>; }}
    rule keep {{ when header("X-Verdict") = "keep"; then quarantine copy; }}
    rule g {{ when header("X-Verdict") ~ /tag$/; then header add "X-Tag" "yes"; }}
    rule dot {{ when header("X-Verdict") = "dot"; then header add ".X-Tag" "yes"; }}
}}
"""

ROUTE = """
upstream two {{ server 127.0.0.1:{second}; identity none; }}
upstream box {{ deliver maildir {dir}/maildir; }}
route r {{
    example.com up; example.net two; .example.net two; two@example.com two; box@example.com box;
}}
"""


@functools.cache
def resolver():
    """For all: what this machine's says, or cannot say, is of no account."""
    return dns.Dns({"127.0.0.1": "localhost"})


class Daemon:
    """posternd, with rules that do what the door's engine does."""

    LIMITS = {"size": "message_size_limit %s", "bare_newline": "bare_newline %s",
              "conns": "connection_limit %s", "client_conns": "client_connection_limit %s",
              "connection_rate": "client_connection_rate_limit %s",
              "message_rate": "client_message_rate_limit %s",
              "recipient_rate": "client_recipient_rate_limit %s",
              "command_rate": "client_command_rate_limit %s",
              "auth_rate": "client_auth_rate_limit %s",
              "tls_rate": "client_new_tls_session_rate_limit %s",
              "rate_unit": "rate_time_unit %s",
              "soft_errors": "soft_error_limit %s", "error_sleep": "error_sleep_time %sms",
              "greet_wait": "greet_wait %sms", "pregreet": "pregreet %s",
              "session_time": "session_time_limit %sms", "data_rate": "min_data_rate %s",
              "data_grace": "min_data_rate_grace %sms", "hops": "hopcount_limit %s",
              "header_size": "header_size_limit %s", "line_length": "message_line_limit %s",
              "errors": "error_limit %s", "junk": "junk_command_limit %s",
              "command_timeout": "command_timeout %s", "data_timeout": "data_timeout %s"}
    UP = {"connect_timeout": "connect_timeout %s", "reply_timeout": "reply_timeout %s",
          "last_timeout": "data_timeout %s", "reuse": "reuse %s",
          "idle_timeout": "keep 20 idle %s", "warm": "warm %s", "dial": "dial %s"}
    EARLY = {"reject": 'reject 550 5.7.1 "not here"', "tempfail": 'tempfail 451 4.7.1 "not now"'}
    args = []

    @staticmethod
    def can(script):
        text = " ".join(t for _, _, t in script.steps)
        return "X-Keeper" not in text and "slow-accept" not in text and \
            "hold_noop" not in script.door and "tls=broken" not in script.door and "rcpts" not in script.door

    def __init__(self, script, sink, second, verbose):
        self.dir = tempfile.mkdtemp(prefix="pn-")
        os.chmod(self.dir, 0o755)
        who = self.make_folders()
        options = {"size": "1000000"}
        options.update(w.split("=", 1) for w in script.door.split())
        conf = CONF.format(
            users=who, dir=self.dir, dns=resolver().port, level="debug" if verbose else "info",
            nets="mynetworks %s;" % ("127.0.0.0/8" if options.get("mynetworks") else "192.0.2.0/24"),
            limits="".join(self.LIMITS[k] % self.unit(k, v) + "; "
                           for k, v in options.items() if k in self.LIMITS),
            early="rule early-client { when client.ip in 127.0.0.0/8; early; then %s; }"
            % self.EARLY[options["early"]] if "early" in options else "",
            auth=("auth %s;" % options["auth"] if "auth" in options else "") +
            ("tls %s cert %s;" % (options["tls"], certificate()) if "tls" in options else ""),
            listed="identity%s%s;" % (
                " from 127.0.0.1 proxy" if "proxied" in options else "",
                " from 127.0.0.1 " + options["listed"] if "listed" in options else "")
            if "listed" in options or "proxied" in options
            else "identity from 192.0.2.1 xforward;" if options.get("identity") == "xforward"
            else "",
            door="lmtp" if "lmtp" in options else "smtp",
            to="route r;" if "route" in options else "upstream up;",
            more=ROUTE.format(second=second, dir=self.dir) if "route" in options else "",
            up="deliver maildir %s/maildir;" % self.dir if "maildir" in options else
            ("deliver lmtp 127.0.0.1:%d; " % sink if "delivers" in options else
             "server 127.0.0.1:%d; identity %s; protocol %s; " % (
                 sink, options.get("identity", "none"),
                 "lmtp" if "lmtp_sink" in options else "smtp")) +
            ("server 127.0.0.1:%d priority 1; " % second
             if second and "route" not in options else "") +
            ("tls %s; " % options["up_tls"] if "up_tls" in options else "") +
            "".join(self.UP[k] % self.unit(k, v) + "; "
                    for k, v in options.items() if k in self.UP))
        path = os.path.join(self.dir, "postern.conf")
        with open(path, "w") as f:
            f.write(conf)
        self.process = subprocess.Popen([os.path.join(BUILD, "posternd"), "-c", path] + self.args,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        self.log, self.port, self.ready = [], None, threading.Event()
        threading.Thread(target=self.read_log, args=(verbose,), daemon=True).start()
        if not self.ready.wait(WAIT) or self.port is None:
            self.process.kill()
            raise Mismatch("posternd does not start: %s%s" % ("".join(self.log), conf))

    @staticmethod
    def unit(key, value):
        """Time-outs are written in ms for the door; seconds are the daemon's least."""
        return "%ds" % max(1, round(int(value) / 1000)) \
            if "timeout" in key or key == "rate_unit" else value

    def make_folders(self):
        """The configuration's line of users, when there is a choice."""
        root = os.getuid() == 0 and not self.args
        worker, inspector, keeper = users()
        for folder, name in (("spool", worker), ("state", keeper), ("maildir", keeper)):
            os.mkdir(os.path.join(self.dir, folder))
            if root:
                shutil.chown(os.path.join(self.dir, folder), name)
        return "user %s; inspect_user %s; keeper_user %s;" % (worker, inspector, keeper) \
            if root else ""

    def read_log(self, verbose):
        for line in self.process.stderr:
            self.log.append(line)
            if verbose:
                sys.stderr.write(line)
            m = re.search(r"ev=listening .*address=\S*:(\d+)", line)
            if m:
                self.port = int(m.group(1))
            if "ev=ready" in line:
                self.ready.set()
        self.ready.set()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(WAIT)
        shutil.rmtree(self.dir, ignore_errors=True)
        return code, "".join(self.log)


class Single(Daemon):
    args = ["--single"]


class Client:
    def __init__(self, port, slowly):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(WAIT)
        self.slowly = slowly
        self.pending = b""
        self.got = b""
        self.reset = False

    def flush(self):
        data, self.pending = self.pending, b""
        size = 1 if self.slowly else max(1, len(data))
        try:
            for i in range(0, len(data), size):
                self.sock.sendall(data[i:i + size])
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            self.reset = True  # said once: what is read next does not tell

    def secure(self):
        """A handshake; whose certificate it is the integration tests look at."""
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        self.sock = tls.wrap_socket(self.sock)

    def line(self):
        while b"\r\n" not in self.got:
            try:
                more = self.sock.recv(65536)
            except (ConnectionResetError, socket.timeout) as e:
                raise Mismatch("no answer: %s, only %r" % (e, self.got))
            if not more:
                raise Mismatch("the connection was closed after %r" % self.got)
            self.got += more
        line, self.got = self.got.split(b"\r\n", 1)
        return line.decode("latin-1")

    def turned_away(self):
        """421 is said at once: who hears nothing for a second is in."""
        if not select.select([self.sock], [], [], 1)[0]:
            return False
        return self.sock.recv(4, socket.MSG_PEEK)[:3] in (b"421", b"")

    def leave(self):
        """It is gone when the server has seen it, which then closes, too."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self.sock.settimeout(2)
            while self.sock.recv(65536):
                pass
        except OSError:
            pass
        self.sock.close()

    def closed(self, cut):
        try:
            more = self.got or self.sock.recv(65536)
        except ConnectionResetError:
            self.reset, more = True, b""
        except socket.timeout:
            raise Mismatch("the connection is still open")
        if more:
            raise Mismatch("more was said: %r" % more)
        if self.reset and not cut:
            raise Mismatch("the connection was reset")


def pattern(text):
    text = re.escape(unescape(text).decode("latin-1"))
    text = text.replace(r"\{name\}", r"(localhost|\[UNAVAILABLE\])")
    text = text.replace(r"\{id\}", "[0-9a-v]{16}").replace(r"\{\*\}", ".*")
    return re.compile(text)


class Transcript:
    def __init__(self, path):
        self.name = os.path.basename(path)[:-4]
        self.preset()
        with open(path, encoding="utf-8") as f:
            for n, line in enumerate(f, 1):
                line = line.rstrip("\n")
                if not line.strip() or line.startswith("#"):
                    continue
                m = re.match(r"(door|sink|second|mode|hop|within): (.*)", line)
                if m:
                    setattr(self, m.group(1), m.group(2))
                    continue
                m = re.match(r"(C:|C=|C\^|C!|C\+|C-|S:|S\*|S!|[UV][<>+=!#]|T!|~)(?: (.*))?$", line)
                if not m:
                    raise SystemExit("%s:%d: what is this?" % (path, n))
                self.steps.append((n, m.group(1), m.group(2) or ""))

    def preset(self):
        self.door, self.sink, self.mode, self.second = "", KEYWORDS, "both", None
        self.hop, self.within = "", None
        self.steps = []
        self.heard_matters = True  # all of it is in the transcript


class State(Transcript):
    """One of a table's states, with every verb in it."""

    def __init__(self, name, options):
        self.name, self.entry = name, []
        self.preset()
        self.heard_matters = False
        for key, value in options:
            setattr(self, key, value)

    def add(self, n, line, reply):
        """Another client, who comes into this state and says that."""
        if self.steps:
            self.steps.append((n, "C+", ""))
        self.steps.append((n, "S*", "220"))
        self.steps += self.entry
        self.steps.append((n, "C=", line + r"\r\n"))
        self.steps.append((n, "S*" if reply.isdigit() else "S:", reply))
        self.steps.append((n, "C!", ""))


def table(path):
    """The transcripts of a table: see tests/dialogs/verbs.table."""
    base = os.path.basename(path).split(".")[0]
    common, states, verb, replies = [], [], None, {}

    def close():
        for s in states if verb else ():
            reply = replies.get(s.name, replies.get("*"))
            if reply is None:
                raise SystemExit("%s:%d: what in %s?" % (path, verb[0], s.name))
            s.add(verb[0], verb[1], reply)

    with open(path, encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            if not line.strip() or line.startswith("#"):
                continue
            key, _, text = line.strip().partition(" ")
            if key == "state":
                states.append(State("%s-%s" % (base, text), common))
            elif key == "verb":
                close()
                verb, replies = (n, text), {}
            elif verb:
                names, _, reply = line.strip().partition(": ")
                replies.update(("*" if x == "*" else base + "-" + x, reply)
                               for x in names.split())
            elif not states:
                common.append((key[:-1], text))
            elif key == "door:":
                states[-1].door += " " + text
            elif key == "sink:":
                states[-1].sink = text
            else:
                states[-1].entry.append((n, key, text))
    close()
    return states


class Play:
    def __init__(self, server, script, slowly, verbose):
        self.sink = Sink(script.sink if script.sink not in ("down", "none") else "",
                         script.hop == "proxy")
        if script.sink == "down":
            self.sink.go_away()
        self.second = None
        if script.second:
            self.second = Sink(script.sink if script.second == "same" else script.second)
        if script.mode == "early":
            self.sink.replies["CONNECT"].append("!late")
        self.server = server(script, self.sink.port,
                             self.second.port if self.second else 0, verbose)
        self.process, self.port = self.server.process, self.server.port
        try:
            if script.mode != "early":
                self.await_probes(script)
            self.slowly, self.clients = slowly, [Client(self.port, slowly)]
        except (Mismatch, OSError):
            self.process.kill()
            self.process.wait()
            raise

    def await_probes(self, script):
        probed = [] if script.sink in ("down", "none") else [self.sink]
        for sink in probed + [self.second] * (self.second is not None):
            sink.wait(lambda s=sink: s.finished >= 1)
            sink.heard.clear()

    @property
    def client(self):
        return self.clients[-1]

    def step(self, kind, text):
        client, sink = self.client, self.second if kind[0] == "V" else self.sink
        kind = kind.replace("V", "U")
        if kind in ("C:", "C="):
            client.pending += unescape(text) + (b"\r\n" if kind == "C:" else b"")
            return
        client.flush()
        if kind == "S:":
            line = client.line()
            if not pattern(text).fullmatch(line):
                raise Mismatch("got %r" % line)
        elif kind == "S*":
            line = "-" * 4
            while line[3:4] == "-":
                line = client.line()
                if line[:3] != text:
                    raise Mismatch("got %r" % line)
        elif kind == "S!":
            client.closed(text == "cut")
        elif kind == "C!":
            if text == "half":
                client.sock.shutdown(socket.SHUT_WR)
            else:
                client.sock.close()
        elif kind == "C^":
            client.secure()
        elif kind == "C+":
            self.clients.append(Client(self.port, self.slowly))
            end = time.monotonic() + WAIT
            while text == "again" and self.client.turned_away() and time.monotonic() < end:
                self.clients.pop().sock.close()
                self.clients.append(Client(self.port, self.slowly))
        elif kind == "C-":
            self.clients.pop().leave()
        elif kind == "U<":
            verb, reply = text.split(" ", 1)
            sink.replies[verb].append(reply)
        elif kind == "U>":
            sink.expect_line(pattern(text))
        elif kind == "U+":
            sink.skip_lines(pattern(text))
        elif kind == "U=":
            sink.expect_message(None if text == "!cut" else unescape(text))
        elif kind == "U#":
            sink.expect_connections(int(text))
        elif kind == "U!" and text == "close":
            sink.close_all()
        elif kind == "U!":
            sink.connections[-1].sendall(unescape(text) + b"\r\n")
        elif kind == "T!":
            self.process.send_signal(getattr(signal, "SIG" + text))
        elif kind == "~":
            time.sleep(float(text))

    def end(self):
        for c in self.clients:
            c.sock.close()
        code, said = self.server.end()
        self.sink.listener.close()
        if self.second:
            self.second.listener.close()
        if code != 0:
            raise Mismatch("the server ended with %d: %s" % (code, said))


class Late(Exception):
    """It says nothing: it took longer than it may."""


def play(server, script, slowly, verbose):
    for _ in range(5):
        try:
            return play_once(server, script, slowly, verbose)
        except Late:
            pass
    return "never within %s s" % script.within


def play_once(server, script, slowly, verbose):
    try:
        p = Play(server, script, slowly, verbose)
    except (Mismatch, OSError) as e:
        return "before its first line: %s" % e
    at, began = 0, time.monotonic()
    try:
        for n, kind, text in script.steps:
            at = n
            if script.within and time.monotonic() > began + float(script.within):
                raise Late
            p.step(kind, text)
        p.client.flush()
        for c in p.clients:
            c.sock.close()
        time.sleep(0.02)
        if script.heard_matters:
            p.sink.rest()
        if p.second:
            p.second.rest()
    except Late:
        p.process.kill()
        raise
    except Mismatch as e:
        p.process.kill()
        if script.within and began + float(script.within) < time.monotonic() < began + WAIT:
            raise Late from e
        return "line %d: %s" % (at, e)
    finally:
        try:
            p.end()
        except Mismatch as e:
            if p.process.returncode != -9:
                return str(e)
    return None


def unlisted():
    """What README.md does not name, and what it names that is not there."""
    with open(os.path.join(HERE, "README.md")) as f:
        rows = re.findall(r"^\|[^|]*\|([^|]*)\|$", f.read(), re.M)
    named = {n for row in rows for n in re.findall(r"`([^`]+)`", row.split(", states")[0])}
    there = {f.rpartition(".")[0] for f in os.listdir(HERE) if f.endswith((".txt", ".table"))}
    return ["not named: " + f for f in sorted(there)
            if not any(fnmatch.fnmatch(f, n) for n in named)] + \
        ["not there: " + n for n in sorted(named) if not fnmatch.filter(there, n)]


def main(args):
    verbose = "-v" in args
    server = Daemon if "--daemon" in args else Single if "--single" in args else Door
    paths = [a for a in args if a[0] != "-"] or sorted(
        os.path.join(HERE, f) for f in os.listdir(HERE) if f.endswith((".txt", ".table")))
    scripts, runs = [], []
    for path in paths:
        scripts += table(path) if path.endswith(".table") else [Transcript(path)]
    for script in scripts:
        if not server.can(script):
            continue
        runs.append((script, False))
        if script.mode == "both":
            runs.append((script, True))
    missing = [] if [a for a in args if a[0] != "-"] else unlisted()
    print("1..%d" % (len(runs) + 1))
    print("%sok 1 - README.md names each dialogue%s" % (
        "not " if missing else "", "".join("\n# " + m for m in missing)))
    failed = len(missing)
    certificate()  # one for all
    with concurrent.futures.ThreadPoolExecutor(1 if verbose else AT_ONCE) as players:
        whys = players.map(lambda run: play(server, *run, verbose), runs)
        for i, ((script, slowly), why) in enumerate(zip(runs, whys), 2):
            failed += why is not None
            print("%sok %d - %s, %s%s" % ("not " if why else "", i, script.name,
                  "byte by byte" if slowly else "whole",
                 "\n# " + why.replace("\n", "\n# ") if why else ""))
            sys.stdout.flush()
    return failed > 0


sys.exit(main(sys.argv[1:]))
