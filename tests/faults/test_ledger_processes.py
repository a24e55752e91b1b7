"""Several processes, late requests, SIGSTOP, SIGKILL, a wrong clock: the protocol of the ledger holds.

The proof is a stranger's: it joins the world's own log with the ledger's export, and believes no worker.
"""

import contextlib
import http.client
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from holdpoint.ledger import export, freezes, intents, targets
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.verify import verify_file
from holdpoint.models.record import Freeze, Intent, IntentRequest, Opened, Scope
from holdpoint.service.standstill import stopped_by

HERE = Path(__file__).parent
MUST_NOT_COME = 0.5
"""Seconds after which what could leak has leaked: the longest write takes 0.4."""
ENVIRONMENTS = {"shop": "production", "pay": "production", "cart": "staging"}
Json = dict[str, Any]


class World:
    """The world's process, and what a stranger may ask it."""

    def __init__(self) -> None:
        command = [sys.executable, str(HERE / "ledger_world.py")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def call(self, method: str, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path)
            return json.loads(connection.getresponse().read())

    def log(self) -> list[Json]:
        found: list[Json] = self.call("GET", "/log")
        return found

    def landed(self, service: str | None = None) -> list[Json]:
        """Return the forward writes that were committed, in order."""
        return [
            line
            for line in self.log()
            if line["code"] == 200 and line["user"] == "forward" and service in (None, line["object"])
        ]

    def grows(self, by: int, service: str | None = None) -> None:
        """Return when so many more forward writes have landed."""
        before = len(self.landed(service))
        until(lambda: len(self.landed(service)) >= before + by)


class Scene:
    """A ledger, a world, and workers to be mistreated."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.ledger = Ledger(url)
        self.world = World()
        self.workers: dict[str, subprocess.Popen[str]] = {}
        self._seed = 0
        self.quiet: list[tuple[Scope, int, int]] = []

    def take(self, service: str) -> None:
        taken = {"target": f"world/default/{service}", "ticket": f"chg-{service}", "run": f"run-{service}"}
        self.ledger.write_now(targets.take_target, **taken, rollout={"mode": "forward"})

    def start(self, name: str, service: str, **orders: Any) -> None:
        self._seed += 1
        told = {
            "ledger": self._url,
            "port": self.world.port,
            "service": service,
            "environment": ENVIRONMENTS[service],
            "ticket": f"chg-{service}",
            "run": f"run-{service}",
            "seed": self._seed,
            **orders,
        }
        command = [sys.executable, str(HERE / "ledger_worker.py"), json.dumps(told)]
        self.workers[name] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def ready(self) -> None:
        for worker in self.workers.values():
            assert worker.stdout
            assert worker.stdout.readline() == "ready\n"

    def stop(self, name: str) -> None:
        """Stop a worker; with SQLite anywhere but inside a transaction: there it keeps the ledger waiting.

        PostgreSQL ends the transaction of who is stopped in it, and the others go on.
        """
        while True:
            self.workers[name].send_signal(signal.SIGSTOP)
            if self.ledger.shared:
                return
            file = self._url.removeprefix("sqlite:///")
            try:
                with contextlib.closing(sqlite3.connect(file, timeout=0.3, isolation_level=None)) as db:
                    db.execute("BEGIN IMMEDIATE")
                    return
            except sqlite3.OperationalError:
                self.workers[name].send_signal(signal.SIGCONT)

    def stopped_amid_a_write(self, name: str, service: str) -> bool:
        """Stop the only worker of a service, and let it go on unless it has an intent open."""
        self.stop(name)
        if any(one.request.service == service for one in self.ledger.read_now(intents.open_intents)):
            return True
        self.workers[name].send_signal(signal.SIGCONT)
        return False

    def freeze(self, scope: Scope, *, fences: bool = True) -> Freeze:
        """Declare a freeze, fence what is open, acknowledge; note from where on all must be quiet."""
        freeze = self.ledger.write_now(
            freezes.create_freeze, scope=scope, reason="INC-7", by="commander", until=None, except_types=[]
        )
        if fences:
            for intent in stopped_by(freeze, self.ledger.read_now(intents.open_intents)):
                self.fence(intent, cause=freeze.id)
        self.quiet.append((scope, len(self.world.log()), sys.maxsize))
        self.ledger.write_now(freezes.acknowledge_freeze, freeze.id, {})
        return freeze

    def lift(self, freeze: Freeze) -> None:
        scope, since, _ = self.quiet[-1]
        self.quiet[-1] = (scope, since, len(self.world.log()))
        self.ledger.write_now(freezes.lift_freeze, freeze.id, by="commander", reason="over")

    def fence(self, intent: Intent, *, cause: str) -> None:
        changes = {"key": f"fence/{intent.audit_id}/{cause}", "direction": "undo", "verb": "fence"}
        own = self._open(intent.request.model_copy(update=changes))
        self.world.call("POST", f"/objects/{intent.request.object.name}/fence?audit={own.audit_id}")
        self.ledger.write_now(intents.close_intent, own.id, status="done", result={})
        self.ledger.write_now(intents.fence_intent, intent.id, by=own.id)

    def roll_back(self, service: str) -> int:
        """Take the target over for an undo run, fence, write once; return the log's length at the fence."""
        target = f"world/default/{service}"
        taken = {"target": target, "ticket": f"chg-{service}", "run": f"undo-{service}"}
        self.ledger.write_now(targets.take_target, **taken, rollout={"mode": "undo"})
        left = self.ledger.read_now(intents.open_intents, target=target)
        for intent in left:
            self.fence(intent, cause=f"undo-{service}")
        since = len(self.world.log())
        first = self.ledger.read_now(intents.intents_of, f"chg-{service}")[0]
        changes = {"run": f"undo-{service}", "key": "undo/1", "direction": "undo"}
        own = self._open(first.request.model_copy(update=changes))
        version = self.world.call("GET", f"/objects/{service}")["version"]
        asked = f"version={version}&audit={own.audit_id}&effect={own.id}&user=undo&delay=0"
        self.world.call("PUT", f"/objects/{service}?{asked}")
        self.ledger.write_now(intents.close_intent, own.id, status="done", result={}, attempt=1)
        return since

    def _open(self, request: IntentRequest) -> Intent:
        outcome = self.ledger.write_now(intents.open_intent, request)
        assert isinstance(outcome, Opened)
        return outcome.intent

    def close(self) -> None:
        for process in (*self.workers.values(), self.world.process):
            process.kill()
            process.communicate()
        self.ledger.close()


@pytest.fixture
def scene(url: str) -> Iterator[Scene]:
    made = Scene(url)
    yield made
    made.close()


def until(happens: Callable[[], Any]) -> None:
    """Return when it has happened; fail after 20 s."""
    late = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < late, "it did not happen"
        time.sleep(0.01)  # it happens in other processes, in the log of the world or at their end


def leaks(scene: Scene) -> list[Json]:
    """Return the forward writes that landed in scope after an acknowledgement and before the lift."""
    log = scene.world.log()
    return [
        line
        for scope, since, end in scene.quiet
        for line in log[since:end]
        if line["code"] == 200
        and line["user"] == "forward"
        and scope.covers(service=line["object"], environment=ENVIRONMENTS[line["object"]])
    ]


def prove(scene: Scene, folder: Path) -> Json:
    """Join log and export: each write has one intent, no intent two writes, none is under a freeze."""
    signer = Signer.load_or_create(folder / "keys")
    landed = [line for line in scene.world.log() if line["code"] == 200]  # first: the workers go on
    data = scene.ledger.read_now(export.export_all, signer=signer)
    assert verify_file(data, signer.public.pem) == []
    told: Json = json.loads(data)
    attempts = {
        attempt["audit_id"]: (intent, attempt) for intent in told["intents"] for attempt in intent["attempts"]
    }
    for line in landed:
        intent, _ = attempts[line["audit"]]
        assert (intent["object"]["name"], intent["direction"]) == (line["object"], line["user"])
    assert Counter(attempts[line["audit"]][0]["id"] for line in landed).most_common(1)[0][1] == 1
    assert leaks(scene) == []
    _nothing_opened_under_a_freeze(told)
    return told


def _nothing_opened_under_a_freeze(told: Json) -> None:
    ends = {
        entry["body"]["freeze"]: entry["seq"] for entry in told["entries"] if entry["kind"] == "freeze.lifted"
    }
    for entry in told["entries"]:
        if entry["kind"] != "freeze.created":
            continue
        scope, since = Scope.model_validate(entry["body"]["scope"]), entry["seq"]
        end = ends.get(entry["body"]["freeze"], sys.maxsize)
        for intent in told["intents"]:
            if intent["direction"] == "forward" and scope.covers(
                service=intent["service"], environment=intent["environment"]
            ):
                assert not [a for a in intent["attempts"] if since < a["opened_seq"] < end]


def storm(scene: Scene) -> None:
    """Freeze again and again in the middle of the work, each time with a worker that is stopped in it."""
    chance = random.Random(7)
    for scope in (
        Scope(everything=True),
        Scope(service="shop"),
        Scope(environment="production"),
        Scope(everything=True),
        Scope(service="pay", environment="production"),
    ):
        scene.world.grows(8)
        victim = chance.choice(["shop-1", "pay-1"])
        if victim == "pay-1":
            until(partial(scene.stopped_amid_a_write, victim, "pay"))
        else:
            scene.stop(victim)
        freeze = scene.freeze(scope)
        scene.workers[victim].send_signal(signal.SIGCONT)
        time.sleep(MUST_NOT_COME)  # what must not come cannot be awaited
        scene.lift(freeze)
        if scope == Scope(service="shop"):
            scene.workers["shop-2"].kill()
            scene.start("shop-3", "shop", skew=-5)


def roll_back_under_a_freeze(scene: Scene) -> None:
    """Take a target away from its working run, and see that run stop and nothing of it come later."""
    freeze = scene.freeze(Scope(everything=True))
    since = scene.roll_back("cart")
    assert scene.workers["cart-1"].wait(timeout=20) == 0
    time.sleep(MUST_NOT_COME)  # what must not come cannot be awaited
    scene.lift(freeze)
    landed = [
        (line["verb"], line["user"])
        for line in scene.world.log()[since:]
        if line["object"] == "cart" and line["code"] == 200
    ]
    assert landed == [("write", "undo")]


def test_nothing_is_done_twice_and_nothing_lands_after_an_acknowledgement(
    scene: Scene, tmp_path: Path
) -> None:
    for service in ENVIRONMENTS:
        scene.take(service)
    scene.start("shop-1", "shop")
    scene.start("shop-2", "shop", skew=-5)  # two workers of one run: one of them is a ghost
    scene.start("pay-1", "pay", skew=3600)
    scene.start("cart-1", "cart")
    scene.ready()

    storm(scene)
    roll_back_under_a_freeze(scene)
    scene.world.grows(5, "shop")

    told = prove(scene, tmp_path)
    _deadlines_are_the_databases(told)
    _was_hard(told, scene.world.log())


def _was_hard(told: Json, log: list[Json]) -> None:
    """Hold the test itself to what it is for: without these it would prove nothing."""
    assert [line for line in log if line["code"] == 409], "no write was ever refused"
    assert [entry for entry in told["entries"] if entry["kind"] == "intent.fenced"], "no intent was fenced"
    assert [found for found in told["intents"] if len(found["attempts"]) > 1], "none was tried again"
    late = [found for found in told["intents"] if found["result"] == {"observed": True}]
    assert late, "no write landed after its sender gave up"


def _deadlines_are_the_databases(told: Json) -> None:
    for intent in told["intents"]:
        for attempt in intent["attempts"]:
            opened, deadline = (datetime.fromisoformat(attempt[name]) for name in ("opened_at", "deadline"))
            assert deadline - opened == timedelta(seconds=0.2)


@pytest.mark.parametrize("fences", [True, False], ids=["fenced", "not fenced"])
def test_a_stopped_workers_write_lands_after_the_freeze_only_where_nothing_fenced_it(
    scene: Scene, fences: bool
) -> None:
    scene.take("shop")
    scene.start("shop-1", "shop", pause=(2, 2))
    scene.ready()
    until(lambda: scene.ledger.read_now(intents.open_intents))
    scene.workers["shop-1"].send_signal(signal.SIGSTOP)
    until(lambda: scene.ledger.read_now(intents.open_intents)[0].in_doubt)

    scene.freeze(Scope(everything=True), fences=fences)
    scene.workers["shop-1"].send_signal(signal.SIGCONT)

    until(lambda: [line for line in scene.world.log() if line["verb"] == "write"])
    assert bool(leaks(scene)) == (not fences)
