"""The pre-shared key of a running cluster is changed, node by node, under load: nobody is logged out, no
request fails, no member is lost. KITH_E2E_FULL=1 (./dev soak) makes a hundred rotations of it."""
import itertools
import os
import signal
import threading
import time

from harness.cluster import new_psk
from harness.process import wait_until
from harness.testing import ProcessTest, seen_headers

FULL = bool(os.environ.get("KITH_E2E_FULL"))
ROTATIONS = 100 if FULL else 10
NAMES = ("a", "b", "c", "d", "e")


class Load:
    """People who click, each at any node, until told to stop; what went wrong is kept."""

    def __init__(self, test, cluster, people=4, pause=0.01, nodes=None):
        self.nodes, self.pause = nodes or cluster.nodes, pause
        self.requests, self.failures = 0, []
        self.stopping = threading.Event()
        self.browsers = [(test.login(cluster, node, user), user)
                         for node, user in zip(itertools.cycle(self.nodes), ["alice", "bob"] * (people // 2))]
        self.threads = [threading.Thread(target=self.click, args=one) for one in self.browsers]
        for thread in self.threads:
            thread.start()

    def click(self, browser, user):
        for node in itertools.cycle(self.nodes):
            if self.stopping.wait(self.pause):
                return
            try:
                answer = browser.route(node.address).get("/echo")
                good = answer.status == 200 and seen_headers(answer).get("x-user") == user
                self.requests += 1
                if not good:
                    self.failures.append(f"{time.monotonic():.3f} {node}: {answer}")
            except (OSError, ValueError) as problem:
                self.failures.append(f"{time.monotonic():.3f} {node}: {problem!r}")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Rotation(ProcessTest):
    def rotating_cluster(self, names=NAMES, grace="500ms", **more):
        def customize(config, _):
            config["clusters"][0]["encryption"]["rotation"] = {"grace": grace, **more}
        return self.make_cluster(names=names, customize=customize).start()

    def retired(self, node):
        return len(node.find_log("a key was retired"))

    def rotate(self, cluster, psk, pause=0.0):
        """Gives each node the new key, one after the other, and waits until the old one is retired."""
        before = {node.name: self.retired(node) for node in cluster.nodes}
        for node in cluster.nodes:
            node.set_secrets({**cluster.secrets, "mesh-psk": psk})
            time.sleep(pause)
        for node in cluster.nodes:
            wait_until(lambda node=node: self.retired(node) > before[node.name], 40,
                       lambda node=node: f"{node} retires the old key\n{node.process.tail()}")

    def test_many_rotations_under_load_lose_no_request_no_session_and_no_member(self):
        cluster = self.rotating_cluster()
        idle = self.login(cluster, cluster.a)  # asks nothing meanwhile
        load = Load(self, cluster)
        joined = {node.name: len(node.find_log("member joined")) for node in cluster.nodes}
        began = time.monotonic()
        try:
            for number in range(ROTATIONS):
                self.rotate(cluster, new_psk(), pause=0.2 if number == 0 else 0)
                if number == 9:
                    for node in cluster.nodes:
                        self.assert_known(idle, node)
        finally:
            load.stop()
        print(f"\n{ROTATIONS} rotations in {time.monotonic() - began:.1f} s, {load.requests} requests, "
              f"{len(load.failures)} failed")
        self.assertEqual(load.failures[:5], [])
        self.assertGreater(load.requests, 10 * ROTATIONS)
        for node in cluster.nodes:
            self.assertEqual(node.find_log("member is gone"), [], node.process.tail())
            self.assertEqual(len(node.find_log("member joined")), joined[node.name])

    def test_bad_material_is_refused_and_the_old_key_stays(self):
        cluster = self.rotating_cluster(names=("a", "b"))
        person = self.login(cluster, cluster.a)
        cluster.a.set_secrets({**cluster.secrets, "mesh-psk": "not a key"})
        cluster.a.wait_log("not reloaded", "goes on with what it has")
        cluster.a.secret_file.write_text("secrets: [")
        wait_until(lambda: len(cluster.a.find_log("not reloaded")) == 2, 10, "the second refusal")
        self.assert_known(person, cluster.b)
        self.assertNotIn("not a key", cluster.a.process.log_text())
        cluster.a.set_secrets(cluster.secrets)
        cluster.a.wait_log("the pre-shared keys are what they were")
        self.assertEqual(cluster.b.find_log("member is gone"), [])

    def test_a_node_that_was_away_and_has_only_the_old_key_is_told_so(self):
        cluster = self.rotating_cluster(names=("a", "b", "c"))
        cluster.c.stop()
        cluster.a.wait_log("member is gone")
        old = dict(cluster.secrets)
        new = new_psk()
        for node in (cluster.a, cluster.b):
            node.set_secrets({**old, "mesh-psk": new})
        for node in (cluster.a, cluster.b):
            node.wait_log("a key was retired")
        cluster.c.start(ready=False)
        cluster.c.wait_log("a peer refused our mesh connection", "retired_key")
        wait_until(lambda: cluster.a.find_log("refused a mesh connection", "retired_key")
                   or cluster.b.find_log("refused a mesh connection", "retired_key"), 10, "both sides say it")
        told = [row["dial"] for row in cluster.c.members()["not_members"] if "dial" in row]
        self.assertIn("retired_key", [dial["reason"] for dial in told])
        self.assertIn("retired_key", [row["reason"] for node in (cluster.a, cluster.b) for row in node.members()["refusals"]])
        cluster.c.set_secrets({**old, "mesh-psk": new})
        cluster.c.wait_log("pre-shared keys reloaded")
        cluster.a.wait_log("member joined", '"c"')
        person = self.login(cluster, cluster.c)  # until the data links are there it serves as an island

        def known():
            person.route(cluster.a.address)
            return person.get("/echo").status == 200
        wait_until(known, 10, "a to know the session that was made on c")

    def test_a_node_that_restarts_in_the_middle_comes_back_at_once_and_everybody_sees_the_key_change(self):
        psk_of = {}  # node -> what its configuration names; without: the secret

        def customize(config, node):
            config["clusters"][0]["encryption"].update(
                {"rotation": {"grace": "500ms"}, "psk": psk_of.get(node.name, "<mesh-psk>")})
        cluster = self.make_cluster(customize=customize).start()
        a, b, c = cluster.nodes
        old, new = cluster.secrets["mesh-psk"], new_psk()

        def name(node, psk):
            psk_of[node.name] = psk
            node.write_config()
            node.process.signal(signal.SIGHUP)

        def restart(node, psk):
            psk_of[node.name] = psk
            node.stop()
            node.start()

        def offered(by):
            """The keys that this node sees the members offer."""
            return {row["key_epoch"] for row in by.members()["members"]}

        active, idle = self.login(cluster, a), self.login(cluster, a)
        before = offered(a)
        self.assertEqual(len(before), 1)
        load = Load(self, cluster, nodes=(a, b))
        try:
            name(a, [new, old])
            restart(c, [new, old])
            a.wait_log("waiting until every member holds the new key", '"b"')
            held = {row["name"]: len(row["keys"]) for row in a.members()["members"]}
            self.assertEqual((held, offered(a)), ({"a": 2, "b": 1, "c": 2}, before))
            name(b, [new, old])
            for node in cluster.nodes:
                wait_until(lambda node=node: len(offered(node)) == 1 and offered(node) != before, 20,
                           lambda node=node: f"{node} to see one new key: {offered(node)}, not {before}")
            self.assert_known(active, a)
            restart(c, [new])
            for node in (a, b):
                name(node, [new])
            for node in (a, b):
                node.wait_log("a key was retired")
        finally:
            load.stop()
        self.assertEqual(load.failures[:5], [])
        for node in (a, b):
            self.assertEqual(node.find_log("member is gone", '"a"') + node.find_log("member is gone", '"b"'), [])
        self.assert_known(active, c)  # its cookie was signed anew
        self.assert_unknown(idle, c)  # this node never had the key of the cookie
        self.assert_known(idle, b)
        self.assert_known(idle, c)

    def test_sighup_reloads_the_keys_and_says_what_it_does_not(self):
        cluster = self.rotating_cluster(names=("a", "b"))
        customize = cluster.customize

        def with_lists(config, node):
            customize(config, node)
            config["clusters"][0]["encryption"]["psk"] = [new, "<mesh-psk>"]
        new = new_psk()
        cluster.customize = with_lists
        for node in cluster.nodes:
            node.write_config()
            node.process.signal(signal.SIGHUP)
        for node in cluster.nodes:
            node.wait_log("this key is offered now")

        def with_other_level(config, node):
            with_lists(config, node)
            config["logger"]["level"] = "debug"
        cluster.customize = with_other_level
        cluster.a.write_config()
        cluster.a.process.signal(signal.SIGHUP)
        cluster.a.wait_log("only pre-shared keys and admission are reloaded")
        for node in cluster.nodes:
            self.assertEqual(node.find_log("member is gone"), [])
            self.assertEqual(node.find_log("retired"), [], "both keys are named")
