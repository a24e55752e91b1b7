"""The step kinds that write nothing, as they are written in a change file.

The workflow itself carries them out: time passes, or a person's word is awaited.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import Line
from holdpoint.models.durations import Duration

TIMED_KINDS = frozenset({"wait", "manual", "analysis"})
"""They touch no object, so there is nothing to undo."""


def check_manual_names(names: Iterable[str]) -> None:
    """Hold that each manual step can be told from the others by its name. Raises ValueError."""
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise ValueError(
            f"must give each manual step a name of its own, by which it is confirmed; {twice[0]!r} is taken"
        )


def check_who(who: str) -> str:
    """Return a name that a role or an account can have. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@:/-]{0,99}", who):
        raise ValueError("must be one role or account, such as sre or anna@example.com")
    return who


def check_runbook(address: str) -> str:
    """Return an address that a person may follow. Raises ValueError."""
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in address
    except ValueError:
        good = False
    if not good or "@" in parts.netloc:
        raise ValueError("must be an http or https address without a password, such as https://wiki/runbook")
    return address


class _For(StrictModel):
    """A mapping with a `for`, which Python cannot have as a name."""

    model_config = ConfigDict(populate_by_name=False, serialize_by_alias=True)


class WaitConfig(_For):
    """Wait before the next step. Time under a hold does not count."""

    for_: Duration = Field(alias="for", description="How long, without the time that a hold takes.")


class AnalysisConfig(_For):
    """Judge what stands now by `spec.analysis`, without changing any weight."""

    for_: Duration = Field(alias="for", description="How long it is watched at least before it may pass.")


class ManualConfig(StrictModel):
    """Have a person do something, and go on when they say that it is done (`holdpoint confirm`)."""

    who: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(check_who)] = Field(
        description="Who does it and may say so: a role, such as `sre`, or the account of one person."
    )
    what: Line = Field(description="What is to be done, in one line.")
    runbook: Annotated[Line, AfterValidator(check_runbook)] | None = Field(
        default=None, description="The address of the runbook that says how."
    )
    timeout: Duration = Field(
        description="How long they have, without the time that another hold takes. Then the step fails."
    )
