"""A world to be changed: objects behind HTTP whose writes are checked against their version when they commit.

Run as `python ledger_world.py`; prints its port. It knows nothing of ledgers. A write may be held up between
its arrival and its commit (`delay`), so that it lands, or is refused, long after its sender gave up.

    GET  /objects/NAME                                        version and effects
    PUT  /objects/NAME?version=&audit=&effect=&user=&delay=   200, or 409 when the version is another
    POST /objects/NAME/fence?audit=                           200; moves the version and nothing else
    GET  /log                                                 every write in the order of commits
"""

import json
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class State:
    """The objects and the log, under one lock: the log's order is the order of commits."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.objects: dict[str, dict[str, Any]] = defaultdict(lambda: {"version": 1, "effects": []})
        self.log: list[dict[str, Any]] = []

    def write(self, name: str, asked: dict[str, str]) -> int:
        """Commit a write, or refuse it when the version moved since its sender looked."""
        time.sleep(float(asked["delay"]))  # the fault itself: a server that is slow to commit
        with self.lock:
            found = self.objects[name]
            code = 200 if int(asked["version"]) == found["version"] else 409
            if code == 200:
                found["version"] += 1
                found["effects"].append(asked["effect"])
            self.log.append({"object": name, "code": code, "verb": "write", **asked})
            return code

    def fence(self, name: str, asked: dict[str, str]) -> int:
        """Move the version, whatever it is."""
        with self.lock:
            self.objects[name]["version"] += 1
            self.log.append({"object": name, "code": 200, "verb": "fence", "user": "undo", **asked})
            return 200


class Handler(BaseHTTPRequestHandler):
    """One request on its own connection."""

    state = State()

    def do_GET(self) -> None:
        """Answer with the log or with one object."""
        with self.state.lock:
            path = self.path.split("/")[1:]
            self._answer(200, self.state.log if path == ["log"] else self.state.objects[path[1]])

    def do_PUT(self) -> None:
        """Write an object."""
        url = urlsplit(self.path)
        self._answer(self.state.write(url.path.split("/")[2], dict(parse_qsl(url.query))), {})

    def do_POST(self) -> None:
        """Fence an object."""
        url = urlsplit(self.path)
        self._answer(self.state.fence(url.path.split("/")[2], dict(parse_qsl(url.query))), {})

    def _answer(self, code: int, body: Any) -> None:
        data = json.dumps(body).encode()
        try:
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # its sender gave up; what was committed stays committed

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)  # noqa: T201 - the test reads it
    server.serve_forever()
