"""Membership: who knows of a crash, a hang and a join when, and what it costs, beside memberlist

3, 10 and 50 nodes as processes on one loopback, ours in turns with HashiCorp's memberlist (Debian's package, LAN
defaults, AES key, a small program that prints its events). Both sides write what they see to their logs with the wall
clock; times count from just before the signal. crash: kill -9 of one node after the other, until the first and the
last survivor knows; it is started again, and join is the time from its first line until the last of the others has it.
p99 of fewer than a hundred rounds is the worst of them. hang: SIGSTOP until the last one knows. pause: SIGSTOP for 1,
2 and 5 s and SIGCONT; a false death is a healthy node that somebody declared gone because of a pause of 1 s; back is
the time from SIGCONT until everybody has the node as a member. steady: 10 s without events; CPU is the scheduler's account
of all threads of the nodes, bytes are what goes through the loopback of a network namespace of its own, IP headers
included, for each node and second.
"""
import ctypes
import json
import pathlib
import random
import signal
import statistics
import subprocess
import time

from harness.cluster import Cluster
from harness.process import Failure, run_tool, wait_until

PEER = "memberlist"
SIZES = (3, 10, 50)
ROUNDS = {"kith": {3: 30, 10: 30, 50: 15}, PEER: {3: 6, 10: 6, 50: 4}}  # crash and join; memberlist's take seconds each
HANGS, PAUSES, STEADY = 4, (1, 2, 5), 10
HANG_AT = 10
SEEDS = 3
QUIET = 1.5  # after everybody has everybody, before the next thing happens

CLONE_NEWNET = 0x40000000


def own_loopback():
    """Puts this process and its children into a network namespace; False where that is not allowed."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return True


def loopback_bytes():
    with open("/proc/self/net/dev") as table:
        line = next(line for line in table if line.strip().startswith("lo:"))
    return int(line.split(":")[1].split()[8])  # sent; each byte is counted once


def cpu_ns(pid):
    """On the CPU, all threads."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


class Watched:
    """One node: its process, and what its log says about the others."""

    def __init__(self, name, process, read_line):
        self.name, self.process, self._read_line = name, process, read_line
        self.events = []  # (seconds, "up" | "down" | "start", node)
        self._offset = 0
        self._rest = b""

    def poll(self):
        if not self.process.log.exists():
            return
        with open(self.process.log, "rb") as log:
            log.seek(self._offset)
            data = log.read()
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            event = self._read_line(line)
            if event:
                self.events.append(event)

    def view(self):
        """The others it has, in its present life."""
        have = set()
        for _, what, node in self.events:
            if what == "start":
                have.clear()
            elif what == "up":
                have.add(node)
            else:
                have.discard(node)
        return have

    def first(self, what, node, after):
        return next((at for at, event, of in self.events if event == what and of == node and at >= after), None)


def read_memberlist(line):
    try:
        event = json.loads(line)
        return event["t"] / 1e9, event["event"], event["node"]
    except (ValueError, KeyError):
        return None


KITH_WORDS = {"cluster started": "start", "member joined": "up", "member is gone": "down"}


def read_kith(line):
    try:
        event = json.loads(line)
        what = KITH_WORDS.get(event["msg"])
        if not what:
            return None
        day, _, clock = event["time"].rstrip("Z").partition("T")
        hours, minutes, seconds = clock.split(":")
        days = (time.mktime(time.strptime(day, "%Y-%m-%d")) - time.timezone)
        return days + int(hours) * 3600 + int(minutes) * 60 + float(seconds), what, event.get("peer", event.get("node"))
    except (ValueError, KeyError):
        return None


def bare(config, node):
    """No sessions, no application, no door: membership is what is measured."""
    config["session"]["store"] = {"type": "local"}
    config["http"].pop("routing")
    config["http"]["accessLog"] = {"disabled": True}
    config["health"] = {"heartbeat": {"disabled": True}}
    config["control"] = {"disabled": True}
    config.pop("connectors")
    config.pop("apps")
    static = config["clusters"][0]["discovery"]["static"]
    static["nodes"] = static["nodes"][:SEEDS]


