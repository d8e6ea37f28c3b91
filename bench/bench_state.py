"""Replicated state: writes, reads, memory, joining and restarting, and the Redis protocol, beside Redis

Nodes of kith as processes on one loopback: its clusters, links, TLS and journals, driven without a gateway; and
Redis 7, a primary with replicas, TLS among them, both in the same run. A session is a key of 32 bytes and a body of
512 random ones that lives for 8 hours; in Redis SET with a time to live. CPU is the scheduler's account of all threads
of a process. Medians of at least three rounds.

originate, apply: three nodes, 256 creations at a time at one of them, each acknowledged by another; sessions for each
second of CPU, of the node where they are made and of the others. Redis: SET of the same, 16 in a pipeline, at a primary
with two replicas. overhead: what a node that joined has allocated beyond what it had of an empty cluster, without key
and body; Redis: used_memory likewise, of the primary, without the buffers of replication. join: from the start of a
process to ready, with all sessions; Redis: a replica, without a disk. restart: a node alone with a journal, from the
start of its process to ready; Redis from an RDB file. readable everywhere: five nodes, 4,000 writes a second at each,
every fiftieth a revocation, from the call until the last of the others reads it; Redis: SET (DEL) and WAIT 1 with one
replica, at the same rate at the primary, from when it was due until WAIT is answered. redis protocol: redis-benchmark
with 50 connections on a core of its own; CPU for each request, of one kith alone with an endpoint and of one Redis.

The second picture: the same at 10,000 to 1,000,000 sessions, and with 2 to 10 nodes, where Redis has a replica for each
other node and waits for all of them.
"""
import os
import re
import statistics

from harness.cluster import Cluster
from harness.process import Failure, run_tool, wait_until
from state_nodes import KEY, SIZE, Fleet, StateNode, cpu_ns
from state_redis import Redis, RedisFleet

PEER = "Redis"
ROUNDS = 3


class Full:
    steps, window = (10_000, 100_000, 300_000, 1_000_000), 50_000
    spread_rate, spread_seconds = 20_000, 5
    grow_nodes, grow_rate, grow_seconds = (2, 3, 5, 10), 5_000, 3
    restarts = (10_000, 100_000, 1_000_000)
    requests = {1: 100_000, 16: 300_000}
    keys = (10_000, 100_000, 1_000_000)


class Small:
    steps, window = (2_000, 6_000, 20_000), 2_000
    spread_rate, spread_seconds = 2_000, 2
    grow_nodes, grow_rate, grow_seconds = (2, 3), 500, 2
    restarts = (2_000, 20_000)
    requests = {1: 10_000, 16: 40_000}
    keys = (2_000, 20_000)


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def row(name, unit, ours, peer, better="lower", goal=None, peer_name=PEER, **more):
    return {"name": name, "unit": unit, "ours": round(ours, 4), "peer_name": peer_name, "peer": round(peer, 4),
            "better": better, "goal": goal, **more}


# ---------------------------------------------------------------- three nodes that fill up

def fill_up(bench, plan):
    """Both grow in turns; at each step they are looked at."""
    fleets = {"kith": Fleet(bench, "fill", 3), PEER: RedisFleet(bench, "redis-fill", 3)}
    ours, peer = fleets.values()
    _, empty = ours.join()
    cpu = {"kith": [], PEER: []}  # (sessions so far, where they are made, elsewhere)
    found = {}
    try:
        for index, step in enumerate(plan.steps):
            before = plan.steps[index - 1] if index else 0
            while ours.held < step:
                count = min(plan.window, step - ours.held)
                for who, fleet in fleets.items():
                    made, *applied = fleet.fill(count)
                    if count >= min(plan.window, step - before) / 2:  # few say little
                        cpu[who].append((fleet.held, made, statistics.mean(applied)))
            last = index == len(plan.steps) - 1
            look(bench, fleets, step, before, cpu, empty, ROUNDS if last else 1, found)
    finally:
        for fleet in fleets.values():
            fleet.stop()
    return found


