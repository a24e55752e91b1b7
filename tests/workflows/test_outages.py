"""Something outside is away for a while: what was to be done is done soon after it is back."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Call, Done, Undone
from holdpoint.models.phases import Phase
from tests.workflows.builders import a_control, a_verdict, an_evaluation, down
from tests.workflows.usual import applied
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOON = timedelta(seconds=5)
SHARE = 0.15
"""Of a long outage: nobody is asked every few seconds for a day."""


class Away:
    """Something that does not answer for so long from when it is first asked."""

    def __init__(self, world: World, length: timedelta, what: str) -> None:
        self._world, self._length, self._what = world, length, what
        self._back: datetime | None = None
        self.late: timedelta | None = None

    def then(self, answers: Callable[[Any], Any]) -> Callable[[Call], Awaitable[Any]]:
        """Return an activity that fails until it is back, and notes how long after that it was asked."""

        async def answer(call: Call) -> Any:
            now = await self._world.env.get_current_time()
            self._back = self._back or now + self._length
            if now < self._back:
                raise down(self._what)
            self.late = now - self._back if self.late is None else self.late
            return answers(call)

        return answer


@pytest.mark.parametrize("seconds", [10, 35, 70, 2400, 36000])
@pytest.mark.parametrize("name", ["evaluate", "apply_step", "undo"])
async def test_it_goes_on_soon_after_what_was_away_is_back(world: World, name: str, seconds: float) -> None:
    length = timedelta(seconds=seconds)
    away = Away(world, length, "The cluster")
    usual: dict[str, Callable[[Any], Any]] = {
        "evaluate": lambda _: an_evaluation(),
        "apply_step": applied,
        "undo": lambda _: Undone(complete=True),
    }
    world.answers["evaluate"] = an_evaluation(obligations={"hold_bound": 86400.0})
    world.answers[name] = away.then(usual[name])
    if name == "undo":
        world.answers["judge"] = a_verdict("fail")

    await world.submit()

    assert await world.ends() is (Phase.ROLLED_BACK if name == "undo" else Phase.SUCCEEDED)
    assert away.late is not None
    assert away.late <= max(SOON, length * SHARE)


async def test_what_was_noted_while_the_ledger_was_away_is_recorded_soon_after(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(approvals=1)
    await world.submit()
    await world.enters(Phase.AWAITING_APPROVAL)

    away = Away(world, timedelta(seconds=35), "The ledger")
    world.answers["record"] = away.then(lambda _: Done())
    await world.tell(contracts.PAUSE, a_control("pause"))
    await world.pass_time(minutes=1)

    await world.until(lambda: away.late is not None)
    assert away.late is not None
    assert away.late <= SOON
    await world.tell(contracts.ABORT, a_control("abort"))
    assert await world.ends() is Phase.ABORTED
