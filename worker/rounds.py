"""Do something again and again until the worker stops; a round that fails is logged, and not the last."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from holdpoint.models.errors import HoldpointError

log = structlog.get_logger()


async def repeat(
    work: Callable[[], Awaitable[object]], stop: asyncio.Event, *, every: float, failed: str
) -> None:
    """Await `work` every so many seconds until `stop` is set; `failed` is the log's event of one that fails.

    Nothing that it raises ends the worker: one row that nobody foresaw would end every worker of the
    installation, again after each restart.
    """
    while not stop.is_set():
        try:
            await work()
        except HoldpointError as error:
            log.warning(failed, code=error.code, error=error.message)
        except Exception:
            log.exception(failed, code="broke")
        await pause(stop, every)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for `stop`, at most so many seconds."""
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        return
