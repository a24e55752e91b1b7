"""Count approvals from the ledger: whoever can reach Temporal can wake a ticket, not approve it."""

from collections.abc import Iterable

from holdpoint.models.activity_calls import Quorum
from holdpoint.models.policy import ApprovalNeed
from holdpoint.models.record import Entry

GIVEN = "approval.given"
"""The entry that the API's door writes, behind its token check. Nothing else counts."""


def count_quorum(entries: Iterable[Entry], *, digest: str, need: ApprovalNeed, requester: str) -> Quorum:
    """Return how many people, the requester not among them, approved exactly this digest in a role asked for.

    What was given for another digest is void: nobody has read this one.
    """
    people = {
        entry.actor
        for entry in entries
        if entry.kind == GIVEN
        and entry.body.get("digest") == digest
        and entry.actor != requester
        and entry.body.get("by", entry.actor) == entry.actor
        and set(need.groups) & set(entry.body.get("roles") or [])
    }
    met = len(people) >= need.count
    return Quorum(
        met=met, counted=len(people), required=need.count, message=_message(need, people, requester)
    )


def _message(need: ApprovalNeed, people: set[str], requester: str) -> str:
    if need.count == 0:
        return "No approval is needed."
    names = f" ({', '.join(sorted(people))})" if people else ""
    roles = " or ".join(need.groups) or "nobody's role"
    return (
        f"{len(people)} of {need.count} approvals{names}; they count from different people in "
        f"the role {roles}, not from {requester}, who asked."
    )
