"""peers - the milters of Debian, each private, in the foreground, on a free port.

    dkim = OpenDkim(t, "-b", "v")     # verifies; keys come from .dns
    dkim.address                      # inet:127.0.0.1:PORT, as Postfix writes it
    Recorder(t).heard()               # what ours was told (tests/lib/recorder.c)

A milter that cannot start fails the test. It is ended by its pid when the
test ends; what it said on its terminal is in .output().
"""

import base64
import json
import os
import pwd
import signal
import socket
import subprocess

import net
import postern
import tap


class Milter:
    """What they have in common: a process, a port, a folder, an end."""

    # libmilter looks every five seconds whether it is to stop.
    ends_by = (signal.SIGKILL,)

    def __init__(self, t, name):
        self.t = t
        self.name = name
        self.dir = t.folder(name)
        os.chmod(self.dir, 0o755)
        self.port = net.free_port()
        self.address = "inet:127.0.0.1:%d" % self.port
        self.processes = []

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def output(self):
        with open(self.path("output"), errors="replace") as f:
            return f.read()

    def run(self, args, ready, seconds=40, user=None):
        """
        Start a program and wait until ready() is true. It ends with the test,
        even one that is killed.
        """
        who = ["--reuid", user, "--regid", user, "--clear-groups"] if user else []
        with open(self.path("output"), "ab") as out:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", self.ends_by[0].name[3:]] + who + args,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.dir,
                start_new_session=True)
        self.processes.append(process)
        self.t.defer(self.end, process)
        if not tap.until(lambda: process.poll() is not None or ready(), seconds) \
                or process.poll() is not None:
            raise RuntimeError("%s does not start (%s): %s" % (
                args[0], process.poll(), self.output()[-3000:]))
        return process

    def end(self, process):
        """It, and what it forked: the group is its own. Harmless twice."""
        if process.returncode is not None:
            return
        for how in self.ends_by:
            try:
                os.killpg(process.pid, how)
            except ProcessLookupError:
                pass
            try:
                process.wait(5)
                return
            except subprocess.TimeoutExpired:
                continue

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 2).close()
            return True
        except OSError:
            return False


class Recorder(Milter):
    """
    The suite's own: .script(...) says what it does from the next conversation
    on, .heard() is its log as a list, .forget() empties that.

    .restart() where a case asks for other SMFIP_NO* flags than those before:
    libmilter keeps them in a table of the process, for all conversations.
    """

    def __init__(self, t, name="recorder", unix=False):
        super().__init__(t, name)
        self.known = 0
        self.own = "inet:%d@127.0.0.1" % self.port
        if unix:
            self.address = self.own = "unix:" + self.path("sock")
        self.script()
        self.restart()

    def restart(self):
        if self.processes:
            self.end(self.processes.pop())
        self.write("log", "")
        self.known = 0
        self.run([os.path.join(postern.build(), "tests/lib/recorder"), self.own,
                  self.path("log"), self.path("script")],
                 lambda: any(e["at"] == "ready" for e in self._lines()))
        self.forget()

    def script(self, *turns, **more):
        self.write("script.new", json.dumps(dict(more, turns=turns)))
        os.rename(self.path("script.new"), self.path("script"))

    def _lines(self):
        with open(self.path("log")) as f:
            return [json.loads(line) for line in f if line.endswith("\n")]

    def heard(self):
        return self._lines()[self.known:]

    def forget(self):
        self.known = len(self._lines())

    def closed(self, conversations):
        """Wait until that many have ended."""
        return tap.until(lambda: sum(e["at"] == "close" for e in self.heard())
                         >= conversations, 10)


