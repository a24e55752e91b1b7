"""What a controller need not look at again: an object in versions on which it had nothing to do.

A controller is a function of what it looks at and of the time; looking at everything after each write would
cost a cluster of many objects more than all the writes.
"""

import time
from collections.abc import Callable

from holdpoint.sandbox.store import Object, Store

Versions = tuple[str, ...]
Work = Callable[[Object, list[Object]], float | None]


class Settled:
    """The versions of objects, with those that they own, which were found as they must be, and until when."""

    def __init__(self, store: Store, work: Work) -> None:
        self._store, self._work = store, work
        self._seen: dict[str, tuple[Versions, float | None]] = {}

    def due(self, body: Object, owned: list[Object], *, again: bool = False) -> float | None:
        """Return when something is due on an object (Unix seconds), having done what is to do on it now.

        The work is not called again on versions on which it wrote nothing, until the moment that it returned
        comes, unless it may have to be done `again` for what the versions do not show.
        """
        uid, versions = body["metadata"]["uid"], _versions_of(body, owned)
        seen = self._seen.get(uid)
        if seen is not None and seen[0] == versions and (seen[1] is None or time.time() < seen[1]):
            return seen[1]
        before = self._store.revision
        due = self._work(body, owned)
        if self._store.revision == before and not again:
            self._seen[uid] = versions, due
        return due

    def forget_all_but(self, alive: set[str]) -> None:
        """Forget the objects that are gone."""
        for uid in [uid for uid in self._seen if uid not in alive]:
            del self._seen[uid]


def _versions_of(body: Object, owned: list[Object]) -> Versions:
    """Return the versions of an object and of those that it owns."""
    return tuple([str(one["metadata"]["resourceVersion"]) for one in (body, *owned)])
