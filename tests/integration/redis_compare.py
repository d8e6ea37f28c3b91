"""Two servers, the same commands, and where their answers differ: looked for byte by byte, but for what two servers that
both answer well may answer differently (Side._normal, same)."""
import threading
import time

from harness import resp
from harness.resp import Error, Push

LONG = 4_000_000_000  # beyond so many seconds a time to live is long, and need not be told exactly
SLACK = 5  # seconds between what is the same moment to one server and to the other


class Side:
    """A server with one connection, and what it has answered."""

    def __init__(self, address, password, protocol):
        self.client = resp.Client(address, password, protocol)
        self.queued = []
        self.channels = {b"subscribe": set(), b"psubscribe": set()}

    def close(self):
        self.client.close()

    def run(self, commands):
        """The answers, each as a list that holds what can be compared; as far as there are any."""
        answers = []
        try:
            with self.client.sending(b"".join(command.encoded() for command in commands)):
                for command in commands:
                    answers.append(self._answers(command))
        except (OSError, AssertionError, ValueError) as problem:
            answers.append(Ended(f"{type(problem).__name__}: {problem}"))
        return answers

    def _answers(self, command):
        messages = []
        value, raw = self._next(messages)
        found = [self._normal(command, value, raw)]
        kind = command.name.lower().encode()
        if kind.endswith(b"subscribe") and isinstance(value, list):
            mine = self.channels[kind.replace(b"un", b"")]
            expected = len(command.words) - 1 or max(len(mine), 1)
            told = [value] + [self._next(messages)[0] for _ in range(expected - 1)]
            for _, channel, _ in told:
                (mine.discard if b"un" in kind else mine.add)(channel)
            without_names = b"un" in kind and len(command.words) == 1
            found = [raw[:1], [one[2] for one in told], sorted(map(repr, told)) if not without_names else
                     sorted(repr(one[1]) for one in told)]
        elif command.name == "RESET" and value == "RESET":
            for channels in self.channels.values():
                channels.clear()
        elif command.whole_scan and isinstance(value, list) and len(value) == 2:
            found = [("keys", sorted(set(self._scan_on(command, value))))]
        return found + sorted(messages)

    def _next(self, messages):
        while True:
            value, raw = self.client.receive_both()
            if not (isinstance(value, Push) and value[0] in (b"message", b"pmessage")):
                return value, raw
            messages.append(raw)

    def _scan_on(self, command, value):
        """All pages; `command` was the only one of its batch."""
        cursor, found = value
        for _ in range(10_000):
            if cursor == b"0":
                return found
            cursor, page = self.client.ok("SCAN", cursor, *command.words[2:])
            found += page
        raise AssertionError("the scan does not end")

    def _normal(self, command, value, raw):
        name = command.name
        if raw == b"+QUEUED\r\n":
            self.queued.append(command)
            return raw
        if name in ("EXEC", "DISCARD", "RESET") and not (name == "DISCARD" and isinstance(value, Error)):
            queued, self.queued = self.queued, []
            if name == "EXEC" and isinstance(value, list) and len(value) == len(queued):
                return [self._normal(one, *element) for one, element in zip(queued, resp.elements(raw))]
            return raw
        if isinstance(value, Error):
            return raw
        if name in ("TTL", "PTTL") and value >= 0:
            return ("left", value if name == "TTL" else value / 1000)
        if name == "HELLO":
            told = value if isinstance(value, dict) else dict(zip(value[::2], value[1::2]))
            return ("hello", raw[:2], sorted(told), told.get(b"proto"))
        if name == "KEYS":
            return ("keys", sorted(value))
        if name == "SCAN" and isinstance(value, list):
            return ("scan", raw[:2])
        if name == "COMMAND":
            return ("kind", raw[:1])
        if name == "INFO" or name == "CLIENT" and command.words[1].upper() in (b"LIST", b"INFO", b"ID"):
            return ("kind", raw[:1], bool(value))
        return raw


class Ended(str):
    """Why there are no more answers."""


def same(one, other):
    if isinstance(one, Ended) or isinstance(other, Ended):
        return False
    if isinstance(one, tuple) and isinstance(other, tuple) and one[0] == other[0] == "left":
        return abs(one[1] - other[1]) <= SLACK or min(one[1], other[1]) > LONG
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def batches(commands, size=40):
    """What is sent in one piece, in order."""
    batch = []
    for command in commands:
        if batch and (command.alone or batch[-1].alone or len(batch) == size):
            yield batch
            batch = []
        batch.append(command)
    if batch:
        yield batch


def difference(addresses, password, protocol, commands):
    """(place, answer of the first, answer of the other) where they first differ, from empty caches on; None."""
    sides = []
    for address in addresses:
        with resp.Client(address, password) as client:
            client.ok("FLUSHALL")
        sides.append(Side(address, password, protocol))
    try:
        place = 0
        for batch in batches(commands):
            answers = [None, None]

            def run(number):
                answers[number] = sides[number].run(batch)
            other = threading.Thread(target=run, args=(1,))
            other.start()
            run(0)
            other.join()
            for number in range(len(batch)):
                pair = [one[number] if number < len(one) else Ended("before") for one in answers]
                if not same(*pair):
                    return place + number, *pair
            place += len(batch)
        return None
    finally:
        for side in sides:
            side.close()


def smallest(differs, commands, seconds=60):
    """Fewer commands of which the last is still answered differently: drops what it can, larger pieces first."""
    size, end = len(commands) // 2, time.monotonic() + seconds
    while size and time.monotonic() < end:
        place = 0
        while place < len(commands) - 1 and time.monotonic() < end:
            fewer = commands[:place] + commands[min(place + size, len(commands) - 1):]
            found = differs(fewer)
            if found:
                commands = fewer[:found[0] + 1]
            else:
                place += size
        size //= 2
    return commands
