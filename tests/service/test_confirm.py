"""A word on a manual step is an entry of the ledger, by whom the step names, in time, and once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdpoint.ledger import confirmations, entries
from holdpoint.models.activity_calls import Confirmation
from holdpoint.models.errors import AccessDenied, Conflict, NotFound
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import StepStatus, StepView, TicketView
from holdpoint.models.workflow_messages import ConfirmationGiven
from holdpoint.service.confirm import Word, confirm
from holdpoint.service.roles import Actor
from tests.service.world import World, a_change, actor

STEPS = """\
      - canary: {deployment: podinfo, weights: [10, 50], bake: 5s}
      - {name: fail over, manual: {who: sre, what: Fail over., timeout: 1h}}
      - {name: tell anna, manual: {who: anna@example.com, what: Call., timeout: 1h}}
"""
TEXT = a_change().replace("      - canary: {deployment: podinfo, weights: [10, 50], bake: 5s}\n", STEPS)
DONE = Word(step="fail over", done=True, reason="Replica is primary.")


def steps(status: StepStatus = StepStatus.HELD, **fields: Any) -> list[dict[str, Any]]:
    """Return the plan as shown, with its first manual step in this status."""
    ends = datetime.now(UTC) + timedelta(hours=1)
    asked = {"ends_at": ends, **fields} if status in (StepStatus.HELD, StepStatus.RUNNING) else {}
    shown = [
        StepView(name="canary", kind="canary", status=StepStatus.SUCCEEDED),
        StepView(name="fail over", kind="manual", status=status, **asked),
        StepView(name="tell anna", kind="manual"),
    ]
    return [step.model_dump(mode="json") for step in shown]


async def moves(world: World, ticket: str, **patch: Any) -> None:
    """Do what the workflow's record does."""
    draft = EntryDraft(key=repr(patch), kind="step.moved", actor="holdpoint", at=datetime.now(UTC))
    await world.ledger.write(entries.append, Record(ticket=ticket, entries=[draft], patch=patch))


async def asked(world: World, **patch: Any) -> str:
    """Return a ticket that stands at its first manual step."""
    ticket = (await world.submit(TEXT, key="manual")).view.id
    await world.delivery.deliver_due()
    await moves(world, ticket, **{"phase": Phase.EXECUTING.value, "steps": steps(), **patch})
    return ticket


async def say(world: World, ticket: str, word: Word = DONE, *, by: str | Actor = "sre") -> TicketView:
    who = actor(by) if isinstance(by, str) else by
    return await confirm(ticket, word, who, ledger=world.ledger, delivery=world.delivery, turns=world.turns)


async def conflict(world: World, ticket: str, word: Word = DONE) -> str:
    with pytest.raises(Conflict) as caught:
        await say(world, ticket, word)
    return caught.value.message


async def word_on(world: World, ticket: str, step: int = 1) -> Confirmation | None:
    return await world.ledger.read(confirmations.word_on, ticket, step)


async def test_the_word_is_recorded_and_told_to_the_ticket(world: World) -> None:
    ticket = await asked(world)

    await say(world, ticket)

    entry = (await world.ledger.read(entries.entries_of, ticket))[-1]
    assert (entry.kind, entry.actor) == ("manual.confirmed", "sre")
    assert entry.body == {
        "step": 1,
        "name": "fail over",
        "by": "sre",
        "roles": ["sre"],
        "reason": "Replica is primary.",
    }
    [(workflow, name, argument)] = world.temporal.updates.values()
    assert (workflow, name) == (f"change/{ticket}", "confirm")
    assert isinstance(argument, ConfirmationGiven)
    assert (argument.step, argument.done, argument.by) == (1, True, "sre")
    assert await word_on(world, ticket) == Confirmation(done=True, by="sre", reason="Replica is primary.")
    assert await word_on(world, ticket, step=2) is None


async def test_that_it_failed_is_a_word_as_well(world: World) -> None:
    ticket = await asked(world)

    await say(world, ticket, Word("fail over", done=False, reason="It hangs."))

    assert (await world.kinds(ticket))[-1] == "manual.failed"
    assert await word_on(world, ticket) == Confirmation(done=False, by="sre", reason="It hangs.")


