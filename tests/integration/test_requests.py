"""The request path with real sockets: headers, bodies, streams, and the one hop inside the cluster."""
import concurrent.futures
import hashlib
import http.client
import json
import os
import random
import socket
import time

from harness import upstream as upstream_module
from harness import websocket
from harness.cluster import local_users
from harness.faults import FaultProxy
from harness.process import wait_until
from harness.testing import ProcessTest, SharedClusterTest, seen_headers

COOKIE = "kith_session"


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def with_a_dead_application(config, _):
    config["apps"].append({"name": "dead", "type": "proxy", "routePatterns": ["/dead"],
                           "upstream": "http://127.0.0.1:9",
                           "policies": [{"location": "/", "authentication": {"allowUnauthenticated": True},
                                         "authorization": {"allowAll": True}}]})


class Passing(SharedClusterTest):
    cluster_options = {"customize": with_a_dead_application}

    def test_headers_that_name_the_user_come_from_the_session_only(self):
        person = self.login(self.cluster, self.cluster.a)
        spoofed = {"X-User": "admin", "x_user": "admin", "X-EMAIL": "admin@example.test", "X_Email": "admin",
                   "X-Kith-Node": "z", "X-Kith-Forwarded-By": "z", "X_Kith_Node": "z"}
        for path in ("/echo", "/public/echo"):
            answer = person.get(path, headers=spoofed)
            self.assertEqual(answer.status, 200)
            values = [value for name, value in answer.json()["headers"]]
            self.assertNotIn("admin", " ".join(values))
            self.assertNotIn("z", values)
        names = [name.lower().replace("_", "-") for name, _ in person.get("/echo", headers=spoofed).json()["headers"]]
        self.assertEqual(names.count("x-user"), 1)

    def test_a_stranger_cannot_bring_a_user_header_to_a_public_page(self):
        answer = self.browser(self.cluster).get("/public/echo", headers={"X-User": "admin", "X_user": "admin"})
        self.assertEqual(answer.status, 200)
        self.assertEqual(seen_headers(answer).get("x-user", ""), "")

    def test_the_application_sees_its_own_cookies_and_never_ours(self):
        person = self.login(self.cluster, self.cluster.a)
        ours = person.cookies.of("localhost")[COOKIE]
        seen = seen_headers(person.get("/echo", headers={"Cookie": f"theme=dark; {COOKIE}={ours}; lang=en"}))
        self.assertEqual(seen["cookie"], "theme=dark; lang=en")

    def test_the_application_is_told_which_node_asks(self):
        person = self.login(self.cluster, self.cluster.a)
        for node in self.cluster.nodes:
            seen = seen_headers(self.assert_known(person, node))
            self.assertEqual(seen.get("x-kith-node"), node.name)
            self.assertNotIn("x-kith-forwarded-by", seen)

    def test_a_forwarded_for_header_of_a_stranger_is_not_believed(self):
        seen = seen_headers(self.browser(self.cluster).get(
            "/public/echo", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https",
                                     "Forwarded": "for=203.0.113.9"}))
        self.assertNotIn("203.0.113.9", str(seen))

    def test_large_bodies_stream_both_ways_without_filling_the_memory(self):
        size = 96 << 20
        before = resident_bytes(self.cluster.a.process.pid)
        peak = 0
        connection = http.client.HTTPConnection(*self.cluster.a.address, timeout=60)
        digest = hashlib.sha256()

        def pieces():
            nonlocal peak
            for _ in range(size // 65536):
                digest.update(upstream_module.PATTERN)
                peak = max(peak, resident_bytes(self.cluster.a.process.pid))
                yield upstream_module.PATTERN
        connection.request("POST", "/public/upload", body=pieces(), encode_chunked=True,
                           headers={"Host": "localhost:8080", "Transfer-Encoding": "chunked"})
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        told = json.loads(answer.read())
        self.assertEqual(told, {"bytes": size, "sha256": digest.hexdigest()})

        connection.request("GET", f"/public/download?n={size}", headers={"Host": "localhost:8080"})
        answer = connection.getresponse()
        digest = hashlib.sha256()
        while piece := answer.read(1 << 16):
            digest.update(piece)
            peak = max(peak, resident_bytes(self.cluster.a.process.pid))
        self.assertEqual(digest.hexdigest(), upstream_module.pattern_sha256(size))
        self.assertLess(peak - before, 48 << 20)

    def test_server_sent_events_arrive_one_by_one(self):
        times = self.events(self.cluster.a, "")
        self.assertEqual(len(times), 5)
        self.assertGreater(times[-1] - times[0], 0.4)

    def events(self, node, cookie):
        connection = http.client.HTTPConnection(*node.address, timeout=30)
        connection.request("GET", "/public/sse?n=5&ms=150", headers={"Host": "localhost:8080", "Cookie": cookie})
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        times = []
        while line := answer.readline():
            if line.startswith(b"data:"):
                times.append(time.monotonic())
        return times

    def test_a_web_socket_passes_through_for_a_logged_in_person_only(self):
        refused = websocket.Client(self.cluster.b.address, "localhost:8080", "/ws")
        self.assertIn(refused.status, (302, 303, 401))
        person = self.login(self.cluster, self.cluster.a)
        cookie = person.cookies.header("localhost", "/ws")
        for node in self.cluster.nodes:
            talk = websocket.Client(node.address, "localhost:8080", "/ws", cookie)
            self.assertEqual(talk.status, 101)
            for text in ("hello", "x" * 100_000, "bye"):
                talk.send(text)
                self.assertEqual(talk.receive(), text)
            talk.close()

    def test_ambiguous_requests_are_refused_and_the_connection_closed(self):
        head = b"POST /public/echo HTTP/1.1\r\nHost: localhost:8080\r\n"
        cases = {
            "both framings": head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "two lengths": head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            "odd coding": head + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "bare line feed": b"GET /public/echo HTTP/1.1\nHost: localhost:8080\n\n",
            "folded header": b"GET /public/echo HTTP/1.1\r\nHost: localhost:8080\r\nX-A: 1\r\n 2\r\n\r\n",
            "blank before the colon": b"GET /public/echo HTTP/1.1\r\nHost: localhost:8080\r\nX-A : 1\r\n\r\n",
            "encoded slash": b"GET /public%2fecho HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
            "dot segments": b"GET /public/../echo HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
            "no host": b"GET /public/echo HTTP/1.1\r\n\r\n",
        }
        for name, sent in cases.items():
            with socket.create_connection(self.cluster.a.address, 10) as connection:
                connection.sendall(sent)
                received = b""
                try:
                    while piece := connection.recv(4096):
                        received += piece
                except ConnectionResetError:
                    pass
                self.assertTrue(received.startswith(b"HTTP/1.1 400 "), f"{name}: {received[:200]!r}")
                self.assertEqual(received.count(b"HTTP/1."), 1, name)

    def test_an_application_that_is_down_is_a_502_and_its_own_errors_pass_unchanged(self):
        stranger = self.browser(self.cluster)
        self.assertEqual(stranger.get("/dead/page").status, 502)
        self.assertEqual(stranger.get("/public/code/418").status, 418)
        self.assertEqual(stranger.get("/public/code/500").status, 500)


class OneHop(ProcessTest):
    """Replication is slowed down by a proxy in front of every node's data port."""

    def lagging(self, delay=0.25, prefer="forward", **more):
        proxies = {}

        def customize(config, node):
            if node.name not in proxies:
                proxies[node.name] = FaultProxy(self.run_.ports.next(), node.data_port)
                self.addCleanup(proxies[node.name].close)
            config["clusters"][0]["addresses"]["advertise"] = {
                "data": f"/ip4/127.0.0.1/tcp/{proxies[node.name].port}"}
            config["http"]["routing"].update({"prefer": prefer, "timeout": "5s"})
            config["session"]["store"]["cluster"]["ack"] = "local"  # so that the others are behind for a while
            config["session"].update(more)
        # A name for each person: guesses at one name are limited, and many log in at once here.
        people = [{"name": "local", "type": "local", "enabled": True,
                   "users": local_users(["alice", *(f"person-{number}" for number in range(60))])}]
        cluster = self.make_cluster(customize=customize, connectors=people).start()
        self.set_delay = lambda seconds: [setattr(proxy, "delay", seconds) for proxy in proxies.values()]
        self.set_delay(delay)
        return cluster

    def sign_in(self, cluster, node, user="alice"):
        """Signs in at the node and stops at its redirect, before any other node was asked."""
        person = self.browser(cluster, node)
        action, method, fields = person.open("/echo").form()
        answer = person.request(method, action, body={**fields, "username": user, "password": "correct horse battery"})
        self.assertIn(answer.status, (302, 303))
        while COOKIE not in person.cookies.of("localhost"):
            answer = person.get(answer.header("Location"))
        return person

    def test_a_node_that_is_behind_forwards_one_hop_to_a_node_that_is_not(self):
        cluster = self.lagging()
        person = self.sign_in(cluster, cluster.a)
        seen = seen_headers(self.assert_known(person, cluster.b))
        self.assertEqual(seen.get("x-kith-node"), "a")
        self.assertEqual(seen.get("x-kith-forwarded-by"), "b")
        wait_until(lambda: [line for line in cluster.b.log_lines() if line.get("forwarded_to") == "a"], 5,
                   "an access line at b that names a")

    def test_a_node_that_is_behind_can_pull_the_session_instead(self):
        cluster = self.lagging(prefer="pull")
        person = self.sign_in(cluster, cluster.a)
        seen = seen_headers(self.assert_known(person, cluster.b))
        self.assertEqual(seen.get("x-kith-node"), "b")

    def test_once_caught_up_a_node_answers_by_itself(self):
        cluster = self.lagging()
        person = self.sign_in(cluster, cluster.a)
        wait_until(lambda: seen_headers(self.assert_known(person, cluster.b)).get("x-kith-node") == "b", 10,
                   "an answer of b itself")

    def test_bodies_events_and_web_sockets_pass_through_the_hop(self):
        cluster = self.lagging(delay=0.4)
        size = 2 << 20
        body = os.urandom(size)
        person = self.sign_in(cluster, cluster.a)
        person.route(cluster.b.address)
        told = person.request("POST", "/upload", body=body).json()
        self.assertEqual(told, {"bytes": size, "sha256": hashlib.sha256(body).hexdigest()})

        person = self.sign_in(cluster, cluster.a)
        person.route(cluster.c.address)
        answer = person.get(f"/download?n={size}")
        self.assertEqual(hashlib.sha256(answer.body).hexdigest(), upstream_module.pattern_sha256(size))

        person = self.sign_in(cluster, cluster.b)
        person.route(cluster.a.address)
        self.assertEqual(person.get("/sse?n=4&ms=50").text.count("data:"), 4)

        person = self.sign_in(cluster, cluster.a)
        talk = websocket.Client(cluster.b.address, "localhost:8080", "/ws",
                                person.cookies.header("localhost", "/ws"))
        self.assertEqual(talk.status, 101)
        self.assertEqual(talk.headers.get("x-seen-forwarded-by"), "b")
        for text in ("through the hop", "y" * 70_000):
            talk.send(text)
            self.assertEqual(talk.receive(), text)
        talk.close()

    def test_a_forwarded_request_may_take_longer_than_the_routing_timeout(self):
        cluster = self.lagging(delay=0.2)
        person = self.sign_in(cluster, cluster.a)
        person.route(cluster.b.address)
        answer = person.request("POST", "/slow?ms=6000", body=b"once")
        self.assertEqual(answer.status, 200)
        self.assertEqual(seen_headers(answer).get("x-kith-forwarded-by"), "b")

    def test_no_request_is_ever_forwarded_twice_under_load(self):
        cluster = self.lagging(delay=0.15)
        forwarded = []

        def person_of(number):
            choice = random.Random(number)
            entry = choice.choice(cluster.nodes)
            person = self.sign_in(cluster, entry, f"person-{number}")
            for _ in range(8):
                person.route(choice.choice(cluster.nodes).address)
                answer = person.get("/echo")
                if answer.status != 200:
                    return f"person {number}: {answer}"
                seen = seen_headers(answer)
                if "x-kith-forwarded-by" in seen:
                    forwarded.append((seen["x-kith-forwarded-by"], seen["x-kith-node"]))
            return None
        with concurrent.futures.ThreadPoolExecutor(12) as crowd:
            problems = [problem for problem in crowd.map(person_of, range(60)) if problem]
        self.assertEqual(problems, [])
        self.assertGreater(len(forwarded), 20)
        for by, node in forwarded:
            self.assertNotEqual(by, node)
        def hops():
            return [line for node in cluster.nodes for line in node.log_lines() if line.get("forwarded_to")]
        wait_until(lambda: len(hops()) >= len(forwarded), 5, lambda: f"{len(forwarded)} access lines, not {len(hops())}")
        for line in hops():
            self.assertFalse(line.get("forwarded_by"), f"forwarded twice: {line}")

    def test_when_the_origin_dies_before_anybody_has_its_write_the_person_logs_in_again(self):
        cluster = self.lagging(delay=1.5)
        person = self.sign_in(cluster, cluster.a)
        cluster.a.kill()
        self.assert_unknown(person, cluster.b)  # onLost: reauth, the default; never somebody else's page


class Spread(SharedClusterTest):
    @staticmethod
    def customize(config, _):
        config["http"]["trustedProxies"] = ["127.0.0.0/8"]
    cluster_options = {"customize": customize}

    def test_a_trusted_proxy_is_believed_about_the_client(self):
        seen = seen_headers(self.browser(self.cluster).get(
            "/public/echo", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}))
        self.assertIn("203.0.113.9", seen.get("x-forwarded-for", ""))
        self.assertEqual(seen.get("x-forwarded-proto"), "https")
