"""OPA serves exactly the files in the data folder, to whoever has the token, and takes nothing else."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdpoint.clients.policy import PACKAGE, RULE
from holdpoint.embedded.policy_bundle import ENTRY_POINT, ensure_token
from holdpoint.models.errors import PolicyBundle
from tests.policies import real_opa
from tests.policies.real_opa import Served

pytestmark = pytest.mark.timeout(900)  # the first run on a machine builds OPA

DECISION = "/v1/data/holdpoint/decision"
IMAGES = "rules/images/images.rego"


@pytest.fixture(scope="module")
def opa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with real_opa.served(tmp_path_factory.mktemp("data folder")) as made:
        yield made


def test_health_needs_no_token_and_says_nothing(opa: Served) -> None:
    answer = opa.ask("GET", "/health", token="")

    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize("token", ["", "guess"])
def test_decision_needs_the_token(opa: Served, token: str) -> None:
    assert opa.ask("POST", DECISION, token=token, json={"input": {}}).status_code == 401


def test_revision_names_the_files_that_decided(opa: Served) -> None:
    answer = opa.ask("POST", f"{DECISION}?provenance=true", json={"input": {}}).json()

    assert [b["revision"] for b in answer["provenance"]["bundles"].values()] == [opa.bundle.revision()]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/policies/mine"),
        ("DELETE", "/v1/policies/mine"),
        ("PUT", "/v1/data/holdpoint"),
        ("PATCH", "/v1/data/holdpoint"),
        ("GET", "/v1/data/access"),
        ("GET", "/v1/data"),
        ("GET", "/v1/config"),
        ("POST", "/v1/query"),
        ("POST", "/"),
    ],
)
def test_writes_and_other_questions_are_refused_with_the_token_too(
    opa: Served, method: str, path: str
) -> None:
    assert opa.ask(method, path, content=b"{}").status_code == 401


def test_the_decision_that_must_be_there_is_the_one_that_is_asked_for() -> None:
    assert f"data.{PACKAGE}.{RULE}" == ENTRY_POINT


def test_token_is_not_in_the_bundle(opa: Served) -> None:
    assert opa.bundle.token_file.read_bytes() not in gzip.decompress(opa.bundle.file.read_bytes())


def test_token_is_the_owners_alone_and_stays(tmp_path: Path) -> None:
    ensure_token(tmp_path / "opa" / "token")
    first = (tmp_path / "opa" / "token").read_text()
    ensure_token(tmp_path / "opa" / "token")

    assert (tmp_path / "opa" / "token").read_text() == first
    assert (tmp_path / "opa" / "token").stat().st_mode & 0o777 == 0o600


def test_edited_policy_comes_into_force_while_opa_runs(tmp_path: Path) -> None:
    with real_opa.served(tmp_path) as opa:
        assert not opa.bundle.refresh()
        (opa.policies / "rules/ours").mkdir()
        (opa.policies / "rules/ours/ours.rego").write_text(
            'package rules.ours\n\ndeny contains "Not on my watch."\n'
        )

        assert opa.bundle.refresh()

        opa.until_served(opa.bundle.revision())
        assert "Not on my watch." in opa.ask("POST", DECISION, json={"input": {}}).text


def test_broken_policy_is_named_and_what_was_in_force_stays(tmp_path: Path) -> None:
    bundle, policies = real_opa.bundle_in(tmp_path / "a data folder")
    bundle.refresh()
    before = bundle.file.read_bytes()
    (policies / IMAGES).write_text("package rules.images\n\nallow if {")

    with pytest.raises(PolicyBundle, match=rf" {IMAGES}:3: rego_parse_error"):
        bundle.refresh()

    assert bundle.file.read_bytes() == before


def test_policies_without_the_entry_point_are_refused(tmp_path: Path) -> None:
    bundle, policies = real_opa.bundle_in(tmp_path)
    (policies / "holdpoint/decision.rego").unlink()

    with pytest.raises(PolicyBundle, match=r"data\.holdpoint\.decision"):
        bundle.refresh()


def test_nobody_opens_opa_by_editing_the_policies(tmp_path: Path) -> None:
    bundle, policies = real_opa.bundle_in(tmp_path)
    (policies / "system/authz/authz.rego").write_text("package system.authz\n\nallow := true\n")
    bundle.refresh()
    before = bundle.revision()

    (policies / "system/authz/authz.rego").unlink()

    assert not bundle.refresh()
    assert bundle.revision() == before


def test_revision_follows_rules_and_data_but_not_tests(tmp_path: Path) -> None:
    bundle, policies = real_opa.bundle_in(tmp_path)
    seen = [bundle.revision()]

    (policies / "rules/images/images_test.rego").write_text("package rules.images_test\n")
    seen.append(bundle.revision())
    (policies / "rules/images/data.json").write_text("{}")
    seen.append(bundle.revision())

    assert seen[0] == seen[1] != seen[2]
