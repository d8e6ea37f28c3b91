"""What the tests of a cache's Redis endpoint share: a cluster in which every node has the endpoint, clients of it."""
import shlex

from harness import cluster, process, resp
from harness.process import wait_until
from harness.testing import ProcessTest, program

PASSWORD = "secret"
NUMBER = "-ERR value is not an integer or out of range"
KEYS = [f"K{number}" if number else "K" for number in range(10)]


def arity(name):
    return f"-ERR wrong number of arguments for '{name}' command"


def expire(name):
    return f"-ERR invalid expire time in '{name}' command"


def start(run, names=("a", "b", "c"), certificate=None, upstream="http://127.0.0.1:9", **endpoint):
    """A cluster that is up; `redis` of each node is the address of its endpoint, which `endpoint` may configure
    further. certificate: the paths of a certificate and its key, to speak TLS with."""
    def customize(config, node):
        config["caches"] = [{"name": "shared", "type": "cluster", "cluster": {"name": "main"},
                             "endpoint": {"address": "%s:%d" % node.redis, **endpoint}}]
        if certificate:
            config["tls"] = {"front": {"certFile": str(certificate[0]), "keyFile": str(certificate[1])}}
            config["caches"][0]["endpoint"]["tls"] = "front"

    made = cluster.Cluster(run, program(), names, upstream, customize=customize)
    for node in made.nodes:
        node.redis = (node.host, run.ports.next())
    return made.start()


class About(int):
    """Equal to what is left of so many seconds when at most a minute of them is gone."""
    __hash__ = None

    def __eq__(self, other):
        return int(self) - 60 <= other <= int(self)


class RedisTest(ProcessTest):
    """The tests of a class share one cluster; each has keys of its own: key("name")."""
    names = ("a", "b", "c")
    endpoint = {"password": PASSWORD}

    @classmethod
    def setUpClass(cls):
        cls.run_ = process.Run().__enter__()
        cls.addClassCleanup(cls.run_.close)
        try:
            cls.cluster = start(cls.run_, cls.names, **cls.endpoint)
        except process.Failure as problem:
            raise AssertionError(f"{problem}\n{cls.run_.tails()}") from None

    def setUp(self):
        pass

    def key(self, name="key"):
        return f"{self._testMethodName[5:45]}:{name}"

    def stranger(self, node=None):
        """A connection that has not said anything yet."""
        made = resp.Client((node or self.cluster.nodes[0]).redis)
        self.addCleanup(made.close)
        return made

    def client(self, node=None, protocol=2, database=0):
        made = resp.Client((node or self.cluster.nodes[0]).redis, self.endpoint.get("password"), protocol)
        self.addCleanup(made.close)
        if database:
            made.ok("SELECT", database)
        return made

    def clients(self, protocol=2, database=0):
        """One on each node."""
        return [self.client(node, protocol, database) for node in self.cluster.nodes]

    def wait_answer(self, clients, words, expected, timeout=20):
        """Until each of the clients is answered so."""
        for client in clients:
            wait_until(lambda: client.call(*words) == expected, timeout,
                       lambda: f"{words} to be {expected!r}; it is {client.call(*words)!r}")

    def talk(self, client, lines, null=None):
        """lines: (command, answer) in order. The command is written as in a shell; K, K1 to K9 stand for keys of this
        test. null: the bytes of an answer that is None."""
        for line, expected in lines:
            words = [self.key(word) if word in KEYS else word for word in shlex.split(line)]
            client.send_bytes(resp.encode(*words))
            answer, raw = client.receive_both()
            if answer is None and null:
                self.assertEqual(raw, null, f"the answer to {line!r}")
            if isinstance(expected, str) and expected.startswith("-"):
                expected = resp.Error(expected[1:])
            self.assertEqual(answer, expected, f"the answer to {line!r}")

    def both(self, lines):
        """The same talk in RESP2 and RESP3, each from keys that are not there."""
        for protocol in (2, 3):
            client = self.client(protocol=protocol)
            client.ok("DEL", *map(self.key, KEYS))
            self.talk(client, lines, null=b"$-1\r\n" if protocol == 2 else b"_\r\n")

    def assert_alive(self, client):
        self.assertEqual(client.call("PING"), "PONG")
