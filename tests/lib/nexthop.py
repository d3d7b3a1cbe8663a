"""nexthop - next hops that do with STARTTLS what they were told to.

    fake = Fake(t, "ok", ca.issue("a", "a.example"))
    fake.mails(secure=True)                       # so many came under TLS
    fake.asked_for                                # names (SNI) of its handshakes

how: ok; none, it is not offered; refuse; break, the handshake; silent, within
it; inject, a reply in clear behind the 220.
"""

import ssl

import net


class Fake:
    """A next hop that does with STARTTLS what it was told to."""

    def __init__(self, t, how, cert, host="127.0.0.1", port=0):
        self.how, self.heard, self.asked_for = how, [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert.cert, cert.key)
        self.context.sni_callback = lambda sock, name, context: self.asked_for.append(name)
        self.connections = 0
        self.server = net.Server(self.serve, host=host, port=port)
        t.defer(self.server.close)
        self.address = "%s:%d" % (host, self.server.port)

    def serve(self, sock):
        self.connections += 1
        f = sock.makefile("rb")
        sock.sendall(b"220 fake ESMTP\r\n")
        secure = data = False
        while line := f.readline():
            if data:
                if line == b".\r\n":
                    data = False
                    sock.sendall(b"250 2.0.0 Ok: queued as FAKE\r\n")
                continue
            self.heard.append((secure, line.strip()))
            verb = line[:4].upper()
            if verb == b"EHLO":
                words = [b"fake", b"PIPELINING"] if secure else [b"fake"]
                words += [b"8BITMIME"] if not secure else []
                if self.how != "none" and not secure:
                    words.append(b"STARTTLS")
                sock.sendall(b"".join(b"250%s%s\r\n" % (b" " if i == len(words) - 1 else b"-", w)
                                      for i, w in enumerate(words)))
            elif line.strip().upper() == b"STARTTLS":
                if self.how == "refuse":
                    sock.sendall(b"454 4.7.0 not now\r\n")
                    continue
                if self.how == "inject":
                    sock.sendall(b"220 go\r\n250 injected\r\n")
                else:
                    sock.sendall(b"220 go\r\n")
                if self.how == "break":
                    sock.sendall(b"this is no ServerHello\r\n")
                    f.read(1)
                    return
                if self.how == "silent":
                    f.read()
                    return
                try:
                    sock = self.context.wrap_socket(sock, server_side=True)
                except OSError:
                    return      # it has seen the injection, and gone
                f = sock.makefile("rb")
                secure = True
            elif verb == b"DATA":
                data = True
                sock.sendall(b"354 go on\r\n")
            elif verb == b"QUIT":
                sock.sendall(b"221 bye\r\n")
                return
            else:
                sock.sendall(b"250 2.0.0 Ok\r\n")

    def mails(self, secure):
        return sum(s == secure and l.upper().startswith(b"MAIL") for s, l in self.heard)
