"""Promotion: the commit that succeeded elsewhere, or a clear no."""

import asyncio

import pytest

from holdpoint.ledger import entries, tickets
from holdpoint.models.errors import Conflict, InvalidRequest, UpstreamUnavailable
from holdpoint.models.phases import Phase
from holdpoint.service.preview import NoEvaluator, PreviewParts, SubmittedFile, preview
from tests.service.world import COMMIT, World, a_change, actor, an_artifact

TO_PRODUCTION = a_change(environment="production")


async def succeeded(world: World, commit: str, image: str = "podinfo:2", *, key: str = "build-1") -> str:
    """Return a ticket that has succeeded in staging at a commit."""
    world.repositories.commit = commit
    view = (await world.submit(a_change(), key=key)).view
    await world.record(view.id, phase=Phase.SUCCEEDED, artifact=an_artifact(image).model_dump())
    world.repositories.commit = COMMIT
    return view.id


async def test_the_commit_of_the_last_success_takes_the_place_of_the_files_revision(world: World) -> None:
    await succeeded(world, "1" * 40, key="build-1")
    last = await succeeded(world, "2" * 40, key="build-2")
    world.repositories.commit = "2" * 40  # what Git says of that commit

    view = (await world.submit(TO_PRODUCTION, promote_from="staging")).view

    assert world.repositories.asked[-1][1] == "2" * 40
    assert (view.promoted_from, view.commit, view.revision) == (last, "2" * 40, "2" * 40)
    stored = await world.ledger.read(tickets.change_of, view.id)
    assert (stored.promoted_from, stored.change.spec.source.revision) == (last, "2" * 40)
    begun = (await world.ledger.read(entries.entries_of, view.id))[0]
    assert begun.body["promoted_from"] == last


async def test_without_a_success_there_is_nothing_to_promote(world: World) -> None:
    view = (await world.submit(a_change())).view
    await world.record(view.id, phase=Phase.ROLLED_BACK, artifact=an_artifact("podinfo:2").model_dump())

    with pytest.raises(Conflict, match="Nothing of podinfo has succeeded in staging"):
        await world.submit(TO_PRODUCTION, promote_from="staging")
    assert len(await world.ledger.read(tickets.list_tickets)) == 1


async def test_paths_that_render_another_artifact_are_refused_with_both(world: World) -> None:
    await succeeded(world, "1" * 40, "podinfo:1")

    with pytest.raises(Conflict, match=r"podinfo:2 instead of podinfo:1") as caught:
        await world.submit(TO_PRODUCTION, promote_from="staging")

    assert caught.value.detail["succeeded"] == an_artifact("podinfo:1").digest
    assert len(await world.ledger.read(tickets.list_tickets)) == 1


async def test_another_repository_has_no_such_commit(world: World) -> None:
    await succeeded(world, "1" * 40)
    other = a_change(environment="production", repository="./elsewhere")

    with pytest.raises(Conflict, match="Only the same repository"):
        await world.submit(other, promote_from="staging")


@pytest.mark.parametrize("environment", ["production", "qa", "--x"])
async def test_an_environment_that_cannot_be_meant_is_named(world: World, environment: str) -> None:
    with pytest.raises(InvalidRequest, match="allowed: staging") as caught:
        await world.submit(TO_PRODUCTION, promote_from=environment)

    assert caught.value.detail["mistakes"][0]["field"] == "promote_from"


async def test_one_key_is_one_ticket_also_when_staging_has_moved_on(world: World) -> None:
    await succeeded(world, "1" * 40)
    ask = {"key": "release-7", "promote_from": "staging"}
    first = await asyncio.gather(*(world.submit(TO_PRODUCTION, **ask) for _ in range(5)))
    await succeeded(world, "2" * 40, key="build-2")

    again = await world.submit(TO_PRODUCTION, **ask)

    assert {one.view.id for one in [*first, again]} == {again.view.id}
    with pytest.raises(Conflict):
        await world.submit(TO_PRODUCTION, key="release-7")


async def test_a_server_that_cannot_render_promotes_nothing(world: World) -> None:
    await succeeded(world, "1" * 40)
    world.evaluator = NoEvaluator()

    with pytest.raises(UpstreamUnavailable):
        await world.submit(TO_PRODUCTION, promote_from="staging")


async def test_a_dry_run_looks_at_what_would_be_promoted(world: World) -> None:
    last = await succeeded(world, "1" * 40)
    parts = PreviewParts(
        ledger=world.ledger,
        repositories=world.repositories,
        evaluator=world.evaluator,
        settings=world.settings,
    )
    file = SubmittedFile(text=TO_PRODUCTION, base="/srv/files", promote_from="staging")

    await preview(file, actor("ci"), parts)

    assert {one.promoted_from for one in world.evaluator.asked} == {last}
    world.evaluator.brings = an_artifact("podinfo:9")
    with pytest.raises(Conflict):
        await preview(file, actor("ci"), parts)
