"""dns - a small name server for tests, so that none asks the real world.

Answers PTR and A from a table {"127.0.0.9": "client.example"}, and from
.records, which a test may change at any time: {("2.0.0.127.zen.example", "A"):
["127.0.0.2"], ("a.example", "TXT"): ["text"], ("b.example", "A"): None}, where
None is silence, "servfail" an error; ("b.example", "MX"): ["10 mx.example"]. Whatever else is asked for does not exist. UDP on a free
loopback port; records live for .ttl seconds.
"""

import socket
import struct
import threading


def _name(packet, at):
    labels = []
    while packet[at]:
        n = packet[at]
        labels.append(packet[at + 1:at + 1 + n].decode("latin-1"))
        at += 1 + n
    return ".".join(labels).lower(), at + 1


def _wire(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0"


KINDS = {1: "A", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}


def _data(kind, text):
    if kind == 1:
        return socket.inet_aton(text)
    if kind == 28:
        return socket.inet_pton(socket.AF_INET6, text)
    if kind == 15:  # "10 mx.example", "0 ." for none
        preference, host = text.split()
        return struct.pack(">H", int(preference)) + (_wire(host) if host != "." else b"\0")
    if kind == 16:
        return bytes([len(text)]) + text.encode()
    return _wire(text)


class Dns:
    def __init__(self, hosts=()):
        self.hosts = dict(hosts)
        self.records = {}
        self.ttl = 60
        self.asked = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.sock.close()

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
                return _wire(self.hosts[ip])
        if kind == 1:
            for ip, host in self.hosts.items():
                if host == name:
                    return socket.inet_aton(ip)
        return None

    def _serve(self):
        while True:
            try:
                packet, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            name, end = _name(packet, 12)
            kind = struct.unpack(">H", packet[end:end + 2])[0]
            question = packet[12:end + 4]
            self.asked.append((name, kind))
            answers = self._answer(name, kind)
            if answers is None:
                continue
            flags = 0x8580 if answers or any(n == name for n, _ in self.records) else 0x8583
            if answers == "servfail":
                flags, answers = 0x8582, []
            head = packet[:2] + struct.pack(">HHHHH", flags, 1, len(answers), 0, 0)
            records = b"".join(
                b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(data))
                + data for data in answers)
            self.sock.sendto(head + question + records, peer)
