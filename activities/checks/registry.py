"""The kinds of checks, as one explicit tuple: adding a kind is one file and one line here."""

from typing import Any

from activities.checks.dependencies import Dependencies
from activities.checks.kind import CheckKind
from activities.checks.probe import Probe
from activities.checks.provenance import Provenance
from activities.checks.query import Query
from activities.checks.signature import Signature
from activities.checks.vulnerability_report import VulnerabilityReport
from holdpoint.models.errors import StepConfig

CHECK_KINDS: tuple[CheckKind[Any], ...] = (
    Query(),
    Probe(),
    Dependencies(),
    Signature(),
    Provenance(),
    VulnerabilityReport(),
)


def check_kind_of(name: str) -> CheckKind[Any]:
    """Return the kind of check of this name. Raises StepConfig for an unknown one."""
    for kind in CHECK_KINDS:
        if name == kind.kind:
            return kind
    known = ", ".join(kind.kind for kind in CHECK_KINDS)
    raise StepConfig(f"Unknown kind of check: {name!r}. Known are: {known}.")
