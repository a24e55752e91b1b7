"""The roles that deploy/postgres makes: enough for the application, and no more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from holdpoint.ledger import checkpoint, entries, freezes, intents, outbox, schema, targets
from holdpoint.ledger.archives import keep
from holdpoint.ledger.shared_blobs import SharedBlobs
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.record import EntryDraft, IntentRequest, Opened, Record, Scope
from tests.ledger.databases import PostgresDatabases

DEPLOY = Path(__file__).parents[2] / "deploy" / "postgres"


@pytest.fixture(scope="module")
def granted(server: str) -> str:
    """Return the URL, as the application, of a ledger set up as deploy/postgres says."""
    url = PostgresDatabases(server).bare()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute((DEPLOY / "roles.sql").read_bytes())
    owner = Ledger(url.replace("postgres:@", "holdpoint_owner@"))
    owner.migrate()
    owner.close()
    with psycopg.connect(url.replace("postgres:@", "holdpoint_owner@"), autocommit=True) as db:
        db.execute((DEPLOY / "grants.sql").read_bytes())
    return url.replace("postgres:@", "holdpoint_app@")


@pytest.fixture
def url(granted: str) -> str:
    return granted


def test_the_application_can_do_all_that_the_ledger_does(
    held: Ledger,
    submitted: Callable[..., Any],
    a_request: Callable[..., IntentRequest],
    tmp_path: Path,
) -> None:
    held.migrate()
    view, _ = submitted("chg-1", key="k")
    submitted("chg-2", key="k2")
    outcome = held.write_now(intents.open_intent, a_request())
    assert isinstance(outcome, Opened)
    held.write_now(intents.retry_intent, outcome.intent.id, "107", 5.0)
    held.write_now(intents.close_intent, outcome.intent.id, status="done", result={})
    held.write_now(targets.enter_lane, ticket="chg-2", target=a_request().target, priority=1)
    held.write_now(targets.enter_lane, ticket="chg-2", target=a_request().target, priority=2)
    held.write_now(targets.release_target, target=a_request().target, run="run-1", clean=True)
    assert held.write_now(targets.enter_lane, ticket="chg-2", target=a_request().target, priority=2).granted
    told: dict[str, Any] = {"reason": "INC", "by": "x", "until": None, "except_types": []}
    freeze = held.write_now(freezes.create_freeze, scope=Scope(everything=True), **told)
    held.write_now(freezes.acknowledge_freeze, freeze.id, {})
    held.write_now(freezes.lift_freeze, freeze.id, by="x", reason="over")
    for row in held.write_now(outbox.take, limit=9, lease=9):
        held.write_now(outbox.delivered, row.id)
    draft = EntryDraft(key="e", kind="phase.changed", actor="x", at=view.created_at)
    held.write_now(entries.append, Record(ticket="chg-1", entries=[draft], patch={"phase": "Aborted"}))
    held.write_now(checkpoint.publish, Signer.load_or_create(tmp_path / "keys"))
    for key in ("first", "second"):
        held.write_now(keep, "chg-1", b"{}", draft.model_copy(update={"key": key}))
    SharedBlobs(tmp_path / "blobs", b"k" * 32, held).put_secret(b"x")


FORBIDDEN = [
    *(
        f"{verb} {table}{rest}"
        for table in ("entries", "tiles", "checkpoints", "blobs")
        for verb, rest in (
            ("DELETE FROM", ""),
            ("TRUNCATE", ""),
            ("DROP TABLE", ""),
        )
    ),
    "UPDATE entries SET kind = 'x'",
    "UPDATE tiles SET hash = ''",
    "UPDATE checkpoints SET note = ''",
    "UPDATE blobs SET data = ''",
    "DELETE FROM head",
    "DELETE FROM intents",
    "DELETE FROM freezes",
    "DELETE FROM tickets",
    "ALTER TABLE entries DISABLE TRIGGER ALL",
    "DROP TRIGGER entries_no_update ON entries",
    "SET session_replication_role = replica",
    "CREATE TABLE mine (id int)",
    "UPDATE alembic_version SET version_num = '0001'",
    "CREATE OR REPLACE FUNCTION entries_are_append_only() RETURNS trigger LANGUAGE sql AS ''",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_application_cannot_touch_what_was_recorded(ledger: Ledger, statement: str) -> None:
    with pytest.raises((UpstreamUnavailable, ProgrammingError), match=r"privilege|owner|permission"):
        ledger.write_now(lambda db: db.execute(text(statement)))


def test_every_table_is_named_in_the_grants_or_only_added_to() -> None:
    grants = (DEPLOY / "grants.sql").read_text()

    added_to = {"entries", "tiles", "checkpoints", "blobs"}
    unnamed = {
        name
        for name in schema.metadata.tables
        if not any(
            name in line.replace(",", " ").split() for line in grants.splitlines() if line.startswith("GRANT")
        )
    }
    assert unnamed == added_to
