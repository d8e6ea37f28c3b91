"""The commands of a cache's endpoint, answered as Redis 7 answers them, through a node that has to ask the others:
what each does, what it says in RESP2 and in RESP3, and what is wrong in what order."""
import random

from harness.process import wait_until
from harness.resp import Error
from redis_scene import NUMBER, About, RedisTest, arity, expire

SYNTAX = "-ERR syntax error"
OVERFLOW = "-ERR increment or decrement would overflow"
LARGEST, SMALLEST = 2**63 - 1, -2**63


class Strings(RedisTest):
    def test_get_and_set(self):
        self.both([
            ("GET K", None), ("SET K 1", "OK"), ("GET K", b"1"), ("set K ''", "OK"), ("gEt K", b""),
            ("SET K 1 NX", None), ("SET K1 1 NX", "OK"), ("SET K2 1 XX", None), ("SET K 2 XX", "OK"),
            ("GET K2", None), ("SET K 3 GET", b"2"), ("SET K2 3 GET", None), ("GET K2", b"3"),
            ("SET K 4 NX GET", b"3"), ("GET K", b"3"), ("SET K3 1 NX GET", None), ("GET K3", b"1"),
            ("SET K4 1 XX GET", None), ("EXISTS K4", 0), ("SET K 5 xx get", b"3"), ("GET K", b"5"),
            ("SET K 6 GET GET", b"5"), ("SET K 7 XX XX", "OK"), ("GET", arity("get")), ("GET K K", arity("get")),
            ("SET K", arity("set")), ("SET K 1 2", SYNTAX), ("SET K 1 NX XX", SYNTAX), ("SET K 1 EX", SYNTAX),
            ("SET K 1 EX 10 PX 10", SYNTAX), ("SET K 1 EX 10 KEEPTTL", SYNTAX), ("SET K 1 KEEPTTL PXAT 1", SYNTAX),
            ("SET K 1 PERSIST", SYNTAX), ("SET K 1 EX x", NUMBER), ("SET K 1 EX 1.5", NUMBER),
            ("SET K 1 EX ''", NUMBER), ("SET K 1 EX +1", NUMBER), ("SET K 1 EX 0", expire("set")),
            ("SET K 1 PX -1", expire("set")), ("SET K 1 PXAT 0", expire("set")),
            (f"SET K 1 EX {LARGEST}", expire("set")), (f"SET K 1 PX {LARGEST}", expire("set")),
            ("SET K 1 EX 0 FOO", SYNTAX), ("SET K 1 NX EX x", NUMBER), ("SET K 1 GET EX 0", expire("set")),
            ("GET K", b"7")])

    def test_the_older_forms_of_set(self):
        self.both([
            ("SETNX K 1", 1), ("SETNX K 2", 0), ("GET K", b"1"), ("SETNX K", arity("setnx")),
            ("SETEX K 1000 2", "OK"), ("TTL K", About(1000)), ("PSETEX K 500000 3", "OK"), ("GET K", b"3"),
            ("SETEX K 0 x", expire("setex")), ("PSETEX K -1 x", expire("psetex")), ("SETEX K x x", NUMBER),
            (f"SETEX K {LARGEST} x", expire("setex")), ("SETEX K 10", arity("setex")), ("GET K", b"3"),
            ("GETDEL K", b"3"), ("GETDEL K", None), ("EXISTS K", 0), ("GETDEL", arity("getdel"))])

    def test_many_keys_at_once(self):
        self.both([
            ("MSET K 1 K1 2 K2 3", "OK"), ("MGET K K3 K1 K", [b"1", None, b"2", b"1"]), ("MSET K 1 K 2", "OK"),
            ("GET K", b"2"), ("EXISTS K K K3 K1", 3), ("DEL K K K3", 1), ("UNLINK K1 K2 K3", 2), ("EXISTS K1", 0),
            ("MSET K", arity("mset")), ("MSET K 1 K1", arity("mset")), ("MGET", arity("mget")), ("DEL", arity("del")),
            ("EXISTS", arity("exists")), ("UNLINK", arity("unlink")), ("EXISTS K", 0)])

    def test_length_type_append(self):
        self.both([
            ("STRLEN K", 0), ("TYPE K", "none"), ("APPEND K ab", 2), ("APPEND K ''", 2), ("APPEND K c", 3),
            ("GET K", b"abc"), ("STRLEN K", 3), ("TYPE K", "string"), ("APPEND K1 ''", 0), ("EXISTS K1", 1),
            ("EXPIRE K 1000", 1), ("APPEND K d", 4), ("TTL K", About(1000)), ("STRLEN", arity("strlen")),
            ("APPEND K", arity("append")), ("TYPE K K", arity("type"))])

    def test_counters(self):
        self.both([
            ("INCR K", 1), ("INCRBY K 41", 42), ("DECR K", 41), ("DECRBY K 50", -9), ("INCRBY K -1", -10),
            ("GET K", b"-10"), ("INCRBY K 0", -10), ("INCRBY K x", NUMBER), ("INCRBY K 1.0", NUMBER),
            ("INCRBY K ' 1'", NUMBER), ("INCRBY K +1", NUMBER), ("INCRBY K 01", NUMBER), ("INCRBY K -0", NUMBER),
            ("INCRBY K ''", NUMBER), (f"INCRBY K {LARGEST + 1}", NUMBER), ("INCR", arity("incr")),
            ("INCRBY K", arity("incrby")), ("DECR K 1", arity("decr")), ("DECRBY K x", NUMBER),
            (f"DECRBY K1 {SMALLEST}", "-ERR decrement would overflow"), (f"DECRBY K1 {LARGEST}", -LARGEST),
            ("DECR K1", SMALLEST), ("DECR K1", OVERFLOW), ("GET K1", str(SMALLEST).encode()),
            (f"SET K1 {LARGEST}", "OK"), ("INCR K1", OVERFLOW), (f"INCRBY K1 {LARGEST}", OVERFLOW),
            ("DECR K1", LARGEST - 1)])
        for text in ("abc", "''", "'1 '", "' 1'", "01", "+1", "-0", "1.0", LARGEST + 1, SMALLEST - 1):
            self.both([(f"SET K {text}", "OK"), ("INCR K", NUMBER), ("DECRBY K 5", NUMBER)])
        self.both([("SET K 9 EX 1000", "OK"), ("INCR K", 10), ("TTL K", About(1000))])

    def test_words_that_are_no_commands(self):
        self.both([
            ("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: "),
            ("nosuch a 'b c' \"d'e\"", "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b c' 'd'e' "),
            ("'' x", "-ERR unknown command '', with args beginning with: 'x' "),
            ("'a\nb' 'c\r\nd'", "-ERR unknown command 'a b', with args beginning with: 'c  d' "),
            (f"{'F' * 200} {'y' * 200} z",
             f"-ERR unknown command '{'F' * 128}', with args beginning with: '{'y' * 128}' ")])
        for line in ("HSET K a b", "LPUSH K a", "SADD K a", "ZADD K 1 a", "XADD K * a b", "EVAL 'return 1' 0", "SAVE",
                     "BGSAVE", "SHUTDOWN", "DEBUG SLEEP 0", "REPLICAOF NO ONE", "MONITOR", "SYNC", "PSYNC ? -1"):
            words = line.split()
            answer = self.client().call(*words)
            self.assertIsInstance(answer, Error, line)
            self.assertTrue(answer.startswith(f"ERR unknown command '{words[0]}', with args beginning with: "), answer)


