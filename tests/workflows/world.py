"""A world without an outside: activities keep the contracts in memory, and tickets run against them.

Each ticket has a world of its own, found by the ticket's ID; so one worker serves every test of a session.
"""

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState, UpdateWorkflowExecutionLifecycleStage
from temporalio.api.update.v1 import UpdateRef, WaitPolicy
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from holdpoint.models import contracts
from holdpoint.models.activity_calls import (
    Call,
    CheckReport,
    JudgeCall,
    Judgement,
    PostcheckCall,
)
from holdpoint.models.base import Model
from holdpoint.models.contracts import Named, rollout_workflow, ticket_workflow
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import TicketView
from holdpoint.models.workflow_messages import RolloutResult, RolloutState, TicketStart, Wake
from tests.workflows.builders import a_start, a_verdict, down
from tests.workflows.usual import usual

R = TypeVar("R")
QUEUE = "holdpoint-tests"
PATIENCE = 20.0
"""Seconds of real time after which something that a test waits for will not come any more."""
RUNNING = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
LAST = (contracts.ARCHIVE.name, contracts.FINISH.name)

_numbers = count(1)
WORLDS: dict[str, "World"] = {}


class World:
    """The ledger's view of one ticket, what every activity was asked, and what each is to answer."""

    def __init__(self, env: WorkflowEnvironment, queue: str = QUEUE, ticket: str | None = None) -> None:
        self.env, self.queue = env, queue
        self.ticket = ticket or f"chg-{next(_numbers):010d}"
        self.calls: list[tuple[str, Any]] = []
        self.entries: dict[str, EntryDraft] = {}
        self.view: dict[str, Any] = {}
        self.targets: dict[str, dict[str, Any]] = {}
        self.ledger_is_down = False
        self.answers: dict[str, Any] = {}
        self.hanging, self._released = 0, False
        self._changed = asyncio.Event()
        self.handles: list[WorkflowHandle[Any, Any]] = []
        WORLDS[self.ticket] = self

    # What activities do

    async def answer(self, name: str, call: Any) -> Any:
        """Record what the call carries as the ledger would, then answer as scripted or as usual."""
        if self.ledger_is_down and name != contracts.UNDO.name:
            raise down("The ledger")
        self.calls.append((name, call))
        if name in LAST:
            # A workflow that closes while an activity runs keeps the test server from skipping for ever.
            await self.until(lambda: self.hanging == 0)
        if call.record is not None and name != contracts.UNDO.name:
            self.append(call.record)
        self._stir()
        answer = self.answers.get(name, usual(name, call))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(call)
        if inspect.isawaitable(answer):
            answer = await answer
        self._stir()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def hang(self, call: Any) -> Any:
        """Be busy until cancelled, as an activity that waits for something outside; each beat may tell it."""
        self.hanging += 1
        try:
            while not self._released:
                activity.heartbeat()
                # Each beat may bring a cancellation, so there must be many.
                await asyncio.sleep(0.02)
            return usual(activity.info().activity_type, call)
        finally:
            self.hanging -= 1

    def release(self) -> None:
        """Let what hangs go on, and end well."""
        self._released = True

    async def judging_for_as_long_as_asked(self, call: JudgeCall) -> Judgement:
        """Judge as the real activity does: it watches for its whole window, in real time."""
        # The activity is replaced by its length: it really takes the time that it watches.
        await asyncio.sleep(min(call.window, 0.5))
        judgement = a_verdict(weight=call.weight)
        report = CheckReport(passed=True, checks=[]) if call.snapshot else None
        return judgement.model_copy(update={"report": report})

    async def looking_after_as_long_as_asked(self, call: PostcheckCall) -> CheckReport:
        """Look at the end of Verifying as the real activity does: it lets its seconds pass, in real time."""
        await asyncio.sleep(min(call.after, 0.5))
        return CheckReport(passed=True, checks=[])

    def append(self, record: Record) -> None:
        """Append as the ledger does: by key, and the patch only if the last entry is new."""
        new = record.entries[-1].key not in self.entries
        for entry in record.entries:
            self.entries.setdefault(entry.key, entry)
        if new:
            of_each = record.patch.get("targets", {})
            self.view |= {name: value for name, value in record.patch.items() if name != "targets"}
            for target, patch in of_each.items():
                self.targets.setdefault(target, {}).update(patch)

    def _stir(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # What tests ask

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of all entries, in order."""
        return [entry.kind for entry in self.entries.values()]

    @property
    def phases(self) -> list[str]:
        """Return the phases that the ledger was told, in order."""
        return [entry.body["phase"] for entry in self.entries.values() if entry.kind == "phase.entered"]

    @property
    def names(self) -> list[str]:
        """Return the names of all activities that were asked, in order."""
        return [name for name, _ in self.calls]

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """Return the bodies of all entries of a kind."""
        return [entry.body for entry in self.entries.values() if entry.kind == kind]

    def calls_of(self, named: Named[Any, Any]) -> list[Any]:
        """Return what an activity was asked, each time."""
        return [call for name, call in self.calls if name == named.name]

    def held_by(self) -> set[str]:
        """Return the codes of the holds that the ledger shows."""
        return {hold["code"] for hold in self.view.get("holds", [])}

    async def until(self, true: Callable[[], bool], what: str = "") -> None:
        """Wait until something is true of this world; every activity is a moment to look."""
        async with asyncio.timeout(PATIENCE):
            while not true():
                changed = self._changed
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), 0.2)

    async def enters(self, phase: Phase) -> None:
        """Wait until the ledger has been told that the ticket is in a phase."""
        await self.until(lambda: self.view.get("phase") == phase.value, phase.value)

    async def is_held(self, code: str) -> None:
        """Wait until the ledger shows a hold."""
        await self.until(lambda: code in self.held_by())

    async def is_free(self) -> None:
        """Wait until the ledger shows no hold."""
        await self.until(lambda: not self.held_by())

    async def asked(self, named: Named[Any, Any], times: int = 1) -> None:
        """Wait until an activity was asked so often."""
        await self.until(lambda: len(self.calls_of(named)) >= times)

    # What tests do

    @property
    def client(self) -> Client:
        """Return the client of the test's server."""
        return self.env.client

    async def submit(self, **changes: Any) -> WorkflowHandle[Any, Any]:
        """Start the ticket's workflow."""
        start = a_start(self.ticket, **changes)
        return await self.run(contracts.CHANGE_TICKET, start, ticket_workflow(self.ticket))

    async def submit_as_the_door_does(self) -> None:
        """Start the ticket's workflow with search attributes, for a server on which they are registered."""
        start = a_start(self.ticket)
        pairs = ((contracts.SEARCH_SERVICE, start.service), (contracts.SEARCH_ENVIRONMENT, start.environment))
        attributes = [SearchAttributePair(SearchAttributeKey.for_keyword(key), value) for key, value in pairs]
        handle = await self.client.start_workflow(
            contracts.CHANGE_TICKET.name,
            start,
            id=ticket_workflow(self.ticket),
            task_queue=self.queue,
            result_type=Phase,
            search_attributes=TypedSearchAttributes(attributes),
        )
        self.handles.append(handle)

    async def run(self, named: Named[Any, R], start: Model, id: str) -> WorkflowHandle[Any, R]:
        """Start a workflow on the test's task queue."""
        handle: WorkflowHandle[Any, R] = await self.client.start_workflow(
            named.name, start, id=id, task_queue=self.queue, result_type=named.result
        )
        self.handles.append(handle)
        return handle

    @property
    def of_ticket(self) -> WorkflowHandle[Any, Any]:
        """Return the ticket's handle."""
        return self.client.get_workflow_handle(ticket_workflow(self.ticket), result_type=Phase)

    @property
    def of_rollout(self) -> WorkflowHandle[Any, Any]:
        """Return the rollout's handle."""
        target = f"sandbox/default/{self.ticket}"
        return self.client.get_workflow_handle(rollout_workflow(target), result_type=RolloutResult)

    def rollout_on(self, target: str) -> WorkflowHandle[Any, Any]:
        """Return the handle of the rollout on one of many targets."""
        return self.client.get_workflow_handle(rollout_workflow(target), result_type=RolloutResult)

    async def tell(self, named: Named[Any, R], argument: Model, id: str | None = None) -> R:
        """Send an update to the ticket and return its answer."""
        await self.settles()
        answer: R = await self.of_ticket.execute_update(named.name, argument, id=id, result_type=named.result)
        return answer

    async def admitted(self, update: str) -> None:
        """Return when the server has an update that no worker has seen yet."""
        ref = UpdateRef(workflow_execution=WorkflowExecution(workflow_id=self.of_ticket.id), update_id=update)
        stage = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED
        ask = PollWorkflowExecutionUpdateRequest(
            namespace=self.client.namespace, update_ref=ref, wait_policy=WaitPolicy(lifecycle_stage=stage)
        )
        async with asyncio.timeout(10):
            while True:
                try:
                    await self.client.workflow_service.poll_workflow_execution_update(ask)
                except RPCError as error:
                    if error.status is not RPCStatusCode.NOT_FOUND:
                        raise
                    await asyncio.sleep(0.02)  # the history does not show it, and nothing else tells
                else:
                    return

    async def state(self) -> TicketView:
        """Return what the ticket says about itself."""
        view: TicketView = await self.of_ticket.query(contracts.QUERY_STATE, result_type=TicketView)
        return view

    async def rollout_state(self) -> RolloutState:
        """Return what the rollout says about itself."""
        state: RolloutState = await self.of_rollout.query(contracts.QUERY_STATE, result_type=RolloutState)
        return state

    async def wake(self) -> None:
        """Wake ticket and rollout, as the ledger's outbox does."""
        await self.settles()
        for handle in (self.of_ticket, self.of_rollout):
            with suppress(RPCError):
                await handle.signal(contracts.SIGNAL_WAKE, Wake(cause="test"))

    async def settles(self) -> None:
        """Return when no activity is about to end, where the server's clock skips.

        A word may cancel an activity. One that ends in the same moment costs that server the workflow task
        ("ACTIVITY_UNKNOWN"), and it never skips again. A real server takes it well.
        """
        if not self.env.supports_time_skipping or activity.in_activity():
            return
        async with asyncio.timeout(PATIENCE):
            # The server tells nobody that it has an activity's answer, so it is asked.
            while await self._ending() > self.hanging:  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.01)

    async def _ending(self) -> int:
        """Return how many activities run, or begin for the first time."""
        found = 0
        for handle in (self.of_ticket, self.of_rollout, *map(self.rollout_on, self.targets)):
            with suppress(RPCError):
                raw = (await handle.describe()).raw_description
                found += sum(at.attempt <= 1 or at.state == RUNNING for at in raw.pending_activities)
        return found

    async def pass_time(self, **span: float) -> None:
        """Let so much time pass on the test's server."""
        await self.env.sleep(timedelta(**span))

    async def ends(self) -> Phase:
        """Return the phase that the ticket ends in, letting time pass as needed."""
        # Only a handle that came from a start lets the server's clock skip.
        async with asyncio.timeout(PATIENCE):
            phase: Phase = await self.handles[0].result()
        return phase

    async def end_at_once(self) -> None:
        """Leave nothing behind on a real server."""
        self.release()
        for handle in (self.of_ticket, self.of_rollout, *map(self.rollout_on, self.targets), *self.handles):
            with suppress(RPCError):
                await handle.terminate("the test is over")

    async def close(self) -> None:
        """Let everything go well until the end, so that nothing goes on in the next test.

        Nothing is stopped: the server never skips again after a terminate with an activity in flight, and
        loses a workflow task that cancels an activity which ends in the same moment.
        """
        self.answers.clear()
        self.ledger_is_down = False
        self.release()
        async with asyncio.timeout(PATIENCE):
            for handle in self.handles:
                with suppress(WorkflowFailureError):
                    await handle.result()


def fakes() -> list[Callable[..., Any]]:
    """Return one activity for each contract."""
    return [_fake(named) for named in contracts.ACTIVITIES]


def _fake(named: Named[Any, Any]) -> Callable[..., Any]:
    async def fake(call: Call) -> Any:
        return await WORLDS[call.ticket].answer(named.name, call)

    fake.__annotations__ = {"call": named.argument, "return": named.result}
    return activity.defn(name=named.name)(fake)


def a_ticket_start(world: World, **changes: Any) -> TicketStart:
    """Return the start of a world's ticket."""
    return a_start(world.ticket, **changes)
