"""postern - runs a private daemon for a test, and its command line.

    daemon = Postern(t, upstream="server %s; identity xclient;" % sink.server,
                     policy='rule r { when ...; then ...; }')
    daemon.address                 # of the first listener
    daemon.pids("worker")          # from `postern --json status`
    daemon.cli("quarantine", "list")

The programs come from POSTERN_BUILD, or from the build that runs the tests
(builddir). Started as root, the daemon runs as the users POSTERN names, or
where they do not exist as three users every Debian has.
"""

import json
import os
import pwd
import re
import signal
import socket
import subprocess
import time

import dns
import maildir
import tap

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))


def build():
    return os.environ.get("POSTERN_BUILD") or os.environ.get("builddir") \
        or os.path.join(SOURCE, "build")


def configured(name, build_dir=None):
    """Does the build's config.h define it?"""
    with open(os.path.join(build_dir or build(), "config.h")) as f:
        return bool(re.search(r"^#define %s 1$" % name, f.read(), re.M))


def makes(line):
    """Has the build's Makefile a line like that?"""
    with open(os.path.join(build(), "Makefile")) as f:
        return bool(re.search(line, f.read(), re.M))


def milter_fibers():
    """Are libmilter's threads fibers of ours?"""
    return makes(r"^MILTER_DOOR = .*libmilter-calls")


def users():
    """worker, inspector, keeper."""
    names = ("postern", "postern-inspect", "postern-keeper")
    try:
        for name in names:
            pwd.getpwnam(name)
        return names
    except KeyError:
        return ("games", "news", "uucp")


def run(args, build_dir=None, program="postern", timeout=60, **kw):
    """A program of the build; CompletedProcess with text output."""
    kw.setdefault("text", True)
    return subprocess.run([os.path.join(build_dir or build(), program)] + list(args),
                          capture_output=True, timeout=timeout,
                          stdin=kw.pop("stdin", subprocess.DEVNULL), **kw)


CONF = """\
hostname postern.example;
{users}
workers {workers};
mynetworks 127.0.0.0/8 [::1]/128;
relay_domains example.com sales.example.com;
spool {dir}/spool;
state {dir}/state;
control unix:{dir}/control;
dns 127.0.0.1:{dns};
dns_timeout {dns_timeout};
log {log_target};
log_level {log_level};
{listeners}
{upstreams}
{extra}
{policy}
"""

MILTER = ("unix:", "local:", "inet:", "inet6:")     # how their names begin


