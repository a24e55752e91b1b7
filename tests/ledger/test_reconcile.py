import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdpoint.ledger import freezes, intents
from holdpoint.ledger.kube_audit import UnreadableLog, read_logs
from holdpoint.ledger.reconcile import Bounds, reconcile
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.told import UnreadableRecord, parse_record
from holdpoint.models.record import ObjectRef, Opened
from tests.ledger.audit_world import UNDO, AuditWorld, event, now


@pytest.fixture
def world(held: Ledger, tmp_path: Path, a_request: Any) -> AuditWorld:
    return AuditWorld(held, Signer.load_or_create(tmp_path / "keys"), tmp_path, a_request)


def test_writes_that_each_name_their_intent_are_clean(world: AuditWorld) -> None:
    world.write("a")
    world.write("b", direction="undo")

    found = world.compare()

    assert found.findings == []
    assert (found.writes, found.matched, found.undone, found.expected) == (2, 2, 1, 2)
    assert found.clusters == ["sandbox"]


@pytest.mark.parametrize(
    "changes",
    [
        {"responseStatus": {"code": 409}},
        {"requestURI": "/apis/apps/v1/namespaces/default/deployments/shop?dryRun=All&force=true"},
        {"verb": "get"},
        {"stage": "RequestReceived"},
        {"user": {"username": "kubelet"}},
        {"verb": "delete", "requestObject": {"kind": "DeleteOptions", "dryRun": ["All"]}},
    ],
    ids=["refused", "dry run", "read", "another stage", "another user", "dry run in the body"],
)
def test_what_changed_nothing_of_ours_needs_no_intent(world: AuditWorld, changes: dict[str, Any]) -> None:
    world.lines.append(event("nobody", **changes))

    assert world.codes() == []


def test_a_write_without_an_intent_is_found(world: AuditWorld) -> None:
    world.lines.append(event("7d3c5c1e-0000-4000-8000-000000000000"))

    finding = world.compare().findings[0]

    assert (finding.code, finding.audit_id) == ("unrecorded", "7d3c5c1e-0000-4000-8000-000000000000")
    assert finding.place is not None
    assert finding.place.endswith("audit.log:2")


def test_a_second_accepted_request_of_one_attempt_is_found(world: AuditWorld) -> None:
    world.write("a")
    world.again(requestReceivedTimestamp=now().isoformat())

    assert world.codes() == ["applied_twice"]


def test_two_attempts_of_one_intent_that_both_landed_are_found(world: AuditWorld) -> None:
    first = world.open("a")
    world.sent(first)
    outcome = world.ledger.write_now(intents.retry_intent, first.id, "101", 15.0)
    assert isinstance(outcome, Opened)
    world.sent(outcome.intent)
    world.close(outcome.intent)

    assert world.codes() == ["applied_twice"]


def test_a_fence_may_land_twice(world: AuditWorld) -> None:
    world.write("fence/i.1", direction="undo", verb="fence")
    world.again(requestReceivedTimestamp=now().isoformat())

    found = world.compare()

    assert (found.findings, found.fences) == ([], 2)


def test_a_done_intent_without_its_line_is_found(world: AuditWorld) -> None:
    world.write("a")
    gone = world.write("b")
    world.lines.pop()

    findings = world.compare().findings

    assert [(one.code, one.audit_id, one.ticket) for one in findings] == [
        ("not_in_the_log", gone.audit_id, "chg-1")
    ]


def test_a_done_intent_outside_of_the_time_of_the_log_is_counted_not_found(world: AuditWorld) -> None:
    intent = world.write("a")
    world.lines.clear()

    found = world.compare(until=now() - timedelta(minutes=1))

    assert (found.findings, found.uncovered) == ([], [intent.audit_id])


def test_a_done_intent_of_another_cluster_needs_no_line_here(world: AuditWorld) -> None:
    world.write("a")
    elsewhere = {"cluster": "eu-1", "api_version": "apps/v1", "kind": "Deployment"}
    world.write("b", object={**elsewhere, "namespace": "default", "name": "shop"})
    world.lines.pop()

    assert world.codes() == []
    assert world.codes(clusters=["sandbox", "eu-1"]) == ["not_in_the_log"]


