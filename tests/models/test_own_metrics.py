"""A metric of the service's own says what it needs, and nothing that contradicts it."""

from typing import Any

import pytest
from pydantic import ValidationError

from holdpoint.models.analysis import Analysis

QUERY = 'lag{deployment="{{deployment}}"}'
ALL = 'jobs_total{deployment="{{deployment}}"}'


def analysis(**metric: Any) -> Analysis:
    whole = {"name": "queueLag", "kind": "value", "query": QUERY, **metric}
    given = {name: value for name, value in whole.items() if value is not None}
    return Analysis.model_validate({"errorRatio": {"max": 0.01}, "metrics": [given]})


@pytest.mark.parametrize(
    "metric",
    [
        {"max": 30},
        {"kind": "ratio", "of": ALL, "max": 0.02},
        {"kind": "ratio", "of": ALL, "min": 0.98, "direction": "higher"},
        {"kind": None, "query": None, "source": {"webhook": "load"}},
        {"critical": False, "absence": "ignore"},
    ],
)
def test_it_is_the_same_after_a_way_through_the_record(metric: dict[str, Any]) -> None:
    found = analysis(**metric)

    assert Analysis.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ({"name": "queue lag"}, "metrics.0.name"),
        ({"name": "latency"}, "which is a metric of its own"),
        ({"kind": None}, "must have kind"),
        ({"query": None}, "must have query"),
        ({"query": "up"}, "metrics.0.query"),
        ({"of": ALL}, "must not have of with kind: value"),
        ({"kind": "ratio", "max": 0.1}, "must have of with kind: ratio"),
        ({"kind": "ratio", "of": QUERY, "max": 0.1}, "not only of some"),
        ({"kind": "ratio", "of": f"sum({ALL})", "max": 0.1}, "of must be counters"),
        ({"kind": "ratio", "of": ALL}, "must have max and no min"),
        ({"kind": "ratio", "of": ALL, "max": 0.1, "direction": "higher"}, "must have min and no max"),
        ({"kind": "ratio", "of": ALL, "max": 3}, "3 is none"),
        ({"min": 3, "max": 2}, "a min below its max"),
        ({"max": float("nan")}, "metrics.0.max"),
        ({"tolerance": -1}, "metrics.0.tolerance"),
        ({"absence": "ignore"}, "no data is never a pass"),
        ({"source": {"webhook": "load"}}, "must not have query beside source"),
        ({"source": {"url": "http://169.254.169.254"}}, "metrics.0.source"),
    ],
)
def test_a_mistake_is_named_with_its_field(metric: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        analysis(**metric)

    assert words in str(refused.value)


def test_no_two_have_one_name() -> None:
    one = {"name": "lag", "kind": "value", "query": QUERY}

    with pytest.raises(ValidationError, match="names 'lag' twice"):
        Analysis.model_validate({"metrics": [one, one]})


def test_something_must_be_able_to_fail_the_canary() -> None:
    told = {"name": "lag", "kind": "value", "query": QUERY, "critical": False}

    with pytest.raises(ValidationError, match="of which one is critical"):
        Analysis.model_validate({"metrics": [told]})


def test_only_what_is_critical_shares_the_chance_of_a_false_fail() -> None:
    assert analysis().judged == 2
    assert analysis(critical=False).judged == 1
