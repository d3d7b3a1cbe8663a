"""process - who runs as whom, who is forked again, and how it all ends.

Design 2. One daemon with two workers, its processes looked at from outside.
"""

import os
import re
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import net
import tap
from postern import Postern, run

BODY = b"Subject: %s\r\n\r\nmarker %s\r\n"
POLICY = 'rule refuse { when subject contains "refuse"; then reject 550 5.7.1 "%s"; }'


def field(pid, name):
    with open("/proc/%d/status" % pid) as f:
        return re.search(r"^%s:\s*(.*)$" % name, f.read(), re.M).group(1)


def send(daemon, subject=b"hello", **kw):
    return net.send(daemon.address, "ada@client.example", ["one@example.com"],
                    BODY % (subject, subject), **kw)


def users(t, daemon):
    pids = {r: daemon.pids(r) for r in ("master", "worker", "inspector", "keeper")}
    t.same([len(pids[r]) for r in ("master", "worker", "inspector", "keeper")],
           [1, 2, 4, 1], "a master, two workers with two inspectors each, a keeper")
    t.same(sorted(daemon.running()), sorted(p for v in pids.values() for p in v),
           "and status knows them all")
    uids = {r: {field(p, "Uid").split()[0] for p in v} for r, v in pids.items()}
    if os.getuid() == 0:
        t.ok(uids["master"] == {"0"} and len(uids["worker"] | uids["inspector"]
                                             | uids["keeper"]) == 3
             and "0" not in uids["worker"] | uids["inspector"] | uids["keeper"],
             "three users, none of them root, besides the master", uids)
        t.ok(all(int(field(p, c), 16) == 0 for r in ("worker", "inspector", "keeper")
                 for p in pids[r] for c in ("CapPrm", "CapEff")),
             "no capability is left in a child")
        t.ok(int(field(pids["master"][0], "CapEff"), 16) & ~0x4e4 == 0,
             "the master keeps SETUID SETGID KILL NET_BIND_SERVICE DAC_READ_SEARCH alone",
             field(pids["master"][0], "CapEff"))
    else:
        t.same(uids["master"] | uids["worker"] | uids["inspector"] | uids["keeper"],
               {str(os.getuid())}, "not root: all as the user who began it")
    t.ok(all(field(p, "NoNewPrivs") == "1" for r in ("worker", "inspector", "keeper")
             for p in pids[r]), "no child may gain privileges")
    t.ok(all(field(p, "Seccomp") == "2" for p in pids["inspector"]),
         "the inspectors are under seccomp")


def forked_again(t, daemon):
    for role in ("inspector", "keeper", "worker"):
        before = daemon.pids(role)
        os.kill(before[0], signal.SIGKILL)

        def again():
            try:
                now = daemon.pids(role)
            except RuntimeError:
                return None
            return len(now) == len(before) and before[0] not in now
        t.ok(tap.until(again, 10), "a killed %s is forked again" % role,
             daemon.log()[-2000:])
        t.same(send(daemon).code, 250, "and mail flows")


def bad_config(t, daemon):
    t.ok(b"550 5.7.1 first" in send(daemon, b"refuse").raw, "the first policy rules")
    daemon.configure(POLICY % "second" + "\nrule broken { when magik = 1; then tag; }")
    done = daemon.cli("reload")
    t.ok(done.returncode == 78 and re.search(
        r"postern\.conf:\d+:\d+: .*magik", done.stdout + done.stderr),
        "reload of a broken policy says where it is broken, exit 78",
        done.returncode, done.stdout, done.stderr)
    t.ok(daemon.wait_log(r"postern\.conf:\d+:\d+: .*magik"), "so does the log",
         daemon.log()[-2000:])
    daemon.reload()
    tap.until(lambda: len(re.findall(r"ev=reload result=failed", daemon.log())) == 2)
    t.ok(b"550 5.7.1 first" in send(daemon, b"refuse").raw,
         "and the first policy still rules")
    daemon.configure(POLICY % "third")
    done = daemon.cli("reload")
    t.same(done.returncode, 0, "a good one is taken", done.stderr)
    t.ok(tap.until(lambda: b"550 5.7.1 third" in send(daemon, b"refuse").raw, 20),
         "and rules from then on")


def taken(t, daemon):
    """Where what cannot be bound is written is told, at a start and a reload."""
    with open(daemon.conf) as f:
        good = f.read()
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
        cases = (
            ("listen smtp 127.0.0.1:%d { upstream up; }" % port, "listen", "Address already in use"),
            ("listen smtp 192.0.2.1:2599 { upstream up; }", "listen", "Cannot assign requested"),
            ("listen milter unix:/proc/self/no;", "listen milter", ""),
            ("metrics 127.0.0.1:%d;" % port, "metrics", "Address already in use"),
        )
        other = t.folder("taken")
        for text, what, why in cases:
            place = r"postern\.conf:%d:3: %s \S+: %s" % (good.count("\n") + 1, what, why)
            conf = t.write("taken/postern.conf", good.replace(daemon.dir, other) + "  " + text)
            done = run(["-c", conf], program="posternd")
            t.ok(done.returncode == 71 and re.search(place, done.stderr),
                 "a start says where this is: " + text, done.returncode, done.stderr)
        with open(daemon.conf, "w") as f:
            f.write(good + "  " + cases[0][0])
        done = daemon.cli("reload")
        place = r"postern\.conf:%d:3: listen 127.0.0.1:%d: Address already" \
            % (good.count("\n") + 1, port)
        t.ok(done.returncode != 0 and re.search(place, done.stderr), "and so does a reload",
             done.returncode, done.stdout, done.stderr)
        t.ok(daemon.wait_log(place), "and its line in the log", daemon.log()[-2000:])
    with open(daemon.conf, "w") as f:
        f.write(good)