class Times(RedisTest):
    def test_how_long_a_value_lives(self):
        self.both([
            ("TTL K", -2), ("PTTL K", -2), ("SET K 1", "OK"), ("TTL K", -1), ("PTTL K", -1), ("EXPIRE K 1000", 1),
            ("TTL K", About(1000)), ("SET K 2 KEEPTTL", "OK"), ("TTL K", About(1000)), ("SET K 3", "OK"),
            ("TTL K", -1), ("PEXPIRE K 500000", 1), ("TTL K", About(500)), ("PERSIST K", 1), ("PERSIST K", 0),
            ("TTL K", -1), ("PERSIST K1", 0), ("EXPIRE K1 1000", 0), ("EXPIREAT K 99999999999", 1),
            ("EXPIRE K x", NUMBER), ("EXPIRE K1 x", NUMBER), ("EXPIRE K 1.5", NUMBER),
            (f"EXPIRE K {LARGEST}", expire("expire")), (f"EXPIRE K1 {LARGEST}", expire("expire")),
            (f"EXPIRE K {SMALLEST}", expire("expire")), (f"PEXPIRE K {LARGEST}", expire("pexpire")),
            (f"EXPIREAT K {LARGEST}", expire("expireat")), ("EXPIRE K", arity("expire")), ("TTL", arity("ttl")),
            ("PTTL K K", arity("pttl")), ("PERSIST", arity("persist")), ("EXPIREAT K", arity("expireat"))])

    def test_when_expire_applies(self):
        mixed = "-ERR NX and XX, GT or LT options at the same time are not compatible"
        self.both([
            ("SET K 1", "OK"), ("EXPIRE K 1000 XX", 0), ("EXPIRE K 1000 GT", 0), ("EXPIRE K 1000 NX", 1),
            ("EXPIRE K 2000 NX", 0), ("EXPIRE K 500 GT", 0), ("TTL K", About(1000)), ("EXPIRE K 2000 gt", 1),
            ("EXPIRE K 3000 LT", 0), ("TTL K", About(2000)), ("EXPIRE K 1000 XX LT", 1), ("TTL K", About(1000)),
            ("PERSIST K", 1), ("EXPIRE K 1000 LT", 1), ("EXPIRE K 10 FOO", "-ERR Unsupported option FOO"),
            ("EXPIRE K x FOO", "-ERR Unsupported option FOO"), ("EXPIRE K 10 NX XX", mixed),
            ("EXPIRE K 10 NX GT", mixed), ("EXPIRE K 10 LT NX", mixed),
            ("EXPIRE K 10 GT LT", "-ERR GT and LT options at the same time are not compatible"),
            ("TTL K", About(1000))])

    def test_a_time_that_is_over_removes_at_once(self):
        for line, answer in (("EXPIRE K 0", 1), ("EXPIRE K -1", 1), ("PEXPIRE K -1", 1), ("EXPIREAT K 1", 1),
                             ("EXPIREAT K -5", 1), ("SET K 2 EXAT 1", "OK"), ("SET K 2 PXAT 1", "OK"),
                             ("GETEX K EXAT 1", b"1"), ("GETEX K PXAT 1", b"1")):
            self.both([("SET K 1", "OK"), (line, answer), ("EXISTS K", 0), ("TTL K", -2), ("GET K", None)])

    def test_getex(self):
        self.both([
            ("GETEX K", None), ("SET K 1", "OK"), ("GETEX K", b"1"), ("TTL K", -1), ("GETEX K EX 1000", b"1"),
            ("TTL K", About(1000)), ("GETEX K", b"1"), ("TTL K", About(1000)), ("GETEX K px 500000", b"1"),
            ("TTL K", About(500)), ("GETEX K PERSIST", b"1"), ("TTL K", -1), ("GETEX K EX", SYNTAX),
            ("GETEX K FOO", SYNTAX), ("GETEX K KEEPTTL", SYNTAX), ("GETEX K PERSIST EX 10", SYNTAX),
            ("GETEX K EX 10 PX 10", SYNTAX), ("GETEX K EX x", NUMBER), ("GETEX K EX 0", expire("getex")),
            ("GETEX K1 EX x", None), ("GETEX K1 EX 0", None), ("GETEX", arity("getex")), ("GETEX K", b"1"),
            ("TTL K", -1)])

    def test_what_is_over_is_gone_for_every_command(self):
        client = self.client()
        for protocol in (2, 3):
            client = self.client(protocol=protocol, database=5)
            client.ok("FLUSHDB")
            for number in range(20):
                client.ok("SET", self.key(number), "x", "PX", 50)
            client.ok("SET", self.key("stays"), "x", "PX", 100_000)
            wait_until(lambda: client.call("DBSIZE") == 1, 20, lambda: f"DBSIZE 1, not {client.call('DBSIZE')}")
            self.assertEqual(client.call("KEYS", "*"), [self.key("stays").encode()])
            self.assertEqual(client.call("SCAN", 0, "COUNT", 1000), [b"0", [self.key("stays").encode()]])
            for command, answer in ((["GET"], None), (["EXISTS"], 0), (["TTL"], -2), (["DEL"], 0), (["STRLEN"], 0),
                                    (["TYPE"], "none"), (["PERSIST"], 0), (["EXPIRE", 10], 0), (["GETDEL"], None),
                                    (["SETNX", "y"], 1), (["INCR"], 1), (["APPEND", "y"], 1)):
                number = len(command[0])
                client.ok("SET", self.key(number), "5", "PX", 1)
                wait_until(lambda: client.call("EXISTS", self.key(number)) == 0, 20, "the end of a millisecond")
                self.assertEqual(client.call(command[0], self.key(number), *command[1:]), answer, command)


