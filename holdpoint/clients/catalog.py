"""The service catalog: who owns a service, how important it is, and when production may change.

A YAML file that people edit while everything runs, so it is read again when it changes. A file that cannot be
read is not an empty catalog: the caller waits until somebody has mended it.
"""

from pathlib import Path
from typing import Annotated, Any, Protocol

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from holdpoint.models.artifact import Requirement
from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import Name
from holdpoint.models.checks import CheckSpecs
from holdpoint.models.durations import Duration
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.policy import RequiredRehearsal, ServiceFacts, Window
from holdpoint.models.windows import check_window


def _clock(value: object) -> object:
    """Return `17:00` for 1020: YAML 1.1 reads an unquoted time as a number in base 60."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 24 * 60:
        return f"{value // 60:02d}:{value % 60:02d}"
    return value


class _WindowEntry(StrictModel):
    """One weekly opening as the catalog writes it."""

    days: list[str] = ["mon", "tue", "wed", "thu", "fri"]
    start: Annotated[str, BeforeValidator(_clock)] = "09:00"
    end: Annotated[str, BeforeValidator(_clock)] = "17:00"
    zone: str = "UTC"


def _checked(entry: _WindowEntry) -> _WindowEntry:
    check_window(Window(**entry.model_dump()))
    return entry


_Windows = list[Annotated[_WindowEntry, AfterValidator(_checked)]]


class _Requirement(StrictModel):
    """Where an artifact must have succeeded before, and how long it must have run there."""

    environment: Name
    soak: Duration | None = None


def _climbed(rungs: dict[str, _Requirement]) -> dict[str, _Requirement]:
    """Return the requirements if they end somewhere. Raises ValueError."""
    for start in rungs:
        seen, at = [start], rungs[start].environment
        while at not in seen and at in rungs:
            seen.append(at)
            at = rungs[at].environment
        if at in seen:
            chain = ", which requires ".join([*seen[1:], at])
            raise ValueError(f"nothing could ever go to {start}: it requires {chain}")
    return rungs


_Requirements = Annotated[dict[Name, _Requirement], AfterValidator(_climbed)]


class _Rehearsal(StrictModel):
    """A rehearsal that is asked for before a risky change."""

    younger_than: Annotated[Duration, Field(alias="youngerThan")]


class _Service(StrictModel):
    """One service as the catalog writes it."""

    owner: str | None = None
    backup_owner: str | None = Field(default=None, alias="backupOwner")
    tier: Annotated[int, Field(ge=0, le=9)] | None = None
    windows: _Windows | None = None
    prechecks: CheckSpecs = []
    postchecks: CheckSpecs = []
    requires: _Requirements | None = None
    requires_rehearsal: _Rehearsal | None = Field(default=None, alias="requiresRehearsal")


class _File(StrictModel):
    """The whole file. `windows` and `requires` are those of every service that states none of its own."""

    windows: _Windows = []
    requires: _Requirements = {}
    services: dict[Name, _Service] = {}


class Services(Protocol):
    """What Holdpoint knows about services."""

    def facts(self, service: str) -> ServiceFacts:
        """Return what is known of a service. Raises UpstreamUnavailable when the catalog cannot be read."""


class Catalog:
    """The catalog in one YAML file: docs/policies.md describes it, holdpoint/embedded/catalog.yaml is one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._file = _File()

    def facts(self, service: str) -> ServiceFacts:
        """Return what the file says now. Raises UpstreamUnavailable, naming the mistake in it."""
        self._refresh()
        entry = self._file.services.get(service)
        if entry is None:
            return ServiceFacts(known=False, requires=_requirements(self._file.requires))
        windows = self._file.windows if entry.windows is None else entry.windows
        return ServiceFacts(
            known=True,
            owner=entry.owner,
            backup_owner=entry.backup_owner,
            tier="unknown" if entry.tier is None else entry.tier,
            windows=[Window(**window.model_dump()) for window in windows],
            prechecks=entry.prechecks,
            postchecks=entry.postchecks,
            requires=_requirements(self._file.requires if entry.requires is None else entry.requires),
            requires_rehearsal=_required(entry.requires_rehearsal),
        )

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                text = self._path.read_text("utf-8")
                self._file = _File.model_validate(_load(text), context={"written": True})
                self._stamp = stamp
        # ValueError: YAML reads dates, and raises it for what looks like one and is none.
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise UpstreamUnavailable(
                f"The service catalog cannot be used: {self._path.name}: {_first_line(error)}.",
                upstream="policy",
            ) from error


class NullCatalog:
    """Knows no service."""

    def facts(self, service: str) -> ServiceFacts:
        """Return that the service is not known."""
        return ServiceFacts(known=False)


def _requirements(stated: dict[str, _Requirement]) -> dict[str, Requirement]:
    return {
        name: Requirement(environment=one.environment, soak=one.soak or 0.0) for name, one in stated.items()
    }


def _required(asked: _Rehearsal | None) -> RequiredRehearsal | None:
    return None if asked is None else RequiredRehearsal(younger_than=asked.younger_than)


def _load(text: str) -> Any:
    return yaml.safe_load(text) or {}


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"
    return " ".join(str(error).split()) or type(error).__name__
