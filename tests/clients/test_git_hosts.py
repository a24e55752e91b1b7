"""Which Git servers a change may name: by the list, or by what a name leads to; never anything else."""

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdpoint.clients.git import Repositories
from holdpoint.clients.git_hosts import GitHosts, Server, server_of
from holdpoint.models.errors import InvalidChange, UpstreamUnavailable

Names = Callable[..., None]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Let names lead to addresses of the test's choice."""

    def lead(**known: list[str]) -> None:
        def resolve(host: str, port: int, **_: Any) -> list[Any]:
            found = known.get(host.partition(".")[0], [])
            if not found:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    return lead


@pytest.mark.parametrize(
    ("repository", "server"),
    [
        ("https://Git.Example.com/shop.git", Server("https", "git.example.com", 443)),
        ("http://ci@git.example.com:8080/shop.git", Server("http", "git.example.com", 8080)),
        ("ssh://git@git.example.com/shop.git", Server("ssh", "git.example.com", 22)),
        ("git@git.example.com:team/shop.git", Server("ssh", "git.example.com", 22)),
        ("https://[2001:DB8::1]:8443/shop.git", Server("https", "2001:db8::1", 8443)),
    ],
)
def test_the_server_of_a_repository_is_read_from_its_url(repository: str, server: Server) -> None:
    assert server_of(repository) == server


@pytest.mark.parametrize(
    "repository",
    [
        "ssh://allowed.example#@evil.example/shop.git",
        "https://allowed.example\\@evil.example/shop.git",
        "https://evil.example?@allowed.example/shop.git",
        "https://evil.example:80@allowed.example/shop.git",
        "https://allowed.example./shop.git",
        "https://allowed。example/shop.git",
        "a@b/shop",
        "http:///shop.git",
    ],
)
def test_a_url_that_could_be_read_in_two_ways_is_refused(repository: str) -> None:
    with pytest.raises(InvalidChange, match=r"^spec\.source\.repository is .*plain host name"):
        GitHosts(["allowed.example", "evil.example"]).check(repository)


@pytest.mark.parametrize(
    ("entry", "repository"),
    [
        ("git.example.com", "https://git.example.com/a.git"),
        ("GIT.example.com", "ssh://git@git.example.com:2222/a.git"),
        ("git.example.com:8443", "https://git.example.com:8443/a.git"),
        ("git.example.com:443", "https://git.example.com/a.git"),
        ("*.example.com", "https://a.b.example.com/a.git"),
        ("127.0.0.1", "http://127.0.0.1:3000/a.git"),
        ("[::1]:3000", "http://[::1]:3000/a.git"),
    ],
)
def test_a_listed_server_may_be_asked_wherever_it_is(entry: str, repository: str) -> None:
    assert GitHosts([entry]).reach(repository) is None


@pytest.mark.parametrize(
    ("entry", "repository"),
    [
        ("git.example.com", "https://evil.example/a.git"),
        ("git.example.com", "https://git.example.com.evil.example/a.git"),
        ("git.example.com:8443", "https://git.example.com/a.git"),
        ("*.example.com", "https://example.com/a.git"),
        ("*.example.com", "https://evilexample.com/a.git"),
    ],
)
def test_a_server_that_is_not_listed_is_a_mistake_of_the_field(entry: str, repository: str) -> None:
    with pytest.raises(InvalidChange) as caught:
        GitHosts([entry]).check(repository)

    (mistake,) = caught.value.detail["mistakes"]
    assert (mistake["field"], mistake["found"]) == ("spec.source.repository", repository)
    assert mistake["allowed"] == f"on one of these servers: {entry.lower()}"


def test_an_empty_list_lets_nothing_be_asked() -> None:
    with pytest.raises(InvalidChange, match=r"git_hosts .* is empty"):
        GitHosts([]).check("https://git.example.com/a.git")


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "8.8.8.8", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]"]
)
def test_without_a_list_no_address_may_be_named_in_any_form(host: str) -> None:
    with pytest.raises(InvalidChange, match="git_hosts"):
        GitHosts(None).check(f"http://{host}/latest")