class OpenDkim(Milter):
    """
    mode: "v" verifies, "s" signs for client.example with the selector `name`.
    A verifier knows the keys of the signers it trusts, and of nobody else.
    """

    def __init__(self, t, mode, name="opendkim", canon="relaxed/simple", trusts=()):
        super().__init__(t, name)
        own = ""
        if mode == "s":
            subprocess.run(["openssl", "genrsa", "-out", self.path("key.pem"), "1024"],
                           check=True, capture_output=True, timeout=60)
            own = "Domain client.example\nSelector %s\nKeyFile %s\n" \
                "Canonicalization %s\n" % (name, self.path("key.pem"), canon)
        self.write("keys", "".join(s.record() for s in trusts))
        # Only hosts listed here are signed for; a verifier has none.
        self.write("internal", "127.0.0.0/8\n" if mode == "s" else "192.0.2.1\n")
        conf = self.write("opendkim.conf", """\
Mode {mode}
Socket inet:{port}@127.0.0.1
InternalHosts {dir}/internal
TestDNSData {dir}/keys
RequireSafeKeys no
AuthservID gateway.example
AlwaysAddARHeader yes
Syslog no
Background no
PidFile {dir}/pid
{own}
""".format(mode=mode, port=self.port, dir=self.dir, own=own))
        self.run(["opendkim", "-f", "-x", conf], self.answers)

    def record(self):
        """The public key, as TestDNSData has it."""
        der = subprocess.run(["openssl", "rsa", "-in", self.path("key.pem"), "-pubout",
                              "-outform", "DER"], check=True, capture_output=True,
                             timeout=60).stdout
        return "%s._domainkey.client.example v=DKIM1; k=rsa; p=%s\n" % (
            self.name, base64.b64encode(der).decode())


class OpenDmarc(Milter):
    """
    Judges by Authentication-Results of gateway.example; policies says which
    domain asks for what ({"a.example": "reject"}).
    """

    def __init__(self, t, name="opendmarc", policies=None, more=""):
        super().__init__(t, name)
        conf = self.write("opendmarc.conf", """\
Socket inet:{port}@127.0.0.1
AuthservID gateway.example
TrustedAuthservIDs gateway.example
TestDNSData {dir}/policies
HoldQuarantinedMessages true
RejectFailures true
SPFIgnoreResults false
SPFSelfValidate false
SoftwareHeader false
RequiredHeaders false
Syslog false
Background false
UMask 0002
PublicSuffixList {dir}/suffixes
{more}
""".format(port=self.port, dir=self.dir, more=more))
        self.write("suffixes", "example\n")
        self.write("policies", "".join(
            "_dmarc.%s v=DMARC1; p=%s\n" % p for p in (policies or {}).items()))
        self.run(["opendmarc", "-f", "-c", conf], self.answers)


class ClamAv(Milter):
    """clamd with one signature of ours and clamav-milter in front of it."""

    MARK = b"the-one-thing-clamd-knows-here"

    def __init__(self, t, name="clamav", infected="Reject"):
        super().__init__(t, name)
        os.makedirs(self.path("db"))
        self.write("db/ours.ndb", "Test.Postern:0:*:%s\n" % self.MARK.hex())
        clamd = self.write("clamd.conf", """\
Foreground yes
LogTime no
DatabaseDirectory {dir}/db
LocalSocket {dir}/clamd
LocalSocketMode 666
TemporaryDirectory {dir}
MaxThreads 4
""".format(dir=self.dir))
        self.run(["clamd", "-c", clamd], lambda: os.path.exists(self.path("clamd")),
                 seconds=60)
        self.milter = None
        self.becomes(infected)

    def becomes(self, infected):
        """OnInfected as said, in another process on the same port."""
        if self.milter:
            self.end(self.milter)
        conf = self.write("clamav-milter.conf", """\
Foreground yes
MilterSocket inet:{port}@127.0.0.1
ClamdSocket unix:{dir}/clamd
OnInfected {infected}
OnFail Defer
AddHeader Replace
ReportHostname gateway.example
TemporaryDirectory {dir}
{reply}
""".format(port=self.port, dir=self.dir, infected=infected,
           reply="RejectMsg infected with %v" if infected == "Reject" else ""))
        self.milter = self.run(["clamav-milter", "-c", conf], self.answers)


