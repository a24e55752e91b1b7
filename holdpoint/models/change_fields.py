"""The kinds of value that a change file is made of: names, lines, paths, and how its lists are checked."""

import re
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

from holdpoint.models.git_names import check_folder, check_path

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$", max_length=63)]
"""A name as Kubernetes and DNS allow it."""

# No control characters, no line breaks of Unicode, no marks that turn the reading direction: an approver
# must read what is there.
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+$"
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=_ONE_LINE)]
"""One line of text for people."""

Ratio = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Weight = Annotated[int, Field(ge=1, le=100)]
Path = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_path)]
Folder = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_folder)]
"""A folder of the repository; `.` is its root."""


def check_weights(weights: list[int]) -> list[int]:
    """Return `weights` if they rise. Raises ValueError."""
    if any(later <= earlier for earlier, later in pairwise(weights)):
        raise ValueError("must rise, such as [10, 50]")
    return weights


def check_distinct(paths: list[str]) -> list[str]:
    """Return `paths` if none is named twice. Raises ValueError."""
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise ValueError(f"names {twice[0]!r} twice")
    return paths


def check_ticket(value: str) -> str:
    """Return `value` if it can be a ticket's ID. Raises ValueError."""
    if not re.fullmatch(r"chg-[a-z2-9]{10}", value):
        raise ValueError("must be a ticket's ID, such as chg-7k2m9xq4ab")
    return value


def check_object_name(value: str) -> str:
    """Return `value` if an object can have this name (a DNS subdomain, RFC 1123). Raises ValueError."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", value):
        raise ValueError(
            "must be at most 253 lower-case letters, digits, '-' and '.', as an object's name is"
        )
    return value


def check_kind(value: str) -> str:
    """Return `value` if it can be a kind. Raises ValueError."""
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]{0,62}", value):
        raise ValueError("must be a kind such as Deployment")
    return value


def check_api_version(value: str) -> str:
    """Return `value` if it can be an apiVersion. Raises ValueError."""
    if not re.fullmatch(
        r"([a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?/)?v[0-9]{1,4}((alpha|beta)[0-9]{1,4})?", value
    ):
        raise ValueError("must be an apiVersion such as v1 or apps/v1")
    return value


TicketId = Annotated[str, AfterValidator(check_ticket)]
ObjectName = Annotated[str, AfterValidator(check_object_name)]
Kind = Annotated[str, AfterValidator(check_kind)]
ApiVersion = Annotated[str, AfterValidator(check_api_version)]
