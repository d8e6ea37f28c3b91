"""What a connection to a cache's endpoint may be in: a transaction, subscriptions, a name and a database. As Redis 7
has it, for clients rely on the details."""
from harness.process import wait_until
from harness.resp import Error, Push, encode
from redis_scene import NUMBER, RedisTest, arity, expire

ABORTED = "-EXECABORT Transaction discarded because of previous errors."
NAMES = "-ERR Client names cannot contain spaces, newlines or special characters."


class Transactions(RedisTest):
    def test_commands_wait_for_exec(self):
        self.both([
            ("MULTI", "OK"), ("SET K 1", "QUEUED"), ("INCR K", "QUEUED"), ("GET K1", "QUEUED"),
            ("SET K x NX", "QUEUED"), ("MGET K K1", "QUEUED"), ("PING", "QUEUED"),
            ("EXEC", ["OK", 2, None, None, [b"2", None], "PONG"]), ("GET K", b"2"), ("MULTI", "OK"), ("EXEC", [])])

    def test_nothing_is_done_before_exec_nor_after_discard(self):
        watcher = self.client()
        self.both([("MULTI", "OK"), ("SET K 1", "QUEUED")])
        self.assertEqual(watcher.call("EXISTS", self.key("K")), 0)
        self.both([("MULTI", "OK"), ("SET K 1", "QUEUED"), ("DISCARD", "OK"), ("GET K", None),
                   ("EXEC", "-ERR EXEC without MULTI"), ("DISCARD", "-ERR DISCARD without MULTI")])

    def test_what_cannot_be_queued_aborts(self):
        for line, problem in (("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: "),
                              ("GET", arity("get")), ("CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP."),
                              ("MULTI x", arity("multi")), ("DISCARD x", arity("discard"))):
            self.both([("MULTI", "OK"), ("SET K 1", "QUEUED"), (line, problem), ("SET K1 1", "QUEUED"), ("EXEC", ABORTED),
                       ("EXISTS K K1", 0), ("EXEC", "-ERR EXEC without MULTI")])
        aborted = "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"
        self.both([("MULTI", "OK"), ("SET K 1", "QUEUED"), ("EXEC x", aborted), ("EXEC", "-ERR EXEC without MULTI"),
                   ("GET K", None), ("MULTI", "OK"), ("MULTI", "-ERR MULTI calls can not be nested"), ("PING", "QUEUED"),
                   ("EXEC", ["PONG"])])

    def test_what_fails_later_fails_alone(self):
        self.both([
            ("MULTI", "OK"), ("SET K abc", "QUEUED"), ("INCR K", "QUEUED"), ("SET K 1 EX 0", "QUEUED"),
            ("MSET K 1 K1", "QUEUED"), ("SELECT 99", "QUEUED"), ("EXPIRE K x", "QUEUED"), ("GET K", "QUEUED"),
            ("EXEC", ["OK", Error(NUMBER[1:]), Error(expire("set")[1:]), Error(arity("mset")[1:]),
             Error("ERR DB index is out of range"), Error(NUMBER[1:]), b"abc"])])

    def test_a_transaction_changes_its_connection_too(self):
        self.both([
            ("MULTI", "OK"), ("SELECT 8", "QUEUED"), ("SET K 8", "QUEUED"), ("CLIENT SETNAME x", "QUEUED"),
            ("EXEC", ["OK", "OK", "OK"]), ("GET K", b"8"), ("CLIENT GETNAME", b"x"), ("SELECT 0", "OK"),
            ("GET K", None), ("MULTI", "OK"), ("RESET", "RESET")])

    def test_transactions_at_once_lose_nothing(self):
        clients, seen = self.clients(), []
        for _ in range(40):
            for client in clients:
                client.send_bytes(b"MULTI\r\nINCR %b\r\nINCR %b\r\nEXEC\r\n" % ((self.key().encode(),) * 2))
            for client in clients:
                *queued, (first, second) = [client.receive() for _ in range(4)]
                self.assertEqual(queued, ["OK", "QUEUED", "QUEUED"])
                self.assertLess(first, second)
                seen += [first, second]
        self.assertEqual(sorted(seen), list(range(1, 241)))


