"""What is shipped as the least RBAC is what the step kinds declare."""

from pathlib import Path

import pytest

from activities.steps.rbac import documents
from activities.steps.registry import STEP_KINDS
from activities.steps.rights import Right
from holdpoint.models.http_step import OUTSIDE_KINDS
from holdpoint.models.timed_steps import TIMED_KINDS

NO_OBJECTS = TIMED_KINDS | OUTSIDE_KINDS
FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"


@pytest.mark.parametrize("name", documents())
def test_shipped_manifest_is_what_the_kinds_declare(name: str) -> None:
    assert (FOLDER / name).read_text() == documents()[name], (
        "run `python -m activities.steps.rbac deploy/kubernetes`"
    )


@pytest.mark.parametrize(
    "kind", [kind for kind in STEP_KINDS if kind.kind not in NO_OBJECTS], ids=lambda kind: kind.kind
)
def test_every_kind_declares_both_identities_and_nothing_too_wide(kind: object) -> None:
    rights: tuple[Right, ...] = kind.rights  # type: ignore[attr-defined]  # the table's type is too wide

    assert {right.identity for right in rights} == {"forward", "undo"}
    for right in rights:
        assert "*" not in (right.group, right.resource, *right.verbs)
        assert right.resource not in ("roles", "rolebindings", "clusterroles", "pods/exec")


def test_what_writes_no_object_is_allowed_nothing() -> None:
    assert {kind.kind for kind in STEP_KINDS if not kind.rights} == NO_OBJECTS
