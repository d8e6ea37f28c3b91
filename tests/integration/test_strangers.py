"""What strangers at the mesh ports cost: floods of connections, and thousands that are held open. The
long form (KITH_E2E_FULL=1, ./dev soak) floods for ten seconds from several processes and holds 10,000."""
import os
import resource
import socket
import subprocess
import sys
import time

from harness.process import wait_until
from harness.testing import ProcessTest

FULL = bool(os.environ.get("KITH_E2E_FULL"))
SECONDS = 10 if FULL else 3
FLOODERS = 2 if FULL else 1
HELD = 10_000 if FULL else 3_000
KNOCKING = 1024  # cluster::Doorkeeper::kMaxKnocking
MAGIC = b"\x89KITH\r\n\x1a"

# Connects as fast as it can, says something bogus, does not wait, begins anew. Prints how many.
FLOODER = r"""
import os, selectors, socket, struct, sys, time
port, seconds = int(sys.argv[1]), float(sys.argv[2])
words = [b"GET / HTTP/1.1\r\n\r\n", b"", bytes.fromhex("894b4954480d0a1a01010100010000 00".replace(" ", "")) + os.urandom(48)]
end, made, waiting = time.monotonic() + seconds, 0, []
hard = struct.pack("ii", 1, 0)
while time.monotonic() < end:
    s = socket.socket()
    s.setblocking(False)
    try:
        s.connect(("127.0.0.1", port))
    except BlockingIOError:
        pass
    except OSError:
        s.close()
        continue
    made += 1
    try:
        s.send(words[made % len(words)])
    except OSError:
        pass
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)
    waiting.append(s)
    if len(waiting) >= 64:
        for old in waiting:
            old.close()
        waiting.clear()
print(made)
"""


class Measured:
    """CPU seconds and resident memory of a process, from /proc."""

    def __init__(self, pid):
        self.pid = pid

    def cpu(self):
        fields = open(f"/proc/{self.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0


def node_tails(cluster):
    return "\n".join(node.process.tail() for node in cluster.nodes)


class Strangers(ProcessTest):
    def setUp(self):
        super().setUp()
        wanted = HELD + 500
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < wanted:
            self.skipTest(f"this needs {wanted} open files, {hard} are allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def losses(self, nodes):
        """A member may be out of reach for a moment when it joins; count before and after."""
        return [len(node.find_log(words)) for node in nodes for words in ("member is gone", "not reachable")]

    def flood(self, port):
        return [subprocess.Popen([sys.executable, "-c", FLOODER, str(port), str(SECONDS)], stdout=subprocess.PIPE)
                for _ in range(FLOODERS)]

    def test_a_flood_of_bogus_connections_costs_a_quarter_of_a_core_and_no_member(self):
        cluster = self.make_cluster().start()
        person = self.login(cluster, cluster.a)
        node = Measured(cluster.a.process.pid)
        time.sleep(1)
        losses = self.losses(cluster.nodes)
        quiet_cpu, before = node.cpu(), node.rss()
        time.sleep(2)
        quiet_cpu = (node.cpu() - quiet_cpu) / 2
        began, cpu = time.monotonic(), node.cpu()
        flooders = self.flood(cluster.a.membership_port)
        peak, slowest = 0, 0.0
        while any(flooder.poll() is None for flooder in flooders):
            peak = max(peak, node.rss())
            asked = time.monotonic()
            self.assert_known(person, cluster.a)
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.1)
        seconds = time.monotonic() - began
        cpu = (node.cpu() - cpu) / seconds - quiet_cpu
        made = sum(int(flooder.communicate()[0]) for flooder in flooders)
        print(f"\n{made} bogus connections in {seconds:.1f} s ({made / seconds:.0f}/s): {cpu:.3f} cores above "
              f"{quiet_cpu:.3f}, {(peak - before) / 1024:.0f} KiB more at the peak, slowest request {slowest:.3f} s")
        self.assertGreater(made / seconds, 2000, "the flood was none")
        self.assertLess(cpu, 0.25)
        self.assertLess(peak - before, 4 << 20)
        self.assertEqual(self.losses(cluster.nodes), losses, node_tails(cluster))
        self.assert_known(person, cluster.b)

    def test_thousands_of_half_open_connections_cost_4_mib_and_members_still_come_in(self):
        cluster = self.make_cluster()
        cluster.a.start()
        cluster.b.start()
        node = Measured(cluster.a.process.pid)
        time.sleep(1)
        losses = self.losses((cluster.a, cluster.b))
        before = node.rss()
        preamble = MAGIC + bytes([1, 1, 1, 0, 1, 0, 0, 0])
        held = []
        self.addCleanup(lambda: [one.close() for one in held])
        for number in range(HELD):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", cluster.a.membership_port))
            held.append(one)
            if number % 20 == 0:
                time.sleep(0.01)  # as they are taken in; what is above it would wait in the kernel
            if number % 2 and number > 50:
                try:
                    held[number - 50].send(preamble)
                except OSError:
                    pass
        peak = max(node.rss() for _ in range(3))
        print(f"\n{HELD} connections held: {(peak - before) / 1024:.0f} KiB more")
        self.assertLess(peak - before, 4 << 20)
        self.assertEqual(self.losses((cluster.a, cluster.b)), losses, node_tails(cluster))
        began = time.monotonic()
        cluster.c.start()
        cluster.a.wait_log("member joined", '"c"')
        print(f"a member joined in {time.monotonic() - began:.2f} s meanwhile")
        for one in cluster.nodes:
            self.assertEqual(one.find_log("member is gone"), [], node_tails(cluster))

    def test_a_stranger_is_pushed_out_by_later_ones_and_closed_after_three_seconds(self):
        cluster = self.make_cluster(names=("a",)).start()
        address = ("127.0.0.1", cluster.a.data_port)
        first = socket.create_connection(address, 5)
        self.addCleanup(first.close)
        time.sleep(0.2)
        others = []
        self.addCleanup(lambda: [one.close() for one in others])
        for _ in range(KNOCKING + 50):
            others.append(socket.create_connection(address, 5))
        first.settimeout(2)
        self.assertEqual(first.recv(1), b"", "the oldest was closed, long before its three seconds")
        last = socket.create_connection(address, 5)
        self.addCleanup(last.close)
        began = time.monotonic()
        last.settimeout(6)
        self.assertEqual(last.recv(1), b"")
        self.assertGreater(time.monotonic() - began, 2)

        def answers():
            with socket.create_connection(address, 5) as stranger:
                stranger.sendall(MAGIC + bytes([1, 2, 1, 0, 1, 0, 0, 0]))
                stranger.settimeout(2)
                return len(stranger.recv(64)) == 32  # preamble and challenge
        wait_until(answers, 10, "the door is open again")
