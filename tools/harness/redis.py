"""The real redis-server, in memory only: what answers beside the endpoint of a cache, so that they can be compared."""
from . import resp
from .process import wait_until


class Server:
    """Runs until its Run ends; `address` is its (host, port). It does not know the commands in `without`."""

    def __init__(self, run, password=None, without=()):
        port = run.ports.next()
        folder = run.path(f"redis-{port}")
        folder.mkdir()
        self.address = ("127.0.0.1", port)
        config = run.path(f"redis-{port}.conf", f"bind 127.0.0.1\nport {port}\ndir {folder}\nsave \"\"\nappendonly no\n"
                          + (f"requirepass {password}\n" if password else "")
                          + "".join(f"rename-command {name} \"\"\n" for name in without))
        self.process = run.process(f"redis-{port}", ["redis-server", config]).start()
        wait_until(lambda: self._answers(password) or not self.process.alive(), 20, self.process.tail)

    def _answers(self, password):
        try:
            with resp.Client(self.address, password) as client:
                return client.call("PING") == "PONG"
        except OSError:
            return False
