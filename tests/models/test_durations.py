"""Durations: every writing that people use, and no other."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from holdpoint.models.durations import LONGEST, SHORTEST, Duration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("300ms", 0.3), ("5s", 5), ("1h30m", 5400), ("1.5m", 90), ("366d", LONGEST), ("1ms", SHORTEST), (5, 5)],
)
def test_a_duration_is_read_in_seconds(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "5",
        "5 s",
        "-5s",
        "s",
        "0s",
        "0.0001s",
        "367d",
        "1e3s",
        "٣s",
        "5s\n5s",
        "9" * 400 + "d",
        True,
        None,
        math.nan,
        math.inf,
        0,
        -1,
        [],
    ],
    ids=ascii,
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_duration(written)


@given(st.floats(min_value=SHORTEST, max_value=LONGEST))
def test_a_duration_that_is_written_back_is_the_same(seconds: float) -> None:
    read = parse_duration(seconds)

    assert parse_duration(format_duration(read)) == pytest.approx(read, abs=1e-9, rel=1e-12)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_no_unit_is_proposed_for_what_no_unit_helps(value: float) -> None:
    with pytest.raises(ValidationError, match="must be longer than zero"):
        TypeAdapter(Duration).validate_python(value, context={"written": True})
