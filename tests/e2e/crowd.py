"""Many people click through the load balancer while nodes are killed with -9 and started again, one at
a time. The books are kept per request, so that what went wrong can be said exactly.

What counts:
  forced     a person who had been let in is sent to log in again
  mistaken   an answer that names another person
  broken     a 5xx, or a connection that broke, of a request that no kill explains: excused are only
             requests that were under way at the moment of a kill
"""
import http.client
import random
import threading
import time

from harness.process import Failure


class Books:
    def __init__(self):
        self.lock = threading.Lock()
        self.answered = self.logins = self.retried_logins = self.forwarded = 0
        self.forced, self.mistaken, self.failed = [], [], []
        self.seconds = []
        self.nodes = {}
        self.kills = []       # (time, node name)

    def broken(self):
        return [(began, ended, what) for began, ended, what in self.failed
                if not any(began - 0.05 <= when <= ended + 0.05 for when, _ in self.kills)]

    def summary(self):
        times = sorted(self.seconds) or [0]
        def at(share):
            return 1000 * times[min(len(times) - 1, int(share * len(times)))]
        by_node = " ".join(f"{node}:{count}" for node, count in sorted(self.nodes.items()))
        return (f"{self.logins} logins, {self.answered} answers ({by_node}), {self.forwarded} forwarded, "
                f"{len(self.kills)} kills; in flight on a killed node: {len(self.failed) - len(self.broken())}, "
                f"logins begun again for that: {self.retried_logins}; "
                f"p50 {at(.5):.1f} ms, p99 {at(.99):.1f} ms, most {at(1):.0f} ms\n"
                f"           forced re-logins {len(self.forced)}, wrong identities {len(self.mistaken)}, "
                f"unexplained failures {len(self.broken())}")


class Person(threading.Thread):
    def __init__(self, scene, books, number, clicks, pause):
        super().__init__(daemon=True)
        self.scene, self.books, self.clicks, self.pause = scene, books, clicks, pause
        self.who = f"user-{number}"
        self.random = random.Random(number)
        self.problem = None

    def run(self):
        try:
            time.sleep(self.random.uniform(0, 3))
            browser = self.enter()
            for _ in range(self.clicks):
                self.click(browser)
                time.sleep(self.random.uniform(0, self.pause))
        except Exception as problem:
            self.problem = f"{self.who}: {problem!r}"

    def enter(self):
        """Signs in. A login is several requests; one that a kill hits is begun again, as a person would."""
        for _ in range(5):
            began = time.monotonic()
            browser = self.scene.browser()
            try:
                self.scene.sign_in(self.who, browser)
                with self.books.lock:
                    self.books.logins += 1
                return browser
            except (OSError, http.client.HTTPException, AssertionError) as problem:
                with self.books.lock:
                    self.books.retried_logins += 1
                    self.books.failed.append((began, time.monotonic(), f"login of {self.who}: {problem!r:.300}"))
                time.sleep(0.3)
        raise Failure("five logins failed")

    def click(self, browser):
        began = time.monotonic()
        try:
            answer = browser.get("/whoami")
        except (OSError, http.client.HTTPException) as problem:
            with self.books.lock:
                self.books.failed.append((began, time.monotonic(), f"{self.who}: {problem!r}"))
            return
        ended = time.monotonic()
        with self.books.lock:
            if answer.status >= 500:
                self.books.failed.append((began, ended, f"{self.who}: {answer.status} {answer.text[:100]!r}"))
            elif answer.status != 200:
                self.books.forced.append(f"{self.who}: {answer} {answer.header('Location', '')}")
            else:
                told = answer.json()
                self.books.answered += 1
                self.books.seconds.append(ended - began)
                self.books.nodes[told["node"]] = self.books.nodes.get(told["node"], 0) + 1
                self.books.forwarded += bool(told["forwarded_by"])
                if told["user"] != self.who:
                    self.books.mistaken.append(f"{self.who} was taken for {told['user']!r}")
        if answer.status != 200 and answer.status < 500:
            raise Failure(f"sent away: {answer.status}")


def run_crowd(scene, people, clicks, pause=0.8, seed=1):
    """Lets the crowd click to the end; kills go on as long as somebody clicks. Returns the books."""
    books = Books()
    crowd = [Person(scene, books, number, clicks, pause) for number in range(people)]
    for person in crowd:
        person.start()
    dice = random.Random(seed)
    time.sleep(2)
    while any(person.is_alive() for person in crowd):
        victim = dice.choice(scene.cluster.nodes)
        with books.lock:
            books.kills.append((time.monotonic(), victim.name))
        victim.kill()
        time.sleep(dice.uniform(0.2, 1.5))
        victim.start()
        # One at a time also as the balancer sees it: NGINX counts fail_timeout in whole seconds, so it keeps
        # away from a node for up to 2 s after it is back. Killing faster leaves it none, with two up.
        time.sleep(dice.uniform(2.1, 3.0))
    problems = [person.problem for person in crowd if person.problem]
    return books, problems
