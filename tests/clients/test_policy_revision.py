"""Two real OPAs on different revisions of the policies: only one of them may decide."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdpoint.clients.policy import OpaEngine
from holdpoint.models.errors import UpstreamUnavailable
from tests.clients.test_policy import a_question
from tests.policies import real_opa
from tests.policies.real_opa import Served

pytestmark = pytest.mark.timeout(900)  # the first run on a machine builds OPA


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Served, Served]]:
    """The second OPA has one rule more."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with real_opa.served(tmp_path / "one") as one, real_opa.served(tmp_path / "two") as two:
        _add_a_rule(two)
        yield one, two


def _add_a_rule(opa: Served) -> None:
    before = opa.bundle.revision()
    (opa.policies / "rules" / "extra.rego").write_text("package rules.extra\n\nallowed := true\n")
    assert opa.bundle.refresh()
    assert opa.bundle.revision() != before
    opa.until_served(opa.bundle.revision())


async def test_a_decision_of_another_revision_does_not_count_until_they_agree(
    two: tuple[Served, Served],
) -> None:
    one, other = two
    before, expected = one.bundle.revision(), other.bundle.revision()
    behind = OpaEngine(one.url, one.bundle.token_file, revision=expected)

    ahead = await OpaEngine(other.url, other.bundle.token_file, revision=expected).decide(a_question())
    with pytest.raises(UpstreamUnavailable) as held:
        await behind.decide(a_question())
    _add_a_rule(one)
    agreed = await behind.decide(a_question())

    assert held.value.detail == {"upstream": "policy_revision"}
    assert before in held.value.message
    assert expected in held.value.message
    assert ahead.revision == agreed.revision == expected


async def test_without_an_expected_revision_any_decides(two: tuple[Served, Served]) -> None:
    revisions = {
        (await OpaEngine(opa.url, opa.bundle.token_file).decide(a_question())).revision for opa in two
    }

    assert len(revisions) == 2
