"""The same commands to a real redis-server and to the endpoint of a cache: what they answer is the same, byte for byte
but for what redis_compare.py names. KITH_SEEDS=N runs the seeds 1 to N, KITH_SEEDS=N-M those alone."""
import os

import redis_compare
import redis_streams
from harness import redis
from redis_scene import PASSWORD, RedisTest

COMMANDS = 1200


def seeds():
    first, _, last = os.environ.get("KITH_SEEDS", "1-3").rpartition("-")
    return range(int(first or 1), int(last) + 1)


class Differential(RedisTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.redis = redis.Server(cls.run_, PASSWORD, without=redis_streams.OTHER_TYPES)

    def compare(self, protocol):
        addresses = (self.redis.address, self.cluster.nodes[0].redis)

        def differs(commands):
            return redis_compare.difference(addresses, PASSWORD, protocol, commands)
        for seed in seeds():
            commands = redis_streams.Stream(seed, protocol, PASSWORD).commands(COMMANDS)
            found = differs(commands)
            if found:
                least = redis_compare.smallest(differs, commands[:found[0] + 1])
                _, expected, answer = differs(least) or found
                self.fail(f"seed {seed}, RESP{protocol}, command {found[0]}: {commands[found[0]]}\n"
                          + "".join(f"  {command}\n" for command in least)
                          + f"redis-server: {expected}\nthe endpoint: {answer}")

    def test_random_commands_are_answered_as_redis_answers_them_in_resp2(self):
        self.compare(2)

    def test_random_commands_are_answered_as_redis_answers_them_in_resp3(self):
        self.compare(3)
