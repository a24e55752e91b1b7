"""Native cancellation becomes a flag, so that nothing that must be finished is ever dropped by it.

A bare `asyncio.shield` was seen to drop a compensation, and a cancel can be swallowed by an operation that
is in flight (design decisions 10 and 11). So the whole life runs as one task that a cancel never reaches:
the cancel only sets the flag that every wait observes. The one thing that does end the task is the
eviction of the workflow from a worker's cache, which must end everything quietly.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow

T = TypeVar("T")


async def to_the_end(life: Coroutine[Any, Any, T], *, on_cancel: Callable[[], None]) -> T:
    """Return what `life` returns, however often the workflow is cancelled; each cancel calls `on_cancel`."""
    task = asyncio.create_task(life)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if workflow.cancellation_reason() is None:
                raise  # nobody cancelled: the worker evicts this workflow
            on_cancel()
        except BaseException:
            if not task.done():
                raise  # this coroutine itself is closed: a workflow that was terminated leaves the cache
            break  # the task's own; it is raised below
    return task.result()


def evicted(error: BaseException) -> bool:
    """Tell whether this only says that the worker drops the workflow from its cache."""
    return isinstance(error, asyncio.CancelledError | GeneratorExit) or "Evicted" in type(error).__name__
