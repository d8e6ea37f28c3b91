"""Nobody logs in twice: many people, three nodes, real load balancers, nodes that die all the time."""
import os
import unittest

from crowd import run_crowd
from scene import Scene

FULL = bool(os.environ.get("KITH_E2E_FULL"))


class Crowd(unittest.TestCase):
    def crowd_behind(self, front, people, clicks):
        with Scene(front) as scene:
            books, problems = run_crowd(scene, people, clicks)
            print(f"           {books.summary()}", flush=True)
            try:
                self.assertEqual(books.forced, [])
                self.assertEqual(books.mistaken, [])
                self.assertEqual(books.broken(), [])
                self.assertEqual(problems, [])
                self.assertEqual(books.logins, people)
                self.assertGreaterEqual(len(books.kills), 2)
                self.assertEqual(set(books.nodes), {"a", "b", "c"})
                self.assertEqual(self.twice_forwarded(scene), [])
            except AssertionError:
                print(scene.run.tails(15), flush=True)
                raise

    def twice_forwarded(self, scene):
        return [line for node in scene.cluster.nodes for line in node.log_lines()
                if line.get("forwarded_to") and line.get("forwarded_by")]

    def test_behind_haproxy_nobody_logs_in_twice_while_nodes_are_killed(self):
        self.crowd_behind("haproxy", *((200, 50) if FULL else (60, 20)))

    def test_behind_nginx_nobody_logs_in_twice_while_nodes_are_killed(self):
        self.crowd_behind("nginx", *((200, 50) if FULL else (40, 15)))
