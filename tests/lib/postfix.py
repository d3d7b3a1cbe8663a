"""postfix - a private Postfix: own configuration, queue, data, log and ports.

    pf = Postfix(t, "behind", domains=("example.com",), users=("a", "b"))
    pf.address                        # of its smtpd
    pf.mails("a")                     # what a@example.com got
    pf.log()                          # all it logged (postlogd, maillog_file)
    pf.whole_log()                    # ... and what is on its way there, too

Runs beside any other Postfix of the machine: nothing is shared but the
programs. Needs root, as Postfix does; without it the test fails.
"""

import os
import pwd
import re
import signal
import subprocess
import time

import maildir
import net
import tap

MAIN = """
compatibility_level = 3.6
command_directory = {command_directory}
daemon_directory = {daemon_directory}
shlib_directory = {shlib_directory}
meta_directory = {meta_directory}
queue_directory = {dir}/queue
data_directory = {dir}/data
mail_owner = {mail_owner}
setgid_group = {setgid_group}
maillog_file = {dir}/maillog
maillog_file_prefixes = {dir}
syslog_name = pf-{name}
myhostname = {name}.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.1
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = texthash:{dir}/etc/users
virtual_mailbox_base = {dir}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_transport = virtual
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_tls_security_level = none
smtp_tls_security_level = none
disable_dns_lookups = yes
smtp_host_lookup = native
message_size_limit = 60000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
in_flow_delay = 0s
notify_classes =
default_process_limit = 100
"""

MASTER = """
pickup     unix  n - n 60    1 pickup
cleanup    unix  n - n -     0 cleanup
qmgr       unix  n - n 300   1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n -     - trivial-rewrite
bounce     unix  - - n -     0 bounce
defer      unix  - - n -     0 bounce
trace      unix  - - n -     0 bounce
verify     unix  - - n -     1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n -     - proxymap
proxywrite unix  - - n -     1 proxymap
smtp       unix  - - n -     - smtp
relay      unix  - - n -     - smtp
showq      unix  n - n -     - showq
error      unix  - - n -     - error
retry      unix  - - n -     - error
discard    unix  - - n -     - discard
virtual    unix  - n n -     - virtual
anvil      unix  - - n -     1 anvil
scache     unix  - - n -     1 scache
postlog    unix-dgram n - n - 1 postlogd
"""


def _defaults():
    out = subprocess.run(
        ["postconf", "-d", "command_directory", "daemon_directory",
         "shlib_directory", "meta_directory", "mail_owner", "setgid_group"],
        check=True, capture_output=True, text=True, timeout=20).stdout
    return dict(re.findall(r"^(\w+) = (.*)$", out, re.M))


def _last(main):
    """
    Without the lines that a later one overrides: Postfix warns of them in each
    process, and its log, a socket that the master reads for nobody while it
    starts anew, may then stop it all.
    """
    # A setting with the lines that go on with it.
    settings = re.findall(r"^[^\s#].*\n(?:[ \t].*\n)*", main, re.M)
    last = {text.partition("=")[0].strip(): text for text in settings}
    return "".join(last.values())


