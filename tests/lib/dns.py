"""dns - a small name server for tests, so that none asks the real world.

Answers PTR and A from a table {"127.0.0.9": "client.example"}; whatever else
is asked for does not exist. UDP on a free loopback port.
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


class Dns:
    def __init__(self, hosts=()):
        self.hosts = dict(hosts)
        self.asked = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.sock.close()

    def _answer(self, name, kind):
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
            data = self._answer(name, kind)
            flags = 0x8580 if data else 0x8583
            head = packet[:2] + struct.pack(">HHHHH", flags, 1, bool(data), 0, 0)
            record = b""
            if data:
                record = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60,
                                                   len(data)) + data
            self.sock.sendto(head + question + record, peer)
