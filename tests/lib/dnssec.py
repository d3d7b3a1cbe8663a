"""dnssec - a name server whose one zone is signed (RFC 4034, 6605: ECDSA P-256).

    s = Signed(t, "dane.example")
    s.records["_25._tcp.mx.dane.example", 52] = [b"\\3\\1\\1..."]
    s.forged.add("_25._tcp.bad.dane.example")     # its signature is wrong
    s.port, s.anchor                              # DNSKEY, as a line of text

Whatever else is asked for does not exist, and nobody signs that. UDP on a free
loopback port; the programs are openssl's.
"""

import base64
import socket
import struct
import subprocess
import threading
import time

import dns

RRSIG, DNSKEY = 46, 48


def _int(der, at):
    n = der[at + 1]
    return der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0"), at + 2 + n


class Signed:
    def __init__(self, t, zone):
        self.zone, self.records, self.forged = zone, {}, set()
        self.key = t.path("dnssec.key")
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key)
        public = self._openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-64:]
        self.dnskey = struct.pack(">HBB", 257, 3, 13) + public
        self.anchor = "%s. 3600 IN DNSKEY 257 3 13 %s\n" % (zone, base64.b64encode(public).decode())
        tag = sum(b << 8 if i % 2 == 0 else b for i, b in enumerate(self.dnskey))
        self.tag = (tag + (tag >> 16)) & 0xffff
        self.records[zone, DNSKEY] = [self.dnskey]
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()
        t.defer(self.sock.close)

    @staticmethod
    def _openssl(*args, **kw):
        return subprocess.run(["openssl"] + list(args), check=True, capture_output=True,
                              timeout=20, **kw).stdout

    def _rr(self, name, kind, data):
        return dns._wire(name) + struct.pack(">HHIH", kind, 1, 3600, len(data)) + data

    def _signature(self, name, kind, rdatas):
        now = int(time.time())
        head = struct.pack(">HBBIIIH", kind, 13, len(name.split(".")), 3600, now + 86400,
                           now - 86400, self.tag) + dns._wire(self.zone)
        text = head + b"".join(self._rr(name, kind, d) for d in sorted(rdatas))
        der = self._openssl("dgst", "-sha256", "-sign", self.key, input=text)
        r, at = _int(der, 2)
        s, _ = _int(der, at)
        if name in self.forged:
            s = bytes(32)
        return head + r + s

    def _answer(self, packet):
        name, at = dns._name(packet, 12)
        kind = struct.unpack(">H", packet[at:at + 2])[0]
        rdatas = self.records.get((name, kind), [])
        answers = [self._rr(name, kind, d) for d in rdatas]
        if rdatas and name.endswith(self.zone):
            answers.append(self._rr(name, RRSIG, self._signature(name, kind, rdatas)))
        flags = 0x8180 if rdatas else 0x8183
        opt = b"\0" + struct.pack(">HHIH", 41, 4096, 0x8000, 0)
        return packet[:2] + struct.pack(">HHHHH", flags, 1, len(answers), 0, 1) \
            + packet[12:at + 4] + b"".join(answers) + opt

    def _serve(self):
        while True:
            try:
                packet, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            self.sock.sendto(self._answer(packet), peer)
