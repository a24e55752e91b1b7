"""What is counted of fifty canaries: the same for ours and for Argo's."""

import json
from pathlib import Path

from bench.our_runs import lateness
from bench.request_log import Write, mutating, writes
from bench.taken import CANARIES, Taken

LINE = {
    "stage": "ResponseComplete",
    "verb": "patch",
    "user": {"username": "holdpoint-forward"},
    "requestURI": "/apis/apps/v1/namespaces/ours/deployments/svc-00",
    "objectRef": {"resource": "deployments", "name": "svc-00"},
    "responseStatus": {"code": 200},
    "requestReceivedTimestamp": "2026-11-21T13:00:00.250000Z",
    "stageTimestamp": "2026-11-21T13:00:00.500000Z",
}


def test_dry_runs_and_refused_requests_are_mutating_requests_but_no_writes(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    lines = [
        LINE,
        {**LINE, "requestURI": "/apis/apps/v1/namespaces/ours/deployments/svc-00?dryRun=All"},
        {**LINE, "responseStatus": {"code": 409}},
        {**LINE, "stage": "ResponseStarted"},
        {**LINE, "verb": "get"},
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))

    asked = list(mutating(log))

    assert [(one.dry_run, one.accepted) for one in asked] == [(False, True), (True, True), (False, False)]
    assert list(writes(log)) == [asked[0]]
    assert asked[0].answered - asked[0].received == 0.25
    assert list(mutating(log, since=asked[0].received + 0.1)) == []


def request(name: str, at: float, resource: str = "deployments") -> Write:
    return Write(
        user="holdpoint-forward",
        object=f"{resource}/{name}",
        accepted=True,
        dry_run=False,
        received=at,
        answered=at,
    )


def test_events_are_counted_by_themselves() -> None:
    requests = [request("svc-00", at) for at in range(3 * CANARIES)]
    events = [request("svc-00.1", at, "events") for at in range(2 * CANARIES)]

    taken = Taken(requests=[*requests, *events])

    assert (taken.per_canary, taken.events) == (3, 2)


def test_lateness_is_that_of_the_slowest_pause_that_the_kill_fell_into() -> None:
    one = [request("svc-00", 1.0), request("svc-00-canary", 4.5), request("svc-00", 90.0)]
    other = [request("svc-01", 2.0), request("svc-01", 6.5)]

    assert lateness([*one, *other], killed=4.0, usual=3.0) == 1.5
    assert lateness(one, killed=4.0, usual=5.0) == 0.0
