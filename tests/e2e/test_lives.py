"""Whole lives of tickets, through the command line."""

import concurrent.futures
import json
from pathlib import Path

import httpx
import pytest

from holdpoint.embedded.demo import shop
from tests.e2e.conftest import Stack, in_canary

pytestmark = pytest.mark.e2e


def test_a_healthy_change_succeeds_and_its_evidence_verifies(stack: Stack, tmp_path: Path) -> None:
    done = stack.run("submit", stack.change("web"), "--wait", by="ci")

    assert done.document["phase"] == "Succeeded"
    assert stack.images("web") == [shop.image("web", shop.NEXT)]
    evidence, key = tmp_path / "evidence.json", str(stack.data / "keys" / "ledger.pub")
    stack.run("audit", "export", done.document["id"], "-o", str(evidence), by="auditor")
    assert stack.run("audit", "verify", str(evidence), "--key", key).document["verified"]

    edited = json.loads(evidence.read_text())
    edited["entries"][1]["actor"] = "somebody"
    evidence.write_text(json.dumps(edited))

    assert stack.run("audit", "verify", str(evidence), "--key", key, expect=1).document["problems"]


def test_a_normal_production_change_needs_somebody_elses_approval(stack: Stack) -> None:
    ticket = stack.submit("payments", by="approver", environment="production", type="normal")
    asked = stack.until(ticket, lambda view: view["phase"] == "AwaitingApproval")
    change = stack.change("payments", environment="production", type="normal")
    dry = stack.run("submit", change, "--dry-run", by="ci").document
    read = stack.run("diff", ticket, by="approver2").document

    own = stack.run("approve", ticket, by="approver", expect=5)
    stack.run("approve", ticket, "--reason", "read it", by="approver2")

    (altered,) = read["objects"]
    assert [field["now"] for field in altered["fields"]] == [shop.image("payments", shop.NEXT)]
    assert (read["unchanged"], read) == (1, dry["plan_diff"])
    assert asked["plan_diff"]["facts"]["changed"] == 1
    assert own.document["code"] == "access_denied"
    ended = stack.ends(ticket)
    assert ended["phase"] == "Succeeded"
    assert [given["by"] for given in ended["approvals"]["given"]] == ["approver2"]


def test_a_breaching_canary_leaves_the_cluster_as_it_was(stack: Stack) -> None:
    bad = shop.image("search", shop.NEXT)
    stack.run("sandbox", "behave", "--image", bad, "--error-rate", "0.4")

    done = stack.run("submit", stack.change("search"), "--wait", by="ci", expect=1)

    assert done.document["phase"] == "RolledBack"
    assert done.document["rollback"] == {"result": "restored", "differences": [], "stays": [], "attempts": 1}
    assert stack.images("search") == [shop.image("search", shop.FIRST)]


def test_a_freeze_holds_a_canary_and_does_not_keep_it_from_being_rolled_back(stack: Stack) -> None:
    ticket = stack.submit("orders", bake="20s")
    stack.until(ticket, in_canary)

    freeze = stack.run(
        "freeze", "create", "--scope", "service=orders", "--reason", "INC-7", by="commander"
    ).document
    held = stack.until(ticket, lambda view: view["hold"] is not None)
    stack.run("rollback", ticket, "--reason", "rather not", by="sre")

    assert freeze["in_doubt"] == []
    assert held["hold"]["code"] == "frozen"
    assert stack.ends(ticket)["phase"] == "RolledBack"
    assert stack.images("orders") == [shop.image("orders", shop.FIRST)]
    stack.run("freeze", "lift", freeze["id"], by="commander")


def test_a_succeeded_change_is_rolled_back_by_one_approval_also_under_a_freeze(stack: Stack) -> None:
    bad = stack.submit("mail", bake=None)
    stack.until(bad, lambda view: view["phase"] == "Succeeded")
    freeze = stack.run("freeze", "create", "--scope", "service=mail", "--reason", "INC-8", by="commander")

    back = stack.run("rollback", bad, "--reason", "INC-8", by="sre").document
    stack.until(back["id"], lambda view: view["phase"] == "AwaitingApproval")
    stack.run("approve", back["id"], by="approver")

    assert back["rolls_back"] == bad
    stack.until(back["id"], lambda view: view["phase"] == "Succeeded")
    assert stack.images("mail") == [shop.image("mail", shop.FIRST)]
    assert stack.view(bad)["rolled_back_by"] == back["id"]
    stack.run("freeze", "lift", freeze.document["id"], by="commander")


def test_fifty_submits_of_one_key_at_once_open_one_ticket(stack: Stack) -> None:
    file = stack.folder / stack.change("cart", revision=shop.FIRST, bake=None)
    body = {"change": file.read_text(), "base": str(stack.folder)}
    headers = {"Authorization": f"Bearer {stack.tokens['ci']}", "Idempotency-Key": "release-7"}

    with httpx.Client(base_url=stack.addresses["api"], trust_env=False, timeout=60) as api:

        def submit(_: int) -> httpx.Response:
            return api.post("/v1/changes", json=body, headers=headers)

        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(submit, range(50)))

    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted({answer.status_code for answer in answers}) == [200, 201]
    assert sum(answer.status_code == httpx.codes.CREATED for answer in answers) == 1
    assert stack.ends(answers[0].json()["id"])["phase"] == "Succeeded"
