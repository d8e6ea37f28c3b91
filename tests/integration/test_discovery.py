"""Members that find each other by DNS SRV records alone: with dnsmasq, with BIND while it is changed, and
with a server that lies."""
import os
import struct
import time

from harness import dns
from harness.dns import Message
from harness.process import wait_until
from harness.testing import ProcessTest


def host_of(node):
    return f"{node.name}.{dns.ZONE}"


def joined(node, times=1):
    return len(node.find_log("member joined")) >= times


class DiscoveryTest(ProcessTest):
    def discovered(self, port, names=("a", "b", "c"), customize=None, prefix=""):
        """A cluster whose nodes know nothing but the DNS server."""
        def outer(config, node):
            config["clusters"][0]["discovery"] = dns.srv_discovery(port)
            if customize:
                customize(config, node)
        return self.make_cluster(names=names, customize=outer, prefix=prefix)

    def wait_one_cluster(self, nodes, timeout=30):
        """Each node has seen each other one come."""
        for node in nodes:
            node.wait_status("up")
            wait_until(lambda: all(node.find_log("member joined", f'"peer":"{other.name}"')
                                   for other in nodes if other is not node), timeout,
                       lambda: f"{node} to see all the others\n{node.process.tail()}")

    def assert_shared(self, cluster, nodes=None):
        person = self.login(cluster, cluster.nodes[0])
        for node in nodes or cluster.nodes:
            self.assert_known(person, node)
        return person

    def assert_none_lost(self, nodes):
        for node in nodes:
            self.assertTrue(node.process.alive(), node.process.tail())
            self.assertEqual(node.find_log("member is gone"), [], node.process.tail())


class FromDnsmasq(DiscoveryTest):
    def records(self, nodes):
        return ([(host_of(node), node.membership_port, number, 5) for number, node in enumerate(nodes)],
                {host_of(node): ["127.0.0.1"] for node in nodes})

    def test_three_nodes_find_each_other_and_themselves_by_srv_records_of_both_families(self):
        server = dns.Dnsmasq(self.run_)
        spelling = {"a": "srvdns", "b": "srvDNS", "c": "SRVDNS"}

        def customize(config, node):
            entry = config["clusters"][0]
            entry["discovery"]["method"] = spelling[node.name]
            if node.name == "c":
                entry["addresses"] = {"membership": f"/ip6/::1/tcp/{node.membership_port}",
                                      "data": f"/ip6/::1/tcp/{node.data_port}"}
        cluster = self.discovered(server.port, customize=customize)
        records, hosts = self.records(cluster.nodes)
        hosts[host_of(cluster.c)] = ["::1"]
        server.start(records, hosts)
        cluster.start()
        self.wait_one_cluster(cluster.nodes)
        self.assert_shared(cluster)
        time.sleep(3)  # three polls more: nothing new, so nothing is said
        for node in cluster.nodes:
            self.assertEqual(len(node.find_log("DNS names addresses")), 1, node.process.tail())
            self.assertEqual(node.find_log("no answer from DNS"), [])
        self.assert_none_lost(cluster.nodes)

    def test_while_dns_is_down_the_members_stay_and_afterwards_a_new_one_is_found(self):
        server = dns.Dnsmasq(self.run_)
        cluster = self.discovered(server.port)
        a, b, c = cluster.nodes
        server.start(*self.records([a, b]))
        a.start(ready=False)
        b.start(ready=False)
        self.wait_one_cluster([a, b])
        server.stop()
        a.wait_log("no answer from DNS")
        person = self.assert_shared(cluster, [a, b])
        # Nobody but DNS can tell them of each other: c has no answer, and nobody names it.
        c.start(ready=False)
        c.wait_status("up", 30)
        c.wait_log("no answer from DNS")
        self.assertFalse(joined(c))
        server.start(*self.records([a, b, c]))
        self.wait_one_cluster(cluster.nodes)
        self.assert_known(person, c)
        self.assertEqual(len(a.find_log("no answer from DNS")), 1, a.process.tail())
        self.assert_none_lost(cluster.nodes)


