"""What an application in Python does with a cache: redis-py.py PORT PASSWORD [OTHER_PORT] prints OK, or ends with what
was wrong. For an interpreter that has redis-py."""
import asyncio
import sys
import time

import redis
import redis.asyncio

PORT, PASSWORD = int(sys.argv[1]), sys.argv[2]
OTHER = int(sys.argv[3]) if len(sys.argv) > 3 else PORT


def connect(port=PORT, **options):
    return redis.Redis(host="127.0.0.1", port=port, **{"password": PASSWORD, "socket_timeout": 30, **options})


def expect(condition, what):
    if not condition:
        sys.exit(f"not so: {what}")


def same(seen, expected):
    expect(seen == expected, f"{seen!r} is {expected!r}")


def until(condition, what):
    deadline = time.monotonic() + 10
    while not condition():
        expect(time.monotonic() < deadline, what)
        time.sleep(0.01)


def refused(kind, words, work):
    try:
        work()
    except kind as problem:
        expect(words in str(problem), f"{words!r} in {problem}")
    else:
        sys.exit(f"was not refused: {words}")


def application(prefix, **options):
    one, two = connect(**options), connect(OTHER, **options)

    def key(name):
        return f"{prefix}:{name}"

    expect(one.ping(), "PING")
    same(one.set(key("a"), "ä\0\r\n"), True)
    same(one.get(key("a")).decode(), "ä\0\r\n")
    same(one.get(key("nothing")), None)
    until(lambda: two.get(key("a")), "the value on the other node")
    same(one.set(key("a"), "x", nx=True), None)
    same(one.set(key("a"), "x", xx=True, px=600_000, get=True).decode(), "ä\0\r\n")
    expect(0 < one.pttl(key("a")) <= 600_000, "a time to live")
    same(one.set(key("a"), "y", keepttl=True), True)
    expect(one.ttl(key("a")) > 500, "the time to live is kept")
    same(one.getex(key("a"), persist=True), b"y")
    same([one.ttl(key("a")), one.ttl(key("nothing"))], [-1, -2])
    same([one.expire(key("a"), 1000), one.persist(key("a")), one.persist(key("a"))], [True, True, False])
    same([one.expireat(key("a"), 1), one.exists(key("a"))], [True, 0])
    same([one.setex(key("a"), 100, "z"), one.setnx(key("a"), "no"), one.type(key("a"))], [True, False, b"string"])
    same([one.append(key("a"), "zz"), one.strlen(key("a")), one.getdel(key("a"))], [3, 3, b"zzz"])
    same([one.incr(key("n")), one.incrby(key("n"), 9), one.decr(key("n"), 3), one.decr(key("n"))], [1, 10, 7, 6])
    same(one.mset({key("m1"): 1, key("m2"): "2"}), True)
    same(one.mget(key("m1"), key("nothing"), key("m2")), [b"1", None, b"2"])
    same([one.delete(key("m1"), key("nothing")), one.unlink(key("m2"))], [1, 1])
    one.set(key("text"), "text")
    refused(redis.ResponseError, "value is not an integer or out of range", lambda: one.incr(key("text")))
    refused(redis.ResponseError, "unknown command", lambda: one.execute_command("NOSUCH", "x"))
    refused(redis.ResponseError, "invalid expire time in 'set' command", lambda: one.set(key("a"), 1, ex=0))

    pipe = one.pipeline(transaction=False)
    for number in range(60):
        pipe.set(key(f"page:{number}"), number)
    same(pipe.execute(), [True] * 60)
    names = sorted(key(f"page:{number}").encode() for number in range(60))
    same(sorted(one.scan_iter(match=key("page:*"), count=7)), names)
    same(sorted(one.keys(key("page:*"))), names)

    pipe = one.pipeline()
    same(pipe.set(key("t"), 1).incr(key("t")).get(key("t")).get(key("nothing")).execute(), [True, 2, b"2", None])
    refused(redis.ResponseError, "not an integer", lambda: one.pipeline().set(key("t"), "x").incr(key("t")).execute())
    same(one.get(key("t")), b"x")
    refused(redis.ResponseError, "unknown command", lambda: one.pipeline().execute_command("NOSUCH").execute())

    same([one.set(key("lock"), "me", nx=True, px=60_000), two.set(key("lock"), "you", nx=True, px=60_000)], [True, None])
    expect(one.get(key("lock")) == b"me" and one.delete(key("lock")) == 1, "the lock is mine and let go")
    until(lambda: two.set(key("lock"), "you", nx=True, px=60_000), "the free lock")

    ear = two.pubsub()
    ear.subscribe(key("news"))
    ear.psubscribe(key("n?ws"))
    same([ear.get_message(timeout=20)["type"] for _ in range(2)], ["subscribe", "psubscribe"])
    one.publish(key("news"), "hello")
    same([ear.get_message(timeout=20)["data"] for _ in range(2)], [b"hello", b"hello"])
    ear.close()

    visitor = connect(db=7, client_name="visitor", decode_responses=True, health_check_interval=1)
    same([visitor.get(key("n")), visitor.client_getname()], [None, "visitor"])
    visitor.set(key("n"), "of db 7")
    same(one.get(key("n")), b"6")
    expect("visitor" in [client["name"] for client in one.client_list()], "the visitor in the list")
    same(visitor.client_info()["db"], 7)
    info = one.info()
    same([info["redis_mode"], info["role"], info["loading"]], ["standalone", "master", 0])
    expect(info["db7"]["keys"] >= 1, "keys of db 7")


async def at_the_same_time():
    one = redis.asyncio.Redis(host="127.0.0.1", port=PORT, password=PASSWORD)
    same(sorted(await asyncio.gather(*(one.incr("async:n") for _ in range(40)))), list(range(1, 41)))
    async with one.pipeline() as pipe:
        same(await pipe.set("async:t", 1).incr("async:t").execute(), [True, 2])
    await one.close()


application("py")
application("py-user", username="default")
application("py-db2", db=2, single_connection_client=True)
asyncio.run(at_the_same_time())
refused(redis.ResponseError, "WRONGPASS", lambda: connect(password=PASSWORD + "x").ping())
refused(redis.AuthenticationError, "Authentication required", lambda: connect(password=None).ping())
print("OK")