def drain(t, daemon):
    with net.Client(daemon.address) as c:
        c.envelope("ada@client.example", ["one@example.com"])
        daemon.process.send_signal(signal.SIGTERM)

        def refused():
            try:
                with net.Client(daemon.address, timeout=2) as other:
                    return other.banner.code == 421
            except (OSError, net.Cut):
                return True
        t.ok(tap.until(refused, 10), "SIGTERM: no new session is begun")
        t.ok(daemon.process.poll() is None, "while one runs, the daemon waits")
        reply = c.data(BODY % (b"drained", b"drained"))
        t.same(reply.code, 250, "that one ends its message", reply)
        t.same(daemon.delivered(b"marker drained"), 1, "which is delivered")
        end = c.reply()
        t.ok(end.raw.startswith(b"421 4.3.2"), "then hears 421 4.3.2", end)
    try:
        status = daemon.process.wait(15)
    except Exception:
        status = None
    t.same(status, 0, "and the daemon ends, status 0", daemon.log()[-2000:])
    t.same(daemon.running(), [], "with all its processes")


def idle_drain(t, daemon):
    daemon.start()
    with net.Client(daemon.address) as c:
        daemon.process.send_signal(signal.SIGTERM)
        try:
            end = c.reply()
        except net.Cut as e:
            end = e
        t.ok(str(end).startswith("421 4.3.2"), "an idle session hears 421 4.3.2", end)
    t.same(daemon.process.wait(15), 0, "and does not hold the daemon up")


def short_drain(t):
    """Who has heard 421 and does not go is no session any more."""
    daemon = Postern(t, name="short", extra="drain_timeout 2s;")
    with net.Client(daemon.address) as c:
        daemon.process.send_signal(signal.SIGTERM)
        t.same((c.reply().raw[:9], daemon.process.wait(30)), (b"421 4.3.2", 0),
               "a short time to drain: an idle session hears 421 4.3.2")
    t.same(re.findall(r"ev=drain result=(\w+)", daemon.log()), ["done"], "and nothing was cut off")

    daemon.start()
    with net.Client(daemon.address) as c:
        c.envelope("ada@client.example", ["one@example.com"])
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.wait(30)
        t.same(re.findall(r"ev=drain result=(\w+.*)", daemon.log()),
               ["timeout generation=1 left=1"], "what is, is told")


def impatient(t, daemon):
    """SIGTERM again and again, until it is gone."""
    ends = []
    for _ in range(5):
        daemon.start()
        deadline = time.monotonic() + 10
        while daemon.process.poll() is None and time.monotonic() < deadline:
            daemon.process.send_signal(signal.SIGTERM)
            time.sleep(0.0005)
        ends.append(daemon.process.poll())
        daemon.end()
    t.same(ends, [0] * 5, "SIGTERM upon SIGTERM: it ends with status 0")


def master_dies(t, daemon):
    daemon.start()
    with net.Client(daemon.address) as c:
        c.envelope("ada@client.example", ["one@example.com"])
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.process.wait(5)

        def closed():
            try:
                net.Client(daemon.address, timeout=1, greet=False).close()
                return False
            except OSError:
                return True
        t.ok(tap.until(closed), "the master is killed: the listeners close at once")
        reply = c.data(BODY % (b"orphan", b"orphan"))
        t.ok(reply.code == 250 and daemon.delivered(b"marker orphan") == 1,
             "a message under way is finished", reply)
    t.ok(tap.until(lambda: not daemon.running(), 20),
         "then its children are gone", daemon.running(),
         daemon.log()[-2000:])
    daemon.start()
    with net.Client(daemon.address) as c:
        c.envelope("ada@client.example", ["one@example.com"])
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.process.wait(5)
        t.ok(tap.until(lambda: not daemon.running(), 20),
             "also when a client never ends: drain_timeout is 4 s", daemon.running())
    daemon.start()
    t.same(send(daemon).code, 250, "and it can be started again")
    daemon.end()


def notify(t):
    path = t.path("notify.sock")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    os.chmod(path, 0o777)
    s.settimeout(10)
    daemon = Postern(t, name="notify", env={"NOTIFY_SOCKET": path})
    got = s.recv(4096).decode()
    t.ok("READY=1" in got.split("\n"), "sd_notify: READY=1 when it is", got)
    daemon.process.send_signal(signal.SIGTERM)
    seen = []
    try:
        while "STOPPING=1" not in seen:
            seen += s.recv(4096).decode().split("\n")
    except socket.timeout:
        pass
    t.ok("STOPPING=1" in seen, "and STOPPING=1 when it ends", seen)


def test(t):
    daemon = Postern(t, policy=POLICY % "first", workers=2,
                     extra="drain_timeout 4s;")
    users(t, daemon)
    forked_again(t, daemon)
    bad_config(t, daemon)
    taken(t, daemon)
    drain(t, daemon)
    idle_drain(t, daemon)
    short_drain(t)
    impatient(t, daemon)
    master_dies(t, daemon)
    notify(t)


tap.run(test, 120)
