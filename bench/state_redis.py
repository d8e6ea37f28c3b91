"""Redis as the peer of bench_state.py: a primary and replicas, over TLS among them."""
import shutil
import socket
import time

from harness.process import Failure, run_tool, wait_until
from state_nodes import SIZE, cpu_ns


class Redis:
    """Memory only, unless persisted ("aof", or "rdb": loaded at its start). Writes nothing of its own accord."""

    def __init__(self, bench, name, primary=None, directory=None, persisted=None):
        run = bench.run
        self.bench, self.name = bench, name
        self.port, self.tls_port = run.ports.next(), run.ports.next()
        self.directory = directory or run.dir / f"{name}.data"
        self.directory.mkdir(exist_ok=True)
        certificate, key = certificates(run)
        words = {"bind": "127.0.0.1", "port": self.port, "tls-port": self.tls_port, "tls-cert-file": certificate,
                 "tls-key-file": key, "tls-ca-cert-file": certificate, "tls-auth-clients": "no", "tls-replication": "yes",
                 "save": "", "appendonly": "yes" if persisted == "aof" else "no", "dir": self.directory,
                 # As quick as it can be: no waiting for more replicas, nothing over the disk, no attempts to compress
                 # what is random; and a replica that falls behind is not cut off.
                 "repl-diskless-sync-delay": 0, "repl-diskless-load": "on-empty-db", "rdbcompression": "no",
                 "client-output-buffer-limit": "replica 0 0 0"}
        if primary:
            words["replicaof"] = f"127.0.0.1 {primary.tls_port}"
        argv = ["redis-server"]
        for word, value in words.items():
            argv += [f"--{word}", *(str(value).split(" ") if value != "" else [""])]
        self.process = run.process(name, argv)
        self.began = 0

    def start(self):
        self.began = time.monotonic()
        self.process.start()
        return self

    def ask(self, *words):
        """The reply as text; errors, too, with their '-'."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as connection:
            parts = [str(word).encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            reader = connection.makefile("rb")
            line = reader.readline()
            if line.startswith(b"$"):
                line = reader.read(int(line[1:]))
            return line.decode().strip()

    def info(self, section):
        return dict(line.split(":", 1) for line in self.ask("INFO", section).splitlines() if ":" in line)

    def holds(self, keys):
        """Whether it has that many, and, a replica, all that its primary has."""
        try:
            size = self.ask("DBSIZE")
            if size.startswith("-") or int(size.removeprefix(":")) < keys:
                return False
            return "master_link_status:down" not in self.ask("INFO", "replication")
        except OSError:
            return False

    def wait_holds(self, keys):
        """Seconds since its start."""
        def reached():
            if not self.process.alive():
                raise Failure(f"{self.name} ended with {self.process.exit_code}\n{self.process.tail()}")
            return self.holds(keys)
        wait_until(reached, 120, f"{self.name} has {keys} keys", every=0.005)
        return time.monotonic() - self.began

    def cpu(self):
        return cpu_ns(self.process.pid)

    def load(self, what, *words):
        return run_tool([self.bench.program("kith-bench-redis"), what, self.port, *words], timeout=300)

    def stop(self):
        self.process.kill()


def certificates(run):
    certificate, key = run.dir / "redis.pem", run.dir / "redis.key"
    if not key.exists():
        run_tool(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                  "-subj", "/CN=localhost", "-days", 30, "-out", certificate, "-keyout", key])
    return certificate, key


class RedisFleet:
    def __init__(self, bench, prefix, count):
        self.bench, self.prefix = bench, prefix
        self.next, self.held = 0, 0  # the number of the next key; how many there are
        self.joined = 0
        self.primary = Redis(bench, f"{prefix}0").start()
        self.primary.wait_holds(0)
        self.replicas = [Redis(bench, f"{prefix}{index}", self.primary).start() for index in range(1, count)]
        for replica in self.replicas:
            replica.wait_holds(0)
        self.used_empty = self.used()

    def cpu(self):
        return sum(one.cpu() for one in (self.primary, *self.replicas))

    def used(self):
        """What it has allocated, without the buffers of replication."""
        memory = self.primary.info("memory")
        return int(memory["used_memory"]) - int(memory["mem_total_replication_buffers"])

    def overhead(self, known):
        return (self.used() - self.used_empty) / self.held - known

    def fill(self, count):
        """CPU of each per key, ns; the primary first."""
        all_of_them = [self.primary, *self.replicas]
        before = [one.cpu() for one in all_of_them]
        self.primary.load("fill", self.next, count, SIZE, 16)
        self.next += count
        self.held += count
        for replica in self.replicas:
            replica.wait_holds(self.held)
        return [(one.cpu() - was) / count for one, was in zip(all_of_them, before)]

    def join(self):
        self.joined += 1
        replica = Redis(self.bench, f"{self.prefix}j{self.joined}", self.primary).start()
        after = replica.wait_holds(self.held)
        replica.stop()
        shutil.rmtree(replica.directory)
        return after

    def spread(self, rate, seconds, revoke_every=0):
        """([ms until the replicas have it], [... deleted])."""
        count = int(rate * seconds)
        found = [], []
        for line in self.primary.load("wait", self.next, count, SIZE, rate, len(self.replicas),
                                      revoke_every).splitlines():
            ns, revoked = map(int, line.split())
            found[revoked].append(ns / 1e6)
        self.next += count
        self.held = int(self.primary.ask("DBSIZE").removeprefix(":"))
        return found

    def stop(self):
        for one in [*self.replicas, self.primary]:
            one.stop()
