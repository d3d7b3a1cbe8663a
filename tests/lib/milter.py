"""milter - an MTA's side of the milter protocol, to test who serves it.

    m = milter.Mta("unix:/run/postern/milter")      # inet:PORT@HOST, (host, port)
    got = m.deliver(milter.Client("192.0.2.1", name="mx.a.example"), "mx.a.example",
                    "<ada@a.example>", ["<one@example.com>"], message)
    got.action, got.code, got.text, got.message, got.sender, got.rcpts, got.hold

Three floors: Link sends and reads packets and knows nothing else; Session
knows what each packet holds and what was negotiated, and sends or waits for no
more than that; Mta behaves as Postfix does (milter8.c, cleanup_milter.c): which
reply ends what, which macros go with what, what the changes make of a message.
Octets are bytes; text may be given where bytes are meant. Python's standard
library alone; plain blocking sockets, no threads.
"""

import re
import select
import socket
import struct

from net import Cut

# What an MTA offers: actions (SMFIF_*) and protocol steps (SMFIP_*), mfdef.h.
ADDHDRS, CHGBODY, ADDRCPT, DELRCPT, CHGHDRS, QUARANTINE, CHGFROM, ADDRCPT_PAR, \
    SETSYMLIST = (1 << n for n in range(9))
NOCONNECT, NOHELO, NOMAIL, NORCPT, NOBODY, NOHDRS, NOEOH, NR_HDR, NOUNKNOWN, \
    NODATA, SKIP, RCPT_REJ, NR_CONN, NR_HELO, NR_MAIL, NR_RCPT, NR_DATA, \
    NR_UNKN, NR_EOH, NR_BODY, HDR_LEADSPC = (1 << n for n in range(21))

# What Postfix offers with each milter_protocol.
OFFERS = {2: (0x3f, 0x7f), 3: (0x3f, 0x17f), 4: (0x3f, 0x37f), 5: (0x3f, 0x37f),
          6: (0x1ff, 0x1fffff)}
CHUNK = 65535

# stage: command, the bit that forbids it, the bit that spares the reply
STAGES = {
    "connect": (b"C", NOCONNECT, NR_CONN),
    "helo": (b"H", NOHELO, NR_HELO),
    "mail": (b"M", NOMAIL, NR_MAIL),
    "rcpt": (b"R", NORCPT, NR_RCPT),
    "data": (b"T", NODATA, NR_DATA),
    "unknown": (b"U", NOUNKNOWN, NR_UNKN),
    "header": (b"L", NOHDRS, NR_HDR),
    "eoh": (b"N", NOEOH, NR_EOH),
    "body": (b"B", NOBODY, NR_BODY),
    "eom": (b"E", 0, 0),
}
SINCE = {"unknown": 3, "data": 4}

# The order in which SETSYMLIST counts stages.
SYMLISTS = ("connect", "helo", "mail", "rcpt", "data", "eom", "eoh")

# Postfix's milter_*_macros.
MACROS = {
    "connect": "j {daemon_name} {daemon_addr} v _",
    "helo": "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
    "mail": "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host}"
            " {mail_mailer}",
    "rcpt": "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    "data": "i", "eoh": "i", "eom": "i",
}

NAMES = {b"c": "continue", b"a": "accept", b"r": "reject", b"t": "tempfail",
         b"d": "discard", b"y": "reply", b"s": "skip", b"4": "shutdown",
         b"f": "conn-fail"}
CHANGES = {b"h": "add-header", b"i": "insert-header", b"m": "change-header",
           b"b": "replace-body", b"+": "add-rcpt", b"2": "add-rcpt-par",
           b"-": "delete-rcpt", b"e": "change-from", b"q": "quarantine"}
NEEDS = {"add-header": ADDHDRS, "insert-header": ADDHDRS, "change-header": CHGHDRS,
         "replace-body": CHGBODY, "add-rcpt": ADDRCPT, "add-rcpt-par": ADDRCPT_PAR,
         "delete-rcpt": DELRCPT, "change-from": CHGFROM, "quarantine": QUARANTINE}


class Wrong(Exception):
    """The other side broke the protocol."""


