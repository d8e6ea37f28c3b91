"""Journals on real disks: the whole cluster killed at once, restarts, damaged files, keys, a folder that fails."""
import os
import random

from harness.cluster import new_psk
from harness.process import wait_until
from harness.testing import ProcessTest

FULL = bool(os.environ.get("KITH_SOAK"))
FULL_STOPS = 500 if FULL else 4


class Journals(ProcessTest):
    def make_cluster(self, ack="journal", **options):
        def customize(config, node):
            config["clusters"][0]["journal"] = {"directory": str(self.folder(node)),
                                                "keys": {"current": "<journal-key>", "old": self.old_keys}}
            config["session"]["store"]["cluster"]["ack"] = ack

        self.old_keys = []
        return super().make_cluster(customize=customize, secrets={"journal-key": new_psk()}, **options)

    def folder(self, node):
        return self.run_.dir / f"journal-{node.name}"

    def wait_whole(self, node):
        wait_until(lambda: node.members()["journal"]["whole"], 20, lambda: f"a whole journal: {node.members()}")

    def test_all_nodes_are_killed_at_once_again_and_again_and_nobody_logs_in_twice(self):
        cluster = self.make_cluster().start()
        for node in cluster.nodes:
            self.wait_whole(node)
        people, gone = [], []
        for stop in range(FULL_STOPS):
            for node in cluster.nodes:
                people.append(self.login(cluster, node, random.choice(["alice", "bob"])))
            leaves = people.pop(random.randrange(len(people)))
            page = leaves.route(random.choice(cluster.nodes).address).open("/logout")
            if "<form" in page.text:
                leaves.submit(page)
            gone.append(leaves)
            for node in cluster.nodes:  # SIGKILL to each before the next thing is done
                node.process.signal(9)
            for node in cluster.nodes:
                node.kill()
            cluster.start()
            for person in people[-12:]:
                answer = person.route(random.choice(cluster.nodes).address).get("/echo")
                self.assertEqual(answer.status, 200, f"stop {stop}: {answer}")
            for node in cluster.nodes:
                self.assert_unknown(gone[-1], node)
        for person in people:
            for node in cluster.nodes:
                self.assertEqual(person.route(node.address).get("/echo").status, 200)
        print(f"           {FULL_STOPS} full stops, {len(people)} sessions kept, {len(gone)} stay ended")

    def test_a_restart_reads_what_it_had_and_asks_for_the_rest_alone(self):
        cluster = self.make_cluster().start()
        before = [self.login(cluster, cluster.a) for _ in range(5)]
        cluster.c.kill()
        after = self.login(cluster, cluster.a, "bob")
        cluster.c.start()
        (line,) = cluster.c.find_log("journal read")
        self.assertIn('"writes":', line.replace(" ", ""))
        for person in before:
            self.assert_known(person, cluster.c)
        self.assert_known(after, cluster.c, "bob")

    def test_damaged_files_of_one_node_are_made_up_for_by_the_others(self):
        cluster = self.make_cluster().start()
        people = [self.login(cluster, cluster.a) for _ in range(5)]
        cluster.a.stop()
        for file in self.folder(cluster.a).iterdir():
            content = bytearray(file.read_bytes())
            for _ in range(max(len(content) // 200, 1) if content else 0):
                content[random.randrange(len(content))] ^= 0x55
            file.write_bytes(content)
        cluster.a.start()
        self.assertTrue(cluster.a.find_log("cannot be"), cluster.a.process.tail())
        for person in people:
            self.assert_known(person, cluster.a)

    def test_files_do_not_show_who_is_logged_in_and_belong_to_their_owner(self):
        cluster = self.make_cluster().start()
        self.login(cluster, cluster.a)
        cluster.a.stop()
        self.assertEqual(self.folder(cluster.a).stat().st_mode & 0o777, 0o700)
        for file in self.folder(cluster.a).iterdir():
            self.assertEqual(file.stat().st_mode & 0o777, 0o600, file)
            for secret in (b"alice", b"example.test"):
                self.assertNotIn(secret, file.read_bytes(), file)

    def test_a_key_is_changed_by_a_restart_and_a_wrong_one_ends_the_start(self):
        cluster = self.make_cluster(names=("a",), ack="fsync").start()
        person = self.login(cluster, cluster.a)
        cluster.a.kill()
        old = cluster.secrets["journal-key"]
        cluster.a.set_secrets({**cluster.secrets, "journal-key": new_psk(), "journal-key-old": old})
        cluster.a.start(ready=False)
        wait_until(lambda: not cluster.a.process.alive(), 20, "the node ends")
        self.assertNotEqual(cluster.a.process.exit_code, 0)
        self.assertIn("is sealed with the key", cluster.a.process.tail())
        self.old_keys = ["<journal-key-old>"]
        cluster.a.start()
        self.assert_known(person, cluster.a)

    def test_one_folder_is_one_process(self):
        cluster = self.make_cluster(names=("a", "b"))
        self.folder = lambda node: self.run_.dir / "journal"
        cluster.a.start()
        cluster.b.start(ready=False)
        wait_until(lambda: not cluster.b.process.alive(), 20, "the second ends")
        self.assertIn("another process uses", cluster.b.process.tail())

    def test_a_folder_that_cannot_be_made_is_told_and_tried_again(self):
        cluster = self.make_cluster(names=("a", "b"), ack="one")
        in_the_way = self.run_.path("in-the-way")
        in_the_way.write_text("a file")
        self.folder = lambda node: in_the_way / node.name
        cluster.start()
        person = self.login(cluster, cluster.a)
        self.assert_known(person, cluster.b)
        self.assertEqual(len(cluster.a.find_log("the journal cannot be written")), 1)
        self.assertFalse(cluster.a.members()["journal"]["whole"])
        in_the_way.unlink()
        for node in cluster.nodes:
            self.wait_whole(node)
            node.process.signal(9)
        for node in cluster.nodes:
            node.kill()
        cluster.start()
        self.assert_known(person, cluster.a)
