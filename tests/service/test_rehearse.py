"""A rehearsal is a ticket of another target: never the change's own, and never production's."""

from typing import Any

import pytest

from holdpoint.ledger import entries, tickets
from holdpoint.ledger.rehearsals import last_rehearsal
from holdpoint.models.change import Target
from holdpoint.models.errors import AccessDenied, Conflict, InvalidRequest
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import Rehearsal
from holdpoint.service.linked import retry
from holdpoint.service.rehearse import Stage, rehearse
from holdpoint.service.submit import Submission, Submitted
from tests.service.world import World, a_change, actor

SHAPE, OBJECTS, OTHERS = ("sha256:" + letter * 64 for letter in "abc")


async def rehearsed(
    world: World,
    text: str = a_change(environment="production", type="normal"),
    *,
    key: str = "content:x",
    by: str = "ci",
    cluster: str = "sandbox",
    namespace: str = "stage",
    environment: str = "staging",
) -> Submitted:
    return await rehearse(
        Submission(text=text, base="/srv/files", key=key),
        Stage(target=Target(cluster=cluster, namespace=namespace), environment=environment),
        actor(by),
        ledger=world.ledger,
        repositories=world.repositories,
        settings=world.settings,
        delivery=world.delivery,
    )


async def ends(
    world: World, ticket: str, *, phase: Phase = Phase.ROLLED_BACK, code: str = "rehearsed", of: str = OBJECTS
) -> None:
    """Do what evaluation and rollout record."""
    result = {Phase.ROLLED_BACK: "restored", Phase.ROLLBACK_FAILED: "partial"}.get(phase)
    patch = {
        "phase": phase.value,
        "reason": {"code": code, "message": "It was so."},
        "rollback": {"result": result},
        "plan_shape": SHAPE,
        "rehearses": of,
    }
    at = (await world.ledger.read(entries.entries_of, ticket))[-1].at
    draft = EntryDraft(key="ends", kind="phase.entered", actor="holdpoint", at=at, body={})
    await world.ledger.write(entries.append, Record(ticket=ticket, entries=[draft], patch=patch))


async def found(world: World, *, of: str = OBJECTS, shape: str = SHAPE) -> Rehearsal | None:
    return await world.ledger.read(last_rehearsal, "podinfo", shape, of)


async def test_it_is_a_standard_change_of_the_staging_target_that_undoes_itself(world: World) -> None:
    done = await rehearsed(world, a_change(environment="production", type="emergency", title="podinfo 2"))
    await world.delivery.deliver_due()

    view = done.view
    assert done.created
    assert (view.title, view.type, view.environment) == ("Rehearse: podinfo 2", "standard", "staging")
    assert (view.target, view.is_rehearsal) == ("sandbox/stage/podinfo", True)
    stored = await world.ledger.read(tickets.change_of, view.id)
    assert (stored.rehearsal, stored.change.spec.place.namespace) == (True, "stage")
    assert [start.rehearsal for start in world.temporal.started] == [True]
    [first] = await world.ledger.read(entries.entries_of, view.id)
    assert first.body["rehearsal"] is True


async def test_a_submitted_change_is_no_rehearsal(world: World) -> None:
    view = (await world.submit(a_change())).view
    await world.delivery.deliver_due()

    assert not view.is_rehearsal
    assert [start.rehearsal for start in world.temporal.started] == [False]


async def test_the_same_again_joins_the_open_one_and_never_a_change(world: World) -> None:
    text = a_change(environment="staging")
    change = await world.submit(text)

    first = await rehearsed(world, text)
    again = await rehearsed(world, text)

    assert (first.created, again.created) == (True, False)
    assert again.view.id == first.view.id != change.view.id


async def test_a_key_of_ones_own_is_of_one_rehearsal(world: World) -> None:
    first = await rehearsed(world, key="rehearse/run-1")

    again = await rehearsed(world, key="rehearse/run-1")
    with pytest.raises(Conflict):
        await rehearsed(world, key="rehearse/run-1", namespace="elsewhere")

    assert again.view.id == first.view.id


@pytest.mark.parametrize(
    ("stage", "field"),
    [
        ({"namespace": "default"}, "target"),
        ({"cluster": "eu-9"}, "target"),
        ({"environment": "production"}, "environment"),
        ({"environment": "moon"}, "environment"),
    ],
    ids=["its own target", "an unknown cluster", "production", "an unknown environment"],
)
async def test_what_is_no_place_to_rehearse_in_is_refused_by_its_field(
    world: World, stage: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await rehearsed(world, **stage)

    assert [mistake["field"] for mistake in caught.value.detail["mistakes"]] == [field]


@pytest.mark.parametrize("by", ["commander", "auditor"])
async def test_who_may_not_submit_may_not_rehearse(world: World, by: str) -> None:
    with pytest.raises(AccessDenied):
        await rehearsed(world, by=by)


async def test_one_that_went_well_is_found_by_objects_and_shape(world: World) -> None:
    ticket = (await rehearsed(world)).view.id
    await ends(world, ticket)

    rehearsal = await found(world)

    assert rehearsal is not None
    assert (rehearsal.ticket, rehearsal.passed, rehearsal.result) == (ticket, True, "restored")
    assert rehearsal.target == "sandbox/stage/podinfo"
    assert await found(world, of=OTHERS) is None
    assert await found(world, shape=OTHERS) is None


@pytest.mark.parametrize(
    ("phase", "code"), [(Phase.ROLLED_BACK, "analysis_failed"), (Phase.ROLLBACK_FAILED, "rollback_failed")]
)
async def test_the_last_one_counts_whatever_it_came_to(world: World, phase: Phase, code: str) -> None:
    await ends(world, (await rehearsed(world)).view.id)
    later = (await rehearsed(world)).view.id
    await ends(world, later, phase=phase, code=code)

    rehearsal = await found(world)

    assert rehearsal is not None
    assert (rehearsal.ticket, rehearsal.passed) == (later, False)


async def test_one_that_wrote_nothing_says_nothing(world: World) -> None:
    await ends(world, (await rehearsed(world)).view.id, phase=Phase.ABORTED, code="aborted")

    assert await found(world) is None


async def test_a_change_that_was_rolled_back_is_no_rehearsal(world: World) -> None:
    await ends(world, (await world.submit(a_change())).view.id, code="rehearsed")

    assert await found(world) is None


async def test_one_that_went_well_is_no_failure_of_the_service(world: World) -> None:
    async def failures() -> int:
        return await world.ledger.read(
            tickets.recent_failures, service="podinfo", environment="staging", within=86400.0
        )

    await ends(world, (await rehearsed(world)).view.id)
    assert await failures() == 0

    await ends(world, (await rehearsed(world)).view.id, code="analysis_failed")
    assert await failures() == 1


async def test_one_that_is_run_again_is_a_rehearsal(world: World) -> None:
    ticket = (await rehearsed(world)).view.id
    await ends(world, ticket, code="analysis_failed")

    again = await retry(
        ticket, "the node was full", actor("ci"), ledger=world.ledger, delivery=world.delivery
    )

    assert again.view.is_rehearsal
    assert (await world.ledger.read(tickets.change_of, again.view.id)).rehearsal