class FromBind(DiscoveryTest):
    def setUp(self):
        super().setUp()
        self.server = dns.Bind(self.run_).start()

    def add(self, node):
        self.server.add_node(node.name, node.membership_port)

    def test_islands_that_were_started_before_dns_knew_anybody_become_one_cluster(self):
        cluster = self.discovered(self.server.port).start()  # each for itself
        people = [self.login(cluster, node) for node in cluster.nodes]
        self.assert_unknown(people[0], cluster.b)
        for node in cluster.nodes:
            self.assertFalse(joined(node))
            self.add(node)
        self.wait_one_cluster(cluster.nodes)
        for person in people:
            for node in cluster.nodes:
                def known():
                    person.route(node.address)
                    return person.get("/echo").status == 200
                wait_until(known, 20, f"{node} to know everybody's session")

    def test_nsupdate_adds_a_node_to_a_running_cluster_and_takes_nobody_away(self):
        def customize(config, node):
            # b is the only one that hears of the new one: a does not ask, c knows nobody.
            if node.name != "b":
                config["clusters"][0]["discovery"]["srvDNS"]["names"] = [f"nobody.{dns.ZONE}"]
        cluster = self.discovered(self.server.port, customize=customize)
        a, b, c = cluster.nodes
        self.add(a)
        a.start()
        b.start()
        self.wait_one_cluster([a, b])
        c.start()
        self.assertFalse(joined(c))
        person = self.login(cluster, a)
        self.add(c)
        self.wait_one_cluster(cluster.nodes)
        self.assert_known(person, c)
        self.server.remove_node("a", a.membership_port)
        b.wait_log("no_longer_named", f"/tcp/{a.membership_port}")
        time.sleep(3)
        self.assert_none_lost(cluster.nodes)
        # A node that comes back somewhere else is found there.
        c.kill()
        c.membership_port = self.run_.ports.next()
        self.add(c)
        c.start()
        wait_until(lambda: b.find_log("member joined", f"/tcp/{c.membership_port}"), 30, "b to find c at its new port")
        self.assert_known(person, c)

    def test_a_long_list_is_truncated_and_read_over_tcp(self):
        cluster = self.discovered(self.server.port, names=("a", "b"))
        dead = [(f"a-node-with-a-rather-long-name-that-is-not-there-{number}", self.run_.ports.next())
                for number in range(40)]
        self.server.update(*(f"add {dns.SERVICE}. 1 SRV 0 0 {port} {name}.{dns.ZONE}." for name, port in dead),
                           *(f"add {name}.{dns.ZONE}. 1 A 127.0.0.1" for name, _ in dead))
        for node in cluster.nodes:
            self.server.add_node(node.name, node.membership_port, priority=3)
        cluster.start()
        self.wait_one_cluster(cluster.nodes)
        cluster.a.wait_log("DNS names addresses", '"addresses":42')
        self.assert_shared(cluster)


