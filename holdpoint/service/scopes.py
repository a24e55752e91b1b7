"""The scope of a freeze, as people write it: `all`, or `service=S,environment=E` with one or both."""

import re

from holdpoint.models.record import Scope

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_FIELDS = ("service", "environment")
EXPECTED = "must be `all`, or service=NAME, environment=NAME or both with a comma between"


def parse_scope(text: object) -> Scope:
    """Return the scope. Raises ValueError."""
    if text == "all":
        return Scope(everything=True)
    if not isinstance(text, str) or len(text) > 200:
        raise ValueError(EXPECTED)
    found: dict[str, str] = {}
    for pair in text.split(","):
        name, _, value = (part.strip() for part in pair.partition("="))
        if name not in _FIELDS or name in found or not _NAME.fullmatch(value):
            raise ValueError(EXPECTED)
        found[name] = value
    return Scope(service=found.get("service"), environment=found.get("environment"))
