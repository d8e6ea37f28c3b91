"""A running node is asked through its control socket."""
import json
import os
import socket
import stat
import subprocess

from harness.process import wait_until
from harness.testing import ProcessTest, SharedClusterTest, program


def kith(*arguments):
    return subprocess.run([str(program()), *map(str, arguments)], capture_output=True, text=True, timeout=60)


def members(node):
    done = kith("members", "-c", node.config_file, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["clusters"][0]


class Members(SharedClusterTest):
    cluster_options = {"customize": lambda config, node: config.update(node={"region": "west", "zone": f"z-{node.name}"})}

    def test_every_node_shows_the_same_members_with_addresses_zone_and_round_trip(self):
        for node in self.cluster.nodes:
            wait_until(lambda: all(row["self"] or row["rtt_us"] for row in members(node)["members"]), 10,
                       lambda: f"round trips of {node}: {members(node)}")
            shown = members(node)
            self.assertEqual(shown["phase"], "ready")
            rows = {row["name"]: row for row in shown["members"]}
            self.assertEqual(set(rows), {"a", "b", "c"})
            for other in self.cluster.nodes:
                row = rows[other.name]
                self.assertEqual((row["membership"], row["data"]), (other.membership, other.data))
                self.assertEqual((row["region"], row["zone"]), ("west", f"z-{other.name}"))
                self.assertEqual((row["state"], row["reach"]), ("ready", "alive"))
                self.assertEqual(row["self"], other is node)
                self.assertRegex(row["version"], r"^kith/\d")
                self.assertLess(row["rtt_us"] or 0, 1_000_000)
                self.assertGreaterEqual(row["health"], 0)
                self.assertRegex(row["key_epoch"], "^[0-9a-f]{16}$")
                self.assertEqual(row["keys"], [row["key_epoch"]])
                self.assertEqual(row["key_epoch"], rows[node.name]["key_epoch"])

    def test_the_text_names_everybody(self):
        done = kith("members", "-c", self.cluster.a.config_file)
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("cluster main: 3 members, ready", "a *", "z-c", self.cluster.c.membership):
            self.assertIn(word, done.stdout)

    def test_the_socket_is_for_its_owner_alone(self):
        path = self.cluster.a.config_file.with_suffix(".sock")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_what_is_not_there_and_what_is_not_http_is_answered_and_ends_nothing(self):
        path = str(self.cluster.a.config_file.with_suffix(".sock"))
        for sent, expected in ((b"GET /v2 HTTP/1.1\r\nHost: kith\r\n\r\n", b"HTTP/1.1 404"),
                               (b"PUT /v1/members HTTP/1.1\r\nHost: kith\r\n\r\n", b"HTTP/1.1 405"),
                               (b"\x16\x03\x01 not http\r\n\r\n", b"HTTP/1.1 400"),
                               (b"GET /" + b"x" * 20_000, b"HTTP/1.1 4")):
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(10)
                door.connect(path)
                door.sendall(sent)
                self.assertTrue(door.recv(4096).startswith(expected), sent[:40])
        self.assertEqual(kith("health", "--socket", path).stdout, "up\n")

    def test_a_second_process_with_the_same_door_does_not_take_it(self):
        config = json.loads(self.cluster.a.config_file.read_text())
        config["control"] = {"socket": str(self.cluster.a.config_file.with_suffix(".sock"))}
        path = self.run_.path("again.yaml", json.dumps(config))
        done = subprocess.run([str(program()), "run", "-c", str(path)], capture_output=True, text=True, timeout=30,
                              env={**os.environ, "KITH_SECRET_PROVIDER": f"secretfile://{self.cluster.a.secret_file}"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("another process serves this socket", done.stdout + done.stderr)
        self.assertEqual(kith("health", "-c", self.cluster.a.config_file).returncode, 0)


class Departures(ProcessTest):
    def test_why_a_node_is_not_a_member_is_told_until_it_is_forgotten(self):
        cluster = self.make_cluster()
        # Somebody with another key, and nobody at an address that is a seed.
        nobody = f"/ip4/127.0.0.1/tcp/{self.run_.ports.next()}"

        def customize(config, node):
            config["clusters"][0]["discovery"]["static"]["nodes"].append({"endpoints": {"membership": nobody}})
        cluster.customize = customize
        cluster.start()
        stranger = self.make_cluster(names=("x",), prefix="x-")
        stranger.customize = lambda config, node: config["clusters"][0]["discovery"]["static"].update(
            nodes=[{"endpoints": {"membership": cluster.a.membership}}])
        stranger.start()
        cluster.c.kill()

        def absent():
            return {row["name"] or row["membership"]: row for row in members(cluster.a)["not_members"]}
        wait_until(lambda: "c" in absent() and nobody in absent(), 10, lambda: f"absent: {absent()}")
        self.assertEqual(absent()["c"]["why"], "crashed")
        self.assertEqual(absent()[nobody]["dial"]["why"], "refused")
        wait_until(lambda: any(row["reason"] == "unknown_key" and row["count"] > 0 for row in members(cluster.a)["refusals"]),
                   10, lambda: f"refusals: {members(cluster.a)['refusals']}")
        wait_until(lambda: any((row.get("dial") or {}).get("reason") == "unknown_key"
                               for row in members(stranger.x)["not_members"]), 10,
                   lambda: f"the stranger's side: {members(stranger.x)}")

        refused = kith("forget", "b", "-c", cluster.a.config_file)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("member", refused.stderr)
        done = kith("forget", "c", "-c", cluster.a.config_file)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("c", absent())

    def test_leave_stops_the_node_in_order_and_the_others_are_told(self):
        cluster = self.make_cluster(names=("a", "b")).start()
        done = kith("leave", "-c", cluster.b.config_file)
        self.assertEqual((done.returncode, done.stdout), (0, "left\n"), done.stderr)
        self.assertEqual(cluster.b.process.wait_exit(10), 0)
        self.assertEqual([row["why"] for row in members(cluster.a)["not_members"]], ["left"])
        gone = kith("members", "-c", cluster.b.config_file)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("no node is running there", gone.stderr)

    def test_a_socket_that_a_crash_left_behind_is_replaced_at_the_next_start(self):
        cluster = self.make_cluster(names=("a",)).start()
        cluster.a.kill()
        self.assertTrue(cluster.a.config_file.with_suffix(".sock").exists())
        self.assertEqual(kith("health", "-c", cluster.a.config_file).returncode, 1)
        cluster.a.start()
        self.assertEqual(kith("health", "-c", cluster.a.config_file).returncode, 0)
