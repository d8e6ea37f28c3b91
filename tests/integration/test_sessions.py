"""One login, any node: sessions through crashes, restarts, logout and time."""
import http.client
import time

from harness import websocket
from harness.process import wait_until
from harness.testing import ProcessTest, SharedClusterTest

COOKIE = "kith_session"


class OneLoginAnyNode(SharedClusterTest):
    def test_a_login_on_any_node_is_known_on_every_node_at_once(self):
        for entry in self.cluster.nodes:
            person = self.login(self.cluster, entry)
            for node in self.cluster.nodes:
                self.assert_known(person, node)

    def test_two_people_are_never_taken_for_each_other(self):
        alice = self.login(self.cluster, self.cluster.a, "alice")
        bob = self.login(self.cluster, self.cluster.b, "bob")
        for node in self.cluster.nodes:
            self.assert_known(alice, node, "alice")
            self.assert_known(bob, node, "bob")

    def test_a_wrong_password_opens_nothing(self):
        for name, password in (("alice", "wrong"), ("nobody", "wrong"), ("alice", ""), ("", "")):
            person = self.browser(self.cluster, self.cluster.a)
            page = person.login("/echo", name, password)
            self.assertNotIn("headers", page.text)
            self.assert_unknown(person, self.cluster.b)

    def test_the_person_arrives_where_they_wanted_to_go(self):
        person = self.browser(self.cluster, self.cluster.b)
        page = person.login("/echo/deep/page?with=query&and=more", "alice", "correct horse battery")
        self.assertEqual(page.json()["target"], "/echo/deep/page?with=query&and=more")

    def test_a_new_session_id_is_made_at_login_and_an_old_one_never_taken_over(self):
        planted = self.browser(self.cluster, self.cluster.a)
        planted.cookies.put("localhost", COOKIE, "A" * 43)
        planted.login("/echo", "alice", "correct horse battery")
        first = planted.cookies.of("localhost")[COOKIE]
        self.assertNotEqual(first, "A" * 43)
        again = self.login(self.cluster, self.cluster.a)
        self.assertNotEqual(first, again.cookies.of("localhost")[COOKIE])

    def test_the_cookie_is_small_opaque_and_http_only(self):
        person = self.browser(self.cluster, self.cluster.a)
        form = person.open("/echo")
        action, method, fields = form.form()
        answer = person.request(method, action, body={**fields, "username": "alice",
                                                      "password": "correct horse battery"})
        line = next(value for name, value in answer.headers
                    if name.lower() == "set-cookie" and value.startswith(COOKIE + "=") and "Max-Age=0" not in value)
        self.assertLess(len(line.split(";")[0]), 120)
        self.assertIn("httponly", line.lower())
        self.assertIn("samesite=lax", line.lower())
        self.assertNotIn("alice", line)

    def test_a_tampered_cookie_is_nobody_and_never_an_error(self):
        person = self.login(self.cluster, self.cluster.a)
        good = person.cookies.of("localhost")[COOKIE]
        bad = [good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1:]
               for place in range(0, len(good) - 1, max(1, len(good) // 24))]
        bad += ["", "x", good[:-3], good + "A", good * 2, good.swapcase(), "%00" + good, "a" * 4000, good.replace(".", ":")]
        for value in bad:
            if value == good:
                continue
            for node in (self.cluster.a, self.cluster.b):
                thief = self.browser(self.cluster, node)
                answer = thief.get("/echo", headers={"Cookie": f"{COOKIE}={value}"})
                self.assertIn(answer.status, (302, 303, 401), f"{value!r} at {node}: {answer}")
        self.assert_known(person, self.cluster.c)

    def test_two_cookies_of_our_name_are_nobody(self):
        person = self.login(self.cluster, self.cluster.a)
        good = person.cookies.of("localhost")[COOKIE]
        answer = person.get("/echo", headers={"Cookie": f"{COOKIE}={good}; {COOKIE}={good}x"})
        self.assertIn(answer.status, (302, 303, 400, 401))

    def test_logging_out_ends_the_session_on_every_node_and_for_a_copied_cookie(self):
        person = self.login(self.cluster, self.cluster.a)
        thief = person.copy()
        other = self.login(self.cluster, self.cluster.b, "bob")
        person.route(self.cluster.c.address)
        page = person.open("/logout")
        if "<form" in page.text:
            page = person.submit(page)
        self.assertEqual(page.status, 200)
        self.assertNotIn(COOKIE, person.cookies.of("localhost"))
        for node in self.cluster.nodes:
            self.assert_unknown(thief, node)
            self.assert_known(other, node, "bob")

    def test_what_is_open_when_its_session_ends_is_cut_on_every_node(self):
        person = self.login(self.cluster, self.cluster.a)
        other = self.login(self.cluster, self.cluster.a, "bob")
        cookie = person.cookies.header("localhost", "/ws")
        talks = [websocket.Client(node.address, "localhost:8080", "/ws", cookie) for node in self.cluster.nodes]
        stays = websocket.Client(self.cluster.b.address, "localhost:8080", "/ws",
                                 other.cookies.header("localhost", "/ws"))
        events = http.client.HTTPConnection(*self.cluster.b.address, timeout=30)
        events.request("GET", "/sse?n=1000&ms=50", headers={"Host": "localhost:8080", "Cookie": cookie})
        answer = events.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.readline())
        page = person.open("/logout")
        if "<form" in page.text:
            page = person.submit(page)
        self.assertEqual(page.status, 200)
        for talk in talks:
            with self.assertRaises(ConnectionError):
                talk.receive()
        with self.assertRaises((http.client.HTTPException, ConnectionError)):
            answer.read()
        stays.send("still here")
        self.assertEqual(stays.receive(), "still here")
        stays.close()

    def test_no_log_line_holds_a_session_id_or_a_password(self):
        person = self.login(self.cluster, self.cluster.a)
        for node in self.cluster.nodes:
            self.assert_known(person, node)
        session_id = person.cookies.of("localhost")[COOKIE].split(".")[1]
        for node in self.cluster.nodes:
            log = node.process.log_text()
            self.assertNotIn(session_id, log)
            self.assertNotIn("correct horse", log)
            self.assertNotIn(self.cluster.secrets["mesh-psk"], log)


class Crashes(ProcessTest):
    def test_a_session_survives_kill_9_of_each_node_in_turn(self):
        cluster = self.make_cluster().start()
        people = {name: self.login(cluster, node, user)
                  for name, node, user in (("1", cluster.a, "alice"), ("2", cluster.b, "bob"), ("3", cluster.c, "alice"))}
        users = {"1": "alice", "2": "bob", "3": "alice"}
        for victim in cluster.nodes:
            victim.kill()
            for name, person in people.items():
                for node in cluster.nodes:
                    if node is not victim:
                        self.assert_known(person, node, users[name])
            victim.start()
            for name, person in people.items():
                self.assert_known(person, victim, users[name])

    def test_a_login_right_before_the_crash_of_its_node_is_kept(self):
        cluster = self.make_cluster().start()
        for _ in range(5):
            person = self.login(cluster, cluster.a)
            cluster.a.kill()
            self.assert_known(person, cluster.b)
            self.assert_known(person, cluster.c)
            cluster.a.start()

    def test_a_logout_while_a_node_is_down_holds_when_it_comes_back(self):
        cluster = self.make_cluster().start()
        person = self.login(cluster, cluster.a)
        thief = person.copy()
        cluster.c.kill()
        person.route(cluster.b.address)
        page = person.open("/logout")
        if "<form" in page.text:
            person.submit(page)
        cluster.c.start()
        for node in cluster.nodes:
            self.assert_unknown(thief, node)

    def test_a_logout_is_not_undone_when_the_node_that_did_it_dies(self):
        cluster = self.make_cluster().start()
        person = self.login(cluster, cluster.a)
        thief = person.copy()
        person.route(cluster.b.address)
        page = person.open("/logout")
        if "<form" in page.text:
            person.submit(page)
        cluster.b.kill()
        for node in (cluster.a, cluster.c):
            self.assert_unknown(thief, node)
        cluster.b.start()
        self.assert_unknown(thief, cluster.b)

    def test_all_nodes_replaced_one_after_the_other_lose_nobody(self):
        cluster = self.make_cluster().start()
        person = self.login(cluster, cluster.a)
        for node in cluster.nodes:
            self.assertEqual(node.stop(), 0)
            node.start()
        for node in cluster.nodes:
            self.assert_known(person, node)


class Lifetimes(ProcessTest):
    def with_lifetime(self, **lifetime):
        def customize(config, _):
            config["session"]["lifetime"] = lifetime
        return self.make_cluster(customize=customize).start()

    def test_an_idle_session_ends_and_an_active_one_goes_on(self):
        cluster = self.with_lifetime(idleTimeout="3s")
        active = self.login(cluster, cluster.a)
        idle = self.login(cluster, cluster.a, "bob")
        until = time.monotonic() + 5
        turn = 0
        while time.monotonic() < until:  # activity on any node keeps the session alive on all
            self.assert_known(active, cluster.nodes[turn % 3])
            turn += 1
            time.sleep(0.5)
        for node in cluster.nodes:
            self.assert_unknown(idle, node)
            self.assert_known(active, node)

    def test_a_session_ends_at_its_absolute_time_however_active(self):
        cluster = self.with_lifetime(maxTimeout="4s")
        person = self.login(cluster, cluster.a)
        began = time.monotonic()

        def ended():
            person.route(cluster.b.address)
            return person.get("/echo").status != 200
        wait_until(ended, 15, "the end of the session", every=0.2)
        self.assertGreater(time.monotonic() - began, 2.5)
        for node in cluster.nodes:
            self.assert_unknown(person, node)


class LocalStore(ProcessTest):
    def test_sessions_of_a_local_store_stay_on_their_node(self):
        def customize(config, _):
            config["session"]["store"] = {"type": "local", "local": {"capacity": 100}}
            config["http"].pop("routing")
        cluster = self.make_cluster(customize=customize).start()
        person = self.login(cluster, cluster.a)
        self.assert_known(person, cluster.a)
        self.assert_unknown(person, cluster.b)

    def test_a_full_local_store_drops_the_session_that_was_used_least_recently(self):
        def customize(config, _):
            config["session"]["store"] = {"type": "local", "local": {"capacity": 3}}
            config["http"].pop("routing")
        cluster = self.make_cluster(names=("a",), customize=customize).start()
        people = [self.login(cluster, cluster.a) for _ in range(3)]
        self.assert_known(people[0], cluster.a)
        self.login(cluster, cluster.a)
        self.assert_known(people[0], cluster.a)
        self.assert_unknown(people[1], cluster.a)
