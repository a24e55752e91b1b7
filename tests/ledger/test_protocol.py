"""The protocol against a model of a few lines, in any order that Hypothesis can think of."""

from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from holdpoint.ledger import derived, entries, freezes, head, intents, targets
from holdpoint.ledger.canonical import parse
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import Conflict
from holdpoint.models.record import (
    AlreadyClosed,
    Freeze,
    Intent,
    IntentRequest,
    LeftOpen,
    Opened,
    OpenOutcome,
    Refused,
    Scope,
)
from tests.ledger.databases import Databases

SERVICES = ("shop", "pay")
TYPES = ("standard", "emergency")
RUNS = {"shop": ("run-1", "run-2"), "pay": ("run-3",)}
TICKETS = {"run-1": "chg-1", "run-2": "chg-1", "run-3": "chg-3"}

services = st.sampled_from(SERVICES)
runs = st.sampled_from(sorted(TICKETS))
keys = st.sampled_from("ab")
types = st.sampled_from(TYPES)
directions = st.sampled_from(["forward", "undo"])
scopes = st.sampled_from([Scope(everything=True), *(Scope(service=name) for name in SERVICES)])


class Protocol(RuleBasedStateMachine):
    """The ledger beside plain dictionaries that say what it must answer."""

    databases: ClassVar[Databases]
    a_request: ClassVar[Callable[..., IntentRequest]]

    def __init__(self) -> None:
        super().__init__()
        self._url = self.databases.fresh()
        self._ledger = Ledger(self._url)
        self._holder: dict[str, str | None] = dict.fromkeys(SERVICES)
        self._dirty: dict[str, bool] = dict.fromkeys(SERVICES, False)
        self._freezes: dict[str, Freeze] = {}
        self._intents: dict[str, tuple[str, int]] = {}
        self._epoch = 0

    def teardown(self) -> None:
        self._ledger.close()
        self.databases.drop(self._url)

    def _request(self, run: str, key: str, direction: str, change_type: str) -> IntentRequest:
        service = next(name for name, of in RUNS.items() if run in of)
        changes = {"run": run, "ticket": TICKETS[run], "target": service, "service": service}
        return type(self).a_request(key, direction=direction, change_type=change_type, **changes)

    def _refusal(self, request: IntentRequest) -> str | None:
        if self._holder[request.service] != request.run:
            return "not_holder"
        about = {"service": request.service, "environment": request.environment}
        stopped = any(f.stops(**about, change_type=request.change_type) for f in self._freezes.values())
        return "frozen" if stopped and request.direction == "forward" else None

    def _expect_opened(self, outcome: OpenOutcome, request: IntentRequest, attempt: int) -> None:
        refusal = self._refusal(request)
        if refusal is not None:
            assert isinstance(outcome, Refused)
            assert outcome.code == refusal
            return
        assert isinstance(outcome, Opened)
        assert outcome.intent.attempt == attempt
        self._intents[request.id] = ("open", attempt)
        if request.direction == "forward":
            self._dirty[request.service] = True

    @rule(run=runs, key=keys, direction=directions, change_type=types)
    def open(self, run: str, key: str, direction: str, change_type: str) -> None:
        request = self._request(run, key, direction, change_type)
        outcome = self._ledger.write_now(intents.open_intent, request)
        known = self._intents.get(request.id)
        if known is None:
            self._expect_opened(outcome, request, 1)
        else:
            assert isinstance(outcome, AlreadyClosed if known[0] == "done" else LeftOpen)

    def _some(self, data: st.DataObject) -> Intent | None:
        if not self._intents:
            return None
        return self._ledger.read_now(intents.get_intent, data.draw(st.sampled_from(sorted(self._intents))))

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        if (intent := self._some(data)) is None:
            return
        outcome = self._ledger.write_now(intents.retry_intent, intent.id, "9", 5.0)
        status, attempt = self._intents[intent.id]
        if status == "done":
            assert isinstance(outcome, AlreadyClosed)
        else:
            self._expect_opened(outcome, intent.request, attempt + 1)

    @rule(data=st.data(), status=st.sampled_from(["done", "refused"]), of=st.sampled_from([None, 0, 1]))
    def close(self, data: st.DataObject, status: Any, of: int | None) -> None:
        """Answer the last attempt (0), the one before (1), or report an observation (None)."""
        if (intent := self._some(data)) is None:
            return
        before, last = self._intents[intent.id]
        attempt = None if of is None else max(1, last - of)
        self._ledger.write_now(intents.close_intent, intent.id, status=status, result={}, attempt=attempt)
        if (before == "open" and attempt in (None, last)) or (
            before in ("fenced", "refused") and attempt is None and status == "done"
        ):
            self._intents[intent.id] = (status, last)

    @rule(data=st.data())
    def fence(self, data: st.DataObject) -> None:
        if (intent := self._some(data)) is None:
            return
        self._ledger.write_now(intents.fence_intent, intent.id, by="frz")
        status, attempt = self._intents[intent.id]
        self._intents[intent.id] = ("fenced" if status == "open" else status, attempt)

    @rule(scope=scopes, except_types=st.lists(types, max_size=1))
    def freeze(self, scope: Scope, except_types: list[str]) -> None:
        told: dict[str, Any] = {"scope": scope, "reason": "INC", "by": "commander", "until": None}
        made = self._ledger.write_now(freezes.create_freeze, **told, except_types=except_types)
        self._freezes[made.id] = made
        self._epoch += 1

    @rule(data=st.data())
    def lift(self, data: st.DataObject) -> None:
        if self._freezes:
            freeze = data.draw(st.sampled_from(sorted(self._freezes)))
            self._ledger.write_now(freezes.lift_freeze, freeze, by="commander", reason="over")
            del self._freezes[freeze]
            self._epoch += 1

    @rule(run=runs, mode=st.sampled_from(["forward", "undo"]))
    def take_target(self, run: str, mode: str) -> None:
        service = next(name for name, of in RUNS.items() if run in of)
        told: dict[str, Any] = {
            "target": service,
            "ticket": TICKETS[run],
            "run": run,
            "rollout": {"mode": mode},
        }
        holds = self._holder[service] == run
        try:
            self._ledger.write_now(targets.take_target, **told)
        except Conflict:
            assert self._dirty[service]
            assert mode == "forward"
            assert not holds
        else:
            assert holds or mode == "undo" or not self._dirty[service]
            self._holder[service] = run
            self._epoch += not holds

    @rule(run=runs, clean=st.booleans())
    def release(self, run: str, clean: bool) -> None:
        service = next(name for name, of in RUNS.items() if run in of)
        left = self._ledger.read_now(intents.open_intents, target=service)
        holds = self._holder[service] == run
        try:
            self._ledger.write_now(targets.release_target, target=service, run=run, clean=clean)
        except Conflict:
            assert holds
            assert clean
            assert left
            return
        assert not (holds and clean and left)
        if holds:
            self._holder[service] = None
            self._dirty[service] = self._dirty[service] and not clean
            self._epoch += 1

    @invariant()
    def the_rows_are_what_the_model_says(self) -> None:
        for id, (status, attempt) in self._intents.items():
            row = self._ledger.read_now(intents.get_intent, id)
            assert (row.status, row.attempt) == (status, attempt)
        for service in SERVICES:
            target = self._ledger.read_now(targets.get_target, service)
            assert (target.dirty if target else False) == self._dirty[service]
        assert self._ledger.read_now(head.read).epoch == self._epoch

    @invariant()
    def the_entries_alone_tell_the_same(self) -> None:
        told = self._ledger.read_now(entries.entries_after, 0, None, 10_000)
        assert [entry.seq for entry in told] == list(range(1, len(told) + 1))
        listed = derived.intents_of_entries([parse(entry.raw) for entry in told])
        assert {i["id"]: (i["status"], len(i["attempts"])) for i in listed} == self._intents


def test_no_order_of_verbs_breaks_the_protocol(
    databases: Databases, a_request: Callable[..., IntentRequest]
) -> None:
    Protocol.databases, Protocol.a_request = databases, staticmethod(a_request)
    run_state_machine_as_test(
        Protocol,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