@pytest.mark.parametrize("by", ["ci", "approver", "commander", "auditor"])
async def test_who_is_not_named_is_denied_and_recorded(world: World, by: str) -> None:
    ticket = await asked(world)

    with pytest.raises(AccessDenied, match="it asks sre"):
        await say(world, ticket, by=by)

    assert "manual.denied" in await world.kinds(ticket)
    assert await word_on(world, ticket) is None
    assert world.temporal.updates == {}


async def test_a_person_is_named_by_the_account_and_a_role_is_no_account(world: World) -> None:
    ticket = await asked(world)
    anna = actor("sre").model_copy(update={"account": "anna@example.com"})
    squatter = actor("ci").model_copy(update={"account": "sre"})

    with pytest.raises(AccessDenied):
        await say(world, ticket, by=squatter)
    with pytest.raises(AccessDenied):
        await say(world, ticket, Word("tell anna", done=True, reason="x"))
    with pytest.raises(Conflict, match="does not stand at the step 'tell anna'"):
        await say(world, ticket, Word("tell anna", done=True, reason="x"), by=anna)


async def test_the_same_word_again_is_answered_alike_and_recorded_once(world: World) -> None:
    ticket = await asked(world)

    for _ in range(2):
        await say(world, ticket)
    await moves(world, ticket, phase=Phase.VERIFYING.value, steps=steps(StepStatus.SUCCEEDED))
    view = await say(world, ticket)

    assert view.phase is Phase.VERIFYING
    assert (await world.kinds(ticket)).count("manual.confirmed") == 1
    assert len(world.temporal.updates) == 1


async def test_the_first_word_stands(world: World) -> None:
    ticket = await asked(world)
    await say(world, ticket)

    said = await conflict(world, ticket, Word("fail over", done=False, reason="No, it did not."))

    assert "sre has said `done` of the step 'fail over' already" in said
    assert "manual.failed" not in await world.kinds(ticket)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("tell ann", "has no step 'tell ann'. Its manual steps: 'fail over', 'tell anna'"),
        ("canary", "only a manual one is confirmed"),
    ],
)
async def test_another_step_is_a_conflict_that_says_why(world: World, step: str, says: str) -> None:
    ticket = await asked(world)

    assert says in await conflict(world, ticket, Word(step, done=True, reason="x"))


async def test_a_step_that_has_not_begun_takes_no_word(world: World) -> None:
    ticket = await asked(world, phase="AwaitingApproval", steps=steps(StepStatus.PENDING))

    said = await conflict(world, ticket)

    assert "does not stand at the step 'fail over': it is AwaitingApproval" in said


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.ROLLING_BACK])
async def test_a_ticket_that_is_over_takes_no_word_and_names_the_one_before(
    world: World, phase: Phase
) -> None:
    ticket = await asked(world)
    await say(world, ticket)
    await moves(world, ticket, phase=phase.value)

    said = await conflict(world, ticket)

    assert said.endswith(f"it is {phase.value}. sre said `done` before.")


async def test_past_its_time_a_step_takes_no_word(world: World) -> None:
    ticket = await asked(world, steps=steps(ends_at=datetime.now(UTC) - timedelta(seconds=2)))

    assert "was over at" in await conflict(world, ticket)
    assert await word_on(world, ticket) is None


async def test_a_step_that_is_held_takes_the_word_all_the_same(world: World) -> None:
    ticket = await asked(world, steps=steps(ends_at=None, left=600.0))

    await say(world, ticket)

    assert await word_on(world, ticket) is not None


async def test_a_word_given_while_temporal_is_down_reaches_the_ticket_later(world: World) -> None:
    ticket = await asked(world)
    world.temporal.down = True
    await say(world, ticket)

    world.temporal.down = False
    await world.delivery.deliver_due()

    assert [name for _, name, _ in world.temporal.updates.values()] == ["confirm"]


async def test_a_refusal_of_the_ticket_is_a_conflict(world: World) -> None:
    ticket = await asked(world)
    world.temporal.refusal = "It is rolling back."

    assert "rolling back" in await conflict(world, ticket)


async def test_an_unknown_ticket_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await say(world, "chg-aaaaaaaaaa")
