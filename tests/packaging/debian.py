"""debian - the package that contrib/debian/build makes, on a Debian.

The machine's own root is the lower half of an overlay in a mount namespace of
its own, so that dpkg installs, configures, removes and purges for real and
nothing of it lasts. In there the unit is verified, its sandbox is scored, and
the installed daemon runs under the unit's capabilities and delivers a mail.
Needs root (dpkg does); without it the test fails.
"""

import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import tap
from postern import SOURCE

CONF = """\
hostname mx.example.com;
user postern; inspect_user postern-inspect; keeper_user postern-keeper;
mynetworks 127.0.0.0/8; relay_domains example.com;
spool /var/spool/postern; state /var/lib/postern;
control unix:/run/postern/control; log /var/log/postern/log; dns_timeout 1s;
listen smtp 127.0.0.1:2599 { upstream box; }
listen milter unix:/run/postern/milter { upstream box; group mail; }
listen milter unix:/run/postern/open;
upstream box { deliver maildir /var/lib/postern/maildir; }
include policy.conf;
"""

# What tests/packaging/inside.sh says, and what each shows.
SAID = (
    ("install", "0", "dpkg installs it"),
    ("user postern", "postern", "its user is there"),
    ("user postern-inspect", "postern-inspect", "and the inspector's"),
    ("user postern-keeper", "postern-keeper", "and the keeper's"),
    ("folders", "postern:700 postern-keeper:700 root:755 ",
     "its folders belong to them"),
    ("shipped", "0", "the configuration it ships is right"),
    ("verify", "0", "systemd takes the unit"),
    ("security", "0", "and counts its exposure at 4.0 or less"),
    ("built-using", "1", "it says which libmilter is linked into it"),
    ("ready", "1", "the daemon runs with the unit's capabilities"),
    ("milter", "mail:660", "its milter socket has the group it was told"),
    ("answers", "1", "one that Postfix may connect to answers it"),
    ("reload", "0", "it reloads"),
    ("another", "adm:640", "and makes another socket, with its group, as what it is by now"),
    ("mail", "0", "and takes a mail"),
    ("delivered", "1", "and delivers it"),
    ("status", "0", "postern status finds it"),
    ("end", "0", "it ends as it is told"),
    ("sockets gone", "yes", "and removes its milter sockets"),
    ("man", "0", "man finds its pages"),
    ("remove", "0", "dpkg removes it"),
    ("conf kept", "yes", "and keeps the configuration"),
    ("purge", "0", "dpkg purges it"),
    ("conf gone", "yes", "and the configuration goes"),
    ("mail kept", "1", "but never mail"))


def packages(t, out):
    made = subprocess.run([os.path.join(SOURCE, "contrib/debian/build"), out],
                          capture_output=True, text=True, timeout=500)
    t.same(made.returncode, 0, "contrib/debian/build makes packages", made.stderr)
    names = sorted(re.sub(r"_.*", "", os.path.basename(p))
                   for p in glob.glob(out + "/*.deb") if "dbgsym" not in p)
    t.same(names, ["postern", "postern-dev"], "one to run, one to build against")
    lint = subprocess.run(["lintian", "--allow-root", "--fail-on", "error"] +
                          glob.glob(out + "/postern_*.deb"),
                          capture_output=True, text=True, timeout=120)
    t.same(lint.returncode, 0, "lintian finds no error", lint.stdout)


def test(t):
    out = t.folder("debs")
    packages(t, out)
    with open(os.path.join(out, "postern.conf"), "w") as f:
        f.write(CONF)
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "unchanged", "--net", "--pid",
         "--fork", "--kill-child", os.path.join(HERE, "overlay.sh"), t.folder("root"), out,
         os.path.join(HERE, "inside.sh")],
        capture_output=True, text=True, timeout=200)
    said = dict(re.findall(r"^== ([^:]+): (.*)$", done.stdout, re.M))
    for key, want, name in SAID:
        t.same(said.get(key), want, name)
    if t.failed:
        t.note(done.stdout[-5000:] + done.stderr[-3000:])


tap.run(test, 600)
