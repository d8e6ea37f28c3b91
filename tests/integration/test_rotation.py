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

    def __init__(self, test, cluster, people=4, pause=0.01):
        self.cluster, self.pause = cluster, pause
        self.requests, self.failures = 0, []
        self.stopping = threading.Event()
        self.browsers = [(test.login(cluster, node, user), user)
                         for node, user in zip(itertools.cycle(cluster.nodes), ["alice", "bob"] * (people // 2))]
        self.threads = [threading.Thread(target=self.click, args=one) for one in self.browsers]
        for thread in self.threads:
            thread.start()

    def click(self, browser, user):
        for node in itertools.cycle(self.cluster.nodes):
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
        cluster.c.set_secrets({**old, "mesh-psk": new})
        cluster.c.wait_log("pre-shared keys reloaded")
        cluster.a.wait_log("member joined", '"c"')
        person = self.login(cluster, cluster.c)
        self.assert_known(person, cluster.a)

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
        cluster.a.wait_log("only pre-shared keys are reloaded")
        for node in cluster.nodes:
            self.assertEqual(node.find_log("member is gone"), [])
            self.assertEqual(node.find_log("retired"), [], "both keys are named")
