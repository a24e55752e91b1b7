"""A fence closes the attempt that it fenced, and a create only when it can no longer land."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdpoint.clients import admission
from holdpoint.clients.cluster import Receipt
from holdpoint.clients.fencing import Fencing, StillInDoubt
from holdpoint.models.errors import AccessDenied, Conflict, NotFound, UpstreamUnavailable
from holdpoint.models.record import (
    AlreadyClosed,
    Intent,
    IntentRequest,
    LeftOpen,
    ObjectRef,
    Opened,
    OpenOutcome,
    Verb,
)

REF = ObjectRef(cluster="eu", api_version="apps/v1", kind="Deployment", namespace="prod", name="shop")


class FakeDoor:
    """A ledger of intents without a database."""

    def __init__(self) -> None:
        self.kept: dict[str, Intent] = {}
        self.is_over = False
        self.reopened = 0

    async def open(self, request: IntentRequest) -> OpenOutcome:
        known = self.kept.get(request.id)
        if known is None:
            return Opened(intent=self.keep(request))
        return AlreadyClosed(intent=known) if known.status == "done" else LeftOpen(intent=known)

    async def retry(self, intent: Intent, request: IntentRequest) -> OpenOutcome:
        return Opened(intent=self.keep(request, attempt=intent.attempt + 1))

    async def close(self, intent: Intent, status: Any, result: dict[str, Any]) -> None:
        self.kept[intent.id] = intent.model_copy(update={"status": status, "result": result})

    async def observed(self, request: IntentRequest, result: dict[str, Any]) -> None:
        raise AssertionError("a fence observes nothing")

    async def in_doubt(self, target: str) -> list[Intent]:
        return [intent for intent in self.kept.values() if intent.status == "open"]

    async def look(self, intent: Intent) -> Intent:
        return self.kept[intent.id]

    async def over(self, intent: Intent) -> bool:
        return self.is_over

    async def fenced(self, intent: Intent, by: str) -> Intent:
        known = self.kept[intent.id]
        if self.reopened:
            self.reopened -= 1
            self.kept[intent.id] = known.model_copy(update={"attempt": known.attempt + 1})
        elif known.attempt == intent.attempt and known.status == "open":
            self.kept[intent.id] = known.model_copy(update={"status": "fenced", "result": {"by": by}})
        return self.kept[intent.id]

    def keep(self, request: IntentRequest, attempt: int = 1) -> Intent:
        deadline = datetime.now(UTC) + timedelta(seconds=15)
        made = Intent(
            id=request.id, request=request, attempt=attempt, status="open", opened_seq=1, deadline=deadline
        )
        self.kept[made.id] = made
        return made


class FakeCluster:
    """One object that is there or not; both identities at once."""

    def __init__(self, *, there: bool) -> None:
        self.name, self.there = "eu", there
        self.raises: Exception | None = None
        self.fences: list[str] = []
        self.policy: dict[str, str | None] | None = None
        self.learns = True

    def undo(self, name: str) -> Any:
        return self

    def forward(self, name: str) -> Any:
        return self

    def denies_creates(self, name: str) -> bool:
        return self.policy is not None

    async def set_data(
        self, ref: ObjectRef, entries: dict[str, str | None], *, intent: Intent, budget: float
    ) -> Receipt:
        assert self.policy is not None
        self.policy |= entries
        return Receipt(object=ref, audit_id=intent.audit_id)

    async def dry_run(self, manifest: dict[str, Any]) -> dict[str, Any]:
        name = manifest["metadata"]["annotations"]["holdpoint.dev/intent"]
        if self.learns and self.policy is not None and name in self.policy:
            raise Conflict("denied", reason="fenced")
        return manifest

    async def read(self, ref: ObjectRef) -> dict[str, Any] | None:
        if ref.kind == "ConfigMap":
            return {"data": self.policy}
        return {"metadata": {"resourceVersion": "7"}} if self.there else None

    async def fence(self, ref: ObjectRef, *, intent: Intent, budget: float = 15.0) -> Receipt:
        if self.raises is not None:
            raise self.raises
        if not self.there:
            raise NotFound("not there")
        self.fences.append(intent.audit_id)
        return Receipt(object=ref, audit_id=intent.audit_id, resource_version="8")


def in_doubt(door: FakeDoor, *, verb: Verb = "apply", version: str | None = "7") -> Intent:
    request = IntentRequest(
        ticket="chg-1", target="eu/prod/shop", run="run-1", key="k", direction="forward", verb=verb,
        object=REF, resource_version=version, service="shop", environment="production", change_type="normal",
    )  # fmt: skip
    return door.keep(request)


async def test_object_is_moved_under_an_intent_before_the_attempt_is_closed() -> None:
    door, cluster = FakeDoor(), FakeCluster(there=True)
    left = in_doubt(door)

    closed = await Fencing(door, cluster, cause="frz-1").close(left, patience=0)

    own = next(intent for intent in door.kept.values() if intent.request.verb == "fence")
    assert (closed.status, closed.result) == ("fenced", {"by": own.id})
    assert (own.status, own.request.direction, cluster.fences) == ("done", "undo", [own.audit_id])


async def test_attempt_that_came_after_the_fence_is_fenced_on_its_own() -> None:
    door, cluster = FakeDoor(), FakeCluster(there=True)
    left = in_doubt(door)
    door.reopened = 1

    closed = await Fencing(door, cluster, cause="run-2").close(left, patience=0)

    assert (closed.status, closed.attempt) == ("fenced", 2)
    assert len(cluster.fences) == 2


async def test_fence_gives_up_when_new_attempts_do_not_end() -> None:
    door, cluster = FakeDoor(), FakeCluster(there=True)
    left = in_doubt(door)
    door.reopened = 99

    with pytest.raises(UpstreamUnavailable):
        await Fencing(door, cluster, cause="run-2").close(left, patience=0)


async def test_deletion_of_what_is_gone_is_over() -> None:
    door = FakeDoor()
    left = in_doubt(door, verb="delete")

    closed = await Fencing(door, FakeCluster(there=False), cause="run-2").close(left, patience=0)

    assert (closed.status, closed.result) == ("fenced", {"by": "run-2"})


@pytest.mark.parametrize("version", [None, "7"], ids=["create", "apply of what was deleted since"])
async def test_apply_that_could_still_create_is_in_doubt_until_its_time_is_over(version: str | None) -> None:
    door = FakeDoor()
    left = in_doubt(door, version=version)
    fencing = Fencing(door, FakeCluster(there=False), cause="run-2")

    with pytest.raises(StillInDoubt) as raised:
        await fencing.close(left, patience=0)
    still = await fencing.close_now([left])
    door.is_over = True
    closed = await fencing.close(left, patience=0)

    assert raised.value.detail["until"] > left.deadline
    assert [intent.id for intent in still] == [left.id]
    assert closed.status == "fenced"


async def test_create_that_lands_while_it_is_waited_for_is_fenced() -> None:
    door, cluster = FakeDoor(), FakeCluster(there=False)
    left = in_doubt(door, version=None)

    waiting = asyncio.create_task(Fencing(door, cluster, cause="run-2").outwait([left]))
    await asyncio.sleep(0)
    cluster.there = True
    await asyncio.wait_for(waiting, 5)

    assert door.kept[left.id].status == "fenced"
    assert len(cluster.fences) == 1


async def test_create_that_is_answered_while_it_is_waited_for_keeps_its_answer() -> None:
    door, cluster = FakeDoor(), FakeCluster(there=False)
    left = in_doubt(door, version=None)

    waiting = asyncio.create_task(Fencing(door, cluster, cause="run-2").close(left, patience=5))
    await asyncio.sleep(0)
    await door.close(left, "done", {})

    assert (await waiting).status == "done"
    assert cluster.fences == []


async def test_fence_that_was_sent_before_is_not_sent_again() -> None:
    door, cluster = FakeDoor(), FakeCluster(there=True)
    left = in_doubt(door)
    fencing = Fencing(door, cluster, cause="run-2")
    await fencing.close(left, patience=0)
    door.kept[left.id] = left

    await fencing.close(left, patience=0)

    assert len(cluster.fences) == 1


async def test_fence_that_is_refused_leaves_the_attempt_open() -> None:
    door, cluster = FakeDoor(), FakeCluster(there=True)
    cluster.raises = AccessDenied("no")
    left = in_doubt(door)

    with pytest.raises(AccessDenied):
        await Fencing(door, cluster, cause="run-2").close(left, patience=0)

    statuses = {intent.request.verb: intent.status for intent in door.kept.values()}
    assert statuses == {"apply": "open", "fence": "refused"}


async def test_create_is_fenced_at_once_where_a_policy_denies_it() -> None:
    door, cluster = FakeDoor(), FakeCluster(there=False)
    cluster.policy = {"old.1": "2020-01-01T00:00:00+00:00", "note": "kept"}
    left = in_doubt(door, version=None)

    closed = await Fencing(door, cluster, cause="frz-1").close(left, patience=0)

    assert closed.status == "fenced"
    assert cluster.policy.keys() == {"old.1", "note", left.audit_id}
    assert (cluster.policy["old.1"], cluster.policy["note"]) == (None, "kept")


async def test_create_stays_in_doubt_while_the_policy_has_not_learned_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "PATIENCE", 0.1)
    door, cluster = FakeDoor(), FakeCluster(there=False)
    cluster.policy, cluster.learns = {}, False
    left = in_doubt(door, version=None)

    with pytest.raises(StillInDoubt):
        await Fencing(door, cluster, cause="frz-1").close(left, patience=0)

    assert door.kept[left.id].status == "open"


async def test_request_to_another_server_is_over_when_its_time_is_and_no_cluster_is_asked() -> None:
    door, cluster = FakeDoor(), FakeCluster(there=True)
    left = in_doubt(door, verb="request", version=None)
    fencing = Fencing(door, cluster, cause="frz-1")

    with pytest.raises(StillInDoubt, match="so a request to it cannot be fenced"):
        await fencing.close(left, patience=0)
    door.is_over = True
    closed = await fencing.close(left, patience=0)

    assert (closed.status, closed.result, cluster.fences) == ("fenced", {"by": "frz-1"}, [])