class Keys(RedisTest):
    def scan(self, client, *options):
        cursor, found, pages = b"0", [], 0
        while cursor != b"0" or not pages:
            cursor, page = client.ok("SCAN", cursor, *options)
            found += page
            pages += 1
        return found, pages

    def test_scan_gives_each_key_once(self):
        client = self.client(database=1)
        client.ok("FLUSHDB")
        self.assertEqual(client.call("SCAN", 0), [b"0", []])
        names = {f"{kind}:{number}".encode() for kind in ("user", "lock") for number in range(400)}
        client.pipeline([["SET", name, "x"] for name in names])
        users = {name for name in names if name.startswith(b"user")}
        for options, expected in (([], names), (["COUNT", 1], names), (["COUNT", 7], names), (["COUNT", 100_000], names),
                                  (["MATCH", "user:*"], users), (["match", "user:*", "count", 33], users),
                                  (["MATCH", "user:?"], {f"user:{one}".encode() for one in range(10)}),
                                  (["MATCH", "none*", "COUNT", 50], set()), (["TYPE", "string"], names),
                                  (["TYPE", "hash"], set()), (["TYPE", "nosuch"], set())):
            for protocol in (2, 3):
                found, _ = self.scan(self.client(protocol=protocol, database=1), *options)
                self.assertEqual(sorted(found), sorted(expected), options)
        self.assertGreater(self.scan(client, "COUNT", 10)[1], 10)

    def test_scan_gives_what_is_there_all_the_time_while_the_rest_changes(self):
        client, writer = self.client(database=2), self.client(database=2)
        client.ok("FLUSHDB")
        lasting = {f"stays:{number}".encode() for number in range(300)}
        writer.pipeline([["SET", name, "x"] for name in lasting])
        cursor, found = b"0", []
        for turn in range(10_000):
            cursor, page = client.ok("SCAN", cursor, "COUNT", 5)
            found += page
            if cursor == b"0":
                break
            writer.ok("SET", f"comes:{turn}", "x")
            writer.ok("DEL", f"comes:{turn - 3}")
            writer.ok("SET", random.choice(sorted(lasting)), "changed")
        self.assertEqual(cursor, b"0", "the scan does not end")
        self.assertEqual({name for name in found if name.startswith(b"stays")}, lasting)

    def test_what_is_wrong_with_a_scan(self):
        self.both([
            ("SCAN", arity("scan")), ("SCAN x", "-ERR invalid cursor"), ("SCAN ' 0'", "-ERR invalid cursor"),
            ("SCAN x FOO", "-ERR invalid cursor"), (f"SCAN {2**64}", "-ERR invalid cursor"), ("SCAN 0 COUNT", SYNTAX),
            ("SCAN 0 COUNT 0", SYNTAX), ("SCAN 0 COUNT -1", SYNTAX), ("SCAN 0 COUNT x", NUMBER),
            ("SCAN 0 MATCH", SYNTAX), ("SCAN 0 FOO bar", SYNTAX), ("SCAN 0 COUNT x FOO a", NUMBER),
            ("SCAN 0 MATCH a COUNT", SYNTAX)])

    def test_patterns(self):
        client = self.client(database=3)
        client.ok("FLUSHDB")
        names = ["hello", "hallo", "hxllo", "h*llo", "h[llo", "abc", "a-c", "ab\\c", "a\nb", ""]
        client.ok("MSET", *(word for name in names for word in (name, "x")))
        for pattern, expected in (
                ("*", names), ("h?llo", names[:5]), ("h*llo", names[:5]), ("h[ae]llo", ["hello", "hallo"]),
                ("h[^e]llo", names[1:5]), ("h[a-b]llo", ["hallo"]), ("h[b-a]llo", ["hallo"]), ("h\\*llo", ["h*llo"]),
                ("h[[]llo", ["h[llo"]), ("h[\\*]llo", ["h*llo"]), ("a[a\\-z]c", ["a-c"]), ("ab\\\\c", ["ab\\c"]),
                ("**o", names[:5]), ("a?b", ["a\nb"]), ("abc", ["abc"]), ("ab", []), ("abcd", []), ("H*", []), ("", [""]),
                ("h[", []), ("h[a", []), ("[]", []), ("\\", []), ("*" * 40 + "q", [])):
            self.assertEqual(sorted(client.ok("KEYS", pattern)), sorted(name.encode() for name in expected), pattern)
            self.assertEqual(sorted(self.scan(client, "MATCH", pattern, "COUNT", 3)[0]),
                             sorted(name.encode() for name in expected), pattern)
        self.talk(client, [("KEYS", arity("keys")), ("KEYS a b", arity("keys"))])

    def test_databases_are_counted_and_emptied_apart(self):
        fourth, sixth = self.client(database=4), self.client(protocol=3, database=6)
        for client in (fourth, sixth):
            self.talk(client, [("FLUSHDB", "OK"), ("DBSIZE", 0), ("MSET K 1 K1 2", "OK"), ("DBSIZE", 2), ("KEYS none", [])])
        self.talk(fourth, [
            ("FLUSHDB x", SYNTAX), ("FLUSHDB ASYNC SYNC", SYNTAX), ("FLUSHALL x", SYNTAX),
            ("DBSIZE x", arity("dbsize")), ("DBSIZE", 2), ("FLUSHDB ASYNC", "OK"), ("DBSIZE", 0), ("GET K", None),
            ("SET K 1", "OK"), ("flushdb sync", "OK"), ("DBSIZE", 0), ("SET K 1", "OK")])
        self.talk(sixth, [("DBSIZE", 2), ("FLUSHALL", "OK"), ("DBSIZE", 0)])
        self.talk(fourth, [("DBSIZE", 0), ("SET K 1", "OK"), ("DBSIZE", 1), ("FLUSHALL ASYNC", "OK"), ("DBSIZE", 0)])
