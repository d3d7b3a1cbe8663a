"""mtas - a private Exim or OpenSMTPD that takes every mail and keeps it.

    mta = Exim(t)                     # or OpenSMTPD(t)
    mta.address, mta.server           # where it speaks SMTP
    mta.mails()                       # all it got, as files of one maildir
    mta.queued()                      # not there yet
    mta.log()

Debian's packages exclude Postfix, and one another: contrib/setup only fetches
them (DEBS), and here they are unpacked into the test's folder, which with the
libraries they need and users of its own becomes their root directory. Nothing
of the machine is shared. Needs root; without it the test fails.
"""

import glob
import os
import re
import shutil
import signal
import subprocess

import maildir
import net
import tap

DEBS = "/var/cache/postern-tests"
KEEPER = 65534  # owns what was delivered

PASSWD = """root:x:0:0::/:/bin/sh
Debian-exim:x:101:101::/var/spool/exim:/bin/false
opensmtpd:x:102:102::/var/empty:/bin/false
opensmtpq:x:103:103::/var/empty:/bin/false
keep:x:%d:%d::/var/mail:/bin/sh
""" % (KEEPER, KEEPER)

GROUP = """root:x:0:
mail:x:8:
Debian-exim:x:101:
opensmtpd:x:102:
opensmtpq:x:103:
keep:x:%d:
""" % KEEPER


