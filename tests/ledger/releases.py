"""Releases of one service over environments: each ticket brings an artifact and ends at some minute."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from holdpoint.ledger import entries, ladder, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.models.artifact import Artifact, Rung
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import RollsBack, TicketView
from tests.ledger.conftest import CHANGE

BEGUN = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILED = {"code": "analysis_failed", "message": "5 of 40 requests failed."}


def at(minute: float) -> datetime:
    return BEGUN + timedelta(minutes=minute)


def digest(*parts: str) -> str:
    return f"sha256:{hashlib.sha256(' '.join(parts).encode()).hexdigest()}"


def an_artifact(image: str, config: str = "") -> Artifact:
    """Return what brings one image, or objects without any where it is empty."""
    return Artifact(digest=digest(image), content=digest(image, config), images=[image] if image else [])


class Releases:
    """Ends tickets in a ledger as their workflows do."""

    def __init__(self, ledger: Ledger, submit: Any) -> None:
        self.ledger, self._submit = ledger, submit

    def opens(
        self, id: str, *, environment: str = "staging", back: tuple[str, str] | None = None, **view: Any
    ) -> None:
        """Submit a ticket; `back` makes it the rollback of the first named one to the second."""
        target = f"{environment}/default/shop"
        links = RollsBack(ticket=back[0], to=back[1]) if back else None
        shown: dict[str, Any] = {"rolls_back": back[0], "restores": back[1]} if back else {}
        shown |= {"environment": environment, "target": target, "created_at": BEGUN, **view}
        self._submit(self.ledger, id, view=shown, rolls_back=links, change=CHANGE)

    def enters(self, id: str, phase: Phase, *, minute: float = 0, **patch: Any) -> None:
        draft = EntryDraft(key=f"{id}/{phase}", kind="phase.entered", actor="holdpoint", at=at(minute))
        patch = {"phase": phase.value, **patch}
        if phase.terminal:
            patch["closed_at"] = at(minute).isoformat()
        self.ledger.write_now(entries.append, Record(ticket=id, entries=[draft], patch=patch))

    def ends(
        self,
        id: str,
        image: str,
        *,
        minute: float,
        phase: Phase = Phase.SUCCEEDED,
        config: str = "",
        environment: str = "staging",
        back: tuple[str, str] | None = None,
        **patch: Any,
    ) -> None:
        """Have a ticket bring an image and end; what fell failed its analysis unless it says otherwise."""
        self.opens(id, environment=environment, back=back)
        why = {"reason": FAILED} if phase in (Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED) else {}
        brought = an_artifact(image, config).model_dump()
        self.enters(id, phase, minute=minute, artifact=brought, **{**why, **patch})

    def rungs(self, image: str, *, minute: float, submitted: float | None = None) -> list[Rung]:
        """Return the ladder of an image as it is at a minute."""
        return self.ledger.read_now(
            ladder.ladder_of,
            service="shop",
            artifact=digest(image),
            now=at(minute),
            submitted=None if submitted is None else at(submitted),
        )

    def view(self, id: str) -> TicketView:
        return self.ledger.read_now(tickets.get_ticket, id)

    def kinds(self, id: str) -> list[str]:
        return [entry.kind for entry in self.ledger.read_now(entries.entries_of, id)]
