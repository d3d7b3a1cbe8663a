#!/usr/bin/env python3
"""busy - what may cost connections, but no time: a worker that went round and
round for it would be lost to all others.

A client that asks much, reads nothing, and goes on talking behind its QUIT;
and more clients than there are descriptors, or than it gives to clients.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import tap  # noqa: E402

BUILD = os.environ.get("builddir") or os.path.join(HERE, "..", "..", "build")
QUESTIONS = 10000  # 700 kB of answers
DESCRIPTORS = 24


def seconds_used(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # else loopback takes megabytes
    s.connect(("127.0.0.1", port))
    return s


def start(t, **kw):
    nobody = socket.create_server(("127.0.0.1", 0))  # the next hop, which is never asked
    door = subprocess.Popen([os.path.join(BUILD, "tests", "dialogs", "door"), "junk=1000000",
                             "maildir=/nowhere", "sink=%d" % nobody.getsockname()[1]],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **kw)
    t.defer(door.wait, 10)
    t.defer(door.stdin.close)
    t.defer(nobody.close)
    return door, int(door.stdout.readline().split()[1])


def takes_no_time(t, door, what):
    """When it is done with what it has to do: on a busy machine that is later."""
    seen = []

    def at_rest():
        before = seconds_used(door.pid)
        time.sleep(1)
        seen.append(seconds_used(door.pid) - before)
        return seen[-1] < 0.1
    t.ok(tap.until(at_rest), what + " takes no time", "of each second: %r" % seen)


def ask_all_at_once(door, s):
    """Stopped meanwhile: it finds all of it in one piece."""
    os.kill(door.pid, signal.SIGSTOP)
    s.sendall(b"HELP\r\n" * QUESTIONS + b"QUIT\r\n")
    time.sleep(0.2)
    os.kill(door.pid, signal.SIGCONT)
    time.sleep(0.5)
    s.sendall(b"and more\r\n" * 100)


def everything(s):
    heard = b""
    s.settimeout(20)
    while True:
        piece = s.recv(65536)
        if not piece:
            return heard
        heard += piece


def deaf(t):
    door, port = start(t)
    s = connect(port)
    ask_all_at_once(door, s)
    takes_no_time(t, door, "a deaf client")
    heard = everything(s)
    t.ok(heard.count(b"214 ") == QUESTIONS and heard.endswith(b"221 2.0.0 Bye\r\n"),
         "and hears all when it listens after all", heard.count(b"214 "))
    s.close()


def crowd(t):
    log = open(t.path("log"), "w+")
    t.defer(log.close)
    door, port = start(t, stderr=log)
    with socket.create_connection(("127.0.0.1", port)) as c:
        c.recv(100)
    # Behind its back: it would keep some in reserve.
    resource.prlimit(door.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(DESCRIPTORS + 5)]
    tap.until(lambda: "ev=accept" in open(t.path("log")).read())
    takes_no_time(t, door, "a crowd")
    t.ok(0 < open(t.path("log")).read().count("ev=accept") < 5, "and little of the log")
    for c in clients[:-1]:
        c.close()
    clients[-1].settimeout(30)
    t.ok(clients[-1].recv(100).startswith(b"220 "), "the last is served when the others have gone")
    clients[-1].close()


def turned_away(t):
    door, port = start(t, stderr=subprocess.DEVNULL, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)))
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(DESCRIPTORS)]
    heard = []
    for c in clients:
        c.settimeout(30)
        heard.append(c.recv(100))
    t.same({h[:9] for h in heard}, {b"220 poste", b"421 4.3.2"}, "nobody waits for a descriptor")
    for c in clients:
        c.close()

    def served():
        with socket.create_connection(("127.0.0.1", port)) as c:
            return c.recv(100).startswith(b"220 ")
    t.ok(tap.until(served), "and when the others have gone there are some")


def test(t):
    deaf(t)
    crowd(t)
    turned_away(t)


tap.run(test, limit_s=120)
