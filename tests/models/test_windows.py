"""Window arithmetic, across midnight and across the two days on which clocks are moved."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdpoint.models.policy import Window
from holdpoint.models.windows import DAYS, check_window, local_time, next_opening, open_now

OFFICE = Window(days=["mon", "tue", "wed", "thu", "fri"], start="09:00", end="17:00", zone="Europe/Berlin")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-03-02T09:00:00+01:00", True, id="start belongs to it"),
        pytest.param("2026-03-02T08:59:59+01:00", False, id="before the start"),
        pytest.param("2026-03-02T17:00:00+01:00", False, id="end does not belong to it"),
        pytest.param("2026-03-07T12:00:00+01:00", False, id="saturday"),
        pytest.param("2026-07-06T07:00:00+00:00", True, id="summer time, given in UTC"),
        pytest.param("2026-03-02T07:30:00+00:00", False, id="winter time, given in UTC"),
    ],
)
def test_open_by_the_wall_clock_of_its_zone(now: str, expected: bool) -> None:
    assert open_now([OFFICE], at(now)) is expected


def test_next_opening_is_now_while_open() -> None:
    now = at("2026-03-02T12:00:00+01:00")

    assert next_opening([OFFICE], now) == now


def test_next_opening_after_friday_is_monday_and_after_the_move_to_summer_time() -> None:
    friday = at("2026-03-27T18:00:00+01:00")

    assert next_opening([OFFICE], friday) == at("2026-03-30T09:00:00+02:00")


def test_next_opening_after_the_move_to_winter_time() -> None:
    friday = at("2026-10-23T18:00:00+02:00")

    assert next_opening([OFFICE], friday) == at("2026-10-26T09:00:00+01:00")


def test_window_over_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    night = Window(days=["fri"], start="22:00", end="04:00", zone="UTC")

    assert open_now([night], at("2026-03-07T03:59:00+00:00"))
    assert not open_now([night], at("2026-03-06T03:59:00+00:00"))
    assert next_opening([night], at("2026-03-07T04:00:00+00:00")) == at("2026-03-13T22:00:00+00:00")


def test_always_open_has_no_gap_at_midnight() -> None:
    for end in ("24:00", "00:00"):
        always = Window(days=list(DAYS), start="00:00", end=end, zone="Europe/Berlin")
        for minute in range(0, 60 * 24 * 9, 7):
            assert open_now([always], at("2026-03-25T00:00:00+00:00") + timedelta(minutes=minute))


def test_skipped_hour_opens_when_the_clock_was_moved() -> None:
    window = Window(days=["sun"], start="02:30", end="05:00", zone="Europe/Berlin")
    midnight = datetime(2026, 3, 29, 0, 0, tzinfo=BERLIN)

    assert next_opening([window], midnight) == at("2026-03-29T01:30:00+00:00")


def test_repeated_hour_counts_the_first_time() -> None:
    window = Window(days=["sun"], start="02:30", end="02:45", zone="Europe/Berlin")

    assert open_now([window], at("2026-10-25T00:40:00+00:00"))
    assert not open_now([window], at("2026-10-25T01:40:00+00:00"))


def test_earliest_of_several_windows_is_next() -> None:
    tuesday = Window(days=["tue"], start="06:00", end="07:00", zone="UTC")

    assert next_opening([OFFICE, tuesday], at("2026-03-02T20:00:00+00:00")) == at("2026-03-03T06:00:00+00:00")


def test_no_window_never_opens() -> None:
    assert next_opening([], at("2026-03-02T20:00:00+00:00")) is None
    assert not open_now([], at("2026-03-02T20:00:00+00:00"))


def test_local_time_is_that_of_the_first_window() -> None:
    assert local_time([OFFICE], at("2026-07-01T12:00:00+00:00")).hour == 14
    assert local_time([], at("2026-07-01T12:00:00+00:00")).hour == 12


@pytest.mark.parametrize(
    "window",
    [
        pytest.param(Window(days=["monday"]), id="day in full"),
        pytest.param(Window(days=[]), id="no day"),
        pytest.param(Window(start="9:00"), id="one digit"),
        pytest.param(Window(start="24:00"), id="starts at 24:00"),
        pytest.param(Window(end="25:00"), id="hour that is not"),
        pytest.param(Window(zone="Mars/Olympus"), id="unknown zone"),
        pytest.param(Window(zone="../etc/passwd"), id="zone that is a path"),
    ],
)
def test_window_that_cannot_be_computed_is_refused(window: Window) -> None:
    with pytest.raises(ValueError, match=r"must be|allowed"):
        check_window(window)


@given(
    now=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    days=st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
    start=st.sampled_from(["00:00", "02:30", "09:00", "22:15"]),
    end=st.sampled_from(["00:00", "02:45", "09:00", "17:00", "24:00"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_next_opening_is_open_and_nothing_before_it_is(
    now: datetime, days: list[str], start: str, end: str, zone: str
) -> None:
    window = check_window(Window(days=days, start=start, end=end, zone=zone))

    opening = next_opening([window], now)

    assert opening is not None
    assert open_now([window], opening)
    assert opening - now <= timedelta(days=8)
    if opening > now:
        assert not open_now([window], opening - timedelta(seconds=1))
        assert not open_now([window], now + (opening - now) / 2)
