"""Git is asked by name once and by commit after that; what is hostile or missing is said by its field."""

import asyncio
import functools
import http.server
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdpoint.clients import git_mirror
from holdpoint.clients.git import PER_SERVER, THREADS, Repositories
from holdpoint.models.errors import InvalidChange, NotFound, UpstreamUnavailable
from holdpoint.models.source import Source

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: {replicas}
---
apiVersion: v1
kind: Service
metadata:
  name: shop
"""


class Upstream:
    """A repository as a team has it, with a working tree."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        who = {
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@shop.example",
            "GIT_COMMITTER_NAME": "Bo",
            "GIT_COMMITTER_EMAIL": "bo@shop.example",
        }
        return subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env={**os.environ, **who},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self, message: str, **files: str) -> str:
        for name, text in files.items():
            path = self.path / name.replace("__", "/").replace("_yaml", ".yaml")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def raw_commit(self, *, author: str) -> str:
        """Put a commit on main whose author line no `git commit` would write."""
        tree = self.git("write-tree")
        text = f"tree {tree}\nauthor {author}\ncommitter Bo <bo@shop.example> 1577836800 +0000\n\nwords\n"
        file = self.path.with_name("commit.txt")
        file.write_text(text)
        commit = self.git("hash-object", "-t", "commit", "-w", "--literally", str(file))
        self.git("update-ref", "refs/heads/main", commit)
        return commit


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return Upstream(tmp_path / "upstream")


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    return Repositories(tmp_path / "data" / "git", allow_local=True, git_hosts=["127.0.0.1"])


async def test_tag_branch_and_commits_name_the_same_commit(
    upstream: Upstream, repositories: Repositories
) -> None:
    commit = upstream.commit("one", app_yaml=DEPLOYMENT.format(replicas=1))
    upstream.git("tag", "light")
    upstream.git("tag", "-a", "-m", "release", "1.0.0")

    names = ("main", "light", "1.0.0", commit, commit[:8])

    assert {await repositories.resolve(str(upstream.path), name) for name in names} == {commit}


async def test_branch_that_moved_is_seen_and_the_old_commit_stays_readable(
    upstream: Upstream, repositories: Repositories
) -> None:
    first = upstream.commit("one", app_yaml="a: 1\n")
    assert await repositories.resolve(str(upstream.path), "main") == first

    upstream.git("checkout", "-q", "--orphan", "other")
    second = upstream.commit("rewritten", app_yaml="a: 2\n")
    upstream.git("branch", "-M", "other", "main")

    assert await repositories.resolve(str(upstream.path), "main") == second
    assert await repositories.read(str(upstream.path), first, "app.yaml") == b"a: 1\n"


async def test_name_of_a_tag_wins_over_a_branch(upstream: Upstream, repositories: Repositories) -> None:
    first = upstream.commit("one", app_yaml="a: 1\n")
    upstream.git("tag", "both")
    upstream.git("checkout", "-q", "-b", "both")
    upstream.commit("two", app_yaml="a: 2\n")

    assert await repositories.resolve(str(upstream.path), "both") == first


@pytest.mark.parametrize("revision", ["2.0.0", "0" * 40, "abcdef0"])
async def test_unknown_revision_names_its_field(
    upstream: Upstream, repositories: Repositories, revision: str
) -> None:
    upstream.commit("one", app_yaml="a: 1\n")

    with pytest.raises(NotFound, match=r"spec\.source\.revision"):
        await repositories.resolve(str(upstream.path), revision)


@pytest.mark.parametrize(
    "revision", ["--upload-pack=touch /tmp/x", "-x", "a..b", "main@{1}", "HEAD^", ":/one"]
)
async def test_hostile_revision_is_a_mistake_of_the_file(
    upstream: Upstream, repositories: Repositories, revision: str
) -> None:
    upstream.commit("one", app_yaml="a: 1\n")

    with pytest.raises(InvalidChange) as caught:
        await repositories.resolve(str(upstream.path), revision)

    assert caught.value.detail["mistakes"][0]["field"] == "spec.source.revision"