def kith_nodes(bench, count):
    cluster = Cluster(bench.run, bench.program("kith"), names=[f"n{i}" for i in range(count)], customize=bare,
                      prefix=f"kith{count}-")
    for node in cluster.nodes:
        node.write_config()
    return [Watched(node.name, node.process, read_kith) for node in cluster.nodes]


def memberlist_nodes(bench, count):
    program = bench.run.dir / "memberlist-node"
    if not program.exists():
        source = pathlib.Path(__file__).parent / "peers" / "memberlist" / "main.go"
        cache = pathlib.Path(__file__).parent.parent / "build" / "bench-go"
        run_tool(["go", "build", "-o", program, source], timeout=600,
                 env={"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(cache.resolve())})
    key = random.randbytes(32).hex()
    ports = [bench.run.ports.next() for _ in range(count)]
    nodes = []
    for i, port in enumerate(ports):
        seeds = [f"127.0.0.1:{seed}" for seed in ports[:SEEDS] if seed != port]
        process = bench.run.process(f"memberlist{count}-n{i}", [program, f"n{i}", port, key, *seeds])
        nodes.append(Watched(f"n{i}", process, read_memberlist))
    return nodes


class Fleet:
    def __init__(self, who, nodes, say):
        self.who, self.nodes, self.say = who, nodes, say

    def poll(self):
        for node in self.nodes:
            node.poll()

    def wait(self, condition, timeout, what):
        def polled():
            self.poll()
            return condition()
        return wait_until(polled, timeout, what, every=0.03)

    def others(self, node):
        return [other for other in self.nodes if other is not node]

    def missing(self):
        names = {node.name for node in self.nodes}
        return {node.name: sorted(names - {node.name} - node.view()) for node in self.nodes
                if names - {node.name} - node.view()}

    def settle(self, timeout=120):
        self.wait(lambda: not self.missing(), timeout, lambda: f"{self.who}: everybody has everybody; missing {self.missing()}")
        time.sleep(QUIET)
        self.poll()

    def start(self):
        for node in self.nodes:
            node.process.start()
        self.settle()

    def all_know(self, victim, what, after, timeout):
        """When each of the others saw it; a Failure when one does not."""
        def seen():
            times = [other.first(what, victim.name, after) for other in self.others(victim)]
            return times if None not in times else None
        return self.wait(seen, timeout, lambda: f"{self.who}: everybody sees {victim.name} {what}")

    # What is measured.

    def crash(self, victim):
        """(first, last, join) in ms."""
        before = time.time()
        victim.process.kill()
        # Our log has whole milliseconds, cut off.
        down = self.all_know(victim, "down", before - 0.001, 120)
        again = time.time()
        victim.process.start()
        up = self.all_know(victim, "up", again - 0.001, 120)
        began = victim.first("start", victim.name, again - 0.001)
        self.settle()
        return [1000 * max(0.0, at) for at in (min(down) - before, max(down) - before, max(up) - began)]

    def hang(self, victim):
        before = time.time()
        victim.process.signal(signal.SIGSTOP)
        try:
            down = self.all_know(victim, "down", before - 0.001, 120)
        finally:
            victim.process.signal(signal.SIGCONT)
        self.settle()
        return 1000 * (max(down) - before)

    def pause(self, victim, seconds):
        """(declared gone by how many, ms from SIGCONT until everybody has it)."""
        before = time.time()
        victim.process.signal(signal.SIGSTOP)
        time.sleep(seconds)
        victim.process.signal(signal.SIGCONT)
        resumed = time.time()
        time.sleep(2)  # what the pause causes may come late
        self.settle()
        events = [(at, what, of) for node in self.nodes for at, what, of in node.events if at >= before]
        deaths = sum(what == "down" for _, what, _ in events)
        ups = [at for at, what, _ in events if what == "up"]
        return deaths, 1000 * max(0.0, max(ups) - resumed) if ups else 0.0

    def steady(self):
        """(CPU ms, bytes) for each node and second."""
        pids = [node.process.pid for node in self.nodes]
        cpu, sent, began = sum(map(cpu_ns, pids)), loopback_bytes(), time.monotonic()
        time.sleep(STEADY)
        cpu, sent, took = sum(map(cpu_ns, pids)) - cpu, loopback_bytes() - sent, time.monotonic() - began
        return cpu / 1e6 / took / len(pids), sent / took / len(pids)

    def stop(self):
        for node in self.nodes:
            node.process.kill()


def p99(values):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


def measure_fleet(bench, who, count):
    nodes = (kith_nodes if who == "kith" else memberlist_nodes)(bench, count)
    fleet = Fleet(who, nodes, bench.say)
    found = {}
    try:
        fleet.start()
        found["cpu"], found["bytes"] = fleet.steady()
        bench.say(f"{who:<10} {count:>2} nodes  steady: {found['cpu']:.2f} ms/s of CPU, {found['bytes']:,.0f} B/s per node")
        rounds = []
        for turn in range(ROUNDS[who][count]):
            rounds.append(fleet.crash(nodes[turn % count]))
        first, last, join = (list(values) for values in zip(*rounds))
        found |= {"first": statistics.median(first), "last": p99(last), "join": statistics.median(join)}
        bench.say(f"{who:<10} {count:>2} nodes  {len(rounds)} crashes: first {found['first']:,.0f} ms (p50), last "
                  f"{statistics.median(last):,.0f} ms (p50) {found['last']:,.0f} ms (p99); join {found['join']:,.0f} ms")
        if count == HANG_AT:
            found["hang"] = p99([fleet.hang(nodes[turn]) for turn in range(HANGS)])
            bench.say(f"{who:<10} {count:>2} nodes  hang known everywhere after {found['hang']:,.0f} ms")
            for seconds in PAUSES:
                pauses = [fleet.pause(node, seconds) for node in (nodes if seconds == 1 else nodes[:HANGS])]
                found[f"deaths{seconds}"] = sum(deaths for deaths, _ in pauses)
                found[f"back{seconds}"] = max(back for _, back in pauses)
                bench.say(f"{who:<10} {count:>2} nodes  {len(pauses)} pauses of {seconds} s: declared gone "
                          f"{found[f'deaths{seconds}']} times, back after {found[f'back{seconds}']:,.0f} ms at most")
    finally:
        fleet.stop()
    return found


def row(name, unit, ours, peer, **more):
    return {"name": name, "unit": unit, "ours": round(ours, 3), "peer_name": PEER, "peer": round(peer, 3),
            "better": "lower", "goal": 1.0, **more}


def measure(bench):
    if not own_loopback():
        raise Failure("this benchmark needs a network namespace of its own to count bytes: run it as root")
    rows = []
    for count in SIZES:
        ours, peer = (measure_fleet(bench, who, count) for who in ("kith", PEER))
        rows += [row(f"crash_known_by_first_p50_ms_{count}", "ms", ours["first"], peer["first"]),
                 row(f"crash_known_by_last_p99_ms_{count}", "ms", ours["last"], peer["last"], limit=250),
                 row(f"join_ms_{count}", "ms", ours["join"], peer["join"]),
                 row(f"steady_cpu_ms_per_s_per_node_{count}", "ms/s", ours["cpu"], peer["cpu"], goal=None),
                 row(f"steady_bytes_per_s_per_node_{count}", "B/s", ours["bytes"], peer["bytes"], goal=None)]
        if count == HANG_AT:
            rows += [row(f"hang_known_by_last_p99_ms_{count}", "ms", ours["hang"], peer["hang"], limit=1500),
                     row("false_deaths_pause_1s", "declared", ours["deaths1"], peer["deaths1"], limit=0),
                     row(f"back_after_pause_2s_ms_{count}", "ms", ours["back2"], peer["back2"]),
                     row(f"back_after_pause_5s_ms_{count}", "ms", ours["back5"], peer["back5"])]
    return rows
