"""One ticket however often a key arrives, and a ticket that exists before Temporal knows of it."""

import asyncio

import pytest

from holdpoint.ledger import tickets
from holdpoint.models.errors import AccessDenied, Conflict, InvalidChange, InvalidRequest, NotFound
from holdpoint.models.http_settings import HttpAllowed
from holdpoint.models.phases import Phase
from holdpoint.service.change_file import read_change
from holdpoint.service.prepare import check_requests, is_local, resolve_repository
from tests.service.world import World, a_change


async def test_a_new_change_is_a_ticket_in_the_ledger_and_is_started(world: World) -> None:
    done = await world.submit(a_change())
    await world.delivery.deliver_due()

    assert done.created
    assert done.view.phase is Phase.EVALUATING
    assert done.view.requester == "ci"
    assert await world.kinds(done.view.id) == ["ticket.submitted"]
    assert [start.ticket for start in world.temporal.started] == [done.view.id]


@pytest.mark.parametrize("key", ["content:x", "gitlab/4711/1"], ids=["derived", "explicit"])
async def test_fifty_submits_of_one_key_at_once_open_one_ticket(world: World, key: str) -> None:
    done = await asyncio.gather(*(world.submit(a_change(), key=key) for _ in range(50)))
    await world.delivery.deliver_due()

    assert len({one.view.id for one in done}) == 1
    assert sum(one.created for one in done) == 1
    assert len(world.temporal.started) == 1


async def test_an_explicit_key_with_other_content_is_a_conflict(world: World) -> None:
    await world.submit(a_change(), key="build-1")

    with pytest.raises(Conflict):
        await world.submit(a_change(title="something else"), key="build-1")


async def test_an_explicit_key_joins_a_closed_ticket(world: World) -> None:
    first = await world.submit(a_change(), key="build-1")
    await world.record(first.view.id, phase=Phase.REJECTED)

    again = await world.submit(a_change(), key="build-1")

    assert (again.view.id, again.created) == (first.view.id, False)


async def test_an_explicit_key_joins_although_the_branch_has_moved(world: World) -> None:
    first = await world.submit(a_change(), key="build-1")
    world.repositories.commit = "b" * 40

    again = await world.submit(a_change(), key="build-1")

    assert again.view.commit == first.view.commit


async def test_an_explicit_key_joins_although_the_repository_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await world.submit(a_change(), key="build-1")

    async def gone(repository: str, revision: str) -> str:
        raise NotFound("Repository not found.")

    monkeypatch.setattr(world.repositories, "resolve", gone)
    again = await world.submit(a_change(), key="build-1")

    assert (again.view.id, again.created) == (first.view.id, False)
    with pytest.raises(Conflict):
        await world.submit(a_change(title="something else"), key="build-1")
    with pytest.raises(NotFound):
        await world.submit(a_change(), key="build-2")


async def test_content_after_a_closed_ticket_is_a_new_one_that_names_the_old(world: World) -> None:
    first = await world.submit(a_change())
    await world.record(first.view.id, phase=Phase.REJECTED)

    again = await world.submit(a_change())

    assert again.created
    assert again.view.previous == first.view.id


async def test_content_at_another_commit_is_another_ticket(world: World) -> None:
    first = await world.submit(a_change())
    world.repositories.commit = "b" * 40

    second = await world.submit(a_change())

    assert second.created
    assert second.view.id != first.view.id


async def test_formatting_does_not_make_another_change(world: World) -> None:
    first = await world.submit(a_change())

    again = await world.submit("# the same\n" + a_change())

    assert again.view.id == first.view.id


async def test_a_ticket_submitted_while_temporal_is_down_is_started_later(world: World) -> None:
    world.temporal.down = True
    done = await world.submit(a_change())
    await world.delivery.deliver_due()
    assert await world.ledger.read(tickets.get_ticket, done.view.id)

    world.temporal.down = False
    async with asyncio.timeout(5):
        while not world.temporal.started:
            await world.delivery.deliver_due()

    assert world.temporal.started[0].ticket == done.view.id


async def test_who_may_not_submit_opens_nothing(world: World) -> None:
    for account in ("auditor", "commander"):
        with pytest.raises(AccessDenied):
            await world.submit(a_change(), by=account)

    assert await world.ledger.read(tickets.list_tickets) == []


@pytest.mark.parametrize("key", ["", " ", "a\nb", "ä", "k" * 256])
async def test_a_key_that_can_be_none_is_named(world: World, key: str) -> None:
    with pytest.raises(InvalidRequest):
        await world.submit(a_change(), key=key)


