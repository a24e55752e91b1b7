"""Where the manifests of a change come from: plain files, a Kustomize overlay, a Helm chart."""

import math
import re
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import Folder, Name, Path, check_distinct
from holdpoint.models.git_names import check_repository, check_revision

LARGEST_INTEGER = 2**53 - 1
"""Beyond it programs that read JSON see different numbers (RFC 8785, section 3.2.2.3)."""

LONGEST_KEY, LONGEST_VALUE = 250, 2000
FORMS = ("paths", "kustomize", "helm")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


def check_key(key: str) -> str:
    """Return `key` if it is names with dots between them. Raises ValueError."""
    if len(key) > LONGEST_KEY or not all(_PART.fullmatch(part) for part in key.split(".")):
        raise ValueError("must be letters, digits, '_' and '-' with dots between, such as image.tag")
    return key


def check_value(value: Any) -> Any:
    """Return `value` if it is a single one. Raises ValueError."""
    if isinstance(value, str) and len(value) <= LONGEST_VALUE:
        return value
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) <= LARGEST_INTEGER):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError(f"must be text of at most {LONGEST_VALUE} characters, a number, true or false")


def check_kube_version(value: str) -> str:
    """Return `value` if it is a version of Kubernetes. Raises ValueError."""
    if not re.fullmatch(r"v?[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?", value):
        raise ValueError("must be a version such as '1.33' or v1.33.1")
    return value


def check_capability(value: str) -> str:
    """Return `value` if Helm's `.Capabilities.APIVersions` can have it. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9./-]{0,200}", value):
        raise ValueError("must be an apiVersion, also with a kind, such as policy/v1 or v1/Service")
    return value


ValueKey = Annotated[str, AfterValidator(check_key)]
ValueItem = Annotated[
    Any, AfterValidator(check_value), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
Capability = Annotated[str, AfterValidator(check_capability)]


def check_source(given: Collection[str]) -> None:
    """Hold that a source names what makes up the change. Raises ValueError."""
    if not set(FORMS) & set(given):
        raise ValueError("must have a source with paths, kustomize or helm, unless its plan applies nothing")


def check_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` if none of the keys lies below another. Raises ValueError."""
    for key in sorted(values):
        parts = key.split(".")
        for length in range(1, len(parts)):
            above = ".".join(parts[:length])
            if above in values:
                raise ValueError(f"sets {above!r} and also {key!r} below it")
    return values


class Helm(StrictModel):
    """A Helm chart of the repository, rendered as `helm template` does, without a cluster or the network."""

    chart: Folder = Field(
        description="The chart's folder, relative to the root of the repository. What it depends on must lie "
        "in its `charts/`."
    )
    release: Name | None = Field(
        default=None, description="The release's name. Default: the service's (`metadata.service`)."
    )
    values: Annotated[list[Path], AfterValidator(check_distinct)] = Field(
        default_factory=list,
        max_length=50,
        description="Values files of the repository; a later one overrides an earlier one.",
    )
    set: Annotated[dict[ValueKey, ValueItem], AfterValidator(check_values)] = Field(
        default_factory=dict,
        max_length=200,
        description="Single values by dotted key, such as `image.tag: '1.4'`, over those of all files. They "
        "are kept in the record: never a secret.",
    )
    kubeVersion: Annotated[str, AfterValidator(check_kube_version)] | None = Field(
        default=None, description="What `.Capabilities.KubeVersion` says. Default: Helm's own."
    )
    apiVersions: Annotated[list[Capability], AfterValidator(check_distinct)] = Field(
        default_factory=list,
        max_length=100,
        description="What `.Capabilities.APIVersions` has beside Helm's own.",
    )
    hooks: Literal["refuse", "leaveOut"] = Field(
        default="refuse",
        description="What to do about a chart with hooks, which Holdpoint does not run: refuse it, or "
        "leave them out and warn. Tests are always left out.",
    )


class Source(StrictModel):
    """Where the manifests come from. The revision is resolved to a commit once, at submit.

    A plan that applies anything needs `paths`, `kustomize` or `helm`; all that are given count.
    """

    repository: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(check_repository)] = (
        Field(
            description="A URL on a Git server that the settings allow (`git_hosts`), or a path, relative to "
            "the file; paths are for the embedded stack only."
        )
    )
    revision: Annotated[str, Field(min_length=1, max_length=250), AfterValidator(check_revision)] = Field(
        description="A tag, a branch or a commit. Put a number-like name such as `'6.10'` in quotes."
    )
    paths: Annotated[list[Path], Field(max_length=200), AfterValidator(check_distinct)] = Field(
        default_factory=list,
        description="The manifests that make up the change, relative to the root of the repository.",
    )
    kustomize: Folder | None = Field(
        default=None,
        description="A folder with a `kustomization.yaml`, such as `overlays/production`: what Kustomize "
        "builds of it makes up the change.",
    )
    helm: Helm | None = Field(
        default=None, description="A Helm chart: what it renders to makes up the change."
    )

    @property
    def given(self) -> list[str]:
        """Return which of the forms are used."""
        return [form for form in FORMS if getattr(self, form)]

    @property
    def origins(self) -> list[str]:
        """Return where objects come from, as an `apply` step may name it: files and rendered folders."""
        rendered = [self.kustomize, None if self.helm is None else self.helm.chart]
        return [*self.paths, *(folder for folder in rendered if folder is not None)]
