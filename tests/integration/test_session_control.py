"""Who is logged in, and ending it from the command line: on every node, for what is open, and for what comes late."""
import json
import subprocess

from harness import websocket
from harness.process import wait_until
from harness.testing import ProcessTest, program


def sessions(node, *arguments):
    done = subprocess.run([str(program()), "sessions", *arguments, "-c", str(node.config_file)], capture_output=True,
                          text=True, timeout=60)
    return done


def listed(node, *arguments):
    done = sessions(node, "list", *arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def references(node, *arguments):
    return {row["ref"] for row in listed(node, *arguments)["sessions"]}


class EndingSessions(ProcessTest):
    def test_every_node_lists_the_same_sessions_and_one_is_ended_by_its_reference(self):
        cluster = self.make_cluster().start()
        alice = self.login(cluster, cluster.a, "alice")
        bob = self.login(cluster, cluster.b, "bob")
        for node in cluster.nodes:
            wait_until(lambda: listed(node)["live"] == 2, 10, lambda: f"two sessions on {node}: {listed(node)}")
        self.assertEqual(len({frozenset(references(node)) for node in cluster.nodes}), 1)
        (of_alice,) = references(cluster.c, "--user", "alice")
        self.assertEqual(len(references(cluster.a, "--limit", "1")), 1)
        self.assertEqual(listed(cluster.a, "--user", "nobody")["matched"], 0)
        self.assertIn("alice", sessions(cluster.b, "list").stdout)
        shown = json.loads(sessions(cluster.b, "show", of_alice, "-o", "json").stdout)
        self.assertEqual((shown["state"], shown["identities"][0]["user"]), ("live", "alice"))

        done = sessions(cluster.c, "revoke", of_alice)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ended: 1\n", ""))
        for node in cluster.nodes:
            self.assert_unknown(alice, node)
            self.assert_known(bob, node, "bob")
            shown = json.loads(sessions(node, "show", of_alice, "-o", "json").stdout)
            self.assertEqual((shown["state"], shown["reason"]), ("ended", "administrator"))
        again = sessions(cluster.a, "revoke", of_alice)
        self.assertEqual(again.returncode, 1)
        self.assertIn("has ended already: administrator", again.stderr)
        self.assertEqual(sessions(cluster.a, "revoke", "0123456789abcdef").returncode, 1)

    def test_a_logout_is_shown_as_one(self):
        cluster = self.make_cluster().start()
        person = self.login(cluster, cluster.a)
        (reference,) = references(cluster.a)
        page = person.open("/logout")
        if "<form" in page.text:
            person.submit(page)
        wait_until(lambda: "reason: logout" in sessions(cluster.b, "show", reference).stdout, 10, "the reason on b")

    def test_all_of_a_user_end_what_is_open_is_cut_and_a_new_login_works(self):
        cluster = self.make_cluster().start()
        people = [self.login(cluster, node, "alice") for node in cluster.nodes]
        bob = self.login(cluster, cluster.a, "bob")
        cookie = people[0].cookies.header("localhost", "/ws")
        talks = [websocket.Client(node.address, "localhost:8080", "/ws", cookie) for node in cluster.nodes]
        stays = websocket.Client(cluster.b.address, "localhost:8080", "/ws", bob.cookies.header("localhost", "/ws"))
        wait_until(lambda: listed(cluster.b, "--user", "alice")["matched"] == 3, 10, "three sessions on b")
        done = sessions(cluster.b, "revoke", "--user", "alice")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ended: 3\n", ""))
        for talk in talks:
            with self.assertRaises(ConnectionError):
                talk.receive()
        for person in people:
            for node in cluster.nodes:
                self.assert_unknown(person, node)
        stays.send("still here")
        self.assertEqual(stays.receive(), "still here")
        stays.close()
        fresh = self.login(cluster, cluster.c, "alice")
        for node in cluster.nodes:
            self.assert_known(fresh, node, "alice")

    def test_a_node_that_was_away_learns_of_it_before_it_serves(self):
        cluster = self.make_cluster().start()
        alice = self.login(cluster, cluster.a, "alice")
        self.assert_known(alice, cluster.c, "alice")
        cluster.c.kill()
        done = sessions(cluster.b, "revoke", "--everybody")
        self.assertIn(done.returncode, (0, 3), done)  # c may still be counted as a member
        self.assertEqual(done.stdout, "ended: 1\n")
        bob = self.login(cluster, cluster.a, "bob")
        cluster.c.start()
        self.assert_unknown(alice, cluster.c)
        self.assert_known(bob, cluster.c, "bob")

    def test_wrong_questions_are_answered_in_words(self):
        cluster = self.make_cluster().start()
        for arguments, status, words in (((), 2, "say which"), (("--user", "alice", "--everybody"), 2, "say which"),
                                         (("--user", "x", "--connector", "none"), 1, "there is no connector none"),
                                         (("--user", "nobody"), 0, "nobody of this name is logged in here")):
            done = sessions(cluster.a, "revoke", *arguments)
            self.assertEqual(done.returncode, status, done)
            self.assertIn(words, done.stderr)
        self.assertEqual(sessions(cluster.a, "list", "--limit", "0").returncode, 2)
        self.assertEqual(sessions(cluster.a).returncode, 2)


class LocalSessions(ProcessTest):
    def test_a_node_with_a_store_of_its_own_answers_alike(self):
        def local(config, node):
            config["session"]["store"] = {"type": "local"}
            del config["http"]["routing"]
        cluster = self.make_cluster(names=["a"], customize=local).start()
        alice = self.login(cluster, cluster.a, "alice")
        self.assertEqual(listed(cluster.a)["live"], 1)
        done = sessions(cluster.a, "revoke", "--user", "alice")
        self.assertEqual((done.returncode, done.stdout), (0, "ended: 1\n"))
        self.assert_unknown(alice, cluster.a)
        self.assert_known(self.login(cluster, cluster.a, "alice"), cluster.a, "alice")
