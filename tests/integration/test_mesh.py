"""Who becomes a member, and who never does."""
import os
import random
import socket
import ssl
import stat
import time

from harness.cluster import Cluster, new_psk
from harness.faults import FaultProxy
from harness.process import wait_until
from harness.testing import ProcessTest, program


class Formation(ProcessTest):
    def test_three_nodes_started_in_any_order_form_one_cluster(self):
        cluster = self.make_cluster()
        nodes = list(cluster.nodes)
        random.shuffle(nodes)
        for node in nodes:
            node.start(ready=False)
            time.sleep(0.3)
        for node in nodes:
            node.wait_status("up")
        person = self.login(cluster, nodes[0])
        for node in nodes:
            self.assert_known(person, node)

    def test_a_node_alone_is_ready_and_meets_the_others_when_they_come(self):
        cluster = self.make_cluster()
        cluster.a.start()
        person = self.login(cluster, cluster.a)
        cluster.b.start()
        cluster.c.start()
        for node in cluster.nodes:
            self.assert_known(person, node)

    def test_the_node_key_file_is_made_with_mode_0600_and_kept(self):
        cluster = self.make_cluster(names=("a",)).start()
        self.assertEqual(stat.S_IMODE(os.stat(cluster.a.key_file).st_mode), 0o600)
        before = cluster.a.key_file.read_bytes()
        cluster.a.stop()
        cluster.a.start()
        self.assertEqual(cluster.a.key_file.read_bytes(), before)

    def test_without_the_feature_flag_the_node_runs_alone_and_says_so_once(self):
        def customize(config, _):
            config["features"] = {}
            config["session"]["store"] = {"type": "local"}
            config["http"].pop("routing")
        cluster = self.make_cluster(names=("a", "b"), customize=customize).start()
        said = [line for line in cluster.a.log_lines() if line.get("level") == "warn" and "experimental.clusters" in str(line)]
        self.assertEqual(len(said), 1, cluster.a.process.tail())
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", cluster.a.membership_port), 2)
        person = self.login(cluster, cluster.a)
        self.assert_unknown(person, cluster.b)

    def test_a_disabled_cluster_is_not_started(self):
        def customize(config, _):
            config["clusters"][0]["disabled"] = True
            config["session"]["store"] = {"type": "local"}
            config["http"].pop("routing")
        cluster = self.make_cluster(names=("a",), customize=customize).start()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", cluster.a.membership_port), 2)

    def test_host_names_and_ipv6_addresses_work_as_multiaddrs(self):
        def customize(config, node):
            entry = config["clusters"][0]
            if node.name == "b":
                entry["addresses"] = {"membership": f"/ip6/::1/tcp/{node.membership_port}",
                                      "data": f"/ip6/::1/tcp/{node.data_port}"}
            nodes = node.cluster.nodes
            entry["discovery"]["static"]["nodes"] = [
                {"endpoints": {"membership": f"/dns4/localhost/tcp/{nodes[0].membership_port}"}},
                {"endpoints": {"membership": f"/ip6/::1/tcp/{nodes[1].membership_port}"}}]
        cluster = self.make_cluster(names=("a", "b"), customize=customize).start()
        person = self.login(cluster, cluster.a)
        self.assert_known(person, cluster.b)

    def test_several_keys_are_accepted_at_once_so_that_a_key_can_be_changed_node_by_node(self):
        # Half way: everybody has both, some offer (and sign cookies with) the old one, some the new one.
        old, new = new_psk(), new_psk()
        rings = {"a": [old, new], "b": [new, old], "c": [new, old]}

        def customize(config, node):
            config["clusters"][0]["encryption"]["psk"] = rings[node.name]
        cluster = self.make_cluster(customize=customize).start()
        for entry in cluster.nodes:
            person = self.login(cluster, entry)
            for node in cluster.nodes:
                self.assert_known(person, node)


