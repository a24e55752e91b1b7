"""A tiny API over real HTTP that follows the real one's routes, and ways to run the command against it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from holdpoint.cli.main import run

DIGEST = "sha256:" + "d" * 64

CHANGE = """\
apiVersion: holdpoint.dev/v1
kind: Change
metadata: {title: shop 2.0.0, service: shop, environment: staging}
spec:
  source: {repository: ./shop, revision: 2.0.0, paths: [deploy.yaml]}
  target: {cluster: sandbox}
  plan:
    steps:
      - canary: {deployment: shop, weights: [10, 50], bake: 5s}
  analysis:
    errorRatio: {max: 0.01}
"""


def a_view(**fields: Any) -> dict[str, Any]:
    """Return a ticket as the API shows it."""
    return {
        "id": "chg-abcdefghij",
        "title": "shop 2.0.0",
        "service": "shop",
        "environment": "staging",
        "type": "standard",
        "phase": "Evaluating",
        "hold": None,
        "holds": [],
        "risk": {"level": "low", "reasons": ["a small diff"]},
        "approvals": {"required": 0, "groups": [], "given": []},
        "steps": [],
        "rollback": {"result": None, "differences": [], "attempts": 0},
        "reason": None,
        "created_at": "2027-01-01T10:00:00Z",
        "closed_at": None,
        "digest": DIGEST,
        "requester": "ci",
        "commit": "c" * 40,
        "repository": "/srv/shop",
        "revision": "2.0.0",
        "target": "sandbox/default/shop",
        "previous": None,
        "retried_by": None,
        "rolls_back": None,
        "restores": None,
        "rolled_back_by": None,
        "warnings": [],
        "review": None,
        **fields,
    }


@dataclass
class Request:
    """What arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


Answer = tuple[int, Any]


@dataclass
class FakeApi:
    """Answers what it was told to, in order; the last answer of a route is given again and again."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    on_request: Callable[[Request], None] = lambda request: None

    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to listen, unless it does already."""
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
            self._server.daemon_threads = True
            self.port = self._server.server_address[1]
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
            self._thread.start()

    def __enter__(self) -> "FakeApi":
        return self

    def __exit__(self, *error: object) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def will(self, route: str, *answers: Any) -> None:
        """Answer `METHOD path` with these in turn: (status, document), bytes, or `None` to hang up."""
        self.answers[route] = list(answers)

    def next(self, route: str) -> Any:
        """Return the next answer of a route."""
        known = self.answers.get(route)
        if not known:
            return 404, {"title": "Not Found", "status": 404, "detail": f"no {route}", "code": "not_found"}
        return known.pop(0) if len(known) > 1 else known[0]

    def sent(self, route: str) -> list[Request]:
        """Return the requests that arrived at a route."""
        return [one for one in self.requests if f"{one.method} {one.path.partition('?')[0]}" == route]


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            raw = self.rfile.read(length)
            body = json.loads(raw) if raw else None
            request = Request(self.command, self.path, dict(self.headers), body)
            api.requests.append(request)
            api.on_request(request)
            answer = api.next(f"{self.command} {self.path.partition('?')[0]}")
            if answer is None:
                self.close_connection = True
                self.connection.close()
                return
            status, document = (200, answer) if isinstance(answer, bytes) else answer
            data = document if isinstance(document, bytes) else json.dumps(document).encode()
            kind = "application/json" if status < 400 else "application/problem+json"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet."""

        def handle(self) -> None:
            try:
                super().handle()
            except (OSError, ValueError):
                return  # the connection that we hung up on

    return Handler


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """An API that listens on a free port."""
    with FakeApi() as fake:
        fake.start()
        yield fake


@dataclass
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the one JSON document on stdout."""
        return json.loads(self.out)


Holdpoint = Callable[..., Result]


@pytest.fixture
def holdpoint(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Holdpoint:
    """Run the command in this process against the fake API, from an empty folder, outside CI."""
    for name in tuple(os.environ):
        if name.startswith(("HOLDPOINT_", "GITHUB_", "GITLAB_", "CI", "BUILD", "JENKINS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOLDPOINT_URL", api.address)
    monkeypatch.setenv("HOLDPOINT_TOKEN", "a-token")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        code = run(list(arguments))
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return call


@pytest.fixture
def change_file(tmp_path: Path) -> Path:
    """A valid change file."""
    file = tmp_path / "change.yaml"
    file.write_text(CHANGE)
    return file


@pytest.fixture
def process(api: FakeApi, tmp_path: Path) -> Holdpoint:
    """Run the command as a process of its own."""

    def call(*arguments: str, stdin: str = "", **environment: str) -> Result:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-m", "holdpoint.cli.main", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
            env={**kept, "HOLDPOINT_URL": api.address, "HOLDPOINT_TOKEN": "a-token", **environment},
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call
