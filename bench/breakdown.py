"""Where the time between two moments of a ticket went: its activities and its rollout's, by history."""

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from holdpoint.models.contracts import rollout_workflow, ticket_workflow


class Spent(BaseModel):
    """One activity, in milliseconds from the first moment: asked for, taken by a worker, answered."""

    model_config = ConfigDict(frozen=True)

    activity: str
    asked: float
    taken: float
    answered: float

    def __str__(self) -> str:
        waited, ran = self.taken - self.asked, self.answered - self.taken
        return f"{self.asked:6.0f} ms  {self.activity}: waited {waited:.0f} ms, ran {ran:.0f} ms"


async def breakdown(client: Client, ticket: str, target: str, since: float, until: float) -> list[Spent]:
    """Return the activities that were asked for between two moments (Unix seconds), in order."""
    found: list[Spent] = []
    for workflow in (ticket_workflow(ticket), rollout_workflow(target)):
        history = await client.get_workflow_handle(workflow).fetch_history()
        found += _spent(history.events, since)
    return sorted(
        (one for one in found if 0 <= one.asked <= (until - since) * 1000), key=lambda one: one.asked
    )


def _spent(events: Iterable[HistoryEvent], since: float) -> Iterator[Spent]:
    """Yield each activity that was answered."""
    asked: dict[int, tuple[str, float]] = {}
    taken: dict[int, float] = {}
    for event in events:
        at = (event.event_time.ToNanoseconds() / 1e9 - since) * 1000
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            name = event.activity_task_scheduled_event_attributes.activity_type.name
            asked[event.event_id] = name, at
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            taken[event.activity_task_started_event_attributes.scheduled_event_id] = at
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            scheduled = event.activity_task_completed_event_attributes.scheduled_event_id
            name, began = asked[scheduled]
            yield Spent(activity=name, asked=began, taken=taken[scheduled], answered=at)
