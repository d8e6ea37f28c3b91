"""Nodes of bench_state.py: kith's clusters without a gateway (state_node.cpp)."""
import array
import json
import pathlib
import socket
import time

from harness.process import Failure, wait_until

SIZE = 512  # bytes of a session's body
KEY = 32    # and of its key
REVOKE_AFTER = 300  # writes, in state_node.cpp


def cpu_ns(pid):
    """On the CPU, all threads."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


class StateNode:
    def __init__(self, bench, name, seeds=(), journal=None):
        run = bench.run
        self.name = name
        self.membership, data = run.ports.next(), run.ports.next()
        self._socket = run.dir / f"{name}.sock"
        self.process = run.process(name, [
            bench.program("kith-bench-state"), name, self.membership, data, run.dir / f"{name}.key", self._socket,
            journal or "-", *(seed.membership for seed in seeds)])
        self._connection, self._answers = None, None
        self.began = 0

    def start(self):
        """Its beginning is noted; answers as soon as it takes commands, which may be long after."""
        self._socket.unlink(missing_ok=True)
        self.began = time.monotonic_ns()
        self.process.start()
        self._connection = wait_until(self._connect, 120, f"{self.name} takes commands", every=0.005)
        self._answers = self._connection.makefile("r")
        return self

    def _connect(self):
        if not self.process.alive():
            raise Failure(f"{self.name} ended with {self.process.exit_code}\n{self.process.tail()}")
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self._socket))
            return connection
        except OSError:
            connection.close()
            return None

    def tell(self, *words):
        self._connection.sendall((" ".join(map(str, words)) + "\n").encode())

    def answer(self):
        line = self._answers.readline()
        if not line:
            raise Failure(f"{self.name} does not answer\n{self.process.tail()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(f"{self.name}: {answer['error']}")
        return answer

    def ask(self, *words):
        self.tell(*words)
        return self.answer()

    def status(self):
        return self.ask("status")

    def wait(self, condition, what, timeout=120, every=0.02):
        return wait_until(lambda: (lambda status: status if condition(status) else None)(self.status()), timeout,
                          lambda: f"{self.name}: {what}; {self.status()}", every)

    def wait_ready(self):
        """The status; ready_at counts from its start, in seconds."""
        status = self.wait(lambda status: status["ready_at"] > 0, "ready")
        status["ready_after"] = (status["ready_at"] - self.began) / 1e9
        return status

    def cpu(self):
        return cpu_ns(self.process.pid)

    def create(self, first, count, rate=0, level="one", at_once=256, revoke_every=0):
        self.tell("create", first, count, SIZE, rate, level, at_once, revoke_every)

    def stop(self):
        self.ask("stop")
        self._connection.close()
        self.process.wait_exit(60)


class Fleet:
    """Nodes of one cluster; all know one another."""

    def __init__(self, bench, prefix, count):
        self.bench, self.prefix = bench, prefix
        first = StateNode(bench, f"{prefix}0").start()
        first.wait_ready()
        self.nodes = [first]
        self.next, self.held = 0, 0  # the number of the next session; how many there are
        self.joined = 0
        for index in range(1, count):
            self.nodes.append(StateNode(bench, f"{prefix}{index}", [first]).start())
        self.settle()

    def settle(self):
        for node in self.nodes:
            node.wait(lambda status: status["ready_at"] > 0 and status["peers"] == len(self.nodes) - 1,
                      f"ready, with {len(self.nodes) - 1} peers")

    def cpu(self):
        return sum(node.cpu() for node in self.nodes)

    def everywhere(self, sessions):
        for node in self.nodes:
            node.wait(lambda status: status["sessions"] >= sessions, f"{sessions} sessions", every=0.01)

    def fill(self, count):
        """Sessions made at the first node, as many as it takes; CPU of each node per session, ns."""
        before = [node.cpu() for node in self.nodes]
        self.nodes[0].create(self.next, count)
        self.expect_done(self.nodes[0].answer())
        self.next += count
        self.held += count
        self.everywhere(self.held)
        return [(node.cpu() - was) / count for node, was in zip(self.nodes, before)]

    def join(self):
        """(seconds until ready, what it has allocated beside its ring) of a node that comes and goes."""
        self.joined += 1
        node = StateNode(self.bench, f"{self.prefix}j{self.joined}", self.nodes[:1]).start()
        status = node.wait_ready()
        if status["sessions"] < self.held:
            raise Failure(f"{node.name} was ready with {status['sessions']} of {self.held} sessions")
        heap = node.ask("memory")["heap"] - status["ring"]
        node.stop()
        self.settle()
        return status["ready_after"], heap

    def spread(self, rate, seconds, revoke_every=0):
        """Writes at all nodes, `rate` a second together: ([ms until readable at all others], [... revoked])."""
        ids = [node.status() for node in self.nodes]
        numbers = {}  # of who follows, by whom
        for at, node in enumerate(self.nodes):
            for of, status in enumerate(ids):
                if of != at:
                    numbers[at, of] = node.ask("follow", status["id"], status["incarnation"])["number"]
        each = int(rate * seconds / len(self.nodes))
        for index, node in enumerate(self.nodes):
            node.create(self.next + index * each, each, rate // len(self.nodes), revoke_every=revoke_every)
        for node in self.nodes:
            self.expect_done(node.answer(), at_level=False)
        self.next += len(self.nodes) * each
        revoked = sum(number % revoke_every == 0 for number in range(REVOKE_AFTER + 1, each)) if revoke_every else 0
        self.held += len(self.nodes) * (each - revoked)
        self.everywhere(self.held)
        time.sleep(0.5)  # for the last revocations
        writes = [self._take(node, "writes", 4) for node in self.nodes]
        steps = [self._take(node, "steps", 3) for node in self.nodes]
        found = [], []
        for of, mine in enumerate(writes):
            last = dict.fromkeys((write[0] for write in mine), 0)
            for at, seen in enumerate(steps):
                if at != of:
                    self._merge(last, [(prefix, when) for number, prefix, when in seen if number == numbers[at, of]])
            for seq, called, _, revoked in mine:
                found[revoked].append((last[seq] - called) / 1e6)
        return found

    def _take(self, node, what, words):
        file = self.bench.run.dir / f"{node.name}.{what}"
        node.ask(what, file)
        numbers = array.array("q", file.read_bytes())
        file.unlink()
        return sorted(zip(*(numbers[at::words] for at in range(words))))

    def _merge(self, last, steps):
        """steps: (prefix, when), ascending."""
        at = 0
        for seq in sorted(last):
            while at < len(steps) and steps[at][0] < seq:
                at += 1
            if at == len(steps):
                raise Failure(f"{self.prefix}: write {seq} was not seen everywhere")
            last[seq] = max(last[seq], steps[at][1])

    def expect_done(self, answer, at_level=True):
        if answer["failed"] or (at_level and answer["not_at_level"]):
            raise Failure(f"{self.prefix}: writes failed or were not acknowledged: {answer}")
        if answer["put_off"] or answer["not_at_level"]:
            self.bench.say(f"{self.prefix}: a node did not keep up with the rate: {answer}")

    def stop(self):
        for node in reversed(self.nodes):
            node.process.kill()
