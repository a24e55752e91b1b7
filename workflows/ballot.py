"""Approvals as the ticket counts them, and the ladder of reminder, escalation and expiry.

The count here only wakes the ticket: an approval is an entry of the ledger, and before anything runs an
activity counts the quorum from there (design decision 26).
"""

from datetime import datetime, timedelta
from typing import Any

from holdpoint.models.base import Digest
from holdpoint.models.policy import ApprovalNeed
from holdpoint.models.ticket import Approval, ApprovalsView
from holdpoint.models.workflow_messages import ApprovalGiven

RUNGS = ("reminded", "escalated", "expired")


class Ballot:
    """What is asked, what was given, and which rung of the ladder is next."""

    def __init__(self) -> None:
        self.asked = False
        self.digest: Digest | None = None
        self.required = self.before = 0
        self.groups: list[str] = []
        self.given: list[Approval] = []
        self.voided = ""
        self.moments: list[datetime] = []
        self.rung = 0

    def ask(self, need: ApprovalNeed, digest: Digest, *, before: int, now: datetime) -> None:
        """Ask for approvals of `digest`, of which the ledger has counted some `before`.

        The ladder's times are a snapshot of the decision's.
        """
        self.asked, self.digest, self.groups = True, digest, need.groups
        self.required, self.before = need.count, before
        spans = (need.remind_after, need.escalate_after, need.expire_after)
        self.moments, self.rung = [now + timedelta(seconds=span) for span in spans], 0

    def give(self, given: ApprovalGiven, decision: str) -> None:
        """Take in one approval or rejection."""
        self.given.append(
            Approval(by=given.by, decision=decision, digest=given.digest, at=given.at, reason=given.reason)
        )

    def void(self, why: str) -> list[Approval]:
        """Void what was given, for a reason that is shown to whoever is asked again; return it."""
        valid = self._valid("approved")
        self.given = [approval.model_copy(update={"void": True}) for approval in self.given]
        self.asked, self.voided = False, why
        return valid

    def approved_by(self, account: str) -> bool:
        """Tell whether this account has approved what is asked now."""
        return account in self._approvers()

    @property
    def counted(self) -> int:
        """Return how many people have approved what is asked now, as far as the ticket knows."""
        return self.before + len(self._approvers())

    @property
    def met(self) -> bool:
        """Tell whether enough people have approved."""
        needed = max(self.required, self.before + 1)  # being asked, it wants at least one word
        return self.asked and self.counted >= needed

    @property
    def rejected(self) -> Approval | None:
        """Return the rejection of what is asked now."""
        return next(iter(self._valid("rejected")), None)

    @property
    def next_moment(self) -> datetime:
        """Return when the next rung is due."""
        return self.moments[self.rung]

    @property
    def next_rung(self) -> str:
        """Return the name of the next rung."""
        return RUNGS[self.rung]

    def climb(self) -> str:
        """Return the name of the rung that has been reached, and go on to the next."""
        name = RUNGS[self.rung]
        self.rung += 1
        return name

    def view(self) -> ApprovalsView:
        """Return this as people see it."""
        remind, escalate, expire = self.moments or (None, None, None)
        return ApprovalsView(
            required=self.required,
            groups=self.groups,
            given=self.given,
            remind_at=remind,
            escalate_at=escalate,
            expire_at=expire,
            escalated=self.rung >= 2,
            voided=self.voided,
        )

    def _valid(self, decision: str) -> list[Approval]:
        return [
            approval
            for approval in self.given
            if approval.decision == decision and not approval.void and approval.digest == self.digest
        ]

    def _approvers(self) -> set[str]:
        return {approval.by for approval in self._valid("approved")}

    def remember(self) -> dict[str, Any]:
        """Return this as plain values, for the next run of a continued ticket."""
        return {
            "asked": self.asked,
            "digest": self.digest,
            "required": self.required,
            "before": self.before,
            "groups": self.groups,
            "given": [approval.model_dump(mode="json") for approval in self.given],
            "voided": self.voided,
            "moments": [moment.isoformat() for moment in self.moments],
            "rung": self.rung,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Take over what `remember` returned."""
        self.asked, self.digest, self.required = memory["asked"], memory["digest"], memory["required"]
        self.groups, self.rung, self.before = memory["groups"], memory["rung"], memory["before"]
        self.given = [Approval.model_validate(kept) for kept in memory["given"]]
        self.voided = memory.get("voided", "")
        self.moments = [datetime.fromisoformat(moment) for moment in memory["moments"]]
