"""An application behind the gateway that tells what reached it. In this process, a thread per connection.

  /echo...        JSON: method, target, headers as received
  /slow?ms=N      answers after N ms
  /sse?n=N&ms=M   N server-sent events, M ms apart
  /ws             WebSocket echo
  /upload         JSON: number of body bytes and their SHA-256
  /download?n=N   N known bytes, streamed in chunks
  /code/NNN       that status
"""
import hashlib
import http.server
import json
import threading
import time
import urllib.parse

from . import websocket

PATTERN = bytes(range(256)) * 256  # 64 KiB


class Upstream:
    def __init__(self, port, host="127.0.0.1"):
        self.requests = 0
        self.in_flight = 0
        self._lock = threading.Lock()
        upstream = self

        class Handler(_Handler):
            owner = upstream

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, request, client_address):
                pass  # the other side went away

        self._server = Server((host, port), Handler)
        self.url = f"http://{host}:{port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    owner = None

    def log_message(self, *_):
        pass

    def handle_one_request(self):
        super().handle_one_request()

    def _any(self):
        with self.owner._lock:
            self.owner.requests += 1
            self.owner.in_flight += 1
        try:
            path, _, query = self.path.partition("?")
            self.query = dict(urllib.parse.parse_qsl(query))
            name = path.removeprefix("/public").strip("/").split("/")[0]
            getattr(self, f"on_{name}", self.on_echo)(path)
        finally:
            with self.owner._lock:
                self.owner.in_flight -= 1

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = _any

    def _json(self, value, status=200):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self):
        """The request's body in pieces, whichever way it is framed."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                if size == 0:
                    while self.rfile.readline().strip():
                        pass
                    return
                while size:
                    piece = self.rfile.read(min(size, 65536))
                    if not piece:
                        raise ConnectionError("the body ended early")
                    size -= len(piece)
                    yield piece
                self.rfile.readline()
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                raise ConnectionError("the body ended early")
            left -= len(piece)
            yield piece

    def on_echo(self, _):
        size = sum(len(piece) for piece in self._body())
        self._json({"method": self.command, "target": self.path, "headers": self.headers.items(),
                    "body_bytes": size})

    def on_slow(self, _):
        time.sleep(int(self.query.get("ms", 1000)) / 1000)
        self.on_echo(_)

    def on_code(self, path):
        self._json({"code": path}, int(path.rsplit("/", 1)[1]))

    def on_upload(self, _):
        digest, size = hashlib.sha256(), 0
        for piece in self._body():
            digest.update(piece)
            size += len(piece)
        self._json({"bytes": size, "sha256": digest.hexdigest()})

    def on_download(self, _):
        left = int(self.query.get("n", 1 << 20))
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while left:
            piece = PATTERN[:min(left, len(PATTERN))]
            self.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            left -= len(piece)
        self.wfile.write(b"0\r\n\r\n")

    def on_sse(self, _):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(int(self.query.get("n", 5))):
            self.wfile.write(f"id: {number}\ndata: event {number}\n\n".encode())
            self.wfile.flush()
            time.sleep(int(self.query.get("ms", 100)) / 1000)
        self.close_connection = True

    def on_ws(self, _):
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", websocket.accept_key(self.headers["Sec-WebSocket-Key"]))
        self.send_header("X-Seen-Node", self.headers.get("X-Kith-Node", ""))
        self.send_header("X-Seen-Forwarded-By", self.headers.get("X-Kith-Forwarded-By", ""))
        self.end_headers()
        self.wfile.flush()
        while True:
            opcode, payload = websocket.read_frame(self.rfile.read)
            if opcode == websocket.CLOSE:
                self.wfile.write(websocket.frame(websocket.CLOSE, payload))
                break
            self.wfile.write(websocket.frame(opcode, payload))
            self.wfile.flush()
        self.close_connection = True


def pattern_sha256(size):
    digest, left = hashlib.sha256(), size
    while left:
        piece = PATTERN[:min(left, len(PATTERN))]
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()
