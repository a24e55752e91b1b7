"""Checks before the first write and after the last one, as a change file, the catalog or the policy asks.

Whoever asks writes them in the same form. A check of the policy or of the catalog is added to those of the
plan; the plan can neither leave it out nor replace it.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from holdpoint.models.base import Instant, Model, StrictModel
from holdpoint.models.change_fields import Folder, Line, Name, check_distinct
from holdpoint.models.durations import Duration
from holdpoint.models.http_names import check_http_url

CHECK_KINDS = ("query", "probe", "dependencies", "signature", "provenance", "vulnerabilityReport")

MOST_ATTEMPTS = 10
LONGEST_TIMEOUT = 120.0
"""Seconds for one attempt: what takes longer is a step of the plan, with holds and an undo."""

LONGEST_QUERY = 2000
"""Characters: a query that people can read, as they must before they approve."""

MOST_CHECKS = 20

When = Literal["before", "after"]
"""Before anything is written, or at the end of Verifying."""

Asker = Literal["plan", "catalog", "policy"]
Severity = Literal["low", "medium", "high", "critical"]


def check_one_check_kind(given: Collection[str]) -> None:
    """Hold that exactly one kind of check is among the fields that are given. Raises ValueError."""
    if sum(kind in given for kind in CHECK_KINDS) != 1:
        raise ValueError(f"must have exactly one kind of check: {' or '.join(CHECK_KINDS)}")


def check_check_names(names: Iterable[str]) -> None:
    """Hold that each check can be told from the others by its name. Raises ValueError."""
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise ValueError(f"must give each check a name of its own; {twice[0]!r} is taken")


def check_timeout(seconds: float) -> float:
    """Return `seconds` if one attempt may take so long. Raises ValueError."""
    if seconds > LONGEST_TIMEOUT:
        raise ValueError(f"must be at most {LONGEST_TIMEOUT / 60:g}m")
    return seconds


def check_query(text: str) -> str:
    """Return a query that a person can read before approving it. Raises ValueError."""
    if not text.strip() or not all(char.isprintable() or char == "\n" for char in text):
        raise ValueError("must be PromQL in printable characters")
    return text


def check_image_name(name: str) -> str:
    """Return the name of an image without tag and digest. Raises ValueError."""
    if not re.fullmatch(r"[a-z0-9][a-zA-Z0-9._:/-]{0,254}", name) or ":" in name.rpartition("/")[2]:
        raise ValueError("must be an image's name without tag and digest, such as registry.example/shop")
    return name


Images = Annotated[list[Annotated[str, AfterValidator(check_image_name)]], AfterValidator(check_distinct)]
Bound = Annotated[float, Field(allow_inf_nan=False)]
_FOLDER = "The folder of the repository that has them, at the change's commit. Default: the settings' folder."
_IMAGES = "Only these of the change's images, named without tag and digest. Default: all of them."


class QueryCheck(StrictModel):
    """A PromQL query whose every value must lie within bounds. No data, or NaN, is never a pass."""

    promql: Annotated[str, Field(max_length=LONGEST_QUERY), AfterValidator(check_query)] = Field(
        description="An instant query, asked of the metrics of the target's cluster."
    )
    max: Bound | None = Field(default=None, description="The largest value that passes.")
    min: Bound | None = Field(default=None, description="The smallest value that passes.")

    @model_validator(mode="after")
    def _bounded(self) -> "QueryCheck":
        if self.max is None and self.min is None:
            raise ValueError("must have max, min or both")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError("must have a min that is not larger than max: nothing could pass")
        return self


class ProbeCheck(StrictModel):
    """One GET of an address, as a user of the service would send it. Redirects are not followed."""

    url: Annotated[str, AfterValidator(check_http_url)] = Field(
        description="What is asked. `http_allow` of the settings must cover it."
    )
    status: Annotated[int, Field(ge=100, le=599)] = Field(
        default=200, description="The status that is expected."
    )
    contains: Line | None = Field(default=None, description="Text that the body must hold.")
    within: Duration | None = Field(
        default=None, description="How long the whole answer may take. Default: the check's `timeout`."
    )


class DependenciesCheck(StrictModel):
    """Others of the target's namespace that must be healthy."""

    deployments: Annotated[list[Name], AfterValidator(check_distinct)] = Field(
        default_factory=list, max_length=50, description="Deployments of which every replica is ready."
    )
    services: Annotated[list[Name], AfterValidator(check_distinct)] = Field(
        default_factory=list, max_length=50, description="Services that select a Pod that is ready."
    )

    @model_validator(mode="after")
    def _names_something(self) -> "DependenciesCheck":
        if not self.deployments and not self.services:
            raise ValueError("must name deployments, services or both")
        return self


