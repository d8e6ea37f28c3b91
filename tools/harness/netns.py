"""A network of its own for each node: Linux network namespaces, joined by veth pairs and a bridge, with nftables
for the faults. Everything lies inside namespaces, the bridge too, so that taking those away leaves nothing.

  with Lan(("a", "b", "c")) as lan:
      lan.block("a", "b")              # nothing from a reaches b; the other way works
      lan.split(("a",), ("b", "c"))
      lan.heal()
      with lan.inside("a"): ...        # sockets that this thread opens are a's

Needs root and the right to make namespaces: ask why_not() first.
"""
import contextlib
import ctypes
import os
import pathlib
import subprocess
import threading

PREFIX = "kith-test"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _run(*argv, check=True):
    return subprocess.run([str(part) for part in argv], capture_output=True, text=True, timeout=60, check=check)


def why_not():
    """Why namespaces cannot be used here; "" when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    probe = f"{PREFIX}-{os.getpid()}-probe"
    try:
        _run("ip", "netns", "add", probe)
        _run("ip", "-n", probe, "link", "add", "bridge", "type", "bridge")
        _run("ip", "netns", "exec", probe, "nft", "add", "table", "inet", "kith")
    except FileNotFoundError as problem:
        return f"{problem.filename} is not installed"
    except subprocess.CalledProcessError as problem:
        return f"{' '.join(problem.cmd)}: {problem.stderr.strip()}"
    finally:
        _run("ip", "netns", "del", probe, check=False)
    return ""


def sweep():
    """Takes away what a run that was killed has left."""
    for line in _run("ip", "netns", "list", check=False).stdout.splitlines():
        name = line.split()[0] if line.split() else ""
        if name.startswith(f"{PREFIX}-"):
            owner = name.removeprefix(f"{PREFIX}-").split("-")[0]
            if not pathlib.Path(f"/proc/{owner}").exists():
                _run("ip", "netns", "del", name, check=False)


class Lan:
    """Hosts by name, 10.77.0.1 upwards, on one bridge."""
    _count = 0
    _lock = threading.Lock()

    def __init__(self, hosts):
        with Lan._lock:
            Lan._count += 1
            self._prefix = f"{PREFIX}-{os.getpid()}-{Lan._count}"
        self.hosts = list(hosts)
        self._made = []

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _build(self):
        switch = self._add("switch")
        _run("ip", "-n", switch, "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", switch, "link", "set", "bridge", "up")
        for host in self.hosts:
            name = self._add(host)
            port = f"port-{host}"
            _run("ip", "link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", port, "netns", switch)
            _run("ip", "-n", switch, "link", "set", port, "master", "bridge", "up")
            _run("ip", "-n", name, "addr", "add", f"{self.address(host)}/24", "dev", "eth0")
            _run("ip", "-n", name, "link", "set", "eth0", "up")
            _run("ip", "-n", name, "link", "set", "lo", "up")
            self._nft(host, "add table inet kith",
                      "add chain inet kith input { type filter hook input priority 0; policy accept; }")

    def close(self):
        for name in reversed(self._made):
            _run("ip", "netns", "del", name, check=False)
        self._made = []

    def _add(self, host):
        name = self.namespace(host)
        _run("ip", "netns", "add", name)
        self._made.append(name)
        return name

    def namespace(self, host):
        return f"{self._prefix}-{host}"

    def address(self, host):
        return f"10.77.0.{self.hosts.index(host) + 1}"

    def command(self, host, argv):
        """argv, to be run on that host; its pid is the program's own."""
        return ["ip", "netns", "exec", self.namespace(host), *argv]

    def _nft(self, host, *commands):
        for command in commands:
            _run("ip", "netns", "exec", self.namespace(host), "nft", command)

    # ---- faults: what arrives at a host is dropped there, as a broken path would

    def block(self, source, target):
        self._nft(target, f"add rule inet kith input ip saddr {self.address(source)} drop")

    def block_both(self, one, other):
        self.block(one, other)
        self.block(other, one)

    def split(self, *groups):
        for group in groups:
            for other in groups:
                if group is not other:
                    for source in group:
                        for target in other:
                            self.block(source, target)

    def lose(self, source, target, percent):
        self._nft(target, f"add rule inet kith input ip saddr {self.address(source)} "
                  f"numgen random mod 100 < {percent} drop")

    def heal(self):
        for host in self.hosts:
            self._nft(host, "flush chain inet kith input")

    @contextlib.contextmanager
    def inside(self, host):
        """Sockets that this thread opens meanwhile belong to the host."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.namespace(host)}") as there:
            _enter(there)
            try:
                yield
            finally:
                _enter(home)


def _enter(namespace):
    if _libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
