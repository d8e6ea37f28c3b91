"""The clients that applications and their operators use, against the endpoint of a cache: what they say when they
connect, and what they make of the answers. Those of Node.js are installed by `npm ci` in redis_clients."""
import json
import os
import pathlib
import pty
import re
import subprocess

from harness.process import run_tool, wait_until
from harness.resp import encode
from harness.testing import ProcessTest
from redis_scene import PASSWORD, RedisTest, start

CLIENTS = pathlib.Path(__file__).resolve().parent / "redis_clients"


class ToolTest(RedisTest):
    def cli(self, *words, text=None, node=None, password=PASSWORD):
        port = (node or self.cluster.nodes[0]).redis[1]
        login = ["-a", password, "--no-auth-warning"] if password else []
        return run_tool(["redis-cli", "-h", "127.0.0.1", "-p", port, *login, *words], text)


class Cli(ToolTest):
    def test_it_talks_in_both_protocols_and_chooses_a_database(self):
        for number, options in enumerate(([], ["-2"], ["-3"], ["-n", "3"], ["-3", "-n", "5"], ["--user", "default"])):
            key = self.key(number)
            for words, answer in ((["set", key, "a value"], "OK"), (["get", key], "a value"), (["incr", key + "n"], "1"),
                                  (["get", key + "none"], ""), (["mget", key, key + "n"], "a value\n1"),
                                  (["expire", key, "1000"], "1"), (["ping"], "PONG"), (["type", key], "string")):
                self.assertEqual(self.cli(*options, *words).rstrip("\n"), answer, f"{options} {words}")
            self.assertEqual(self.cli(*options, "--no-raw", "mget", key, key + "none"), '1) "a value"\n2) (nil)\n')
            self.assertIn("ERR unknown command 'nosuch'", self.cli(*options, "nosuch"))
        self.assertEqual(json.loads(self.cli("-3", "--json", "mget", self.key(0), "none")), ["a value", None])
        self.assertEqual(json.loads(self.cli("-3", "--json", "hello"))["proto"], 3)

    def test_it_tells_who_is_not_let_in(self):
        for options in ({"password": None}, {"password": "wrong"}):
            self.assertIn("NOAUTH Authentication required.", self.cli("get", "x", **options))
        done = subprocess.run(["redis-cli", "-p", str(self.cluster.nodes[0].redis[1]), "-a", "wrong", "ping"],
                              capture_output=True, text=True, timeout=30)
        self.assertIn("AUTH failed: WRONGPASS", done.stderr)

    def test_it_reads_commands_and_values_from_its_input(self):
        self.cli("-x", "set", self.key(), text="from the\ninput\n")
        self.assertEqual(self.cli("get", self.key()), "from the\ninput\n\n")
        lines = [f"set {self.key(number)} 'value {number}'" for number in range(50)] + [f"get {self.key(49)}"]
        self.assertEqual(self.cli(text="\n".join(lines) + "\n").splitlines(), ["OK"] * 50 + ["value 49"])
        transaction = f"multi\nset {self.key('t')} 1\nincr {self.key('t')}\nexec\n"
        self.assertEqual(self.cli(text=transaction).splitlines(), ["OK", "QUEUED", "QUEUED", "OK", "2"])

    def test_it_pipes_a_file_of_commands(self):
        commands = b"".join(encode("SET", self.key(number), f"value\r\n{number}") for number in range(500))
        done = subprocess.run(["redis-cli", "-p", str(self.cluster.nodes[1].redis[1]), "-a", PASSWORD, "--pipe"],
                              input=commands + encode("INCR", self.key(0)), capture_output=True, timeout=60)
        self.assertIn(b"errors: 1, replies: 501", done.stdout)
        self.assertIn(b"value is not an integer", done.stdout + done.stderr)
        self.wait_answer(self.clients(), ["EXISTS", *(self.key(number) for number in range(500))], 500)

    def test_it_scans(self):
        self.client(database=4).pipeline([["SET", f"{kind}:{number}", "x" * number] for kind in "ab" for number in range(150)])
        self.assertEqual(len(set(self.cli("-n", "4", "--scan").split())), 300)
        found = self.cli("-n", "4", "-3", "--scan", "--pattern", "a:*").split()
        self.assertEqual(sorted(found), sorted(f"a:{number}" for number in range(150)))
        sizes = self.cli("-n", "4", "--bigkeys")
        self.assertIn("Sampled 300 keys in the keyspace!", sizes)
        self.assertRegex(sizes, r"Biggest string found '\"[ab]:149\"' has 149 bytes")

    def test_it_shows_statistics_and_delays(self):
        self.client(database=4).ok("SET", "key", "value")
        ours, its = pty.openpty()  # it fills a buffer before it writes to anything but a terminal
        process = subprocess.Popen(["redis-cli", "-p", str(self.cluster.nodes[0].redis[1]), "-a", PASSWORD, "--no-auth-warning",
                                    "--stat", "-i", "0.01"], stdin=subprocess.DEVNULL, stdout=its, stderr=its)
        os.close(its)
        try:
            shown = ""
            while len(re.findall(r"(?m)^\d+ +\S+ +\d+ +\d+ +\d+ \(\+\d+\) +\d+", shown)) < 3:
                shown += os.read(ours, 4096).decode()
        except OSError:
            self.fail(f"it ended: {shown}")
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        self.assertNotIn("ERR", shown)
        self.assertRegex(self.cli("--latency", "--raw", "-i", "0.05"), r"^\d+ \d+ [\d.]+ [1-9]\d*\n$")
        self.assertIn("db4:keys=", self.cli("info", "keyspace"))

    def test_it_listens(self):
        node = self.cluster.nodes[1]
        listener = self.run_.process("listener", [
            "stdbuf", "-oL", "redis-cli", "-p", node.redis[1], "-a", PASSWORD, "--no-auth-warning", "subscribe", self.key()]).start()
        sender = self.client()

        def heard():
            sender.ok("PUBLISH", self.key(), "a message")
            return "a message" in listener.log_text()
        try:
            wait_until(heard, 20, listener.tail)
        finally:
            listener.kill()


