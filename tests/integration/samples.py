"""samples - the configurations that ship are right, and so are their tests."""

import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import postern
import tap


def check(t, conf):
    name = "/".join(conf.split("/sample/")[1:])
    done = postern.run(["-t", "-c", conf], program="posternd")
    t.same((done.returncode, done.stderr), (0, ""), name + " is right")
    done = postern.run(["-c", conf, "test"])
    t.same(done.returncode, 0, name + ": its tests pass", done.stdout, done.stderr)
    return done.stdout


def beside_postfix(t):
    """Those of contrib/postfix that need no certificate."""
    for name in ("in-front", "in-front-proxy", "milter", "proxy-filter"):
        conf = os.path.join(postern.SOURCE, "contrib/postfix", name, "postern.conf")
        done = postern.run(["-t", "-c", conf], program="posternd")
        t.same((done.returncode, done.stderr), (0, ""), name + " is right")


def test(t):
    # A copy: the daemon's users may not be let into the tree.
    folder = t.folder("sample")
    shutil.copytree(os.path.join(postern.SOURCE, "contrib/sample"), folder,
                    dirs_exist_ok=True)
    check(t, os.path.join(folder, "postern.conf"))
    said = check(t, os.path.join(folder, "organisation/postern.conf"))
    t.ok(int(re.search(r"^(\d+) passed, 0 failed", said, re.M)[1]) >= 10,
         "the organisation's policy is tested", said)
    beside_postfix(t)


tap.run(test, 60)
