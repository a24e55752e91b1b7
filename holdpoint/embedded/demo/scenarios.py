"""The seven scenarios, each a short play through the command line that ends with what came of it."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdpoint.embedded.demo import shop
from holdpoint.embedded.demo.command_line import CommandLine, Failed, Result
from holdpoint.embedded.demo.narrator import Narrator
from holdpoint.ledger.kube_audit import read_logs
from holdpoint.ledger.reconcile import FORWARD_USER

PATIENCE = 40.0
"""Seconds until a ticket must have come where the play needs it."""
HELD_FOR = 2.0
"""Seconds that a hold is watched: long enough to see that nothing moves."""


@dataclass
class Outcome:
    """What came of a scenario."""

    got: str
    ticket: str


class Stage:
    """What one scenario plays on: its service, the command line, and its own voice."""

    def __init__(self, name: str, service: str, line: CommandLine, folder: Path, narrator: Narrator) -> None:
        self.name, self.service, self.line, self.folder = name, service, line, folder
        self.audit_log = line.data / "sandbox" / "audit.jsonl"
        self._narrator = narrator
        self._heard: list[str] = []
        self._news = asyncio.Condition()

    def say(self, text: str) -> None:
        """Tell what happens."""
        self._narrator.say(text, who=f"({self.name}) {self.service}")

    async def command(self, *arguments: str, by: str, expect: int | None = 0) -> Result:
        """Run a command in sight of the audience."""
        self.say(f"$ holdpoint {' '.join(arguments)}   # as {by}")
        return await self.line.run(*arguments, by=by, expect=expect)

    async def submit(self, *, by: str = "ci", **change: Any) -> str:
        """Submit the scenario's change; return the ticket."""
        file = shop.write_change(self.folder, self.service, **change)
        done = await self.command("submit", file.name, by=by)
        return str(done.document["id"])

    def follow(self, ticket: str) -> "asyncio.Task[Result]":
        """Follow a ticket to its end, telling its progress; the result is the ticket."""
        return asyncio.create_task(self.line.run("watch", ticket, by="ci", hear=self._hear, expect=None))

    async def end(self, ticket: str) -> dict[str, Any]:
        """Follow a ticket to its end; return it."""
        return (await self.follow(ticket)).document

    async def hears(self, text: str) -> None:
        """Wait until the progress of the ticket says this. Raises Failed."""
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                await self._news.wait_for(lambda: any(text in line for line in self._heard))
        except TimeoutError as error:
            raise Failed(f"the ticket did not say {text!r} in {PATIENCE:.0f} s") from error

    def writes(self) -> int:
        """Count the forward writes to the service's objects that the cluster has accepted so far."""
        accepted = read_logs([self.audit_log]).of([FORWARD_USER])
        return sum(str(write.object.get("name", "")).startswith(self.service) for write in accepted)

    async def _hear(self, line: str) -> None:
        self.say(line)
        async with self._news:
            self._heard.append(line)
            self._news.notify_all()


@dataclass(frozen=True)
class Scenario:
    """One scenario: what it shows, on which service, and what must come of it."""

    name: str
    title: str
    service: str
    expected: str
    play: Callable[[Stage], Awaitable[Outcome]]


async def healthy(stage: Stage) -> Outcome:
    """A healthy standard change goes through its canary by itself."""
    ticket = await stage.submit()
    return _end(await stage.follow(ticket))


async def approved(stage: Stage) -> Outcome:
    """A normal production change waits for somebody else's approval."""
    ticket = await stage.submit(by="approver", environment="production", type="normal")
    follow = stage.follow(ticket)
    await stage.hears("AwaitingApproval")
    own = await stage.command("approve", ticket, "--reason", "I wrote it", by="approver", expect=None)
    stage.say(f"exit code {own.code}: {own.document.get('detail', '')}")
    await stage.command("approve", ticket, "--reason", "read the diff", by="approver2")
    ended = _end(await follow)
    refused = "own approval refused" if own.code == 5 else f"own approval ended with {own.code}"
    return Outcome(f"{refused}, {ended.got}", ticket)


