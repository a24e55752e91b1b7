"""`holdpoint worker` that is struck at a moment: the very process, with one more interceptor.

Run as `python -m tests.faults.stricken_worker worker …`. FAULT_ORDERS names a folder: the first worker that
comes to a moment for which a file is there (`apply_step.before`) takes the file away and sends itself the
signal in it. `before` is before the activity has done anything; `after` is when all of it is done and
Temporal has not been told. FAULT_SKEW is how many seconds this process's clock is off.
"""

import datetime as moments
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

import worker.main
from worker.temporal import build_worker as build_real_worker


class Strike(Interceptor):
    """Sends this process a signal when it comes to a moment that was ordered."""

    def __init__(self, orders: Path) -> None:
        self._orders = orders

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Stand before every activity."""
        return _Moments(next, self._orders)


class _Moments(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, orders: Path) -> None:
        super().__init__(next)
        self._orders = orders

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        name = activity.info().activity_type
        self._obey(f"{name}.before")
        done = await super().execute_activity(input)
        self._obey(f"{name}.after")
        return done

    def _obey(self, moment: str) -> None:
        taken = self._orders / f"{moment}.taken-by-{os.getpid()}"
        try:
            (self._orders / moment).rename(taken)
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.Signals[taken.read_text()])


def strike(orders: Path) -> None:
    """Have every worker that is built here come past the orders first."""

    def build_worker(client: Any, *, interceptors: Sequence[Interceptor], **rest: Any) -> Any:
        return build_real_worker(client, interceptors=[Strike(orders), *interceptors], **rest)

    vars(worker.main)["build_worker"] = build_worker


def skew(seconds: float) -> None:
    """Let our modules read a clock that is off; what is on the wire is Temporal's, which has its own."""
    off = moments.timedelta(seconds=seconds)
    true_time, true_moment = time.time, moments.datetime

    class AnyMoment(type):
        """Takes a real `datetime` for one of ours."""

        def __instancecheck__(cls, found: object) -> bool:
            return isinstance(found, true_moment)

    class Skewed(moments.datetime, metaclass=AnyMoment):
        """Tells another time; everything else is a real `datetime`."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return true_moment.now(tz) + off

    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ("holdpoint", "activities", "worker") and hasattr(module, "datetime"):
            vars(module)["datetime"] = Skewed
    time.time = lambda: true_time() + seconds


if __name__ == "__main__":
    import holdpoint.cli.main as command

    if os.environ.get("FAULT_ORDERS"):
        strike(Path(os.environ["FAULT_ORDERS"]))
    if os.environ.get("FAULT_SKEW"):
        skew(float(os.environ["FAULT_SKEW"]))
    command.main()
