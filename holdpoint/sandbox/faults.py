"""Faults that a tester switches on for a while, per part. Steering itself is never affected."""

import time
from dataclasses import dataclass
from typing import Any, Literal, get_args

Part = Literal["kubernetes", "prometheus"]
Mode = Literal["down", "slow", "error", "busy"]

PARTS: tuple[str, ...] = get_args(Part)
MODES: tuple[str, ...] = get_args(Mode)
DEFAULT_DELAY = 3.0
"""Seconds that `slow` holds a request; long enough for another request to overtake it."""


@dataclass(frozen=True)
class Fault:
    """One part misbehaves until a moment (Unix seconds); `user` narrows it to one user's requests."""

    part: str
    mode: str
    until: float
    delay: float = DEFAULT_DELAY
    user: str | None = None


class Faults:
    """The faults now in force, at most one per part; a fault does not outlive the process."""

    def __init__(self) -> None:
        self._by_part: dict[str, Fault] = {}

    def set(self, fault: Fault) -> None:
        """Put a fault in force in place of the part's former one."""
        self._by_part[fault.part] = fault

    def now(self, part: Part, user: str | None = None) -> Fault | None:
        """Return the fault that a request of this user to this part meets now."""
        fault = self._by_part.get(part)
        if fault is None or time.time() >= fault.until:
            return None
        return fault if fault.user in (None, user) else None

    def listed(self) -> list[dict[str, Any]]:
        """Return the faults in force, for the state page."""
        now = time.time()
        return [
            {"part": f.part, "mode": f.mode, "delay": f.delay, "user": f.user, "for": round(f.until - now, 3)}
            for f in self._by_part.values()
            if f.until > now
        ]
