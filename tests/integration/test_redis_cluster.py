"""One cache behind the endpoints of three nodes: what one takes the others have, what must be decided once is, and a
node that dies takes nothing along."""
import threading
import time

from harness import resp
from harness.process import wait_until
from harness.resp import Error, Push
from harness.testing import ProcessTest
from redis_scene import About, RedisTest, start


def at_once(*works):
    """Runs them in threads that begin together; their results, in order."""
    gate, results = threading.Barrier(len(works)), [None] * len(works)

    def run(number, work):
        gate.wait()
        try:
            results[number] = work()
        except Exception as problem:  # told by the assertion that meets it
            results[number] = problem
    threads = [threading.Thread(target=run, args=one) for one in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class OneCache(RedisTest):
    def test_a_write_on_one_node_is_read_on_the_others(self):
        for number, writer in enumerate(self.clients()):
            for protocol in (2, 3):
                key = self.key(f"{number}-{protocol}")
                writer.ok("SET", key, "first")
                self.wait_answer(self.clients(protocol), ["GET", key], b"first")
                writer.ok("SET", key, "second")
                self.wait_answer(self.clients(protocol), ["GET", key], b"second")
                writer.ok("DEL", key)
                self.wait_answer(self.clients(protocol), ["GET", key], None)
                self.wait_answer(self.clients(protocol), ["EXISTS", key], 0)

    def test_a_node_reads_what_it_has_taken_itself_at_once(self):
        for client in self.clients():
            for number in range(200):
                self.assertEqual(client.call("SET", self.key(), number), "OK")
                self.assertEqual(client.call("GET", self.key()), str(number).encode())
                self.assertEqual(client.call("DEL", self.key()), 1)
                self.assertEqual(client.call("GET", self.key()), None)

    def test_every_command_that_writes_is_seen_everywhere(self):
        a, b, c = self.clients()
        for writer, words, reading, expected in (
                (a, ["MSET", self.key(1), "1", self.key(2), "2"], ["MGET", self.key(1), self.key(2)], [b"1", b"2"]),
                (b, ["INCRBY", self.key(1), 41], ["GET", self.key(1)], b"42"),
                (c, ["APPEND", self.key(2), "!"], ["GET", self.key(2)], b"2!"),
                (a, ["SETEX", self.key(3), 1000, "x"], ["TTL", self.key(3)], About(1000)),
                (b, ["PERSIST", self.key(3)], ["TTL", self.key(3)], -1),
                (c, ["EXPIRE", self.key(3), 500], ["TTL", self.key(3)], About(500)),
                (a, ["SETNX", self.key(4), "x"], ["GET", self.key(4)], b"x"),
                (b, ["SET", self.key(4), "y", "XX", "KEEPTTL"], ["GET", self.key(4)], b"y"),
                (c, ["GETEX", self.key(4), "EX", 1000], ["TTL", self.key(4)], About(1000)),
                (a, ["GETDEL", self.key(4)], ["EXISTS", self.key(4)], 0),
                (b, ["UNLINK", self.key(1), self.key(2)], ["EXISTS", self.key(1), self.key(2)], 0),
                (c, ["EXPIRE", self.key(3), -1], ["EXISTS", self.key(3)], 0)):
            writer.ok(*words)
            self.wait_answer([a, b, c], reading, expected)

    def test_scan_keys_and_dbsize_tell_of_what_all_have_written(self):
        clients = self.clients(database=1)
        for number, client in enumerate(clients):
            client.pipeline([["SET", f"{number}:{key}", "x"] for key in range(100)])
        names = sorted(f"{number}:{key}".encode() for number in range(3) for key in range(100))
        self.wait_answer(clients, ["DBSIZE"], 300)
        for client in clients:
            self.assertEqual(sorted(client.ok("KEYS", "*")), names)
            cursor, found = client.ok("SCAN", 0, "COUNT", 20)
            while cursor != b"0":
                cursor, page = client.ok("SCAN", cursor, "COUNT", 20)
                found += page
            self.assertEqual(sorted(found), names)
        self.assertEqual(clients[0].ok("DEL", *names[:100]), 100)
        self.wait_answer(clients, ["DBSIZE"], 200)

    def test_flushdb_empties_one_database_everywhere_and_flushall_all(self):
        twos, threes = self.clients(database=2), self.clients(database=3)
        for turn, (two, three) in enumerate(zip(twos, threes)):
            two.pipeline([["SET", f"key:{number}", turn] for number in range(50)])
            three.ok("SET", "stays", turn)
            self.wait_answer(twos, ["DBSIZE"], 50)
            self.wait_answer(threes, ["GET", "stays"], str(turn).encode())
            self.assertEqual(twos[turn - 1].call("FLUSHDB"), "OK")
            self.wait_answer(twos, ["DBSIZE"], 0)
            self.wait_answer(twos, ["KEYS", "*"], [])
            self.assertEqual([client.call("GET", "stays") for client in threes], [str(turn).encode()] * 3)
        twos[0].ok("SET", "x", "x")
        self.wait_answer(twos, ["DBSIZE"], 1)
        self.assertEqual(threes[1].call("FLUSHALL"), "OK")
        self.wait_answer(twos + threes, ["DBSIZE"], 0)
        twos[1].ok("SET", "x", "again")
        self.wait_answer(twos, ["GET", "x"], b"again")

    def test_what_is_over_is_over_on_every_node(self):
        clients = self.clients()
        for protocol in (2, 3):
            for number, writer in enumerate(clients):
                writer.ok("SET", self.key(number), "x", "PX", 400)
                writer.ok("SET", self.key(f"long{number}"), "x", "PX", 400_000)
            self.wait_answer(clients, ["EXISTS", self.key(0), self.key(1), self.key(2)], 0)
            for client in self.clients(protocol):
                self.wait_answer([client], ["EXISTS", *(self.key(f"long{number}") for number in range(3))], 3)
                for number in range(3):
                    self.assertEqual(client.call("GET", self.key(number)), None)
                    self.assertEqual(client.call("TTL", self.key(f"long{number}")), About(400))

    def test_the_end_of_a_life_is_the_same_time_on_every_node(self):
        clients = self.clients()
        end = int(time.time()) + 1000
        for command, value in (("EXAT", end), ("PXAT", end * 1000 + 7)):
            clients[1].ok("SET", self.key(command), "x", command, value)
            self.wait_answer(clients, ["EXISTS", self.key(command)], 1)
            left = [client.ok("PTTL", self.key(command)) for client in clients]
            self.assertTrue(all(0 < one <= 1_000_007 for one in left), left)

    def test_many_keys_written_on_all_nodes_at_once_are_the_same_everywhere_afterwards(self):
        clients = self.clients()

        def write(client, name):
            return client.pipeline([["SET", self.key(number % 40), f"{name}-{number}"] for number in range(400)])
        results = at_once(*(lambda client=client, name=name: write(client, name) for name, client in zip("abc", clients)))
        self.assertEqual([set(answers) for answers in results], [{"OK"}] * 3)
        names = [self.key(number) for number in range(40)]

        def same():
            seen = [client.ok("MGET", *names) for client in clients]
            return seen[0] == seen[1] == seen[2]
        wait_until(same, 20, "the same values on all nodes")


class DecidedOnce(RedisTest):
    def test_counters_from_all_nodes_at_once_add_up_exactly(self):
        def count(client):
            return client.pipeline([["INCR", self.key()] for _ in range(150)])
        results = at_once(*(lambda client=client: count(client) for client in self.clients() + self.clients(protocol=3)))
        self.assertEqual(sorted(sum(results, [])), list(range(1, 901)))
        for answers in results:
            self.assertEqual(answers, sorted(answers))
        self.wait_answer(self.clients(), ["GET", self.key()], b"900")

    def test_counters_go_up_and_down_and_keep_their_time(self):
        clients = self.clients()
        clients[0].ok("SET", self.key(), 1000, "EX", 1000)

        def change(client, words):
            return client.pipeline([words] * 60)
        results = at_once(*(lambda client=client, words=words: change(client, words) for client, words in zip(
            clients, (["INCRBY", self.key(), 7], ["DECRBY", self.key(), 3], ["DECR", self.key()]))))
        self.assertTrue(all(isinstance(one, int) for answers in results for one in answers), results)
        self.wait_answer(clients, ["GET", self.key()], str(1000 + 60 * 3).encode())
        self.wait_answer(clients, ["TTL", self.key()], About(1000))

    def test_one_of_all_who_ask_at_once_gets_the_lock(self):
        clients = self.clients() + self.clients(protocol=3)
        for turn in range(25):
            key = self.key(turn)
            results = at_once(*(lambda client=client, name=name: client.call("SET", key, name, "NX", "PX", 600_000)
                                for name, client in enumerate(clients)))
            self.assertEqual(sorted(map(str, results)), ["None"] * 5 + ["OK"], results)
            self.wait_answer(clients, ["GET", key], str(results.index("OK")).encode())
            results = at_once(*(lambda client=client: client.call("SETNX", f"{key} too", "x") for client in clients))
            self.assertEqual(sorted(results), [0] * 5 + [1])

    def test_a_value_is_taken_away_once(self):
        clients = self.clients()
        for turn in range(25):
            key = self.key(turn)
            clients[turn % 3].ok("SET", key, "prize")
            self.wait_answer(clients, ["GET", key], b"prize")
            results = at_once(*(lambda client=client: client.call("GETDEL", key) for client in clients))
            self.assertEqual(sorted(results, key=str), [None, None, b"prize"], results)
            self.wait_answer(clients, ["EXISTS", key], 0)

    def test_each_value_that_is_replaced_is_told_to_one(self):
        clients = self.clients()

        def swap(client, name):
            return client.pipeline([["SET", self.key(), f"{name}{number}", "GET"] for number in range(50)])
        results = at_once(*(lambda client=client, name=name: swap(client, name) for name, client in zip("abc", clients)))
        wait_until(lambda: len({client.call("GET", self.key()) for client in clients}) == 1, 20, "one value")
        told = sum(results, []) + [clients[0].call("GET", self.key())]
        self.assertEqual(sorted(map(str, told)),
                         sorted(map(str, [None] + [f"{name}{number}".encode() for name in "abc" for number in range(50)])))

    def test_what_is_appended_from_all_nodes_at_once_is_all_there(self):
        clients = self.clients()
        results = at_once(*(lambda client=client, name=name: client.pipeline([["APPEND", self.key(), name]] * 50)
                            for name, client in zip("abc", clients)))
        self.assertEqual(sorted(sum(results, [])), list(range(1, 151)))
        self.wait_answer(clients, ["STRLEN", self.key()], 150)
        self.assertEqual(sorted(clients[0].ok("GET", self.key())), sorted(b"abc" * 50))

    def test_an_end_is_taken_away_once(self):
        clients = self.clients()
        for turn in range(20):
            key = self.key(turn)
            clients[turn % 3].ok("SET", key, "x")
            self.wait_answer(clients, ["EXISTS", key], 1)
            results = at_once(*(lambda client=client: client.call("PERSIST", key) for client in clients))
            self.assertEqual(results, [0, 0, 0])
            clients[0].ok("EXPIRE", key, 1000)
            self.wait_answer(clients, ["TTL", key], About(1000))
            results = at_once(*(lambda client=client: client.call("PERSIST", key) for client in clients))
            self.assertEqual(sorted(results), [0, 0, 1])


class Heard(RedisTest):
    def test_what_is_published_on_one_node_is_heard_on_all(self):
        channel, pattern = self.key("news"), self.key("n?w*")
        ears = []
        for protocol, kind in ((2, list), (3, Push)):
            for client in self.clients(protocol):
                client.ok("SUBSCRIBE", channel)
                ears.append((client, lambda text, kind=kind: kind([b"message", channel.encode(), text])))
            for client in self.clients(protocol):
                client.ok("PSUBSCRIBE", pattern)
                ears.append((client, lambda text, kind=kind: kind([b"pmessage", pattern.encode(), channel.encode(), text])))
        deaf = self.clients()
        for client in deaf:
            client.ok("SUBSCRIBE", self.key("other"))
        for number, sender in enumerate(self.clients()):
            texts = [f"{number}-{turn}".encode() for turn in range(30)] + [b"", b"\r\n\0", b"x" * 20_000]
            for answer in sender.pipeline([["PUBLISH", channel, text] for text in texts]):
                self.assertGreaterEqual(answer, 4)
            for text in texts:  # all of them, in the order of who sent them
                for client, message in ears:
                    self.assertEqual(client.receive(), message(text))
        for client in deaf:
            self.assertEqual(client.call("PING"), [b"pong", b""])

    def test_a_message_may_be_part_of_a_transaction(self):
        ear, sender = self.client(self.cluster.nodes[1]), self.client()
        ear.ok("SUBSCRIBE", self.key())
        self.talk(sender, [("MULTI", "OK"), ("PUBLISH K lost", "QUEUED"), ("DISCARD", "OK"), ("MULTI", "OK")])
        self.assertEqual(sender.call("PUBLISH", self.key(), "heard"), "QUEUED")
        self.assertEqual(len(sender.call("EXEC")), 1)
        self.assertEqual(ear.receive(), [b"message", self.key().encode(), b"heard"])

    def test_a_restarted_node_hears_and_is_heard(self):
        others = [self.client(node) for node in self.cluster.nodes[:2]]
        for client in others:
            client.ok("SUBSCRIBE", self.key())
        self.cluster.c.kill()
        self.cluster.c.start()
        ear, sender = self.client(self.cluster.c), self.client(self.cluster.c)
        ear.ok("SUBSCRIBE", self.key())

        sender.ok("PUBLISH", self.key(), "from c")
        self.client().ok("PUBLISH", self.key(), "from a")
        for client in others + [ear]:
            self.assertEqual({client.receive()[2], client.receive()[2]}, {b"from c", b"from a"})


class Deaths(RedisTest):
    def fill(self, count=300):
        """Keys written on all nodes, with and without an end, once they are everywhere."""
        clients, values = self.clients(), {}
        for number, client in enumerate(clients):
            mine = {self.key(f"{number}-{place}"): f"{place}" * 20 for place in range(count // 3)}
            client.pipeline([["SET", key, value, *(["EX", 5000] if place % 2 else [])]
                             for place, (key, value) in enumerate(mine.items())])
            values.update(mine)
        for client in clients:
            self.wait_values(client, values)
        return values

    def wait_values(self, client, values):
        expected = [value.encode() for value in values.values()]
        wait_until(lambda: client.call("MGET", *values) == expected, 30, "all values")

    def answers(self, client, *words):
        """Until the answer is no error: whoever decided about the key may be the one who died."""
        def tried():
            nonlocal answer
            answer = client.call(*words)
            return not isinstance(answer, Error)
        answer = None
        wait_until(tried, 30, lambda: f"{words} to be answered; it says {answer!r}")
        return answer

    def test_the_others_go_on_with_everything_and_the_dead_comes_back_to_it(self):
        for victim in self.cluster.nodes:
            values = self.fill()
            others = [self.client(node) for node in self.cluster.nodes if node is not victim]
            victim.kill()
            for client in others:
                self.assertEqual(client.call("MGET", *values), [value.encode() for value in values.values()])
                client.ok("SET", self.key("during"), victim.name)
            self.wait_answer(others, ["GET", self.key("during")], victim.name.encode())
            for number, client in enumerate(others * 20):
                key = self.key(f"after-{victim.name}-{number}")
                self.assertEqual(self.answers(client, "INCR", key), 1)
                self.assertEqual(self.answers(client, "SET", key, "x", "XX", "GET"), b"1")
                values[key] = "x"
                gone = self.key(f"0-{number}")
                self.assertEqual(self.answers(client, "DEL", gone), 1)
                del values[gone]
            victim.start()
            for node in self.cluster.nodes:
                client = self.client(node)
                self.wait_values(client, values)
                self.wait_answer([client], ["EXISTS", *(self.key(f"0-{number}") for number in range(40))], 0)
                self.assertEqual(client.call("TTL", self.key("1-51")), About(5000))
                self.assertEqual(client.call("TTL", self.key("1-50")), -1)

    def test_a_write_that_all_have_seen_outlives_its_node(self):
        for turn in range(3):
            writer = self.client(self.cluster.a)
            writer.ok("SET", self.key(turn), turn)
            self.assertEqual(self.answers(writer, "INCR", self.key("count")), turn + 1)
            others = [self.client(node) for node in self.cluster.nodes[1:]]
            self.wait_answer(others, ["GET", self.key(turn)], str(turn).encode())
            self.wait_answer(others, ["GET", self.key("count")], str(turn + 1).encode())
            self.cluster.a.kill()
            for client in others:
                self.assertEqual(client.call("GET", self.key(turn)), str(turn).encode())
                self.assertEqual(client.call("GET", self.key("count")), str(turn + 1).encode())
            self.cluster.a.start()
            self.wait_answer([self.client(self.cluster.a)], ["GET", self.key("count")], str(turn + 1).encode())

    def test_a_connection_to_the_dead_ends_and_the_others_stay(self):
        clients = self.clients()
        self.cluster.b.kill()
        self.assertTrue(clients[1].at_end())
        with self.assertRaises(OSError):
            self.client(self.cluster.b)
        self.assert_alive(clients[0])
        self.assert_alive(clients[2])
        self.cluster.b.start()
        self.assert_alive(self.client(self.cluster.b))

    def test_all_nodes_replaced_one_after_the_other_keep_everything(self):
        values = self.fill()
        for node in self.cluster.nodes:
            self.assertEqual(node.stop(), 0)
            node.start()
            self.wait_values(self.client(node), values)
        for client in self.clients():
            self.assertEqual(client.call("MGET", *values), [value.encode() for value in values.values()])


class BesideSessions(ProcessTest):
    def test_the_cache_and_the_sessions_of_a_cluster_do_not_meet(self):
        password = "not-for-any-log"
        cluster = start(self.run_, upstream=self.make_upstream().url, password=password)
        person = self.login(cluster, cluster.a)
        with resp.Client(cluster.b.redis, password) as client:
            self.assertEqual([client.ok("KEYS", "*"), client.ok("DBSIZE")], [[], 0])
            client.ok("SET", "key", "value")
            self.assertEqual(client.call("FLUSHALL"), "OK")
            for node in cluster.nodes:
                self.assert_known(person, node)
            for node in cluster.nodes:
                self.assertNotIn(password, node.process.log_text())