def octets(text):
    return text if isinstance(text, bytes) else text.encode()


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command + data


def strings(*texts):
    return b"".join(octets(t) + b"\0" for t in texts)


def connect_info(name, family=b"4", port=0, address=b""):
    """The data of a connect packet; family U has nothing behind it."""
    data = strings(name) + family
    return data if family == b"U" else data + struct.pack(">H", port) + strings(address)


def dial(address, timeout=30):
    """address: unix:/path, inet:PORT@HOST, inet6:PORT@HOST or (host, port)."""
    if not isinstance(address, str):
        return _tcp(address, timeout)
    kind, _, rest = address.partition(":")
    if kind in ("unix", "local"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        try:
            sock.connect(rest)
        except OSError:
            sock.close()
            raise
        return sock
    port, _, host = rest.partition("@")
    return _tcp((host.strip("[]"), int(port)), timeout)


def _tcp(address, timeout):
    sock = socket.create_connection(address, timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Link:
    """Packets over a socket, whatever is in them."""

    def __init__(self, address, timeout=30):
        self.sock = dial(address, timeout)
        self.held = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Cut it with an RST (over TCP), as a crash or a firewall does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def raw(self, data):
        try:
            self.sock.sendall(data)
        except socket.timeout:
            raise
        except OSError as e:
            raise Cut(str(e))

    def send(self, command, data=b""):
        self.raw(packet(command, data))

    def _read(self, n):
        while len(self.held) < n:
            try:
                more = self.sock.recv(262144)
            except socket.timeout:
                raise
            except OSError as e:
                raise Cut(str(e))
            if not more:
                raise Cut("connection closed after %r" % self.held[:80])
            self.held += more
        data, self.held = self.held[:n], self.held[n:]
        return data

    def recv(self):
        """The next packet: (command, data)."""
        n = struct.unpack(">I", self._read(4))[0]
        if not 1 <= n <= 1 << 24:
            raise Wrong("a packet of %d bytes" % n)
        data = self._read(n)
        return data[:1], data[1:]

    def waiting(self, seconds=0.0):
        """Is there something to read (or the end) within so many seconds?"""
        return bool(self.held) or bool(select.select([self.sock], [], [], seconds)[0])


class Reply:
    """What was answered. .code, .text: what an SMTP client would hear."""

    DEFAULT = {b"r": b"550 5.7.1 Command rejected",
               b"t": b"451 4.7.1 Service unavailable - try again later",
               b"4": b"421 4.7.0 Server closing connection"}

    def __init__(self, command, data=b""):
        self.command, self.data = command, data
        self.name = NAMES[command]
        self.custom = command == b"y"
        text = data.rstrip(b"\0") if self.custom else self.DEFAULT.get(command, b"250 Ok")
        self.code = int(text[:3])
        # Postfix and Sendmail alike: two percent signs stand for one.
        self.lines = [l[4:].replace(b"%%", b"%") for l in text.split(b"\r\n")]
        self.raw = text
        self.text = b"\n".join(self.lines).decode("utf-8", "backslashreplace")
        if self.custom:
            self.name = "reject" if self.code >= 500 else "tempfail"

    @property
    def goes_on(self):
        return self.name in ("continue", "skip")

    @property
    def refuses(self):
        return self.name in ("reject", "tempfail", "shutdown", "conn-fail")

    def __repr__(self):
        return "%s %d %s" % (self.name, self.code, self.text)


class Change:
    """.name of CHANGES, .data as it came, .fields taken apart."""

    def __init__(self, command, data):
        self.name, self.data = CHANGES[command], data
        self.index = None
        rest = data
        if self.name in ("insert-header", "change-header"):
            self.index, rest = struct.unpack(">I", data[:4])[0], data[4:]
        if self.name == "replace-body":
            self.fields = [data]
        else:
            if not rest.endswith(b"\0"):
                raise Wrong("%s is not terminated: %r" % (self.name, data[:80]))
            self.fields = rest[:-1].split(b"\0")

    def __repr__(self):
        return " ".join([self.name] + ([str(self.index)] if self.index is not None else [])
                        + [repr(f) for f in self.fields])


class Session(Link):
    """
    One connection, negotiated. version, actions, steps: what is offered; after
    that .version, .actions, .steps are what both agreed on, .symlists what macros
    the filter wants at which stage. The calls connect() to eom() send a packet
    unless the filter wants none and return its Reply, None where none is due.
    """

    def __init__(self, address, version=6, actions=None, steps=None, timeout=30,
                 negotiate=True):
        super().__init__(address, timeout)
        usual = OFFERS.get(version, OFFERS[6])
        self.offered = (version, usual[0] if actions is None else actions,
                        usual[1] if steps is None else steps)
        self.version = self.actions = self.steps = 0
        self.symlists = {}
        self.progress = 0
        self.skipping = False
        if negotiate:
            try:
                self.negotiate()
            except BaseException:
                self.close()
                raise

    def negotiate(self):
        self.send(b"O", struct.pack(">III", *self.offered))
        command, data = self.recv()
        if command != b"O" or len(data) < 12:
            raise Wrong("%r %r in answer to what is offered" % (command, data))
        self.version, self.actions, self.steps = struct.unpack(">III", data[:12])
        # libmilter takes nought for "an MTA so old that it does not say": version 1.
        for name, got, offered in (("actions", self.actions, self.offered[1] or 0xf),
                                   ("steps", self.steps, self.offered[2] or 0x3f)):
            if got & ~offered:
                raise Wrong("%s %#x wanted, %#x offered" % (name, got, offered))
        if not 2 <= self.version <= self.offered[0]:
            raise Wrong("version %d of %d offered" % (self.version, self.offered[0]))
        self._symlists(data[12:])

    def _symlists(self, data):
        while len(data) > 4:
            which = struct.unpack(">I", data[:4])[0]
            names, _, data = data[4:].partition(b"\0")
            self.symlists[SYMLISTS[which]] = names.decode()

    def wants(self, stage):
        command, without, _ = STAGES[stage]
        return not self.steps & without and self.version >= SINCE.get(stage, 2)

    def answers(self, stage):
        return not self.steps & STAGES[stage][2]

    def macros(self, stage, values):
        """values: {name: text} or [(name, text)], as they go over the wire."""
        pairs = values.items() if isinstance(values, dict) else values
        self.send(b"D", STAGES[stage][0] + strings(*(s for p in pairs for s in p)))

    def event(self, stage, data=b""):
        """A packet of that stage, if it is wanted; its Reply, if one is due."""
        if not self.wants(stage):
            return None
        self.send(STAGES[stage][0], data)
        return self.reply() if self.answers(stage) else None

    def reply(self, changes=None):
        while True:
            command, data = self.recv()
            if command == b"p":
                self.progress += 1
            elif changes is not None and command in CHANGES:
                change = Change(command, data)
                if not self.actions & NEEDS[change.name]:
                    raise Wrong("%r was not agreed on" % change)
                changes.append(change)
            elif command in NAMES:
                return Reply(command, data)
            else:
                raise Wrong("%r %r for a reply" % (command, data[:80]))

    def connect(self, name, family=b"4", port=0, address=b""):
        return self.event("connect", connect_info(name, family, port, address))

    def helo(self, name):
        return self.event("helo", strings(name))

    def mail(self, sender, *parameters):
        return self.event("mail", strings(sender, *parameters))

    def rcpt(self, rcpt, *parameters):
        return self.event("rcpt", strings(rcpt, *parameters))

    def data(self):
        return self.event("data")

    def unknown(self, line):
        return self.event("unknown", strings(line))

    def header(self, name, value):
        return self.event("header", strings(name, value))

    def eoh(self):
        return self.event("eoh")

    def body(self, data):
        return self.event("body", data)

    def eom(self, data=b""):
        """(final Reply, [Change]). data: the last chunk, as Sendmail may send it."""
        changes = []
        self.send(b"E", data)
        return self.reply(changes), changes

    def abort(self):
        self.send(b"A")

    def quit(self):
        try:
            self.send(b"Q")
        except Cut:
            pass
        self.close()

    def quit_nc(self):
        """This client is gone, the connection stays for the next one."""
        self.send(b"K")


class Client:
    """Who talks to the MTA. resolve: OK, FAIL, FORGED or TEMP."""

    def __init__(self, ip="192.0.2.1", name="unknown", port=33333, ptr=None,
                 resolve=None, family=None, macros=None):
        self.ip, self.name, self.port = ip, name, port
        self.family = family or (b"6" if ":" in ip else b"L" if "/" in ip else b"4")
        known = name != "unknown" and not name.startswith("[")
        self.macros = {
            "{client_addr}": ip, "{client_name}": name, "{client_port}": str(port),
            "{client_ptr}": ptr or name,
            "{client_resolve}": resolve or ("OK" if known else "FAIL"),
            "_": "%s [%s]" % (name, ip),
        }
        self.macros.update(macros or {})

    @property
    def wire(self):
        """The address as it goes over the wire."""
        return "IPv6:" + self.ip if self.family == b"6" else self.ip


FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\n]|\n[ \t])*)\n")


