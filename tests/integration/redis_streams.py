"""Random commands as clients might send them, right and wrong ones, and what may differ between two servers that both
answer them well: the difference is looked for in everything else, byte for byte.

No key comes to its end while a stream runs, for the two servers would not see it at the same command: what has an end has
it far away, or in the past. No two ends are near each other, so that GT and LT decide the same way.
"""
import random
import threading
import time

from harness import resp
from harness.resp import Error, Push

OTHER_TYPES = ("HSET", "HGET", "LPUSH", "LRANGE", "SADD", "SMEMBERS", "ZADD", "XADD", "GEOADD", "PFADD")
LARGEST, SMALLEST = 2**63 - 1, -2**63
NO_NUMBERS = ["x", "", "1.5", " 1", "1 ", "+1", "01", "-0", "0x10", "1e3", str(LARGEST + 1), str(SMALLEST - 1), "-", "9" * 30]
LONG = 4_000_000_000  # beyond so many seconds a time to live is long, and need not be told exactly
SLACK = 5  # seconds between what is the same moment to one server and to the other


class Command:
    """Words, and how they are sent. alone: once all before it is answered, and before anything else is sent."""

    def __init__(self, words, inline=False, whole_scan=False, alone=False):
        self.words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.inline, self.whole_scan, self.alone = inline, whole_scan, alone or whole_scan

    def encoded(self):
        if not self.inline:
            return resp.encode(*self.words)
        return b" ".join(b'"' + b"".join(b"\\x%02x" % byte if byte in b'"\\' or not 32 <= byte < 127 else bytes([byte])
                                         for byte in word) + b'"' for word in self.words) + b"\r\n"

    @property
    def name(self):
        return self.words[0].upper().decode("latin-1")

    def __repr__(self):
        words = " ".join(repr(word)[1:] for word in self.words)
        return words + (" (inline)" if self.inline else "") + (" (whole scan)" if self.whole_scan else "")


