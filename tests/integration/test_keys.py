"""What the keys of the configuration do, seen from outside. Their wrong values: test_program.py, and the
unit tests of the room app."""
import contextlib
import http.client
import json
import socket
import ssl
import time

from harness.browser import Browser
from harness.cluster import PASSWORD, local_users
from harness.process import run_tool, wait_until
from harness.testing import ProcessTest, seen_headers

OPEN = {"authentication": {"allowUnauthenticated": True}, "authorization": {"allowAll": True}}
INSIDE = {"authentication": {"idps": ["local"]}, "authorization": {"allowAll": True}}


class KeyTest(ProcessTest):
    def node(self, change=lambda config: None, env=None):
        """One node without a cluster."""
        def customize(config, _):
            config["features"] = {}
            config["clusters"] = []
            config["http"].pop("routing")
            config["session"]["store"] = {"type": "local"}
            change(config)
        self.count = getattr(self, "count", 0) + 1
        self.cluster = self.make_cluster(names=("a",), customize=customize, prefix=f"{self.count}-")
        node = self.cluster.nodes[0]
        node.process.env.update(env or {})
        return node

    def raw(self, node, sent, timeout=15):
        """Sends bytes; (all that came back, seconds until the end)."""
        began = time.monotonic()
        with socket.create_connection(node.address, timeout) as connection:
            connection.sendall(sent)
            received = b""
            try:
                while piece := connection.recv(65536):
                    received += piece
            except ConnectionResetError:
                pass
        return received, time.monotonic() - began


class Http(KeyTest):
    def test_http_read_header_timeout_ends_a_head_that_does_not_come(self):
        node = self.node(lambda config: config["http"].update({"readHeaderTimeoutSeconds": 1})).start()
        received, seconds = self.raw(node, b"GET / HTTP/1.1\r\nHost: x\r\n")
        self.assertNotIn(b" 200 ", received)
        self.assertLess(seconds, 5)

    def test_http_read_timeout_ends_a_body_that_does_not_come(self):
        node = self.node(lambda config: config["http"].update({"readTimeoutSeconds": 1})).start()
        received, seconds = self.raw(
            node, b"POST /public/echo HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 100\r\n\r\nhalf")
        self.assertNotIn(b" 200 ", received)
        self.assertLess(seconds, 8)

    def test_http_limits_connections_are_of_the_whole_process(self):
        node = self.node(lambda config: config["http"].update({"limits": {"connections": 10}})).start()
        with contextlib.ExitStack() as stack:
            open_ones = [stack.enter_context(socket.create_connection(node.address, 10)) for _ in range(40)]
            served = 0
            for one in open_ones:
                try:
                    one.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    served += one.recv(12) == b"HTTP/1.1 200"
                except OSError:
                    pass  # closed by the node
            self.assertGreaterEqual(served, 1)
            self.assertLessEqual(served, 10)

    def test_http_idle_timeout_ends_a_connection_between_requests(self):
        node = self.node(lambda config: config["http"].update({"idleTimeoutSeconds": 1})).start()
        received, seconds = self.raw(node, b"GET /public/echo HTTP/1.1\r\nHost: localhost:8080\r\n\r\n")
        self.assertIn(b" 200 ", received)
        self.assertLess(seconds, 6)

    def test_http_write_timeout_ends_a_client_that_does_not_read(self):
        node = self.node(lambda config: config["http"].update({"writeTimeoutSeconds": 1})).start()
        with socket.create_connection(node.address, 30) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(b"GET /public/download?n=100000000 HTTP/1.1\r\nHost: localhost:8080\r\n\r\n")
            line = wait_until(lambda: [line for line in node.log_lines() if line.get("path") == "/public/download"],
                              10, "the end of the request, which the access log tells")[0]
        self.assertLess(line["bytes_out"], 100_000_000)

    def test_http_limits(self):
        node = self.node(lambda config: config["http"].update({"limits": {"headBytes": 2048, "headers": 20}})).start()
        head = b"GET /public/echo HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n"
        self.assertIn(b" 200 ", self.raw(node, head + b"X-A: 1\r\n\r\n")[0])
        self.assertIn(b" 431 ", self.raw(node, head + b"X-A: " + b"x" * 4000 + b"\r\n\r\n")[0])
        self.assertIn(b" 431 ", self.raw(node, head + b"".join(b"X-%d: 1\r\n" % n for n in range(30)) + b"\r\n")[0])

    def test_http_access_log_has_a_line_for_each_request_and_can_be_switched_off(self):
        node = self.node().start()
        self.browser(self.cluster).get("/public/echo?secret=in-the-query")
        wait_until(lambda: [line for line in node.log_lines() if line.get("path") == "/public/echo"
                            and line.get("status") == 200 and line.get("served_by") == "a"], 5, node.process.tail)
        self.assertNotIn("in-the-query", node.process.log_text())

        node = self.node(lambda config: config["http"].update({"accessLog": {"disabled": True}})).start()
        self.browser(self.cluster).get("/public/echo")
        node.stop()
        self.assertFalse([line for line in node.log_lines() if line.get("path") == "/public/echo"])

    def test_http_access_log_level_below_the_loggers_level_says_nothing(self):
        node = self.node(lambda config: config["http"].update({"accessLog": {"level": "debug"}})).start()
        self.browser(self.cluster).get("/public/echo")
        node.stop()
        self.assertFalse([line for line in node.log_lines() if line.get("path") == "/public/echo"])

    def test_the_http_address_in_the_environment_wins(self):
        port = self.run_.ports.next()
        node = self.node(env={"KITH_HTTP_ADDRESS": f"127.0.0.1:{port}"})
        node.http_port, written = port, node.http_port
        node.write_config()
        node.config_file.write_text(node.config_file.read_text().replace(str(port), str(written)))
        node.process.start()
        node.wait_status("up")


