"""Intents: who may open one, what a repeated call gets, and how each ends."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from holdpoint.ledger import entries, freezes, intents, targets
from holdpoint.ledger.canonical import parse
from holdpoint.ledger.derived import intents_of_entries
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import Conflict, NotFound
from holdpoint.models.record import (
    AlreadyClosed,
    EntryDraft,
    Intent,
    IntentRequest,
    LeftOpen,
    Opened,
    Record,
    Refused,
    Scope,
)

TARGET = "sandbox/default/shop"
MakeRequest = Callable[..., IntentRequest]


def opened(ledger: Ledger, request: IntentRequest) -> Intent:
    outcome = ledger.write_now(intents.open_intent, request)
    assert isinstance(outcome, Opened)
    return outcome.intent


def closed(ledger: Ledger, intent: Intent, status: Any = "done", **options: Any) -> Intent:
    return ledger.write_now(
        intents.close_intent, intent.id, status=status, **{"result": {"version": "101"}, **options}
    )


def frozen(ledger: Ledger, **options: Any) -> str:
    asked = {"scope": Scope(everything=True), "reason": "INC-7", "by": "commander"}
    return ledger.write_now(
        freezes.create_freeze, **{**asked, "until": None, "except_types": [], **options}
    ).id


def kinds(ledger: Ledger) -> list[str]:
    return [entry.kind for entry in ledger.read_now(entries.entries_after, 0)]


def test_an_intent_is_opened_with_an_entry_and_a_deadline(held: Ledger, a_request: MakeRequest) -> None:
    before = datetime.now(UTC)
    intent = opened(held, a_request(budget=15))

    entry = held.read_now(entries.entries_after, intent.opened_seq - 1)[0]
    assert (intent.status, intent.attempt, intent.in_doubt) == ("open", 1, False)
    assert 14 < (intent.deadline - before).total_seconds() < 17
    assert (entry.seq, entry.kind, entry.ticket) == (intent.opened_seq, "intent.opened", "chg-1")
    assert entry.body["audit_id"] == intent.audit_id == f"{intent.id}.1"


def test_the_first_forward_intent_makes_the_target_dirty(held: Ledger, a_request: MakeRequest) -> None:
    before = held.read_now(targets.get_target, TARGET)
    opened(held, a_request())
    after = held.read_now(targets.get_target, TARGET)

    assert (before and before.dirty, after and after.dirty) == (False, True)


def test_a_done_intent_returns_its_recorded_result(held: Ledger, a_request: MakeRequest) -> None:
    intent = opened(held, a_request())
    closed(held, intent, result={"version": "101"})
    closed(held, intent, result={"version": "999"})

    again = held.write_now(intents.open_intent, a_request())

    assert isinstance(again, AlreadyClosed)
    assert again.intent.result == {"version": "101"}
    assert kinds(held).count("intent.closed") == 1


def test_what_a_ticket_has_made_is_what_it_created_and_did_not_delete_again(
    held: Ledger, a_request: MakeRequest
) -> None:
    shop = a_request().object
    canary, route, ill = (shop.model_copy(update={"name": name}) for name in ("canary", "route", "ill"))
    for number, (ref, verb, version, status) in enumerate(
        (
            (shop, "apply", "100", "done"),
            (canary, "apply", None, "done"),
            (route, "apply", None, "done"),
            (ill, "apply", None, "refused"),
            (canary, "delete", "7", "done"),
        )
    ):
        request = a_request(f"{number}", object=ref, verb=verb, resource_version=version)
        closed(held, opened(held, request), status)

    assert held.read_now(intents.made_by, "chg-1") == [route]


def test_an_open_intent_is_left_open_for_who_asks_again(held: Ledger, a_request: MakeRequest) -> None:
    opened(held, a_request())

    again = held.write_now(intents.open_intent, a_request())

    assert isinstance(again, LeftOpen)
    assert again.intent.attempt == 1


@pytest.mark.parametrize("end", ["refused", "fenced"])
def test_what_cannot_land_any_more_may_be_tried_again(held: Ledger, a_request: MakeRequest, end: str) -> None:
    intent = opened(held, a_request())
    if end == "fenced":
        held.write_now(intents.fence_intent, intent.id, by="frz-1")
    else:
        closed(held, intent, "refused", attempt=1)

    known = held.write_now(intents.open_intent, a_request())
    retried = held.write_now(intents.retry_intent, intent.id, "107", 5.0)

    assert isinstance(known, LeftOpen)
    assert isinstance(retried, Opened)
    assert (retried.intent.attempt, retried.intent.request.resource_version) == (2, "107")


def test_a_done_intent_is_never_tried_again(held: Ledger, a_request: MakeRequest) -> None:
    intent = closed(held, opened(held, a_request()))

    assert isinstance(held.write_now(intents.retry_intent, intent.id, "107", 5.0), AlreadyClosed)


@pytest.mark.parametrize("direction", ["forward", "undo"])
def test_a_run_that_does_not_hold_the_target_opens_nothing(
    held: Ledger, a_request: MakeRequest, direction: str
) -> None:
    outcome = held.write_now(intents.open_intent, a_request(run="run-0", direction=direction))

    assert isinstance(outcome, Refused)
    assert outcome.code == "not_holder"


def test_a_fence_needs_no_holder(held: Ledger, a_request: MakeRequest) -> None:
    request = a_request("fence/1", run="run-0", direction="undo", verb="fence")

    assert isinstance(held.write_now(intents.open_intent, request), Opened)


def test_a_freeze_refuses_forward_and_lets_undo_pass(held: Ledger, a_request: MakeRequest) -> None:
    left = opened(held, a_request("left"))
    freeze = frozen(held)

    forward = held.write_now(intents.open_intent, a_request("new"))
    retried = held.write_now(intents.retry_intent, left.id, "107", 5.0)
    undo = held.write_now(intents.open_intent, a_request("new", direction="undo"))

    assert isinstance(forward, Refused)
    assert [found.id for found in forward.freezes] == [freeze]
    assert isinstance(retried, Refused)
    assert isinstance(undo, Opened)


def test_an_excepted_type_passes_the_freeze(held: Ledger, a_request: MakeRequest) -> None:
    frozen(held, except_types=["emergency"])

    passed = held.write_now(intents.open_intent, a_request("a", change_type="emergency"))
    stopped = held.write_now(intents.open_intent, a_request("b"))

    assert isinstance(passed, Opened)
    assert isinstance(stopped, Refused)


def test_time_alone_never_closes_an_intent(held: Ledger, a_request: MakeRequest) -> None:
    intent = opened(held, a_request(budget=0.0))

    late = held.read_now(intents.get_intent, intent.id)

    assert (late.status, late.in_doubt) == ("open", True)
    assert [found.id for found in held.read_now(intents.open_intents)] == [intent.id]


def test_a_fenced_intent_takes_a_late_answer_as_evidence_only(held: Ledger, a_request: MakeRequest) -> None:
    intent = opened(held, a_request())
    held.write_now(intents.fence_intent, intent.id, by="frz-1")

    late = closed(held, intent, attempt=1)

    assert late.status == "fenced"
    assert kinds(held)[-2:] == ["intent.fenced", "intent.answered"]


def test_an_observation_turns_a_fenced_intent_into_done(held: Ledger, a_request: MakeRequest) -> None:
    intent = opened(held, a_request())
    held.write_now(intents.fence_intent, intent.id, by="frz-1")

    assert closed(held, intent, result={"observed": True}).status == "done"


def test_an_answer_to_an_earlier_attempt_does_not_close_the_last(
    held: Ledger, a_request: MakeRequest
) -> None:
    intent = opened(held, a_request())
    held.write_now(intents.retry_intent, intent.id, "107", 5.0)

    closed(held, intent, "refused", attempt=1)

    assert held.read_now(intents.get_intent, intent.id).status == "open"


def test_fencing_a_closed_intent_changes_nothing(held: Ledger, a_request: MakeRequest) -> None:
    intent = closed(held, opened(held, a_request()))

    assert held.write_now(intents.fence_intent, intent.id, by="frz-1").status == "done"
    assert "intent.fenced" not in kinds(held)


def test_open_intents_are_found_by_target_and_direction(held: Ledger, a_request: MakeRequest) -> None:
    forward = opened(held, a_request("a"))
    undo = opened(held, a_request("b", direction="undo"))

    def found(**filters: Any) -> list[str]:
        return [intent.id for intent in held.read_now(intents.open_intents, **filters)]

    assert found() == found(target=TARGET) == [forward.id]
    assert found(direction="undo") == [undo.id]
    assert found(target="elsewhere") == []


def test_what_waited_in_the_workflow_is_recorded_with_the_intent(
    held: Ledger, a_request: MakeRequest
) -> None:
    draft = EntryDraft(key="k", kind="canary.baked", actor="holdpoint", at=datetime.now(UTC))
    record = Record(ticket="chg-1", entries=[draft])

    for _ in range(2):
        held.write_now(intents.open_intent, a_request(), record)

    assert kinds(held)[-2:] == ["canary.baked", "intent.opened"]


def test_a_deferred_undo_is_recorded_once(held: Ledger, a_request: MakeRequest) -> None:
    request = a_request("undo/1", direction="undo")
    minted = Intent(
        id=request.id,
        request=request,
        attempt=1,
        status="done",
        opened_seq=0,
        deadline=datetime.now(UTC),
        result={"version": "109"},
        deferred=True,
    )
    draft = EntryDraft(
        key=minted.id,
        kind="intent.deferred",
        actor="run-1",
        at=datetime.now(UTC),
        body=minted.model_dump(mode="json"),
    )

    for _ in range(2):
        held.write_now(entries.append, Record(ticket="chg-1", entries=[draft]))

    [kept] = held.read_now(intents.intents_of, "chg-1")
    assert (kept.status, kept.deferred, kept.result) == ("done", True, {"version": "109"})
    assert kinds(held).count("intent.deferred") == 1


def test_a_fence_of_an_earlier_attempt_does_not_close_the_last(held: Ledger, a_request: MakeRequest) -> None:
    intent = opened(held, a_request())
    held.write_now(intents.retry_intent, intent.id, "107", 5.0)

    assert held.write_now(intents.fence_intent, intent.id, by="frz-1", attempt=1).status == "open"
    assert held.write_now(intents.fence_intent, intent.id, by="frz-1", attempt=2).status == "fenced"


@pytest.mark.parametrize(
    ("attempts", "told"),
    [
        pytest.param([(1, "done")], ("done", [1]), id="only the answer was deferred"),
        pytest.param([(1000, "refused"), (1001, "done")], ("done", [1, 1000, 1001]), id="tried again"),
        pytest.param([(1000, "done"), (1001, "open")], ("done", [1, 1000, 1001]), id="done stays done"),
        pytest.param([(1000, "open")], ("open", [1, 1000]), id="still unknown"),
    ],
)
def test_rows_and_entries_tell_the_same_of_a_deferred_undo(
    held: Ledger, a_request: MakeRequest, attempts: list[tuple[int, Any]], told: Any
) -> None:
    intent = opened(held, a_request("undo/1", direction="undo"))
    for attempt, status in attempts:
        late = intent.model_copy(update={"attempt": attempt, "status": status, "deferred": True})
        draft = EntryDraft(
            key=late.audit_id,
            kind="intent.deferred",
            actor="run-1",
            at=datetime.now(UTC),
            body=late.model_dump(mode="json"),
        )
        held.write_now(entries.append, Record(ticket="chg-1", entries=[draft]))

    row = held.read_now(intents.get_intent, intent.id)
    [listed] = intents_of_entries([parse(e.raw) for e in held.read_now(entries.entries_after, 0)])
    assert row.status == listed["status"] == told[0]
    assert [attempt["attempt"] for attempt in listed["attempts"]] == told[1]
    assert row.attempt == told[1][-1] or told[0] == "done"


def test_a_forward_intent_is_never_deferred(held: Ledger, a_request: MakeRequest) -> None:
    intent = opened(held, a_request())
    draft = EntryDraft(
        key="x",
        kind="intent.deferred",
        actor="run-1",
        at=datetime.now(UTC),
        body=intent.model_dump(mode="json"),
    )

    with pytest.raises(Conflict):
        held.write_now(entries.append, Record(ticket="chg-1", entries=[draft]))


@pytest.mark.parametrize("verb", [intents.get_intent, intents.fence_intent])
def test_an_unknown_intent_is_not_found(held: Ledger, verb: Any) -> None:
    with pytest.raises(NotFound):
        held.write_now(verb, "i0", **({"by": "x"} if verb is intents.fence_intent else {}))
