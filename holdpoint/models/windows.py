"""Weekly openings of a service: is one open now, and when does the next one begin. Right across DST.

A window is opened and closed by the wall clock of its zone, so its length in hours differs on the two days
of the year on which that clock is moved. A wall-clock time that is skipped counts as the moment it would have
been without the move, one that comes twice as the first of the two (RFC 5545, section 3.3.5).
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdpoint.models.policy import Window

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME = re.compile(r"^(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$")
_WEEK = 7


def check_window(window: Window) -> Window:
    """Return `window` if it can be computed with. Raises ValueError with what is wrong."""
    unknown = [day for day in window.days if day not in DAYS]
    if unknown or not window.days:
        raise ValueError(f"days are {window.days}; allowed are one or more of {', '.join(DAYS)}")
    for name, value in (("start", window.start), ("end", window.end)):
        if not _TIME.match(value) or (name == "start" and value == "24:00"):
            raise ValueError(f'{name} is {value!r}; it must be a time such as "09:00", in quotes')
    try:
        ZoneInfo(window.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"zone is {window.zone!r}; it must be one such as Europe/Berlin") from error
    return window


def open_now(windows: Iterable[Window], now: datetime) -> bool:
    """Tell whether any of the windows is open at `now`; its start belongs to it, its end does not."""
    return any(
        start <= now < end for window in windows for start, end in _openings(window, now.astimezone(UTC))
    )


def next_opening(windows: Iterable[Window], now: datetime) -> datetime | None:
    """Return the first moment from `now` on at which a window is open, in UTC, or None if there is none.

    While a window is open that is `now` itself.
    """
    now = now.astimezone(UTC)
    ahead = (max(start, now) for window in windows for start, end in _openings(window, now) if end > now)
    return min(ahead, default=None)


def local_time(windows: Iterable[Window], now: datetime) -> datetime:
    """Return `now` by the wall clock of the first window's zone, or in UTC if there is no window."""
    zone = next((window.zone for window in windows), "UTC")
    return now.astimezone(ZoneInfo(zone))


def _openings(window: Window, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the openings, in UTC, that began yesterday or begin within a week of `now`."""
    zone = ZoneInfo(window.zone)
    today = now.astimezone(zone).date()
    for offset in range(-1, _WEEK + 1):
        day = today + timedelta(days=offset)
        if DAYS[day.weekday()] in window.days:
            start, end = _moment(day, window.start, zone), _moment(day, window.end, zone)
            if end <= start:
                end = _moment(day + timedelta(days=1), window.end, zone)
            yield start, end


def _moment(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """Return a wall-clock time of one day as a moment in UTC; `24:00` is the next day's midnight."""
    if clock == "24:00":
        day, clock = day + timedelta(days=1), "00:00"
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)