def look(bench, fleets, step, before, cpu, empty, rounds, found):
    ours, peer = fleets.values()
    for who in fleets:
        windows = [(made, applied) for held, made, applied in cpu[who] if held > before]
        found[who, "originate"], found[who, "apply"] = (statistics.median(each) for each in zip(*windows))
        bench.point("CPU of a write, where it is made", "µs", "sessions", who, step, found[who, "originate"] / 1e3)
        bench.point("CPU of a write, at each other node", "µs", "sessions", who, step, found[who, "apply"] / 1e3)
    reads = [ours.nodes[1].ask("read", 0, ours.held, 20_000)["cpu_ns"] / 20_000 for _ in range(ROUNDS)]
    bench.point("CPU of a read", "ns", "sessions", "kith", step, statistics.median(reads))
    joins = {"kith": [], PEER: []}
    for _ in range(rounds):
        seconds, heap = ours.join()
        joins["kith"].append(seconds)
        joins[PEER].append(peer.join())
    found["kith", "bytes"] = (heap - empty) / ours.held - KEY - SIZE
    found[PEER, "bytes"] = peer.overhead(KEY + SIZE)
    for who in fleets:
        found[who, "join"] = statistics.median(joins[who])
        bench.point("joining", "s", "sessions", who, step, found[who, "join"])
        bench.point("memory over key and body", "B/session", "sessions", who, step, found[who, "bytes"])
        bench.say(f"{step:>9,} sessions  {who:<6} originate {found[who, 'originate'] / 1e3:.1f} us, apply "
                  f"{found[who, 'apply'] / 1e3:.1f} us, {found[who, 'bytes']:.0f} B over key and body, join "
                  f"{found[who, 'join']:.2f} s" + (f", read {statistics.median(reads):.0f} ns" if who == "kith" else ""))
    for who, fleet in fleets.items():
        created, _ = fleet.spread(1000, 2)
        for part in (0.5, 0.99):
            bench.point(f"readable on 3 nodes, p{100 * part:.0f}, 1,000/s", "ms", "sessions", who, step,
                        percentile(created, part))


# ---------------------------------------------------------------- how long until all have it

def spreads(bench, plan):
    found = {}
    fleets = {"kith": Fleet(bench, "spread", 5), PEER: RedisFleet(bench, "redis-spread", 2)}
    try:
        for fleet in fleets.values():
            fleet.spread(plan.spread_rate, 1)
        for turn in range(ROUNDS):
            for who, fleet in fleets.items():
                before = fleet.cpu()
                created, revoked = fleet.spread(plan.spread_rate, plan.spread_seconds, revoke_every=50)
                cores = (fleet.cpu() - before) / 1e9 / plan.spread_seconds
                values = percentile(created, 0.5), percentile(created, 0.99), percentile(revoked, 0.99)
                found.setdefault(who, []).append(values)
                bench.say(f"round {turn + 1}  {who:<6} {plan.spread_rate:,}/s: readable p50 {values[0]:.2f} ms, p99 "
                          f"{values[1]:.2f} ms, revoked p99 {values[2]:.2f} ms, {cores:.2f} cores")
    finally:
        for fleet in fleets.values():
            fleet.stop()
    for count in plan.grow_nodes:
        for who, make in (("kith", Fleet), (PEER, RedisFleet)):
            fleet = make(bench, f"{who.lower()}-of{count}-", count)
            try:
                fleet.spread(plan.grow_rate, 1)
                created, _ = fleet.spread(plan.grow_rate, plan.grow_seconds)
                values = percentile(created, 0.5), percentile(created, 0.99)
                bench.say(f"{count:>2} nodes  {who:<6} {plan.grow_rate:,}/s: p50 {values[0]:.2f} ms, p99 "
                          f"{values[1]:.2f} ms")
            finally:
                fleet.stop()
            for part, value in zip((50, 99), values):
                bench.point(f"readable everywhere, p{part}, {plan.grow_rate:,}/s", "ms", "nodes", who, count, value)
    return {who: tuple(map(statistics.median, zip(*values))) for who, values in found.items()}


# ---------------------------------------------------------------- restarts

