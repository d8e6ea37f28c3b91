"""One person with one browser: cookies, redirects and forms over HTTP/1.1, one connection per server.

A browser thinks in origins (http://localhost:8080). Where the bytes go may differ: route() sends an
origin to another address, as a load balancer would, which lets a test choose the node that answers.
"""
import html.parser
import http.client
import json
import socket
import time
import urllib.parse


class Response:
    def __init__(self, method, url, status, headers, body):
        self.method, self.url, self.status, self.headers, self.body = method, url, status, headers, body

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return default

    @property
    def text(self):
        return self.body.decode(errors="replace")

    def json(self):
        return json.loads(self.body)

    def form(self):
        """The page's first form: (absolute action URL, method, fields)."""
        found = _Forms()
        found.feed(self.text)
        if not found.forms:
            raise AssertionError(f"no form on {self.url} ({self.status}):\n{self.text[:500]}")
        action, method, fields = found.forms[0]
        return urllib.parse.urljoin(self.url, action or self.url), method, dict(fields)

    def __repr__(self):
        return f"<{self.method} {self.url}: {self.status}, {len(self.body)} bytes>"


class _Forms(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append((attributes.get("action"), (attributes.get("method") or "get").upper(), []))
        elif tag in ("input", "button") and self.forms and attributes.get("name"):
            self.forms[-1][2].append((attributes["name"], attributes.get("value") or ""))


class Cookies:
    """Cookies by host, path and name (RFC 6265, as far as tests need it). Secure ones travel to
    loopback over plain HTTP too, as browsers do for localhost."""

    def __init__(self):
        self._all = {}

    def take(self, host, request_path, set_cookie):
        first, *attributes = [part.strip() for part in set_cookie.split(";")]
        name, _, value = first.partition("=")
        options = {}
        for attribute in attributes:
            key, _, text = attribute.partition("=")
            options[key.strip().lower()] = text.strip()
        path = options.get("path") or "/"
        if not path.startswith("/"):
            path = request_path.rsplit("/", 1)[0] or "/"
        gone = options.get("max-age") in ("0", "-1")
        if "expires" in options and "max-age" not in options:
            for layout in ("%a, %d %b %Y %H:%M:%S GMT", "%a, %d-%b-%Y %H:%M:%S GMT"):
                try:
                    gone = time.mktime(time.strptime(options["expires"], layout)) < time.mktime(time.gmtime())
                    break
                except ValueError:
                    pass
        if gone:
            self._all.pop((host, path, name), None)
        else:
            self._all[(host, path, name)] = value

    def header(self, host, path):
        fitting = [(len(at), name, value) for (owner, at, name), value in self._all.items()
                   if owner == host and (path == at or path.startswith(at.rstrip("/") + "/") or at == "/")]
        return "; ".join(f"{name}={value}" for _, name, value in sorted(fitting, key=lambda one: -one[0]))

    def of(self, host):
        return {name: value for (owner, _, name), value in self._all.items() if owner == host}

    def put(self, host, name, value, path="/"):
        self._all[(host, path, name)] = value

    def copy(self):
        other = Cookies()
        other._all = dict(self._all)
        return other

    def clear(self):
        self._all.clear()


class Browser:
    def __init__(self, origin, timeout=30):
        self.origin = origin
        self.cookies = Cookies()
        self.timeout = timeout
        self._routes = {}
        self._connections = {}

    def route(self, address, origin=None):
        """From now on, requests to the origin go to (host, port); None: where its name says."""
        origin = origin or self.origin
        self._drop(origin)
        if address is None:
            self._routes.pop(origin, None)
        else:
            self._routes[origin] = address
        return self

    def copy(self):
        """Another browser with the same cookies: what a thief of the cookie would have."""
        other = Browser(self.origin, self.timeout)
        other.cookies = self.cookies.copy()
        other._routes = dict(self._routes)
        return other

    def close(self):
        for origin in list(self._connections):
            self._drop(origin)

    def request(self, method, url, body=None, headers=None, fresh=False):
        """One request, no redirect followed. fresh: on a new connection."""
        url = urllib.parse.urljoin(self.origin + "/", url)
        parts = urllib.parse.urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
            headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        sent = {"Host": parts.netloc, "Accept": "text/html,*/*", "User-Agent": "kith-test", **(headers or {})}
        cookie = self.cookies.header(parts.hostname, parts.path or "/")
        if cookie and "Cookie" not in sent:
            sent["Cookie"] = cookie
        if fresh:
            self._drop(origin)
        reused = origin in self._connections
        try:
            answer = self._send(origin, parts, method, target, body, sent)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._drop(origin)
            if not reused or method not in ("GET", "HEAD"):
                raise
            answer = self._send(origin, parts, method, target, body, sent)  # an idle connection had ended
        except OSError:
            self._drop(origin)
            raise
        data = answer.read()
        if answer.will_close:
            self._drop(origin)
        for key, value in answer.getheaders():
            if key.lower() == "set-cookie":
                self.cookies.take(parts.hostname, parts.path or "/", value)
        return Response(method, url, answer.status, answer.getheaders(), data)

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def follow(self, response, limit=15):
        """Follows redirects; the first other answer."""
        for _ in range(limit):
            if response.status not in (301, 302, 303, 307, 308):
                return response
            url = urllib.parse.urljoin(response.url, response.header("Location"))
            method = response.method if response.status in (307, 308) else "GET"
            response = self.request(method, url)
        raise AssertionError(f"more than {limit} redirects, now at {response.url}")

    def open(self, url):
        return self.follow(self.get(url))

    def submit(self, response, **values):
        """Fills in the page's form and sends it; redirects are followed."""
        action, method, fields = response.form()
        fields.update(values)
        if method == "GET":
            return self.follow(self.get(action + "?" + urllib.parse.urlencode(fields)))
        return self.follow(self.request(method, action, body=fields))

    def login(self, url, username, password):
        """Opens a protected page, signs in at the form that comes up, and returns the page."""
        return self.submit(self.open(url), username=username, password=password)

    def _send(self, origin, parts, method, target, body, headers):
        connection = self._connections.get(origin)
        if connection is None:
            default = (parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme])
            host, port = self._routes.get(origin, default)
            connection = http.client.HTTPConnection(host, port, timeout=self.timeout)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections[origin] = connection
        connection.request(method, target, body=body, headers=headers)
        return connection.getresponse()

    def _drop(self, origin):
        connection = self._connections.pop(origin, None)
        if connection:
            connection.close()
