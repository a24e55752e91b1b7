"""A metric that a judge of the user's own decides: asked once a scrape, its answers kept as evidence."""

from datetime import datetime
from typing import Any

from activities.fleet_counters import Place
from activities.grid import Moment
from holdpoint.clients.judges import Answer, Judges, Question
from holdpoint.judge.share import Finding
from holdpoint.judge.told import Told
from holdpoint.models.activity_calls import JudgeCall
from holdpoint.models.own_metrics import OwnMetric
from holdpoint.models.redact import redact

MOST_KEPT = 100
"""Answers of one watch that are kept: where the word changed, and the last."""


class OwnJudge:
    """What a webhook of the settings says of the canary."""

    def __init__(self, metric: OwnMetric, call: JudgeCall, place: Place, judges: Judges) -> None:
        self.metric, self._call, self._place, self._judges = metric, call, place, judges
        self._name = metric.source.webhook if metric.source is not None else ""
        self._asked: list[dict[str, Any]] = []
        self._last: tuple[datetime, Answer] | None = None

    async def told(self, moment: Moment) -> Told:
        """Return what it says; a pass counts once the bake is over.

        Raises UpstreamUnavailable and StepConfig.
        """
        answer = await self._answer(moment.now)
        finding = Finding(answer.verdict)
        if finding is Finding.PASS and not moment.baked:
            finding = Finding.INCONCLUSIVE
        words = "".join(f", {name} {value:g}" for name, value in answer.numbers.items())
        message = f" ({redact(answer.message)})" if answer.message else ""
        said = f"{self.metric.name}: {self._name} says {answer.verdict}{words}{message}"
        return Told(self.metric.name, finding, said, {**answer.numbers, "finding": finding.value})

    async def _answer(self, now: datetime) -> Answer:
        """Return the last answer; a new one if a scrape has gone by since."""
        if self._last is not None and (now - self._last[0]).total_seconds() < self._place.every:
            return self._last[1]
        question = self._question(now)
        self._last = None
        answer = await self._judges.ask(self._name, question)
        self._last = now, answer
        self._keep(question, answer)
        return answer

    def _question(self, now: datetime) -> Question:
        call, place = self._call, self._place
        return Question(
            metric=self.metric.name,
            ticket=call.ticket,
            service=call.service,
            environment=call.environment,
            cluster=call.target.partition("/")[0],
            namespace=place.namespace,
            canary=place.canary,
            stable=place.stable,
            weight=call.weight,
            began=place.began,
            since=call.since,
            at=now,
        )

    def _keep(self, question: Question, answer: Answer) -> None:
        kept = {"question": question.model_dump(mode="json"), "answer": answer.model_dump(mode="json")}
        same = [one["answer"]["verdict"] for one in self._asked[-2:]] == [answer.verdict] * 2
        if same or len(self._asked) >= MOST_KEPT:
            self._asked.pop()
        self._asked.append(kept)

    def document(self) -> dict[str, Any]:
        """Return what was asked and answered."""
        return {"judge": self._name, "asked": self._asked}
