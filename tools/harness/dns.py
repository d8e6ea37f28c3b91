"""DNS servers for discovery: Debian's dnsmasq and BIND as processes, and one of our own that lies.

All of them answer for the zone example.test on a loopback port, over UDP and TCP.
"""
import base64
import os
import shutil
import socket
import socketserver
import struct
import threading

from .process import run_tool, wait_until

ZONE = "example.test"
SERVICE = f"_kith._tcp.{ZONE}"
A, CNAME, AAAA, SRV = 1, 5, 28, 33


def srv_discovery(port, names=(SERVICE,), poll="1s", method="srvDNS"):
    """`clusters[].discovery` for a server on this port."""
    return {"method": method,
            "srvDNS": {"dnsAddress": f"127.0.0.1:{port}", "pollInterval": poll, "names": list(names)}}


def answers(port, name=SERVICE, kind=SRV):
    """Whether somebody answers a question over UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        try:
            client.sendto(Message.question(name, kind), ("127.0.0.1", port))
            return bool(client.recv(4096))
        except OSError:
            return False


def _server(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or name


class Dnsmasq:
    """records: SRV records as (target, port, priority, weight); hosts: name -> addresses."""

    def __init__(self, run, name="dnsmasq"):
        self.port = run.ports.next()
        self._process = None
        self._run, self._name = run, name
        self._started = 0

    def start(self, records, hosts, service=SERVICE):
        argv = [_server("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", f"--port={self.port}",
                "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts", "--log-facility=-",
                "--user=", f"--local=/{ZONE}/"]
        argv += [f"--srv-host={service},{target},{port},{priority},{weight}"
                 for target, port, priority, weight in records]
        argv += [f"--host-record={name},{','.join(addresses)}" for name, addresses in hosts.items()]
        self._started += 1
        self._process = self._run.process(f"{self._name}-{self._started}", argv).start()
        wait_until(lambda: answers(self.port), 20, lambda: f"dnsmasq to answer\n{self._process.tail()}")
        return self

    def stop(self):
        self._process.stop()


class Bind:
    """named with one dynamic zone, changed by nsupdate under a TSIG key."""

    def __init__(self, run):
        self.port = run.ports.next()
        self._run = run
        folder = run.dir / "bind"
        folder.mkdir()
        secret = base64.b64encode(os.urandom(32)).decode()
        self._key = folder / "update.key"
        self._key.write_text(f'key "update" {{ algorithm hmac-sha256; secret "{secret}"; }};\n')
        (folder / "zone").write_text(
            f"$ORIGIN {ZONE}.\n$TTL 1\n@ SOA ns.{ZONE}. admin.{ZONE}. 1 60 60 60 1\n@ NS ns\nns A 127.0.0.1\n")
        (folder / "named.conf").write_text(f"""\
include "{self._key}";
controls {{ }};
options {{
  directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/session.key"; managed-keys-directory "{folder}";
  listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify no;
}};
zone "{ZONE}" {{ type primary; file "{folder}/zone"; allow-update {{ key "update"; }}; }};
""")
        self._process = run.process("named", [_server("named"), "-f", "-n", "1", "-c", folder / "named.conf"])

    def start(self):
        self._process.start()
        wait_until(lambda: answers(self.port), 30, lambda: f"named to answer\n{self._process.tail()}")
        return self

    def update(self, *commands):
        """nsupdate's commands, such as "add NAME 1 SRV 0 0 9450 target.example.test."."""
        lines = [f"server 127.0.0.1 {self.port}", f"zone {ZONE}", *(f"update {one}" for one in commands), "send", ""]
        run_tool(["nsupdate", "-k", self._key], "\n".join(lines))

    def add_node(self, target, port, addresses=("127.0.0.1",), priority=0):
        host = f"{target}.{ZONE}."
        self.update(f"add {SERVICE}. 1 SRV {priority} 10 {port} {host}",
                    *(f"add {host} 1 {'AAAA' if ':' in one else 'A'} {one}" for one in addresses))

    def remove_node(self, target, port, priority=0):
        self.update(f"delete {SERVICE}. SRV {priority} 10 {port} {target}.{ZONE}.")


class Message:
    """Bytes of RFC 1035 section 4, right or wrong as a test likes."""

    @staticmethod
    def name(dotted):
        return b"".join(bytes([len(part)]) + part.encode() for part in dotted.strip(".").split(".")) + b"\0"

    @staticmethod
    def question(name, kind, number=0x4b49):
        return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + Message.name(name) + struct.pack(">2H", kind, 1)

    @staticmethod
    def read(query):
        """(name, kind, the question's bytes)."""
        parts, at = [], 12
        while query[at]:
            parts.append(query[at + 1:at + 1 + query[at]].decode(errors="replace"))
            at += query[at] + 1
        return ".".join(parts).lower(), struct.unpack(">H", query[at + 1:at + 3])[0], query[12:at + 5]

    @staticmethod
    def record(name, kind, data, ttl=1):
        return Message.name(name) + struct.pack(">2HIH", kind, 1, ttl, len(data)) + data

    @staticmethod
    def srv(target, port, priority=0, weight=0, name=SERVICE, ttl=1):
        return Message.record(name, SRV, struct.pack(">3H", priority, weight, port) + Message.name(target), ttl)

    @staticmethod
    def address(name, address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return Message.record(name, AAAA if ":" in address else A, socket.inet_pton(family, address))

    @staticmethod
    def answer(query, records=(), code=0, truncated=False, count=None, number=None):
        question = Message.read(query)[2]
        flags = 0x8180 | code | (0x0200 if truncated else 0)
        head = struct.pack(">6H", struct.unpack(">H", query[:2])[0] if number is None else number, flags, 1,
                           len(records) if count is None else count, 0, 0)
        return head + question + b"".join(records)


class LyingServer:
    """answer(query, tcp) gives the reply's bytes, a list of several, or None for silence; it may be replaced
    while the server runs. asked counts questions by (name, kind, tcp)."""

    def __init__(self, run, answer):
        self.answer = answer
        self.asked = {}
        self.port = run.ports.next()
        outer = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                query, server = self.request
                for reply in outer._replies(query, False):
                    server.sendto(reply, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            timeout = 10

            def handle(self):
                try:
                    while head := self.rfile.read(2):
                        query = self.rfile.read(struct.unpack(">H", head)[0])
                        for reply in outer._replies(query, True):
                            self.wfile.write(struct.pack(">H", len(reply)) + reply)
                except OSError:
                    pass

        class TcpServer(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self._servers = [socketserver.ThreadingUDPServer(("127.0.0.1", self.port), Udp),
                         TcpServer(("127.0.0.1", self.port), Tcp)]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def _replies(self, query, tcp):
        name, kind, _ = Message.read(query)
        key = (name, kind, tcp)
        self.asked[key] = self.asked.get(key, 0) + 1
        reply = self.answer(query, tcp)
        return [] if reply is None else [reply] if isinstance(reply, bytes) else reply

    def count(self, kind=SRV, tcp=None):
        return sum(times for (_, one, over_tcp), times in self.asked.items()
                   if one == kind and tcp in (None, over_tcp))

    def close(self):
        for server in self._servers:
            server.shutdown()
            server.server_close()
