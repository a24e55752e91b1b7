"""How a server process ends: within its time, whatever still hangs in a thread.

A thread that waits for a stalled connection (Git, a database) cannot be cancelled, and Python would wait for
it at the end. What such a thread does is safe to repeat, like all that a killed process leaves.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger()

AFTER_DRAIN = 8.0
"""Seconds after the drain in which everything is closed; what hangs by then is left."""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`, which closes all that it opened, and end the process without waiting for threads.

    An error of `work` leaves as it is.
    """
    with asyncio.Runner() as runner:
        runner.run(work)
        _leave(0)


def end_within(drain: float) -> None:
    """From now on the process has `drain` and a few seconds more; then it is ended, with exit code 1."""
    watchdog = threading.Timer(drain + AFTER_DRAIN, _force)
    watchdog.daemon = True
    watchdog.start()


def _force() -> None:
    log.error("process.forced", after=AFTER_DRAIN)
    _leave(1)


def _leave(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
