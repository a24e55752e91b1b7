"""The way back of an `http` step: if its request may have been carried out, its undo is sent, once.

The server cannot be looked at: what its undo was answered is what counts for the comparison.
"""

from collections.abc import Collection
from dataclasses import dataclass

from activities.exchanges import Exchange
from activities.jobs_back import Left
from activities.requests import Requests
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef

PATIENCE = 20.0
"""Seconds for which one undo asks a server that does not take the request: what came before the step waits
meanwhile, and the undo as a whole is made again."""


@dataclass(frozen=True)
class Asked:
    """What the ledger has of the requests of a ticket.

    `forward` are those that may have been carried out, None where nobody can tell; `back` are the undo's that
    were answered as expected.
    """

    forward: Collection[ObjectRef] | None = ()
    back: Collection[ObjectRef] = ()


async def send_back(requests: Requests | None, exchange: Exchange, asked: Asked) -> bool:
    """Take a request back, if it may have been carried out; return whether anything was sent.

    Raises StepConfig where nobody can tell, and RequestFailed where it could not be taken back.
    """
    if exchange.backward is None or requests is None:
        return False
    if asked.forward is None:
        raise StepConfig(
            "Whether it was sent is not known while the ledger does not answer; its undo waits for that."
        )
    if exchange.ref() not in asked.forward or exchange.ref("undo") in asked.back:
        return False
    return await requests.settle(exchange, patience=min(exchange.timeout, PATIENCE))


def left_by(exchange: Exchange, asked: Asked) -> Left:
    """Return what a request has left after an undo."""
    ref = exchange.ref()
    if asked.forward is not None and ref not in asked.forward:
        return Left()
    if exchange.backward is None:
        return Left(stays=[f"{ref} was sent, and nothing takes back what it did (it has no undo)"])
    back = exchange.ref("undo")
    if back in asked.back:
        return Left()
    return Left(ours=[f"{ref}: what it did stays, for its undo {back} was not answered as expected"])