class Message:
    """.fields: [[name, value]], value from behind the colon, lines ended by CRLF."""

    def __init__(self, message):
        at, self.fields = 0, []
        while True:
            found = FIELD.match(message, at)
            if not found:
                break
            value = found.group(2)
            self.fields.append([found.group(1), value[:-1] if value.endswith(b"\r")
                                else value])
            at = found.end()
        rest = message[at:]
        # A line that is no field ends the header without an empty one.
        self.blank = rest[:2] == b"\r\n"
        self.body = rest[2:] if self.blank else rest

    def bytes(self):
        return b"".join(n + b":" + v + b"\r\n" for n, v in self.fields) \
            + (b"\r\n" if self.blank else b"") + self.body

    def _nth(self, name, n):
        """Where the n-th field of that name is (from 1), or None."""
        for at, (other, _) in enumerate(self.fields):
            if other.lower() == name.lower():
                n -= 1
                if n == 0:
                    return at
        return None

    def apply(self, change, space):
        """As cleanup_milter.c does. space: what stands before a new value."""
        def wire(value):
            return space + re.sub(rb"\r*\n", b"\r\n", value)
        if change.name == "add-header":
            name, value = change.fields
            self.fields.append([name, wire(value)])
        elif change.name == "insert-header":
            name, value = change.fields
            self.fields.insert(change.index, [name, wire(value)])
        elif change.name == "change-header":
            name, value = change.fields
            at = self._nth(name, max(change.index, 1))
            if at is not None and value == b"":
                del self.fields[at]
            elif at is not None:
                self.fields[at] = [name, wire(value)]
            elif value:
                self.fields.append([name, wire(value)])


