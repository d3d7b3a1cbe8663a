"""fault - waits at the daemon's named stopping points (proxy/base/fault.h).

    faults = Faults(t)                      # a socket every user may reach
    daemon = Postern(t, env=faults.env("dot"))
    stop = faults.wait()                    # .point, .pid; it stands still
    os.kill(victim, 9); stop.go()
"""

import os
import queue
import socket
import threading


class Stop:
    def __init__(self, conn, point, pid):
        self.conn = conn
        self.point = point
        self.pid = pid

    def go(self):
        """Let the process go on (or, if it is dead, forget it)."""
        try:
            self.conn.sendall(b"g")
        except OSError:
            pass
        self.conn.close()


class Faults:
    def __init__(self, t, name="fault.sock"):
        self.path = t.path(name)
        self.stops = queue.Queue()
        self.armed = threading.Event()
        self.armed.set()
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o777)
        self.sock.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        t.defer(self.close)

    def env(self, points):
        return {"POSTERN_FAULT_SOCKET": self.path, "POSTERN_FAULT": points}

    def disarm(self):
        """From now on every stop goes on at once."""
        self.armed.clear()
        while True:
            try:
                self.stops.get_nowait().go()
            except queue.Empty:
                return

    def arm(self):
        self.armed.set()

    def close(self):
        self.disarm()
        self.sock.close()

    def wait(self, timeout=15):
        """The next process that stopped; None when none does in time."""
        try:
            return self.stops.get(timeout=timeout)
        except queue.Empty:
            return None

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._greet, args=(conn,),
                             daemon=True).start()

    def _greet(self, conn):
        line = b""
        try:
            while not line.endswith(b"\n"):
                more = conn.recv(128)
                if not more:
                    return conn.close()
                line += more
        except OSError:
            return conn.close()
        point, pid = line.decode().split()
        stop = Stop(conn, point, int(pid))
        if self.armed.is_set():
            self.stops.put(stop)
        else:
            stop.go()
