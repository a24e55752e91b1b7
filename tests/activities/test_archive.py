import base64
import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities import beat
from activities.archive import ArchiveActivities
from holdpoint.ledger import archives, checkpoint, entries, intents, targets, tickets
from holdpoint.ledger.canonical import digest_of
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.ledger.verify import verify_file
from holdpoint.models.activity_calls import ArchiveCall, InspectCall
from holdpoint.models.change import Change
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, IntentRequest, ObjectRef, Record
from holdpoint.models.ticket import Reason, TicketView
from holdpoint.models.workflow_messages import RolloutResult, RolloutStart

TARGET, TICKET, RUN = "sandbox/default/shop", "chg-1", "run-1"
DIGEST = "sha256:" + "a" * 64
WORKFLOW = f"change/{TICKET}"
T = TypeVar("T")


class FakeTemporal:
    """Knows histories and results by workflow; what it does not know is not found."""

    def __init__(self) -> None:
        self.data_converter = pydantic_data_converter
        self.histories: dict[str, WorkflowHistory] = {}
        self.results: dict[str, RolloutResult] = {}

    def get_workflow_handle(self, workflow: str, **asked: Any) -> Any:
        async def fetch_history() -> WorkflowHistory:
            return _known(self.histories, workflow)

        async def result(*, follow_runs: bool) -> RolloutResult:
            return _known(self.results, workflow)

        async def describe() -> Any:
            _known(self.histories, workflow)
            return SimpleNamespace(run_id="own-run")

        return SimpleNamespace(fetch_history=fetch_history, result=result, describe=describe)


def _known(found: dict[str, T], workflow: str) -> T:
    if workflow not in found:
        raise RPCError("no such workflow", RPCStatusCode.NOT_FOUND, b"")
    return found[workflow]


def _history(*events: dict[str, Any]) -> WorkflowHistory:
    numbered = [{"eventId": str(number), **event} for number, event in enumerate(events, 1)]
    return WorkflowHistory.from_json("workflow", {"events": numbered})


def _payload(value: object) -> dict[str, Any]:
    def coded(data: bytes) -> str:
        return base64.b64encode(data).decode()

    return {"metadata": {"encoding": coded(b"json/plain")}, "data": coded(json.dumps(value).encode())}


def _started(value: object) -> dict[str, Any]:
    given = {"payloads": [_payload(value)]}
    return {"workflowExecutionStartedEventAttributes": {"input": given}}


def _scheduled(activity_id: str) -> dict[str, Any]:
    return {"activityTaskScheduledEventAttributes": {"activityId": activity_id}}


