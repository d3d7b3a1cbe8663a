"""fsync - what was promised survives a power cut.

kill -9 does not test fsync: the kernel keeps what a dead process wrote. So
shim.c, preloaded, records every write, fsync, rename and reply of the daemon
in order, and a model of a disk that keeps only what was synced is asked at
every prefix of that record: does it hold each message promised so far? For
the quarantine that means the file and, by SQLite itself on the files as they
would be found, the row. And taking any one fsync out of the record must make
that fail, else the fsync is not needed or the test sees nothing.
"""

import collections
import os
import shutil
import sqlite3
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import net
import postern
import tap

POLICY = """
rule held { when subject contains "hold me"; then quarantine class tests; }
"""
O_TRUNC, O_APPEND, O_CREAT = os.O_TRUNC, os.O_APPEND, os.O_CREAT


class Note:
    __slots__ = ("op", "pid", "a", "b", "path", "octets")

    def __init__(self, op, pid, a, b, path, octets):
        self.op, self.pid, self.a, self.b = op, pid, a, b
        self.path, self.octets = path, octets


def read_record(path):
    notes = []
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        op, pid, a, b, n, name = data[at:end].split(b" ", 5)
        at = end + 1 + int(n)
        notes.append(Note(op.decode(), int(pid), int(a), int(b),
                          os.path.normpath(name.decode("utf-8", "surrogateescape")),
                          data[end + 1:at]))
    return notes


class File:
    """One inode: what a reader sees now, and what a power cut would leave."""

    def __init__(self):
        self.now = bytearray()
        self.kept = b""

    def put(self, at, octets):
        if len(self.now) < at:
            self.now.extend(bytes(at - len(self.now)))
        self.now[at:at + len(octets)] = octets


class Disk:
    """
    Keeps a file's octets as of its last fsync, and a folder's names as of the
    folder's last fsync. roots were there before.
    """

    def __init__(self, roots):
        self.roots = [r + "/" for r in roots]
        self.files, self.kept_files = {}, {}
        self.dirs, self.kept_dirs = set(roots), set(roots)
        self.open = {}                  # (pid, fd) -> [File or folder path, at, flags]
        self.master = None

    def ours(self, path):
        return any((path + "/").startswith(r) for r in self.roots)

    def at(self, note):
        return self.open.get((note.pid, note.a)) or self.open.get((self.master, note.a))

    def apply(self, note):
        """True when what is kept may have changed."""
        self.master = self.master or note.pid
        return getattr(self, "do_" + note.op, self.nothing)(note)

    def nothing(self, note):
        return False

    def do_open(self, note):
        self.open.pop((note.pid, note.a), None)
        if not self.ours(note.path):
            return
        if note.path in self.dirs:
            self.open[note.pid, note.a] = [note.path, 0, 0]
            return
        file = self.files.setdefault(note.path, File()) \
            if note.b & O_CREAT else self.files.get(note.path)
        if file is None:
            return
        if note.b & O_TRUNC:
            file.now.clear()
        self.open[note.pid, note.a] = [file, 0, note.b]

    def do_close(self, note):
        self.open.pop((note.pid, note.a), None)

    def do_write(self, note):
        got = self.at(note)
        if got and isinstance(got[0], File):
            where = len(got[0].now) if got[2] & O_APPEND else got[1]
            got[0].put(where, note.octets)
            got[1] = where + len(note.octets)

    def do_pwrite(self, note):
        got = self.at(note)
        if got and isinstance(got[0], File):
            got[0].put(note.b, note.octets)

    def do_truncate(self, note):
        got = self.at(note)
        if got and isinstance(got[0], File):
            got[0].put(note.b, b"")
            del got[0].now[note.b:]

    def do_mkdir(self, note):
        if self.ours(note.path):
            self.dirs.add(note.path)

    def do_rmdir(self, note):
        self.dirs.discard(note.path)

    def do_unlink(self, note):
        self.files.pop(note.path, None)

    def do_rename(self, note):
        if note.path in self.files:
            new = os.path.normpath(note.octets.decode("utf-8", "surrogateescape"))
            self.files[new] = self.files.pop(note.path)

    def do_link(self, note):
        if note.path in self.files:
            new = os.path.normpath(note.octets.decode("utf-8", "surrogateescape"))
            self.files[new] = self.files[note.path]

    def do_sync(self, note):
        got = self.at(note)
        if not got:
            return False
        if isinstance(got[0], File):
            got[0].kept = bytes(got[0].now)
            return True
        folder = got[0]
        for path in [p for p in self.kept_files if os.path.dirname(p) == folder]:
            if path not in self.files:
                del self.kept_files[path]
        for path, file in self.files.items():
            if os.path.dirname(path) == folder:
                self.kept_files[path] = file
        self.kept_dirs |= {d for d in self.dirs if os.path.dirname(d) == folder}
        return True

    def synced(self, note):
        """What a sync note is about, or None when it is not of our folders."""
        got = self.at(note)
        if not got:
            return None
        if not isinstance(got[0], File):
            return got[0] + "/"
        return next((p for p, f in self.files.items() if f is got[0]), "?")

    def survivors(self):
        """path -> octets, as found after a power cut now."""
        reached = {folder for folder in self.kept_dirs if self.is_reached(folder)}
        return {p: f.kept for p, f in self.kept_files.items()
                if p.rpartition("/")[0] in reached}

    def is_reached(self, folder):
        while folder in self.kept_dirs:
            if folder + "/" in self.roots:
                return True
            folder = os.path.dirname(folder)
        return False


