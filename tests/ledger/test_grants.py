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
from holdpoint.ledger.grants import CHANGED, MIGRATIONS, REMOVED, SEQUENCES
from holdpoint.ledger.shared_blobs import SharedBlobs
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import SettingsError, UpstreamUnavailable
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
    owner.migrate(grant_to="holdpoint_app")
    owner.close()
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
    added_to = {"entries", "tiles", "checkpoints", "blobs", "dependencies", "ticket_targets"}

    assert set(schema.metadata.tables) - set(CHANGED) - set(REMOVED) == added_to


def test_every_number_that_the_database_gives_is_the_applications_to_take(granted: str) -> None:
    with psycopg.connect(granted) as db:
        made = db.execute("SELECT sequencename FROM pg_sequences ORDER BY 1").fetchall()

    assert made == [(name,) for name in SEQUENCES]


def test_what_a_role_had_besides_is_taken_from_it(granted: str) -> None:
    with psycopg.connect(granted.replace("holdpoint_app@", "postgres:@"), autocommit=True) as db:
        db.execute("GRANT ALL ON entries, alembic_version TO holdpoint_app")
    owner = Ledger(granted.replace("holdpoint_app@", "holdpoint_owner@"))

    owner.migrate(grant_to="holdpoint_app")

    owner.close()
    with psycopg.connect(granted) as db:
        may = "SELECT has_table_privilege(%s, %s)"
        found = [db.execute(may, one).fetchone() for one in (("entries", "DELETE"), (MIGRATIONS, "UPDATE"))]
    assert found == [(False,), (False,)]


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ("no; one", r"the database has no role 'no; one'"),
        ("holdpoint_owner", r"'holdpoint_owner' is the role that migrates"),
    ],
    ids=["not there", "the owner itself"],
)
def test_a_role_that_cannot_be_meant_is_a_mistake_of_the_command(granted: str, role: str, said: str) -> None:
    owner = Ledger(granted.replace("holdpoint_app@", "holdpoint_owner@"))

    with pytest.raises(SettingsError, match=f"--grant-to: {said}"):
        owner.migrate(grant_to=role)

    owner.close()


def test_sqlite_has_no_roles(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")

    with pytest.raises(SettingsError, match="only PostgreSQL has roles"):
        ledger.migrate(grant_to="holdpoint_app")

    ledger.close()