class Strangers(ProcessTest):
    """Nothing that does not hold the key, the name and the protocol of the cluster gets in."""

    def setUp(self):
        super().setUp()
        self.cluster = self.make_cluster().start()
        self.person = self.login(self.cluster, self.cluster.a)

    def tearDown(self):
        for node in self.cluster.nodes:  # whatever knocked, the cluster goes on
            self.assertTrue(node.process.alive(), node.process.tail())
            self.assert_known(self.person, node)

    def stranger(self, customize, secrets=None):
        """A node that dials our cluster."""
        def outer(config, node):
            config["clusters"][0]["discovery"]["static"]["nodes"] = [
                {"endpoints": {"membership": peer.membership}} for peer in self.cluster.nodes]
            customize(config)
        other = Cluster(self.run_, program(), names=("stranger",), customize=outer, prefix="x-",
                        secrets=secrets or {"mesh-psk": self.cluster.secrets["mesh-psk"]},
                        upstream=self.cluster.upstream)
        return other.nodes[0].start(ready=False)

    def assert_never_member(self, node, *words):
        for one in [node] + self.cluster.nodes:  # one clear line on both sides
            one.wait_log(*words)
        time.sleep(2)
        if node.status()[0] == 200:
            self.assert_unknown(self.person, node)

    def test_a_node_with_a_wrong_psk(self):
        self.assert_never_member(self.stranger(lambda _: None, {"mesh-psk": new_psk()}), "pre-shared key")

    def test_a_node_of_another_cluster_with_the_same_psk(self):
        def customize(config):
            config["clusters"][0]["name"] = "other"
            config["session"]["store"]["cluster"]["name"] = "other"
            config["http"]["routing"]["cluster"]["name"] = "other"
        node = self.stranger(customize)
        self.assert_never_member(node, "cluster")

    def ports(self):
        for node in self.cluster.nodes:
            yield node.membership_port
            yield node.data_port

    def assert_refused(self, connection, why):
        """The node closes it within its handshake deadline, and says nothing but a TLS alert before."""
        connection.settimeout(15)
        received = b""
        try:
            while piece := connection.recv(4096):
                received += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
        except socket.timeout:
            self.fail(f"{why}: still open after 15 s")
        self.assertLess(len(received), 2048, why)
        return received

    def test_a_plain_tcp_client(self):
        messages = {"nothing": b"", "text": b"hello\n", "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                    "zeros": bytes(5000), "noise": os.urandom(20000)}
        for name, bytes_sent in messages.items():
            for port in (self.cluster.a.membership_port, self.cluster.a.data_port):
                with socket.create_connection(("127.0.0.1", port), 5) as connection:
                    try:
                        connection.sendall(bytes_sent)
                    except OSError:
                        continue
                    self.assert_refused(connection, f"{name} at {port}")

    def test_a_tls_client_without_the_key(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for port in self.ports():
            with socket.create_connection(("127.0.0.1", port), 5) as plain:
                with self.assertRaises((ssl.SSLError, ConnectionError, OSError)):
                    with context.wrap_socket(plain) as connection:
                        connection.recv(1)  # in TLS 1.3 the refusal may come after the client's handshake
                        raise AssertionError("the handshake was accepted")

    def test_a_thousand_half_open_connections_do_not_keep_members_out(self):
        held = [socket.create_connection(("127.0.0.1", self.cluster.a.membership_port), 5) for _ in range(300)]
        try:
            self.cluster.b.kill()
            self.cluster.b.start()
            self.assert_known(self.person, self.cluster.b)
        finally:
            for one in held:
                one.close()


class Replay(ProcessTest):
    def test_a_captured_conversation_replayed_opens_nothing(self):
        proxies = {}

        def customize(config, node):
            pair = proxies.get(node.name)
            if pair is None:
                ports = node.cluster.run.ports
                pair = proxies[node.name] = (FaultProxy(ports.next(), node.membership_port, record=True),
                                             FaultProxy(ports.next(), node.data_port, record=True))
                self.addCleanup(pair[0].close)
                self.addCleanup(pair[1].close)
            config["clusters"][0]["addresses"]["advertise"] = {
                "membership": f"/ip4/127.0.0.1/tcp/{pair[0].port}", "data": f"/ip4/127.0.0.1/tcp/{pair[1].port}"}
        cluster = self.make_cluster(customize=customize)
        for node in cluster.nodes:
            cluster.config_of(node)  # makes the proxies
        plain = cluster.customize

        def through_proxies(config, node):
            plain(config, node)
            config["clusters"][0]["discovery"]["static"]["nodes"] = [
                {"endpoints": {"membership": f"/ip4/127.0.0.1/tcp/{pair[0].port}"}} for pair in proxies.values()]
        cluster.customize = through_proxies
        cluster.start()
        person = self.login(cluster, cluster.a)
        for node in cluster.nodes:
            self.assert_known(person, node)

        replayed = 0
        for node in cluster.nodes:
            for proxy, port in zip(proxies[node.name], (node.membership_port, node.data_port)):
                for capture in list(proxy.recorded):
                    sent = bytes(capture)
                    if len(sent) < 200:
                        continue
                    replayed += 1
                    with socket.create_connection(("127.0.0.1", port), 5) as connection:
                        connection.settimeout(15)
                        received = b""
                        try:
                            connection.sendall(sent)
                            while piece := connection.recv(4096):
                                received += piece
                                self.assertLess(len(received), 4096, "the node talks to a replayed capture")
                        except (ConnectionResetError, BrokenPipeError):
                            pass
        self.assertGreaterEqual(replayed, 3)
        for node in cluster.nodes:
            self.assertTrue(node.process.alive())
            self.assert_known(person, node)


class Restart(ProcessTest):
    def test_a_node_is_not_ready_before_it_has_caught_up(self):
        cluster = self.make_cluster(names=("a", "b")).start()
        people = [self.login(cluster, cluster.a, user) for user in ("alice", "bob")]
        cluster.b.kill()
        cluster.b.process.start()
        seen = []

        def up():
            seen.append(cluster.b.status())
            return seen[-1][1] == "up"
        wait_until(up, 30, lambda: f"b up; it says {seen[-1]}", every=0.005)
        for code, state in seen:
            self.assertIn((code, state), {(0, ""), (503, "starting"), (503, "syncing"), (200, "up")})
        for person, user in zip(people, ("alice", "bob")):
            self.assert_known(person, cluster.b, user)

    def test_a_node_that_starts_while_nobody_can_reach_it_goes_on_dialling_until_it_gets_through(self):
        ports = self.run_.ports
        proxy = FaultProxy(ports.next(), 1)
        self.addCleanup(proxy.close)

        def customize(config, node):
            dialled = proxy.port if node.name == "b" else node.membership_port  # a dials nobody
            config["clusters"][0]["discovery"]["static"]["nodes"] = [
                {"endpoints": {"membership": f"/ip4/127.0.0.1/tcp/{dialled}"}}]
        cluster = self.make_cluster(names=("a", "b"), customize=customize)
        proxy._target_port = cluster.a.membership_port
        proxy.refuse = True
        cluster.a.start()
        cluster.b.start(ready=False)
        person = self.login(cluster, cluster.a)
        time.sleep(1)
        proxy.refuse = False

        def known():
            if cluster.b.status()[0] != 200:
                return False
            person.route(cluster.b.address)
            return person.get("/echo").status == 200
        wait_until(known, 60, lambda: f"b to know the session\n{cluster.b.process.tail()}", every=0.1)
