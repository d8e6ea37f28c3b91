"""Several clusters on one node: each with its own members, ports, keys and services."""
import copy
import socket
import time

from harness.cluster import new_psk
from harness.faults import FaultProxy
from harness.process import wait_until
from harness.testing import ProcessTest, seen_headers


class SeveralClusters(ProcessTest):
    """`extra_cluster` adds one to a node's configuration; ports and keys are remembered by its name."""

    def setUp(self):
        super().setUp()
        self.ports = {}
        self.psks = {}

    def ports_of(self, cluster, node):
        if (cluster, node) not in self.ports:
            self.ports[cluster, node] = (self.run_.ports.next(), self.run_.ports.next())
        return self.ports[cluster, node]

    def extra_cluster(self, config, node, name, peers, node_key=True, **more):
        entry = copy.deepcopy(config["clusters"][0])
        membership, data = self.ports_of(name, node.name)
        entry.update({
            "name": name,
            "addresses": {"membership": f"/ip4/127.0.0.1/tcp/{membership}", "data": f"/ip4/127.0.0.1/tcp/{data}"},
            "discovery": {"method": "static", "static": {"nodes": [
                {"endpoints": {"membership": f"/ip4/127.0.0.1/tcp/{self.ports_of(name, peer)[0]}"}} for peer in peers]}},
        }, **more)
        entry["encryption"] = {"psk": self.psks.setdefault(name, new_psk())}
        if node_key:
            entry["encryption"]["nodeKey"] = {"file": str(node.key_file)}
        config["clusters"].append(entry)
        return entry

    def route_by(self, config, name):
        config["http"]["routing"].update({"cluster": {"name": name}, "prefer": "forward", "timeout": "5s"})

    def wait_members(self, node, count):
        wait_until(lambda: len(node.find_log("member joined")) >= count, 60,
                   lambda: f"{node} to see {count} members come\n{node.process.tail()}")


class Sixteen(SeveralClusters):
    def test_sixteen_clusters_on_one_node_live_and_lose_members_independently(self):
        names = [f"c{number}" for number in range(15)]

        def customize(config, node):
            for name in names:
                self.extra_cluster(config, node, name, ("a", "b"))
            self.extra_cluster(config, node, "off", ("a", "b"), disabled=True)
        cluster = self.make_cluster(names=("a", "b"), customize=customize).start()
        a, b = cluster.nodes
        for node in cluster.nodes:
            self.wait_members(node, 16)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.ports_of("off", "a")[0]), 2)
        person = self.login(cluster, a)
        self.assert_known(person, b)
        b.kill()
        wait_until(lambda: len(a.find_log("member is gone")) == 16, 20, "a to miss b in each cluster")
        self.assert_known(person, a)
        b.start()
        self.wait_members(a, 32)
        self.assert_known(person, b)

    def test_a_cluster_whose_key_is_wrong_keeps_to_itself_and_the_other_goes_on(self):
        def customize(config, node):
            self.psks.pop("second", None)  # another key for each node
            self.extra_cluster(config, node, "second", ("a", "b"))
        cluster = self.make_cluster(names=("a", "b"), customize=customize).start()
        person = self.login(cluster, cluster.a)
        self.assert_known(person, cluster.b)
        for node in cluster.nodes:
            node.wait_log("pre-shared key")
            self.assertEqual(len(node.find_log("member joined")), 1, node.process.tail())


class RoutingThroughAnotherCluster(SeveralClusters):
    def sign_in(self, cluster, node):
        person = self.browser(cluster, node)
        action, method, fields = person.open("/echo").form()
        answer = person.request(method, action, body={**fields, "username": "alice", "password": "correct horse battery"})
        while "kith_session" not in person.cookies.of("localhost"):
            answer = person.get(answer.header("Location"))
        return person

    def through_another(self, node_key):
        """Sessions travel through a data channel that takes a minute, requests through one that does not."""
        proxies = {}

        def customize(config, node):
            if node.name not in proxies:
                proxies[node.name] = FaultProxy(self.run_.ports.next(), node.data_port)
                self.addCleanup(proxies[node.name].close)
            entry = config["clusters"][0]
            entry["addresses"]["advertise"] = {"data": f"/ip4/127.0.0.1/tcp/{proxies[node.name].port}"}
            config["session"]["store"]["cluster"]["ack"] = "local"
            self.extra_cluster(config, node, "routes", ("a", "b"), node_key)
            self.route_by(config, "routes")
            if not node_key:
                del entry["encryption"]["nodeKey"]
        cluster = self.make_cluster(names=("a", "b"), customize=customize).start()
        for node in cluster.nodes:
            self.wait_members(node, 2)
        for proxy in proxies.values():
            proxy.delay = 60
        person = self.sign_in(cluster, cluster.a)
        began = time.monotonic()
        seen = seen_headers(self.assert_known(person, cluster.b))
        self.assertEqual(seen.get("x-kith-node"), "a")
        self.assertEqual(seen.get("x-kith-forwarded-by"), "b")
        self.assertLess(time.monotonic() - began, 30)

    def test_requests_are_forwarded_through_the_cluster_that_routing_names(self):
        self.through_another(node_key=True)

    def test_without_key_files_the_nodes_are_recognised_as_well(self):
        self.through_another(node_key=False)

    def test_a_session_of_one_region_is_served_through_the_nodes_of_another(self):
        def customize(config, node):
            region = "us" if node.name == "x" else "eu"
            peers = ("x",) if region == "us" else ("a", "b")
            self.extra_cluster(config, node, region, peers)
            self.extra_cluster(config, node, "world", ("a", "b", "x"))
            del config["clusters"][0]
            config["session"]["store"]["cluster"]["name"] = region
            self.route_by(config, "world")
        cluster = self.make_cluster(names=("a", "b", "x"), customize=customize).start()
        self.wait_members(cluster.x, 2)
        person = self.login(cluster, cluster.a)
        self.assert_known(person, cluster.b)
        seen = seen_headers(self.assert_known(person, cluster.x))
        self.assertEqual((seen.get("x-kith-node"), seen.get("x-kith-forwarded-by")), ("a", "x"))
        mine = self.login(cluster, cluster.x)  # its own people are served at home
        self.assertNotIn("x-kith-forwarded-by", seen_headers(self.assert_known(mine, cluster.x)))
        cluster.a.kill()
        self.assert_unknown(person, cluster.x)  # nobody it can ask has it: one logs in again

    def test_node_keys_that_differ_are_warned_of_and_sessions_are_pulled_instead(self):
        def customize(config, node):
            entry = self.extra_cluster(config, node, "routes", ("a", "b"))
            entry["encryption"]["nodeKey"]["file"] += ".other"
            self.route_by(config, "routes")
        cluster = self.make_cluster(names=("a", "b"), customize=customize).start()
        cluster.a.wait_log("not recognised across the two")
        person = self.login(cluster, cluster.a)
        self.assert_known(person, cluster.b)
