"""Two real OPAs on different revisions of the policies: only one of them may decide."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdpoint.models.errors import UpstreamUnavailable
from tests.clients.test_policy import a_question, asking
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
    async with (
        asking(one.url, one.bundle.token_file, revision=expected) as behind,
        asking(other.url, other.bundle.token_file, revision=expected) as ready,
    ):
        ahead = await ready.decide(a_question())
        with pytest.raises(UpstreamUnavailable) as held:
            await behind.decide(a_question())
        _add_a_rule(one)
        agreed = await behind.decide(a_question())

    assert held.value.detail == {"upstream": "policy_revision"}
    assert before in held.value.message
    assert expected in held.value.message
    assert ahead.revision == agreed.revision == expected


async def test_without_an_expected_revision_any_decides(two: tuple[Served, Served]) -> None:
    revisions = set()
    for opa in two:
        async with asking(opa.url, opa.bundle.token_file) as engine:
            revisions.add((await engine.decide(a_question())).revision)

    assert len(revisions) == 2
