"""dns - a small name server for tests, so that none asks the real world.

Answers PTR and A from a table {"127.0.0.9": "client.example"}, and from
.records, which a test may change at any time: {("2.0.0.127.zen.example", "A"):
["127.0.0.2"], ("a.example", "TXT"): ["text"], ("b.example", "A"): None}, where
None is silence, "servfail" an error; ("b.example", "MX"): ["10 mx.example"].
Whatever else is asked for does not exist. UDP on a free loopback port; records
live for .ttl seconds. dnssec.py has another one, whose zone is signed.
"""

import socket
import struct
import threading


def wire(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0"


def name_at(packet, at):
    """It, and where it ends; compression is not for questions."""
    labels = []
    while packet[at]:
        n = packet[at]
        labels.append(packet[at + 1:at + 1 + n].decode("latin-1"))
        at += 1 + n
    return ".".join(labels).lower(), at + 1


class Server:
    """A socket at .port; respond(packet, name, kind, question) says what goes back,
    None nothing. question is the packet's own bytes."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.sock.close()

    def _serve(self):
        while True:
            try:
                packet, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            name, end = name_at(packet, 12)
            kind = struct.unpack(">H", packet[end:end + 2])[0]
            response = self.respond(packet, name, kind, packet[12:end + 4])
            if response is not None:
                self.sock.sendto(response, peer)


KINDS = {1: "A", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}


def _data(kind, text):
    if kind == 1:
        return socket.inet_aton(text)
    if kind == 28:
        return socket.inet_pton(socket.AF_INET6, text)
    if kind == 15:  # "10 mx.example", "0 ." for none
        preference, host = text.split()
        return struct.pack(">H", int(preference)) + (wire(host) if host != "." else b"\0")
    if kind == 16:
        return bytes([len(text)]) + text.encode()
    return wire(text)


class Dns(Server):
    def __init__(self, hosts=()):
        self.hosts = dict(hosts)
        self.records = {}
        self.ttl = 60
        self.asked = []
        super().__init__()

    def _answer(self, name, kind):
        """What is known, as a list of data; None: nothing is said at all."""
        key = (name, KINDS.get(kind))
        if key in self.records:
            found = self.records[key]
            if found == "servfail":
                return found
            return found and [_data(kind, text) for text in found]
        found = self._host(name, kind)
        return [found] if found else []

    def _host(self, name, kind):
        if kind == 12:
            ip = ".".join(reversed(name.split(".")[:4]))
            if ip in self.hosts:
                return wire(self.hosts[ip])
        if kind == 1:
            for ip, host in self.hosts.items():
                if host == name:
                    return socket.inet_aton(ip)
        return None

    def respond(self, packet, name, kind, question):
        self.asked.append((name, kind))
        answers = self._answer(name, kind)
        if answers is None:
            return None
        flags = 0x8580 if answers or any(n == name for n, _ in self.records) else 0x8583
        if answers == "servfail":
            flags, answers = 0x8582, []
        head = packet[:2] + struct.pack(">HHHHH", flags, 1, len(answers), 0, 0)
        records = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(data))
            + data for data in answers)
        return head + question + records
