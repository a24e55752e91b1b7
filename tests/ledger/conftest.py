"""A fresh ledger for each test, and small stories to tell in it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from holdpoint.ledger import targets, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.models.change import Change
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, IntentRequest, ObjectRef
from holdpoint.models.ticket import TicketView
from tests.ledger.fixtures import databases, server, url

__all__ = ["databases", "server", "url"]

TARGET = "sandbox/default/shop"
MakeRequest = Callable[..., IntentRequest]
CHANGE = Change.model_validate(
    {
        "apiVersion": "holdpoint.dev/v1",
        "kind": "Change",
        "metadata": {"title": "shop 2", "service": "shop", "environment": "staging"},
        "spec": {
            "source": {"repository": "./shop", "revision": "v2", "paths": ["shop.yaml"]},
            "target": {"cluster": "sandbox"},
            "plan": {"steps": [{"canary": {"deployment": "shop", "weights": [10, 50], "bake": "5s"}}]},
            "analysis": {"errorRatio": {"max": 0.01}},
        },
    }
)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    made = Ledger(url)
    yield made
    made.close()


@pytest.fixture(scope="session")
def a_request() -> MakeRequest:
    """Build the request of one write on the shop's Deployment by run `run-1`."""

    def build(key: str = "canary/10/Deployment/shop", **changes: Any) -> IntentRequest:
        values = {
            "ticket": "chg-1",
            "target": TARGET,
            "run": "run-1",
            "key": key,
            "direction": "forward",
            "verb": "apply",
            "object": ObjectRef(
                cluster="sandbox",
                api_version="apps/v1",
                kind="Deployment",
                namespace="default",
                name="shop",
            ),
            "resource_version": "100",
            "service": "shop",
            "environment": "staging",
            "change_type": "standard",
        }
        return IntentRequest.model_validate({**values, **changes})

    return build


@pytest.fixture
def held(ledger: Ledger, hold: Callable[[Ledger], None]) -> Ledger:
    """Return a ledger in which `run-1` of `chg-1` holds the shop."""
    hold(ledger)
    return ledger


@pytest.fixture(scope="session")
def hold() -> Callable[[Ledger], None]:
    """Let `run-1` of `chg-1` hold the shop in a ledger."""

    def hold(ledger: Ledger) -> None:
        ledger.write_now(targets.enter_lane, ticket="chg-1", target=TARGET, priority=4)
        taken = {"target": TARGET, "ticket": "chg-1", "run": "run-1"}
        ledger.write_now(targets.take_target, **taken, rollout={"mode": "forward"})

    return hold


@pytest.fixture(scope="session")
def a_view() -> Callable[..., TicketView]:
    """Build what a ticket looks like when it was just submitted."""

    def build(id: str = "chg-1", **changes: Any) -> TicketView:
        values = {
            "id": id,
            "title": "shop 2",
            "service": "shop",
            "environment": "staging",
            "type": "standard",
            "phase": Phase.EVALUATING,
            "created_at": datetime.now(UTC),
            "requester": "ci",
            "commit": "c" * 40,
            "repository": "./shop",
            "revision": "v2",
            "target": TARGET,
        }
        return TicketView.model_validate({**values, **changes})

    return build


@pytest.fixture
def submitted(
    ledger: Ledger, submit: Callable[..., tuple[TicketView, bool]]
) -> Callable[..., tuple[TicketView, bool]]:
    """Submit a ticket to this test's ledger, by default with a key of its own."""
    return partial(submit, ledger)


@pytest.fixture(scope="session")
def submit(a_view: Callable[..., TicketView]) -> Callable[..., tuple[TicketView, bool]]:
    """Submit a ticket to a ledger, by default with a key of its own."""

    def submit(ledger: Ledger, id: str = "chg-1", **options: Any) -> tuple[TicketView, bool]:
        view = a_view(id, **options.pop("view", {}))
        stored = tickets.StoredChange(
            ticket=id,
            change=options.pop("change", CHANGE),
            commit="c" * 40,
            repository="./shop",
            requester="ci",
            digest="sha256:" + "0" * 64,
            rolls_back=options.pop("rolls_back", None),
            targets=options.pop("targets", []),
        )
        draft = EntryDraft(key="ticket.submitted", kind="ticket.submitted", actor="ci", at=view.created_at)
        asked = {"key": f"key-{id}", "content": "same", "scope_open_only": False, **options}
        return ledger.write_now(tickets.open_ticket, view=view, stored=stored, draft=draft, **asked)

    return submit
