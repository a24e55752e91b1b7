"""A branch takes a commit by compare-and-swap; credentials are the settings', and no link leads anywhere."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from holdpoint.clients.git import Repositories
from holdpoint.clients.git_branches import GitBranches
from holdpoint.clients.git_writing import marks_of
from holdpoint.models.errors import AccessDenied, Conflict, HoldpointError, StepConfig
from holdpoint.models.git_push import GitPush
from tests.environments import FILE, Environment
from tools.stack.git_server import application


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


@pytest.fixture
def branches(tmp_path: Path) -> GitBranches:
    return Repositories(tmp_path / "git", allow_local=True).branches


async def made(branches: GitBranches, environment: Environment, text: str) -> tuple[str, str]:
    """Return the head and a commit on top of it that is not pushed."""
    head = await branches.head(environment.url, "main")
    return head, await branches.commit(environment.url, head, {FILE: text.encode()}, f"{text}\n")


async def test_of_two_pushes_at_once_one_lands(branches: GitBranches, environment: Environment) -> None:
    head, one = await made(branches, environment, "one")
    _, two = await made(branches, environment, "two")

    found = await asyncio.gather(
        *(branches.push(environment.url, "main", each, expected=head, limit=10) for each in (one, two)),
        return_exceptions=True,
    )

    assert [type(each) for each in found if each is not None] == [Conflict]
    assert environment.head() == (one if found[0] is None else two)
    assert len(environment.subjects()) == 2


async def test_branch_that_moved_is_not_pushed_over(branches: GitBranches, environment: Environment) -> None:
    head, commit = await made(branches, environment, "one")
    theirs = environment.push("Web", **{"envs/prod/web.yaml": "tag: 2\n"})

    with pytest.raises(Conflict):
        await branches.push(environment.url, "main", commit, expected=head, limit=10)

    assert environment.head() == theirs


async def test_dry_push_changes_nothing(branches: GitBranches, environment: Environment) -> None:
    head, commit = await made(branches, environment, "one")

    await branches.push(environment.url, "main", commit, expected=head, limit=10, dry=True)

    assert environment.head() == head


async def test_later_commit_includes_an_earlier_one_and_not_the_other_way_round(
    branches: GitBranches, environment: Environment
) -> None:
    earlier = environment.head()
    later = environment.push("Web", **{"envs/prod/web.yaml": "tag: 2\n"})

    assert await branches.includes(environment.url, later, earlier)
    assert await branches.includes(environment.url, later, later)
    assert not await branches.includes(environment.url, earlier, later)
    assert not await branches.includes(environment.url, "1.2.3", earlier)
    assert not await branches.includes(environment.url, "f" * 40, earlier)


@pytest.mark.parametrize("path", ["link.yaml", "linked/secret.yaml", "envs"])
async def test_link_and_folder_are_no_files(
    branches: GitBranches, environment: Environment, path: str
) -> None:
    (environment.tree / "link.yaml").symlink_to("/etc/passwd")
    (environment.tree / "linked").symlink_to("/etc")
    head = environment.push("Links")

    with pytest.raises(StepConfig, match="a link or a module"):
        await branches.files(environment.url, head, [path])


async def test_mode_of_a_file_stays(branches: GitBranches, environment: Environment) -> None:
    environment.git("update-index", "--chmod=+x", FILE)
    environment.git("commit", "-q", "-m", "Executable")
    environment.git("push", "-q", environment.url, "HEAD:main")
    head = await branches.head(environment.url, "main")

    commit = await branches.commit(environment.url, head, {FILE: b"new\n"}, "new\n")

    assert (await branches.files(environment.url, commit, [FILE]))[FILE].mode == "100755"


def test_marks_stand_in_the_last_paragraph_only() -> None:
    told = "Holdpoint-Ticket: chg-1\n\nHoldpoint-Step: 1\n\nHoldpoint-Step: 0\nHoldpoint-Rollout: x\n"

    assert marks_of(told) == {"Holdpoint-Step": "0", "Holdpoint-Rollout": "x"}


# Over HTTP, with a password


@pytest.fixture
def password() -> str:
    return secrets.token_urlsafe()


@pytest.fixture
def token(tmp_path: Path, password: str) -> Path:
    file = tmp_path / "token"
    file.write_text(password)
    return file


@pytest.fixture
async def served(environment: Environment, password: str) -> AsyncIterator[str]:
    """Serve the environment repository to whoever has the token; return its URL."""
    environment.allow_push()
    app = application(environment.bare.parent, "holdpoint", password)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/{environment.bare.name}"
    server.should_exit = True
    await task


def pushing(folder: Path, *entries: GitPush) -> GitBranches:
    return Repositories(folder / "git", allow_local=False, git_hosts=["127.0.0.1"], git_push=entries).branches


async def test_push_over_http_has_the_token_of_the_settings(
    served: str, environment: Environment, token: Path, password: str, tmp_path: Path
) -> None:
    branches = pushing(tmp_path, GitPush(repository=served, token_file=token, email="hp@shop.example"))
    head = await branches.head(served, "main")
    commit = await branches.commit(served, head, {FILE: b"new\n"}, "New\n")

    await branches.push(served, "main", commit, expected=head, limit=20)

    assert environment.head() == commit
    assert environment.message().startswith("Holdpoint <hp@shop.example>")
    kept = [file.read_bytes() for file in (tmp_path / "git").rglob("*") if file.is_file()]
    assert not any(password.encode() in content for content in kept)


async def test_wrong_token_is_refused_without_a_word_of_it(served: str, token: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-token")
    branches = pushing(tmp_path, GitPush(repository=served, token_file=wrong))

    with pytest.raises(HoldpointError) as refused:
        await branches.head(served, "main")

    assert "not-the-token" not in str(refused.value)


async def test_refusal_of_a_hook_is_told_in_its_words(
    served: str, environment: Environment, token: Path, tmp_path: Path
) -> None:
    environment.hook("pre-receive", "echo 'main is protected' >&2; exit 1")
    branches = pushing(tmp_path, GitPush(repository=served, token_file=token))
    head = await branches.head(served, "main")
    commit = await branches.commit(served, head, {FILE: b"new\n"}, "New\n")

    with pytest.raises(AccessDenied, match="pre-receive hook declined main is protected"):
        await branches.push(served, "main", commit, expected=head, limit=20)

    assert environment.head() == head
