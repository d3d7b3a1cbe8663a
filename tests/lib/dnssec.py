"""dnssec - a name server whose one zone is signed (RFC 4034, 6605: ECDSA P-256).

    s = Signed(t, "dane.example")
    s.records["mx.dane.example", A] = [address("127.0.0.1")]
    s.records["alias.dane.example", CNAME] = [name("mx.dane.example")]
    s.records["_25._tcp.mx.dane.example", TLSA] = [b"\\3\\1\\1..."]
    s.port, s.anchor                              # DNSKEY, as a line of text

It answers as a resolver in front of it would: CNAMEs are followed. What its zone
does not hold is denied by NSEC as RFC 9824 has it, for names in `nsec3` by NSEC3
(RFC 5155), for those in `nxdomain` as names that do not exist (RFC 4470). Names
below one in `insecure` are delegated and not signed; nor is what lies outside of
the zone. Bent, each a set of (name, type): `forged`, the signature is wrong;
`stripped`, there is none; `broken`, SERVFAIL; `silent`, no answer at all.
What was asked stands in `asked`. UDP on a free loopback port; the programs are
openssl's.
"""

import base64
import hashlib
import socket
import struct
import subprocess
import time

import dns

A, NS, CNAME, SOA, MX, AAAA, DS, RRSIG, NSEC, DNSKEY, NSEC3, TLSA = 1, 2, 5, 6, 15, 28, 43, 46, 47, 48, 50, 52
NXDOMAIN = 3


def address(ip):
    return socket.inet_aton(ip)


def name(text):
    return dns.wire(text)


def mx(preference, host):
    return struct.pack(">H", preference) + name(host)


def _int(der, at):
    n = der[at + 1]
    return der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0"), at + 2 + n


def _bitmap(kinds):
    """RFC 4034 4.1.2; all of ours are in the first window."""
    bits = bytearray(max(kinds) // 8 + 1)
    for k in kinds:
        bits[k // 8] |= 0x80 >> k % 8
    return bytes([0, len(bits)]) + bytes(bits)


def _base32hex(raw):
    plain = base64.b32encode(raw).decode()
    return plain.translate(str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
                                         "0123456789abcdefghijklmnopqrstuv"))


class Signed(dns.Server):
    def __init__(self, t, zone):
        self.zone, self.records, self.asked, self.signatures = zone, {}, [], {}
        self.forged, self.stripped, self.broken, self.silent = set(), set(), set(), set()
        self.nsec3, self.nxdomain, self.insecure = set(), set(), set()
        self.key = t.path("dnssec.key")
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key)
        public = self._openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-64:]
        self.dnskey = struct.pack(">HBB", 257, 3, 13) + public
        self.anchor = "%s. 3600 IN DNSKEY 257 3 13 %s\n" % (zone, base64.b64encode(public).decode())
        tag = sum(b << 8 if i % 2 == 0 else b for i, b in enumerate(self.dnskey))
        self.tag = (tag + (tag >> 16)) & 0xffff
        self.soa = name("ns." + zone) + name("root." + zone) + struct.pack(">5I", 1, 3600, 600, 86400, 60)
        self.records[zone, DNSKEY] = [self.dnskey]
        self.records[zone, SOA] = [self.soa]
        super().__init__()
        t.defer(self.close)

    @staticmethod
    def _openssl(*args, **kw):
        return subprocess.run(["openssl"] + list(args), check=True, capture_output=True,
                              timeout=20, **kw).stdout

    # signing

    def _rr(self, owner, kind, data):
        return name(owner) + struct.pack(">HHIH", kind, 1, 3600, len(data)) + data

    def _signature(self, owner, kind, rdatas):
        key = owner, kind, tuple(sorted(rdatas))
        if key not in self.signatures:
            now = int(time.time())
            head = struct.pack(">HBBIIIH", kind, 13, len(owner.split(".")), 3600, now + 86400,
                               now - 86400, self.tag) + name(self.zone)
            text = head + b"".join(self._rr(owner, kind, d) for d in key[2])
            der = self._openssl("dgst", "-sha256", "-sign", self.key, input=text)
            r, at = _int(der, 2)
            s, _ = _int(der, at)
            self.signatures[key] = head + r + s
        made = self.signatures[key]
        return made[:-32] + bytes(32) if (owner, kind) in self.forged else made

    def _is_within(self, owner, zone):
        return owner == zone or owner.endswith("." + zone)

    def _is_signed(self, owner, kind):
        """A DS belongs to the zone above."""
        return self._is_within(owner, self.zone) and (owner, kind) not in self.stripped and not any(
            self._is_within(owner, i) and (kind, owner) != (DS, i) for i in self.insecure)

    def _set(self, owner, kind, rdatas, signed=True):
        got = [self._rr(owner, kind, d) for d in rdatas]
        if signed:
            got.append(self._rr(owner, RRSIG, self._signature(owner, kind, rdatas)))
        return got

    # denial

    def _kinds(self, owner):
        kinds = {k for n, k in self.records if n == owner} | {RRSIG}
        return kinds | {NS} if owner in self.insecure else kinds

    def _denial(self, owner, kind):
        """The rcode, and the records that prove it."""
        if not self._is_within(owner, self.zone):
            return NXDOMAIN, []
        exists = any(self._is_within(n, owner) for n, _ in self.records)
        if not self._is_signed(owner, kind):
            return 0 if exists else NXDOMAIN, self._set(self.zone, SOA, [self.soa], False)
        proof = self._set(self.zone, SOA, [self.soa])
        if owner in self.nsec3:
            digest = hashlib.sha1(name(owner)).digest()
            after = (int.from_bytes(digest, "big") + 1).to_bytes(20, "big")
            data = b"\1\0\0\0\0\x14" + after + _bitmap(self._kinds(owner))
            return 0, proof + self._set(_base32hex(digest) + "." + self.zone, NSEC3, [data])
        gone = next((n for n in self.nxdomain if self._is_within(owner, n)), None)
        if gone is not None:
            label = gone[:-len(self.zone) - 1]
            before = label[:-1] + chr(ord(label[-1]) - 1)
            for first, then in ((before, label + "-"), ("!", "+")):     # the second has the wildcard
                proof += self._set(first + "." + self.zone, NSEC,
                                   [name(then + "." + self.zone) + _bitmap({NSEC, RRSIG})])
            return NXDOMAIN, proof
        return 0, proof + self._set(owner, NSEC, [b"\1\0" + name(owner) + _bitmap(self._kinds(owner) | {NSEC})])

    # answers

    def _answer(self, owner, kind):
        answers, seen = [], set()
        while owner not in seen:
            seen.add(owner)
            if (owner, kind) in self.silent:
                return None
            if (owner, kind) in self.broken:
                return 2, [], []
            for k in (kind, CNAME):
                rdatas = self.records.get((owner, k))
                if rdatas:
                    answers += self._set(owner, k, rdatas, self._is_signed(owner, k))
                    if k == kind:
                        return 0, answers, []
                    owner, _ = dns.name_at(rdatas[0], 0)
                    break
            else:
                rcode, proof = self._denial(owner, kind)
                return rcode, answers, proof
        return 0, answers, []

    def respond(self, packet, owner, kind, question):
        self.asked.append((owner, kind))
        got = self._answer(owner, kind)
        if got is None:
            return None
        rcode, answers, proof = got
        opt = b"\0" + struct.pack(">HHIH", 41, 4096, 0x8000, 0)
        return packet[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1, len(answers), len(proof), 1) \
            + question + b"".join(answers + proof) + opt