@pytest.mark.parametrize(
    "repository",
    [
        pytest.param("ext::sh -c 'touch {mark}'", id="transport helper"),
        pytest.param("--upload-pack=touch {mark}", id="option"),
        pytest.param("-x", id="short option"),
        pytest.param("ssh://-oProxyCommand=touch {mark}/x", id="option as host"),
        pytest.param("fd::17", id="file descriptor"),
        pytest.param("./relative", id="relative to nobody knows what"),
        pytest.param("git://example.test/x", id="protocol without protection"),
    ],
)
async def test_hostile_repository_is_refused_and_runs_nothing(
    repositories: Repositories, tmp_path: Path, repository: str
) -> None:
    mark = tmp_path / "mark"

    with pytest.raises(InvalidChange):
        await repositories.resolve(repository.format(mark=mark), "main")

    assert not mark.exists()


async def test_local_path_is_refused_outside_the_embedded_stack(upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("one", app_yaml="a: 1\n")
    remote_only = Repositories(tmp_path / "git", allow_local=False)

    for repository in (str(upstream.path), f"file://{upstream.path}"):
        with pytest.raises(InvalidChange, match="embedded"):
            await remote_only.resolve(repository, "main")


async def test_repository_that_is_not_there_names_its_field(
    repositories: Repositories, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("a: 1\n")

    for folder in ("absent", "empty", "file"):
        with pytest.raises(NotFound, match=r"spec\.source\.repository"):
            await repositories.resolve(str(tmp_path / folder), "main")


async def test_hooks_of_a_hostile_repository_do_not_run(
    upstream: Upstream, repositories: Repositories, tmp_path: Path
) -> None:
    upstream.commit("one", app_yaml="a: 1\n")
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\ntouch {tmp_path}/mark\nexec "$@"\n')
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    upstream.git("config", "core.fsmonitor", str(hook))
    upstream.git("config", "uploadpack.packObjectsHook", str(hook))
    upstream.git("config", "core.pager", str(hook))

    await repositories.resolve(str(upstream.path), "main")

    assert not (tmp_path / "mark").exists()


async def test_path_that_is_not_a_file_names_its_place_in_the_change(
    upstream: Upstream, repositories: Repositories
) -> None:
    (upstream.path / "link.yaml").symlink_to("/etc/passwd")
    commit = upstream.commit("one", k__app_yaml="a: 1\n")
    paths = ["k/app.yaml", "k/none.yaml", "k", "link.yaml", "../up.yaml", "--output=x"]

    with pytest.raises(InvalidChange) as caught:
        await repositories.check_source(
            str(upstream.path),
            commit,
            Source.model_construct(repository="r", revision="main", paths=paths, kustomize=None, helm=None),
        )

    fields = [mistake["field"] for mistake in caught.value.detail["mistakes"]]
    assert fields == [f"spec.source.paths[{index}]" for index in (1, 2, 3, 4, 5)]


async def test_pathspec_magic_is_an_ordinary_name(upstream: Upstream, repositories: Repositories) -> None:
    commit = upstream.commit("one", app_yaml="a: 1\n")

    facts = await repositories.diff(str(upstream.path), None, commit, ["*", ":(glob)**"])

    assert facts.files == 0


async def test_first_rollout_counts_every_line_as_new(upstream: Upstream, repositories: Repositories) -> None:
    commit = upstream.commit("one", app_yaml=DEPLOYMENT.format(replicas=1), other_yaml="a: 1\n")

    facts = await repositories.diff(str(upstream.path), None, commit, ["app.yaml"])

    assert (facts.base, facts.files, facts.added, facts.removed) == (None, 1, 11, 0)
    assert facts.kinds == ["Deployment", "Service"]


async def test_diff_names_paths_lines_and_kinds_that_changed(
    upstream: Upstream, repositories: Repositories
) -> None:
    base = upstream.commit("one", app_yaml=DEPLOYMENT.format(replicas=1), other_yaml="a: 1\n")
    commit = upstream.commit("two", app_yaml=DEPLOYMENT.format(replicas=3), other_yaml="a: 2\n")

    facts = await repositories.diff(str(upstream.path), base, commit, ["app.yaml"])

    assert (facts.base, facts.paths, facts.added, facts.removed) == (base, ["app.yaml"], 1, 1)
    assert facts.kinds == ["Deployment"]


async def test_base_that_is_gone_is_not_found(upstream: Upstream, repositories: Repositories) -> None:
    commit = upstream.commit("one", app_yaml="a: 1\n")

    with pytest.raises(NotFound):
        await repositories.diff(str(upstream.path), "1" * 40, commit, ["app.yaml"])


async def test_author_and_committer_are_told_apart(upstream: Upstream, repositories: Repositories) -> None:
    commit = upstream.commit("Sell more", app_yaml="a: 1\n")

    author = await repositories.author(str(upstream.path), commit)

    assert (author.author, author.committer) == ("Ada <ada@shop.example>", "Bo <bo@shop.example>")
    assert author.summary == "Sell more"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("99999999999999 +0000", id="beyond every calendar"),
        pytest.param("1577836800 +9999", id="in no time zone"),
        pytest.param("someday", id="no time"),
    ],
)
async def test_author_of_a_commit_whose_time_is_none_is_told_all_the_same(
    upstream: Upstream, repositories: Repositories, written: str
) -> None:
    upstream.commit("one", app_yaml="a: 1\n")
    commit = upstream.raw_commit(author=f"Mallory <m@shop.example> {written}")

    author = await repositories.author(str(upstream.path), commit)

    assert (author.author, author.authored_at) == ("Mallory <m@shop.example>", None)


