"""One leader at most, and what each failover mode does when it goes."""
import json
import os
import signal
import subprocess
import time

from harness.process import wait_until
from harness.testing import ProcessTest, program, seen_headers


def leader_of(node):
    """What the node says of its leader; {} when it does not answer."""
    done = subprocess.run([str(program()), "members", "-c", str(node.config_file), "-o", "json", "--timeout", "2"],
                          capture_output=True, text=True, timeout=30)
    return json.loads(done.stdout)["clusters"][0]["leader"] if done.returncode == 0 else {}


class Failover(ProcessTest):
    def cluster_in(self, mode, names=("a", "b", "c"), closed=None, **failover):
        def customize(config, node):
            config["clusters"][0]["failover"] = {"mode": mode, "lease": "1s", **failover}
            policies = config["apps"][0]["policies"]
            if closed:
                policies.append({**policies[-1], "location": closed, "failClosed": True})
        return self.make_cluster(names=names, customize=customize)

    def wait_leader(self, nodes, timeout=20, other_than=None):
        """Waits until all of the nodes agree on a leader, and returns its node."""
        def agreed():
            told = [leader_of(node) for node in nodes]
            ids = {one.get("id") for one in told}
            leading = [node for node, one in zip(nodes, told) if one.get("self")]
            return leading[0] if len(ids) == 1 and None not in ids and len(leading) == 1 else None
        return wait_until(lambda: (lambda one: one if one is not other_than else None)(agreed()), timeout,
                          lambda: f"one leader of {nodes}: {[leader_of(node) for node in nodes]}", every=0.1)

    def led(self, mode, timeout=20, **failover):
        """Starts a cluster and waits for its leader: the cluster, the leader, the other nodes."""
        cluster = self.cluster_in(mode, **failover)
        for node in cluster.nodes:
            node.start(ready=False)
        leader = self.wait_leader(cluster.nodes, timeout)
        return cluster, leader, [node for node in cluster.nodes if node is not leader]

    def test_the_leader_is_one_and_its_loss_stops_nothing_in_active_active(self):
        cluster = self.cluster_in("active_active").start()
        leader = self.wait_leader(cluster.nodes)
        epoch = leader_of(leader)["epoch"]
        self.assertEqual(len(leader_of(leader)["voters"]), 3)
        others = [node for node in cluster.nodes if node is not leader]
        person = self.login(cluster, others[0])
        leader.kill()
        answers = 0
        end = time.monotonic() + 3
        while time.monotonic() < end:  # through the time without a leader
            for node in others:
                self.assert_known(person, node)
                self.assertEqual(node.status(), (200, "up"))
                answers += 1
        self.assertGreater(answers, 20)
        second = self.wait_leader(others)
        self.assertGreater(leader_of(second)["epoch"], epoch)

    def test_in_active_passive_the_leader_serves_and_a_standby_says_so_and_forwards(self):
        cluster, leader, others = self.led("active_passive")
        leader.wait_status("up")
        for node in others:
            node.wait_status("standby")
            self.assertEqual(node.status()[0], 503)
        person = self.login(cluster, leader)
        person.route(others[0].address)
        answer = person.get("/echo")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("X-Kith-Node"), leader.name)
        self.assertEqual(seen_headers(answer).get("x-user"), "alice")

        before = time.monotonic()
        leader.kill()
        wait_until(lambda: any(node.status() == (200, "up") for node in others), 10, "a standby that takes over")
        self.assertLess(time.monotonic() - before, 5)
        second = next(node for node in others if node.status() == (200, "up"))
        self.assert_known(person, second)

    def test_a_leader_that_stops_in_order_is_followed_at_once(self):
        _, leader, others = self.led("active_passive", timeout=90, lease="20s")
        leader.terminate()
        before = time.monotonic()
        wait_until(lambda: any(node.status() == (200, "up") for node in others), 10, "a standby that takes over")
        self.assertLess(time.monotonic() - before, 5)

    def test_a_leader_that_hangs_is_replaced_and_is_none_when_it_goes_on(self):
        cluster, leader, others = self.led("active_passive")
        os.kill(leader.process.pid, signal.SIGSTOP)
        second = self.wait_leader(others, other_than=leader)
        os.kill(leader.process.pid, signal.SIGCONT)
        wait_until(lambda: leader.status()[1] == "standby", 10, lambda: f"{leader} stands by: {leader.status()}")
        self.assertIs(self.wait_leader(cluster.nodes), second)

    def test_without_a_majority_a_node_stands_by_or_serves_as_configured(self):
        for minority, expected in (("standby", (503, "no_majority")), ("serve", (200, "up"))):
            cluster, _, _ = self.led("active_active", minority=minority)
            for node in cluster.nodes:
                node.wait_status("up")
            cluster.b.kill()
            cluster.c.kill()
            wait_until(lambda: cluster.a.status() == expected, 10, lambda: f"{expected}: {cluster.a.status()}")
            if minority == "serve":
                time.sleep(2)
                self.assertEqual(cluster.a.status(), expected)
            cluster.stop()

    def test_what_fails_closed_is_not_served_by_a_node_that_hears_nobody(self):
        cluster = self.cluster_in("active_active", closed="/echo/closed", freshness="3s").start()
        self.wait_leader(cluster.nodes)
        person = self.login(cluster, cluster.a)
        closed = lambda: person.get("/echo/closed").status  # noqa: E731
        wait_until(lambda: closed() != 503, 10, "a hears the cluster")
        for node in (cluster.b, cluster.c):
            os.kill(node.process.pid, signal.SIGSTOP)
        wait_until(lambda: closed() == 503, 15, "a knows that it hears nobody")
        self.assertEqual(person.get("/echo").status, 200)
        for node in (cluster.b, cluster.c):
            os.kill(node.process.pid, signal.SIGCONT)
        wait_until(lambda: closed() != 503, 20, "a hears the cluster again")

    def test_a_single_node_seeks_no_leader(self):
        cluster = self.cluster_in("single_node", names=("a",)).start()
        done = subprocess.run([str(program()), "members", "-c", str(cluster.a.config_file), "-o", "json"],
                              capture_output=True, text=True, timeout=30)
        self.assertIsNone(json.loads(done.stdout)["clusters"][0]["leader"])
        self.assertEqual(cluster.a.status(), (200, "up"))
