"""The clerk of one workflow: carries out its activities, and keeps its record on the way.

What is to be recorded waits here and travels as part of the next activity's argument, so that recording
costs no activity of its own (design decision 15). It stays here until an activity that carried it has
answered, so that a failed one loses nothing; the ledger knows each entry by its key, so that a second
appending does no harm.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, CancelledError

from holdpoint.models.activity_calls import Call
from holdpoint.models.contracts import RECORD, UNDO, Named
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import Hold
from workflows.failures import Broken, Outage, Overdue, Stopped, of_activity, seconds
from workflows.holds import OUTAGE, Holds
from workflows.limits import LIMITS, Limit, pause_after

A = TypeVar("A", bound=Call)
R = TypeVar("R")

HOLDPOINT = "holdpoint"
"""The actor of what nobody but the product itself did."""


class Waiting(NamedTuple):
    """An entry that is not recorded yet, with the part of the ticket's view that changes with it."""

    draft: EntryDraft
    patch: dict[str, Any]


class Clerk:
    """Speaks to activities for one ticket. `stop` says whether what can be interrupted must end now.

    With a `target`, one of many, every entry names it, and what changes in the view is of that target.
    """

    def __init__(self, ticket: str, *, stop: Callable[[], bool], target: str | None = None) -> None:
        self.ticket, self.stop, self.target = ticket, stop, target
        self.holds = Holds()
        self.wakes = 0
        self._waiting: list[Waiting] = []
        self._fresh = False
        self._numbered = 0
        self.on_stir: Callable[[], Awaitable[None]] | None = None
        self.stirred: Callable[[], bool] = lambda: False
        self.also: Callable[[], dict[str, Any]] = dict

    # The record

    def note(
        self, kind: str, body: dict[str, Any] | None = None, *, by: str = HOLDPOINT, **patch: Any
    ) -> None:
        """Have an entry recorded; `patch` replaces fields of the ticket's view with it."""
        self._numbered += 1
        key = f"{workflow.info().run_id}/{self._numbered}"
        body = {"target": self.target, **(body or {})} if self.target else body or {}
        draft = EntryDraft(key=key, kind=kind, actor=by, at=workflow.now(), body=body)
        self._waiting.append(Waiting(draft, patch))
        self._fresh = True

    def carry(self, drafts: list[EntryDraft]) -> None:
        """Have entries recorded that someone else drafted, such as a deferred undo's."""
        self._waiting += [Waiting(draft, {}) for draft in drafts]
        self._fresh = self._fresh or bool(drafts)

    def place(self, key: str, hold: Hold, *, ends: datetime) -> None:
        """Place a hold, and have it recorded if it is news."""
        if self.holds.place(key, hold, ends=ends, now=workflow.now()):
            body = self.holds[key].model_dump(mode="json", exclude={"by"})
            self.note("hold.placed", body, by=hold.by, holds=self._shown(), **self.also())

    def lift(self, key: str, *, by: str = HOLDPOINT) -> None:
        """Lift a hold, if it is there, and have that recorded."""
        hold = self.holds.lift(key, now=workflow.now())
        if hold is not None:
            body = {"code": hold.code.value, "ref": hold.ref, "since": hold.since.isoformat()}
            self.note("hold.lifted", body, by=by, holds=self._shown(), **self.also())

    def lift_all(self) -> None:
        """Lift every hold: the stage that they were on is over."""
        for key in self.holds.named():
            self.lift(key)

    def _shown(self) -> list[dict[str, Any]]:
        return [hold.model_dump(mode="json") for hold in self.holds.shown()]

    # Activities

    async def carry_out(
        self,
        named: Named[A, R],
        call: A,
        *,
        summary: str,
        limit: Limit | None = None,
        priority: int | None = None,
        stoppable: bool = True,
        until: Callable[[], bool] | None = None,
    ) -> R:
        """Return an activity's result after one round of attempts.

        Raises Stopped if it was cancelled because `stop` or `until` came true, Outage or Broken if it failed.
        """
        sent = list(self._waiting) if named.name != UNDO.name else []
        self._fresh = self._fresh and not sent
        handle = workflow.start_activity(
            named.name,
            call.model_copy(update={"record": self.record(sent)}),
            result_type=named.result,
            summary=summary,
            priority=Priority(priority_key=priority) if priority else Priority.default,
            **(limit or LIMITS[named.name]).options(),
        )

        def enough() -> bool:
            return (stoppable and self.stop()) or (until is not None and until())

        while not handle.done():
            await workflow.wait_condition(lambda: handle.done() or enough() or self._to_attend())
            if handle.done():
                break
            if enough():
                handle.cancel()
                await workflow.wait_condition(handle.done)
            else:
                await self.attend()
        if handle.cancelled():
            raise Stopped
        try:
            result: R = handle.result()
        except ActivityError as error:
            if isinstance(error.cause, CancelledError):
                raise Stopped from error
            raise of_activity(named.name, error) from error
        self._recorded(sent)
        return result

    async def insist(
        self,
        named: Named[A, R],
        call: A,
        *,
        summary: str,
        bound: timedelta,
        idle: Callable[[timedelta], Awaitable[None]] | None = None,
        limit: Limit | None = None,
        stoppable: bool = True,
        **options: Any,
    ) -> R:
        """Return an activity's result, however many rounds it takes; an outage is shown as a hold meanwhile.

        Raises Overdue when the outage has lasted for `bound`, else as `carry_out`.
        """
        limit = limit or LIMITS[named.name]
        while True:
            try:
                result = await self.carry_out(
                    named, call, summary=summary, limit=limit, stoppable=stoppable, **options
                )
            except Outage as outage:
                if stoppable and self.stop():
                    raise Stopped from outage  # what was to be stopped has ended; nobody waits for it
                self.place_outage(outage, bound)
            else:
                self.lift(OUTAGE)
                return result
            if (overdue := self.holds.overdue(workflow.now())) is not None:
                raise Overdue(overdue)
            away = workflow.now() - self.holds[OUTAGE].since
            await (idle or self._idle(stoppable))(pause_after(away))
            limit = limit.once()

    async def flush(self, *, limit: Limit | None = None, stoppable: bool = False) -> bool:
        """Have what waits recorded now, because no activity follows soon; return whether all of it is.

        A ledger that is down is tolerated: the entries wait on, and the hold is shown by the query.
        """
        if not self._waiting:
            return True
        self._fresh = False
        kinds = ", ".join(dict.fromkeys(waiting.draft.kind for waiting in self._waiting))
        call = Call(ticket=self.ticket)
        try:
            await self.carry_out(
                RECORD, call, summary=f"Record {kinds}"[:200], limit=limit, stoppable=stoppable
            )
        except Outage:
            return False
        return not self._waiting

    @property
    def behind(self) -> timedelta:
        """Return for how long the oldest of what waits has waited to be recorded."""
        return workflow.now() - min((one.draft.at for one in self._waiting), default=workflow.now())

    @property
    def fresh(self) -> bool:
        """Tell whether something was noted since the last flush began."""
        return self._fresh and bool(self._waiting)

    def _to_attend(self) -> bool:
        return self.on_stir is not None and self.stirred()

    async def attend(self) -> None:
        """See to what came up, perhaps while an activity is in flight; this is not itself disturbed."""
        attend, self.on_stir = self.on_stir, None
        try:
            if attend is not None:
                await attend()
        except (Stopped, Outage, Broken):
            return  # what is in flight goes on; a stop is seen by whoever waits, and what is noted waits on
        finally:
            self.on_stir = attend

    def record(self, sent: list[Waiting] | None = None) -> Record | None:
        """Return what waits as one record; None if nothing does."""
        sent = self._waiting if sent is None else sent
        if not sent:
            return None
        patch: dict[str, Any] = {}
        for waiting in sent:
            patch |= waiting.patch
        if self.target and patch:
            patch = {"targets": {self.target: patch}}
        return Record(ticket=self.ticket, entries=[waiting.draft for waiting in sent], patch=patch)

    def take_over(self, record: Record | None) -> None:
        """Have recorded what waited in the workflow that started this one."""
        if record is not None and record.entries:
            *earlier, last = record.entries
            self._waiting += [Waiting(draft, {}) for draft in earlier] + [Waiting(last, record.patch)]

    def remember(self) -> dict[str, Any]:
        """Return what waits, and the holds, as plain values, for the next run of a continued ticket."""
        waiting = [{"draft": draft.model_dump(mode="json"), "patch": patch} for draft, patch in self._waiting]
        return {"waiting": waiting, "holds": self.holds.remember()}

    def recall(self, memory: dict[str, Any], *, now: datetime) -> None:
        """Take over what `remember` returned."""
        for kept in memory["waiting"]:
            self._waiting.append(Waiting(EntryDraft.model_validate(kept["draft"]), kept["patch"]))
        self.holds.recall(memory["holds"], now=now)

    def _recorded(self, sent: list[Waiting]) -> None:
        keys = {waiting.draft.key for waiting in sent}
        self._waiting = [waiting for waiting in self._waiting if waiting.draft.key not in keys]

    def place_outage(self, outage: Outage, bound: timedelta, key: str = OUTAGE) -> None:
        """Show that something outside does not answer."""
        now = workflow.now()
        lift = "the part that does not answer; it is tried again and again"
        hold = Hold(code=outage.code, message=outage.message[:500], by=HOLDPOINT, since=now, lift=lift)
        self.place(key, hold, ends=now + bound)

    def _idle(self, stoppable: bool) -> Callable[[timedelta], Awaitable[None]]:
        async def idle(pause: timedelta) -> None:
            seen = self.wakes
            await wait(
                lambda: self.wakes > seen or (stoppable and self.stop()),
                pause,
                "Ask again what did not answer",
            )

        return idle


async def wait(ready: Callable[[], bool], longest: timedelta, summary: str) -> bool:
    """Wait on a durable timer until `ready`, at most so long; return whether it is ready by then."""
    if ready():
        return True
    if seconds(longest) > 0:
        with suppress(TimeoutError):
            await workflow.wait_condition(ready, timeout=longest, timeout_summary=summary)
    return ready()
