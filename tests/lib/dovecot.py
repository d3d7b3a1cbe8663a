"""dovecot - a private Dovecot: its LMTP server, on TCP and a unix socket, or the
passwords that a Postfix asks it for.

    store = Dovecot(t, users=("one", "two"), full=("three",))
    store.address, store.socket       # where it speaks LMTP
    store.mails("one")                # what one@example.com got

    auth = Passwords(t, {"ada": "secret"})
    auth.socket                       # for smtpd_sasl_path

full: users without room, refused after the message. Needs root, as Dovecot
does; without it the test fails.
"""

import os
import pwd
import signal
import subprocess

import maildir
import net
import tap

CONF = """
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_internal_user = {dovecot}
default_login_user = {login}
first_valid_uid = 1
mail_location = maildir:{dir}/mail/%n
auth_username_format = %n
mail_plugins = quota
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = {dir}/users
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_grace = 0
}}
service lmtp {{
  unix_listener {socket} {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = {host}
    port = {port}
  }}
}}
"""


PASSWORDS = """
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/log
protocols =
ssl = no
default_internal_user = dovecot
default_login_user = dovenull
auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {dir}/users
}}
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
}}
# A wrong password costs no time here.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


class _Program:
    """In .dir, until the test ends."""

    def run(self, t, conf, is_up):
        path = os.path.join(self.dir, "dovecot.conf")
        with open(path, "w") as f:
            f.write(conf)
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", path], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        t.defer(self.stop)
        if not tap.until(is_up, 20):
            raise RuntimeError("Dovecot does not start:\n" + self.log())

    def log(self):
        try:
            with open(os.path.join(self.dir, "log"), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


class Passwords(_Program):
    def __init__(self, t, logins):
        self.dir = t.folder("passwords")
        os.chmod(self.dir, 0o755)
        self.socket = os.path.join(self.dir, "auth")
        with open(os.path.join(self.dir, "users"), "w") as f:
            for login, password in logins.items():
                f.write("%s:%s\n" % (login, password))
        self.run(t, PASSWORDS.format(dir=self.dir, socket=self.socket),
                 lambda: os.path.exists(self.socket))


class Dovecot(_Program):
    def __init__(self, t, users=("one", "two"), full=()):
        self.dir = t.folder("dovecot")
        os.chmod(self.dir, 0o755)
        self.address = ("127.0.0.1", net.free_port())
        self.server = "%s:%d" % self.address
        self.socket = os.path.join(self.dir, "lmtp")
        nobody = pwd.getpwnam("nobody")
        os.makedirs(os.path.join(self.dir, "mail"))
        os.chown(os.path.join(self.dir, "mail"), nobody.pw_uid, nobody.pw_gid)
        with open(os.path.join(self.dir, "users"), "w") as f:
            for user in users + full:
                f.write("%s::%d:%d::%s/mail/%s::%s\n" % (
                    user, nobody.pw_uid, nobody.pw_gid, self.dir, user,
                    "userdb_quota_rule=*:bytes=1" if user in full else ""))
        self.run(t, CONF.format(dir=self.dir, socket=self.socket,
                                host=self.address[0], port=self.address[1],
                                dovecot="dovecot", login="dovenull"),
                 lambda: net.is_open(self.address))

    def mails(self, user):
        return maildir.mails(os.path.join(self.dir, "mail", user))
