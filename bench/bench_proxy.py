"""HTTP/1.1 proxy: CPU time per request beside NGINX and HAProxy

wrk keeps 64 connections busy through each proxy in turn, three rounds; the median counts. The reply is 1 KiB,
keep-alive on both sides, no access log, a path that needs no login. CPU is user and system time of the proxy's
processes divided by the requests it answered.
"""
import re
import statistics

from harness.browser import Browser
from harness.cluster import Cluster
from harness.process import run_tool, wait_until

ROUNDS, SECONDS, CONNECTIONS = 3, 6, 64

ORIGIN = """\
daemon off; pid {dir}/origin.pid; error_log stderr warn; worker_processes 1;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000;
  client_body_temp_path {dir}/o1; proxy_temp_path {dir}/o2; fastcgi_temp_path {dir}/o3; uwsgi_temp_path {dir}/o4;
  scgi_temp_path {dir}/o5;
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ return 200 "{body}"; }} }} }}
"""

NGINX = """\
daemon off; pid {dir}/peer.pid; error_log stderr warn; worker_processes 1;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000;
  client_body_temp_path {dir}/p1; proxy_temp_path {dir}/p2; fastcgi_temp_path {dir}/p3; uwsgi_temp_path {dir}/p4;
  scgi_temp_path {dir}/p5;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} backlog=1024;
    location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; }} }} }}
"""

HAPROXY = """\
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    option forwardfor
frontend front
    bind 127.0.0.1:{port}
    default_backend origin
backend origin
    http-reuse always
    server origin 127.0.0.1:{origin}
"""


def cpu_seconds(pid):
    """User and system time of the process and its children that live."""
    total, ticks = 0, 100
    pids = [pid] + [int(one) for one in open(f"/proc/{pid}/task/{pid}/children").read().split()]
    for one in pids:
        fields = open(f"/proc/{one}/stat").read().rsplit(") ", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / ticks


def load(port, seconds):
    told = run_tool(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://127.0.0.1:{port}/public/page"],
                    timeout=seconds + 30)
    bad = re.search(r"Non-2xx.*?(\d+)|Socket errors.*", told)
    if bad:
        raise AssertionError(told)
    return int(re.search(r"(\d+) requests in", told).group(1)), float(re.search(r"Requests/sec:\s+([\d.]+)", told).group(1))


def answers(port):
    try:
        return Browser(f"http://127.0.0.1:{port}").get("/public/page").status == 200
    except OSError:
        return False


def measure(bench):
    run = bench.run
    origin, nginx, haproxy = run.ports.next(), run.ports.next(), run.ports.next()
    start = {}
    config = run.path("origin.conf", ORIGIN.format(dir=run.dir, port=origin, body="x" * 1024))
    run.process("origin", ["nginx", "-p", run.dir, "-e", "stderr", "-c", config]).start()
    config = run.path("peer.conf", NGINX.format(dir=run.dir, port=nginx, origin=origin))
    start["NGINX"] = nginx, run.process("peer-nginx", ["nginx", "-p", run.dir, "-e", "stderr", "-c", config]).start()
    config = run.path("peer.cfg", HAPROXY.format(port=haproxy, origin=origin))
    start["HAProxy"] = haproxy, run.process("peer-haproxy", ["haproxy", "-db", "-f", config]).start()

    def standalone(config, _):
        config["features"] = {}
        config["session"]["store"] = {"type": "local"}
        config["http"].pop("routing")
        config["http"]["accessLog"] = {"disabled": True}
    node = Cluster(run, bench.program("kith"), names=("a",), upstream=f"http://127.0.0.1:{origin}",
                   customize=standalone).start().nodes[0]
    start["kith"] = node.http_port, node.process
    for name, (port, _) in start.items():
        wait_until(lambda: answers(port), 10, f"an answer through {name}")

    cpu, rate = {name: [] for name in start}, {name: [] for name in start}
    for turn in range(ROUNDS):
        for name, (port, process) in start.items():
            load(port, 1)
            before = cpu_seconds(process.pid)
            requests, per_second = load(port, SECONDS)
            cpu[name].append(1e6 * (cpu_seconds(process.pid) - before) / requests)
            rate[name].append(per_second)
            bench.say(f"round {turn + 1}  {name:<8} {cpu[name][-1]:6.1f} us of CPU per request, {per_second:8,.0f}/s")
    rows = []
    for peer in ("NGINX", "HAProxy"):
        rows.append({"name": f"1 KiB reply, CPU, against {peer}", "unit": "µs/request", "better": "lower", "goal": 1.0,
                     "ours": statistics.median(cpu["kith"]), "peer_name": peer, "peer": statistics.median(cpu[peer])})
        rows.append({"name": f"1 KiB reply, rate, against {peer}", "unit": "requests/s", "better": "higher", "goal": 1.0,
                     "ours": statistics.median(rate["kith"]), "peer_name": peer, "peer": statistics.median(rate[peer])})
    return rows
