"""What a controller need not look at again: an object in versions on which it had nothing to do.

A controller is a function of what it looks at and of the time; looking at everything after each write would
cost a cluster of many objects more than all the writes.
"""

import time

from holdpoint.sandbox.store import Object

Versions = tuple[str, ...]


class Settled:
    """The versions of objects, with those that they own, which were found as they must be, and until when."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Versions, float | None]] = {}

    def keep(self, uid: str, versions: Versions, due: float | None) -> None:
        """Remember that nothing was to do on these versions, before the moment when something is due."""
        self._seen[uid] = versions, due

    def holds(self, uid: str, versions: Versions) -> bool:
        """Tell whether nothing is to do on these versions now."""
        seen = self._seen.get(uid)
        return seen is not None and seen[0] == versions and (seen[1] is None or time.time() < seen[1])

    def due(self, uid: str) -> float | None:
        """Return when something is due on an object that is settled (Unix seconds)."""
        return self._seen[uid][1]

    def forget_all_but(self, alive: set[str]) -> None:
        """Forget the objects that are gone."""
        for uid in [uid for uid in self._seen if uid not in alive]:
            del self._seen[uid]


def versions_of(body: Object, owned: list[Object]) -> Versions:
    """Return the versions of an object and of those that it owns."""
    return tuple([str(one["metadata"]["resourceVersion"]) for one in (body, *owned)])
