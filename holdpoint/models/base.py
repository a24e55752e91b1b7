"""The two base models: one for what we write ourselves, one for what strangers write."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
"""A SHA-256 digest in the form `sha256:<64 hex digits>`."""


def _in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC. Raises ValueError where UTC's calendar does not have it."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be a moment between the years 1 and 9999 in UTC") from error


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment with a time zone; always written as RFC 3339 in UTC."""


class Model(BaseModel):
    """A frozen value of ours. Unknown fields are dropped, so that an older worker reads newer data."""

    model_config = ConfigDict(frozen=True)


class StrictModel(BaseModel):
    """A frozen value that a stranger writes. An unknown field is a mistake, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