class Promise:
    def __init__(self, kind, body, copies):
        self.kind = kind                # "maildir", "quarantine"
        self.body = body                # octets as sent
        self.copies = copies            # one a recipient in a maildir


class Check:
    """Does a disk hold what was promised?"""

    def __init__(self, scratch, state, box):
        self.scratch, self.state, self.box = scratch, state, box

    def rows(self, found):
        """Ids that SQLite finds in the index as the power cut left it."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.makedirs(self.scratch)
        for name in ("index.db", "index.db-wal", "index.db-journal"):
            octets = found.get(os.path.join(self.state, name))
            if octets is not None:
                with open(os.path.join(self.scratch, name), "wb") as f:
                    f.write(octets)
        path = os.path.join(self.scratch, "index.db")
        if not os.path.exists(path):
            return set()
        db = sqlite3.connect(path)
        try:
            # Whole rows: the ids alone could be read from an index.
            return {row[0] if isinstance(row[0], str) else row[0].decode()
                    for row in db.execute("SELECT id, * FROM quarantine").fetchall()}
        except sqlite3.Error:
            return set()
        finally:
            db.close()

    def missing(self, disk, promises):
        """The promises that a power cut now would break."""
        if not promises:
            return []
        found = disk.survivors()
        mails = collections.Counter(
            octets[octets.find(b"Subject:"):] for path, octets in found.items()
            if path.startswith(self.box + "/new/"))
        held = set()
        if any(p.kind == "quarantine" for p in promises):
            rows = self.rows(found)
            for path, octets in found.items():
                name = os.path.basename(path)
                if path.startswith(self.state + "/quarantine/") \
                        and name.partition(".")[0] in rows:
                    held.add(octets)
        return [p for p in promises
                if (p.kind == "quarantine" and not any(
                    h.endswith(p.body) for h in held))
                or (p.kind == "maildir"
                    and mails[p.body.replace(b"\r\n", b"\n")] != p.copies)]


def promises_of(notes, sent):
    """index of the note that promises -> Promise; index of the first 354."""
    found, waiting, first, n = {}, set(), None, 0
    for i, note in enumerate(notes):
        if note.op != "say":
            continue
        if note.octets.startswith(b"354"):
            waiting.add((note.pid, note.a))
            first = i if first is None else first
        elif (note.pid, note.a) in waiting and note.octets[:3].isdigit():
            waiting.discard((note.pid, note.a))
            if note.octets[:1] == b"2":
                found[i] = sent[n]
            n += 1
    return found, first


def replay(notes, roots, promised, check, without=None, every=True):
    """
    The first prefix whose disk breaks a promise: (index, promises), or None.
    without: the index of a note that never happened. every: ask after each
    change of what is kept; else only when something is promised.
    """
    disk, so_far = Disk(roots), []
    last = max(promised)
    for i, note in enumerate(notes):
        changed = i != without and disk.apply(note)
        if i in promised:
            so_far.append(promised[i])
            changed = True
        if changed and (every or i in promised):
            broken = check.missing(disk, so_far)
            if broken:
                return i, broken
        if i >= last and not every:
            return None
    return None


def syncs_between(notes, roots, first, last):
    disk, found = Disk(roots), []
    for i, note in enumerate(notes):
        if note.op == "sync" and first < i < last:
            about = disk.synced(note)
            # History is written in batches and never awaited: no promise.
            if about is not None and "history" not in os.path.basename(about):
                found.append((i, about))
        disk.apply(note)
    return found


def shim(t):
    path = os.path.join(postern.build(), "tests/faults/.libs/shim.so")
    t.ok(os.path.exists(path), "the shim is built", path)
    return path


def record(t, preload, name, messages):
    """Send them through a daemon with the shim; notes, daemon, sent."""
    log = t.path(name + ".record")
    daemon = postern.Postern(t, name=name, policy=POLICY,
                             env={"LD_PRELOAD": preload, "SHIM_LOG": log,
                                  # Its runtime is in the program, behind ours.
                                  "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") +
                                  ":verify_asan_link_order=0"})
    daemon.status()     # answered by the keeper: it has opened what it needs
    sent, wrong = [], []
    with net.Client(daemon.address) as c:
        for i in range(messages):
            kind = ("maildir", "quarantine")[i % 2]
            body = (b"Subject: %s\r\n\r\nmessage %d\r\n%s\r\nthe end of %d\r\n" % (
                b"hold me" if kind == "quarantine" else b"deliver", i,
                b"\r\n".join([b"filling " * 8] * (i % 7)), i))
            rcpts = ["one@example.com", "two@example.com"][:1 + i % 3 // 2]
            reply = c.mail("ada@client.example", rcpts, body)
            sent.append(Promise(kind, body, len(rcpts)))
            if reply.code != 250:
                wrong.append(reply)
    t.ok(not wrong, "%d messages are promised, half to a maildir, half held"
         % messages, *wrong[:3], daemon.log()[-3000:])
    return read_record(log), daemon, sent


def roots_of(daemon):
    return [daemon.state, daemon.maildir]


def each_sync(t, preload):
    notes, daemon, sent = record(t, preload, "few", 8)
    check = Check(t.path("found"), daemon.state, daemon.maildir)
    promised, first = promises_of(notes, sent)
    if not t.same(len(promised), len(sent), "the record holds each promise"):
        return
    broken = replay(notes, roots_of(daemon), promised, check)
    t.ok(broken is None, "what was synced alone holds each promised message, at every"
         " prefix of %d operations" % len(notes), broken and (
             broken[0], [(p.kind, p.body) for p in broken[1]]))
    syncs = syncs_between(notes, roots_of(daemon), first, max(promised))
    t.ok(len(syncs) >= 2 * len(sent), "%d messages took %d fsyncs"
         % (len(sent), len(syncs)), *syncs)
    for i, about in syncs:
        t.ok(replay(notes, roots_of(daemon), promised, check, without=i, every=False),
             "without the fsync of %s it fails" % os.path.relpath(about, daemon.dir))


def many(t, preload):
    """So many that SQLite moves its log into the index and begins it anew."""
    notes, daemon, sent = record(t, preload, "many", 400)
    check = Check(t.path("found"), daemon.state, daemon.maildir)
    promised, first = promises_of(notes, sent)
    broken = replay(notes, roots_of(daemon), promised, check, every=False)
    t.ok(len(promised) == len(sent) and broken is None,
         "%d messages and %d operations later too" % (len(sent), len(notes)),
         broken and (broken[0], [(p.kind, p.body) for p in broken[1]]))
    moved = [(i, about) for i, about in syncs_between(
        notes, roots_of(daemon), first, max(promised)) if about.endswith("/index.db")]
    t.ok(moved, "SQLite's log was moved into the index meanwhile")
    for i, about in moved[:1]:
        t.ok(replay(notes, roots_of(daemon), promised, check, without=i, every=False),
             "without the fsync of the index then, it fails")


def test(t):
    preload = shim(t)
    each_sync(t, preload)
    many(t, preload)


if __name__ == "__main__":
    tap.run(test, 240)