class Result:
    """
    What became of a message. .action: accept, reject, tempfail, discard,
    aborted; .stage: where it was decided; .replies: [(stage, Reply or None)];
    .reply: the one that decided. .message, .sender (address, parameters), .rcpts
    [(address, parameters)] and .hold (None or the reason) after the changes;
    .refused: [(recipient, Reply)].
    """

    def __init__(self, sender, message):
        self.action, self.stage, self.reply = "accept", "eom", None
        self.replies, self.changes, self.refused = [], [], []
        self.sender, self.rcpts = sender, []
        self.message, self.hold = message, None
        self.progress = 0

    @property
    def code(self):
        return self.reply.code if self.reply and self.reply.refuses else 250

    @property
    def text(self):
        return self.reply.text if self.reply else ""

    def at(self, stage):
        """The replies of that stage."""
        return [r for s, r in self.replies if s == stage]

    def __repr__(self):
        return "%s at %s: %r %r" % (self.action, self.stage, self.reply, self.changes)


def path(text):
    """(address without <>, [parameters]) of "<a@b> SIZE=3" or of a pair."""
    if isinstance(text, (tuple, list)):
        return octets(text[0]).strip(b"<>"), [octets(p) for p in text[1]]
    address, *rest = octets(text).split(b" ")
    return address.strip(b"<>"), rest


