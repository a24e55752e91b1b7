"""What every model's fields promise."""

import pytest
from pydantic import TypeAdapter, ValidationError

from holdpoint.models.base import Instant

INSTANT: TypeAdapter[Instant] = TypeAdapter(Instant)


def test_a_moment_is_written_in_utc_whatever_zone_it_came_in() -> None:
    moment = INSTANT.validate_python("2026-12-01T10:00:00+02:00")

    assert INSTANT.dump_json(moment) == b'"2026-12-01T08:00:00Z"'


@pytest.mark.parametrize("text", ["2026-12-01T10:00:00", "0001-01-01T00:00:00+02:00"])
def test_a_moment_without_a_zone_or_outside_of_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(text)
