"""Streams, WebSockets and drains through the real load balancers."""
import hashlib
import threading
import unittest

from harness import websocket
from harness.cluster import PASSWORD
from harness.process import Run, wait_until
from harness.upstream import Upstream, pattern_sha256
from scene import Scene


class Fronts(unittest.TestCase):
    def scene(self, front):
        ports = Run().ports
        upstream = Upstream(ports.next())
        self.addCleanup(upstream.close)
        scene = Scene(front, login="local", upstream=upstream.url).__enter__()
        self.addCleanup(scene.run.close)
        self.run_ = scene.run
        return scene

    def check_streams(self, front):
        scene = self.scene(front)
        browser = scene.browser()
        self.assertEqual(browser.login("/echo", "alice", PASSWORD).status, 200)
        size = 16 << 20
        self.assertEqual(hashlib.sha256(browser.get(f"/download?n={size}").body).hexdigest(), pattern_sha256(size))
        body = bytes(8 << 20)
        self.assertEqual(browser.request("POST", "/upload", body=body).json()["bytes"], len(body))
        self.assertEqual(browser.get("/sse?n=5&ms=50").text.count("data:"), 5)
        for _ in range(3):
            talk = websocket.Client(("127.0.0.1", scene.port), f"localhost:{scene.port}", "/ws",
                                    browser.cookies.header("localhost", "/ws"))
            self.assertEqual(talk.status, 101)
            talk.send("through two proxies")
            self.assertEqual(talk.receive(), "through two proxies")
            talk.close()

    def test_streams_and_web_sockets_through_haproxy(self):
        self.check_streams("haproxy")

    def test_streams_and_web_sockets_through_nginx(self):
        self.check_streams("nginx")

    def check_rolling_restart(self, front):
        scene = self.scene(front)
        browser = scene.browser()
        self.assertEqual(browser.login("/echo", "alice", PASSWORD).status, 200)
        stop, bad, answers = threading.Event(), [], []

        def click():
            own = browser.copy()
            while not stop.is_set():
                try:
                    answer = own.get("/echo")
                    (answers if answer.status == 200 else bad).append(answer)
                except OSError as problem:
                    bad.append(problem)
        people = [threading.Thread(target=click, daemon=True) for _ in range(8)]
        for person in people:
            person.start()
        for node in scene.cluster.nodes:
            self.assertEqual(node.stop(), 0)
            node.start()
            before = len(answers)
            wait_until(lambda: len(answers) > before + 100, 20, "answers")
        stop.set()
        for person in people:
            person.join(30)
        self.assertEqual(bad, [])
        self.assertGreater(len(answers), 300)

    def test_a_rolling_restart_behind_haproxy_loses_no_request(self):
        self.check_rolling_restart("haproxy")

    def test_a_rolling_restart_behind_nginx_loses_no_request(self):
        self.check_rolling_restart("nginx")