async def test_a_name_as_long_as_a_book_does_not_go_into_every_question(
    upstream: Upstream, repositories: Repositories
) -> None:
    upstream.commit("one", app_yaml="a: 1\n")
    commit = upstream.raw_commit(author=f"{'A' * 300_000} <m@shop.example> 1577836800 +0000")

    assert len((await repositories.author(str(upstream.path), commit)).author) <= 500


async def test_many_at_once_share_a_mirror(upstream: Upstream, tmp_path: Path) -> None:
    commit = upstream.commit("one", app_yaml="a: 1\n")
    processes = [Repositories(tmp_path / "git", allow_local=True) for _ in range(3)]

    found = await asyncio.gather(
        *(repositories.resolve(str(upstream.path), "main") for repositories in processes for _ in range(5))
    )

    assert set(found) == {commit}


async def test_what_a_killed_fetch_left_locked_does_not_stop_the_next(
    upstream: Upstream, repositories: Repositories, tmp_path: Path
) -> None:
    upstream.commit("one", app_yaml="a: 1\n")
    await repositories.resolve(str(upstream.path), "main")
    (mirror,) = (tmp_path / "data" / "git").glob("*.git")
    (mirror / "refs/heads/main.lock").touch()
    (mirror / "packed-refs.lock").touch()

    second = upstream.commit("two", app_yaml="a: 2\n")

    assert await repositories.resolve(str(upstream.path), "main") == second


async def test_mirror_that_was_deleted_is_made_again(
    upstream: Upstream, repositories: Repositories, tmp_path: Path
) -> None:
    commit = upstream.commit("one", app_yaml="a: 1\n")
    await repositories.resolve(str(upstream.path), "main")
    (mirror,) = (tmp_path / "data" / "git").glob("*.git")
    mirror.rename(tmp_path / "gone")

    assert await repositories.read(str(upstream.path), commit, "app.yaml") == b"a: 1\n"


async def test_what_git_said_of_a_commit_is_asked_of_it_once(
    upstream: Upstream, repositories: Repositories, tmp_path: Path
) -> None:
    shop, first = str(upstream.path), upstream.commit("one", app_yaml="a: 1\n")
    commit = upstream.commit("two", app_yaml="a: 2\n")

    async def ask() -> list[object]:
        return [
            await repositories.read(shop, commit, "app.yaml"),
            await repositories.diff(shop, first, commit, ["app.yaml"]),
            await repositories.author(shop, commit),
        ]

    before = await ask()
    (mirror,) = (tmp_path / "data" / "git").glob("*.git")
    mirror.rename(tmp_path / "gone")
    upstream.path.rename(tmp_path / "gone too")

    assert await ask() == before
    with pytest.raises(NotFound):
        await repositories.diff(shop, None, commit, ["app.yaml"])


