"""A Run owns a temporary folder, ports and child processes; leaving it ends every child, by its pid."""
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time


class Failure(Exception):
    """An expectation about the processes did not hold; the message says which."""


def wait_until(condition, timeout, what, every=0.02):
    """Polls until condition() is true and returns its value; a Failure after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Failure(f"not within {timeout:g} s: {what() if callable(what) else what}")
        time.sleep(every)


class Ports:
    """Free ports below the range from which the kernel takes the ports of outgoing connections, so that
    the port of a node that is down is not taken meanwhile."""
    first, end = 20000, 32000

    @classmethod
    def take_part(cls, place, parts):
        """From now on, of so many equal parts the one with this number (from 0): others use the rest."""
        size = (cls.end - cls.first) // parts
        cls.first += place * size
        cls.end = cls.first + size

    def __init__(self):
        self._given = set()
        self._lock = threading.Lock()

    def next(self, wish=None):
        with self._lock:
            candidates = [wish] if wish else []
            candidates += random.sample(range(self.first, self.end), 200)
            for port in candidates:
                if port not in self._given and self._is_free(port):
                    self._given.add(port)
                    return port
        raise Failure(f"no free port between {self.first} and {self.end}")

    @staticmethod
    def _is_free(port):
        for host in ("127.0.0.1", "0.0.0.0"):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError:
                    return False
        return True


class Process:
    def __init__(self, name, argv, log, env=None, cwd=None):
        self.name = name
        self.argv = [str(part) for part in argv]
        self.log = pathlib.Path(log)
        self.env = env
        self.cwd = cwd
        self._child = None

    def start(self):
        if self.alive():
            raise Failure(f"{self.name} runs already")
        with open(self.log, "ab") as out:
            self._child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, **(self.env or {})}, cwd=self.cwd, start_new_session=True)
        return self

    @property
    def pid(self):
        return self._child.pid if self._child else None

    def alive(self):
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self):
        """None while it runs; -9 after kill -9."""
        return self._child.poll() if self._child else None

    def signal(self, number):
        if self.alive():
            self._child.send_signal(number)

    def kill(self):
        """kill -9, and waits until the kernel has closed everything."""
        self.signal(signal.SIGKILL)
        if self._child:
            self._child.wait()

    def wait_exit(self, timeout):
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} still runs after {timeout:g} s\n{self.tail()}") from None

    def stop(self, timeout=30):
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait_exit(timeout) if self._child else None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines=25):
        text = "\n".join(self.log_text().splitlines()[-lines:])
        return f"--- the end of the log of {self.name} ---\n{text}\n"


class Run:
    """with Run() as run: ... Everything started through it ends with it."""

    def __init__(self, keep=False):
        self.keep = keep or bool(os.environ.get("KITH_KEEP"))
        self.ports = Ports()
        self.processes = []
        self.dir = None

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kith-"))
        self.dir.chmod(0o755)  # NGINX's workers run as another user
        return self

    def __exit__(self, *_):
        self.close()

    def process(self, name, argv, env=None, cwd=None):
        made = Process(name, argv, self.dir / f"{name}.log", env, cwd)
        self.processes.append(made)
        return made

    def path(self, name, text=None, mode=None):
        path = self.dir / name
        if text is not None:
            path.write_text(text)
        if mode is not None:
            path.chmod(mode)
        return path

    def tails(self, lines=25):
        return "".join(process.tail(lines) for process in self.processes if process.log.exists())

    def close(self):
        for process in reversed(self.processes):
            process.signal(signal.SIGTERM)
        deadline = time.monotonic() + 3
        for process in reversed(self.processes):
            while process.alive() and time.monotonic() < deadline:
                time.sleep(0.02)
            process.kill()
        if self.dir and not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)
        elif self.dir:
            print(f"kept: {self.dir}", file=sys.stderr)


def terminate_as_exit():
    """SIGTERM ends this program as Ctrl-C does: through the `with` blocks, so that no child stays."""
    def leave(*_):
        raise SystemExit(143)
    signal.signal(signal.SIGTERM, leave)


def run_tool(argv, text=None, timeout=60, env=None):
    """Runs a short command with `text` as its input; its standard output."""
    done = subprocess.run([str(part) for part in argv], input=text or "", capture_output=True, text=True,
                          timeout=timeout, env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, argv))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
