"""HAProxy and NGINX from Debian, set up as the guides in docs/guides say: round robin, no affinity,
/status decides who gets requests, and a request that could not be delivered goes to another node."""
from .process import run_tool, wait_until
from .browser import Browser

HAPROXY = """\
global
    maxconn 4000
    log stdout format raw local0 notice
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
    # A request that never reached a node (connection refused) is safe to send to another one.
    retries 3
    option redispatch 1
    retry-on conn-failure
frontend front
    bind 127.0.0.1:{port}
    option forwardfor
    default_backend kith
backend kith
    balance roundrobin
    option httpchk GET /status
    http-check expect status 200
    default-server inter 250ms fastinter 100ms downinter 250ms fall 2 rise 1 observe layer4 error-limit 1 on-error mark-down
{servers}
"""

NGINX = """\
daemon off;
pid {dir}/nginx.pid;
error_log stderr warn;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {dir}/nginx-body;
    proxy_temp_path {dir}/nginx-proxy;
    fastcgi_temp_path {dir}/nginx-fastcgi;
    uwsgi_temp_path {dir}/nginx-uwsgi;
    scgi_temp_path {dir}/nginx-scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream kith {{
{servers}
        keepalive 32;
    }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        location / {{
            proxy_pass http://kith;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_connect_timeout 1s;
            proxy_read_timeout 60s;
            # error: a node that refuses the connection. http_503: a node that has not caught up yet.
            # Requests that may have had an effect (POST) are not sent twice.
            proxy_next_upstream error timeout http_503;
            proxy_next_upstream_tries 3;
        }}
    }}
}}
"""


def haproxy(run, port, nodes):
    servers = "\n".join(f"    server {node.name} 127.0.0.1:{node.http_port} check" for node in nodes)
    config = run.path(f"haproxy-{port}.cfg", HAPROXY.format(port=port, servers=servers))
    run_tool(["haproxy", "-c", "-q", "-f", config])
    process = run.process(f"haproxy-{port}", ["haproxy", "-db", "-f", config]).start()
    _wait(port, process)
    return process


def nginx(run, port, nodes):
    servers = "\n".join(f"        server 127.0.0.1:{node.http_port} max_fails=1 fail_timeout=1s;" for node in nodes)
    config = run.path(f"nginx-{port}.conf", NGINX.format(port=port, servers=servers, dir=run.dir))
    process = run.process(f"nginx-{port}", ["nginx", "-p", run.dir, "-e", "stderr", "-c", config]).start()
    _wait(port, process)
    return process


def _wait(port, process):
    def answers():
        try:
            browser = Browser(f"http://127.0.0.1:{port}", timeout=2)
            return browser.get("/status").status == 200
        except OSError:
            return not process.alive()
    wait_until(answers, 15, lambda: f"an answer through {process.name}\n{process.tail()}", every=0.05)
