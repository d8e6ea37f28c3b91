"""The program as an operator meets it: command line, sources of the configuration, secrets, problems."""
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import unittest

from harness.cluster import new_psk
from harness.process import wait_until
from harness.testing import ProcessTest, program

SMALL = """\
version: "1"
http: { address: 127.0.0.1:%d }
apps:
  - name: app
    type: proxy
    routePatterns: ["/"]
    upstream: http://127.0.0.1:9
    policies: [ { location: /, authentication: { allowUnauthenticated: true }, authorization: { allowAll: true } } ]
"""


def run(*arguments, text=None, env=None, clean=True):
    base = {key: value for key, value in os.environ.items() if not key.startswith(("KITH_", "MAVERICS_"))}
    return subprocess.run([str(program()), *map(str, arguments)], input=text or "", capture_output=True, text=True,
                          timeout=30, env={**base, **(env or {})})


class CommandLine(unittest.TestCase):
    def test_help_goes_to_standard_output_with_status_0(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        for word in ("run", "validate", "config", "keygen"):
            self.assertIn(word, done.stdout)

    def test_the_version_is_told(self):
        done = run("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"\d+\.\d+\.\d+")

    def test_wrong_usage_is_status_2_with_words_on_standard_error(self):
        for arguments in (["frobnicate"], ["run", "--nonsense"], ["keygen", "banana"]):
            done = run(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertTrue(done.stderr)

    def test_a_psk_is_32_random_bytes_as_hex(self):
        made = {run("keygen", "psk").stdout.strip() for _ in range(3)}
        self.assertEqual(len(made), 3)
        for one in made:
            self.assertRegex(one, r"^[0-9a-f]{64}$")

    def test_a_password_is_hashed_from_standard_input(self):
        done = run("hash-password", text="secret words\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout.strip(), r"^\$scrypt\$ln=\d+,r=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$")
        self.assertNotIn("secret words", done.stdout + done.stderr)

    def test_the_schema_is_json_and_knows_the_top_level_keys(self):
        schema = json.loads(run("config", "schema").stdout)
        for key in ("version", "features", "http", "tls", "health", "logger", "session", "singleLogout",
                    "clusters", "connectors", "apps"):
            self.assertIn(key, schema["properties"])


class Validation(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def validate(self, text, name="kith.yaml", **options):
        path = self.folder / name
        path.write_text(text)
        return run("validate", "-c", path, **options)

    def test_a_good_file_is_status_0(self):
        done = self.validate(SMALL % 9443)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_problem_is_told_at_once_with_line_and_column(self):
        done = self.validate("""\
version: "1"
http:
  adress: 127.0.0.1:9443
  readTimeoutSeconds: many
session:
  cookie: { name: "bad name" }
  lifetime: { maxTimeout: 5 parsecs }
clusters:
  - addresses: { membership: /ip4/300.1.1.1/tcp/9450, data: /udp/9451 }
features: { experimental.clusters: true }
apps:
  - name: app
    type: proxy
    upstream: ftp://nowhere
""")
        self.assertEqual(done.returncode, 1)
        told = done.stdout + done.stderr
        for line, word in ((3, "adress"), (4, "readTimeoutSeconds"), (6, "name"), (7, "maxTimeout"), (9, "membership"),
                           (9, "data"), (14, "upstream")):
            self.assertRegex(told, rf"kith\.yaml:{line}:\d+.*{word}", told)
        self.assertRegex(told, "address", "the nearest known key")

    def test_broken_files_are_refused_with_a_place_and_never_a_crash(self):
        broken = {
            "not yaml": "a: [1, 2\nb: }",
            "a list": "- 1\n- 2\n",
            "duplicate key": "version: 1\nversion: 2\n",
            "tabs": "http:\n\taddress: x\n",
            "deep": "a: " + "[" * 5000,
            "alias": "a: &x [1]\nb: *x\n",
            "binary": "\x01\x02\x03: 1\n",
            "wrong type": "http: []\n",
            "long key": "x" * 100_000 + ": 1\n",
            "bad port": "http: { address: '1.2.3.4:99999' }\n",
            "unknown profile": "http: { tls: nowhere }\n",
            "unknown cluster": "features: { experimental.clusters: true }\nsession: { store: { type: cluster, cluster: { name: x } } }\n",
            "old TLS": "tls: { front: { minVersion: '1.0' } }\n",
            "no upstream": "apps: [ { name: x, type: proxy, routePatterns: ['/'] } ]\n",
            "odd app": "apps: [ { name: x, type: banana } ]\n",
            "unknown idp": "apps: [ { name: x, type: proxy, routePatterns: ['/'], upstream: 'http://h', policies: [ { location: /, authentication: { idps: [ghost] } } ] } ]\n",
            "bad regex": "apps: [ { name: x, type: proxy, routePatterns: ['/'], upstream: 'http://h', policies: [ { location: '~ (', authorization: { allowAll: true } } ] } ]\n",
            "bad psk": "features: { experimental.clusters: true }\nclusters: [ { name: c, addresses: { membership: /ip4/127.0.0.1/tcp/1, data: /ip4/127.0.0.1/tcp/2 }, discovery: { method: static }, encryption: { psk: short } } ]\n",
            "negative": "health: { heartbeat: { interval: -5s } }\n",
            "bad level": "logger: { level: loud }\n",
        }
        for name, text in broken.items():
            done = self.validate(text)
            self.assertEqual(done.returncode, 1, f"{name}: {done.stdout}{done.stderr}")
            self.assertRegex(done.stdout + done.stderr, r"kith\.yaml:\d+:\d+", name)

    def test_a_missing_file_is_status_1_and_names_the_file(self):
        done = run("validate", "-c", self.folder / "ghost.yaml")
        self.assertEqual(done.returncode, 1)
        self.assertIn("ghost.yaml", done.stdout + done.stderr)

    def test_an_unresolved_secret_is_a_problem_and_its_value_never_shown(self):
        text = SMALL % 9443 + "connectors: [ { name: p, type: local, enabled: true, users: [ { username: u, passwordHash: <ghost> } ] } ]\n"
        done = self.validate(text)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ghost", done.stdout + done.stderr)
        secrets = self.folder / "secrets.yaml"
        secrets.write_text("secrets: { ghost: not-a-hash-but-secret }\n")
        secrets.chmod(0o600)
        done = self.validate(text, env={"KITH_SECRET_PROVIDER": f"secretfile://{secrets}"})
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("not-a-hash-but-secret", done.stdout + done.stderr)


class Sources(ProcessTest):
    """Where the configuration comes from."""

    def started(self, arguments, env):
        port = self.run_.ports.next()
        self.config = self.run_.path("kith.yaml", SMALL % port)
        process = self.run_.process("kith", [program(), *[str(one).replace("CONFIG", str(self.config)) for one in arguments]],
                                    env={key: value.replace("CONFIG", str(self.config)) for key, value in env.items()})
        process.start()

        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return not process.alive()
        wait_until(answers, 20, "a listener")
        self.assertTrue(process.alive(), process.tail())
        return process

    def test_run_with_a_file(self):
        self.started(["run", "-c", "CONFIG"], {})

    def test_the_drop_in_forms(self):
        self.started(["-config", "CONFIG"], {}).stop()
        self.started([], {"KITH_CONFIG": "CONFIG"}).stop()
        self.started([], {"MAVERICS_CONFIG": "CONFIG"}).stop()

    def test_two_sources_are_refused(self):
        path = self.run_.path("one.yaml", SMALL % self.run_.ports.next())
        done = run(env={"KITH_CONFIG": str(path), "MAVERICS_CONFIG": str(path)})
        self.assertEqual(done.returncode, 1)
        self.assertIn("multiple config", (done.stdout + done.stderr).lower())

    def test_the_environment_is_substituted(self):
        port = self.run_.ports.next()
        path = self.run_.path("env.yaml", (SMALL % 1).replace("127.0.0.1:1 ", "'127.0.0.1:{{ env.TEST_PORT }}' "))
        process = self.run_.process("kith-env", [program(), "run", "-c", path], env={"TEST_PORT": str(port)}).start()
        wait_until(lambda: _listens(port) or not process.alive(), 20, "a listener")
        self.assertTrue(process.alive(), process.tail())

    def test_a_port_in_use_ends_the_program_with_words(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            path = self.run_.path("taken.yaml", SMALL % taken.getsockname()[1])
            done = run("run", "-c", path)
        self.assertEqual(done.returncode, 1)
        self.assertRegex((done.stdout + done.stderr).lower(), "in use")

    def test_every_secret_provider_gives_the_psk(self):
        folder = self.run_.dir
        psk = new_psk()
        self.run_.path("psk.yaml", json.dumps({"secrets": {"psk": psk}}), 0o600)
        self.run_.path("psk", psk, 0o600)
        providers = [({"KITH_SECRET_PROVIDER": f"secretfile://{folder}/psk.yaml"}, []),
                     ({"MAVERICS_SECRET_PROVIDER": f"secretfile://{folder}/psk.yaml"}, []),
                     ({"KITH_SECRET_PROVIDER": "env://", "KITH_SECRET_PSK": psk}, []),
                     ({"KITH_SECRET_PROVIDER": "credentials://", "CREDENTIALS_DIRECTORY": str(folder)}, []),
                     ({}, ["-secretProvider", f"secretfile://{folder}/psk.yaml"])]
        text = SMALL % self.run_.ports.next() + """\
features: { experimental.clusters: true }
clusters:
  - name: c
    addresses: { membership: /ip4/127.0.0.1/tcp/9450, data: /ip4/127.0.0.1/tcp/9451 }
    discovery: { method: static, static: { nodes: [ { endpoints: { membership: /ip4/127.0.0.1/tcp/9450 } } ] } }
    encryption: { psk: <psk> }
"""
        path = self.run_.path("psk-config.yaml", text)
        for env, flags in providers:
            done = run("validate", "-c", path, *flags, env=env)
            self.assertEqual(done.returncode, 0, f"{env} {flags}: {done.stdout}{done.stderr}")
            self.assertFalse(re.search(psk, done.stdout + done.stderr))


def _listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
