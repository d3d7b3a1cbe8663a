"""last_words - a session that we end: what its client still sends resets
nothing, in clear and under TLS, and its reply is read to the end; what is left
of it holds no place in a limit, few descriptors, and no daemon up."""

import os
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import certs
import net
import tap
from postern import Postern

LISTEN = """
listen smtp 127.0.0.1:0 {{ upstream up; }}
listen smtp 127.0.0.1:0 {{ upstream up; tls wrapped cert {a.cert} key {a.key}; }}
"""
LAST = b"421 4.7.0 postern.example Error: too many errors\r\n"
WAITS = 1.5  # s: postern does for two; where a busy machine takes longer, once more
REFUSED = 'rule everybody { when client.ip in 127.0.0.0/8; early; then tempfail 450 4.7.1 "later"; }'
DESCRIPTORS = 160  # 140 for sessions, one in sixteen of those for what lingers
MOST = 140 // 16


class Client:
    """Makes errors until it is told to go, and does not go."""

    def __init__(self, address, tls=None):
        self.sock = socket.create_connection(address, 30)
        if tls:
            self.sock = tls.wrap_socket(self.sock, suppress_ragged_eofs=False)
        self.got = b""

    def until(self, end):
        while end not in self.got and self.read():
            pass
        return self.got

    def read(self):
        more = self.sock.recv(65536)
        self.got += more
        return more

    def err(self):
        self.sock.sendall(b"one\r\ntwo\r\n")
        return self

    def rest(self):
        """What is still to be read, and how it ended."""
        try:
            while self.read():
                pass
        except OSError as e:
            return self.got, type(e).__name__
        return self.got, "closed"


def ended(address, tls=None):
    c = Client(address, tls).err()
    c.until(LAST)
    return c


def leave(clients):
    for c in clients:
        c.sock.close()


def descriptors(worker):
    return len(os.listdir("/proc/%d/fd" % worker))


def sent_on(address, tls):
    """What it heard that went on sending, how that ended, and the time it took."""
    c = Client(address, tls).err()
    if tls:
        c.until(LAST)
    else:  # nothing of it is read yet
        tap.until(lambda: LAST in c.sock.recv(65536, socket.MSG_PEEK))
    began = time.monotonic()
    try:
        for _ in range(20):
            c.sock.sendall(b"x" * 9998 + b"\r\n")
            time.sleep(0.01)
        time.sleep(0.1)
        got, end = c.rest()
    except OSError as e:
        got, end = c.got, type(e).__name__
    c.sock.close()
    return got, end, time.monotonic() - began


def sends_on(t, address, tls, how):
    for _ in range(5):
        got, end, took = sent_on(address, tls)
        if took < WAITS:
            break
    t.same((got.endswith(LAST), end), (True, "closed"),
           "200 kB behind the line that was too much, %s: the last words arrive, "
           "and nothing is reset" % how, got[-100:], took)


def dribbles(t, address):
    """It is not waited for without end."""
    c = ended(address)

    def refused():
        try:
            c.sock.sendall(b"x")
        except OSError:
            return True
        return False
    t.ok(tap.until(refused, 30, 0.05), "who never stops sending is cut in the end")
    c.sock.close()


def slots(t, address):
    stay = [ended(address) for _ in range(4)]
    two = [net.Client(address) for _ in range(2)]
    t.same([c.banner.code for c in two], [220, 220],
           "four that do not go hold no place of a client's two")
    leave(stay + two)


def costs(t, daemon):
    worker, = daemon.pids("worker")
    base, stay, most = descriptors(worker), [], 0
    for _ in range(3 * MOST):
        stay.append(ended(daemon.address))
        most = max(most, descriptors(worker) - base)
    t.ok(most <= MOST + 1, "they have their share of the descriptors and no more", most)
    leave(stay)
    t.ok(tap.until(lambda: descriptors(worker) == base), "which come back")

    c = Client(daemon.address)
    c.until(b"\r\n")
    c.sock.sendall(b"QUIT\r\n")
    c.rest()
    t.same(descriptors(worker), base, "who said QUIT is not waited for")
    c.sock.close()


def refused(t, daemon):
    worker, = daemon.pids("worker")
    base = descriptors(worker)
    stay = [Client(daemon.address) for _ in range(20)]
    heard = [c.rest()[0][:4] for c in stay]
    t.same((heard, descriptors(worker)), ([b"421 "] * 20, base),
           "nor is who is refused in place of a greeting: none of 20 costs a descriptor")
    leave(stay)


def stops(t, daemon):
    old = daemon.pids("worker")
    idle = net.Client(daemon.address)
    daemon.reload()
    t.same(idle.reply().raw[:9], b"421 4.3.2", "a reload ends an idle session")
    t.ok(tap.until(lambda: not set(old) & set(daemon.running()), 30),
         "and does not wait for ever for its client to go")
    stay = [ended(daemon.address), idle]
    t.same(daemon.terminate(), 0, "nor does the daemon when it stops", daemon.log()[-1000:])
    t.ok("ev=drain result=timeout" not in daemon.log(), "which is no time-out of draining")
    for c in stay:
        c.sock.close()


def test(t):
    ca = certs.Authority(t)
    client = ssl.create_default_context(cafile=ca.cert)
    client.check_hostname = False
    d = Postern(t, start=False, listen=LISTEN.format(a=ca.issue("a", "a.example")),
                extra="error_limit 1; client_connection_limit 2;")
    with open(d.conf) as f:
        text = f.read()
    with open(d.conf, "w") as f:  # we are clients whom limits count
        f.write(text.replace("mynetworks 127.0.0.0/8", "mynetworks 192.0.2.0/24"))
    clear, wrapped = d.start().listening()
    sends_on(t, clear, None, "in clear")
    sends_on(t, wrapped, client, "under TLS")
    dribbles(t, clear)
    slots(t, clear)
    stops(t, d)
    few = Postern(t, name="few", extra="error_limit 1;",
                  wrap=["prlimit", "--nofile=%d:%d" % (DESCRIPTORS, DESCRIPTORS)])
    costs(t, few)
    few.terminate()
    no = Postern(t, name="no", policy=REFUSED)
    refused(t, no)
    no.terminate()
    t.ok("ERROR: AddressSanitizer" not in d.log() + few.log() + no.log(),
         "no complaint of a sanitizer")


tap.run(test, 120)
