"""RFC 6455, as far as a test needs it: handshake, masked frames, no fragments."""
import base64
import hashlib
import os
import socket
import struct

TEXT, BINARY, CLOSE = 1, 2, 8


def accept_key(key):
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def frame(opcode, payload, mask=False):
    head = bytes([0x80 | opcode])
    flag = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([flag | len(payload)])
    elif len(payload) < 65536:
        head += bytes([flag | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([flag | 127]) + struct.pack(">Q", len(payload))
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


def read_frame(read):
    """read(n) gives exactly n bytes, or fewer at the end of the stream."""
    def exactly(count):
        data = read(count)
        if len(data) != count:
            raise ConnectionError("the stream ended")
        return data
    first, second = exactly(2)
    size = second & 0x7F
    if size == 126:
        size = struct.unpack(">H", exactly(2))[0]
    elif size == 127:
        size = struct.unpack(">Q", exactly(8))[0]
    key = exactly(4) if second & 0x80 else None
    payload = exactly(size)
    if key:
        payload = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    return first & 0x0F, payload


class Client:
    """Connects, upgrades; `status` and `headers` tell the answer. Only after 101: send, receive."""

    def __init__(self, address, host, path, cookie="", headers=(), timeout=30):
        self.socket = socket.create_connection(address, timeout)
        self._file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        if cookie:
            lines.append(f"Cookie: {cookie}")
        lines += [f"{name}: {value}" for name, value in headers]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.status = int(self._file.readline().split()[1])
        self.headers = {}
        while line := self._file.readline().strip().decode():
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        if self.status == 101 and self.headers.get("sec-websocket-accept") != accept_key(key):
            raise ConnectionError("wrong Sec-WebSocket-Accept")

    def send(self, text):
        self.socket.sendall(frame(TEXT, text.encode(), mask=True))

    def receive(self):
        opcode, payload = read_frame(self._file.read)
        return None if opcode == CLOSE else payload.decode()

    def close(self):
        try:
            self.socket.sendall(frame(CLOSE, struct.pack(">H", 1000), mask=True))
        except OSError:
            pass
        self.socket.close()
