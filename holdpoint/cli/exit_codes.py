"""The exit codes that pipelines are written against, and the only place that exits.

0 succeeded; 1 the change did not go through and production is as it was; 2 usage, settings or an invalid
file; 3 upstream unreachable, or the timeout passed; 4 a person is needed; 5 refused: not allowed, or a
conflict.
"""

import os
import sys
from typing import Any, NoReturn

from holdpoint.models.errors import HoldpointError
from holdpoint.models.phases import Phase

SUCCEEDED = 0
UNCHANGED = 1
USAGE = 2
UPSTREAM = 3
PERSON_NEEDED = 4
REFUSED = 5
REHEARSED = "rehearsed"
"""Code of the reason of a rehearsal that went well; a test holds it against the model's."""
INTERRUPTED = 130
"""Ctrl-C, as every shell counts it."""

_BY_PHASE: dict[str, int] = {
    Phase.SUCCEEDED: SUCCEEDED,
    Phase.REJECTED: UNCHANGED,
    Phase.EXPIRED: UNCHANGED,
    Phase.FAILED: UNCHANGED,
    Phase.ABORTED: UNCHANGED,
    Phase.ROLLED_BACK: UNCHANGED,
    Phase.ROLLBACK_FAILED: PERSON_NEEDED,
    Phase.ERRORED: PERSON_NEEDED,
}


def of_phase(phase: str) -> int:
    """Return how `submit --wait` and `watch` exit for a terminal phase; an unknown one needs a person."""
    return _BY_PHASE.get(phase, PERSON_NEEDED)


def of_ticket(view: dict[str, Any]) -> int:
    """Return how a command exits for a closed ticket: a rehearsal that went well has done what was asked."""
    rehearsed = (view.get("reason") or {}).get("code") == REHEARSED
    return SUCCEEDED if rehearsed and view["phase"] == Phase.ROLLED_BACK else of_phase(view["phase"])


def of_error(error: HoldpointError) -> int:
    """Return how a command exits on one of our errors; one of the API's knows it by its HTTP status."""
    code = getattr(error, "exit", error.exit_code)
    return int(code)


def of_status(status: int) -> int:
    """Return how a command exits when the API answered with this HTTP status of an error."""
    if status in (401, 403, 409):
        return REFUSED
    if status == 429 or status >= 500:
        return UPSTREAM
    return USAGE


def leave(code: int) -> NoReturn:
    """End the process with `code`."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            # Python would complain once more at the end, and exit 120.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)
