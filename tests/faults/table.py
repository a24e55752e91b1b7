"""The faults: what is done, at which moment, how the ticket must end; docs/faults.md has what was seen."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults import strikes
from tests.faults.strikes import Strike

OUTAGE = 30.0
"""Seconds that a server is away."""

FORWARD = (
    "evaluate",
    "schedule",
    "precheck",
    "begin_rollout",
    "apply_step",
    "judge",
    "finish_rollout",
    "archive",
)
"""The activities of a change that goes through."""
BACK = ("undo", "compare")
SERVERS = ("temporal", "postgres", "opa", "apiserver", "etcd", "prometheus")
DONE, UNDONE, STOPPED = "Succeeded", "RolledBack", "Aborted"


@dataclass(frozen=True)
class Row:
    """One fault. A `quick` one runs in `make test-real`, all in `make faults`."""

    fault: str
    moment: str
    expected: str
    strike: Strike
    quick: bool = False

    @property
    def id(self) -> str:
        """Return its name in a test report."""
        return f"{self.fault}, {self.moment}".replace(" ", "-").replace(",", "").replace(".", "-")


def _kills() -> Iterator[Row]:
    kill = "SIGKILL of a worker"
    for when in ("before", "after"):
        for name in FORWARD:
            quick = (name, when) == ("apply_step", "after")
            yield Row(kill, f"{name}, {when}", DONE, strikes.kill_worker(f"{name}.{when}"), quick)
        for name in BACK:
            quick = (name, when) == ("undo", "after")
            yield Row(kill, f"{name}, {when}", UNDONE, strikes.kill_worker(f"{name}.{when}", bad=True), quick)
        looked = strikes.kill_worker(f"postcheck.{when}", canary=False)
        yield Row(kill, f"postcheck, {when}", DONE, looked)
        paused = strikes.kill_worker(f"record.{when}", prepare=strikes.paused_and_resumed)
        yield Row(kill, f"record, {when}", DONE, paused)
        waits = strikes.paused_while_it_waits(f"leave.{when}")
        yield Row(kill, f"leave, {when}", STOPPED, waits)
        lifted = strikes.kill_worker(f"gate.{when}", prepare=strikes.frozen_and_lifted)
        yield Row(kill, f"gate, {when}", DONE, lifted)
        inspect = strikes.kill_worker(
            f"inspect_abandoned.{when}",
            prepare=lambda world, change: strikes.terminate(world, change, "ticket", "rollout"),
        )
        yield Row(kill, f"inspect_abandoned, {when}", UNDONE, inspect)
        yield Row(
            "SIGKILL of both workers",
            "a write is on its way" if when == "before" else "a write is done and not answered",
            DONE,
            strikes.kill_worker_at_write(when),
            quick=True,
        )


def _stops() -> Iterator[Row]:
    for moment in ("apply_step.before", "apply_step.after", "judge.before"):
        where = moment.replace(".", ", ")
        yield Row("SIGSTOP of a worker for 18 s", where, DONE, strikes.stop_worker(moment))
    for moment in ("undo.before", "undo.after"):
        where = moment.replace(".", ", ")
        yield Row("SIGSTOP of a worker for 18 s", where, UNDONE, strikes.stop_worker(moment, bad=True))


def _outages() -> Iterator[Row]:
    yield Row("SIGKILL of the API", "in a canary", DONE, strikes.api_down(0.0))
    yield Row("the API is down for 30 s", "in a canary", DONE, strikes.api_down(OUTAGE))
    for name in SERVERS:
        killed = strikes.server_down(name)
        yield Row(f"SIGKILL of {name}", "in a canary", DONE, killed, quick=name in ("temporal", "postgres"))
    for name in SERVERS:
        yield Row(f"{name} is down for 30 s", "in a canary", DONE, strikes.server_down(name, OUTAGE))
    yield Row(
        "apiserver is down for 30 s",
        "in a canary that fails",
        UNDONE,
        strikes.server_down("apiserver", OUTAGE, bad=True),
    )
    opa = strikes.server_down_from_the_start("opa", OUTAGE)
    yield Row("opa is down for 30 s", "from submission on", DONE, opa)


def _stalls() -> Iterator[Row]:
    for name in ("apiserver", "prometheus", "temporal", "postgres"):
        quick = name == "apiserver"
        yield Row(f"the network to {name} stalls for 20 s", "in a canary", DONE, strikes.stalled(name), quick)
    opa = strikes.stalled_from_the_start("opa")
    yield Row("the network to opa stalls for 12 s", "from submission on", DONE, opa)
    both = strikes.stalled("postgres", who=("api", "worker-1"))
    yield Row("the network of the API and one worker to postgres stalls for 20 s", "in a canary", DONE, both)


def _others() -> Iterator[Row]:
    late = "a write lands late"
    yield Row(late, "after a freeze was acknowledged", DONE, strikes.late_write("freeze"), quick=True)
    yield Row(late, "after the rollback", UNDONE, strikes.late_write("rollback"), quick=True)
    yield Row("PostgreSQL's disk is full for 10 s", "in a canary", DONE, strikes.disk_full(10.0))
    off = strikes.clocks_off(300.0, -300.0)
    yield Row("one worker's clock is 5 min fast, the other's 5 min slow", "all the time", DONE, off)
    gone = "terminated in Temporal"
    yield Row(f"the ticket is {gone}", "in a canary", UNDONE, strikes.terminated("ticket"))
    yield Row(f"the rollout is {gone}", "in a canary", UNDONE, strikes.terminated("rollout"))
    yield Row(
        f"ticket and rollout are {gone}",
        "in a canary",
        UNDONE,
        strikes.terminated("ticket", "rollout"),
        quick=True,
    )


ROWS: tuple[Row, ...] = (*_kills(), *_stops(), *_outages(), *_stalls(), *_others())
