"""Denied attempts: recorded, but only so many that nobody can use up a ticket by knocking at it."""

RECORDED_DENIALS = 3
"""Denied attempts of one actor that are recorded; an execution takes 2,000 updates in all, and a door that is
knocked at must not use them up. What the validator refuses leaves no trace in the history."""


class Denials:
    """Counts denied attempts by actor."""

    def __init__(self, counts: dict[str, int] | None = None) -> None:
        self.counts = counts or {}

    def add(self, actor: str) -> None:
        """Count one."""
        self.counts[actor] = self.counts.get(actor, 0) + 1

    def used_up(self, actor: str) -> bool:
        """Tell whether further ones are refused without being recorded."""
        return self.counts.get(actor, 0) >= RECORDED_DENIALS