class Postfix:
    """
    main: lines added to main.cf; they win over those above. services: lines
    added to master.cf, {dir} filled in. The smtpd at .address takes the
    options `smtpd` ("-o name=value ...").
    """

    def __init__(self, t, name="behind", domains=("example.com",),
                 users=("one", "two", "three"), main="", services="", smtpd="",
                 port=None):
        self.t = t
        self.name = name
        self.barriers = 0
        self.domains = domains
        self.dir = t.folder("pf-" + name)
        os.chmod(self.dir, 0o755)
        self.etc = os.path.join(self.dir, "etc")
        self.address = ("127.0.0.1", port or net.free_port())
        self.server = "%s:%d" % self.address
        nobody = pwd.getpwnam("nobody")
        for folder in ("etc", "queue", "data", "mail"):
            os.makedirs(os.path.join(self.dir, folder), exist_ok=True)
        values = _defaults()
        os.chown(os.path.join(self.dir, "data"),
                 pwd.getpwnam(values["mail_owner"]).pw_uid, -1)
        os.chown(os.path.join(self.dir, "mail"), nobody.pw_uid, nobody.pw_gid)
        values.update(dir=self.dir, name=name, domains=" ".join(domains),
                      uid=nobody.pw_uid, gid=nobody.pw_gid)
        self._write("users", "".join(
            "%s@%s %s/%s/\n" % (u, d, d, u) for d in domains for u in users))
        self._write("main.cf", _last(MAIN.format(**values) + main.format(dir=self.dir)))
        self._write("master.cf", MASTER + "%s inet n - n - - smtpd %s\n" % (
            self.server, smtpd) + services.format(dir=self.dir))
        self.start()
        t.defer(self.stop)

    def _write(self, name, text):
        with open(os.path.join(self.etc, name), "w") as f:
            f.write(text)
        if name == "main.cf":
            self._settle_main()

    def _settle_main(self):
        """Each process that finds a main.cf of this second waits for 1.5 s,
        lest somebody is still writing it."""
        past = time.time() - 60
        os.utime(os.path.join(self.etc, "main.cf"), (past, past))

    def command(self, *args):
        return subprocess.run(args, capture_output=True, text=True, timeout=60)

    def set(self, *settings):
        """Change main.cf and reload: set("name=value"). `postfix reload` would
        look through the whole queue before it tells the master, and after."""
        self.command("postconf", "-c", self.etc, "-e", *settings)
        self._settle_main()
        old = set(self.smtpds())
        before = self.log().count("reload -- version")
        os.kill(self.master(), signal.SIGHUP)
        # Those of the old settings that have no client leave now.
        tap.until(lambda: self.log().count("reload -- version") > before and
                  not old & set(self.smtpds()), 10)

    def replace_smtpd(self, lines):
        """Other smtpd lines of master.cf than ours, and start anew."""
        self.stop()
        self._write("master.cf", MASTER + lines)
        self.start()

    def start(self):
        done = self.command("postfix", "-c", self.etc, "start")
        if done.returncode != 0:
            raise RuntimeError("postfix does not start: %s%s"
                               % (done.stderr, self.log()))

        def greets():
            try:
                with net.Client(self.address, timeout=5):
                    return True
            except (OSError, net.Cut):
                return False
        if not tap.until(greets, 15):
            raise RuntimeError("postfix does not answer: " + self.log())

    def smtpds(self):
        """Its smtpd processes."""
        got = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    words = f.read()
                queue = os.readlink("/proc/%s/cwd" % pid)
            except OSError:
                continue
            if words.startswith(b"smtpd") and queue == os.path.join(self.dir, "queue"):
                got.append(int(pid))
        return got

    def master(self):
        with open(os.path.join(self.dir, "queue/pid/master.pid")) as f:
            return int(f.read())

    def stop(self):
        try:
            pid = self.master()
            os.kill(pid, signal.SIGTERM)
        except (OSError, ValueError):
            return
        tap.until(lambda: not os.path.exists("/proc/%d" % pid), 10)

    def log(self):
        try:
            with open(os.path.join(self.dir, "maillog"), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def whole_log(self):
        """With all that any of its processes has said by now: postlogd writes
        one line after the other, and the last one is ours."""
        self.barriers += 1
        last = "barrier-%d." % self.barriers
        self.command("postlog", "-c", self.etc, "-t", "pf-test", last)
        self.wait_log(re.escape(last), 20)
        return self.log()

    def wait_log(self, pattern, seconds=10):
        return tap.until(lambda: re.search(pattern, self.log()), seconds)

    def maildir(self, user, domain=None):
        return os.path.join(self.dir, "mail", domain or self.domains[0], user)

    def mails(self, user, domain=None):
        return maildir.mails(self.maildir(user, domain))

    def queued(self, queues=("maildrop", "incoming", "active", "deferred", "hold")):
        """Queue files not yet delivered, in any queue or in these."""
        return sum(len(files) for queue in queues
                   for _, _, files in os.walk(os.path.join(self.dir, "queue", queue)))

    def held(self):
        """How many lie in the hold queue."""
        return self.queued(("hold",))

    def settle(self, seconds=20):
        """Wait until all it took is delivered, refused or on hold."""
        quiet = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            quiet = 0 if self.queued() > self.held() else quiet + 1
            if quiet >= 3:
                return True
            time.sleep(0.05)
        return False
