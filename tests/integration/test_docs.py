"""What the documentation shows works as it is shown."""
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from harness.cluster import new_psk, password_hash
from harness.testing import program

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Documentation(unittest.TestCase):
    def validate(self, path):
        text = path.read_text()
        env = {"PATH": "/usr/bin:/bin", "KITH_SECRET_PROVIDER": "env://", "NODE_IP": "10.0.0.1"}
        for variable in re.findall(r"{{ *env\.(DEMO_\w+) *}}", text):
            env[variable] = "/tmp/none.key" if variable.endswith("KEY") else str(20000 + len(env))
        for secret in re.findall(r"<([\w.-]+)>", text):
            value = new_psk() if "psk" in secret else password_hash("x") if secret.startswith("demo.") else "secret"
            env["KITH_SECRET_" + re.sub(r"\W", "_", secret).upper()] = value
        for cert, key in re.findall(r"certFile: ([\w.-]+), keyFile: ([\w.-]+)", text):  # relative to the file
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-subj", "/CN=localhost", "-keyout", path.parent / key, "-out", path.parent / cert],
                           check=True, capture_output=True)
        done = subprocess.run([program(), "validate", "-c", path], env=env, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, f"{path}\n{done.stdout}{done.stderr}")

    def test_every_example_configuration_is_valid(self):
        paths = sorted((ROOT / "examples").glob("**/*.yaml"))
        self.assertGreaterEqual(len(paths), 2)
        for path in paths:
            self.validate(path)

    def test_every_whole_configuration_in_the_documentation_is_valid(self):
        found = 0
        with tempfile.TemporaryDirectory() as folder:
            for name in ("front.crt", "front.key"):  # files that the pages name
                shutil.copy(ROOT / "tests" / "config" / "tls" / name, folder)
            (pathlib.Path(folder) / "front.key").chmod(0o600)
            for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]:
                for number, block in enumerate(re.findall(r"```yaml\n(version:.*?)```", page.read_text(), re.S)):
                    path = pathlib.Path(folder) / f"{page.stem}-{number}.yaml"
                    path.write_text(block)
                    self.validate(path)
                    found += 1
        self.assertGreaterEqual(found, 1)

    def test_the_steps_of_the_readme_work_as_they_are_written(self):
        page = (ROOT / "README.md").read_text()
        steps = re.search(r"```sh\n(umask.*?)```", page, re.S).group(1)
        running = ("kith run", "kith members")  # the node, and what asks it
        steps = "".join(line for line in steps.splitlines(True) if not line.startswith(running))
        self.assertIn("kith validate", steps)
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "kith.yaml").write_text(re.search(r"```yaml\n(version:.*?)```", page, re.S).group(1))
            env = {"PATH": f"{program().parent.resolve()}:/usr/bin:/bin", "CLIENT_SECRET": "from the provider"}
            done = subprocess.run(["sh", "-e", "-c", steps], cwd=folder, env=env, capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stdout), (0, "configuration is valid\n"), done.stderr)

    def test_links_between_pages_lead_somewhere(self):
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]:
            for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
                self.assertTrue((page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}")
