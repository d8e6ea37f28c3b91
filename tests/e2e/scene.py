"""What the end-to-end tests share: three nodes, a load balancer, an identity provider, the demo application."""
import json
import pathlib

from harness import balancer
from harness.browser import Browser
from harness.cluster import PASSWORD, Cluster, local_users
from harness.process import Run, wait_until
from harness.testing import program

HERE = pathlib.Path(__file__).resolve().parent
SECRET = "s3cret-for-tests-only-" * 2


class Scene:
    """with Scene("haproxy") as scene: ... scene.browser() goes through the load balancer."""

    def __init__(self, front="haproxy", login="oidc", upstream=None):
        self.front, self.login_with, self.upstream = front, login, upstream

    def __enter__(self):
        self.run = Run().__enter__()
        try:
            self._start()
        except BaseException:
            print(self.run.tails(), flush=True)
            self.run.close()
            raise
        return self

    def __exit__(self, *problem):
        self.run.close()

    def _start(self):
        ports = self.run.ports
        self.port, self.idp_port, app_port = ports.next(), ports.next(), ports.next()
        self.origin = f"http://localhost:{self.port}"
        self.idp_origin = f"http://127.0.0.1:{self.idp_port}"
        self.idp = None
        if self.login_with == "oidc":
            self._start_idp()
        self.app = self.run.process("demo-app", [program("kith-demo-app"), app_port]).start()
        self.cluster = Cluster(self.run, program(), upstream=self.upstream or f"http://127.0.0.1:{app_port}",
                               origin=self.origin, connectors=[self._connector()], customize=self._customize,
                               secrets={"idp.client-secret": SECRET})
        self.cluster.start()
        front = {"haproxy": balancer.haproxy, "nginx": balancer.nginx}[self.front]
        self.balancer = front(self.run, self.port, self.cluster.nodes)

    def _start_idp(self):
        clients = self.run.path("clients.json", json.dumps([{
            "client_id": "kith", "client_secret": SECRET,
            "redirect_uris": [f"{self.origin}/oidc/callback"],
            "post_logout_redirect_uris": [f"{self.origin}/oidc/logged-out"],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]}]))
        self.idp = self.run.process("idp", ["node", HERE / "idp.js", self.idp_port, clients], cwd=HERE).start()
        wait_until(lambda: "listening" in self.idp.log_text() or not self.idp.alive(), 30, self.idp.tail)

    def _connector(self):
        if self.login_with == "local":
            return {"name": "local", "type": "local", "enabled": True, "users": local_users(["alice", "bob"])}
        return {"name": "corp", "type": "oidc",
                "oidcWellKnownURL": f"{self.idp_origin}/.well-known/openid-configuration",
                "oauthClientID": "kith", "oauthClientSecret": "<idp.client-secret>",
                "oauthLoginRedirect": {"urls": [f"{self.origin}/oidc/callback"]},
                "oauthLogoutRedirect": {"urls": [f"{self.origin}/oidc/logged-out"]},
                "scopes": "openid profile email"}

    def _customize(self, config, _):
        app = config["apps"][0]
        name = config["connectors"][0]["name"]
        app["headers"].append({"name": "X-Name", "value": "{{ %s.name }}" % name})
        config["http"]["trustedProxies"] = ["127.0.0.1"]

    def browser(self, node=None):
        """Through the load balancer, or (as one would choose) straight to a node."""
        return Browser(self.origin).route(node.address if node else ("127.0.0.1", self.port))

    def sign_in(self, name, browser=None, path="/whoami"):
        browser = browser or self.browser()
        page = browser.login(path, name, PASSWORD)
        if page.status != 200:
            raise AssertionError(f"{name} could not sign in: {page}\n{page.text[:400]}")
        return browser

    def idp_counts(self):
        return Browser(self.idp_origin).get("/test/counts").json()
