"""The Redis protocol as its clients speak it, RESP2 and RESP3, a few lines of it: each reply as a value and as the
bytes that came. An error is a value like any other, so that a test can compare it."""
import contextlib
import io
import socket
import threading


class Error(str):
    """-ERR ... Equal to no simple string."""
    __hash__ = str.__hash__

    def __eq__(self, other):
        return isinstance(other, Error) and str.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    def __repr__(self):
        return f"Error({str(self)!r})"


class Push(list):
    """What comes unasked in RESP3: ["message", channel, payload]. Equal to no array."""
    __hash__ = None

    def __eq__(self, other):
        return isinstance(other, Push) and list.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    def __repr__(self):
        return f"Push({list(self)!r})"


def encode(*words):
    """A command, as an array of bulk strings."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Reader:
    """Values from a file of bytes. Simple strings are str, bulk strings bytes, and so are verbatim ones, with their
    "txt:"."""

    def __init__(self, file):
        self._file = file
        self._taken = b""

    def receive(self):
        """The next reply or push; ConnectionError when the bytes end."""
        return self.receive_both()[0]

    def receive_raw(self):
        """The same as bytes."""
        return self.receive_both()[1]

    def receive_both(self):
        self._taken = b""
        return self._value(), self._taken

    def _take(self, data):
        self._taken += data
        if not data.endswith(b"\r\n"):
            raise ConnectionError(f"the connection ended after {self._taken[-100:]!r}")
        return data[:-2]

    def _value(self):
        line = self._take(self._file.readline())
        kind, text = line[:1], line[1:]
        if kind == b"+":
            return text.decode()
        if kind == b"-":
            return Error(text.decode(errors="replace"))
        if kind == b":":
            return int(text)
        if kind in b"$=" and int(text) >= 0:
            return self._take(self._file.read(int(text) + 2))
        if kind in b"*~" and int(text) >= 0:
            return [self._value() for _ in range(int(text))]
        if kind == b">":
            return Push(self._value() for _ in range(int(text)))
        if kind == b"%":
            return {self._value(): self._value() for _ in range(int(text))}
        if line in (b"_", b"$-1", b"*-1"):
            return None
        if kind == b"#":
            return {b"t": True, b"f": False}[text]
        if kind == b",":
            return float(text)
        raise AssertionError(f"not a reply: {line!r}")


def elements(raw):
    """The elements of an array that has come as bytes, as they came: (value, bytes) of each."""
    file = io.BytesIO(raw)
    count = int(file.readline()[1:])
    reader = Reader(file)
    return [reader.receive_both() for _ in range(count)]


class Client(Reader):
    """`protocol` 3 says HELLO 3 first; with a password it logs in."""

    def __init__(self, address, password=None, protocol=2, timeout=30):
        self._socket = socket.create_connection(address, timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(self._socket.makefile("rb"))
        if protocol == 3:
            self.ok("HELLO", 3, *(("AUTH", "default", password) if password else ()))
        elif password:
            self.ok("AUTH", password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._file.close()
        self._socket.close()

    def call(self, *words):
        self.send_bytes(encode(*words))
        return self.receive()

    def ok(self, *words):
        """As call, where an error is not expected."""
        answer = self.call(*words)
        if isinstance(answer, Error):
            raise AssertionError(f"{words}: {answer}")
        return answer

    def raw(self, *words):
        """The bytes of the answer."""
        self.send_bytes(encode(*words))
        return self.receive_raw()

    def pipeline(self, commands):
        """All answers, in order; sends and receives at the same time, as the other side may do."""
        commands = list(commands)
        with self.sending(b"".join(encode(*one) for one in commands)):
            return [self.receive() for _ in commands]

    @contextlib.contextmanager
    def sending(self, data):
        """with client.sending(data): ... receives meanwhile, and meets the end of the connection if there is one."""
        def send():
            with contextlib.suppress(OSError):
                self.send_bytes(data)
        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield
        finally:
            sender.join()

    def send_bytes(self, data):
        self._socket.sendall(data)

    def at_end(self):
        """Waits for what comes next: True when that is the end of the connection."""
        try:
            return not self._file.peek(1)
        except ConnectionResetError:
            return True
