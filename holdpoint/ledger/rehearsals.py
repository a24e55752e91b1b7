"""The last rehearsal of the same objects under the same plan, whatever it came to."""

from sqlalchemy import Connection, bindparam, select

from holdpoint.ledger import schema
from holdpoint.models.base import Digest
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import REHEARSED, Rehearsal, TicketView

MOST = 100
"""Tickets of the same plan shape that were rolled back, the newest first, among which it is looked for."""
RAN = (Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED)
"""A rehearsal that ended otherwise wrote nothing, and says nothing."""

_T = schema.tickets
_RAN = (
    select(_T.c.view)
    .where(
        _T.c.service == bindparam("named"),
        _T.c.plan_shape == bindparam("shape"),
        _T.c.phase.in_([phase.value for phase in RAN]),
    )
    .order_by(_T.c.closed_at.desc(), _T.c.created_at.desc(), _T.c.id)
    .limit(MOST)
)


def last_rehearsal(db: Connection, service: str, shape: Digest, rehearses: Digest) -> Rehearsal | None:
    """Return the last one that ran; None where there was none."""
    views = (TicketView.model_validate_json(view) for (view,) in db.execute(_RAN, _asked(service, shape)))
    found = next((view for view in views if view.is_rehearsal and view.rehearses == rehearses), None)
    if found is None or found.closed_at is None:
        return None
    code, message = (found.reason.code, found.reason.message) if found.reason else ("", "")
    return Rehearsal(
        ticket=found.id,
        target=found.target,
        at=found.closed_at,
        passed=found.phase is Phase.ROLLED_BACK and code == REHEARSED,
        result=found.rollback.result,
        message=message,
        plan_shape=shape,
    )


def _asked(service: str, shape: Digest) -> dict[str, str]:
    return {"named": service, "shape": shape}
