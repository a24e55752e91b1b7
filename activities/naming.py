"""Name the field of the change that a refusal is about, so that it reads like every other mistake."""

from collections.abc import Iterator
from contextlib import contextmanager

from holdpoint.models.errors import StepConfig


@contextmanager
def naming(field: str, found: str) -> Iterator[None]:
    """Let a StepConfig leave with this field in `detail["mistakes"]`, unless it names one already."""
    try:
        yield
    except StepConfig as error:
        allowed = "what can be applied"
        mistake = {"field": field, "found": found, "allowed": allowed, "message": error.message}
        error.detail.setdefault("mistakes", [mistake])
        raise
