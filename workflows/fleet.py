"""What a ticket with many targets knows of the rollout of each."""

import asyncio
from collections.abc import Iterator

from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason, TargetView
from holdpoint.models.workflow_messages import Control, Progress, RolloutResult
from workflows.hand_off import Child

UNDONE_AT_ONCE = 10
"""Verified targets that are undone at one time: an undo that overloads what they share helps nobody."""


class Member:
    """The rollout on one target. `verified` once it stood for the first time; `stands` while it waits."""

    def __init__(self, target: str, wave: int) -> None:
        self.target, self.wave = target, wave
        self.child: Child | None = None
        self.task: asyncio.Task[None] | None = None
        self.phase = Phase.EXECUTING
        self.reason: Reason | None = None
        self.verified = self.stands = self.stopped = False
        self.unsaid: list[Control] = []
        self.result: RolloutResult | None = None

    @property
    def cluster(self) -> str:
        """Return the cluster's name."""
        return self.target.partition("/")[0]

    @property
    def fallen(self) -> bool:
        """Tell whether it undoes itself, or has ended before the ticket let it go."""
        return self.result is not None or self.phase is Phase.ROLLING_BACK

    @property
    def why(self) -> Reason:
        """Return why it has fallen."""
        unknown = Reason(code="error", message="Nobody knows why.")
        return (self.result.reason if self.result else self.reason) or unknown


class Fleet:
    """The rollouts that have begun, by target. `stirs` counts what was heard of any of them."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.past: list[RolloutResult] = []
        self.stirs = 0
        self.stop: Reason | None = None
        self.resumed = False
        self.last_wave = False

    def heard(self, progress: Progress) -> None:
        """Take in what a rollout tells of itself."""
        member = self.members.get(progress.target or "")
        if member is None or member.result is not None:
            return
        member.phase, member.reason = progress.phase, progress.reason
        member.stands = progress.stands
        member.verified = member.verified or progress.stands
        self.stirs += 1

    def ended(self, member: Member, result: RolloutResult) -> None:
        """Take in how a rollout has ended."""
        member.result, member.stands, member.phase = result, False, result.phase
        self.stirs += 1

    def all_stand(self) -> bool:
        """Tell whether every target that was begun is verified, and watched by nobody."""
        return all(member.stands for member in self.members.values())

    def moving(self) -> list[Member]:
        """Return those that are on their way: not verified yet, or baking."""
        return [member for member in self.members.values() if not member.stands and not member.fallen]

    def fallen(self) -> list[Member]:
        """Return those that have failed."""
        return [member for member in self.members.values() if member.fallen]

    def half_undone(self) -> bool:
        """Tell whether an undo has failed: a person is needed, whatever becomes of the others."""
        return any(result.phase is Phase.ROLLBACK_FAILED for _, result in self.results())

    def to_undo(self) -> Iterator[list[Member]]:
        """Yield who is to be undone together: what is on its way first, then wave by wave, the last first."""
        live = [member for member in self.members.values() if member.result is None]
        yield [member for member in live if not member.verified]
        verified = [member for member in live if member.verified]
        for wave in sorted({member.wave for member in verified}, reverse=True):
            of_wave = [member for member in verified if member.wave == wave]
            for at in range(0, len(of_wave), UNDONE_AT_ONCE):
                yield of_wave[at : at + UNDONE_AT_ONCE]

    def results(self) -> list[tuple[Member, RolloutResult]]:
        """Return how each has ended, of those that have."""
        return [(member, member.result) for member in self.members.values() if member.result is not None]

    def views(self) -> list[TargetView]:
        """Return each as shown; the ledger's view has the steps."""
        return [
            TargetView(target=one.target, wave=one.wave, phase=one.phase, reason=one.reason)
            for one in self.members.values()
        ]
