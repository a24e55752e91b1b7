"""What is killed, stopped or terminated from outside, and what becomes of the tickets."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from temporalio.client import Client

from holdpoint.embedded.demo import shop
from holdpoint.models.contracts import rollout_workflow, ticket_workflow
from tests.e2e.conftest import Stack, in_canary

pytestmark = pytest.mark.e2e


async def _terminate(stack: Stack, workflow: str) -> None:
    """Terminate a workflow in Temporal, as somebody on its page would."""
    client = await Client.connect(
        stack.addresses["temporal"], namespace=stack.addresses["temporal_namespace"]
    )
    await client.get_workflow_handle(workflow).terminate("pressed the wrong button")


def test_a_killed_worker_is_replaced_and_nothing_is_applied_twice(stack: Stack, tmp_path: Path) -> None:
    ticket = stack.submit("stock")
    stack.until(ticket, in_canary)
    worker = stack.run("status").document["servers"]["worker"]

    os.kill(worker["pid"], signal.SIGKILL)

    assert stack.ends(ticket)["phase"] == "Succeeded"
    assert stack.run("status").document["servers"]["worker"]["restarts"] == worker["restarts"] + 1
    export = tmp_path / "all.json"
    stack.run("audit", "export", "--all", "-o", str(export), by="auditor")
    log = str(stack.data / "sandbox" / "audit.jsonl")
    found = stack.run("audit", "reconcile", "--kube-audit", log, "--record", str(export)).document
    assert (found["clean"], found["writes"] > 0) == (True, True)


def test_a_terminated_ticket_is_undone_closed_and_archived(stack: Stack) -> None:
    ticket = stack.submit("mail", bake="30s")
    stack.until(ticket, in_canary)

    asyncio.run(_terminate(stack, ticket_workflow(ticket)))

    ended = stack.ends(ticket)
    assert (ended["phase"], ended["rollback"]["result"]) == ("RolledBack", "restored")
    assert stack.images("mail") == [shop.image("mail", shop.FIRST)]
    assert _archived(stack, ticket)


def test_a_terminated_rollout_is_undone_and_its_ticket_closed(stack: Stack) -> None:
    ticket = stack.submit("cart", bake="30s")
    view = stack.until(ticket, in_canary)

    asyncio.run(_terminate(stack, rollout_workflow(view["target"])))

    assert stack.ends(ticket)["phase"] == "RolledBack"
    assert stack.images("cart") == [shop.image("cart", shop.FIRST)]


def test_an_open_ticket_survives_down_and_up(stack: Stack) -> None:
    ticket = stack.submit("payments", bake=None, environment="production", type="normal")
    stack.until(ticket, lambda view: view["phase"] == "AwaitingApproval")
    before = dict(stack.addresses)

    stack.run("down")
    assert stack.processes() == []
    after = stack.up()

    assert {name: after[name] for name in ("api", "temporal", "sandbox")} == {
        name: before[name] for name in ("api", "temporal", "sandbox")
    }
    stack.run("approve", ticket, "--reason", "read it", by="approver")
    assert stack.ends(ticket)["phase"] == "Succeeded"


def test_a_second_up_says_that_the_stack_is_up(stack: Stack) -> None:
    refused = stack.run("up", expect=5)

    assert "is up already" in refused.document["detail"]


def _archived(stack: Stack, ticket: str) -> bool:
    """Wait for the ticket's evidence, which is the last thing that is done."""
    file = stack.data / "archive" / f"{ticket}.json"
    stack.until(ticket, lambda _: file.exists())
    return True