class Tls(KeyTest):
    def certificates(self):
        folder = self.run_.dir

        def make(name, *more):
            run_tool(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509",
                      "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                      "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt", *more])
        make("server")
        make("client")
        return folder

    def handshake(self, node, version=None, certificate=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.run_.dir / "server.crt")
        if version:
            context.minimum_version = context.maximum_version = version
        if certificate:
            context.load_cert_chain(self.run_.dir / f"{certificate}.crt", self.run_.dir / f"{certificate}.key")
        connection = http.client.HTTPSConnection("localhost", node.http_port, context=context, timeout=10)
        try:
            connection.request("GET", "/public/echo", headers={"Host": "localhost:8080"})
            return connection.getresponse().status
        except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
            return "refused"
        finally:
            connection.close()

    def serving(self, **profile):
        folder = self.certificates()

        def change(config):
            config["http"]["tls"] = "front"
            config["tls"] = {"front": {"certFile": str(folder / "server.crt"), "keyFile": str(folder / "server.key"),
                                       **{key: str(folder / value) if value == "client.crt" else value
                                          for key, value in profile.items()}}}
            if "clientCAFiles" in profile:
                config["tls"]["front"]["clientCAFiles"] = [str(folder / "client.crt")]
        node = self.node(change).start(ready=False)
        wait_until(lambda: socket.socket().connect_ex(node.address) == 0 or not node.process.alive(), 15, "a listener")
        wait_until(lambda: self.handshake(node, certificate="client") == 200 or not node.process.alive(), 15,
                   node.process.tail)
        return node

    def test_a_profile_serves_tls_1_2_and_1_3(self):
        node = self.serving()
        self.assertEqual(self.handshake(node, ssl.TLSVersion.TLSv1_2), 200)
        self.assertEqual(self.handshake(node, ssl.TLSVersion.TLSv1_3), 200)

    def test_min_version_1_3_refuses_1_2(self):
        node = self.serving(minVersion="1.3")
        self.assertEqual(self.handshake(node, ssl.TLSVersion.TLSv1_2), "refused")
        self.assertEqual(self.handshake(node, ssl.TLSVersion.TLSv1_3), 200)

    def test_client_certificates_can_be_required(self):
        node = self.serving(clientAuth="RequireAndVerifyClientCert", clientCAFiles=True)
        self.assertEqual(self.handshake(node, certificate="client"), 200)
        self.assertEqual(self.handshake(node), "refused")
        self.assertEqual(self.handshake(node, certificate="server"), "refused")

    def test_an_https_upstream_is_verified_with_its_profile(self):
        folder = self.certificates()
        self.upstream_tls = self.make_upstream()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        server = self.upstream_tls._server
        server.socket = context.wrap_socket(server.socket, server_side=True)

        def change(config):
            config["tls"] = {"trusting": {"caFile": str(folder / "server.crt")}, "wary": {"caFile": str(folder / "client.crt")}}
            url = f"https://localhost:{server.server_port}"
            config["apps"] = [
                {"name": name, "type": "proxy", "routePatterns": [f"/{name}"], "upstream": url, "tls": name,
                 "policies": [{"location": "/", **OPEN}]} for name in ("trusting", "wary")]
        self.node(change).start()
        browser = self.browser(self.cluster)
        self.assertEqual(browser.get("/trusting").status, 200)
        self.assertEqual(browser.get("/wary").status, 502)


class Health(KeyTest):
    def test_health_location_moves_the_status(self):
        node = self.node(lambda config: config["health"].update({"location": "/livez"})
                         if "health" in config else config.update({"health": {"location": "/livez"}})).start(ready=False)
        browser = self.browser(self.cluster)

        def up():
            try:
                return browser.get("/livez").status == 200
            except OSError:
                return False
        wait_until(up, 15, node.process.tail)
        self.assertEqual(browser.get("/livez").json(), {"status": "up"})
        self.assertNotEqual(browser.get("/status").text.strip(), '{"status":"up"}')

    def test_the_heartbeat_beats_at_its_interval_or_not_at_all(self):
        node = self.node(lambda config: config.update({"health": {"heartbeat": {"interval": "1s"}},
                                                       "version": "7.1-blue"})).start()
        self.assertIn('"config_version":"7.1-blue"', node.wait_log("heartbeat")[0])
        wait_until(lambda: len(node.find_log("heartbeat")) >= 3, 15, "three heartbeats")
        quiet = self.node(lambda config: config.update({"health": {"heartbeat": {"interval": "1s", "disabled": True}}}))
        quiet.start()
        time.sleep(2.5)
        self.assertEqual(quiet.find_log("heartbeat"), [])


class Logger(KeyTest):
    def test_logger_level_and_form(self):
        node = self.node(lambda config: config.update({"logger": {"level": "error"}})).start()
        node.stop()
        self.assertEqual(node.process.log_text(), "")
        node = self.node(lambda config: config.update({"logger": {"jsonOutput": False}})).start()
        wait_until(lambda: "level=info" in node.process.log_text(), 5, node.process.tail)
        node = self.node(lambda config: config.update({"logger": {"jsonOutput": True, "timeFormat": "DateOnly"}})).start()
        wait_until(lambda: node.process.log_text(), 5, "a line")
        for line in node.process.log_text().splitlines():
            self.assertIn(time.strftime("%Y-%m-"), str(json.loads(line)))


class Sessions(KeyTest):
    def cookie_of(self, change):
        self.node(change).start()
        browser = self.browser(self.cluster)
        action, method, fields = browser.open("/echo").form()
        answer = browser.request(method, action, body={**fields, "username": "alice", "password": PASSWORD})
        lines = [value for name, value in answer.headers if name.lower() == "set-cookie"]
        return max(lines, key=len)

    def test_the_cookie_is_hardened_by_default(self):
        line = self.cookie_of(lambda config: config["session"].pop("cookie"))
        self.assertTrue(line.startswith("__Host-kith_session="), line)
        for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            self.assertIn(word, line)
        for word in ("Domain", "Max-Age", "Expires"):
            self.assertNotIn(word, line)

    def test_the_cookies_name_domain_and_attributes_can_be_set(self):
        line = self.cookie_of(lambda config: config["session"].update({"cookie": {
            "name": "maverics_session", "domain": "localhost.example", "sameSite": "None", "disableHTTPOnly": True}}))
        self.assertTrue(line.startswith("maverics_session="), line)
        self.assertRegex(line, r"Domain=\.?localhost\.example")
        self.assertIn("SameSite=None", line)
        self.assertIn("Secure", line)
        self.assertNotIn("HttpOnly", line)

    def test_single_logout_may_end_at_another_page(self):
        self.node(lambda config: config["singleLogout"].update(
            {"postLogout": {"redirectURL": "http://localhost:8080/public/echo/bye"}})).start()
        browser = self.login(self.cluster)
        page = browser.open("/logout")
        if "logged out" not in page.text.lower() and "<form" in page.text:
            page = browser.submit(page)
        self.assertEqual(page.json()["target"], "/public/echo/bye")

    def test_old_spellings_are_understood(self):
        self.node(lambda config: config["session"].update({"maxLifetimeSeconds": 2})).start()
        browser = self.login(self.cluster)
        wait_until(lambda: browser.get("/echo").status != 200, 10, "the end of the session", every=0.2)


class Apps(KeyTest):
    def apps(self, *apps, users=None):
        def change(config):
            upstream = config["apps"][0]["upstream"]
            config["apps"] = [{"name": f"app{number}", "type": "proxy", "upstream": upstream, **app}
                              for number, app in enumerate(apps)]
            if users:
                config["connectors"][0]["users"] = users
        self.node(change).start()
        return self.browser(self.cluster)

    def test_routes_by_host_and_path_the_most_specific_wins(self):
        browser = self.apps(
            {"routePatterns": ["/"], "headers": [{"name": "X-Which", "value": "any"}], "policies": [{"location": "/", **OPEN}]},
            {"routePatterns": ["one.example"], "headers": [{"name": "X-Which", "value": "one"}], "policies": [{"location": "/", **OPEN}]},
            {"routePatterns": ["one.example/deep"], "headers": [{"name": "X-Which", "value": "deep"}], "policies": [{"location": "/", **OPEN}]})
        for host, path, which in (("localhost", "/echo", "any"), ("one.example", "/echo", "one"),
                                  ("ONE.example", "/deep/echo", "deep"), ("one.example", "/deeper", "one"),
                                  ("two.example", "/echo", "any")):
            answer = browser.get(path, headers={"Host": host})
            self.assertEqual(seen_headers(answer)["x-which"], which, (host, path))

    def test_the_upstreams_host_is_sent_unless_the_clients_is_to_be_kept(self):
        browser = self.apps({"routePatterns": ["/"], "policies": [{"location": "/", **OPEN}]},
                            {"routePatterns": ["/keep"], "preserveHost": True, "policies": [{"location": "/", **OPEN}]})
        self.assertTrue(seen_headers(browser.get("/echo"))["host"].startswith("127.0.0.1:"))
        self.assertEqual(seen_headers(browser.get("/keep"))["host"], "localhost:8080")

    def test_a_path_without_a_policy_or_without_a_rule_that_allows_is_denied(self):
        browser = self.apps({"routePatterns": ["/"], "policies": [
            {"location": "/open", **OPEN},
            {"location": "/silent", "authentication": {"allowUnauthenticated": True}}]})
        self.assertEqual(browser.get("/open").status, 200)
        self.assertEqual(browser.get("/silent").status, 403)
        self.assertIn(browser.get("/elsewhere").status, (403, 404))
        self.assertIn(browser.get("/openly").status, (403, 404))  # prefixes end at a slash

    def test_rules_over_claims_decide(self):
        users = local_users(["alice", "bob"])
        users[0]["claims"].update({"groups": ["hr", "staff"], "level": "3"})
        users[1]["claims"].update({"groups": ["guests", "x"], "level": "3"})

        def with_rules(location, method, *rules):
            return {"location": location, "authentication": {"idps": ["local"]},
                    "authorization": {"rulesAggregationMethod": method, "rules": list(rules)}}
        staff = {"and": [{"contains": ["{{ local.groups }}", "staff"]}]}
        level = {"or": [{"equals": ["{{ local.level }}", "3"]}, {"equals": ["{{ local.level }}", "4"]}]}
        not_alice = {"and": [{"notEquals": ["{{ local.sub }}", "alice"]}]}
        no_guest = {"and": [{"notContains": ["{{ local.groups }}", "guests"]}]}
        is_staff = {"and": [{"equals": ["{{ local.groups }}", "staff"]}]}
        is_no_guest = {"and": [{"notEquals": ["{{ local.groups }}", "guests"]}]}
        self.apps({"routePatterns": ["/"], "policies": [
            {"location": "/", **INSIDE}, with_rules("/desk", "and", is_staff),
            with_rules("/home", "and", is_no_guest),
            with_rules("/staff", "and", staff, level), with_rules("/either", "or", staff, not_alice),
            with_rules("/bobs", "and", not_alice), with_rules("/house", "and", no_guest)]}, users=users)
        expected = {"alice": {"/staff": 200, "/either": 200, "/bobs": 403, "/house": 200,
                              "/desk": 200, "/home": 200},
                    "bob": {"/staff": 403, "/either": 200, "/bobs": 200, "/house": 403,
                            "/desk": 403, "/home": 403}}
        for user, paths in expected.items():
            browser = self.browser(self.cluster)
            self.assertEqual(browser.login("/echo", user, PASSWORD).status, 200)
            for path, status in paths.items():
                self.assertEqual(browser.get(path).status, status, (user, path))

    def test_a_regular_expression_sees_the_path_only(self):
        browser = self.apps({"routePatterns": ["/"], "policies": [
            {"location": "~ \\.(css|js)$", **OPEN}, {"location": "/", **INSIDE}]})
        self.assertEqual(browser.get("/style/site.css").status, 200)
        self.assertIn(browser.get("/style/site.css/private").status, (302, 303, 401))
        self.assertIn(browser.get("/private?x=.css").status, (302, 303, 401))

    def test_a_denied_browser_may_be_sent_to_a_page(self):
        self.apps({"routePatterns": ["/"], "unauthorizedPage": "http://localhost:8080/open/sorry",
                   "headers": [{"name": "X-User", "value": "{{ local.sub }}"}], "policies": [
            {"location": "/", **INSIDE}, {"location": "/open", **OPEN},
            {"location": "/secret", "authentication": {"idps": ["local"]},
             "authorization": {"rules": [{"and": [{"equals": ["{{ local.sub }}", "root"]}]}]}}]})
        browser = self.login(self.cluster)
        answer = browser.get("/secret")
        self.assertIn(answer.status, (302, 303))
        self.assertEqual(answer.header("Location"), "http://localhost:8080/open/sorry")

    def test_the_applications_own_logout_path_logs_out_here_too(self):
        self.apps({"routePatterns": ["/"], "logoutPath": "/app/sign-off", "policies": [{"location": "/", **INSIDE}],
                   "headers": [{"name": "X-User", "value": "{{ local.sub }}"}]})
        browser = self.login(self.cluster)
        thief = browser.copy()
        page = browser.open("/app/sign-off")
        if "<form" in page.text:
            browser.submit(page)
        self.assert_unknown(thief, self.cluster.a)

    def test_a_disabled_local_connector_lets_nobody_in(self):
        def change(config):
            config["connectors"][0]["enabled"] = False
        node = self.node(change)
        node.write_config()
        node.process.start()

        def settled():
            return not node.process.alive() or node.status()[0]
        wait_until(settled, 15, "an answer or an end")
        if node.process.alive():
            browser = Browser(self.cluster.origin).route(node.address)
            page = browser.get("/echo")
            self.assertNotEqual(page.status, 200)
