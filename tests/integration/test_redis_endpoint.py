"""The Redis protocol of a cache's endpoint: who may speak, how it is spoken, what is too much. The texts and the
order of checks are those of Redis 7, for clients compare them."""
import threading

from harness.resp import Error, encode
from redis_scene import PASSWORD, RedisTest

NOAUTH = Error("NOAUTH Authentication required.")
WRONGPASS = Error("WRONGPASS invalid username-password pair or user is disabled.")
HELLO_FIRST = Error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> "
                    "<pass> option can be used to authenticate the client and select the RESP protocol version at the "
                    "same time")
SPEAKING = [["PING"], ["ECHO", "x"], ["SELECT", 1], ["GET", "x"], ["SET", "x", "y"], ["DEL", "x"], ["INCR", "x"],
            ["KEYS", "*"], ["SCAN", 0], ["DBSIZE"], ["FLUSHALL"], ["FLUSHDB"], ["MULTI"], ["INFO"], ["COMMAND"],
            ["CONFIG", "GET", "*"], ["CLIENT", "LIST"], ["CLIENT", "SETNAME", "x"], ["SUBSCRIBE", "x"],
            ["PSUBSCRIBE", "*"], ["PUBLISH", "x", "y"]]
HELLO = {b"server", b"version", b"proto", b"id", b"mode", b"role", b"modules"}


