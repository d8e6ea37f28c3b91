"""The ground of a test with real processes: a Run per class or per test, the programs, a whole cluster."""
import os
import pathlib
import unittest

from . import cluster, process, upstream
from .browser import Browser


def program(name="kith"):
    return pathlib.Path(os.environ["KITH_BIN"]) / name


class ProcessTest(unittest.TestCase):
    """Each test has an own Run: self.run_; nothing survives it."""

    def setUp(self):
        self.run_ = process.Run().__enter__()
        self.addCleanup(self.run_.close)

    def make_upstream(self):
        made = upstream.Upstream(self.run_.ports.next())
        self.addCleanup(made.close)
        return made

    def make_cluster(self, **options):
        options.setdefault("upstream", self.make_upstream().url)
        return cluster.Cluster(self.run_, program(), **options)

    def browser(self, made, node=None):
        browser = Browser(made.origin).route((node or made.nodes[0]).address)
        self.addCleanup(browser.close)
        return browser

    def login(self, made, node=None, user="alice", path="/echo"):
        """A browser that is logged in through the node; its requests go on going there."""
        browser = self.browser(made, node)
        page = browser.login(path, user, cluster.PASSWORD)
        self.assertEqual(page.status, 200, page.text[:500])
        self.assertEqual(seen_headers(page).get("x-user"), user)
        return browser

    def assert_known(self, browser, node, user="alice", path="/echo"):
        browser.route(node.address)
        answer = browser.get(path)
        self.assertEqual(answer.status, 200, f"{node}: {answer} {answer.header('Location', '')}")
        self.assertEqual(seen_headers(answer).get("x-user"), user)
        return answer

    def assert_unknown(self, browser, node, path="/echo"):
        browser.route(node.address)
        answer = browser.get(path)
        self.assertIn(answer.status, (302, 303, 401), f"{node}: {answer}")
        return answer


class SharedClusterTest(ProcessTest):
    """All tests of a class share one running cluster, self.cluster, and one application."""
    cluster_options = {}

    @classmethod
    def setUpClass(cls):
        cls.run_ = process.Run().__enter__()
        cls.addClassCleanup(cls.run_.close)
        cls.upstream = upstream.Upstream(cls.run_.ports.next())
        cls.addClassCleanup(cls.upstream.close)
        cls.cluster = cluster.Cluster(cls.run_, program(), upstream=cls.upstream.url, **cls.cluster_options)
        try:
            cls.cluster.start()
        except process.Failure as problem:
            raise AssertionError(f"{problem}\n{cls.run_.tails()}") from None

    def setUp(self):
        pass


def seen_headers(answer):
    """The headers that /echo saw, names in lower case."""
    return {name.lower(): value for name, value in answer.json()["headers"]}