class Postern:
    """
    listen: text of listen blocks; by default one SMTP listener on a free port
    for upstream `up`, whose settings are `upstream` ("maildir": deliver into
    .maildir). policy: what goes into `policy default`, or None for no policy.
    extra: other lines of postern.conf. env: for the daemon. args: more
    options of posternd. wrap: a command in front of it.
    """

    def __init__(self, t, upstream="maildir", policy=None, listen=None, extra="",
                 env=None, args=(), workers=1, build_dir=None, name="postern",
                 hosts=(), start=True, log_level="info", top="", wrap=(),
                 log_target="stderr"):
        self.t = t
        self.name = name
        self.build = build_dir or build()
        self.dir = t.folder(name)
        os.chmod(self.dir, 0o755)
        self.conf = os.path.join(self.dir, "postern.conf")
        self.log_path = os.path.join(self.dir, "log")
        self.maildir = os.path.join(self.dir, "maildir")
        self.state = os.path.join(self.dir, "state")
        self.env = dict(os.environ, **(env or {}))
        self.args = list(args)
        self.wrap = list(wrap)
        self.process, self.ended = None, False
        self.dns = dns.Dns(hosts)
        t.defer(self.dns.close)
        if upstream == "maildir":
            upstream = "deliver maildir %s;" % self.maildir
        # --single stays who it is.
        self.users = users() if os.getuid() == 0 and "--single" not in args else None
        for i, folder in enumerate(("spool", None, "state")):
            if folder is None:
                continue
            path = os.path.join(self.dir, folder)
            os.makedirs(path, exist_ok=True)
            self._give(path, i)
        os.makedirs(self.maildir, exist_ok=True)
        self._give(self.maildir, 2)
        self.values = dict(
            dir=self.dir, dns=self.dns.port, dns_timeout="2s", workers=workers, extra=extra,
            log_level=log_level, log_target=log_target,
            users="user %s; inspect_user %s; keeper_user %s;" % self.users
            if self.users else "",
            listeners=listen or "listen smtp 127.0.0.1:0 { upstream up; }",
            upstreams=upstream if "upstream " in upstream
            else "upstream up { %s }" % upstream)
        self.configure(policy, top)
        t.defer(self.end)
        if start:
            self.start()

    def _give(self, path, which):
        if self.users:
            who = pwd.getpwnam(self.users[which])
            os.chown(path, who.pw_uid, who.pw_gid)

    def configure(self, policy, top="", **values):
        """Write postern.conf. top: sets and maps, above the policy."""
        self.values.update(values)
        text = top + ("\npolicy default {\n%s\n}\n" % policy if policy else "")
        data = CONF.format(policy=text, **self.values)
        with open(self.conf + ".new", "w") as f:
            f.write(data)
        os.rename(self.conf + ".new", self.conf)

    # the process

    def start(self, wait=True):
        self.began_at = os.path.getsize(self.log_path) \
            if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.wrap + [os.path.join(self.build, "posternd"), "-c", self.conf]
                + self.args, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.env, cwd=self.dir)
        self.ended = False
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=20):
        found = tap.until(lambda: self.process.poll() is not None or
                          re.search(r"\bev=ready\b", self.log()), seconds)
        if self.process.poll() is not None or not found:
            raise RuntimeError("posternd does not get ready (%s):\n%s\n%s" % (
                self.process.poll(), self.log()[-4000:], open(self.conf).read()))

    def log(self):
        """What this run has logged so far."""
        try:
            with open(self.log_path, errors="replace") as f:
                f.seek(self.began_at)
                return f.read()
        except OSError:
            return ""

    def wait_log(self, pattern, seconds=10):
        return tap.until(lambda: re.search(pattern, self.log()), seconds)

    def listening(self):
        """Addresses of SMTP listeners in the order of the log, as (host, port)."""
        return [self._tcp(text) for name, text in self._listeners()
                if not name.startswith(MILTER)]

    def milters(self):
        """Those of milter listeners, as "unix:/path" or (host, port)."""
        return [text if text.startswith("unix:") else self._tcp(text)
                for name, text in self._listeners() if name.startswith(MILTER)]

    def _listeners(self):
        return [(name.strip('"'), text.strip('"')) for name, text in re.findall(
            r"ev=listening listener=(\S+) address=(\S+)", self.log())]

    @staticmethod
    def _tcp(text):
        host, _, port = text.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def address(self):
        return self.listening()[0]

    @property
    def pid(self):
        return self.process.pid

    def status(self):
        done = self.cli("status", json_out=True)
        if done.returncode != 0:
            raise RuntimeError("status: %d %s%s" % (
                done.returncode, done.stderr, self.log()[-2000:]))
        return json.loads(done.stdout)

    def processes(self, role=None):
        return [p for p in self.status()["processes"]
                if role is None or p["role"] == role]

    def pids(self, role):
        return [p["pid"] for p in self.processes(role)]

    def running(self):
        """Every process of this daemon, whoever its parent is by now."""
        got = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    words = f.read().split(b"\0")
                with open("/proc/%s/stat" % pid) as f:
                    state = f.read().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if self.conf.encode() in words and b"-c" in words \
                    and words[0].endswith(b"posternd") and state != "Z":
                got.append(int(pid))
        return got

    def reload(self):
        os.kill(self.pid, signal.SIGHUP)

    def terminate(self, seconds=20):
        """SIGTERM; its exit status, or None when it does not end."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self):
        """Whatever is left of it, by pid. Harmless twice."""
        if self.process is None or self.ended:
            return
        if self.process.poll() is None:
            self.terminate(5)
        for pid in self.running():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.ended = tap.until(lambda: not self.running(), 5)

    # the command line, and what is kept

    def cli(self, *args, json_out=False, **kw):
        return run(["-c", self.conf] + (["--json"] if json_out else [])
                   + list(args), self.build, **kw)

    def ask(self, cmd, **words):
        """The keeper's answer to one question over the control socket."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(os.path.join(self.dir, "control"))
            sock.sendall(json.dumps(dict(words, cmd=cmd)).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                more = sock.recv(1 << 20)
                if not more:
                    raise RuntimeError("%s: no answer: %r" % (cmd, answer[:200]))
                answer += more
            return json.loads(answer)

    def check(self, *args):
        return run(list(args) + ["-t", "-c", self.conf], self.build, "posternd")

    def quarantine(self):
        done = self.cli("quarantine", "list", json_out=True)
        if done.returncode != 0:
            raise RuntimeError("quarantine list: " + done.stderr)
        got = json.loads(done.stdout)
        return got["messages"] if isinstance(got, dict) else got

    def quarantined(self, marker):
        """How many quarantined messages hold these octets, by their files."""
        n = 0
        for folder, _, files in os.walk(os.path.join(self.state, "quarantine")):
            for name in files:
                try:
                    with open(os.path.join(folder, name), "rb") as f:
                        n += marker in f.read()
                except OSError:
                    pass
        return n

    def delivered(self, marker):
        return maildir.holding(self.maildir, marker)
