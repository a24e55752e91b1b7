"""Speak HTTP to the API: an answer is a document, anything else one of our errors with its exit code."""

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from holdpoint.cli import exit_codes
from holdpoint.models.errors import HoldpointError, UpstreamUnavailable

PATIENCE = 30.0
"""Seconds for one answer; submit resolves a commit first, which may fetch from a remote."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 3.0
"""Seconds between tries: short enough for a server that restarts, and not a flood for one that is down."""


class ApiProblem(HoldpointError):
    """The API answered with a problem document, which is passed on as it is."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.http_status = status
        self.problem = problem
        self.exit = exit_codes.of_status(status)


class NoAnswer(UpstreamUnavailable):
    """Nobody answered. `sent` tells whether the request may have arrived all the same."""

    code = "upstream_unavailable"

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Api:
    """One API at one address, with one token.

    `restarts` is how many seconds to wait where nobody listens, because somebody is known to start it again;
    `say` is told when that happens. A refused connection has carried no request, so every verb may wait.
    """

    def __init__(
        self,
        address: str,
        token: str | None,
        *,
        root: str = "v1",
        restarts: float = 0.0,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.address = address.rstrip("/")
        self.restarts, self._say = restarts, say
        self._http = httpx.Client(
            base_url=f"{self.address}/{root}/",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(PATIENCE, connect=5.0),
            # A proxy of the environment is for the world outside, not for a server on this machine.
            trust_env=not is_local(self.address),
        )

    def __enter__(self) -> "Api":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, params: dict[str, Any] | None = None, *, patience: float | None = None) -> Any:
        """Return the JSON document at `path`. Raises ApiProblem or NoAnswer."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        return _document(self._send("GET", path, patience=patience, params=given))

    def get_bytes(self, path: str) -> bytes:
        """Return what `path` holds, as bytes. Raises ApiProblem or NoAnswer."""
        return self._send("GET", path, patience=300.0).content

    def post(
        self, path: str, body: dict[str, Any], *, patience: float | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Return the status and the JSON document. Raises ApiProblem or NoAnswer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._send("POST", path, patience=patience, json=body, headers=named)
        return answer.status_code, _document(answer)

    def _send(self, method: str, path: str, *, patience: float | None, **request: Any) -> httpx.Response:
        if patience is not None:
            request["timeout"] = httpx.Timeout(max(patience, 0.1), connect=min(max(patience, 0.1), 5.0))
        end = time.monotonic() + min(self.restarts, PATIENCE if patience is None else patience)
        told = False
        while True:
            try:
                return self._send_once(method, path, **request)
            except NoAnswer as error:
                if error.sent or time.monotonic() + FIRST_PAUSE >= end:
                    raise
            if not told:
                self._say(f"Nobody answers at {self.address} right now; the stack starts it again. Waiting.")
                told = True
            time.sleep(FIRST_PAUSE)  # a refused connection announces nothing: it can only be tried again

    def _send_once(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise _no_answer(self.address, error) from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise UpstreamUnavailable(f"{self.address} is not an address that can be called.") from error
        if answer.is_success:
            return answer
        raise ApiProblem(answer.status_code, _problem(answer))


def is_local(address: str) -> bool:
    """Tell whether the address is on this machine."""
    try:
        return urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False


def segment(name: str) -> str:
    """Return `name` as one segment of a path, whatever a person typed."""
    return quote(name, safe="") or "-"


def patiently(
    call: Callable[[float], Any],
    *,
    bound: float,
    say: Callable[[str], None],
    refused: float = math.inf,
) -> Any:
    """Return what `call` returns, trying again for `bound` seconds while nobody answers or the server is ill.

    `call` gets the seconds that are left. After `refused` seconds in which nobody listened at all it is given
    up earlier. Only for requests that may be repeated. Raises what the last try raised.
    """
    begun, pause, told = time.monotonic(), FIRST_PAUSE, False
    while True:
        try:
            return call(max(begun + bound - time.monotonic(), 0.1))
        except (NoAnswer, ApiProblem) as error:
            if isinstance(error, ApiProblem) and error.exit != exit_codes.UPSTREAM:
                raise
            listens = isinstance(error, ApiProblem) or error.sent
            longest = bound if listens else min(bound, refused)
            if time.monotonic() + pause >= begun + longest:
                raise
            if not told:
                say(f"{error.message} Trying again for {longest:.0f}s.")
                told = True
        time.sleep(pause)  # grows between tries: a server that is ill tells nobody when it is well again
        pause = min(pause * 2, LONGEST_PAUSE)


def _no_answer(address: str, error: httpx.HTTPError) -> NoAnswer:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
        if is_local(address):
            return NoAnswer(f"No Holdpoint answers at {address}; start one with `holdpoint up`.", sent=False)
        said = f"No Holdpoint answers at {address} ({error}). Check HOLDPOINT_URL and the way there."
        return NoAnswer(said, sent=False)
    if isinstance(error, httpx.TimeoutException):
        return NoAnswer(f"Holdpoint at {address} did not answer in time.", sent=True)
    return NoAnswer(f"The connection to Holdpoint at {address} was lost ({type(error).__name__}).", sent=True)


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise UpstreamUnavailable(
            f"{answer.url.host}:{answer.url.port} answered something else than JSON; is it Holdpoint?"
        ) from error


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict) and ("detail" in problem or "title" in problem):
        return problem
    said = problem.get("message") if isinstance(problem, dict) else None
    return {
        "type": "about:blank",
        "title": answer.reason_phrase or "Error",
        "status": answer.status_code,
        "detail": said or f"{answer.url.host}:{answer.url.port} answered HTTP {answer.status_code}.",
        "code": "upstream_unavailable" if answer.status_code >= 500 else "unexpected_answer",
    }