class Benchmark(ToolTest):
    def test_its_loads_are_served_without_an_error(self):
        counted = 0
        for pipeline, options in ((1, []), (16, []), (16, ["-3"])):
            done = subprocess.run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(self.cluster.nodes[0].redis[1]), "-a", PASSWORD,
                                   "-n", "2000", "-c", "10", "-P", str(pipeline), "-t", "get,set,incr,ping,mset", "--csv", *options],
                                  capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            told = (done.stdout + done.stderr).lower()
            self.assertNotRegex(told.replace("warning: could not fetch server config", ""), "err|warn|fail")
            for name in ("PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"):
                self.assertRegex(done.stdout, f'(?m)^"{re.escape(name)}","[1-9]')
            counted += 2000
            self.assertEqual(self.cli("get", "counter:__rand_int__"), f"{counted}\n")
        self.assertEqual(self.cli("get", "key:__rand_int__"), "VXK\n")

    def test_an_error_ends_it(self):
        # Or the case above would show nothing.
        done = subprocess.run(["redis-benchmark", "-p", str(self.cluster.nodes[0].redis[1]), "-a", PASSWORD, "-n", "10", "-c", "1",
                               "nosuch", "x"], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("ERR unknown command 'nosuch', with args beginning with: 'x' ", done.stdout + done.stderr)


class Applications(RedisTest):
    def run_client(self, *command):
        here, there = self.cluster.nodes[0].redis[1], self.cluster.nodes[1].redis[1]
        output = run_tool([*command, here, PASSWORD, there], timeout=120)
        self.assertEqual(output, "OK\n")

    def test_redis_py(self):
        self.run_client("/usr/bin/python3", CLIENTS / "redis-py.py")  # whose packages are Debian's

    def test_node_redis(self):
        self.run_client("node", CLIENTS / "node-redis.js")

    def test_ioredis(self):
        self.run_client("node", CLIENTS / "ioredis.js")

    def test_iovalkey(self):
        self.run_client("node", CLIENTS / "iovalkey.js")

    def test_valkey_glide(self):
        self.run_client("node", CLIENTS / "glide.js")


class Tls(ProcessTest):
    def test_the_endpoint_speaks_tls_and_nothing_else(self):
        certificate, key = self.run_.dir / "redis.crt", self.run_.dir / "redis.key"
        run_tool(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509", "-days", "2",
                  "-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate])
        cluster = start(self.run_, ("a",), certificate=(certificate, key), password=PASSWORD)
        common = ["redis-cli", "-h", "127.0.0.1", "-p", cluster.nodes[0].redis[1], "-a", PASSWORD, "--no-auth-warning"]
        for options in ([], ["-3"]):
            run_tool([*common, "--tls", "--cacert", certificate, *options, "set", "key", "x" * 50_000])
            self.assertEqual(run_tool([*common, "--tls", "--cacert", certificate, *options, "get", "key"]), "x" * 50_000 + "\n")
        for options in ([], ["--tls"]):  # in plain text, and not trusting it
            done = subprocess.run([str(word) for word in [*common, *options, "get", "key"]], capture_output=True, text=True,
                                  timeout=30)
            self.assertNotEqual(done.returncode, 0, done.stdout)
            self.assertNotIn("xxx", done.stdout)