def test_a_write_that_was_only_observed_needs_a_line_if_its_own_mark_was_there(world: AuditWorld) -> None:
    other = world.open("a")
    world.close(other, observed=True, exists=True, landed="i000.1")
    own = world.open("b")
    world.close(own, observed=True, exists=True, landed=own.audit_id)

    assert [(one.code, one.audit_id) for one in world.compare().findings] == [
        ("not_in_the_log", own.audit_id)
    ]


def test_an_accepted_write_that_the_record_calls_refused_is_found(world: AuditWorld) -> None:
    intent = world.open("a")
    world.sent(intent)
    world.close(intent, "refused", code="conflict")

    assert world.codes() == ["refused_but_applied"]


@pytest.mark.parametrize(
    "changes",
    [
        {"objectRef": {"resource": "deployments", "namespace": "default", "name": "other"}},
        {"objectRef": {"resource": "secrets", "namespace": "default", "name": "shop"}},
        {"verb": "delete"},
    ],
    ids=["another name", "another kind", "another verb"],
)
def test_a_write_of_something_else_under_our_id_is_found(world: AuditWorld, changes: dict[str, Any]) -> None:
    intent = world.open("a")
    world.sent(intent, **changes)
    world.close(intent)

    assert world.codes() == ["other_request"]


def test_our_id_under_another_user_is_found(world: AuditWorld) -> None:
    intent = world.open("a")
    world.sent(intent, user={"username": "system:serviceaccount:ops:deployer"})
    world.close(intent)

    finding = world.compare().findings[0]

    assert finding.code == "foreign_user"
    assert "--user system:serviceaccount:ops:deployer" in finding.message


def test_a_line_from_before_its_intent_is_found(world: AuditWorld) -> None:
    intent = world.open("a")
    world.sent(intent, at=now() - timedelta(minutes=10))
    world.close(intent)

    assert world.codes() == ["before_its_intent"]


def test_a_forward_write_that_lands_after_the_acknowledgement_is_found(world: AuditWorld) -> None:
    intent = world.open("a")
    freeze = world.freeze(acknowledge=False)
    world.ledger.write_now(intents.fence_intent, intent.id, by="fence")
    world.ledger.write_now(freezes.acknowledge_freeze, freeze.id, {})
    world.sent(intent, at=now() + timedelta(seconds=1))

    findings = world.compare().findings

    assert [one.code for one in findings] == ["under_freeze"]
    assert freeze.id in findings[0].message


def test_a_late_write_of_a_fenced_intent_before_the_acknowledgement_is_clean(world: AuditWorld) -> None:
    intent = world.open("a")
    freeze = world.freeze(acknowledge=False)
    world.sent(intent, at=now() - timedelta(milliseconds=50))
    world.ledger.write_now(intents.fence_intent, intent.id, by="fence")
    world.ledger.write_now(freezes.acknowledge_freeze, freeze.id, {})

    assert world.codes() == []


def test_a_write_that_was_answered_before_the_acknowledgement_is_clean_whatever_the_clocks_say(
    world: AuditWorld,
) -> None:
    intent = world.open("a")
    world.sent(intent, at=now() + timedelta(minutes=5))
    world.close(intent)
    world.freeze()

    assert world.codes() == []


def test_undo_fence_and_what_came_after_the_lift_are_exempt_from_a_freeze(world: AuditWorld) -> None:
    freeze = world.freeze()
    world.write("undo", direction="undo")
    world.write("fence/i.1", direction="undo", verb="fence")
    world.ledger.write_now(freezes.lift_freeze, freeze.id, by="commander", reason="over")
    world.write("a")

    found = world.compare()

    assert (found.findings, found.undone, found.fences) == ([], 1, 1)


def test_a_record_that_opened_a_forward_intent_under_a_freeze_is_found(world: AuditWorld) -> None:
    world.freeze()
    other = world.write("b", service="other")  # out of scope, and the record is edited to say otherwise
    record = parse_record(world.record())
    for entry in record["entries"]:
        if entry["kind"] == "intent.opened":
            entry["body"]["request"]["service"] = "shop"
    record["intents"][0]["service"] = "shop"

    found = reconcile(world.log(), record, Bounds())

    assert {(one.code, one.intent) for one in found.findings} == {
        ("opened_under_freeze", other.id),
        ("under_freeze", other.id),
    }