async def breaching(stage: Stage) -> Outcome:
    """A canary that breaches its SLO is rolled back, and the result compared with the snapshot."""
    bad = shop.image(stage.service, shop.NEXT)
    await stage.command("sandbox", "behave", "--image", bad, "--error-rate", "0.3", by="sre")
    view = await stage.end(await stage.submit())
    compared = view["rollback"]["result"]
    return Outcome(f"{view['phase']}, {compared}", view["id"])


async def floating(stage: Stage) -> Outcome:
    """A floating image tag in production is denied by policy; nothing is touched."""
    ticket = await stage.submit(revision=shop.FLOATING, environment="production")
    view = await stage.end(ticket)
    return Outcome(f"{view['phase']}, {(view['reason'] or {}).get('code')}", ticket)


async def frozen(stage: Stage) -> Outcome:
    """A freeze in mid-canary holds it at its weight; lifted, it goes on."""
    ticket = await stage.submit(bake="10s")  # long enough for a slow machine to declare a freeze
    follow = stage.follow(ticket)
    await stage.hears("running at")
    scope = f"service={stage.service}"
    freeze = await stage.command("freeze", "create", "--scope", scope, "--reason", "INC-7", by="commander")
    before = stage.writes()
    stage.say(f"acknowledged after {freeze.document['ack_ms']:.0f} ms; {before} writes so far")
    await stage.hears("held by frozen")
    await asyncio.sleep(HELD_FOR)
    during = stage.writes() - before
    stage.say(f"{during} writes since the acknowledgement")
    await stage.command("freeze", "lift", freeze.document["id"], "--reason", "over", by="commander")
    ended = _end(await follow)
    return Outcome(f"{'held' if not during else f'{during} writes under the freeze'}, {ended.got}", ticket)


async def worker_killed(stage: Stage) -> Outcome:
    """The worker is killed in mid-canary; another one goes on where it was."""
    ticket = await stage.submit()
    follow = stage.follow(ticket)
    await stage.hears("running at")
    worker = (await stage.line.run("status")).document["servers"]["worker"]
    stage.say(f"$ kill -9 {worker['pid']}   # the worker")
    os.kill(worker["pid"], signal.SIGKILL)
    ended = _end(await follow)
    after = (await stage.line.run("status")).document["servers"]["worker"]
    restarted = after["restarts"] > worker["restarts"]
    return Outcome(f"{ended.got}, worker {'' if restarted else 'NOT '}started again", ticket)


async def metrics_down(stage: Stage) -> Outcome:
    """Metrics are down in mid-canary: the weight is held, not rolled back, and it goes on by itself."""
    ticket = await stage.submit()
    follow = stage.follow(ticket)
    await stage.hears("running at")
    await stage.command("sandbox", "fail", "prometheus", "--mode", "down", "--for", "8s", by="sre")
    await stage.hears("held by provider_down")
    ended = _end(await follow)
    return Outcome(f"held, {ended.got}", ticket)


def _end(followed: Result) -> Outcome:
    view = followed.document
    return Outcome(str(view["phase"]), str(view["id"]))


TOGETHER = (
    Scenario("a", "healthy standard change", "web", "Succeeded", healthy),
    Scenario(
        "b", "production change needs an approval", "payments", "own approval refused, Succeeded", approved
    ),
    Scenario("c", "canary breaches its SLO", "search", "RolledBack, restored", breaching),
    Scenario("d", "floating tag in production", "cart", "Rejected, denied", floating),
    Scenario("e", "freeze in mid-canary", "orders", "held, Succeeded", frozen),
)
"""These run at once, each on a service of its own."""

ALONE = (
    Scenario("f", "worker killed in mid-canary", "stock", "Succeeded, worker started again", worker_killed),
    Scenario("g", "metrics down in mid-canary", "mail", "held, Succeeded", metrics_down),
)
"""These disturb everything that runs, so each has the stage for itself."""
