"""privacy - with `history_text no` nothing that stood in a message gets into
the history: not by facts, matches, captures, notes, scores or texts of rules.
The envelope, the rules and the verdict stay; what is held keeps its trace."""

import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern

SECRET = "Zanzibar"
# No word of it stands in the rules: those stay readable.
POLICY = r"""
group g cap 5;
rule scored  { when subject ~ /(?<nr>Z\w+7)/; then score +3 "about $nr" in g, note "it says $nr"; }
rule named   { when any part (name ~ /(?<file>Z\S+)/); then header set X-Found "part $part.name"; }
rule body    { when text contains "is an island";  then tag; }
rule from    { when from ~ /(?<who>Z\w+)/; then subject prefix "[$who] "; }
rule refused { when subject contains "refuse"; then reject 550 5.7.1 "no: $subject"; }
rule held    { when subject contains "hold";   then quarantine; }
"""
MAIL = """From: "{0}" <bob@client.example>
Subject: {1} {0}77
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

{0} is an island. See http://{0}.example/{0}
--b
Content-Type: application/octet-stream; name="{0}.bin"

x
--b--
""".replace("\n", "\r\n")


def ident(text):
    return text.rstrip("]").split()[-1]


def test(t):
    daemon = Postern(t, policy=POLICY,
                     extra="history_text no; trace_accept_percent 100;")
    refs = {}
    for word in ("refuse", "hold", "plain"):
        reply = net.send(daemon.address, "bob@client.example", ["ada@example.com"],
                         MAIL.format(SECRET, word).encode())
        refs[word] = ident(reply.text) if word != "plain" else None
    got = tap.until(lambda: len(json.loads(daemon.cli("history", json_out=True).stdout)["messages"])
                    == 3 and json.loads(daemon.cli("history", json_out=True).stdout), 10)
    t.ok(got, "history has all three")
    for line in got["messages"]:
        text = daemon.cli("explain", line["id"], json_out=True).stdout
        t.ok(SECRET.lower() not in text.lower(), "nothing of it in the trace of %s" %
             line["action"], text)
        t.ok('"scored"' in text and "bytes)" in text, "which has the rules", text)
        t.same((line["sender"], line["recipients"], line["subject"]),
               ("bob@client.example", "ada@example.com", ""), "and the envelope")
    raw = b"".join(open(f, "rb").read() for f in glob.glob(daemon.state + "/history.db*"))
    t.ok(SECRET.encode().lower() not in raw.lower(), "nor in the file")
    shown = daemon.cli("quarantine", "show", refs["hold"], json_out=True).stdout
    t.ok(SECRET in shown, "what is held keeps it, with the message", shown)


tap.run(test, 60)
