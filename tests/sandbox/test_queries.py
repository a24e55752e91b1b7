"""What is outside the subset is refused, and answers are written as a Prometheus writes them."""

import math

import pytest

from holdpoint.sandbox.prom.api import QueryApi, number_text, plain_text
from holdpoint.sandbox.prom.evaluate import Evaluator
from holdpoint.sandbox.prom.series import RETENTION_MS, Database, Target

T = 1_700_000_000


def api(*samples: tuple[float, float]) -> QueryApi:
    """Return the API over one series `m` with these samples, their times relative to T."""
    database = Database()
    target = Target({})
    target.add("m")
    for second, value in samples:
        target.append(round((T + second) * 1000), [value])
    database.targets.append(target)
    return QueryApi(Evaluator(database))


@pytest.mark.parametrize(
    "query",
    [
        "topk(1, m)",
        "quantile(0.5, m)",
        "absent(m)",
        "avg_over_time(m[1m])",
        "label_replace(m, 'a', 'b', 'c', 'd')",
        "m[1m:5s]",
        "m @ 5",
        "m + on(a) group_left m",
        "1 atan2 2",
        "'text'",
        "{'m'}",
        "(" * 60 + "1" + ")" * 60,
        "-" * 5000 + "1",
        "m{a=~'(?=b)'}",
    ],
)
def test_what_is_outside_the_subset_is_bad_data(query: str) -> None:
    code, document = api().answer("query", {"query": query})

    assert (code, document["errorType"]) == (400, "bad_data")


def test_a_stale_series_is_gone_at_once_but_its_past_is_not() -> None:
    asked = api((0, 1.0), (1, 2.0), (2, math.nan))

    now = asked.answer("query", {"query": "m", "time": str(T + 2)})[1]["data"]["result"]
    before = asked.answer("query", {"query": "m", "time": str(T + 1.9)})[1]["data"]["result"]
    window = asked.answer("query", {"query": "m[1m]", "time": str(T + 30)})[1]["data"]["result"]

    assert now == []
    assert before[0]["value"][1] == "2"
    assert [value for _, value in window[0]["values"]] == ["1", "2"]


def test_a_query_without_a_time_is_of_now() -> None:
    code, document = api().answer("query", {"query": "1"})

    assert code == 200
    assert document["data"]["result"][0] > T


def test_old_samples_are_dropped_and_empty_targets_with_them() -> None:
    database = Database()
    for start in (0, RETENTION_MS):
        target = Target({})
        target.add("m")
        target.append(start, [1.0])
        target.append(start + 1000, [2.0])
        database.targets.append(target)

    database.trim(RETENTION_MS + 5000)

    assert [list(target.times) for target in database.targets] == [[RETENTION_MS, RETENTION_MS + 1000]]
    assert [list(target.series[0].values) for target in database.targets] == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.5, "1.5"),
        (1e20, "1" + "0" * 20),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1e-7, "1e-07"),
    ],
)
def test_samples_are_written_with_an_exponent_only_far_from_one(value: float, text: str) -> None:
    assert number_text(value) == text


def test_scalars_are_written_without_exponents() -> None:
    assert [plain_text(value) for value in (1e21, 1e-7)] == ["1" + "0" * 21, "0.0000001"]
