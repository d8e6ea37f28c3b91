"""The demo's page in a real browser."""
import json
import os
import unittest

from harness.cluster import PASSWORD
from harness.process import run_tool
from scene import HERE, Scene


class Page(unittest.TestCase):
    def test_a_person_logs_in_sees_every_node_and_logs_out_in_chromium(self):
        with Scene("haproxy", login="local") as scene:
            arguments = ["node", HERE / "page.js", scene.origin, "alice", PASSWORD]
            if os.environ.get("KITH_SCREENSHOT"):
                arguments.append(os.environ["KITH_SCREENSHOT"])
            told = json.loads(run_tool(arguments, timeout=120).splitlines()[-1])
            self.assertIn("alice", told["who"])
            self.assertEqual(told["nodes"], ["a", "b", "c"])
            self.assertTrue(told["httpOnly"])
            self.assertTrue(told["asksAgain"])
            self.assertEqual(told["problems"], [])
            self.assertIn("logged out", told["farewell"].lower())
            thief = scene.browser()
            for node in scene.cluster.nodes:
                thief.route(node.address)
                self.assertIn(thief.get("/whoami", headers={"Cookie": told["stolen"]}).status, (302, 303, 401))
