"""The demo is the first thing that anybody runs."""
import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Demo(unittest.TestCase):
    def test_the_story_holds(self):
        done = subprocess.run([sys.executable, ROOT / "examples/demo/demo.py", "--bin", os.environ["KITH_BIN"], "--once"],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("The story holds.", done.stdout)
