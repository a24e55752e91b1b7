"""A worker that may do anything but go round the ledger: it sends late, gives up early, looks at no clock.

Run as `python ledger_worker.py '<json of Orders>'`; prints a line once it works. It makes one write after the
other until it is killed or has lost its target. It trusts no deadline, so that every safety must come from
the ledger and the fence.
"""

import http.client
import json
import random
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from holdpoint.ledger import intents
from holdpoint.ledger.store import Ledger
from holdpoint.models.base import Model
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.record import (
    AlreadyClosed,
    EntryDraft,
    Intent,
    IntentRequest,
    LeftOpen,
    ObjectRef,
    Opened,
    OpenOutcome,
    Record,
    Refused,
)

PATIENCE = 0.05
"""Seconds until the worker gives up on an answer; half of the held-up writes take longer."""


class Orders(Model):
    """What one worker does: for which run of which ticket, and how wrong its clock is."""

    ledger: str
    port: int
    service: str
    environment: str
    ticket: str
    run: str
    seed: int
    skew: float = 0.0
    pause: tuple[float, float] = (0, 0.01)
    budget: float = 0.2


class Worker:
    """Makes writes 0, 1, 2, ... of a run, each once, like every other worker of the same run."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._ledger = Ledger(orders.ledger)
        self._random = random.Random(orders.seed)

    def work(self) -> None:
        """Go on until the target is lost."""
        number: int | None = 0
        while number is not None:
            # PostgreSQL ends the transaction of who is stopped in it; a turn can be taken again.
            with suppress(UpstreamUnavailable):
                number = self._turn(number)

    def _turn(self, number: int) -> int | None:
        """Bring one write on, and return the number of the next; None when the target is lost."""
        request = self._request(number, str(self._call("GET", "")["version"]))
        outcome = self._ledger.write_now(intents.open_intent, request, self._record(number))
        if isinstance(outcome, LeftOpen):
            outcome = self._look_again(outcome.intent)
        if isinstance(outcome, Opened):
            self._send(outcome.intent)
        elif isinstance(outcome, AlreadyClosed):
            return number + 1
        elif isinstance(outcome, Refused):
            if outcome.code == "not_holder":
                return None
            time.sleep(0.02)  # a freeze is asked about until it is lifted, as a waiting workflow would
        return number

    def _look_again(self, left: Intent) -> OpenOutcome:
        """Close what an earlier attempt turns out to have done, or open a new attempt of it."""
        seen = self._call("GET", "")
        if left.id in seen["effects"]:
            result = {"observed": True}
            done = self._ledger.write_now(intents.close_intent, left.id, status="done", result=result)
            return AlreadyClosed(intent=done)
        # The version must be that of the same look: what lands in between is then refused, not repeated.
        version, budget = str(seen["version"]), self._orders.budget
        return self._ledger.write_now(intents.retry_intent, left.id, version, budget)

    def _send(self, intent: Intent) -> None:
        # The fault itself: between opening and sending a worker is stopped, or collects its garbage.
        time.sleep(self._random.uniform(*self._orders.pause))  # how long it hangs there is random
        asked = {
            "version": intent.request.resource_version,
            "audit": intent.audit_id,
            "effect": intent.id,
            "user": intent.request.direction,
            "delay": self._random.choice([0, 0, 0, 0.03, 0.1, 0.4]),
        }
        try:
            code = self._call("PUT", "?" + urlencode(asked))["code"]
        except TimeoutError:
            # Unknown: the intent stays open.
            time.sleep(self._random.choice([0, 0, 0.1]))  # so that the next look is before or after it lands
            return
        self._ledger.write_now(
            intents.close_intent,
            intent.id,
            status="done" if code == 200 else "refused",
            result={"code": code},
            attempt=intent.attempt,
        )

    def _call(self, method: str, rest: str) -> dict[str, Any]:
        patience = PATIENCE if method == "PUT" else 10
        connection = http.client.HTTPConnection("127.0.0.1", self._orders.port, timeout=patience)
        try:
            connection.request(method, f"/objects/{self._orders.service}{rest}")
            answer = connection.getresponse()
            return {**json.loads(answer.read()), "code": answer.status}
        finally:
            connection.close()

    def _request(self, number: int, version: str) -> IntentRequest:
        orders = self._orders
        return IntentRequest(
            ticket=orders.ticket,
            target=f"world/default/{orders.service}",
            run=orders.run,
            key=f"write/{number}",
            direction="forward",
            verb="apply",
            object=ObjectRef(
                cluster="world", api_version="v1", kind="Thing", namespace="default", name=orders.service
            ),
            resource_version=version,
            service=orders.service,
            environment=orders.environment,
            change_type="standard",
            budget=orders.budget,
        )

    def _record(self, number: int) -> Record:
        # The worker's own clock goes into the record as what it believes, and nowhere else.
        at = datetime.now(UTC) + timedelta(seconds=self._orders.skew)
        draft = EntryDraft(key=f"{self._orders.run}/{number}", kind="write.planned", actor="worker", at=at)
        return Record(ticket=self._orders.ticket, entries=[draft])


if __name__ == "__main__":
    orders = Orders.model_validate_json(sys.argv[1])
    print("ready", flush=True)  # noqa: T201 - the test waits for this line
    Worker(orders).work()
