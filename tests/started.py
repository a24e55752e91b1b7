"""Start Temporal's test servers, however slow the machine is."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio.testing import WorkflowEnvironment

PATIENCE = 60.0
"""Seconds until a server that does not come is an error."""
GIVES_UP = "did not start within"
"""The SDK's own words: it waits 5 s for a server that it starts, which cannot be set, and then kills it. With
both cores busy the process alone was seen to need more, so it is started anew until the patience ends."""


async def started(start: Callable[[], Awaitable[WorkflowEnvironment]]) -> WorkflowEnvironment:
    """Return the environment. Raises RuntimeError for any other fault than the SDK's short patience."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await start()
        except RuntimeError as error:
            if GIVES_UP not in str(error) or asyncio.get_running_loop().time() > deadline:
                raise
