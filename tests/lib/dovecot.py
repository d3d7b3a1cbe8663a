"""dovecot - a private Dovecot: its LMTP server, on TCP and a unix socket.

    store = Dovecot(t, users=("one", "two"), full=("three",))
    store.address, store.socket       # where it speaks LMTP
    store.mails("one")                # what one@example.com got

full: users without room, refused after the message. Needs root, as Dovecot
does; without it the test fails.
"""

import os
import pwd
import signal
import socket
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


def _is_open(address):
    try:
        socket.create_connection(address, 1).close()
        return True
    except OSError:
        return False


class Dovecot:
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
        conf = os.path.join(self.dir, "dovecot.conf")
        with open(conf, "w") as f:
            f.write(CONF.format(dir=self.dir, socket=self.socket,
                                host=self.address[0], port=self.address[1],
                                dovecot="dovecot", login="dovenull"))
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", conf], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        t.defer(self.stop)
        if not tap.until(lambda: _is_open(self.address), 20):
            raise RuntimeError("Dovecot does not start:\n" + self.log())

    def log(self):
        try:
            with open(os.path.join(self.dir, "log"), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def mails(self, user):
        return maildir.mails(os.path.join(self.dir, "mail", user))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
