#!/usr/bin/env python3
"""The demo: three nodes, HAProxy in front, one login, any node answers, also after a kill -9.

Run through `./dev demo`. Each step of the story is checked; when one does not hold, the logs' ends
are shown and the exit status is 1.
"""
import argparse
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))

from harness import balancer, cluster, process  # noqa: E402
from harness.browser import Browser  # noqa: E402
from harness.process import Failure, wait_until  # noqa: E402

PEOPLE = {"alice": "wonderland", "bob": "builder"}


class Node(cluster.Node):
    """A node whose configuration is the demo's YAML file and whose environment tells it apart."""

    def write_config(self):
        pass  # examples/demo/kith.yaml, as it is


class Demo:
    def __init__(self, run, build, wished_port):
        self.run = run
        self.kith = build / "kith"
        self.prefix, self.lan = "", None
        self.port = run.ports.next(wished_port)
        self.app_port = run.ports.next()
        self.step_number = 0
        self.secrets = self._make_secrets()
        self.nodes = [Node(self, name) for name in "abc"]
        for node in self.nodes:
            node.config_file = HERE / "kith.yaml"
            node.process.argv[-1] = str(node.config_file)
            node.process.env.update({
                "DEMO_PORT": str(self.port), "DEMO_APP_PORT": str(self.app_port),
                "DEMO_HTTP_PORT": str(node.http_port), "DEMO_MEMBERSHIP_PORT": str(node.membership_port),
                "DEMO_DATA_PORT": str(node.data_port), "DEMO_NODE_KEY": str(node.key_file),
                **{f"DEMO_MEMBERSHIP_{one.name.upper()}": str(one.membership_port) for one in self.nodes}})
        self.a, self.b, self.c = self.nodes
        self.origin = f"http://localhost:{self.port}"
        self.app = run.process("demo-app", [build / "kith-demo-app", self.app_port])

    def _make_secrets(self):
        secrets = {"demo.psk": process.run_tool([self.kith, "keygen", "psk"]).strip()}
        for name, password in PEOPLE.items():
            secrets[f"demo.{name}"] = process.run_tool([self.kith, "hash-password"], password + "\n").strip()
        return secrets

    def browser(self, node=None):
        """Through the load balancer, or straight to one node, as a load balancer might choose."""
        return Browser(self.origin).route(node.address if node else ("127.0.0.1", self.port))

    # --- the terminal ---

    def step(self, text):
        self.step_number += 1
        print(f"\n {style('1;34', self.step_number)}  {style('1', text)}", flush=True)

    def done(self, text):
        print(f"    {style('32', chr(0x2713))} {text}", flush=True)

    # --- the story ---

    def tell(self):
        self.step("Three nodes start and form an encrypted mesh")
        self.app.start()
        for node in self.nodes:
            node.process.start()
        for node in self.nodes:
            node.wait_status("up")
            self.done(f"node {node.name}  http://127.0.0.1:{node.http_port}/status says up   (pid {node.process.pid})")
        balancer.haproxy(self.run, self.port, self.nodes)
        self.done(f"HAProxy sends {self.origin} to them, round robin, no affinity")

        self.step("Alice logs in once, on node a")
        alice = self.browser(self.a)
        page = alice.login("/", "alice", PEOPLE["alice"])
        expect(page.status == 200 and "alice" in page.text, f"the page for alice; got {page}\n{page.text[:400]}")
        cookies = alice.cookies.of("localhost")
        expect(cookies, "a session cookie")
        size = max(len(name) + len(value) + 1 for name, value in cookies.items())
        self.done(f"logged in; the cookie has {size} bytes and means nothing to anybody else")
        stranger = self.browser().get("/whoami")
        expect(stranger.status in (302, 303, 401), f"no page for a stranger; got {stranger}")
        self.done("without it, one is sent to log in")

        self.step("Every node knows her")
        alice.route(("127.0.0.1", self.port))
        self.served_by_all(alice, "abc")

        self.step(f"Node a, where she logged in, is killed:  kill -9 {self.a.process.pid}")
        self.a.kill()
        self.done("node a is gone")
        began = time.monotonic()
        while time.monotonic() - began < 2:
            expect(self.whoami(alice)["node"] in ("b", "c"), "an answer by a node that lives")
            time.sleep(0.05)
        self.served_by_all(alice, "bc")
        self.done("still logged in, no request failed")

        self.step("Node a comes back, and catches up before it takes part")
        self.a.process.start()
        self.a.wait_status("up")
        alice.route(self.a.address)
        expect(self.whoami(alice)["node"] == "a", "an answer by node a")
        alice.route(("127.0.0.1", self.port))
        self.done("node a, started from nothing, knows the session")
        self.served_by_all(alice, "abc")

        self.step("She logs out: everywhere, at once")
        thief = alice.copy()
        self.done("a copy of her cookie is kept, as a thief would have it")
        farewell = alice.open("/logout")
        if "<form" in farewell.text:
            farewell = alice.submit(farewell)
        expect(farewell.status == 200, f"a page after logging out; got {farewell}")
        for node in self.nodes:
            thief.route(node.address)
            answer = thief.get("/whoami")
            expect(answer.status in (302, 303, 401), f"node {node.name} to refuse the copied cookie; got {answer}")
            self.done(f"node {node.name} refuses the copied cookie")

    def whoami(self, browser):
        answer = browser.get("/whoami")
        expect(answer.status == 200, f"alice to be known; got {answer} {answer.header('Location', '')}")
        told = answer.json()
        expect(told["user"] == "alice", f"alice, not {told['user']!r}")
        return told

    def served_by_all(self, browser, names):
        seen = {}

        def all_seen():
            told = self.whoami(browser)
            seen[told["node"]] = seen.get(told["node"], 0) + 1
            return set(seen) >= set(names)
        wait_until(all_seen, 15, lambda: f"answers by nodes {', '.join(names)}; so far {seen}")
        counted = "  ".join(f"{name}: {count}" for name, count in sorted(seen.items()))
        self.done(f"{sum(seen.values())} requests through the load balancer were served by  {counted}")

    def play(self):
        print(f"""
 {style('1', 'Now you.')}  Open {style('1;4', self.origin)} and log in as alice ({PEOPLE['alice']}) or bob ({PEOPLE['bob']}).
    Kill a node (kill -9 {' | '.join(str(node.process.pid) for node in self.nodes)}) and click on. Ctrl-C ends everything.
    logs: {self.run.dir}/*.log""", flush=True)
        while True:
            time.sleep(0.5)
            for node in self.nodes:
                if not node.process.alive():
                    print(f"    node {node.name} died ({node.process.exit_code}); it will be back in 5 s", flush=True)
                    time.sleep(5)
                    node.process.start()
                    node.wait_status("up")
                    print(f"    node {node.name} is back and up (pid {node.process.pid})", flush=True)


def expect(condition, what):
    if not condition:
        raise Failure(f"expected {what}")


def style(code, text):
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else str(text)


def main():
    options = argparse.ArgumentParser(description="three nodes, one login, any node answers")
    options.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/release"), help="where the programs are")
    options.add_argument("--once", action="store_true", help="end after the story")
    options.add_argument("--port", type=int, default=8080, help="port of the load balancer, if free")
    chosen = options.parse_args()
    process.terminate_as_exit()
    with process.Run() as run:
        try:
            demo = Demo(run, chosen.bin.resolve(), chosen.port)
            demo.tell()
            print(f"\n {style('1;32', 'The story holds.')}", flush=True)
            if not chosen.once:
                demo.play()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # cleaning up is not to be interrupted
            print("\n ending everything")
        except Exception as problem:  # whatever it is, the logs tell more than a traceback
            print(f"\n {style('1;31', 'The story does not hold:')} {problem}\n\n{run.tails()}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
