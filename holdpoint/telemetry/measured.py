"""The ledger and the policy engine, measured: the same behaviour, with the time that each call took."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from prometheus_client import Histogram
from sqlalchemy import Connection

from holdpoint.clients.policy import PolicyEngine
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import HoldpointError, TransientError, UpstreamUnavailable
from holdpoint.models.policy import Decision, PolicyInput
from holdpoint.telemetry.metrics import Metrics

P = ParamSpec("P")
R = TypeVar("R")
Verb = Callable[Concatenate[Connection, P], R]


class MeasuredLedger(Ledger):
    """A ledger that tells how long its verbs took.

    With `patience`, in seconds, a caller gets UpstreamUnavailable instead of waiting longer: what it asked
    for may still be done, and like every verb is safe to repeat.
    """

    def __init__(
        self, url: str, password_file: Path | None, metrics: Metrics, *, patience: float | None = None
    ) -> None:
        super().__init__(url, password_file)
        self._seconds, self._patience = metrics.ledger_seconds, patience

    async def write(self, verb: Verb[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do what the ledger does, measured. Raises UpstreamUnavailable."""
        work = super().write(verb, *args, **kwargs)
        return await _timed(self._seconds, self._bounded(work), operation="write")

    async def read(self, verb: Verb[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do what the ledger does, measured. Raises UpstreamUnavailable."""
        work = super().read(verb, *args, **kwargs)
        return await _timed(self._seconds, self._bounded(work), operation="read")

    async def _bounded(self, work: Coroutine[Any, Any, R]) -> R:
        try:
            async with asyncio.timeout(self._patience):
                return await work
        except TimeoutError as error:
            raise UpstreamUnavailable(
                f"The ledger did not answer within {self._patience:g} s. Try again."
            ) from error


class MeasuredPolicy:
    """A policy engine that tells how long its decisions took, whatever they were."""

    def __init__(self, engine: PolicyEngine, metrics: Metrics) -> None:
        self._engine, self._seconds = engine, metrics.policy_seconds

    async def decide(self, question: PolicyInput) -> Decision:
        """Return the engine's decision. Raises what it raises."""
        return await _timed(self._seconds, self._engine.decide(question))


async def _timed(seconds: Histogram, work: Coroutine[Any, Any, R], **labels: str) -> R:
    """Return what the work returns, and note how long that took and how it ended."""
    began, result = time.perf_counter(), "broke"
    try:
        answer = await work
        result = "ok"
        return answer
    except HoldpointError as error:
        result = "down" if isinstance(error, TransientError) else "refused"
        raise
    except asyncio.CancelledError:
        result = "cancelled"
        raise
    finally:
        seconds.labels(**labels, result=result).observe(time.perf_counter() - began)