class Mta(Session):
    """
    Delivers messages as Postfix would. macros: {name: text} that hold for the
    session, besides the usual ones; False: none at all. angles: whether
    envelope addresses go in <>. leading: with HDR_LEADSPC not agreed on, the
    blanks that are not sent before a value. chunk: of the body.
    """

    def __init__(self, address, version=6, actions=None, steps=None, timeout=30,
                 macros=None, chunk=CHUNK, angles=True):
        super().__init__(address, version, actions, steps, timeout)
        self.known = macros if macros is False else dict({
            "j": "mta.example", "v": "Postfix 3.7.11", "{daemon_name}": "mta.example",
            "{daemon_addr}": "192.0.2.25", "{daemon_port}": "25"}, **(macros or {}))
        self.chunk, self.angles = chunk, angles
        self.session = None     # the Reply that ended it all, from connect or helo
        self.client = None
        self.count = 0

    def tell(self, stage, more=()):
        """The macros of that stage that are known, as the filter or Postfix lists them."""
        if self.known is False or not self.wants(stage):
            return
        names = self.symlists.get(stage) or MACROS.get(stage, "")
        values = dict(self.known, **dict(more))
        if self.client:
            values = dict(self.client.macros, **values)
        pairs = []
        for name in names.replace(",", " ").split():
            value = values.get(name, values.get("{%s}" % name.strip("{}")))
            if value is not None:
                pairs.append((name, value))
        if pairs:
            self.macros(stage, pairs)

    def _session_end(self, stage, reply):
        if reply is not None and (reply.refuses or reply.name in ("accept", "discard")):
            self.session = (stage, reply)

    def open(self, client, helo):
        """Connect and HELO; [(stage, Reply or None)]."""
        got = []
        if client:
            self.client, self.session = client, None
            self.tell("connect")
            got.append(("connect", self.connect(client.name, client.family, client.port,
                                                client.wire)))
            self._session_end(*got[-1])
        if self.session and self.session[0] == "helo" and helo is not None:
            self.session = None
        if helo is not None and not self.session:
            self.tell("helo")
            got.append(("helo", self.helo(helo)))
            self._session_end(*got[-1])
        return got

    def deliver(self, client, helo, sender, rcpts, message, abort_at=None, macros=(),
                rejected=(), unknown=()):
        """
        One message. client, helo: None once told. rcpts: "<a@b> PARAM=x" each.
        abort_at: the stage after which the client leaves. macros: of this
        message. rejected: recipients that the MTA itself refuses. unknown:
        lines that are no commands, said before MAIL.
        """
        self.count += 1
        self.queue_id = "4Qx%06d" % self.count
        result = Result(path(sender), octets(message))
        result.replies += self.open(client, helo) if client or helo is not None else []
        talk = _Talk(self, result, dict({"i": self.queue_id}, **dict(macros)))
        talk.ahead = list(rcpts)
        try:
            if self.session:
                talk.end(*self.session)
            for line in unknown:
                talk.note("unknown", self.unknown(line))
            talk.leave_at(abort_at, "connect", "helo")
            talk.envelope(sender, rejected, abort_at)
            talk.content(abort_at)
        except _Done:
            pass
        result.progress = self.progress
        return result

    def quit_nc(self):
        super().quit_nc()
        self.client = None


class _Done(Exception):
    pass