class Messages(RedisTest):
    def told(self, protocol, *words):
        return (Push if protocol == 3 else list)(words)

    def test_subscriptions_are_counted_and_confirmed(self):
        for protocol in (2, 3):
            client = self.client(protocol=protocol)
            for line, *expected in (
                    ("UNSUBSCRIBE", (b"unsubscribe", None, 0)), ("PUNSUBSCRIBE", (b"punsubscribe", None, 0)),
                    ("UNSUBSCRIBE never", (b"unsubscribe", b"never", 0)),
                    ("SUBSCRIBE a b", (b"subscribe", b"a", 1), (b"subscribe", b"b", 2)),
                    ("SUBSCRIBE a", (b"subscribe", b"a", 2)), ("PSUBSCRIBE a*", (b"psubscribe", b"a*", 3)),
                    ("UNSUBSCRIBE a", (b"unsubscribe", b"a", 2)), ("PUNSUBSCRIBE a*", (b"punsubscribe", b"a*", 1)),
                    ("SUBSCRIBE a", (b"subscribe", b"a", 2)),
                    ("PSUBSCRIBE x y", (b"psubscribe", b"x", 3), (b"psubscribe", b"y", 4))):
                answers = [client.call(*line.split())] + [client.receive() for _ in expected[1:]]
                self.assertEqual(answers, [self.told(protocol, *one) for one in expected], line)
            left = [client.call("UNSUBSCRIBE"), client.receive()]
            self.assertEqual({one[1] for one in left}, {b"a", b"b"})
            self.assertEqual([(one[0], one[2]) for one in left], [(b"unsubscribe", 3), (b"unsubscribe", 2)])
            client.call("PUNSUBSCRIBE")
            self.assertEqual(client.receive()[2], 0)
            self.assertEqual(client.call("GET", self.key()), None)
            self.talk(client, [("SUBSCRIBE", arity("subscribe")), ("PSUBSCRIBE", arity("psubscribe")),
                               ("PUBLISH a", arity("publish")), ("PUBLISH a b c", arity("publish"))])

    def test_messages_reach_channels_and_patterns_in_order(self):
        for protocol in (2, 3):
            client, sender = self.client(protocol=protocol), self.client()
            client.call("SUBSCRIBE", self.key("news"))
            client.call("PSUBSCRIBE", self.key("n*"))
            for text in (b"one", b"", b"\r\n\0\xff", b"x" * 50_000):
                self.assertGreaterEqual(sender.ok("PUBLISH", self.key("news"), text), 2)
                channel, pattern = self.key("news").encode(), self.key("n*").encode()
                self.assertEqual(client.receive(), self.told(protocol, b"message", channel, text))
                self.assertEqual(client.receive(), self.told(protocol, b"pmessage", pattern, channel, text))
            self.assertEqual(sender.call("PUBLISH", self.key("other"), "x"), 0)
            self.assertEqual(client.call("PING"), self.told(2, b"pong", b"") if protocol == 2 else "PONG")

    def test_a_subscriber_of_resp2_can_do_little_else(self):
        client = self.client()
        client.ok("SUBSCRIBE", self.key())
        for words, name in ((["GET", "x"], "get"), (["CLIENT", "ID"], "client|id"), (["MULTI"], "multi"), (["HELLO", 3], "hello"),
                            (["PUBLISH", "a", "b"], "publish"), (["SELECT", 1], "select"), (["ECHO", "x"], "echo")):
            self.assertEqual(client.call(*words), Error(
                f"ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
                "this context"))
        self.assertEqual(client.call("GET"), Error(arity("get")[1:]))
        self.assertEqual(client.call("PING", "x"), [b"pong", b"x"])
        self.assertEqual(client.call("RESET"), "RESET")
        self.assertEqual(client.call("AUTH", self.endpoint["password"]), "OK")
        self.assertEqual(client.call("GET", self.key()), None)

    def test_a_subscriber_of_resp3_can_do_everything(self):
        client, key = self.client(protocol=3), self.key()
        client.ok("SUBSCRIBE", key)
        self.talk(client, [("PING", "PONG"), ("SET K 1", "OK"), ("GET K", b"1"), ("MULTI", "OK"), ("GET K", "QUEUED"),
                           ("EXEC", [b"1"])])
        self.assertEqual(client.call("PUBLISH", key, "to myself"), Push([b"message", key.encode(), b"to myself"]))
        self.assertGreaterEqual(client.receive(), 1)

    def test_messages_stop_with_the_subscription(self):
        sender = self.client()
        for protocol in (2, 3):
            client = self.client(protocol=protocol)
            client.ok("SUBSCRIBE", self.key())
            client.ok("UNSUBSCRIBE", self.key())
            self.assertEqual(sender.call("PUBLISH", self.key(), "unheard"), 0)
            self.assertEqual(client.call("ECHO", "next"), b"next")
            client.ok("SUBSCRIBE", self.key())
            client.close()
            wait_until(lambda: sender.call("PUBLISH", self.key(), "unheard") == 0, 20, "the closed one to be forgotten")


