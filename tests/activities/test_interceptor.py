"""Before an activity its record is in the ledger; after it our errors are Temporal's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.interceptor import LONGEST_MESSAGE, WORDS, RecordingInterceptor, converted
from holdpoint.ledger import entries
from holdpoint.ledger.store import Ledger
from holdpoint.models.activity_calls import Call, Done
from holdpoint.models.contracts import UNDO
from holdpoint.models.errors import (
    AccessDenied,
    Conflict,
    HoldpointError,
    InvalidChange,
    NotFound,
    PolicyBundle,
    SettingsError,
    StepConfig,
    UpstreamRateLimited,
    UpstreamUnavailable,
)
from holdpoint.models.record import EntryDraft, Record

AT = datetime(2026, 3, 2, tzinfo=UTC)
CALL = Call(
    ticket="chg-1",
    record=Record(
        ticket="chg-1", entries=[EntryDraft(key="k", kind="phase.entered", actor="holdpoint", at=AT)]
    ),
)


class Activity(ActivityInboundInterceptor):
    """The end of the chain: what the activity itself does."""

    def __init__(self, ledger: Ledger, error: Exception | None = None) -> None:
        self._ledger, self._error = ledger, error
        self.seen: list[int] = []

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        self.seen.append(len(self._ledger.read_now(entries.entries_of, "chg-1")))
        if self._error is not None:
            raise self._error
        return Done()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.migrate()
    yield made
    made.close()


async def run(ledger: Ledger, end: Activity, *, name: str = "schedule", call: Any = CALL) -> Any:
    chain = RecordingInterceptor(ledger).intercept_activity(end)

    @activity.defn(name=name)
    async def nothing() -> Any:
        return await chain.execute_activity(
            ExecuteActivityInput(fn=nothing, args=[call], executor=None, headers={})
        )

    environment = ActivityEnvironment()
    environment.info = environment.info.__class__(**{**environment.info.__dict__, "activity_type": name})
    return await environment.run(nothing)


async def test_record_is_in_the_ledger_before_the_activity_runs(ledger: Ledger) -> None:
    end = Activity(ledger)

    await run(ledger, end)

    assert end.seen == [1]


@pytest.mark.parametrize("kind", sorted(WORDS))
async def test_a_persons_word_is_not_taken_from_a_workflow(ledger: Ledger, kind: str) -> None:
    draft = EntryDraft(key="forged", kind=kind, actor="approver", at=AT, body={"by": "approver"})
    call = Call(ticket="chg-1", record=Record(ticket="chg-1", entries=[draft]))
    end = Activity(ledger)

    with pytest.raises(ApplicationError, match="a person's word") as caught:
        await run(ledger, end, call=call)

    assert caught.value.non_retryable
    assert (end.seen, ledger.read_now(entries.entries_of, "chg-1")) == ([], [])


async def test_record_of_a_repeated_attempt_is_there_once(ledger: Ledger) -> None:
    end = Activity(ledger)

    await run(ledger, end)
    await run(ledger, end)

    assert end.seen == [1, 1]


async def test_undo_does_not_wait_for_the_record(ledger: Ledger) -> None:
    end = Activity(ledger)

    await run(ledger, end, name=UNDO.name)

    assert end.seen == [0]


async def test_activity_does_not_run_while_its_record_cannot_be_kept(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: Any, **__: Any) -> None:
        raise UpstreamUnavailable("The ledger did not answer.")

    monkeypatch.setattr(ledger, "write", down)
    end = Activity(ledger)

    with pytest.raises(ApplicationError) as caught:
        await run(ledger, end)

    assert end.seen == []
    assert not caught.value.non_retryable


async def test_call_without_a_record_just_runs(ledger: Ledger) -> None:
    assert await run(ledger, Activity(ledger), call=Call(ticket="chg-1")) == Done()


async def test_error_leaves_without_its_cause(ledger: Ledger) -> None:
    error = Conflict("It moved.")
    error.__cause__ = RuntimeError("password=hunter22")

    with pytest.raises(ApplicationError) as caught:
        await run(ledger, Activity(ledger, error))

    assert caught.value.__cause__ is None
    assert caught.value.type == "conflict"


async def test_mistake_of_ours_is_left_as_it_is(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError):
        await run(ledger, Activity(ledger, ZeroDivisionError()))


@pytest.mark.parametrize(
    "error", [InvalidChange, NotFound, Conflict, AccessDenied, StepConfig, PolicyBundle, SettingsError]
)
def test_permanent_error_is_not_tried_again(error: type[HoldpointError]) -> None:
    made = converted(error("No."))

    assert (made.type, made.non_retryable) == (error.code, True)


@pytest.mark.parametrize("error", [UpstreamUnavailable, UpstreamRateLimited])
def test_transient_error_is_tried_again_when_the_upstream_said(error: type[Any]) -> None:
    made = converted(error("Wait.", retry_after=7, upstream="policy"))

    assert (made.type, made.non_retryable) == (error.code, False)
    assert made.next_retry_delay == timedelta(seconds=7)
    assert made.details == ({"upstream": "policy"},)


def test_message_is_truncated_and_redacted() -> None:
    made = converted(Conflict("Authorization: Bearer abcdefghijklmnop " + "x" * 9000))

    assert "abcdefghijklmnop" not in made.message
    assert len(made.message) <= LONGEST_MESSAGE
