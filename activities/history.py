"""The workflow history that goes into the evidence: the ticket's and its rollouts', readable and redacted.

It ends at the archive activity, since what comes after cannot be part of what that activity signs.
"""

import base64
import json
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.payloads import is_payload, opened
from holdpoint.models.contracts import ticket_workflow
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.redact import redact

LONGEST_CHAIN = 1000
"""Runs of one ticket: each wait may continue as new, and a year has fewer waits than this."""


async def fetch_history(client: Client, ticket: str, workflow: str, run: str) -> list[dict[str, Any]]:
    """Return each execution that made the ticket, as `{workflow, run, events}`: its own, then its rollouts'.

    `workflow` and `run` are those that archive it: the ticket's own, or what closed it when that was gone.
    Raises UpstreamUnavailable where Temporal does not answer.
    """
    own = ticket_workflow(ticket)
    executions = await _chain(client, workflow, run)
    if workflow != own and (latest := await _latest_run(client, own)) is not None:
        executions = [*await _chain(client, own, latest), *executions]
    children = [child for execution in executions for child in _children(execution["events"])]
    for child_workflow, child_run in children:
        events = await _events(client, child_workflow, child_run)
        executions.append({"workflow": child_workflow, "run": child_run, "events": events})
    return [redact(_readable(execution)) for execution in executions]


def cut_after(executions: list[dict[str, Any]], run: str, activity_id: str) -> list[dict[str, Any]]:
    """Return the executions with the named run ended at the scheduling of one of its activities."""
    return [
        {**execution, "events": _until(execution["events"], activity_id)}
        if execution["run"] == run
        else execution
        for execution in executions
    ]


def _until(events: list[dict[str, Any]], activity_id: str) -> list[dict[str, Any]]:
    for position, event in enumerate(events):
        scheduled = event.get("activityTaskScheduledEventAttributes")
        if scheduled and scheduled.get("activityId") == activity_id:
            return events[: position + 1]
    return events


async def _chain(client: Client, workflow: str, run: str) -> list[dict[str, Any]]:
    """Return a run and those that it was continued from, the oldest first."""
    executions: list[dict[str, Any]] = []
    earlier: str | None = run
    while earlier and len(executions) < LONGEST_CHAIN:
        events = await _events(client, workflow, earlier)
        executions.insert(0, {"workflow": workflow, "run": earlier, "events": events})
        earlier = _continued_from(events)
    return executions


async def _latest_run(client: Client, workflow: str) -> str | None:
    try:
        return (await client.get_workflow_handle(workflow).describe()).run_id
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise UpstreamUnavailable(f"Temporal did not say what became of {workflow}: {error}") from error


async def _events(client: Client, workflow: str, run: str) -> list[dict[str, Any]]:
    try:
        history = await client.get_workflow_handle(workflow, run_id=run).fetch_history()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return []  # past its retention, or Temporal's store was lost: the ledger still has the record
        raise UpstreamUnavailable(f"Temporal did not give the history of {workflow}: {error}") from error
    events: list[dict[str, Any]] = history.to_json_dict().get("events", [])
    return await opened(events, client.data_converter.payload_codec)


def _continued_from(events: list[dict[str, Any]]) -> str | None:
    if not events:
        return None
    started = events[0].get("workflowExecutionStartedEventAttributes", {})
    return started.get("continuedExecutionRunId") or None


def _children(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = []
    for event in events:
        child = event.get("childWorkflowExecutionStartedEventAttributes", {}).get("workflowExecution")
        if child:
            found.append((str(child["workflowId"]), str(child["runId"])))
    return found


def _readable(value: Any) -> Any:
    """Return the value with each payload replaced by what it says, where it is JSON."""
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if not isinstance(value, dict):
        return value
    if is_payload(value):
        return _decoded(value)
    return {key: _readable(item) for key, item in value.items()}


def _decoded(payload: dict[str, Any]) -> Any:
    encoding = base64.b64decode(payload["metadata"].get("encoding", "")).decode("ascii", "replace")
    if encoding not in ("json/plain", "json/protobuf"):
        return payload
    try:
        return json.loads(base64.b64decode(payload["data"]))
    except ValueError:
        return payload
