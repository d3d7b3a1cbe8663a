"""maildir - what lies in a maildir, as a test counts it."""

import os


def files(path):
    found = []
    for part in ("new", "cur"):
        folder = os.path.join(path, part)
        if os.path.isdir(folder):
            found += [os.path.join(folder, n) for n in sorted(os.listdir(folder))]
    return found


def mails(path):
    got = []
    for name in files(path):
        with open(name, "rb") as f:
            got.append(f.read())
    return got


def holding(path, marker):
    return sum(marker in m for m in mails(path))
