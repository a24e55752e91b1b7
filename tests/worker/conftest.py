"""A real ledger with a few tickets in it, for the reconciler's tests."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from holdpoint.embedded.temporal_server import find
from holdpoint.ledger import entries, targets, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.change import Change
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import TicketView
from holdpoint.models.workflow_messages import RolloutStart
from tests.started import started

TARGET = "sandbox/default/shop"
DIGEST = "sha256:" + "a" * 64
COMMIT = "b" * 40
REPOSITORY = "https://git.example.org/shop.git"
OpenTicket = Callable[..., TicketView]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of a real Temporal, in memory."""
    async with await started(
        lambda: WorkflowEnvironment.start_local(dev_server_existing_path=find())
    ) as environment:
        yield environment.client


@pytest.fixture
def open_ticket(ledger: Ledger) -> OpenTicket:
    """Open a ticket that is as old as it is said to be, in seconds, and in the phase that is named."""

    def build(
        ticket: str, *, age: float = 60.0, phase: Phase = Phase.EXECUTING, repository: str = REPOSITORY
    ) -> TicketView:
        at = datetime.now(UTC) - timedelta(seconds=age)
        view = TicketView(
            id=ticket,
            title="shop 2",
            service="shop",
            environment="staging",
            type="standard",
            phase=Phase.EVALUATING,
            created_at=at,
            requester="ci",
            commit=COMMIT,
            repository=repository,
            revision="main",
            target=TARGET,
        )
        stored = StoredChange(
            ticket=ticket,
            change=_change(repository),
            commit=COMMIT,
            repository=view.repository,
            requester="ci",
            digest=DIGEST,
        )
        draft = EntryDraft(key="submitted", kind="ticket.submitted", actor="ci", at=at)
        ledger.write_now(
            tickets.open_ticket,
            view=view,
            stored=stored,
            key=ticket,
            content=DIGEST,
            scope_open_only=False,
            draft=draft,
        )
        enter(ledger, ticket, phase)
        return view

    return build


def enter(ledger: Ledger, ticket: str, phase: Phase) -> None:
    """Have the ticket's view show a phase."""
    draft = EntryDraft(key=f"enter/{phase}", kind="phase.entered", actor="holdpoint", at=datetime.now(UTC))
    ledger.write_now(entries.append, Record(ticket=ticket, entries=[draft], patch={"phase": phase.value}))


def take(ledger: Ledger, ticket: str, run: str = "run-1") -> None:
    """Let a rollout run of the ticket hold the target."""
    start = RolloutStart(
        ticket=ticket,
        target=TARGET,
        service="shop",
        environment="staging",
        type="standard",
        plan=[],
        verify=1.0,
    )
    ledger.write_now(targets.enter_lane, ticket=ticket, target=TARGET, priority=4)
    ledger.write_now(
        targets.take_target, target=TARGET, ticket=ticket, run=run, rollout=start.model_dump(mode="json")
    )


def _change(repository: str) -> Change:
    return Change.model_validate(
        {
            "apiVersion": "holdpoint.dev/v1",
            "kind": "Change",
            "metadata": {"title": "shop 2", "service": "shop", "environment": "staging"},
            "spec": {
                "source": {
                    "repository": repository,
                    "revision": "main",
                    "paths": ["a.yaml"],
                },
                "target": {"cluster": "sandbox"},
                "plan": {"steps": [{"apply": {}}]},
            },
        }
    )
