"""service - a small server for tests: one line in, one line out.

Senders it does not know are "none"; "silence" is never answered. .opinions
may change at any time; .connections and .asked count.
"""

import os
import socket
import threading


class Service:
    def __init__(self, opinions=(), path=None):
        """path: of a unix socket, instead of a free port."""
        self.opinions = dict(opinions)
        self.connections = 0
        self.asked = []
        self.mode = "lines"  # or "close": after each reply
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(path)
            os.chmod(path, 0o777)
            self.address = "unix:" + path
        else:
            self.sock = socket.socket()
            self.sock.bind(("127.0.0.1", 0))
            self.address = "inet:127.0.0.1:%d" % self.sock.getsockname()[1]
        self.sock.listen(64)
        self.peers = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        """Away, with all that is open. Harmless when it is."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.drop()

    def drop(self):
        """Close what clients keep open."""
        while self.peers:
            peer = self.peers.pop()
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            peer.close()

    def _serve(self):
        while True:
            try:
                peer, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            self.peers.append(peer)
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer):
        held = b""
        while True:
            try:
                more = peer.recv(4096)
            except OSError:
                return
            if not more:
                return
            held += more
            while b"\n" in held:
                line, held = held.split(b"\n", 1)
                sender = line.decode()
                self.asked.append(sender)
                if sender == "silence":
                    continue
                try:
                    peer.sendall(self.opinions.get(sender, "none").encode() + b"\n")
                    if self.mode == "close":
                        peer.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return