def restarts(bench, plan):
    found = {}
    for sessions in plan.restarts:
        rounds = ROUNDS if sessions == plan.restarts[-1] else 1
        took = {"kith": restart_kith(bench, sessions, rounds), **restart_redis(bench, sessions, rounds)}
        for who, seconds in took.items():
            found[who] = statistics.median(seconds)
            bench.point("restart", "s", "sessions", who, sessions, found[who])
            bench.say(f"{sessions:>9,} sessions  {who:<12} restart {found[who]:.2f} s")
    return found


def restart_kith(bench, sessions, rounds):
    folder = bench.run.dir / f"journal{sessions}"
    folder.mkdir()
    node = StateNode(bench, f"restart{sessions}", journal=folder).start()
    node.wait_ready()
    node.create(0, sessions, level="local")
    node.answer()
    node.wait(lambda status: status["written"] >= sessions, "its journal is written")
    found = []
    for _ in range(rounds):
        node.stop()
        status = node.start().wait_ready()
        if status["sessions"] != sessions:
            raise Failure(f"{status['sessions']} of {sessions} sessions came back")
        found.append(status["ready_after"])
    node.process.kill()
    run_tool(["rm", "-r", folder])
    return found


def restart_redis(bench, sessions, rounds):
    folder = bench.run.dir / f"redis{sessions}"
    found = {"Redis (AOF)": [], "Redis (RDB)": []}
    first = Redis(bench, f"redis-aof{sessions}", directory=folder, persisted="aof").start()
    first.wait_holds(0)
    first.load("fill", 0, sessions, SIZE, 16)
    wait_until(lambda: first.info("persistence")["aof_rewrite_in_progress"] == "0", 120, "the AOF is rewritten")
    second = Redis(bench, f"redis-rdb{sessions}", directory=folder, persisted="rdb")
    for kind, one in (("AOF", first), ("RDB", second)):
        for _ in range(rounds):
            if one.process.alive():
                one.process.stop()
            found[f"Redis ({kind})"].append(one.start().wait_holds(sessions))
        if kind == "AOF":
            one.ask("SAVE")
        one.stop()
    run_tool(["rm", "-r", folder])
    return found


# ---------------------------------------------------------------- the Redis protocol