class Stream:
    """The commands of a seed, for a connection that begins with this version of the protocol and returns to it."""

    def __init__(self, seed, protocol, password):
        self.random = random.Random(seed)
        self.protocol, self.password = protocol, password
        self.now = int(time.time())
        self.ends = self.random.sample(range(10, 900_000), 20_000)
        self.multi = self.stranger = False
        self.subscribed, self.three = False, protocol == 3
        # What is made, and how often.
        self.makers = [(getattr(self, name), weight) for name, weight in (
            ("get", 6), ("set", 14), ("set_older", 5), ("many", 7), ("count", 9), ("append", 5), ("expire", 12), ("live", 8),
            ("getex", 6), ("scan", 3), ("keys", 3), ("flush", 0.5), ("transaction", 6), ("connection", 4), ("hello", 2),
            ("login", 2), ("client", 3), ("messages", 2), ("nothing", 3), ("server", 1))]

    def commands(self, count):
        made = []
        while len(made) < count:
            (maker,) = self.random.choices([one for one, _ in self.makers], [weight for _, weight in self.makers])
            for words in maker():
                made.append(self.sent(words))
            if self.stranger and self.random.random() < 0.3:
                made += [self.sent(["AUTH", self.password]), self.sent(["HELLO", self.protocol])]
            if self.subscribed and not self.three and self.random.random() < 0.3:
                made += [self.sent(["UNSUBSCRIBE"]), self.sent(["PUNSUBSCRIBE"])]
        return made

    def sent(self, words):
        """Sometimes in another case, with words too few or too many at its end, or inline."""
        words = [str(word) if not isinstance(word, bytes) else word for word in words]
        change = self.random.random()
        if change < 0.04 and len(words) > 1:
            words = words[:self.random.randrange(1, len(words))]
        elif change < 0.08:
            words = words + [self.random.choice(["FOO", "x", "", "NX", "1", "COUNT"]) for _ in range(self.random.randint(1, 2))]
        words = words[:10]  # a stranger who says more is sent away
        if self.random.random() < 0.2:
            words[0] = "".join(self.random.choice([letter.lower(), letter.upper()]) for letter in words[0])
        whole_scan = words[0].upper() == "SCAN" and words[1:2] == ["0"] and not self.multi
        # Redis sends a stranger away who lets a kilobyte of answers wait.
        alone = self.stranger or words[0].upper() == "RESET"
        self.follow(words)
        return Command(words, self.random.random() < 0.08, whole_scan, alone)

    def follow(self, words):
        """What the connection is in afterwards; sent() may have made another command of it."""
        name, count = words[0].upper(), len(words)
        if name == "RESET" and count == 1:
            self.multi = self.subscribed = self.three = False
            self.stranger = True
        elif name == "AUTH" and words[-1] == self.password and (count == 2 or count == 3 and words[1] == "default"):
            self.stranger = self.stranger and self.multi
        elif self.stranger or (self.subscribed and not self.three and "SUBSCRIBE" not in name):
            pass
        elif name == "MULTI" and count == 1:
            self.multi = True
        elif name == "EXEC" or name == "DISCARD" and count == 1:
            self.multi = False
        elif name in ("SUBSCRIBE", "PSUBSCRIBE") and count > 1:
            self.subscribed = True
        elif name == "PUNSUBSCRIBE" and count == 1:
            self.subscribed = False  # UNSUBSCRIBE goes before
        elif name == "HELLO" and words[1:2] in (["2"], ["3"]):
            self.three = words[1] == "3"  # or it was refused: then less is sent than might be

    # Words

    def key(self):
        return self.random.choice(["k1", "k2", "k3", "k4", "k5", "k6", "k1", "k2", "", b"k\0\xff\r\n", "K1"])

    def value(self):
        return self.random.choice(["", "a", "abc", b"\r\n\0\xff", "x" * 300, "0", "1", "-7", "41", LARGEST, SMALLEST, LARGEST - 1,
                                   *NO_NUMBERS])

    def number(self):
        return self.random.choice(["0", "1", "-1", "7", "1000000", LARGEST, SMALLEST, SMALLEST + 1, *self.random.sample(NO_NUMBERS, 3)])

    def option(self, *names):
        name = self.random.choice(names)
        return self.random.choice([name, name, name.lower(), name.capitalize()])

    def end(self, unit, compared=False):
        """A number for EX, PX, EXAT or PXAT that means a time far away, or over, or nothing at all. compared: not so far
        that it counts as long."""
        if self.random.random() < 0.15:
            return self.random.choice(NO_NUMBERS)
        if self.random.random() < 0.15:
            over = [0, -1, -1000, SMALLEST, SMALLEST // 1000 - 1] + ([1, 1000, self.now - 100] if unit.endswith("AT") else [])
            return self.random.choice(over)
        if self.random.random() < 0.1 and not compared:
            return self.random.choice([LARGEST, LARGEST // 1000 + 1, 10**13])
        seconds = 100 * self.ends.pop() + (self.now + 50 if unit.endswith("AT") else 0)
        return seconds * 1000 if unit.startswith("P") else seconds

    def timed(self, *more):
        unit = self.random.choice(["EX", "PX", "EXAT", "PXAT"])
        return [self.option(unit), self.end(unit), *more]

    # Commands

    def get(self):
        yield [self.option("GET", "GET", "STRLEN", "TYPE", "EXISTS", "GETDEL"), self.key()]

    def set(self):
        options = []
        for _ in range(self.random.choice([0, 0, 1, 1, 2, 3])):
            options += self.random.choice([lambda: [self.option("NX", "XX", "GET", "KEEPTTL")], self.timed,
                                           lambda: [self.option("NX", "XX", "GET")], lambda: ["PERSIST"] if self.random.random() < .2 else []])()
        yield ["SET", self.key(), self.value(), *options]

    def set_older(self):
        unit = self.random.choice(["EX", "PX"])
        yield self.random.choice([["SETNX", self.key(), self.value()],
                                  [{"EX": "SETEX", "PX": "PSETEX"}[unit], self.key(), self.end(unit), self.value()]])

    def many(self):
        count = self.random.randint(1, 4)
        yield self.random.choice([
            ["MSET", *(word for _ in range(count) for word in (self.key(), self.value()))],
            [self.option("MGET", "DEL", "UNLINK", "EXISTS"), *(self.key() for _ in range(count))]])

    def count(self):
        yield self.random.choice([[self.option("INCR", "DECR"), self.key()],
                                  [self.option("INCRBY", "DECRBY"), self.key(), self.number()]])

    def append(self):
        yield ["APPEND", self.key(), self.value()]
        yield ["GET", self.key()]

    def expire(self):
        options = [self.option("NX", "XX", "GT", "LT") for _ in range(self.random.choice([0, 0, 1, 1, 2]))]
        if self.random.random() < 0.05:
            options.append("FOO")
        name, unit = self.random.choice([("EXPIRE", "EX"), ("PEXPIRE", "PX"), ("EXPIREAT", "EXAT")])
        yield [name, self.key(), self.end(unit, compared=bool(options)), *options]

    def live(self):
        yield [self.option("TTL", "PTTL", "TTL", "PERSIST"), self.key()]

    def getex(self):
        yield ["GETEX", self.key(), *self.random.choice([lambda: [], self.timed, self.timed, lambda: [self.option("PERSIST")],
                                                         lambda: self.timed("PERSIST"), lambda: [self.option("KEEPTTL", "NX", "FOO")],
                                                         lambda: self.timed(*self.timed())])()]

    def pattern(self):
        return self.random.choice(["*", "k*", "k?", "k[1-3]", "k[^1]", "[kK]1", "*\\*", "", "k", "?", "none*", "k[3-1]", "*1"])

    def scan(self):
        options = []
        for _ in range(self.random.choice([0, 1, 1, 2])):
            options += self.random.choice([[self.option("MATCH"), self.pattern()], [self.option("COUNT"), self.random.choice(
                ["1", "3", "100", "0", "-1", "x", "", LARGEST])], [self.option("TYPE"), self.random.choice(["string", "hash", "x"])],
                ["FOO"], ["FOO", "x"]])
        yield ["SCAN", self.random.choice(["0", "0", "0", "0", "x", "", " 0", 2**64, "0x1"]), *options]

    def keys(self):
        yield self.random.choice([["KEYS", self.pattern()], ["DBSIZE"]])

    def flush(self):
        yield [self.option("FLUSHDB", "FLUSHALL"), *self.random.choice([[], [], ["ASYNC"], ["sync"], ["x"], ["ASYNC", "SYNC"]])]

    def transaction(self):
        yield ["MULTI"]
        makers = [self.get, self.set, self.set_older, self.many, self.count, self.append, self.expire, self.live, self.getex,
                  self.keys, self.nothing, self.connection, self.client]
        for _ in range(self.random.randint(0, 6)):
            for words in self.random.choice(makers)():
                if words[0] != "RESET" or self.random.random() < 0.1:
                    yield words
        yield self.random.choice([["EXEC"], ["EXEC"], ["EXEC"], ["EXEC"], ["DISCARD"], ["MULTI"], ["EXEC", "x"]])
        if self.multi:
            yield ["EXEC"]
        if self.random.random() < 0.1:
            yield [self.option("EXEC", "DISCARD")]

    def connection(self):
        yield self.random.choice([["PING"], ["PING", self.value()], ["ECHO", self.value()], ["SELECT", self.random.choice(
            ["0", "0", "1", "15", "16", "-1", "x", "", 2**31, 2**31 - 1, -2**31 - 1, LARGEST + 1])], ["SELECT", "0"]])

    def hello(self):
        options = self.random.choice([[], [], ["SETNAME", self.name()], ["AUTH", "default", self.password], ["AUTH", "default", "x"],
                                      ["AUTH", "nobody", self.password], ["AUTH"], ["FOO"], ["SETNAME"],
                                      ["AUTH", "default", self.password, "SETNAME", self.name()]])
        yield ["HELLO", *self.random.choice([[], ["2"], ["3"], ["2"], ["3"], ["4"], ["1"], ["x"], [""], ["3.0"], ["-3"]]), *options]
        if self.random.random() < 0.8:
            yield ["HELLO", self.protocol]

    def login(self):
        yield self.random.choice([["AUTH", self.password], ["AUTH", "default", self.password], ["AUTH", "x"], ["AUTH", "nobody", "x"],
                                  ["AUTH", "", ""], ["AUTH", "a", "b", "c"], ["RESET"], ["RESET"]])

    def name(self):
        return self.random.choice(["me", "you", "", "a b", "a\nb", "ä", "~!"])

    def client(self):
        yield ["CLIENT", *self.random.choice([["SETNAME", self.name()], ["GETNAME"], ["getname"], ["ID"], ["INFO"], ["LIST"], ["FOO"],
                                              ["x" * 200, "y"], []])]

    def messages(self):
        if self.multi:  # where confirmations are parts of an array that does not count them
            return
        channels = self.random.sample(["news", "nows", "k1", "", b"\xff\0"], self.random.randint(1, 3))
        patterns = self.random.sample(["n*", "n?ws", "*", "[k]1"], self.random.randint(1, 2))
        yield self.random.choice([["SUBSCRIBE", *channels], ["PSUBSCRIBE", *patterns], ["SUBSCRIBE", *channels]])
        for _ in range(self.random.randint(0, 4)):
            yield self.random.choice([["PUBLISH", self.random.choice(channels), self.value()], ["PING"], ["PING", "x"],
                                      ["UNSUBSCRIBE", *channels], ["PUNSUBSCRIBE", *patterns], ["SUBSCRIBE", *channels], ["GET", "k1"],
                                      ["NOSUCH"], ["PUBLISH", "news", "x"]])
        yield ["UNSUBSCRIBE"]
        yield ["PUNSUBSCRIBE"]

    def nothing(self):
        yield self.random.choice([["NOSUCH"], ["NOSUCH", self.value(), self.value()], ["", "x"], ["x" * 200, "y" * 200, "z"],
                                  [self.random.choice(OTHER_TYPES), self.key(), "a", "b"], ["GET\r\n"], ["SET" + "T" * 40, "a'b"],
                                  [self.random.choice(OTHER_TYPES)], ["NOSUCH", *("abcdefghijklmnopqrstuvwxyz"[place:] for place in range(8))]])

    def server(self):
        yield self.random.choice([["INFO"], ["INFO", "server"], ["INFO", "nosuch"], ["COMMAND"], ["CONFIG"], ["CONFIG", "GET"],
                                  ["CONFIG", "FOO"]])


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
                return [self._normal(*one) for one in ((command, *element) for command, element in zip(queued, resp.elements(raw)))]
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
        if name in ("INFO", "COMMAND") or name == "CLIENT" and command.words[1].upper() in (b"LIST", b"INFO", b"ID"):
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