def test_without_a_list_a_public_name_is_bound_to_the_addresses_that_were_looked_at(names: Names) -> None:
    names(git=["93.184.215.14", "93.184.215.15"])

    assert (
        GitHosts(None).reach("https://git.example.com/a.git")
        == "git.example.com:443:93.184.215.14,93.184.215.15"
    )


@pytest.mark.parametrize("scheme", ["https", "http", "ssh"])
def test_without_a_list_a_name_with_one_inner_address_is_refused(names: Names, scheme: str) -> None:
    names(git=["93.184.215.14", "10.0.0.7"])

    with pytest.raises(InvalidChange, match="public name"):
        GitHosts(None).reach(f"{scheme}://git.example.com/a.git")


def test_a_name_that_leads_nowhere_now_is_an_outage(names: Names) -> None:
    names()

    with pytest.raises(UpstreamUnavailable, match=r"git\.example\.com cannot be resolved"):
        GitHosts(None).reach("https://git.example.com/a.git")


class Asked(http.server.BaseHTTPRequestHandler):
    """Sends everybody elsewhere, and notes who asked."""

    asked: list[str]
    elsewhere: str

    def do_GET(self) -> None:
        self.asked.append(self.headers["Host"] + self.path)
        self.send_response(302)
        self.send_header("Location", self.elsewhere + self.path)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def redirecting() -> Iterator[tuple[int, list[str]]]:
    """Serve redirects to another name of the same server; return its port, and what it was asked."""
    asked: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asked) as server:
        Asked.asked, Asked.elsewhere = asked, f"http://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, asked
        server.shutdown()
        thread.join()


async def test_a_redirect_is_not_followed_and_said(
    redirecting: tuple[int, list[str]], tmp_path: Path
) -> None:
    port, asked = redirecting
    repositories = Repositories(tmp_path / "git", allow_local=False, git_hosts=["127.0.0.1"])

    with pytest.raises(InvalidChange, match="redirects to: none is followed"):
        await repositories.resolve(f"http://127.0.0.1:{port}/shop.git", "main")

    assert {one.partition("/")[0] for one in asked} == {f"127.0.0.1:{port}"}


async def test_without_a_list_nothing_of_this_machine_is_asked(
    redirecting: tuple[int, list[str]], tmp_path: Path
) -> None:
    port, asked = redirecting
    repositories = Repositories(tmp_path / "git", allow_local=False)

    for host in ("127.0.0.1", "localhost", "0"):
        with pytest.raises(InvalidChange, match=r"spec\.source\.repository"):
            await repositories.resolve(f"http://{host}:{port}/shop.git", "main")

    assert asked == []


async def test_git_speaks_to_the_addresses_that_were_looked_at(
    redirecting: tuple[int, list[str]], tmp_path: Path, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, asked = redirecting
    monkeypatch.setattr("holdpoint.clients.git_hosts.is_public", lambda address: True)
    names(git=["127.0.0.1"])  # a name that only this process knows, so Git cannot have resolved it
    repositories = Repositories(tmp_path / "git", allow_local=False)

    with pytest.raises(InvalidChange, match="none is followed"):
        await repositories.resolve(f"http://git.example.invalid:{port}/shop.git", "main")

    assert {one.partition("/")[0] for one in asked} == {f"git.example.invalid:{port}"}


async def test_what_the_mirror_has_already_is_refused_too_when_its_server_is_not_listed(
    tmp_path: Path,
) -> None:
    repositories = Repositories(tmp_path / "git", allow_local=False, git_hosts=["git.example.com"])

    with pytest.raises(InvalidChange, match="on one of these servers"):
        await repositories.resolve("https://evil.example/shop.git", "c" * 40)
