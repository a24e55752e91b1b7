"""Evidence for those who were not there: one ticket's file, or the whole ledger, verifiable offline."""

import asyncio
from pathlib import Path

from holdpoint.ledger import archives, export
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.service.read import known_ticket
from holdpoint.service.roles import Actor, Permission, require


async def ticket_evidence(
    ticket: str, actor: Actor, *, ledger: Ledger, signer: Signer, archive: Path
) -> bytes:
    """Return the archived evidence, or while there is none what the ledger can prove now.

    Raises NotFound, AccessDenied.
    """
    require(actor, Permission.EXPORT)
    await known_ticket(ledger, ticket)
    kept = await ledger.read(archives.find, ticket)
    if kept is not None:
        return kept
    try:
        return await asyncio.to_thread((archive / f"{ticket}.json").read_bytes)
    except FileNotFoundError:
        return await ledger.read(export.build_evidence, ticket, signer=signer, history=None)


async def everything(actor: Actor, *, ledger: Ledger, signer: Signer) -> bytes:
    """Return all entries with their intents under one signed checkpoint. Raises AccessDenied."""
    require(actor, Permission.EXPORT)
    # Not `read`: a large ledger takes minutes, longer than a request is let wait for the ledger otherwise.
    return await asyncio.to_thread(ledger.read_now, export.export_all, signer=signer)
