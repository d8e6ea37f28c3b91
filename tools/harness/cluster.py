"""kith nodes as processes: configuration files, start and stop, what /status says, what the logs say."""
import base64
import copy
import hashlib
import http.client
import json
import os
import signal
import subprocess

from .process import Failure, wait_until

PASSWORD = "correct horse battery"


def password_hash(password, ln=10):
    """The form `kith hash-password` prints, but cheap (N = 2^10), so that hundreds of logins cost little."""
    salt = os.urandom(16)
    key = hashlib.scrypt(password.encode(), salt=salt, n=1 << ln, r=8, p=1, dklen=32, maxmem=1 << 26)
    text = [base64.b64encode(part).decode().rstrip("=") for part in (salt, key)]
    return f"$scrypt$ln={ln},r=8,p=1${text[0]}${text[1]}"


def new_psk():
    return os.urandom(32).hex()


def local_users(names, password=PASSWORD):
    shared = password_hash(password)
    return [{"username": name, "passwordHash": shared,
             "claims": {"email": f"{name}@example.test", "name": name.capitalize()}} for name in names]


class Node:
    def __init__(self, cluster, name):
        ports = cluster.run.ports
        self.cluster, self.name = cluster, name
        self.http_port, self.membership_port, self.data_port = ports.next(), ports.next(), ports.next()
        self.secret_file = cluster.run.path(f"{cluster.prefix}{name}-secrets.yaml")
        self.set_secrets(cluster.secrets)
        self.key_file = cluster.run.dir / f"{cluster.prefix}{name}.key"
        self.config_file = cluster.run.dir / f"{cluster.prefix}{name}.yaml"
        self.host = cluster.lan.address(name) if cluster.lan else "127.0.0.1"
        command = [cluster.kith, "run", "-c", self.config_file]
        self.process = cluster.run.process(
            f"{cluster.prefix}{name}", cluster.lan.command(name, command) if cluster.lan else command,
            env={"KITH_NODE_NAME": name, "KITH_SECRET_PROVIDER": f"secretfile://{self.secret_file}"})

    @property
    def address(self):
        return (self.host, self.http_port)

    @property
    def membership(self):
        return f"/ip4/{self.host}/tcp/{self.membership_port}"

    @property
    def data(self):
        return f"/ip4/{self.host}/tcp/{self.data_port}"

    def write_config(self):
        """YAML is a superset of JSON, and JSON is what Python writes."""
        self.config_file.write_text(json.dumps(self.cluster.config_of(self), indent=2) + "\n")

    def set_secrets(self, secrets):
        """In one step, as a tool that cares does it; a running node notices."""
        new = self.secret_file.with_suffix(".new")
        new.write_text(json.dumps({"secrets": secrets}))
        new.chmod(0o600)
        new.replace(self.secret_file)

    def start(self, ready=True, timeout=30):
        self.write_config()
        self.process.start()
        if ready:
            self.wait_status("up", timeout)
        return self

    def status(self):
        """(HTTP status, state), or (0, "") when nobody listens."""
        try:
            connection = http.client.HTTPConnection(*self.address, timeout=5)
            connection.request("GET", "/status")
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, json.loads(body).get("status", "")
        except (OSError, ValueError, http.client.HTTPException):
            return 0, ""

    def members(self):
        """What `kith members` tells of the first cluster; {} when the node does not answer."""
        done = subprocess.run([str(self.cluster.kith), "members", "-c", str(self.config_file), "-o", "json"],
                              capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout)["clusters"][0] if done.returncode == 0 else {}

    def wait_status(self, state, timeout=30):
        def reached():
            if not self.process.alive() and state:
                raise Failure(f"node {self.name} ended with {self.process.exit_code}\n{self.process.tail()}")
            return self.status()[1] == state
        wait_until(reached, timeout, lambda: f"node {self.name} {state!r}; it says {self.status()}\n"
                   f"{self.process.tail()}")
        return self

    def kill(self):
        self.process.kill()

    def stop(self, timeout=30):
        return self.process.stop(timeout)

    def terminate(self):
        self.process.signal(signal.SIGTERM)

    def log_lines(self):
        """The log's lines as dictionaries (logger.jsonOutput is on); other lines as {"msg": line}."""
        lines = []
        for line in self.process.log_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"msg": line})
        return lines

    def find_log(self, *words):
        """Log lines that contain all the words, in any case."""
        return [line for line in self.process.log_text().splitlines()
                if all(word.lower() in line.lower() for word in words)]

    def wait_log(self, *words, timeout=20):
        return wait_until(lambda: self.find_log(*words), timeout,
                          lambda: f"a line with {words} in the log of {self.name}\n{self.process.tail()}")

    def __repr__(self):
        return f"<node {self.name} :{self.http_port}>"


class Cluster:
    """`customize(config, node)` may change each node's configuration before it is written. With a netns.Lan
    each node is a host of it."""

    def __init__(self, run, kith, names=("a", "b", "c"), upstream="http://127.0.0.1:9", origin=None,
                 connectors=None, customize=None, prefix="", secrets=None, lan=None):
        self.run, self.kith, self.prefix, self.lan = run, kith, prefix, lan
        self.upstream = upstream
        self.origin = origin or "http://localhost:8080"
        self.customize = customize
        self.secrets = {"mesh-psk": new_psk(), **(secrets or {})}
        self.connectors = connectors or [{"name": "local", "type": "local", "enabled": True,
                                          "users": local_users(["alice", "bob"])}]
        self.nodes = [Node(self, name) for name in names]

    def __getattr__(self, name):
        for node in self.__dict__.get("nodes", []):
            if node.name == name:
                return node
        raise AttributeError(name)

    def config_of(self, node):
        connector = self.connectors[0]["name"]
        config = {
            "version": "1",
            "features": {"experimental.clusters": True},
            "http": {"address": f"{node.host}:{node.http_port}",
                     "routing": {"enabled": True, "type": "cluster", "cluster": {"name": "main"}}},
            "logger": {"level": "info", "jsonOutput": True},
            "session": {"cookie": {"disableSecure": True},
                        "store": {"type": "cluster", "cluster": {"name": "main"}}},
            "singleLogout": {"logoutURL": f"{self.origin}/logout"},
            "clusters": [{
                "name": "main",
                "addresses": {"membership": node.membership, "data": node.data},
                "discovery": {"method": "static", "static": {"nodes": [
                    {"endpoints": {"membership": peer.membership}} for peer in self.nodes]}},
                "encryption": {"psk": "<mesh-psk>", "nodeKey": {"file": str(node.key_file)}},
            }],
            "connectors": copy.deepcopy(self.connectors),
            "apps": [{
                "name": "app", "type": "proxy", "routePatterns": ["/"], "upstream": self.upstream,
                "headers": [{"name": "X-User", "value": "{{ %s.sub }}" % connector},
                            {"name": "X-Email", "value": "{{ %s.email }}" % connector}],
                "policies": [
                    {"location": "/public", "authentication": {"allowUnauthenticated": True},
                     "authorization": {"allowAll": True}},
                    {"location": "/", "authentication": {"idps": [connector]},
                     "authorization": {"allowAll": True}},
                ],
            }],
        }
        if self.customize:
            self.customize(config, node)
        return config

    def start(self, timeout=40):
        for node in self.nodes:
            node.start(ready=False)
        for node in self.nodes:
            node.wait_status("up", timeout)
        return self

    def stop(self):
        for node in self.nodes:
            node.process.kill()
