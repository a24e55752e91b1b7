"""What a label may say: values that we know, and `other` for the rest."""

from collections.abc import Container
from enum import StrEnum

from holdpoint.clients.catalog import Services
from holdpoint.models.checks import CHECK_KINDS
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.telemetry.metrics import OTHER

TYPES = frozenset({"standard", "normal", "emergency"})
CHECKS = frozenset(
    {
        "dry_run",
        "health",
        "rollback_target",
        "drift",
        "freeze",
        "forecast",
        "error_budget",
        "open_incidents",
        "as_applied",
        *CHECK_KINDS,
    }
)
"""Built-in checks by name, others by kind: their names are people's own."""


class Bounds:
    """Maps what a ticket says to labels: environments of the settings, services of the catalog."""

    def __init__(self, environments: list[str], catalog: Services) -> None:
        self._environments, self._catalog = frozenset(environments), catalog

    def environment(self, name: str | None) -> str:
        """Return the environment's label."""
        return known(name, self._environments)

    def type(self, name: str | None) -> str:
        """Return the change type's label."""
        return known(name, TYPES)

    def service(self, name: str | None) -> str:
        """Return the service's label; while the catalog cannot be read it is `other`."""
        try:
            return name if name is not None and self._catalog.facts(name).known else OTHER
        except UpstreamUnavailable:
            return OTHER


def known(value: object, allowed: Container[str]) -> str:
    """Return the value if it is one of the allowed ones, else `other`."""
    return str(value) if isinstance(value, str) and value in allowed else OTHER


def one_of(value: object, kind: type[StrEnum]) -> str:
    """Return the value if the enumeration has it, else `other`."""
    return known(value, {str(member) for member in kind})
