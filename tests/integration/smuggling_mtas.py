#!/usr/bin/env python3
"""smuggling_mtas - no second message reaches a real MTA.

Postfix, Exim and OpenSMTPD behind, each told to be as lenient as it can be:
every variant of tests/lib/smuggling.py, in DATA and in chunks, cut at several
places, refused and put right. The MTA gets exactly one message of each that
the client heard 250 for, none of the others, and never one from within.

And chunks between real servers: from an Exim in front, to one behind.
"""

import concurrent.futures
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mtas
import net
import smuggling
import tap
from postern import Postern
from postfix import Postfix

SECOND = (b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<one@example.com>\r\nDATA\r\n"
          b"Subject: smuggled\r\n\r\nin here\r\n")
ENVELOPE = b"MAIL FROM:<a@client.example>\r\nRCPT TO:<one@example.com>\r\n"

UPSTREAM = """
upstream %s { server %s; identity none; }
"""


def cuts(variant, normalise, way):
    """Whole, and within and around what stands about the dot. What is taken
    somebody must deliver: few of those."""
    if normalise:
        return [None if way is in_data else variant.index(b".")]
    if not smuggling.has_bare(variant):
        return [None, variant.index(b"."), variant.index(b".") + 1]
    return [None] + list(range(len(variant) + 2))


def in_data(c, text, cut):
    c.send(ENVELOPE + b"DATA\r\n")
    before = [c.reply() for _ in range(3)]
    if before[2].code != 354:
        raise AssertionError("%s" % before)
    data = text + smuggling.END + b"NOOP\r\n"
    if cut is not None:
        c.send(data[:cut])
        time.sleep(0.001)
        data = data[cut:]
    c.send(data)
    return [c.reply(), c.reply()]


def in_chunks(c, text, cut):
    """The border lies where the cut would be."""
    cut = cut or 0
    c.send(ENVELOPE + b"BDAT %d\r\n%sBDAT %d LAST\r\n%sNOOP\r\n" % (
        cut, text[:cut], len(text) - cut, text[cut:]))
    got = [c.reply() for _ in range(5)]
    return got[3:]


def send_all(address, mode, normalise):
    """{marker: was it taken} and complaints."""
    wrong, taken = [], {}
    for way in (in_data, in_chunks):
        for n, variant in enumerate(smuggling.variants()):
            c = net.Client(address)
            for i, cut in enumerate(cuts(variant, normalise, way)):
                marker = "%s-%s-%d-%d" % (mode, way.__name__, n, i)
                head = b"Subject: first\r\nX-Marker: %s;\r\n\r\n" % marker.encode()
                text = head + variant + SECOND
                got = way(c, text, None if cut is None else len(head) + cut)
                want = 250 if normalise or not smuggling.has_bare(text) else 550
                if [r.code for r in got] != [want, 250]:
                    wrong.append("%r cut at %s: %r" % (text, cut, got))
                taken[marker] = int(got[0].code == 250)
            c.quit()
    return taken, wrong


def play(name, mails, address, normalise):
    """(what to say of it, complaints)"""
    mode = "put-right" if normalise else "refused"
    taken, wrong = send_all(address, mode, normalise)
    tap.until(lambda: sum(b"X-Marker: %s-" % mode.encode() in m for m in mails())
              >= sum(taken.values()), 30, every=0.2)
    count = 0
    for m in mails():
        found = re.findall(r"^X-Marker: ([\w-]+);", m.decode("latin-1"), re.M)
        if len(found) != 1:
            wrong.append("it got %r" % m)
        elif found[0].startswith(mode):
            taken[found[0]] -= 1
            count += 1
    wrong += ["%s: %d copies too few" % (k, v) for k, v in taken.items() if v]
    return "%s, lone line ends %s: of %d messages it has %d" % (
        name, mode.replace("-", " "), len(taken), count), wrong


def mid_line(t, name, mta, mails, address):
    """Without CRLF at its end: by BDAT, where the MTA has it."""
    text = b"Subject: mid line\r\n\r\nX-Marker: mid-line;\r\nand no end"
    with net.Client(address) as c:
        c.send(ENVELOPE + b"BDAT %d LAST\r\n%s" % (len(text), text))
        got = [c.reply().code for _ in range(3)]
        c.quit()
    tap.until(lambda: any(b"and no end" in m for m in mails()), 10)
    t.same((got, sum(b"and no end" in m for m in mails())), ([250] * 3, 1),
           "%s has what does not end in CRLF" % name, mta.log()[-2000:])


def in_front(t, daemon, mails):
    """Exim sends in chunks to whom announces them."""
    exim = mtas.Exim(t, onward=daemon.listening()[-1])
    text = b"Subject: from exim\r\n\r\n.\r\n..\r\nX-Marker: from-exim;\r\n" + b"x" * 500 + b"\r\n"
    reply = net.send(exim.address, "a@client.example", ["one@example.com"], text)
    t.ok(reply.code == 250 and tap.until(
        lambda: any(b"Subject: from exim" in m for m in mails()), 10),
        "Exim in front sends on", exim.log())
    t.ok(re.search(r"=> one@example.com .* K ", exim.log()), "in chunks", exim.log())
    t.ok(any(m.endswith(b"\n" + text.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n"))
             for m in mails()), "and all of it arrives", *mails()[-1:])


def test(t):
    pf = Postfix(t, main="smtpd_forbid_bare_newline = no\n"
                 "smtpd_forbid_unauth_pipelining = no\n")
    exim, opensmtpd = mtas.Exim(t), mtas.OpenSMTPD(t)
    behind = (("Postfix", pf, lambda: pf.mails("one")), ("Exim", exim, exim.mails),
              ("OpenSMTPD", opensmtpd, opensmtpd.mails))
    for normalise in (False, True):
        daemon = Postern(
            t, name="postern-%d" % normalise,
            listen="".join("listen smtp 127.0.0.1:0 { upstream %s; }\n" % name.lower()
                           for name, _, _ in behind),
            upstream="".join(UPSTREAM % (name.lower(), mta.server) for name, mta, _ in behind),
            extra="bare_newline %s; error_limit 1000000; junk_command_limit 1000000;"
            % ("normalise" if normalise else "reject"))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            plays = [pool.submit(play, name, mails, address, normalise)
                     for (name, _, mails), address in zip(behind, daemon.listening())]
            for what, wrong in [p.result() for p in plays]:
                t.ok(not wrong, what, *wrong[:5])
        if normalise:
            for (name, mta, mails), address in zip(behind, daemon.listening()):
                mid_line(t, name, mta, mails, address)
            in_front(t, daemon, opensmtpd.mails)
        daemon.end()


tap.run(test, limit_s=180)
