"""What one watch sees: requests against the limits and beside stable, and the service's own metrics."""

import json
from datetime import datetime
from typing import Any

from activities.fleet import Fleet
from activities.fleet_counters import Place
from activities.grid import Moment
from activities.own_metrics import OwnMetrics
from activities.questions import Questions
from holdpoint.clients.judges import Judges
from holdpoint.clients.metrics import Metrics
from holdpoint.judge.decision import decide
from holdpoint.judge.share import Finding, judge
from holdpoint.judge.told import Told, of_share
from holdpoint.judge.verdict import worst
from holdpoint.ledger.blobs import Blobs
from holdpoint.models.activity_calls import JudgeCall
from holdpoint.models.errors import HoldpointError, StepConfig, TransientError


class Eyes:
    """Asks all sources of one watch, and keeps what they answered."""

    def __init__(self, call: JudgeCall, metrics: Metrics, place: Place, judges: Judges) -> None:
        self._call = call
        self._questions = Questions(metrics, place.namespace, place.canary, call.since, place.names)
        self._fleet = Fleet(metrics, place, call.analysis) if place.stable else None
        self._own = OwnMetrics(call, metrics, place, judges)

    async def look(self, now: datetime, *, baked: bool) -> list[Told]:
        """Return what each metric says. Raises UpstreamUnavailable and StepConfig.

        One that fails the canary is not hidden by another source that gives no answer.
        """
        deadline = self._call.deadline is not None and now >= self._call.deadline
        moment = Moment(now, baked, deadline, self._call.analysis.judged)
        told: list[Told] = []
        down: HoldpointError | None = None
        try:
            told = await self._requests(moment)
        except (TransientError, StepConfig) as error:
            down = error
        own, silent = await self._own.told(moment)
        told += own
        down = down or silent
        if down is not None and counted(told) is not Finding.FAIL:
            raise down
        return told

    async def _requests(self, moment: Moment) -> list[Told]:
        now, baked, deadline, _ = moment
        shares = await self._questions.shares(self._call.analysis, now)
        count, compared = len(shares) + self._own.critical, {}
        if self._fleet is not None:
            compared = await self._fleet.compared(
                now, baked=baked, deadline=deadline, others=self._own.critical
            )
        return [
            of_share(decide(judge(share, baked=baked, metrics=count), compared.get(share.name)))
            for share in shares
        ]

    def evidence(self, blobs: Blobs) -> str:
        """Store the questions with their answers, whole, and return the digest.

        Stable's history is the same in every watch of a canary, so it is a document of its own.
        """
        call, fleet = self._call, self._fleet
        document = {
            "ticket": call.ticket,
            "target": call.target,
            "weight": call.weight,
            "since": call.since.isoformat(),
            "analysis": call.analysis.model_dump(mode="json"),
            "asked": self._questions.asked,
        }
        if fleet is not None:
            document |= {"beside_stable": fleet.asked.document()}
            document |= {"history": blobs.put(_json(fleet.history.document()))}
        if call.analysis.metrics:
            document |= {"metrics": {name: _kept(one, blobs) for name, one in self._own.document().items()}}
        return blobs.put(_json(document))


def counted(told: list[Told]) -> Finding:
    """Return the finding that decides: the worst of those that count."""
    return worst([one for one in told if one.counts])


def _kept(asked: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
    """Return what a metric of its own was asked, with stable's history as a document of its own."""
    history = asked.get("history")
    return asked if history is None else asked | {"history": blobs.put(_json(history))}


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