class _Talk:
    """One message of an Mta, up to the reply that ends it."""

    def __init__(self, mta, result, macros):
        self.mta, self.result, self.macros = mta, result, macros
        self.begun = False
        self.ahead = []         # recipients not yet told

    def end(self, stage, reply):
        """`reply` decides. The message is over unless it accepts it."""
        r = self.result
        r.stage, r.reply = stage, reply
        r.action = "reject" if reply.name in ("conn-fail", "shutdown") else reply.name
        # Behind a refusal at the end, too: libmilter hears no QUIT_NC before it.
        if self.begun and (stage != "eom" or reply.refuses):
            self.mta.abort()
        if reply.name in ("accept", "discard"):     # who is not asked for, is taken
            r.rcpts += [path(x) for x in self.ahead]
        raise _Done

    def note(self, stage, reply):
        self.result.replies.append((stage, reply))
        if reply is not None and not reply.goes_on:
            self.end(stage, reply)
        return reply

    def leave_at(self, abort_at, *stages):
        if abort_at in stages:
            self.mta.abort()
            self.result.action, self.result.stage = "aborted", abort_at
            raise _Done

    def _wire(self, address):
        return b"<" + address + b">" if self.mta.angles else address

    def _address_macros(self, kind, address, mailer="smtp"):
        local, _, host = address.rpartition(b"@")
        return dict(self.macros, **{
            "{%s_addr}" % kind: address, "{%s_host}" % kind: host if local else b"",
            "{%s_mailer}" % kind: mailer})

    def envelope(self, sender, rejected, abort_at):
        m, r = self.mta, self.result
        address, parameters = path(sender)
        # Postfix knows the queue id once a recipient is accepted.
        early = self._address_macros("mail", address)
        early.pop("i")
        m.tell("mail", early)
        self.begun = True
        self.note("mail", m.mail(self._wire(address), *parameters))
        self.leave_at(abort_at, "mail")
        while self.ahead:
            self._rcpt(self.ahead.pop(0))
        for rcpt in rejected:
            if m.steps & RCPT_REJ:
                address, parameters = path(rcpt)
                m.tell("rcpt", self._address_macros("rcpt", address, "error"))
                r.replies.append(("rcpt", m.rcpt(self._wire(address), *parameters)))
        self.leave_at(abort_at, "rcpt")
        if not r.rcpts:
            stage, reply = "rcpt", (r.refused or [(None, Reply(b"r"))])[-1][1]
            self.end(stage, reply)

    def _rcpt(self, rcpt):
        m, r = self.mta, self.result
        address, parameters = path(rcpt)
        m.tell("rcpt", self._address_macros("rcpt", address))
        reply = m.rcpt(self._wire(address), *parameters)
        r.replies.append(("rcpt", reply))
        if reply is not None and reply.name in ("reject", "tempfail"):
            r.refused.append((address, reply))
            return
        r.rcpts.append((address, parameters))
        if reply is not None and not reply.goes_on:
            self.end("rcpt", reply)

    def content(self, abort_at):
        m, r = self.mta, self.result
        m.tell("data", self.macros)
        self.note("data", m.data())
        self.leave_at(abort_at, "data")
        message = Message(r.message)
        for name, value in message.fields:
            value = value.replace(b"\r\n", b"\n")
            if not m.steps & HDR_LEADSPC:
                value = value.lstrip(b" \t\n")
            self.note("header", m.header(name, value))
        self.leave_at(abort_at, "header")
        m.tell("eoh", self.macros)
        self.note("eoh", m.eoh())
        self.leave_at(abort_at, "eoh")
        for at in range(0, len(message.body), m.chunk):
            reply = self.note("body", m.body(message.body[at:at + m.chunk]))
            if reply is not None and reply.name == "skip" or not m.wants("body"):
                break
        self.leave_at(abort_at, "body")
        m.tell("eom", self.macros)
        reply, r.changes = m.eom()
        r.replies.append(("eom", reply))
        if not reply.refuses and reply.name != "discard":
            self._apply(message)
        if not reply.goes_on:
            self.end("eom", reply)
        r.reply = reply

    def _apply(self, message):
        r, m = self.result, self.mta
        space = b"" if m.steps & HDR_LEADSPC else b" "
        new_body = None
        for c in r.changes:
            if c.name == "replace-body":
                new_body = (new_body or b"") + c.data
            elif c.name in ("add-rcpt", "add-rcpt-par"):
                added = (c.fields[0].strip(b"<>"),
                         [p for f in c.fields[1:] for p in f.split()])
                if added[0] not in [a for a, _ in r.rcpts]:
                    r.rcpts.append(added)
            elif c.name == "delete-rcpt":
                gone = c.fields[0].strip(b"<>").lower()
                r.rcpts = [x for x in r.rcpts if x[0].lower() != gone]
            elif c.name == "change-from":
                r.sender = (c.fields[0].strip(b"<>"),
                            [p for f in c.fields[1:] for p in f.split()])
            elif c.name == "quarantine":
                r.hold = c.fields[0]
            else:
                message.apply(c, space)
        if new_body is not None:
            message.body = new_body
        r.message = message.bytes()