class Served:
    """What redis-benchmark asks: its port, and whose CPU that costs, the one asked first."""

    def __init__(self, who, port, processes):
        self.who, self.port, self.processes = who, port, processes

    def cost(self, operation, pipeline, requests, *more):
        """CPU µs for each request, of each process. The load has a core of its own: how many requests a server finds
        at once, and so what each costs, would depend on who runs when."""
        cores = sorted(os.sched_getaffinity(0))
        for process in self.processes:
            for task in os.listdir(f"/proc/{process.pid}/task"):
                os.sched_setaffinity(int(task), cores[1:] or cores)
        os.sched_setaffinity(0, cores[:1])
        try:
            return self._cost(operation, pipeline, requests, *more)
        finally:
            os.sched_setaffinity(0, cores)

    def _cost(self, operation, pipeline, requests, *more):
        def run(count):
            told = run_tool(["redis-benchmark", "-p", self.port, "-t", operation, "-P", pipeline, "-n", count, "-c", 50,
                             "-q", *more], timeout=300)
            if "requests per second" not in told or "rror" in told:
                raise Failure(f"redis-benchmark at {self.who}: {told}")
        run(requests // 10)
        before = [cpu_ns(process.pid) for process in self.processes]
        run(requests)
        return [(cpu_ns(process.pid) - was) / requests / 1e3 for process, was in zip(self.processes, before)]


def kith_endpoint(bench, names, prefix):
    ports = {}

    def customize(config, node):
        ports[node.name] = ports.get(node.name) or bench.run.ports.next()
        config["session"]["store"] = {"type": "local"}
        config["http"].pop("routing")
        config["http"]["accessLog"] = {"disabled": True}
        config["control"] = {"disabled": True}
        config["health"] = {"heartbeat": {"disabled": True}}
        config["caches"] = [{"name": "shared", "type": "cluster", "cluster": {"name": "main", "maxMemoryMiB": 1024},
                             "endpoint": {"address": f"127.0.0.1:{ports[node.name]}"}}]
    cluster = Cluster(bench.run, bench.program("kith"), names=names, customize=customize, prefix=prefix).start()
    return Served("kith", ports[names[0]], [node.process for node in cluster.nodes]), cluster.stop


def redis_endpoint(bench, prefix, count):
    fleet = RedisFleet(bench, prefix, count)
    return Served(PEER, fleet.primary.port, [one.process for one in (fleet.primary, *fleet.replicas)]), fleet.stop


def endpoint(bench, plan):
    found = {}
    served = [kith_endpoint(bench, ("a",), "alone-"), redis_endpoint(bench, "redis-alone", 1)]
    for turn in range(ROUNDS):
        for pipeline, requests in plan.requests.items():
            for operation in ("set", "get"):
                for one, _ in served:
                    cost = one.cost(operation, pipeline, requests)[0]
                    found.setdefault((one.who, operation, pipeline), []).append(cost)
                    bench.say(f"round {turn + 1}  {one.who:<6} {operation} at pipeline {pipeline:>2}: {cost:.2f} us")
    for keys in plan.keys:
        for operation, requests in (("set", keys), ("get", plan.requests[16])):
            for one, _ in served:
                bench.point(f"Redis protocol: {operation.upper()}, pipeline 16", "µs", "random keys", one.who, keys,
                            one.cost(operation, 16, requests, "-r", keys)[0])
    grown = [kith_endpoint(bench, ("a", "b", "c"), "three-"), redis_endpoint(bench, "redis-three", 3)]
    for nodes, together in ((1, served), (3, grown)):
        for one, stop in together:
            asked, *others = one.cost("set", 16, plan.requests[16])
            title = "Redis protocol: SET, pipeline 16, in a cluster"
            bench.point(title, "µs", "nodes", one.who, nodes, asked)
            bench.point(title, "µs", "nodes", f"{one.who}, all", nodes, asked + sum(others))
            bench.say(f"{nodes} nodes  {one.who:<6} set at pipeline 16: {asked:.2f} us, all nodes "
                      f"{asked + sum(others):.2f} us")
            stop()
    return {what: statistics.median(values) for what, values in found.items()}


def measure(bench):
    version = re.search(r"v=([\d.]+)", run_tool(["redis-server", "--version"]))
    if not version or not version[1].startswith("7."):
        raise Failure("this benchmark is about Redis 7")
    plan = Small if bench.small else Full
    if bench.small:
        bench.say(f"small: {plan.steps[-1]:,} sessions at most, whatever a row is called")
    fill, spread = fill_up(bench, plan), spreads(bench, plan)
    restart, asked = restarts(bench, plan), endpoint(bench, plan)

    def both(what):
        return fill["kith", what], fill[PEER, what]
    rows = [row("overhead_bytes_per_session", "B", *both("bytes"), limit=96)]
    for at, (name, limit) in enumerate((("write_to_readable_everywhere_p50_ms", 0.7),
                                        ("write_to_readable_everywhere_p99_ms", 5), ("revocation_p99_ms", 10))):
        rows.append(row(name, "ms", spread["kith"][at], spread[PEER][at], limit=limit, peer_name="Redis, WAIT 1"))
    for what in ("originate", "apply"):
        rows.append(row(f"{what}_per_core_per_s", "1/s", *(1e9 / ns for ns in both(what)), better="higher"))
    rows += [row("join_1m_sessions_s", "s", *both("join"), limit=8),
             row("restart_1m_sessions_s", "s", restart["kith"], restart["Redis (RDB)"], limit=2.5,
                 peer_name="Redis, RDB")]
    for pipeline in (1, 16):
        for operation in ("get", "set"):
            rows.append(row(f"redis_protocol_{operation}_cpu_p{pipeline}", "µs", asked["kith", operation, pipeline],
                            asked[PEER, operation, pipeline], goal=1.0))
    return rows