class World:
    """A ledger with one ticket, and the activities over it."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(f"sqlite:///{folder}/ledger.db")
        self.ledger.migrate()
        self.archive, self.temporal = folder / "archive", FakeTemporal()
        self.archive.mkdir()
        self.key = folder / "ledger.pub"
        self.activities = ArchiveActivities(
            ledger=self.ledger,
            signer=Signer.load_or_create(folder),
            archive_folder=self.archive,
            temporal=self.temporal,  # type: ignore[arg-type]  # stands in by its methods
        )
        _open_ticket(self.ledger)

    def phase(self, phase: Phase) -> None:
        draft = EntryDraft(key=phase.value, kind="phase.entered", actor="holdpoint", at=datetime.now(UTC))
        record = Record(ticket=TICKET, entries=[draft], patch={"phase": phase.value})
        self.ledger.write_now(entries.append, record)

    def take(self, *, write: bool) -> None:
        """Let a rollout hold the target, and write something if asked."""
        start = RolloutStart(
            ticket=TICKET,
            target=TARGET,
            service="shop",
            environment="staging",
            type="standard",
            plan=[],
            verify=1.0,
        )
        self.ledger.write_now(
            targets.take_target, target=TARGET, ticket=TICKET, run=RUN, rollout=start.model_dump(mode="json")
        )
        if write:
            self.ledger.write_now(intents.open_intent, _request())

    def release(self) -> None:
        """Give the target back clean, as a rollout does that has undone its writes."""
        intent = self.ledger.read_now(intents.intents_of, TICKET)[0].id
        self.ledger.write_now(intents.close_intent, intent, status="done", result={})
        self.ledger.write_now(targets.release_target, target=TARGET, run=RUN, clean=True)

    async def inspect(self) -> Any:
        return await ActivityEnvironment().run(self.activities.inspect_abandoned, InspectCall(ticket=TICKET))

    async def archived(self, *, workflow: str = WORKFLOW) -> Any:
        environment = ActivityEnvironment()
        call = ArchiveCall(ticket=TICKET, workflow=workflow, run="own-run")
        return await environment.run(self.activities.archive, call)

    def evidence(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.archive / f"{TICKET}.json").read_bytes())
        return found

    def archived_history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(base64.b64decode(self.evidence()["history"]))
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.ledger.close()


async def test_archived_evidence_verifies_and_its_digest_is_recorded(world: World) -> None:
    world.temporal.histories[WORKFLOW] = _history(_started({"ticket": TICKET}))

    archived = await world.archived()

    file = world.archive / f"{TICKET}.json"
    assert verify_file(file.read_bytes(), world.key.read_bytes()) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    last = world.ledger.read_now(entries.entries_of, TICKET)[-1]
    assert (last.kind, last.body["digest"]) == ("ticket.archived", archived.digest)


async def test_each_archive_publishes_a_checkpoint_that_covers_it(world: World) -> None:
    world.temporal.histories[WORKFLOW] = _history(_started({"ticket": TICKET}))

    await world.archived()

    (note,) = world.ledger.read_now(checkpoint.published)
    last = world.ledger.read_now(entries.entries_of, TICKET)[-1]
    signed = checkpoint.open_note(note, Signer.load_or_create(world.key.parent).public)
    assert (last.kind, last.seq) == ("ticket.archived", signed.size)


async def test_archive_beats_so_that_a_dead_worker_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beat, "EVERY", 0.0)
    beats: list[tuple[Any, ...]] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)

    await environment.run(
        world.activities.archive, ArchiveCall(ticket=TICKET, workflow=WORKFLOW, run="own-run")
    )

    assert beats


async def test_a_repeated_archive_is_recorded_once(world: World) -> None:
    world.temporal.histories[WORKFLOW] = _history(_started({"ticket": TICKET}))

    await world.archived()
    await world.archived()

    kinds = [entry.kind for entry in world.ledger.read_now(entries.entries_of, TICKET)]
    assert kinds.count("ticket.archived") == 1


async def test_the_record_has_the_digest_of_what_is_kept_after_a_lost_attempt_too(world: World) -> None:
    world.temporal.histories[WORKFLOW] = _history(_started({"ticket": TICKET}))

    await world.archived()  # its answer did not arrive, say
    again = await world.archived()

    last = world.ledger.read_now(entries.entries_of, TICKET)[-1]
    kept = world.ledger.read_now(archives.find, TICKET)
    assert kept is not None
    assert last.body["digest"] == again.digest == digest_of(kept)
    assert kept == (world.archive / f"{TICKET}.json").read_bytes()


async def test_the_history_is_readable_and_its_secrets_are_masked(world: World) -> None:
    world.temporal.histories[WORKFLOW] = _history(_started({"ticket": TICKET, "password": "hunter2"}))

    await world.archived()

    said = json.dumps(world.archived_history())
    assert TICKET in said
    assert "hunter2" not in said
    assert "[redacted]" in said


async def test_the_history_ends_at_the_archive_activity(world: World) -> None:
    own = ActivityEnvironment().info.activity_id
    world.temporal.histories[WORKFLOW] = _history(_started({}), _scheduled(own), _scheduled("later"))

    await world.archived()

    assert [event["eventId"] for event in world.archived_history()[0]["events"]] == ["1", "2"]


async def test_rollouts_are_part_of_the_history(world: World) -> None:
    child = {"workflowId": f"rollout/{TARGET}", "runId": RUN}
    begun = {"childWorkflowExecutionStartedEventAttributes": {"workflowExecution": child}}
    world.temporal.histories[WORKFLOW] = _history(_started({}), begun)
    world.temporal.histories[f"rollout/{TARGET}"] = _history(_started({"target": TARGET}))

    await world.archived()

    assert [one["workflow"] for one in world.archived_history()] == [WORKFLOW, f"rollout/{TARGET}"]


async def test_what_closed_an_abandoned_ticket_is_archived_behind_its_own_history(world: World) -> None:
    world.temporal.histories[WORKFLOW] = _history(_started({}))
    world.temporal.histories[f"close/{TICKET}"] = _history(_started({}))

    await world.archived(workflow=f"close/{TICKET}")

    assert [one["workflow"] for one in world.archived_history()] == [WORKFLOW, f"close/{TICKET}"]


async def test_a_lost_history_does_not_keep_the_record_from_being_archived(world: World) -> None:
    await world.archived()

    assert world.archived_history() == [{"workflow": WORKFLOW, "run": "own-run", "events": []}]
    assert verify_file((world.archive / f"{TICKET}.json").read_bytes(), world.key.read_bytes()) == []


@pytest.mark.parametrize(
    ("phase", "ends"),
    [
        (Phase.EVALUATING, Phase.ABORTED),
        (Phase.AWAITING_APPROVAL, Phase.ABORTED),
        (Phase.SCHEDULED, Phase.ABORTED),
        (Phase.EXECUTING, Phase.ABORTED),
    ],
)
async def test_an_abandoned_ticket_that_changed_nothing_is_aborted(
    world: World, phase: Phase, ends: Phase
) -> None:
    world.phase(phase)

    left = await world.inspect()

    assert (left.phase, left.rollouts, left.closed) == (ends, [], False)


async def test_a_dirty_target_is_to_be_undone(world: World) -> None:
    world.phase(Phase.EXECUTING)
    world.take(write=True)

    left = await world.inspect()

    assert [(undo.mode, undo.target) for undo in left.rollouts] == [("undo", TARGET)]
    assert left.phase is Phase.ROLLED_BACK


async def test_a_target_that_was_taken_and_never_written_to_is_given_back(world: World) -> None:
    world.phase(Phase.EXECUTING)
    world.take(write=False)

    left = await world.inspect()

    row = world.ledger.read_now(targets.get_target, TARGET)
    assert row is not None
    assert (left.rollouts, row.holder_ticket) == ([], None)


async def test_a_rollout_that_had_ended_says_how_the_ticket_ends(world: World) -> None:
    world.phase(Phase.VERIFYING)
    world.take(write=True)
    world.release()
    reason = Reason(code="succeeded", message="done")
    world.temporal.results[f"rollout/{TARGET}"] = RolloutResult(phase=Phase.SUCCEEDED, reason=reason)

    left = await world.inspect()

    assert (left.phase, left.reason, left.rollouts) == (Phase.SUCCEEDED, reason, [])


async def test_a_rollout_that_undid_itself_and_was_lost_is_a_rollback(world: World) -> None:
    world.phase(Phase.ROLLING_BACK)
    world.take(write=True)
    world.release()

    assert (await world.inspect()).phase is Phase.ROLLED_BACK


async def test_a_closed_ticket_stays_what_it_is(world: World) -> None:
    world.phase(Phase.REJECTED)

    left = await world.inspect()

    assert (left.phase, left.closed) == (Phase.REJECTED, True)


def _request() -> IntentRequest:
    deployment = ObjectRef(
        cluster="sandbox", api_version="apps/v1", kind="Deployment", namespace="default", name="shop"
    )
    return IntentRequest(
        ticket=TICKET,
        target=TARGET,
        run=RUN,
        key="apply",
        direction="forward",
        verb="apply",
        object=deployment,
        resource_version="1",
        service="shop",
        environment="staging",
        change_type="standard",
    )


def _open_ticket(ledger: Ledger) -> None:
    at = datetime.now(UTC)
    repository = "https://git.example.org/shop.git"
    view = TicketView(
        id=TICKET,
        title="shop 2",
        service="shop",
        environment="staging",
        type="standard",
        phase=Phase.EVALUATING,
        created_at=at,
        requester="ci",
        commit="b" * 40,
        repository=repository,
        revision="main",
        target=TARGET,
    )
    change = {
        "apiVersion": "holdpoint.dev/v1",
        "kind": "Change",
        "metadata": {"title": "shop 2", "service": "shop", "environment": "staging"},
        "spec": {
            "source": {"repository": repository, "revision": "main", "paths": ["a.yaml"]},
            "target": {"cluster": "sandbox"},
            "plan": {"steps": [{"apply": {}}]},
        },
    }
    stored = StoredChange(
        ticket=TICKET,
        change=Change.model_validate(change),
        commit="b" * 40,
        repository=repository,
        requester="ci",
        digest=DIGEST,
    )
    ledger.write_now(
        tickets.open_ticket,
        view=view,
        stored=stored,
        key="key",
        content=DIGEST,
        scope_open_only=False,
        draft=EntryDraft(key="submitted", kind="ticket.submitted", actor="ci", at=at),
    )
