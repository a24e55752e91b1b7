"""What a kind of check is: one look at the world, and why that passes or not. It never writes.

How often it is tried, and what a pause is, is the workflow's business; each look is one attempt.
"""

from abc import abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from activities.manifests import Files
from activities.steps.rights import Right
from holdpoint.clients.cluster import Cluster
from holdpoint.clients.http_peers import Peers
from holdpoint.clients.metrics import Metrics
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.base import StrictModel

C = TypeVar("C", bound=StrictModel)


@dataclass(frozen=True)
class Means:
    """What the settings allow checks to use: folders of public keys and of files, and servers to ask."""

    keys: Path | None = None
    files: Path | None = None
    peers: Peers = field(default_factory=Peers)


@dataclass(frozen=True)
class Scene:
    """What one look has before it: the change, and where to ask."""

    stored: StoredChange
    cluster: Cluster
    metrics: Metrics
    repositories: Files
    means: Means
    now: datetime


@dataclass(frozen=True)
class Found:
    """What one look found: True, False, or None without data, which is never a pass."""

    passed: bool | None
    message: str
    answer: dict[str, Any] = field(default_factory=dict)


class CheckKind(Protocol, Generic[C]):
    """One kind of check. `asks` names what an attempt that takes too long has waited for.

    None means the service itself: then to be late is a "no". Anything else that is late is an outage.
    """

    kind: str
    config: type[C]
    asks: str | None = None
    rights: tuple[Right, ...] = ()

    def refusal(self, config: C, means: Means) -> str | None:
        """Return why it can never run under these settings, or None."""
        return None

    @abstractmethod
    async def look(self, config: C, scene: Scene) -> Found:
        """Look once. Raises UpstreamUnavailable where nobody answers: that is no "no"."""
