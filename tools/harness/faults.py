"""A TCP proxy with faults, for between two nodes: every byte can be delayed, recorded, or cut off."""
import queue
import socket
import threading
import time


class FaultProxy:
    """Listens on 127.0.0.1:port and passes on to the target port.

    delay       seconds that each piece waits, in each direction; may be changed at any time
    refuse      True: new connections are closed at once
    recorded    with record=True: what each connection's dialler sent, as bytes, oldest first
    """

    def __init__(self, port, target_port, record=False):
        self.delay = 0.0
        self.refuse = False
        self.recorded = []
        self._record = record
        self._target_port = target_port
        self._sockets = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = port
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Resets every connection that goes through now."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for one in sockets:
            _shut(one)

    def close(self):
        _shut(self._listener)
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        try:
            target = socket.create_connection(("127.0.0.1", self._target_port), 10)
            target.settimeout(None)
        except OSError:
            client.close()
            return
        with self._lock:
            self._sockets |= {client, target}
        keep = bytearray() if self._record else None
        if keep is not None:
            self.recorded.append(keep)
        self._pump(client, target, keep)
        self._pump(target, client, None)

    def _pump(self, source, sink, keep):
        pieces = queue.Queue(maxsize=4096)

        def read():
            while True:
                try:
                    piece = source.recv(65536)
                except OSError:
                    piece = b""
                if keep is not None:
                    keep.extend(piece)
                pieces.put((time.monotonic() + self.delay, piece))
                if not piece:
                    return

        def write():
            while True:
                due, piece = pieces.get()
                time.sleep(max(0.0, due - time.monotonic()))
                try:
                    if not piece:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    sink.sendall(piece)
                except OSError:
                    _shut(source)
                    while pieces.get()[1]:
                        pass
                    return

        for run in (read, write):
            threading.Thread(target=run, daemon=True).start()


def _shut(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
