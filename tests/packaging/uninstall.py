"""uninstall - make uninstall takes away what make install brought, folders too.

Into a folder of the test's own (DESTDIR). A module that somebody else put
beside ours stays, and so does the folder it lies in.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import tap
from postern import build


def make(t, root, target):
    """Not as a part of the make that runs us, which has its own goals and flags."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-s", "-C", build(), target, "DESTDIR=" + root],
                          capture_output=True, text=True, env=env)
    t.same(done.returncode, 0, "make " + target, done.stdout[-1000:], done.stderr[-1000:])


def left(root):
    """Files, and folders that bear our name."""
    found = []
    for folder, folders, files in os.walk(root):
        found += [os.path.join(folder, f) for f in files]
        found += [os.path.join(folder, f) for f in folders if f == "postern"]
    return sorted(os.path.relpath(f, root) for f in found)


def test(t):
    root = t.folder("root")
    make(t, root, "install")
    modules = [f for f in left(root) if f.endswith("/dnsbl.so")]
    t.same(len(modules), 1, "our module is installed", left(root))
    folder = os.path.dirname(modules[0])
    with open(os.path.join(root, folder, "theirs.so"), "w"):
        pass
    make(t, root, "uninstall")
    t.same(left(root), [folder, os.path.join(folder, "theirs.so")], "only theirs is left")
    os.remove(os.path.join(root, folder, "theirs.so"))
    make(t, root, "uninstall")
    t.same(left(root), [], "without it nothing is")


tap.run(test, 120)
