"""The checks that plan, catalog and policy ask for, one after the other, each with its bounded attempts.

Each attempt is an entry of the record. A check that fails and then passes is flaky: it passes, and that is
told, shown and recorded. Where nobody answers, the usual hold is shown and no attempt is counted.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from holdpoint.models.activity_calls import Check, CheckCall, CheckReport
from holdpoint.models.checks import CheckView, PlannedCheck, When
from holdpoint.models.contracts import CHECK
from workflows.limits import LIMITS, pause_before_attempt
from workflows.record_keeping import Clerk


@dataclass(frozen=True)
class Checker:
    """How one workflow runs checks: `pause` lets time pass between attempts, `idle` while nobody answers.

    `views` are all checks of the ticket as they are shown; what is found is written there.
    """

    clerk: Clerk
    when: When
    views: list[CheckView]
    bound: timedelta
    pause: Callable[[timedelta, str], Awaitable[None]]
    target: str = ""
    idle: Callable[[timedelta], Awaitable[None]] | None = None

    async def run(self, checks: list[PlannedCheck]) -> CheckReport:
        """Return what all of them say. Raises Stopped, Overdue, Broken."""
        found = [await self._one(check) for check in checks]
        return CheckReport(passed=all(check.passed for check in found), checks=found)

    async def _one(self, check: PlannedCheck) -> Check:
        """Try one check until it passes, or has failed as often as it may."""
        said, passed = list[str](), False
        while not passed and len(said) < check.attempts:
            if said:
                await self.pause(pause_before_attempt(len(said)), f"Check {check.name} again")
            passed, message = await self._attempt(check, len(said) + 1)
            said.append(message)
        flaky = passed and len(said) > 1
        if flaky:
            self._note("check.flaky", check, {"attempts": len(said), "said": said})
        return Check(
            name=check.name,
            kind=check.kind,
            passed=passed,
            message=said[-1],
            attempts=len(said),
            evidence=said,
        )

    async def _attempt(self, check: PlannedCheck, number: int) -> tuple[bool, str]:
        """Look once, record what was found, and show it."""
        found = await self.clerk.insist(
            CHECK,
            CheckCall(
                ticket=self.clerk.ticket,
                check=check,
                when=self.when,
                attempt=number,
                target=self.target,
            ),
            summary=f"Check {check.name}: attempt {number} of {check.attempts}"[:200],
            limit=LIMITS[CHECK.name].over(check.timeout),
            bound=self.bound,
            idle=self.idle,
        )
        self._show(check, passed=found.passed, message=found.message, number=number)
        body = {**found.model_dump(mode="json"), "attempt": number, "of": check.attempts}
        self._note("check.attempted", check, body)
        return found.passed, found.message

    def _show(self, check: PlannedCheck, *, passed: bool, message: str, number: int) -> None:
        status = ("flaky" if number > 1 else "passed") if passed else "failed"
        changes = {"status": status, "attempts": number, "message": message}
        for index, view in enumerate(self.views):
            if (view.name, view.when) == (check.name, self.when):
                self.views[index] = view.model_copy(update=changes)

    def _note(self, kind: str, check: PlannedCheck, body: dict[str, object]) -> None:
        named = {"check": check.name, "kind": check.kind, "when": self.when, "by": check.by}
        shown = [view.model_dump(mode="json") for view in self.views]
        self.clerk.note(kind, {**named, **body}, checks=shown)


def why(report: CheckReport) -> str:
    """Return which checks said no, and why."""
    said_no = [check for check in report.checks if not (check.passed or check.unknown)]
    return " ".join(f"{check.name}: {check.message}{_times(check)}" for check in said_no)


def _times(check: Check) -> str:
    return f" ({check.attempts} attempts)" if check.kind and check.attempts > 1 else ""