class Rspamd(Milter):
    """The proxy worker alone: milter, scans itself, asks nobody."""

    ends_by = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, t, name="rspamd"):
        super().__init__(t, name)
        who = pwd.getpwnam("_rspamd")
        for folder in ("db", "run"):
            os.makedirs(self.path(folder))
            os.chown(self.path(folder), who.pw_uid, who.pw_gid)
        self.write("rules.lua", """\
rspamd_config:register_symbol({
	name = 'MARK_REJECT', score = 100.0, group = 'ours',
	callback = function(task)
		local s = task:get_subject() or ''
		return s:find('rspamd reject', 1, true) ~= nil
	end })
rspamd_config:register_symbol({
	name = 'MARK_HEADER', score = 7.0, group = 'ours',
	callback = function(task)
		local s = task:get_subject() or ''
		return s:find('rspamd header', 1, true) ~= nil
	end })
rspamd_config:register_symbol({
	name = 'MARK_REWRITE', score = 9.0, group = 'ours',
	callback = function(task)
		local s = task:get_subject() or ''
		return s:find('rspamd rewrite', 1, true) ~= nil
	end })
rspamd_config:register_symbol({
	name = 'MARK_GREYLIST', score = 12.0, group = 'ours',
	callback = function(task)
		local s = task:get_subject() or ''
		return s:find('rspamd defer', 1, true) ~= nil
	end })
""")
        conf = self.write("rspamd.conf", """\
options {{
	pidfile = "{dir}/run/pid";
	filters = "";
	local_addrs = [];
	cache_file = "{dir}/db/cache";
	max_lua_urls = 10;
	dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
	lua_path = "/usr/share/rspamd/lualib/?.lua";
}}
logging {{ type = "console"; level = "notice"; }}
actions {{
	reject = 50; "soft reject" = 11; "rewrite subject" = 8; "add header" = 6;
	subject = "[SPAM] %s";
}}
lua = "{dir}/rules.lua";
worker "rspamd_proxy" {{
	bind_socket = "127.0.0.1:{port}";
	milter = yes;
	timeout = 20s;
	count = 1;
	upstream "local" {{ default = yes; self_scan = yes; }}
}}
""".format(dir=self.dir, port=self.port))
        self.run(["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", conf,
                  "--var", "DBDIR=" + self.path("db"), "--var",
                  "RUNDIR=" + self.path("run"), "--var", "LOGDIR=" + self.dir,
                  "--var", "CONFDIR=" + self.dir], self.answers)


class MimeDefang(Milter):
    """mimedefang and its multiplexor with a filter of ours."""

    ends_by = (signal.SIGTERM, signal.SIGKILL)

    FILTER = """\
use strict;
our ($AdminAddress, $DaemonAddress);
$AdminAddress = 'postmaster@example.com';
$DaemonAddress = 'mimedefang@example.com';
sub filter_begin {
	my ($entity) = @_;
	return action_bounce("mimedefang will not have it") if $main::Subject =~ /mimedefang reject/;
	return action_tempfail("mimedefang will have it later") if $main::Subject =~ /mimedefang defer/;
	return action_discard() if $main::Subject =~ /mimedefang discard/;
}
sub filter {
	my ($entity, $fname, $ext, $type) = @_;
	return action_drop_with_warning("An attachment $fname was here.\\n") if $fname =~ /\\.exe$/;
	return action_accept();
}
sub filter_multipart {
	return action_accept();
}
sub filter_end {
	action_add_header("X-Defang", "seen for $main::Sender");
	action_change_header("Subject", "$main::Subject (defanged)") if $main::Subject =~ /mimedefang subject/;
	action_insert_header("X-First", "on top", 0);
	add_recipient('<two@example.com>') if $main::Subject =~ /mimedefang add/;
	delete_recipient('<one@example.com>') if $main::Subject =~ /mimedefang add/;
	change_sender('<other@client.example>') if $main::Subject =~ /mimedefang from/;
}
1;
"""

    def __init__(self, t, name="mimedefang"):
        super().__init__(t, name)
        who = pwd.getpwnam("defang")
        for folder in ("spool", "run"):
            os.makedirs(self.path(folder))
            os.chown(self.path(folder), who.pw_uid, who.pw_gid)
            os.chmod(self.path(folder), 0o750)
        rules = self.write("filter", self.FILTER)
        mx = self.path("run", "mx")
        self.run(["mimedefang-multiplexor", "-D", "-m", "1", "-x", "2",
                  "-z", self.path("spool"), "-s", mx, "-F", rules,
                  "-p", self.path("run", "mx.pid")], lambda: os.path.exists(mx), user="defang")
        self.run(["mimedefang", "-D", "-m", mx, "-z", self.path("spool"),
                  "-P", self.path("run", "pid"),
                  "-p", "inet:%d@127.0.0.1" % self.port], self.answers, user="defang")