def test_a_deferred_undo_is_matched_and_marked(world: AuditWorld) -> None:
    intent = world.defer("undo/Deployment/shop")

    found = world.compare()

    assert (found.findings, found.deferred) == ([], [intent.id])


def test_a_deferred_undo_without_its_line_is_found(world: AuditWorld) -> None:
    world.defer("undo/Deployment/shop")
    world.write("a")
    del world.lines[0]

    assert world.codes() == ["not_in_the_log"]


def test_our_users_are_those_that_were_named(world: AuditWorld) -> None:
    name = "system:serviceaccount:holdpoint:forward"
    world.lines.append(event("nobody", user={"username": name}))

    assert world.codes() == []
    assert world.codes(users=[name, UNDO]) == ["unrecorded"]


def test_intents_that_are_not_those_of_the_entries_are_found(world: AuditWorld) -> None:
    intent = world.write("a")
    record = parse_record(world.record())
    record["intents"].append({"id": "i-added", "attempts": [{"audit_id": intent.audit_id}]})

    assert [one.code for one in reconcile(world.log(), record, Bounds()).findings] == ["record_altered"]


def test_rotated_and_compressed_files_are_one_log_and_an_event_in_two_counts_once(tmp_path: Path) -> None:
    lines = [json.dumps(event(name)) + "\n" for name in "abc"]
    (tmp_path / "audit.log").write_text(lines[2] + lines[1])
    with gzip.open(tmp_path / "audit-2027.log.gz", "wt") as old:
        old.write(lines[0] + lines[1])

    log = read_logs([tmp_path / "audit.log", tmp_path / "audit-2027.log.gz"])

    assert [write.audit_id for write in log.writes] == ["a", "b", "c"]


def test_a_last_line_that_is_cut_off_is_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_text(json.dumps(event("a")) + '\n{"kind":"Eve')

    log = read_logs([tmp_path / "audit.log"])

    assert len(log.writes) == 1
    assert "audit.log:2" in log.notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense\n", "audit.log:1: it is not JSON"),
        ('{"a":1}\n', "no auditID"),
        (json.dumps({**event("a"), "stageTimestamp": "soon"}) + "\n", "stageTimestamp is not a time: soon"),
        (json.dumps({**event("a"), "verb": None}) + "\n", "verb is missing"),
        (json.dumps({**event("a"), "stage": "RequestReceived"}) + "\n", "omitStages"),
    ],
    ids=["no JSON", "another log", "no time", "no verb", "stage left out"],
)
def test_what_is_not_an_audit_log_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "audit.log").write_text(text)

    with pytest.raises(UnreadableLog, match=words):
        read_logs([tmp_path / "audit.log"])


def test_a_log_that_is_not_there_or_cut_in_its_compression_is_unreadable(tmp_path: Path) -> None:
    whole = gzip.compress((json.dumps(event("a")) + "\n").encode() * 50)
    (tmp_path / "cut.gz").write_bytes(whole[:-20])

    for name in ("cut.gz", "nothing"):
        with pytest.raises(UnreadableLog, match=name):
            read_logs([tmp_path / name])


@pytest.mark.parametrize("record", [{}, [], {"format": "x"}, None], ids=["empty", "list", "other", "null"])
def test_what_is_not_an_export_is_refused(world: AuditWorld, record: Any) -> None:
    with pytest.raises(UnreadableRecord, match="audit export --all"):
        reconcile(world.log(), record, Bounds())


def test_requests_to_other_servers_are_counted_and_looked_for_in_no_clusters_log(world: AuditWorld) -> None:
    flags = ObjectRef(
        cluster="https://flags.example",
        api_version="http",
        kind="POST",
        namespace="step-0",
        name="https://flags.example/new",
    )
    world.close(world.open("http/0", verb="request", object=flags, resource_version=None), answer=200)
    world.open("http/1", verb="request", object=flags, resource_version=None)

    found = world.compare()

    assert found.findings == []
    assert (found.elsewhere, found.expected, found.clusters, len(found.in_doubt)) == (1, 0, [], 1)
