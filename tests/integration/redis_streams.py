"""Random commands as clients might send them, right and wrong ones, for two servers that are to be compared.

No key comes to its end while a stream runs, for the servers would not see it at the same command: what has an end has
it far away, or in the past. No two ends are near each other, so that GT and LT decide the same way.
"""
import random
import time

from harness import resp

OTHER_TYPES = ("HSET", "HGET", "LPUSH", "LRANGE", "SADD", "SMEMBERS", "ZADD", "XADD", "GEOADD", "PFADD")
LARGEST, SMALLEST = 2**63 - 1, -2**63
NO_NUMBERS = ["x", "", "1.5", " 1", "1 ", "+1", "01", "-0", "0x10", "1e3", "-", "9" * 30, LARGEST + 1, SMALLEST - 1]


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
            ("get", 6), ("set", 14), ("set_older", 5), ("many", 7), ("count", 9), ("append", 5), ("expire", 12),
            ("live", 8), ("getex", 6), ("scan", 3), ("keys", 3), ("flush", 0.5), ("transaction", 6), ("connection", 4), ("hello", 2),
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
        change = self.random.random() if words[0] != "COMMAND" else 1
        if change < 0.04 and len(words) > 1:
            words = words[:self.random.randrange(1, len(words))]
        elif change < 0.08:
            words = words + self.random.choices(["FOO", "x", "", "NX", "1", "COUNT"], k=self.random.randint(1, 2))
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

    def pick(self, *texts):
        """One of the texts, as words."""
        return self.random.choice(texts).split()

    def key(self):
        return self.random.choice(["k1", "k2", "k3", "k4", "k5", "k6", "k1", "k2", "", b"k\0\xff\r\n", "K1"])

    def value(self):
        return self.random.choice(["", "a", "abc", b"\r\n\0\xff", "x" * 300, "0", "1", "-7", "41", LARGEST, SMALLEST,
                                   LARGEST - 1, *NO_NUMBERS])

    def number(self):
        right = ["0", "1", "-1", "7", "1000000", LARGEST, SMALLEST, SMALLEST + 1]
        return self.random.choice(right + self.random.sample(NO_NUMBERS, 3))

    def name(self):
        return self.random.choice(["me", "you", "", "a b", "a\nb", "ä", "~!"])

    def pattern(self):
        return self.random.choice(["*", "k*", "k?", "k[1-3]", "k[^1]", "[kK]1", "*\\*", "", "k", "?", "none*", "k[3-1]", "*1"])

    def option(self, *names):
        name = self.random.choice(names)
        return self.random.choice([name, name, name.lower(), name.capitalize()])

    def end(self, unit, compared=False):
        """A number for EX, PX, EXAT or PXAT: a time far away, or one that is over, or no time at all. compared: not so
        far that it counts as long."""
        if self.random.random() < 0.15:
            return self.random.choice(NO_NUMBERS)
        if self.random.random() < 0.15:
            past = [1, 1000, self.now - 100] if unit.endswith("AT") else []
            return self.random.choice([0, -1, -1000, SMALLEST, SMALLEST // 1000 - 1, *past])
        if self.random.random() < 0.1 and not compared:
            return self.random.choice([LARGEST, LARGEST // 1000 + 1, 10**13])
        seconds = 100 * self.ends.pop() + (self.now + 50 if unit.endswith("AT") else 0)
        return seconds * 1000 if unit.startswith("P") else seconds

    def timed(self):
        unit = self.random.choice(["EX", "PX", "EXAT", "PXAT"])
        return [self.option(unit), self.end(unit)]

    # Commands

    def get(self):
        yield [self.option("GET", "GET", "STRLEN", "TYPE", "EXISTS", "GETDEL"), self.key()]

    def set(self):
        options = []
        for _ in range(self.random.choice([0, 0, 1, 1, 2, 3])):
            options += self.timed() if self.random.random() < 0.3 else [self.option("NX", "XX", "GET", "KEEPTTL", "XX", "GET")]
        if self.random.random() < 0.03:
            options.append("PERSIST")
        yield ["SET", self.key(), self.value(), *options]

    def set_older(self):
        name, unit = self.random.choice([("SETEX", "EX"), ("PSETEX", "PX")])
        yield self.random.choice([["SETNX", self.key(), self.value()], [name, self.key(), self.end(unit), self.value()]])

    def many(self):
        keys = [self.key() for _ in range(self.random.randint(1, 4))]
        yield self.random.choice([["MSET", *(word for key in keys for word in (key, self.value()))],
                                  [self.option("MGET", "DEL", "UNLINK", "EXISTS"), *keys]])

    def count(self):
        yield self.random.choice([[self.option("INCR", "DECR"), self.key()],
                                  [self.option("INCRBY", "DECRBY"), self.key(), self.number()]])

    def append(self):
        key = self.key()
        yield ["APPEND", key, self.value()]
        yield ["GET", key]

    def expire(self):
        options = [self.option("NX", "XX", "GT", "LT") for _ in range(self.random.choice([0, 0, 1, 1, 2]))]
        if self.random.random() < 0.05:
            options.append("FOO")
        name, unit = self.random.choice([("EXPIRE", "EX"), ("PEXPIRE", "PX"), ("EXPIREAT", "EXAT")])
        yield [name, self.key(), self.end(unit, compared=bool(options)), *options]

    def live(self):
        yield [self.option("TTL", "PTTL", "TTL", "PERSIST"), self.key()]

    def getex(self):
        kind = self.random.random()
        options = self.timed() if kind < 0.6 else [self.option("PERSIST", "KEEPTTL", "NX", "FOO")] if kind < 0.8 else []
        if self.random.random() < 0.2:
            options += self.random.choice([self.timed(), ["PERSIST"]])
        yield ["GETEX", self.key(), *options]

    def scan(self):
        options = []
        for _ in range(self.random.choice([0, 1, 1, 2])):
            count = self.random.choice(["1", "3", "100", "0", "-1", "x", "", LARGEST])
            options += self.random.choice([[self.option("MATCH"), self.pattern()], [self.option("COUNT"), count],
                                           [self.option("TYPE"), self.random.choice(["string", "hash", "x"])],
                                           *([["FOO"], ["FOO", "x"]] if self.random.random() < 0.3 else [])])
        yield ["SCAN", self.random.choice(["0"] * 8 + ["x", "", " 0", 2**64, "0x1"]), *options]

    def keys(self):
        # Redis counts keys whose end was set in the past until it has looked at them, so DBSIZE is only refused here.
        yield self.random.choice([["KEYS", self.pattern()], ["DBSIZE", "x"]])

    def flush(self):
        yield [self.option("FLUSHDB", "FLUSHALL"), *self.pick("", "", "ASYNC", "sync", "x", "ASYNC SYNC")]

    def transaction(self):
        yield ["MULTI"]
        makers = [self.get, self.set, self.set_older, self.many, self.count, self.append, self.expire, self.live,
                  self.getex, self.keys, self.nothing, self.connection, self.client]
        for _ in range(self.random.randint(0, 6)):
            yield from self.random.choice(makers)()
        yield self.pick("EXEC", "EXEC", "EXEC", "EXEC", "DISCARD", "MULTI", "EXEC x")
        if self.multi:
            yield ["EXEC"]
        if self.random.random() < 0.1:
            yield [self.option("EXEC", "DISCARD")]

    def connection(self):
        database = self.random.choice(["0", "0", "1", "15", "16", "-1", "x", "", 2**31, 2**31 - 1, -2**31 - 1, LARGEST + 1])
        yield self.random.choice([["PING"], ["PING", self.value()], ["ECHO", self.value()], ["SELECT", database], ["SELECT", "0"]])

    def hello(self):
        right = ["AUTH", "default", self.password]
        yield ["HELLO", *self.pick("", "2", "3", "2", "3", "2", "3", "4", "1", "x", "3.0", "-3"), *self.random.choice([
            [], [], ["SETNAME", self.name()], right, [*right, "SETNAME", self.name()], ["AUTH", "default", "x"],
            ["AUTH", "nobody", self.password], ["AUTH"], ["FOO"], ["SETNAME"]])]
        if self.random.random() < 0.8:
            yield ["HELLO", self.protocol]

    def login(self):
        yield self.random.choice([["AUTH", self.password], ["AUTH", "default", self.password], ["AUTH", "", ""],
                                  self.pick("AUTH x", "AUTH nobody x", "AUTH a b c"), ["RESET"], ["RESET"]])

    def client(self):
        yield ["CLIENT", *self.random.choice([["SETNAME", self.name()], ["x" * 200, "y"],
                                              self.pick("GETNAME", "getname", "ID", "INFO", "LIST", "FOO", "")])]

    def messages(self):
        if self.multi:  # where confirmations are parts of an array that does not count them
            return
        channels = self.random.sample(["news", "nows", "k1", "", b"\xff\0"], self.random.randint(1, 3))
        patterns = self.random.sample(["n*", "n?ws", "*", "[k]1"], self.random.randint(1, 2))
        yield self.random.choice([["SUBSCRIBE", *channels], ["PSUBSCRIBE", *patterns], ["SUBSCRIBE", *channels]])
        for _ in range(self.random.randint(0, 4)):
            yield self.random.choice([["PUBLISH", self.random.choice(channels), self.value()], ["PUBLISH", "news", "x"],
                                      ["SUBSCRIBE", *channels], ["UNSUBSCRIBE", *channels], ["PUNSUBSCRIBE", *patterns],
                                      self.pick("PING", "PING x", "GET k1", "NOSUCH")])
        yield ["UNSUBSCRIBE"]
        yield ["PUNSUBSCRIBE"]

    def nothing(self):
        others = self.random.choice(OTHER_TYPES)
        yield self.random.choice([["NOSUCH"], ["NOSUCH", self.value(), self.value()], ["", "x"], ["GET\r\n"],
                                  ["x" * 200, "y" * 200, "z"], [others], [others, self.key(), "a", "b"], ["SETT", "a'b"],
                                  ["NOSUCH", *("abcdefghijklmnopqrstuvwxyz"[place:] for place in range(8))]])

    def server(self):
        yield self.pick("INFO", "INFO server", "INFO nosuch", "COMMAND", "CONFIG", "CONFIG GET", "CONFIG FOO")