class SignatureCheck(StrictModel):
    """Each image is signed with a key of ours, as cosign signs. No registry is asked."""

    key: Name = Field(description="The public key: `<key>.pub` in `check_keys` of the settings.")
    folder: Folder | None = Field(default=None, description=_FOLDER)
    images: Images = Field(default_factory=list, max_length=50, description=_IMAGES)


class ProvenanceCheck(StrictModel):
    """Each image has a signed SLSA provenance that names the commit of `source.revision`."""

    key: Name = Field(description="The public key: `<key>.pub` in `check_keys` of the settings.")
    builder: Line | None = Field(default=None, description="The builder's ID that it must state.")
    folder: Folder | None = Field(default=None, description=_FOLDER)
    images: Images = Field(default_factory=list, max_length=50, description=_IMAGES)


class VulnerabilityReportCheck(StrictModel):
    """Each image has a vulnerability report that is young enough and says little enough."""

    format: Literal["trivy", "cyclonedx"] = Field(
        default="trivy", description="Trivy's own JSON, or CycloneDX JSON with vulnerabilities."
    )
    maxAge: Duration = Field(default=7 * 86400.0, description="How old the report may be.")
    severity: Severity = Field(default="critical", description="What is counted: this severity and worse.")
    max: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0, description="How many of these it may have."
    )
    folder: Folder | None = Field(default=None, description=_FOLDER)
    images: Images = Field(default_factory=list, max_length=50, description=_IMAGES)


class CheckSpec(StrictModel):
    """One check: its name, and exactly one kind."""

    name: Name = Field(description="By which it is shown, counted and asked for.")
    query: QueryCheck | None = Field(default=None, description="Kind: a PromQL query within bounds.")
    probe: ProbeCheck | None = Field(default=None, description="Kind: a GET of an address.")
    dependencies: DependenciesCheck | None = Field(
        default=None, description="Kind: others of the namespace are healthy."
    )
    signature: SignatureCheck | None = Field(default=None, description="Kind: images are signed.")
    provenance: ProvenanceCheck | None = Field(
        default=None, description="Kind: images come from the change's commit."
    )
    vulnerabilityReport: VulnerabilityReportCheck | None = Field(
        default=None, description="Kind: images have a vulnerability report."
    )
    attempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)] = Field(
        default=3, description="How often it may fail before it has failed, with longer and longer pauses."
    )
    timeout: Annotated[Duration, AfterValidator(check_timeout)] = Field(
        default=10.0, description="How long one attempt may take."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "CheckSpec":
        check_one_check_kind([kind for kind in CHECK_KINDS if getattr(self, kind) is not None])
        return self

    @property
    def kind(self) -> str:
        """Return the kind's name."""
        return next(kind for kind in CHECK_KINDS if getattr(self, kind) is not None)


def _named_apart(checks: list[CheckSpec]) -> list[CheckSpec]:
    check_check_names([check.name for check in checks])
    return checks


CheckSpecs = Annotated[list[CheckSpec], Field(max_length=MOST_CHECKS), AfterValidator(_named_apart)]
"""The checks of one asker, before or after: each has a name of its own."""


class PlannedCheck(Model):
    """One check as it will run: who asks for it, and the kind's own configuration."""

    name: str
    kind: str
    config: dict[str, Any]
    attempts: int
    timeout: float
    by: Asker


class CheckView(Model):
    """One check as people see it. `flaky` has passed, but not at once."""

    name: str
    kind: str
    when: When
    by: Asker
    status: Literal["planned", "passed", "flaky", "failed"] = "planned"
    attempts: int = 0
    message: str = ""


class CheckAttempt(Model):
    """What one attempt found: the answer whole or in numbers, and why that passes or not."""

    passed: bool
    message: str
    at: Instant
    answer: dict[str, Any] = {}


def planned(specs: Iterable[CheckSpec], by: Asker) -> list[PlannedCheck]:
    """Return the checks that one of them asks for, as they will run."""
    return [
        PlannedCheck(
            name=spec.name,
            kind=spec.kind,
            config=getattr(spec, spec.kind).model_dump(mode="json", by_alias=True),
            attempts=spec.attempts,
            timeout=spec.timeout,
            by=by,
        )
        for spec in specs
    ]


def united(*asked: Iterable[PlannedCheck]) -> list[PlannedCheck]:
    """Return every check once, by name. Of two with one name the later asker's counts."""
    found: dict[str, PlannedCheck] = {}
    for checks in asked:
        found |= {check.name: check for check in checks}
    return list(found.values())


def views_of(checks: Iterable[PlannedCheck], when: When) -> list[CheckView]:
    """Return the checks as planned, none tried."""
    return [CheckView(name=check.name, kind=check.kind, when=when, by=check.by) for check in checks]