class Strangers(RedisTest):
    names = ("a",)

    def test_nothing_is_told_before_the_password_and_nothing_done(self):
        keeper = self.client()
        keeper.ok("SET", "x", "kept")
        stranger = self.stranger()
        for command in SPEAKING:
            self.assertEqual(stranger.call(*command), NOAUTH, command)
        for line in ("DISCARD", "EXEC"):
            self.assertIsInstance(stranger.call(line), Error, line)
        self.assertEqual(keeper.call("GET", "x"), b"kept")
        self.assertEqual(stranger.call("AUTH", PASSWORD), "OK")
        self.assertEqual(stranger.call("GET", "x"), b"kept")

    def test_what_cannot_be_understood_is_said_before_the_password(self):
        stranger = self.stranger()
        self.talk(stranger, [
            ("GET", "-ERR wrong number of arguments for 'get' command"),
            ("NOSUCH a b", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "),
            ("AUTH", "-ERR wrong number of arguments for 'auth' command"),
            ("AUTH a b c", "-ERR syntax error")])

    def test_only_the_right_password_opens(self):
        for words in (["wrong"], ["default", "wrong"], ["nobody", PASSWORD], [""], [PASSWORD + "x"], [PASSWORD[:-1]],
                      [PASSWORD.upper()], ["default", ""], ["x" * 1000]):
            stranger = self.stranger()
            self.assertEqual(stranger.call("AUTH", *words), WRONGPASS, words)
            self.assertEqual(stranger.call("GET", "x"), NOAUTH)
        for words in ([PASSWORD], ["default", PASSWORD]):
            stranger = self.stranger()
            self.assertEqual(stranger.call("AUTH", *words), "OK", words)
            self.assert_alive(stranger)

    def test_a_wrong_password_later_takes_nothing_away(self):
        client = self.client()
        self.assertEqual(client.call("AUTH", "wrong"), WRONGPASS)
        self.assert_alive(client)

    def test_hello_asks_for_the_password_and_may_bring_it(self):
        stranger = self.stranger()
        for words in ([], [2], [3], [3, "SETNAME", "x"]):
            self.assertEqual(stranger.call("HELLO", *words), HELLO_FIRST, words)
        self.assertEqual(stranger.call("HELLO", 3, "AUTH", "default", "wrong"), WRONGPASS)
        self.assertEqual(stranger.raw("GET", "x"), b"-NOAUTH Authentication required.\r\n")
        self.assertEqual(set(stranger.call("HELLO", 3, "AUTH", "default", PASSWORD, "SETNAME", "me")), HELLO)
        self.assertEqual(stranger.call("CLIENT", "GETNAME"), b"me")

    def test_reset_forgets_the_login(self):
        client = self.client(protocol=3)
        self.assertEqual(client.call("RESET"), "RESET")
        self.assertEqual(client.call("GET", "x"), NOAUTH)

    def test_a_stranger_may_leave(self):
        stranger = self.stranger()
        self.assertEqual(stranger.call("QUIT"), "OK")
        self.assertTrue(stranger.at_end())

    def test_a_stranger_cannot_make_us_keep_much(self):
        for sent, text in ((b"*2\r\n$3\r\nGET\r\n$16385\r\n", "unauthenticated bulk length"),
                           (b"*11\r\n", "unauthenticated multibulk length")):
            stranger = self.stranger()
            stranger.send_bytes(sent)
            self.assertEqual(stranger.receive(), Error(f"ERR Protocol error: {text}"))
            self.assertTrue(stranger.at_end())


class NoPassword(RedisTest):
    names = ("a",)
    endpoint = {}

    def test_everybody_may_speak(self):
        self.talk(self.stranger(), [
            ("PING", "PONG"), ("SET K 1", "OK"), ("GET K", b"1"),
            ("AUTH x", "-ERR AUTH <password> called without any password configured for the default user. Are you sure "
                       "your configuration is correct?"),
            ("AUTH default x", "OK"), ("AUTH nobody x", f"-{WRONGPASS}"), ("RESET", "RESET"), ("GET K", b"1")])
        self.assertEqual(set(self.stranger().call("HELLO", 3)), HELLO)


class NamedUser(RedisTest):
    names = ("a",)
    endpoint = {"username": "app", "password": PASSWORD}

    def test_the_name_belongs_to_the_password(self):
        stranger = self.stranger()
        for words in (["default", PASSWORD], ["app", "wrong"], ["App", PASSWORD], ["", PASSWORD]):
            self.assertEqual(stranger.call("AUTH", *words), WRONGPASS, words)
            self.assertEqual(stranger.call("HELLO", 3, "AUTH", *words), WRONGPASS, words)
        self.assertEqual(stranger.call("GET", "x"), NOAUTH)
        self.assertEqual(stranger.call("AUTH", "app", PASSWORD), "OK")
        self.assertEqual(set(self.stranger().call("HELLO", 3, "AUTH", "app", PASSWORD)), HELLO)


class Protocol(RedisTest):
    def test_hello_chooses_the_version_and_says_what_clients_look_for(self):
        client = self.client()
        two = client.ok("HELLO")
        two = dict(zip(two[::2], two[1::2]))
        three = client.ok("HELLO", 3)
        for version, told in ((2, two), (3, three)):
            self.assertEqual(set(told), HELLO)
            self.assertEqual((told[b"proto"], told[b"server"], told[b"mode"], told[b"role"], told[b"modules"]),
                             (version, b"redis", b"standalone", b"master", []))
            self.assertRegex(told[b"version"], rb"^\d+\.\d+\.\d+$")
            self.assertEqual(told[b"id"], client.call("CLIENT", "ID"))
        self.assertEqual(client.raw("GET", self.key()), b"_\r\n")
        self.assertEqual(client.ok("HELLO")[b"proto"], 3)
        self.assertIsInstance(client.ok("HELLO", 2), list)
        self.assertEqual(client.raw("GET", self.key()), b"$-1\r\n")

    def test_what_is_wrong_in_hello_changes_nothing(self):
        client = self.client()
        self.talk(client, [
            ("HELLO 4", "-NOPROTO unsupported protocol version"), ("HELLO 1", "-NOPROTO unsupported protocol version"),
            ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
            ("HELLO 3.0", "-ERR Protocol version is not an integer or out of range"),
            ("HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'"),
            ("HELLO 3 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'"),
            ("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'"),
            ("HELLO 3 AUTH nobody x", f"-{WRONGPASS}"),
            ("HELLO 3 SETNAME 'a b'", "-ERR Client names cannot contain spaces, newlines or special characters.")])
        self.assertEqual(client.raw("GET", self.key()), b"$-1\r\n")

    def test_inline_commands(self):
        key = self.key()
        for sent, expected in ((b"PING\r\n", b"+PONG\r\n"), (b"PING\n", b"+PONG\r\n"),
                               (f"  SET   {key} \"x y\\n\\x41\\\"\"\r\n".encode(), b"+OK\r\n"),
                               (f"get {key}\r\n".encode(), b"$6\r\nx y\nA\"\r\n"),
                               (b"ECHO 'a\\'b\"\\n'\r\n", b"$6\r\na'b\"\\n\r\n"),
                               (b"\r\n   \r\n\nPING\r\n", b"+PONG\r\n"),
                               (b"GET / HTTP/1.1\r\n", b"-ERR wrong number of arguments for 'get' command\r\n"),
                               (b"*0\r\n*-1\r\nPING\r\n", b"+PONG\r\n"),
                               (b"*1\r\n$0\r\n\r\n", b"-ERR unknown command '', with args beginning with: \r\n")):
            client = self.client()
            client.send_bytes(sent)
            self.assertEqual(client.receive_raw(), expected, sent)
            self.assert_alive(client)

    def test_a_protocol_error_is_told_and_ends_the_connection(self):
        for sent, text in ((b"*x\r\n", "invalid multibulk length"), (b"*\r\n", "invalid multibulk length"),
                           (b"* 1\r\n", "invalid multibulk length"), (b"*2147483648\r\n", "invalid multibulk length"),
                           (b"*1\r\nPING\r\n", "expected '$', got 'P'"), (b"*1\r\n+PING\r\n", "expected '$', got '+'"),
                           (b"*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'"),
                           (b"*2\r\n$3\r\nGET\r\n:1\r\n", "expected '$', got ':'"),
                           (b"*1\r\n$-1\r\n", "invalid bulk length"), (b"*1\r\n$x\r\n", "invalid bulk length"),
                           (b"*1\r\n$\r\n", "invalid bulk length"), (b"*1\r\n$04\r\nPING\r\n", "invalid bulk length"),
                           (b"*2\r\n$3\r\nGET\r\n$536870913\r\n", "invalid bulk length"),
                           (b"*2\r\n$3\r\nGET\r\n$9223372036854775808\r\n", "invalid bulk length"),
                           (b"GET \"a\r\n", "unbalanced quotes in request"),
                           (b"GET 'a'b\r\n", "unbalanced quotes in request")):
            for protocol in (2, 3):
                client = self.client(protocol=protocol)
                client.send_bytes(encode("ECHO", "before") + sent)
                self.assertEqual(client.receive(), b"before")
                self.assertEqual(client.receive_raw(), f"-ERR Protocol error: {text}\r\n".encode(), sent)
                self.assertTrue(client.at_end(), sent)

    def test_lines_that_do_not_end_are_refused(self):
        for start, text in ((b"", "too big inline request"), (b"*", "too big mbulk count string"),
                            (b"*1\r\n$", "too big bulk count string")):
            client = self.client()
            client.send_bytes(start + b"1" * (1 << 16))
            client.send_bytes(b"1")
            self.assertEqual(client.receive(), Error(f"ERR Protocol error: {text}"))
            self.assertTrue(client.at_end())

    def test_what_is_http_gets_no_answer(self):
        # A page in a browser could otherwise make it send commands in the body of a request.
        for sent in (b"POST / HTTP/1.1\r\n\r\nPING\r\n", b"Host: localhost\r\nPING\r\n"):
            client = self.client()
            client.send_bytes(sent)
            self.assertTrue(client.at_end(), sent)

    def test_a_command_may_come_in_pieces(self):
        client = self.client()
        sent = encode("SET", self.key(), "a\r\nb") + b"ECHO  x\r\n" + encode("GET", self.key())
        for cut in range(1, len(sent)):
            client.send_bytes(sent[:cut])
            client.send_bytes(sent[cut:])
            self.assertEqual([client.receive() for _ in range(3)], ["OK", b"x", b"a\r\nb"], cut)
        for byte in sent:
            client.send_bytes(bytes([byte]))
        self.assertEqual([client.receive() for _ in range(3)], ["OK", b"x", b"a\r\nb"])

    def test_half_a_command_does_nothing(self):
        watcher = self.client()
        whole = encode("SET", self.key(), "value")
        for cut in (1, len(whole) // 2, len(whole) - 3, len(whole) - 1):
            client = self.client()
            client.send_bytes(encode("PING") + whole[:cut])
            self.assertEqual(client.receive(), "PONG")
            client.close()
        self.assertEqual(watcher.call("EXISTS", self.key()), 0)

    def test_pipelines_of_thousands_are_answered_in_order(self):
        for protocol in (2, 3):
            client = self.client(protocol=protocol)
            commands, answers = [["DEL", self.key("n")]], []
            for number in range(3000):
                commands += [["ECHO", number], ["INCR", self.key("n")]]
                answers += [str(number).encode(), number + 1]
            self.assertEqual(client.pipeline(commands)[1:], answers)

    def test_a_client_that_does_not_read_holds_up_nobody(self):
        slow, other = self.client(), self.client()
        value = bytes(range(256)) * 200
        slow.ok("SET", self.key(), value)
        slow.send_bytes(encode("GET", self.key()) * 400)
        for _ in range(100):
            self.assert_alive(other)
        for _ in range(400):
            self.assertEqual(slow.receive(), value)

    def test_many_connections_at_once(self):
        clients = [self.client(self.cluster.nodes[number % 3], 2 + number % 2) for number in range(150)]

        def work(mine):
            for client in mine:
                client.ok("INCR", self.key())
        threads = [threading.Thread(target=work, args=(clients[part::4],)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.wait_answer(clients[:3], ["GET", self.key()], b"150")

    def test_quit_answers_and_leaves_the_rest_undone(self):
        for before in ([], [["MULTI"]], [["SUBSCRIBE", "x"]]):
            client = self.client()
            for command in before:
                client.ok(*command)
            client.send_bytes(encode("QUIT") + encode("SET", self.key(), "1"))
            self.assertEqual(client.receive(), "OK")
            self.assertTrue(client.at_end())
        self.assertEqual(self.client().call("EXISTS", self.key()), 0)


class Limits(RedisTest):
    names = ("a", "b")

    def test_values_and_keys_hold_any_bytes(self):
        client = self.client()
        for value in (b"", b"\0", b"\r\n", b"$5\r\nhello\r\n", bytes(range(256)), b"x" * 60_000, b"\xff" * 60_000):
            self.assertEqual(client.call("SET", self.key(), value), "OK")
            self.assertEqual(client.call("GET", self.key()), value)
            self.assertEqual(client.call("STRLEN", self.key()), len(value))
            self.wait_answer(self.clients()[1:], ["GET", self.key()], value)
        for key in (b"", b"\0", b"\r\n", b" ", bytes(range(256)), b"k" * 1000):
            self.assertEqual(client.call("SET", key, "v"), "OK")
            self.assertEqual(client.call("GET", key), b"v")
            self.assertEqual(client.call("DEL", key), 1)

    def test_what_is_too_large_is_an_error_and_the_connection_stays(self):
        small, large = "kept", b"x" * (60 * 1024 + 1)
        for protocol in (2, 3):
            client = self.client(protocol=protocol)
            client.ok("MSET", self.key(), small, self.key("long"), b"x" * 60_000)
            for command in (["SET", self.key(), large], ["SET", self.key(), b"x" * 300_000], ["SETNX", "k" * 1025, "v"],
                            ["SETEX", self.key(), 100, large], ["PSETEX", self.key(), 100_000, large],
                            ["SET", self.key(), large, "XX", "GET"], ["SET", "k" * 1025, "v"], ["INCR", "k" * 1025],
                            ["SET", "k" * 100_000, "v"], ["APPEND", self.key("long"), b"x" * 1441],
                            ["MSET", self.key(), "new", self.key("long"), large],
                            ["MSET", self.key(), "new", "k" * 1025, "v"]):
                answer = client.call(*command)
                self.assertIsInstance(answer, Error, f"{command[0]} {len(command[1])}")
                self.assertTrue(answer.startswith("ERR "), answer)
                self.assert_alive(client)
            self.assertEqual(client.call("GET", self.key()), small.encode())
            self.assertEqual(client.call("STRLEN", self.key("long")), 60_000)
            self.assertEqual(client.call("EXISTS", "k" * 1025, "k" * 100_000), 0)

    def test_sixteen_databases(self):
        client = self.client()
        for number in range(16):
            self.talk(client, [(f"SELECT {number}", "OK"), (f"SET K {number}", "OK")])
        for number in range(16):
            self.talk(client, [(f"SELECT {number}", "OK"), ("GET K", str(number).encode())])
        last = self.client(self.cluster.nodes[1], database=15)
        self.wait_answer([last], ["GET", self.key("K")], b"15")
        self.talk(client, [
            ("SELECT 16", "-ERR DB index is out of range"), ("SELECT -1", "-ERR DB index is out of range"),
            ("SELECT x", "-ERR value is not an integer or out of range"),
            ("SELECT 99999999999", "-ERR value is out of range, value must between -2147483648 and 2147483647"),
            ("SELECT", "-ERR wrong number of arguments for 'select' command"),
            ("GET K", b"15")])
