"""Where a ticket stands in the lane of its target now, and who is before it.

Asked of the ledger each time: a hold has the words of the last time that the ticket itself looked.
"""

from sqlalchemy import Connection

from holdpoint.ledger import targets, tickets
from holdpoint.models.base import Model
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import TicketView

MOST_NAMED = 5
"""Tickets before this one that the sentence names."""


class Lane(Model):
    """One ticket's place. `ahead` are those that wait before it, the next one first."""

    target: str
    position: int
    waiting: int
    holder: str | None
    holder_phase: Phase | None
    ahead: list[str]

    @property
    def sentence(self) -> str:
        """Return this in words."""
        holds = f"{self.holder} ({self.holder_phase}) has the target" if self.holder else "the target is free"
        said = f"It is number {self.position} of {self.waiting} in the lane of {self.target}; {holds}"
        if self.ahead:
            more = f" and {len(self.ahead) - MOST_NAMED} more" if len(self.ahead) > MOST_NAMED else ""
            said += f", and before it wait {', '.join(self.ahead[:MOST_NAMED])}{more}"
        return f"{said}."


def lane_of(db: Connection, view: TicketView) -> Lane | None:
    """Return the ticket's place; None where it stands in no lane. Of many targets, the furthest."""
    lanes = [lane for target in view.every_target if (lane := _lane_of(db, view.id, target)) is not None]
    return max(lanes, key=lambda lane: (lane.position, lane.holder is not None), default=None)


def _lane_of(db: Connection, ticket: str, target: str) -> Lane | None:
    waiting = targets.waiting(db, target)
    if ticket not in waiting:
        return None
    row = targets.get_target(db, target)
    holder = None if row is None or row.holder_ticket is None else tickets.get_ticket(db, row.holder_ticket)
    ahead = waiting[: waiting.index(ticket)]
    return Lane(
        target=target,
        position=len(ahead) + 1,
        waiting=len(waiting),
        holder=None if holder is None else holder.id,
        holder_phase=None if holder is None else holder.phase,
        ahead=ahead,
    )