class Mta:
    """What both have in common. `more` is added to the configuration."""

    packages, programs, folders = (), (), ()

    def __init__(self, t, more="", port=None):
        self.address = ("127.0.0.1", port or net.free_port())
        self.server = "%s:%d" % self.address
        self.dir = t.folder(type(self).__name__.lower() + "-%d" % self.address[1])
        os.chmod(self.dir, 0o755)
        self._unpack()
        self._libraries()
        for folder in ("dev", "run", "tmp", "var/run", "var/mail"):
            os.makedirs(self._at(folder), exist_ok=True)
        os.chmod(self._at("tmp"), 0o1777)
        os.mknod(self._at("dev/null"), 0o666 | 0o020000, os.makedev(1, 3))
        os.chmod(self._at("dev/null"), 0o666)
        self._write("etc/passwd", PASSWD)
        self._write("etc/group", GROUP)
        self._write("etc/hosts", "127.0.0.1 localhost\n")
        self._write("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        os.chown(self._at("var/mail"), KEEPER, KEEPER)
        self.configure(more)
        self.output = open(self._at("output"), "wb")
        self.process = subprocess.Popen(
            ["chroot", self.dir] + self.command, stdin=subprocess.DEVNULL,
            stdout=self.output, stderr=self.output, start_new_session=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        t.defer(self.stop)
        if not tap.until(lambda: net.is_open(self.address), 20):
            raise RuntimeError("%s does not start:\n%s" % (type(self).__name__, self.log()))

    def _at(self, path):
        return os.path.join(self.dir, path.lstrip("/"))

    def _write(self, path, text):
        os.makedirs(os.path.dirname(self._at(path)), exist_ok=True)
        with open(self._at(path), "w") as f:
            f.write(text)

    def give(self, path, text):
        """A file below its root that its daemon may read."""
        self._write(path, text)

    def _unpack(self):
        for package in self.packages:
            found = sorted(glob.glob(os.path.join(DEBS, package + "_*.deb")))
            if not found:
                raise RuntimeError("no package %s in %s: run contrib/setup" % (package, DEBS))
            subprocess.run(["dpkg-deb", "-x", found[-1], self.dir], check=True, timeout=60)

    def _libraries(self):
        """What ldd says, by the same names; ours stand where they are looked for first."""
        for program in self.programs:
            out = subprocess.run(["ldd", self._at(program)], capture_output=True,
                                 text=True, timeout=20).stdout
            if "not found" in out:
                raise RuntimeError("%s: %s" % (program, out))
            for lib in re.findall(r"(/\S+) \(0x", out):
                if not os.path.exists(self._at(lib)):
                    os.makedirs(os.path.dirname(self._at(lib)), exist_ok=True)
                    shutil.copy2(lib, self._at(lib))

    def _shell(self):
        os.makedirs(self._at("bin"), exist_ok=True)
        shutil.copy2(os.path.realpath("/bin/sh"), self._at("bin/sh"))

    def mails(self):
        return maildir.mails(self._at("var/mail/all"))

    def queued(self):
        return sum(len(files) for _, _, files in os.walk(self._at(self.queue)))

    def settle(self, seconds=10):
        """Nothing waits there any more."""
        return tap.until(lambda: self.queued() == 0, seconds)

    def log(self):
        text = ""
        for name in ["output"] + self.logs:
            try:
                with open(self._at(name), errors="replace") as f:
                    text += f.read()
            except OSError:
                pass
        return text

    def stop(self):
        """It and all it has started."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sig)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        self.output.close()


class Exim(Mta):
    """`more`: lines of the main section, before all others. onward: an address to
    which it sends all mail, in chunks where they are taken, and keeps none."""

    packages = ("exim4-base", "exim4-daemon-light")
    programs = ("usr/sbin/exim4",)
    command = ["/usr/sbin/exim4", "-bdf"]
    queue = "var/spool/exim/input"
    logs = ["var/spool/exim/mainlog", "var/spool/exim/rejectlog",
            "var/spool/exim/paniclog"]

    CONF = """
{more}
primary_hostname = exim.example
spool_directory = /var/spool/exim
log_file_path = /var/spool/exim/%slog
local_interfaces = {host}
daemon_smtp_ports = {port}
chunking_advertise_hosts = *
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
message_size_limit = 60M
never_users =
acl_smtp_rcpt = yes
acl_smtp_data = yes
begin acl
yes:
  accept
begin routers
{router}
begin transports
onward:
  driver = smtp
  port = {onward}
  hosts_avoid_tls = *
  hosts_pipe_connect =
keep:
  driver = appendfile
  maildir_format
  directory = /var/mail/all
  user = keep
  group = keep
"""

    KEEP = """all:
  driver = accept
  transport = keep
"""
    SEND = """all:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = onward
"""

    def __init__(self, t, more="", port=None, onward=None):
        self.onward = onward
        super().__init__(t, more, port)

    def configure(self, more):
        os.makedirs(self._at("var/spool/exim"))
        os.chown(self._at("var/spool/exim"), 101, 101)
        self._write("etc/exim4/exim4.conf", self.CONF.format(
            more=more, host=self.address[0], port=self.address[1],
            router=self.SEND if self.onward else self.KEEP,
            onward=self.onward[1] if self.onward else 25))


class OpenSMTPD(Mta):
    """`more`: lines before the listener's; {listen}: words added to that."""

    packages = ("opensmtpd",)
    programs = ("usr/sbin/smtpd", "usr/sbin/smtpctl",
                "usr/libexec/opensmtpd/mail.maildir", "bin/sh")
    command = ["/usr/sbin/smtpd", "-d", "-v"]
    queue = "var/spool/smtpd/queue"
    logs = []

    CONF = """
{more}
smtp max-message-size 60M
smtp limit max-mails 10000
table all {{ "@" = keep }}
listen on {host} port {port} hostname opensmtpd.example
action "keep" maildir "/var/mail/all" virtual <all>
match from any for any action "keep"
"""

    def _libraries(self):
        self._shell()
        super()._libraries()

    def configure(self, more):
        for folder in ("var/spool/smtpd", "var/lib/opensmtpd/empty", "var/empty"):
            os.makedirs(self._at(folder), exist_ok=True)
        os.chmod(self._at("var/spool/smtpd"), 0o711)
        self._write("etc/mailname", "opensmtpd.example\n")
        self._write("etc/smtpd.conf", self.CONF.format(
            more=more, host=self.address[0], port=self.address[1]))
