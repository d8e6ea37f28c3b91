"""Who may be a member, by node key: lists of admitted nodes, and bans that hold where a majority says so."""
import signal

from harness.process import wait_until
from harness.testing import ProcessTest


class Admission(ProcessTest):
    def admitting_cluster(self, names):
        """A cluster whose nodes can be given another admission: self.admission[name]."""
        self.admission = {}

        def customize(config, node):
            config["clusters"][0]["admission"] = self.admission.get(node.name, {})
        return self.make_cluster(names=names, customize=customize)

    def tell(self, node, admission):
        self.admission[node.name] = admission
        node.write_config()
        before = len(node.find_log("admission reloaded"))
        node.process.signal(signal.SIGHUP)
        wait_until(lambda: len(node.find_log("admission reloaded")) > before, 10,
                   lambda: f"{node} reloads\n{node.process.tail()}")

    def names_seen_by(self, node):
        return {row["name"] for row in node.members()["members"]}

    def wait_view(self, node, names, timeout=20):
        wait_until(lambda: self.names_seen_by(node) == set(names), timeout,
                   lambda: f"{node} sees {names}, not {self.names_seen_by(node)}\n{node.process.tail()}")

    def ids(self, node):
        return {row["name"]: row["id"] for row in node.members()["members"]}

    def test_a_pinned_cluster_takes_in_the_listed_nodes_alone(self):
        cluster = self.admitting_cluster(("a", "b", "c")).start()
        person = self.login(cluster, cluster.a)
        ids = self.ids(cluster.a)
        pinned = {"mode": "pinned", "nodes": [ids["a"], ids["b"]]}
        for node in (cluster.a, cluster.b):
            self.tell(node, pinned)
        for node in (cluster.a, cluster.b):
            self.wait_view(node, "ab")
            self.assert_known(person, node)
        cluster.c.stop()
        cluster.c.start(ready=False)
        cluster.c.wait_log("a peer refused our mesh connection", "not_admitted")
        cluster.a.wait_log("refused a mesh connection", "not_admitted", ids["c"])
        self.assertEqual(self.names_seen_by(cluster.a), {"a", "b"})
        for node in (cluster.a, cluster.b):
            self.tell(node, {"mode": "pinned", "nodes": list(ids.values())})
        cluster.c.stop()
        cluster.c.start()
        for node in cluster.nodes:
            self.wait_view(node, "abc", timeout=40)
        self.assert_known(person, cluster.c)

    def test_a_ban_in_an_open_cluster_holds_where_it_is_configured(self):
        cluster = self.admitting_cluster(("a", "b", "c")).start()
        bad = self.ids(cluster.a)["c"]
        self.tell(cluster.a, {"banned": [bad]})
        cluster.a.wait_log("a member has to go", bad)
        cluster.c.wait_log("a peer refused our mesh connection", "banned")
        self.assertIn("c", self.names_seen_by(cluster.b))
        self.assertEqual(cluster.b.find_log("a member has to go"), [])
        self.tell(cluster.b, {"banned": [bad]})
        for node in (cluster.a, cluster.b):
            self.wait_view(node, "ab")

    def test_a_ban_of_most_listed_nodes_holds_on_all_and_on_those_that_come_later(self):
        cluster = self.admitting_cluster(("a", "b", "c", "d")).start()
        ids = self.ids(cluster.a)
        bad, listed = ids["c"], {"mode": "pinned", "nodes": list(ids.values())}
        cluster.d.stop()
        for node in (cluster.a, cluster.b, cluster.c):
            self.tell(node, listed)
        self.tell(cluster.a, {**listed, "banned": [bad]})
        cluster.a.wait_log("a member has to go", bad)
        self.assertIn("c", self.names_seen_by(cluster.b))
        self.tell(cluster.b, {**listed, "banned": [bad]})
        for node in (cluster.a, cluster.b):
            self.wait_view(node, "ab")
        # d was told nothing of it.
        self.admission["d"] = listed
        cluster.d.start()
        self.wait_view(cluster.d, "abd")
        cluster.d.wait_log("refused a mesh connection", "banned", bad)
        # Taken back, it may come.
        for node in (cluster.a, cluster.b):
            self.tell(node, listed)
        cluster.c.stop()
        cluster.c.start()
        for node in cluster.nodes:
            self.wait_view(node, "abcd", timeout=40)
