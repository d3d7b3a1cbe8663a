"""tools - runners for swaks, smtp-source, smtp-sink and the mail corpus."""

import os
import re
import subprocess
import tarfile

import net


def swaks(address, *args, timeout=60):
    """(exit code, transcript, [replies without the arrows])."""
    done = subprocess.run(
        ["swaks", "--server", address[0], "--port", str(address[1]),
         "--timeout", "20", "--ehlo", "client.example", *args],
        capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL)
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    return done.returncode, text, re.findall(r"^<(?:-|\*\*|~|~\*|\*) +(\d{3}.*)$",
                                             text, re.M)


def smtp_source(address, sessions, messages, *args):
    """A running smtp-source: -s sessions -m messages."""
    return subprocess.Popen(
        ["smtp-source", "-s", str(sessions), "-m", str(messages),
         *args, "%s:%d" % address],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)


def smtp_sink(t):
    """A port where smtp-sink takes all mail and keeps none, as long as t lasts."""
    port = net.free_port()
    sink = subprocess.Popen(
        ["smtp-sink", "-u", "nobody", "-m", "2000", "127.0.0.1:%d" % port, "1000"],
        stdin=subprocess.DEVNULL)
    t.defer(sink.wait)
    t.defer(sink.terminate)
    return port


def _own_mails(count):
    """Mails of our own, for a machine without the corpus."""
    kinds = (
        b"Content-Type: text/plain; charset=us-ascii\n\nline one\n.dot\n..two\n",
        b"Content-Type: text/plain; charset=utf-8\n"
        b"Content-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe %d\n",
        b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\n"
        b"--b\nContent-Type: text/plain\n\nhello\n--b\n"
        b"Content-Type: application/octet-stream; name=\"a.bin\"\n"
        b"Content-Transfer-Encoding: base64\n\nTVqQAAMAAAA=\n--b--\n",
        b"Content-Type: text/html\n\n<p>=3D %d</p>\n",
        b"MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=c\n\n"
        b"--c\n\nplain\n--c\nContent-Type: text/html\n\n<b>html</b>\n--c--\n",
        b"Content-Type: text/html\n\n<script>%d</script>\n",
    )
    for i in range(count):
        body = kinds[i % len(kinds)]
        yield ("own-%04d.eml" % i,
               b"From: Ada <ada%d@example.net>\nTo: one@example.com\n"
               b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe_%d?=\n"
               b"Message-Id: <own%d@example.net>\n" % (i, i, i)
               + (body % i if b"%d" in body else body))


def corpus(count, own):
    """
    count mails with CRLF line ends, evenly from all folders of the corpus
    that POSTERN_CORPUS names; without it `own` mails made here. A list of
    (name, octets), and where they are from.
    """
    folder = os.environ.get("POSTERN_CORPUS")
    if not folder:
        mails, where = list(_own_mails(own)), "made by the test"
    else:
        path = os.path.join(folder, "spamassassin-public-corpus.tar.xz")
        with tarfile.open(path) as tar:
            every = {m.name: tar.extractfile(m).read()
                     for m in tar if m.name.endswith(".eml")}
        names = sorted(every)
        step = len(names) / count
        mails = [(names[int(i * step)], every[names[int(i * step)]])
                 for i in range(count)]
        where = "of the corpus"
    return [(name, re.sub(rb"\r*\n", b"\r\n", raw)) for name, raw in mails], where
