"""Bans: see which digests are denied on a service, and lift one. A ticket's end makes them, nobody else."""

from holdpoint.ledger import bans
from holdpoint.ledger.store import Ledger
from holdpoint.models.artifact import Ban
from holdpoint.service.roles import Actor, Permission, require


async def list_bans(ledger: Ledger, *, service: str | None = None, in_force: bool = True) -> list[Ban]:
    """Return bans, newest first; only those in force, or all."""
    return await ledger.read(bans.list_bans, service=service, in_force=in_force)


async def lift(ban: str, reason: str, actor: Actor, *, ledger: Ledger) -> Ban:
    """End a ban; what it covers may be submitted again. Raises AccessDenied, NotFound and Conflict."""
    require(actor, Permission.LIFT_BAN)
    return await ledger.write(bans.lift_ban, ban, by=actor.account, reason=reason)
