#!/usr/bin/env python3
"""Make the mails beside this file: the same bytes every time, CRLF ends.

Run it after a change and commit what it wrote; the tests read the .eml files.
"""
import base64
import os
import struct
import zlib
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

HERE = os.path.dirname(os.path.abspath(__file__))
WHEN = (2024, 1, 2, 3, 4, 6)


def program():
    """The start of a Windows program: MZ, and PE where e_lfanew says."""
    return (b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0"
            + struct.pack("<HHIIIHH", 0x8664, 0, 0, 0, 0, 0, 0x22) + bytes(64))


def picture():
    """One grey pixel, a PNG that opens."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"\0\x80", 9)) + chunk(b"IEND", b""))


def zipped(*members):
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as z:
        for name, data in members:
            info = ZipInfo(name, WHEN)
            info.compress_type = ZIP_DEFLATED
            z.writestr(info, data)
    return out.getvalue()


class Cipher:
    """The traditional encryption of PKWARE's appnote.txt 6.1."""

    def __init__(self, password):
        self.k = [0x12345678, 0x23456789, 0x34567890]
        for c in password:
            self.update(c)

    @staticmethod
    def crc(crc, c):
        return zlib.crc32(bytes([c]), crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def update(self, c):
        k = self.k
        k[0] = self.crc(k[0], c)
        k[1] = ((k[1] + (k[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
        k[2] = self.crc(k[2], k[1] >> 24)

    def encrypt(self, data):
        out = bytearray()
        for c in data:
            t = (self.k[2] & 0xFFFF) | 2
            out.append(c ^ ((t * (t ^ 1) >> 8) & 255))
            self.update(c)
        return bytes(out)


def locked(name, data, password):
    """A zip of one stored member, encrypted; unzip -P opens it."""
    crc = zlib.crc32(data)
    head = b"elevenbytes" + bytes([crc >> 24])
    body = Cipher(password).encrypt(head + data)
    name = name.encode()
    day = (WHEN[0] - 1980) << 9 | WHEN[1] << 5 | WHEN[2]
    time = WHEN[3] << 11 | WHEN[4] << 5 | WHEN[5] // 2
    fields = struct.pack("<HHHHHIIIHH", 20, 1, 0, time, day, crc, len(body),
                         len(data), len(name), 0)
    local = b"PK\3\4" + fields + name + body
    central = (b"PK\1\2" + struct.pack("<H", 20) + fields
               + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central),
                                  len(local), 0)
    return local + central + end


def head(subject, sender="Ada Meyer <ada@example.com>", more=""):
    return (f"From: {sender}\nTo: Ben <ben@example.net>\nSubject: {subject}\n"
            "Date: Tue, 02 Jan 2024 03:04:05 +0000\n"
            f"Message-ID: <{zlib.crc32(subject.encode()):08x}@example.com>\n"
            f"{more}MIME-Version: 1.0\n").encode()


def text(body):
    return ("Content-Type: text/plain; charset=utf-8\n\n" + body).encode()


def attachment(name, kind, data):
    lines = base64.encodebytes(data)
    return (f'Content-Type: {kind}; name="{name}"\n'
            "Content-Transfer-Encoding: base64\n"
            f'Content-Disposition: attachment; filename="{name}"\n\n'
            ).encode() + lines


def mixed(*parts):
    out = b'Content-Type: multipart/mixed; boundary="=_cut"\n\n'
    for part in parts:
        out += b"--=_cut\n" + part.rstrip(b"\n") + b"\n"
    return out + b"--=_cut--\n"


def forwarded(mail):
    return b"Content-Type: message/rfc822\n\n" + mail


HELLO = "Hello Ben,\n\nsee what I send you.\n\nAda\n"

run_zip = zipped(("readme.txt", b"read me\n"), ("tools/run.exe", program()))
exe_in_zip = head("The tool you asked for") + mixed(
    text(HELLO), attachment("tools.zip", "application/zip", run_zip))

MAILS = {
    "clean": head("Lunch on Friday") + text(
        "Hello Ben,\n\nshall we have lunch on Friday?\n\nAda\n"),
    "photo": head("A photo") + mixed(
        text(HELLO), attachment("photo.png", "image/png", picture())),
    "exe": head("A program") + mixed(
        text(HELLO),
        attachment("setup.exe", "application/octet-stream", program())),
    "exe-renamed": head("A document") + mixed(
        text(HELLO), attachment("letter.txt", "text/plain", program())),
    "exe-in-zip": exe_in_zip,
    "exe-in-zip-in-zip": head("Twice wrapped") + mixed(
        text(HELLO), attachment("outer.zip", "application/zip", zipped(
            ("inner.zip", run_zip)))),
    "exe-forwarded": head("Fwd: The tool you asked for") + mixed(
        text(HELLO), forwarded(exe_in_zip)),
    "locked-zip": head("The contract") + mixed(
        text("The password is on the telephone.\n"),
        attachment("contract.zip", "application/zip",
                   locked("contract.txt", b"secret\n", b"swordfish"))),
    "spam": head("You won the LOTTERY", "Prize Office <win@lottery.example>",
                 "X-Spam-Flag: YES\n") + text(
        "Dear winner,\n\nsend us your bank account and one million is "
        "yours.\n"),
    "invoice": head("Your invoice 4711815 is overdue",
                    "Billing <billing@stranger.example>") + text(
        "Hello,\n\nplease pay at once.\n"),
    "spoof": head("Are you at your desk?",
                  "\"Meyer, Ada\" <ada.meyer@freemail.example>") + text(
        "Ben,\n\nI need you to buy some vouchers.\n\nAda\n"),
}

for name, mail in MAILS.items():
    with open(os.path.join(HERE, name + ".eml"), "wb") as f:
        f.write(mail.replace(b"\n", b"\r\n"))
