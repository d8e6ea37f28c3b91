"""Logging in and out with a real OpenID provider, on nodes that take turns."""
import unittest
import urllib.parse

from harness.browser import Browser
from harness.cluster import PASSWORD
from scene import Scene


class Provider(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = Scene("haproxy").__enter__()
        cls.addClassCleanup(cls.scene.run.close)
        cls.run_ = cls.scene.run
        cls.nodes = cls.scene.cluster.nodes

    def known(self, browser, name):
        for node in self.nodes:
            browser.route(node.address)
            answer = browser.get("/whoami")
            self.assertEqual(answer.status, 200, f"{node}: {answer} {answer.header('Location', '')}")
            self.assertEqual(answer.json()["user"], name)

    def unknown(self, browser):
        for node in self.nodes:
            browser.route(node.address)
            self.assertIn(browser.get("/whoami").status, (302, 303, 401), node)

    def to_callback(self, name, node):
        """Begins at the node and signs in at the provider; the callback URL, not yet visited."""
        browser = self.scene.browser(node)
        action, method, fields = browser.open("/whoami").form()
        answer = browser.request(method, action, body={**fields, "username": name, "password": PASSWORD})
        while not answer.header("Location").startswith(self.scene.origin):
            answer = browser.get(urllib.parse.urljoin(answer.url, answer.header("Location")))
        return browser, answer.header("Location")

    def test_claims_of_the_provider_reach_the_application(self):
        browser = self.scene.sign_in("claims-1")
        told = browser.get("/whoami").json()
        self.assertEqual((told["user"], told["email"], told["name"]),
                         ("claims-1", "claims-1@example.test", "Person claims-1"))
        self.known(browser, "claims-1")

    def test_a_login_may_begin_on_one_node_and_end_on_another(self):
        a, b, _ = self.nodes
        browser, callback = self.to_callback("wanderer", a)
        browser.route(b.address)
        self.assertEqual(browser.open(callback).json()["user"], "wanderer")
        self.known(browser, "wanderer")

    def test_a_login_goes_on_when_the_node_where_it_began_is_killed(self):
        a, b, _ = self.nodes
        browser, callback = self.to_callback("survivor", a)
        a.kill()
        browser.route(b.address)
        self.assertEqual(browser.open(callback).json()["user"], "survivor")
        a.start()
        self.known(browser, "survivor")

    def test_two_tabs_may_log_in_at_the_same_time(self):
        browser = self.scene.browser()
        first, second = browser.open("/whoami"), browser.open("/whoami?tab=2")
        self.assertEqual(browser.submit(second, username="tabs", password=PASSWORD).status, 200)
        self.assertEqual(browser.submit(first, username="tabs", password=PASSWORD).status, 200)
        self.known(browser, "tabs")

    def test_a_callback_is_good_once_and_for_the_browser_that_began(self):
        a, b, c = self.nodes
        browser, callback = self.to_callback("victim", a)
        other = self.scene.browser(b)
        answer = other.get(callback)
        self.assertIn(answer.status, (400, 401, 403), answer)
        self.unknown(other)
        browser.route(c.address)
        self.assertEqual(browser.open(callback).status, 200)
        again = browser.copy()
        again.cookies.clear()
        self.assertNotEqual(again.get(callback).status, 200)

    def test_a_forged_callback_opens_nothing(self):
        browser, callback = self.to_callback("forger", self.nodes[0])
        parts = urllib.parse.urlsplit(callback)
        query = dict(urllib.parse.parse_qsl(parts.query))
        for change in ({"state": "x" * 22}, {"iss": "http://127.0.0.1:1"}, {"code": "made-up"},
                       {"error": "access_denied"}):
            thief = browser.copy()
            forged = urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode({**query, **change})))
            answer = thief.get(forged)
            self.assertGreaterEqual(answer.status, 400, (change, answer))
            self.unknown(thief)

    def test_logging_out_ends_the_session_here_and_at_the_provider(self):
        browser = self.scene.sign_in("leaver")
        thief = browser.copy()
        before = self.scene.idp_counts()["logouts"]
        page = browser.open("/logout")
        for _ in range(2):  # our own question, if there is one, and the provider's
            if "<form" in page.text:
                page = browser.submit(page)
        self.assertEqual(page.status, 200, page)
        self.assertTrue(page.url.startswith(self.scene.origin), page)
        self.assertEqual(self.scene.idp_counts()["logouts"], before + 1)
        self.unknown(thief)
        browser.route(("127.0.0.1", self.scene.port))
        self.assertIn("password", browser.open("/whoami").text)  # the provider asks again

    def test_a_signing_key_that_the_provider_rotated_in_is_accepted(self):
        self.scene.sign_in("before-rotation")
        # Once: an unknown key makes a node read the key set again, but not twice within its floor interval.
        kid = Browser(self.scene.idp_origin).request("POST", "/test/rotate-keys").json()["kid"]
        self.assertTrue(kid)
        for node in self.nodes:
            browser = self.scene.sign_in(f"rotation-{node.name}", self.scene.browser(node))
            self.known(browser, f"rotation-{node.name}")
