"""certs - an authority of a test's own, certificates of it, and SMTP under TLS.

    ca = Authority(t)
    a = ca.issue("a", "a.example", "*.w.example")    # a.cert, a.key, a.sha256
    with Client(address, trust=ca, name="a.example") as c: c.starttls()
"""

import os
import ssl
import subprocess

import net


def _openssl(*args, **kw):
    return subprocess.run(["openssl"] + list(args), check=True, capture_output=True,
                          timeout=60, **kw).stdout


class Certificate:
    def __init__(self, cert, key):
        self.cert, self.key = cert, key

    @property
    def pem(self):
        with open(self.cert) as f:
            return f.read()

    @property
    def sha256(self):
        text = _openssl("x509", "-in", self.cert, "-noout", "-fingerprint", "-sha256")
        return text.decode().strip().partition("=")[2]

    @property
    def key_sha256(self):
        public = _openssl("x509", "-in", self.cert, "-noout", "-pubkey")
        der = _openssl("pkey", "-pubin", "-outform", "DER", input=public)
        return _openssl("dgst", "-sha256", "-r", input=der).decode().split()[0]


class Authority(Certificate):
    def __init__(self, t, name="ca"):
        self.dir = t.folder("certs-" + name)
        os.chmod(self.dir, 0o755)
        super().__init__(os.path.join(self.dir, "ca.pem"), os.path.join(self.dir, "ca.key"))
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", self.key, "-out", self.cert, "-days", "30", "-subj", "/CN=" + name)

    def issue(self, file, *names, days=20, kind="ec"):
        """A certificate of these DNS names; the same file again: another one."""
        cert, key = (os.path.join(self.dir, file + end) for end in (".pem", ".key"))
        new = ["-newkey", "rsa:2048"] if kind == "rsa" else \
            ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        request = _openssl("req", "-new", *new, "-nodes", "-keyout", key + ".new",
                           "-subj", "/CN=" + names[0])
        ext = os.path.join(self.dir, "ext")
        with open(ext, "w") as f:
            f.write("subjectAltName=" + ",".join("DNS:" + n for n in names))
        _openssl("x509", "-req", "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
                 "-days", str(days), "-extfile", ext, "-out", cert + ".new", input=request)
        os.chmod(key + ".new", 0o600)
        os.rename(key + ".new", key)
        os.rename(cert + ".new", cert)
        return Certificate(cert, key)


def context(trust=None, own=None, version=None):
    """A client's."""
    c = ssl.create_default_context(cafile=trust.cert if trust else None)
    if trust is None:
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if own is not None:
        c.load_cert_chain(own.cert, own.key)
    if version is not None:
        c.minimum_version = c.maximum_version = version
    return c


class Client(net.Client):
    """net.Client that can starttls(); wrapped: from the first byte."""

    def __init__(self, address, wrapped=False, name="a.example", trust=None, own=None,
                 version=None, session=None, context_of=None, **kw):
        self.name, self.session = name, session
        self.context = context_of or context(trust, own, version)
        super().__init__(address, greet=False, **kw)
        if wrapped:
            self.wrap()
        self.banner = self.reply()
        self.ehlo = self.cmd("EHLO client.example")

    def wrap(self):
        self.sock = self.context.wrap_socket(self.sock, server_hostname=self.name,
                                             session=self.session)

    def starttls(self):
        self.go = self.cmd("STARTTLS")
        if self.go.code == 220:
            self.wrap()
            self.ehlo = self.cmd("EHLO client.example")
        return self.go
