"""Watching what stands at a weight: bake, analysis, and the hold while there is no verdict that decides.

Held time is not bake. What is held is still judged, and a `fail` undoes it all the same (design decisions
17, 18).
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

from holdpoint.models.activity_calls import CheckReport, JudgeCall
from holdpoint.models.base import Digest
from holdpoint.models.contracts import JUDGE
from holdpoint.models.plan import PlannedStep
from holdpoint.models.ticket import Hold, HoldCode, Reason, Verdict, VerdictCode
from workflows.failures import Fallen, Outage, Stopped, seconds
from workflows.holds import ANALYSIS, OUTAGE_OF_JUDGE
from workflows.limits import (
    CLOCK_SLACK,
    FIRST_WINDOW,
    HELD_WINDOW,
    LIMITS,
    LONGEST_HELD_WINDOW,
    LONGEST_WINDOW,
    SHORTEST_WINDOW,
    WINDOWS_PER_BAKE,
)
from workflows.record_keeping import HOLDPOINT
from workflows.rollout_state import RolloutWork

HELD_BY = {
    VerdictCode.NO_DATA: HoldCode.NO_DATA,
    VerdictCode.LOW_SAMPLE: HoldCode.LOW_SAMPLE,
    VerdictCode.INCONCLUSIVE: HoldCode.INCONCLUSIVE,
    VerdictCode.PROVIDER_DOWN: HoldCode.PROVIDER_DOWN,
    VerdictCode.SUSPECT_POD: HoldCode.INCONCLUSIVE,
}


class Watch:
    """What stands at one weight: since when it is watched, and how much of that was bake.

    `began` is when the step's first weight was reached: the comparison with stable goes over all weights.
    With a `snapshot`, the verdict that ends it may bring a `report` whether all is still as it was applied.
    """

    def __init__(
        self,
        work: RolloutWork,
        step: PlannedStep | None,
        weight: float,
        bake: float,
        *,
        began: datetime | None = None,
        snapshot: Digest | None = None,
    ) -> None:
        self.work, self.step, self.weight, self.bake = work, step, weight, bake
        self.snapshot = snapshot
        self.report: CheckReport | None = None
        self.since = workflow.now()
        self.began = began
        self._held_before = work.clerk.holds.held(self.since)
        work.overruled = False  # a person's word is on one watch

    def baked(self) -> float:
        """Return for how many seconds it has baked without being held."""
        now = workflow.now()
        held = self.work.clerk.holds.held(now) - self._held_before
        return seconds(now - self.since - held)

    async def until_passed(self) -> None:
        """Return when it has baked, passed, and nothing holds it.

        Raises Fallen on a `fail`, Stopped, and Overdue when a hold reaches its bound.
        """
        while not self._passed(await self.look(self._window())):
            self.work.check()
            if self.work.missed:  # the ledger did not say whether somebody has decided
                self.work.missed, self.work.unheard = False, True

    @property
    def over(self) -> bool:
        """Tell whether it has baked, and nothing holds it; what was judged is not asked for again."""
        return (self.work.overruled or self.baked() >= self.bake) and not self.work.clerk.holds

    def _passed(self, verdict: Verdict | None) -> bool:
        if self.work.start.analysis is None or self.work.overruled:
            return self.over
        return self.over and verdict is not None and verdict.verdict is VerdictCode.PASS

    async def look(self, window: float) -> Verdict | None:
        """Judge for at most so many seconds, place or lift the analysis hold, and return the verdict.

        Returns None if there is nothing to judge by, or if the holds were lifted meanwhile. A verdict that
        decides nothing is not asked for again before the window is over.
        """
        began = workflow.now()
        verdict = await self._judge(window, self._release())
        if not self._passed(verdict):
            await self._rest(began, window, self._release())
        return verdict

    async def glance(self, longest: timedelta, ready: Callable[[], bool]) -> None:
        """Judge once more while something holds the rollout, for at most so long or until `ready`."""
        window = max(SHORTEST_WINDOW, min(self._window(), seconds(longest)))
        began = workflow.now()
        await self._judge(window, ready)
        await self._rest(began, window, ready)

    def _release(self) -> Callable[[], bool]:
        """Return what tells whether the holds of this moment are all gone."""
        holds = self.work.clerk.holds
        held = bool(holds)
        return lambda: held and not holds

    async def _rest(self, began: datetime, window: float, ready: Callable[[], bool]) -> None:
        left = began + timedelta(seconds=min(window, self._window())) - workflow.now()
        await self.work.pass_time(left, ready, self._summary())

    async def _judge(self, window: float, released: Callable[[], bool]) -> Verdict | None:
        work, clerk, analysis = self.work, self.work.clerk, self.work.start.analysis
        if analysis is None:
            return None
        call = work.call(
            JudgeCall,
            step=self.step,
            weight=self.weight,
            since=self.since,
            began=self.began,
            deadline=self._deadline(),
            window=window + (CLOCK_SLACK if self.step else 0.0),
            analysis=analysis,
            snapshot=self.snapshot if window >= self.bake - self.baked() else None,
        )
        limit = LIMITS[JUDGE.name].over(call.window)
        limit = limit.once() if OUTAGE_OF_JUDGE in clerk.holds else limit
        try:
            judgement = await clerk.carry_out(
                JUDGE, call, summary=self._summary(), limit=limit, until=released
            )
        except Stopped:
            work.check()
            return None
        except Outage as outage:
            if not work.overruled:
                clerk.place_outage(outage, work.hold_bound, OUTAGE_OF_JUDGE)
            return None
        clerk.lift(OUTAGE_OF_JUDGE)
        self.report = judgement.report
        self._settle(judgement.verdict)
        return judgement.verdict

    def _settle(self, verdict: Verdict) -> None:
        """Act on a verdict: `fail` ends the rollout; without a verdict that decides it is held."""
        self.work.judged(verdict, since=self.since)
        if verdict.verdict is VerdictCode.FAIL:
            raise Fallen(Reason(code="analysis_failed", message=verdict.message))
        code = HELD_BY.get(verdict.verdict)
        if code is None or self.work.overruled or self.baked() < self._patience(verdict.verdict):
            self.work.clerk.lift(ANALYSIS)
        else:
            self._hold(code, verdict)

    def _patience(self, verdict: VerdictCode) -> float:
        """Return for how long it may bake under such a verdict before that holds it."""
        if verdict is VerdictCode.PROVIDER_DOWN:
            return 0.0
        return self._longest() if verdict is VerdictCode.INCONCLUSIVE else self.bake

    def _longest(self) -> float:
        """Return for how many seconds of bake a verdict is looked for; there is no deadline at 100 %."""
        analysis = self.work.start.analysis
        if self.step is None or analysis is None:
            return self.bake
        return analysis.deadline_after(self.bake)

    def _deadline(self) -> datetime | None:
        if self.step is None:
            return None
        held = self.work.clerk.holds.held(workflow.now()) - self._held_before
        return self.since + held + timedelta(seconds=self._longest())

    def _hold(self, code: HoldCode, verdict: Verdict) -> None:
        now: datetime = workflow.now()
        ticket = self.work.start.ticket
        lift = f"data that lets the analysis pass, holdpoint promote {ticket} or holdpoint rollback {ticket}"
        hold = Hold(code=code, message=verdict.message, by=HOLDPOINT, since=now, lift=lift)
        self.work.clerk.place(ANALYSIS, hold, ends=now + self.work.hold_bound)

    def _window(self) -> float:
        """Return how long one judge call watches now: what is left of the bake, in ever longer looks."""
        holds, age = self.work.clerk.holds, seconds(workflow.now() - self.since)
        left = self.bake - self.baked()
        first, longest = FIRST_WINDOW, LONGEST_WINDOW
        if self.work.start.analysis is None and not holds:
            return max(SHORTEST_WINDOW, left)
        if holds:
            left, longest = 0.0, LONGEST_HELD_WINDOW
            first = HELD_WINDOW if holds.without_a_verdict else FIRST_WINDOW
        cap = max(first, min(age / 10, longest), self.bake / WINDOWS_PER_BAKE)
        return max(SHORTEST_WINDOW, min(left, cap) if left > 0 else cap)

    def _summary(self) -> str:
        where = f"{self.step.name} at {self.weight:g} %" if self.step else "everything at 100 %"
        return f"Judge {where}"
