"""The form of a check, and what becomes of checks of one name that several ask for."""

from typing import Any

import pytest
from pydantic import ValidationError

from holdpoint.models.checks import Asker, CheckSpec, PlannedCheck, planned, united

QUERY = {"promql": "errors", "max": 1}


def asked(by: Asker, *names: str, most: float = 1) -> list[PlannedCheck]:
    specs = [{"name": name, "query": {"promql": "errors", "max": most}} for name in names]
    return planned([CheckSpec.model_validate(spec) for spec in specs], by)


def test_checks_are_put_together_by_name_and_the_later_askers_counts() -> None:
    plan, catalog = asked("plan", "own", "errors", most=9), asked("catalog", "errors")

    found = united(plan, catalog, asked("policy", "more"))

    assert [(check.name, check.by) for check in found] == [
        ("own", "plan"),
        ("errors", "catalog"),
        ("more", "policy"),
    ]
    assert found[1].config["max"] == 1


def test_configuration_is_read_back_as_it_was() -> None:
    spec = CheckSpec.model_validate(
        {"name": "report", "vulnerabilityReport": {"maxAge": "90m"}, "timeout": "1m30s"}
    )
    [check] = planned([spec], "plan")

    assert spec.vulnerabilityReport is not None
    assert type(spec.vulnerabilityReport).model_validate(check.config) == spec.vulnerabilityReport
    assert (check.kind, check.attempts, check.timeout) == ("vulnerabilityReport", 3, 90.0)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param({}, "exactly one kind of check", id="no kind"),
        pytest.param({"query": QUERY, "dependencies": {"services": ["a"]}}, "exactly one", id="two kinds"),
        pytest.param({"query": {"promql": "errors"}}, "max, min or both", id="no bound"),
        pytest.param({"query": {**QUERY, "min": 2}}, "nothing could pass", id="crossed bounds"),
        pytest.param({"query": {"promql": "errors", "max": float("nan")}}, "finite", id="NaN as a bound"),
        pytest.param({"query": {"promql": " ", "max": 1}}, "must be PromQL", id="empty query"),
        pytest.param({"query": {"promql": "a\u202eb", "max": 1}}, "must be PromQL", id="turned text"),
        pytest.param({"probe": {"url": "ftp://a/"}}, "https://", id="another scheme"),
        pytest.param({"probe": {"url": "https://a:b@c/"}}, "password", id="credentials in a URL"),
        pytest.param({"probe": {"url": "https://a/#b"}}, "fragment", id="fragment in a URL"),
        pytest.param({"probe": {"url": "https://2130706433/"}}, "IP address", id="an address in disguise"),
        pytest.param({"dependencies": {}}, "deployments, services or both", id="nothing named"),
        pytest.param({"signature": {"key": "../ledger"}}, "pattern", id="a key by path"),
        pytest.param({"signature": {"key": "k", "folder": "../x"}}, "folder", id="a folder outside"),
        pytest.param({"signature": {"key": "k", "images": ["shop:1.0"]}}, "without tag", id="a tag"),
        pytest.param({"vulnerabilityReport": {"severity": "bad"}}, "critical", id="odd severity"),
        pytest.param({"query": QUERY, "attempts": 11}, "10", id="too many attempts"),
        pytest.param({"query": QUERY, "timeout": "3m"}, "at most 2m", id="too long"),
    ],
)
def test_what_cannot_be_a_check_is_a_mistake_with_its_reason(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CheckSpec.model_validate({"name": "it", **spec})

    assert said in str(caught.value)