async def test_an_unknown_environment_is_a_mistake_of_the_file(world: World) -> None:
    with pytest.raises(InvalidChange) as caught:
        await world.submit(a_change(environment="prod"))

    assert caught.value.detail["mistakes"][0]["field"] == "metadata.environment"


FLAGS = """\
apiVersion: holdpoint.dev/v1
kind: Change
metadata: {title: new cart on, service: shop, environment: staging}
spec:
  source: {repository: ./shop, revision: main}
  target: {cluster: sandbox}
  plan:
    steps:
      - wait: {for: 1s}
      - http:
          method: POST
          url: https://flags.example/api/on
          undo: {method: POST, url: https://flags.example/off}
"""


def test_a_request_to_whom_the_settings_do_not_allow_is_a_mistake_of_the_file(world: World) -> None:
    change = read_change(FLAGS)
    settings = world.settings.model_copy(
        update={"http_allow": [HttpAllowed(url="https://flags.example/api")]}
    )

    with pytest.raises(InvalidChange, match="no entry of http_allow") as nobody:
        check_requests(change, world.settings)
    with pytest.raises(InvalidChange) as below:
        check_requests(change, settings)

    fields = [[mistake["field"] for mistake in caught.value.detail["mistakes"]] for caught in (nobody, below)]
    at = "spec.plan.steps[1].http"
    assert fields == [[f"{at}.url", f"{at}.undo.url"], [f"{at}.undo.url"]]


@pytest.mark.parametrize(
    ("repository", "base", "expected"),
    [
        ("./podinfo", "/srv/files", "/srv/files/podinfo"),
        ("../podinfo", "/srv/files", "/srv/podinfo"),
        ("/srv/podinfo", None, "/srv/podinfo"),
        ("https://git.example/shop.git", None, "https://git.example/shop.git"),
        ("git@git.example:shop.git", "/srv", "git@git.example:shop.git"),
    ],
)
def test_a_repository_is_resolved_against_the_files_folder(
    repository: str, base: str | None, expected: str
) -> None:
    assert resolve_repository(repository, base, local=True) == expected


@pytest.mark.parametrize("base", [None, "relative", "/srv/\0", "/" + "x" * 5000])
def test_a_relative_repository_needs_a_folder(base: str | None) -> None:
    with pytest.raises(InvalidChange):
        resolve_repository("./podinfo", base, local=True)


@pytest.mark.parametrize("repository", ["./podinfo", "/srv/podinfo", "file:///srv/podinfo", "host:shop.git"])
def test_a_local_path_is_refused_outside_the_embedded_stack(repository: str) -> None:
    assert is_local(repository)
    with pytest.raises(InvalidChange) as caught:
        resolve_repository(repository, "/srv", local=False)

    assert caught.value.detail["mistakes"][0]["field"] == "spec.source.repository"


def depending(*needs: str) -> str:
    return a_change(title="needy") + f"  dependsOn: [{', '.join(needs)}]\n"


async def test_a_ticket_may_wait_for_another(world: World) -> None:
    first = (await world.submit(a_change(), key="build-1")).view

    view = (await world.submit(depending(first.id), key="build-2")).view

    assert view.depends_on == [first.id]


@pytest.mark.parametrize(
    ("needs", "field", "said"),
    [
        pytest.param(["chg-aaaaaaaaaa"], "spec.dependsOn[0]", "no such ticket", id="unknown"),
        pytest.param(["chg-1"], "spec.dependsOn[0]", "must be a ticket's ID", id="no ID"),
        pytest.param(["chg-aaaaaaaaaa"] * 2, "spec.dependsOn", "names 'chg-aaaaaaaaaa' twice", id="twice"),
        pytest.param(
            [f"chg-{letter * 10}" for letter in "abcdefghijklmnopqrstu"],
            "spec.dependsOn",
            "at most 20 entries",
            id="too many",
        ),
    ],
)
async def test_what_cannot_be_waited_for_is_a_mistake_with_its_field(
    world: World, needs: list[str], field: str, said: str
) -> None:
    with pytest.raises(InvalidChange) as caught:
        await world.submit(depending(*needs))

    [mistake] = caught.value.detail["mistakes"]
    assert mistake["field"] == field
    assert said in mistake["message"]


async def test_a_repeated_submit_joins_although_its_dependency_has_failed(world: World) -> None:
    needed = (await world.submit(a_change(), key="build-1")).view
    first = await world.submit(depending(needed.id))
    await world.record(needed.id, phase=Phase.FAILED)

    again = await world.submit(depending(needed.id))

    assert (again.view.id, again.created) == (first.view.id, False)
