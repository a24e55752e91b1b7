"""The holds that lie on a ticket, when each of them ends, and how long it was held in all."""

from datetime import datetime, timedelta
from typing import Any

from holdpoint.models.ticket import Hold, most_severe

ANALYSIS = "analysis"
PAUSED = "paused"
WAVE = "wave"
OUTAGE = "outage"
OUTAGE_OF_JUDGE = "outage/judge"
FROZEN = "frozen/"
STEP = "step/"
MANUAL = "step/manual"
SCHEDULE = "schedule/"
"""Keys: one analysis and one outage hold at a time, whatever their code; one for each freeze, for each
thing that a step is held by, and for each that a scheduled ticket waits for."""


class Holds:
    """Holds by key: the same key replaces, so that one cause is one hold, with the `since` it began with."""

    def __init__(self) -> None:
        self._holds: dict[str, Hold] = {}
        self._ends: dict[str, datetime] = {}
        self._held = timedelta()
        self._since: datetime | None = None

    def place(self, key: str, hold: Hold, *, ends: datetime, now: datetime) -> bool:
        """Place or renew a hold; return whether that is news for people.

        A renewed hold keeps its beginning and its end, so that a cause that changes its words never gets
        more time.
        """
        old = self._holds.get(key)
        ends = self._ends.setdefault(key, ends)
        since = old.since if old else hold.since
        until = min(hold.until, ends) if hold.until else ends
        self._holds[key] = hold.model_copy(update={"since": since, "until": until})
        self._since = self._since or now
        return old is None or (old.code, old.by, old.ref) != (hold.code, hold.by, hold.ref)

    def lift(self, key: str, *, now: datetime) -> Hold | None:
        """Remove a hold and return it; None if there was none."""
        hold = self._holds.pop(key, None)
        self._ends.pop(key, None)
        if not self._holds and self._since is not None:
            self._held += now - self._since
            self._since = None
        return hold

    def __getitem__(self, key: str) -> Hold:
        """Return a hold as it is kept: with the beginning and the end that it really has."""
        return self._holds[key]

    def __contains__(self, key: str) -> bool:
        return key in self._holds

    def __bool__(self) -> bool:
        return bool(self._holds)

    def named(self, prefix: str = "") -> list[str]:
        """Return the keys of all holds whose key begins so."""
        return [key for key in self._holds if key.startswith(prefix)]

    @property
    def forbids_writing(self) -> bool:
        """Tell whether anything but an outage, or what the step itself is held by, keeps it from going on."""
        return any(not key.startswith((OUTAGE, STEP)) for key in self._holds)

    @property
    def without_a_verdict(self) -> bool:
        """Tell whether it is held because the analysis could not decide, or could not be asked."""
        return ANALYSIS in self._holds or OUTAGE_OF_JUDGE in self._holds

    def shown(self) -> list[Hold]:
        """Return the holds, the most severe first."""
        left = list(self._holds.values())
        ordered: list[Hold] = []
        while worst := most_severe(left):
            left.remove(worst)
            ordered.append(worst)
        return ordered

    def overdue(self, now: datetime) -> Hold | None:
        """Return a hold that has reached its bound."""
        keys = [key for key, ends in self._ends.items() if ends <= now]
        return most_severe([self._holds[key] for key in keys])

    def next_end(self) -> datetime | None:
        """Return when the next hold reaches its bound."""
        return min(self._ends.values(), default=None)

    def held(self, now: datetime) -> timedelta:
        """Return for how long there has been any hold at all. That time is not bake."""
        return self._held + (now - self._since if self._since else timedelta())

    def remember(self) -> dict[str, Any]:
        """Return the holds as plain values, for the next run of a continued ticket."""
        ends = self._ends
        return {
            key: {"hold": hold.model_dump(mode="json"), "ends": ends[key].isoformat()}
            for key, hold in self._holds.items()
        }

    def recall(self, memory: dict[str, Any], *, now: datetime) -> None:
        """Take over what `remember` returned."""
        for key, kept in memory.items():
            hold = Hold.model_validate(kept["hold"])
            self.place(key, hold, ends=datetime.fromisoformat(kept["ends"]), now=now)


def key_of(prefix: str, hold: Hold) -> str:
    """Return the key of a hold that an activity named."""
    return f"{prefix}{hold.code.value}/{hold.ref or ''}"
