"""Look before a rollout whether its requests may be sent, and those that take them back."""

from activities.exchanges import exchanges_of
from holdpoint.clients.http_peers import Peers
from holdpoint.models.change import Change
from holdpoint.models.errors import StepConfig, UpstreamUnavailable
from holdpoint.models.record import Direction

DIRECTIONS: tuple[Direction, ...] = ("forward", "undo")
MOST_SHOWN = 5


async def may_be_sent(peers: Peers, change: Change) -> tuple[bool, str]:
    """Tell whether every request may be sent by the settings, its credential and its address now, and why."""
    refused, fine = [], []
    for exchange in exchanges_of(change):
        for direction in DIRECTIONS if exchange.backward else DIRECTIONS[:1]:
            ref, request = exchange.ref(direction), exchange.request(direction)
            try:
                fine.append(f"{ref} ({await peers.check(request.url, exchange.credential)})")
            except (StepConfig, UpstreamUnavailable) as error:
                refused.append(f"{ref}: {error.message}")
    if refused:
        return False, "It could not be sent: " + " ".join(refused[:MOST_SHOWN])
    return True, f"It may be sent: {'; '.join(fine[:MOST_SHOWN])}."
