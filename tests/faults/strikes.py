"""What is done to an installation in the middle of a change: a function per kind of fault.

Each submits a change, waits for its moment, strikes, ends the outage if it is one, and returns the change.
"""

import signal
import time
from collections.abc import Callable

from holdpoint.models.contracts import rollout_workflow, ticket_workflow
from tests.faults.fault_world import Change, FaultWorld
from tests.real.installation import WORKERS

Strike = Callable[[FaultWorld], Change]
PAST_DEADLINES = 18.0
"""Seconds: more than a heartbeat (2.5) and than an intent's budget (15)."""
CAUGHT = 60.0


def kill_worker(
    moment: str,
    *,
    bad: bool = False,
    canary: bool = True,
    prepare: Callable[[FaultWorld, Change], None] | None = None,
) -> Strike:
    """SIGKILL the worker that comes to a moment such as `judge.after`."""

    def strike(world: FaultWorld) -> Change:
        world.order(moment, signal.SIGKILL)
        change = world.change(bad=bad, canary=canary)
        if prepare:
            prepare(world, change)
        world.struck(moment).wait()
        return change

    return strike


def frozen_and_lifted(world: FaultWorld, change: Change) -> None:
    """Hold the canary by a freeze, and lift it."""
    world.in_canary(change)
    freeze = world.freeze(change.service)
    world.at.until(change.ticket, lambda view: view["hold"] is not None or view["closed_at"] is not None)
    world.lift(freeze)


def paused_and_resumed(world: FaultWorld, change: Change) -> None:
    """Hold the canary by a person's word, and let it go on."""
    world.in_canary(change)
    world.control(change, "pause")
    world.control(change, "resume")


def paused_while_it_waits(moment: str) -> Strike:
    """SIGKILL the worker at a moment of a change that waits, is paused, and then aborted."""

    def strike(world: FaultWorld) -> Change:
        freeze = world.freeze(world.next_service())
        world.order(moment, signal.SIGKILL)
        change = world.change()
        world.at.until(change.ticket, lambda view: view["phase"] == "Scheduled" and view["hold"] is not None)
        world.control(change, "pause")
        world.struck(moment).wait()
        world.control(change, "abort")
        world.lift(freeze)
        return change

    return strike


def terminated(*which: str) -> Strike:
    """Terminate workflows of a ticket in its canary: `ticket`, `rollout`."""

    def strike(world: FaultWorld) -> Change:
        change = world.change(bake="20s")
        terminate(world, change, *which)
        return change

    return strike


def terminate(world: FaultWorld, change: Change, *which: str) -> None:
    """Terminate workflows of a ticket once it is in its canary."""
    target = world.in_canary(change)["target"]
    workflows = {"ticket": ticket_workflow(change.ticket), "rollout": rollout_workflow(target)}
    for one in which:
        world.terminate(workflows[one])


def lasts(seconds: float) -> None:
    """Let a fault last: its length is the fault itself, so there is no event to wait for."""
    time.sleep(seconds)  # the reason is the docstring above: an outage of so many seconds is what is tested


def stop_worker(moment: str, *, bad: bool = False) -> Strike:
    """SIGSTOP the worker at a moment until every deadline has passed, then let it go on."""

    def strike(world: FaultWorld) -> Change:
        world.order(moment, signal.SIGSTOP)
        change = world.change(bad=bad)
        stopped = world.struck(moment)
        lasts(PAST_DEADLINES)
        stopped.signal(signal.SIGCONT)
        return change

    return strike


def kill_worker_at_write(moment: str) -> Strike:
    """SIGKILL both workers while a write is on its way, or is carried out and not yet answered."""

    def strike(world: FaultWorld) -> Change:
        held = world.hold_write(world.next_service(), moment)
        change = world.change()
        assert held.caught.wait(CAUGHT), "no write came"
        if moment == "after":
            assert held.answered.wait(CAUGHT), "the write was not answered"
        for name in WORKERS:
            world.at.processes[name].kill()
        held.let_go()
        world.mend()
        return change

    return strike


def late_write(meanwhile: str) -> Strike:
    """Hold a forward write until the freeze is acknowledged, or the rollback is over; then let it land."""

    def strike(world: FaultWorld) -> Change:
        held = world.hold_write(world.next_service(), "before")
        change = world.change()
        assert held.caught.wait(CAUGHT), "no write came"
        if meanwhile == "freeze":
            freeze = world.freeze(change.service)
            held.let_go()
            assert held.answered.wait(CAUGHT)
            world.lift(freeze)
        else:
            world.control(change, "abort")
            world.at.ends(change.ticket)
            held.let_go()
            assert held.answered.wait(CAUGHT)
        assert held.status == 409, f"the late write was answered with {held.status}"
        return change

    return strike


def server_down(name: str, seconds: float = 0.0, *, bad: bool = False) -> Strike:
    """SIGKILL a server of the stack in a canary; it is back at once, or so many seconds later."""

    def strike(world: FaultWorld) -> Change:
        change = world.change(bad=bad, bake="4s")
        world.in_canary(change)
        if seconds:
            world.at.server(name).keep_down(seconds)
        else:
            world.at.server(name).kill()
        return change

    return strike


def server_down_from_the_start(name: str, seconds: float) -> Strike:
    """SIGKILL a server, and submit while it is away."""

    def strike(world: FaultWorld) -> Change:
        with world.at.server(name).unattended():
            world.at.server(name).kill()
            change = world.change()
            lasts(seconds)
        return change

    return strike


def api_down(seconds: float) -> Strike:
    """SIGKILL the API in a canary; it is back so many seconds later."""

    def strike(world: FaultWorld) -> Change:
        change = world.change()
        world.in_canary(change)
        world.at.processes["api"].kill()
        lasts(seconds)
        world.mend()
        return change

    return strike


def stalled(server: str, seconds: float = 20.0, *, who: tuple[str, ...] = WORKERS) -> Strike:
    """Let the network between processes of ours and a server stall in a canary, then go on."""

    def strike(world: FaultWorld) -> Change:
        change = world.change(bake="4s")
        world.in_canary(change)
        with stall(world, server, who):
            lasts(seconds)
        return change

    return strike


def stalled_from_the_start(server: str, seconds: float = 12.0) -> Strike:
    """Let the network to a server stall, and submit meanwhile."""

    def strike(world: FaultWorld) -> Change:
        with stall(world, server, WORKERS):
            change = world.change()
            lasts(seconds)
        return change

    return strike


class stall:  # noqa: N801 - reads as what it does
    """Nothing passes between these processes and a server while this lasts."""

    def __init__(self, world: FaultWorld, server: str, who: tuple[str, ...]) -> None:
        self._lines = [world.at.lines[name].all()[server] for name in who]

    def __enter__(self) -> None:
        for line in self._lines:
            line.stall()

    def __exit__(self, *_: object) -> None:
        for line in self._lines:
            line.resume()


def disk_full(seconds: float) -> Strike:
    """No room for PostgreSQL in a canary; then there is room again."""

    def strike(world: FaultWorld) -> Change:
        change = world.change(bake="4s")
        world.in_canary(change)
        with world.full_disk():
            lasts(seconds)
        return change

    return strike


def clocks_off(*seconds: float) -> Strike:
    """Give the workers clocks that are off, and bring a change through a freeze."""

    def strike(world: FaultWorld) -> Change:
        for name, skew in zip(WORKERS, seconds, strict=True):
            world.restart(name, skew)
        change = world.change()
        frozen_and_lifted(world, change)
        world.at.ends(change.ticket)
        for name in WORKERS:
            world.restart(name)
        return change

    return strike