class FromALiar(DiscoveryTest):
    def truth(self, nodes):
        def answer(query, _):
            name, kind, _ = Message.read(query)
            if kind == dns.SRV:
                return Message.answer(query, [Message.srv(host_of(node), node.membership_port) for node in nodes])
            if kind == dns.A and name in [host_of(node) for node in nodes]:
                return Message.answer(query, [Message.address(name, "127.0.0.1")])
            return Message.answer(query)
        return answer

    def lies(self, a):
        """name -> answer. Each is wrong in its own way; none may harm anybody."""
        def srv(make):  # a lie about the service; the truth about everything else
            def answer(query, tcp):
                if Message.read(query)[1] == dns.SRV:
                    return make(query, tcp)
                return Message.answer(query, [Message.address(Message.read(query)[0], "127.0.0.1")])
            return answer
        elsewhere = self.run_.ports.next()
        loop = struct.pack(">3H", 0, 0, 9450)
        targets = [f"t{number}.{dns.ZONE}" for number in range(1000)]

        def looped(query, _):
            head = Message.answer(query, count=1)
            record = Message.name(dns.SERVICE) + struct.pack(">2HIH", dns.SRV, 1, 1, 8) + loop
            return head + record + struct.pack(">H", 0xC000 | (len(head) + len(record)))

        def huge(query, tcp):
            if not tcp:
                return Message.answer(query, truncated=True)
            return Message.answer(query, [Message.srv(one, elsewhere + number % 7)
                                          for number, one in enumerate(targets)])

        def chain(query, _):
            names = [dns.SERVICE] + [f"alias{number}.{dns.ZONE}" for number in range(30)]
            links = [Message.record(one, dns.CNAME, Message.name(other)) for one, other in zip(names, names[1:])]
            return Message.answer(query, links + [Message.record(names[-1], dns.CNAME, Message.name(dns.SERVICE))])
        return {
            "silence": lambda query, tcp: None,
            "garbage": lambda query, tcp: [os.urandom(size) for size in (1, 11, 12, 13, 60, 500, 1400)],
            "garbage after the question": srv(lambda query, _: Message.answer(query, count=9) + os.urandom(300)),
            "the wrong id": srv(lambda query, _: Message.answer(query, [Message.srv("x.test", 1)], number=7)),
            "a pointer to itself": srv(looped),
            "1,000 targets": srv(huge),
            "truncated, and nothing over TCP": srv(lambda query, tcp: None if tcp else Message.answer(query, truncated=True)),
            "a name nobody asked for": srv(lambda query, _: Message.answer(
                query, [Message.srv(f"x.{dns.ZONE}", elsewhere, name="_other._tcp.test")])),
            "aliases in a circle": srv(chain),
            "port 0 and no target": srv(lambda query, _: Message.answer(
                query, [Message.srv(host_of(a), 0), Message.record(dns.SERVICE, dns.SRV, struct.pack(">3H", 0, 0, 1) + b"\0")])),
            "a target that is no host name": srv(lambda query, _: Message.answer(
                query, [Message.srv("/tcp/22 \"\n", elsewhere), Message.srv("x" * 60, elsewhere)])),
            "the node itself": srv(lambda query, _: Message.answer(query, [Message.srv(host_of(a), a.membership_port)])),
            "its data port and its web port": srv(lambda query, _: Message.answer(
                query, [Message.srv(host_of(a), a.data_port), Message.srv(host_of(a), a.http_port)])),
            "addresses that are none": lambda query, _: Message.answer(
                query, [Message.srv(f"x.{dns.ZONE}", elsewhere)] if Message.read(query)[1] == dns.SRV else
                [Message.address(Message.read(query)[0], one) for one in ("0.0.0.0", "224.0.0.1", "255.255.255.255")]),
            "server failure": lambda query, _: Message.answer(query, code=2),
            "refused": lambda query, _: Message.answer(query, code=5),
            "nobody": lambda query, _: Message.answer(query, code=3),
        }

    def test_no_lie_moves_a_member_and_the_truth_is_heard_at_once(self):
        server = dns.LyingServer(self.run_, None)
        self.addCleanup(server.close)
        cluster = self.discovered(server.port)
        a, b, c = cluster.nodes
        server.answer = self.truth([a, b])
        a.start(ready=False)
        b.start(ready=False)
        self.wait_one_cluster([a, b])
        person = self.login(cluster, a)
        for what, lie in self.lies(a).items():
            with self.subTest(what):
                server.answer = lie
                asked = server.count()
                wait_until(lambda: server.count() >= asked + 4, 20, f"two polls of both during {what!r}", every=0.05)
                server.answer = self.truth([a, b])
                for node in (a, b):
                    self.assertTrue(node.process.alive(), f"{what}\n{node.process.tail()}")
        self.assertGreater(server.count(tcp=True), 0)
        for node in (a, b):
            self.assertLess(len(os.listdir(f"/proc/{node.process.pid}/fd")), 400)
        server.answer = self.truth([a, b, c])
        c.start(ready=False)
        self.wait_one_cluster(cluster.nodes)
        for node in cluster.nodes:
            self.assert_known(person, node)
        self.assert_none_lost(cluster.nodes)

    def test_a_node_that_hears_only_lies_at_its_start_serves_alone_and_joins_when_it_hears_the_truth(self):
        server = dns.LyingServer(self.run_, None)
        self.addCleanup(server.close)
        cluster = self.discovered(server.port, names=("a", "b"))
        server.answer = self.lies(cluster.a)["silence"]
        cluster.start()
        person = self.login(cluster, cluster.a)
        self.assertFalse(joined(cluster.b))
        server.answer = self.truth(cluster.nodes)
        self.wait_one_cluster(cluster.nodes)
        self.assert_known(person, cluster.b)

    def test_answers_of_another_cluster_bring_nobody_in(self):
        server = dns.LyingServer(self.run_, None)
        self.addCleanup(server.close)
        ours = self.discovered(server.port, names=("a", "b"))
        theirs = self.discovered(server.port, names=("x", "y"), prefix="theirs-")
        server.answer = self.truth(ours.nodes + theirs.nodes)
        ours.start()
        theirs.start()
        self.wait_one_cluster(ours.nodes)
        self.wait_one_cluster(theirs.nodes)
        ours.a.wait_log("pre-shared key")
        person = self.login(ours, ours.a)
        self.assert_known(person, ours.b)
        for node in ours.nodes + theirs.nodes:
            self.assertEqual(len(node.find_log("member joined")), 1, node.process.tail())
        self.assertGreater(server.count(), 4)