async def test_commit_that_was_resolved_is_known_without_asking_git(
    upstream: Upstream, repositories: Repositories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = await repositories.resolve(str(upstream.path), upstream.commit("one", app_yaml="a: 1\n"))
    (folder,) = (tmp_path / "data" / "git").glob("*.git")
    mirror = git_mirror.Mirror(folder, str(upstream.path), local=True, reach=lambda _: None)
    monkeypatch.setattr(git_mirror.Mirror, "_run", lambda *_, **__: b"no\n")

    assert mirror.has(commit)
    assert not mirror.has("0" * 40)


@pytest.fixture
def remote(upstream: Upstream, tmp_path: Path) -> Iterator[str]:
    """Serve the repository over HTTP, as a plain web server does."""
    upstream.commit("one", app_yaml="a: 1\n")
    upstream.git("tag", "-a", "-m", "release", "1.0.0")
    upstream.git("update-server-info")
    handler = functools.partial(Quiet, directory=upstream.path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web server that keeps its requests to itself."""

    def log_message(self, format: str, *args: object) -> None:
        pass


async def test_remote_repository_is_read_where_local_paths_are_refused(
    remote: str, upstream: Upstream, tmp_path: Path
) -> None:
    repositories = Repositories(tmp_path / "git", allow_local=False, git_hosts=["127.0.0.1"])

    commit = await repositories.resolve(f"{remote}/.git", "1.0.0")

    assert commit == upstream.git("rev-parse", "HEAD")
    assert await repositories.read(f"{remote}/.git", commit, "app.yaml") == b"a: 1\n"


async def test_remote_that_has_no_such_repository_names_the_field(remote: str, tmp_path: Path) -> None:
    repositories = Repositories(tmp_path / "git", allow_local=False, git_hosts=["127.0.0.1"])

    with pytest.raises(NotFound, match=r"spec\.source\.repository"):
        await repositories.resolve(f"{remote}/absent.git", "1.0.0")


async def test_server_that_never_answers_is_given_up(
    repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client has gone
        writer.close()
        gone.set()

    monkeypatch.setattr(git_mirror, "FETCH_LIMIT", 0.5)
    async with await asyncio.start_server(never, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        with pytest.raises(UpstreamUnavailable):
            await repositories.resolve(f"http://127.0.0.1:{port}/x.git", "main")

        await gone.wait()


async def test_a_server_that_never_answers_does_not_keep_other_servers_waiting(
    upstream: Upstream, repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = upstream.commit("one", app_yaml="a: 1\n")
    ended: list[str] = []
    asked = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    async def hanging(address: str, name: str) -> None:
        with pytest.raises(UpstreamUnavailable):
            await repositories.resolve(f"{address}/{name}.git", "main")
        ended.append(name)

    monkeypatch.setattr(git_mirror, "FETCH_LIMIT", 2.0)
    async with await asyncio.start_server(never, "127.0.0.1", 0) as server, asyncio.TaskGroup() as group:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for number in range(2 * THREADS):
            group.create_task(hanging(address, str(number % 2)))
        await asked.wait()

        assert await repositories.resolve(str(upstream.path), "main") == commit
        assert ended == []


async def test_who_waited_for_a_fetch_that_failed_does_not_wait_for_one_more(
    repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    monkeypatch.setattr(git_mirror, "FETCH_LIMIT", 0.5)
    async with await asyncio.start_server(never, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x.git"

        found = await asyncio.gather(
            *(repositories.resolve(url, "main") for _ in range(PER_SERVER)), return_exceptions=True
        )

    assert [type(one) for one in found] == [UpstreamUnavailable] * PER_SERVER
    assert asked == 1
