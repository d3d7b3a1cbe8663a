"""service - a small server for tests: one line in, one line out.

Senders it does not know are "none"; "silence" is never answered. .opinions
may change at any time; .connections and .asked count.
"""

import socket

import net


class Service:
    def __init__(self, opinions=(), path=None):
        """path: of a unix socket, instead of a free port."""
        self.opinions = dict(opinions)
        self.connections = 0
        self.asked = []
        self.mode = "lines"  # or "close": after each reply
        self.peers = []
        self.server = net.Server(self._talk, path)
        self.address = self.server.address

    def close(self):
        """Away, with all that is open. Harmless when it is."""
        self.server.close()
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

    def _talk(self, peer):
        self.connections += 1
        self.peers.append(peer)
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