class Connections(RedisTest):
    def test_ping_echo_reset(self):
        self.both([
            ("PING", "PONG"), ("ping x", b"x"), ("PING a b", arity("ping")), ("ECHO x", b"x"), ("ECHO ''", b""),
            ("ECHO", arity("echo")), ("ECHO a b", arity("echo")), ("RESET x", arity("reset"))])
        client = self.client(protocol=3, database=7)
        subscribed = Push([b"subscribe", self.key("K").encode(), 1])
        self.talk(client, [("SET K seven", "OK"), ("CLIENT SETNAME me", "OK"), ("SUBSCRIBE K", subscribed),
                           ("RESET", "RESET"), (f"AUTH {self.endpoint['password']}", "OK")])
        self.assertEqual(client.raw("GET", self.key("K")), b"$-1\r\n")
        self.talk(client, [("CLIENT GETNAME", None), ("SELECT 7", "OK"), ("GET K", b"seven")])

    def test_clients_have_names_and_numbers(self):
        unknown = "-ERR unknown subcommand 'FOO'. Try CLIENT HELP."
        self.both([
            ("CLIENT GETNAME", None), ("CLIENT SETNAME me", "OK"), ("client getname", b"me"),
            ("CLIENT SETNAME 'a b'", NAMES), ("CLIENT SETNAME 'a\nb'", NAMES), ("CLIENT GETNAME", b"me"),
            ("CLIENT SETNAME ''", "OK"), ("CLIENT GETNAME", None), ("CLIENT SETINFO LIB-NAME some-client", "OK"),
            ("CLIENT SETINFO LIB-VER 1.2.3", "OK"), ("CLIENT", arity("client")), ("CLIENT FOO", unknown),
            ("CLIENT SETNAME", arity("client|setname")), ("CLIENT GETNAME x", arity("client|getname")),
            ("CLIENT ID x", arity("client|id"))])
        numbers = [client.ok("CLIENT", "ID") for client in (self.client(), self.client(protocol=3))]
        self.assertEqual(len(set(numbers)), 2)
        self.assertTrue(all(number > 0 for number in numbers))

    def test_client_info_and_list_tell_who_is_there(self):
        client, other = self.client(database=3), self.client(protocol=3)
        client.ok("CLIENT", "SETNAME", "first")
        number = client.ok("CLIENT", "ID")
        line = client.ok("CLIENT", "INFO")
        fields = dict(word.split("=", 1) for word in line.decode().split())
        self.assertEqual((fields["id"], fields["name"], fields["db"]), (str(number), "first", "3"), line)
        self.assertRegex(fields["addr"], r"^127\.0\.0\.1:\d+$")
        self.assertTrue(line.endswith(b"\n"))
        self.assertTrue(other.ok("CLIENT", "INFO").startswith(b"txt:id="))
        lines = client.ok("CLIENT", "LIST").decode().splitlines()
        self.assertEqual(len([one for one in lines if f"id={number} " in one and "name=first " in one]), 1, lines)
        self.assertEqual(len([one for one in lines if f"id={other.ok('CLIENT', 'ID')} " in one]), 1, lines)
        self.assertTrue(other.ok("CLIENT", "LIST").startswith(b"txt:id="))
        other.close()
        wait_until(lambda: len(client.ok("CLIENT", "LIST").splitlines()) < len(lines), 20, "the closed one to be gone")

    def test_info_says_what_clients_ask(self):
        for protocol in (2, 3):
            client = self.client(protocol=protocol)
            client.ok("SET", self.key(), "x", "EX", 100)
            text = client.ok("INFO")
            if protocol == 3:
                self.assertEqual(text[:4], b"txt:")
                text = text[4:]
            lines = text.decode().split("\r\n")
            for line in ("redis_mode:standalone", "role:master", "loading:0", "cluster_enabled:0", "# Server", "# Keyspace"):
                self.assertIn(line, lines)
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
            self.assertRegex(fields["redis_version"], r"^\d+\.\d+\.\d+$")
            for name in ("connected_clients", "used_memory", "uptime_in_seconds", "total_commands_processed",
                         "total_connections_received"):
                self.assertRegex(fields[name], r"^\d+$", name)
            self.assertRegex(fields["db0"], r"^keys=[1-9]\d*,expires=[1-9]\d*,avg_ttl=\d+$")
        client = self.client()
        self.assertIn(b"role:master", client.ok("INFO", "REPLICATION"))
        self.assertNotIn(b"redis_version", client.ok("INFO", "replication"))
        self.assertIn(b"redis_version", client.ok("info", "everything"))
        self.assertEqual(client.ok("INFO", "nosuch"), b"")
        self.assertNotIn(b"role:", client.ok("INFO", "server"))

    def test_command_and_config_answer_something_of_the_right_kind(self):
        for protocol in (2, 3):
            client, kind = self.client(protocol=protocol), list if protocol == 2 else dict
            self.assertIsInstance(client.ok("COMMAND"), list)
            self.assertIsInstance(client.ok("COMMAND", "DOCS"), kind)
            self.assertIsInstance(client.ok("CONFIG", "GET", "save"), kind)
            self.assertFalse(client.ok("CONFIG", "GET", "nosuchparameter"))
            self.talk(client, [("CONFIG", arity("config")), ("CONFIG GET", arity("config|get")),
                               ("CONFIG FOO", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.")])


class Bounds(RedisTest):
    """What one connection can make a node hold, and what does not get mixed up."""
    names = ("a", "b")

    def test_what_others_publish_comes_after_a_transaction(self):
        reader, writer = self.client(protocol=3), self.client(self.cluster.nodes[1])
        channel = self.key("channel")
        self.assertEqual(reader.call("SUBSCRIBE", channel), Push([b"subscribe", channel.encode(), 1]))
        for number in range(50):
            commands = [["MULTI"], *[["INCR", self.key(str(i))] for i in range(20)], ["EXEC"]]
            reader.send_bytes(b"".join(encode(*words) for words in commands))
            writer.call("PUBLISH", channel, number)
            replies = []
            while len(replies) < 22:
                reply = reader.receive()
                if not isinstance(reply, Push):
                    replies.append(reply)
            self.assertEqual(replies[-1], [number + 1] * 20)

    def test_a_reply_that_would_be_too_large_is_an_error(self):
        client = self.client()
        client.ok("SET", self.key(), "x" * 60000)
        many = [self.key()] * 1000
        self.assertRegex(client.call("MGET", *many), "^ERR the reply would be larger")
        self.assertEqual(len(client.call("MGET", *many[:200])), 200)
        self.assertEqual(client.call("PING"), "PONG")

    def test_names_have_an_end(self):
        client = self.client(protocol=3)
        for words in (["SUBSCRIBE", "c" * 1025], ["PSUBSCRIBE", "c" * 1025], ["PUBLISH", "c" * 1025, "x"]):
            self.assertRegex(client.call(*words), "^ERR the channel's name")
        self.assertRegex(client.call("CLIENT", "SETNAME", "n" * 300), "^ERR Client names")
        client.send_bytes(encode("SUBSCRIBE", *[f"c{i}" for i in range(1030)]))
        replies = [client.receive() for _ in range(1030)]
        self.assertEqual(sum(isinstance(reply, Push) for reply in replies), 1024)
        self.assertEqual(client.call("PING"), "PONG")

    def test_a_transaction_has_an_end(self):
        client = self.client()
        client.ok("MULTI")
        refused = None
        for _ in range(100):
            reply = client.call("MGET", *[""] * 16000)
            if reply != "QUEUED":
                refused = reply
                break
        self.assertRegex(refused, "^ERR the transaction is too large")
        self.assertRegex(client.call("EXEC"), "^EXECABORT")

    def test_guessing_passwords_ends_the_connection(self):
        stranger = self.stranger()
        for _ in range(32):
            self.assertRegex(stranger.call("AUTH", "wrong"), "^WRONGPASS")
        self.assertTrue(stranger.at_end())
