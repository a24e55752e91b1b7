"""`holdpoint migrate`: from which revision to which, on both databases, and who may not."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from alembic.script import ScriptDirectory

from holdpoint.cli.main import run
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.upgrade import MIGRATIONS, upgrade
from tests.ledger.databases import Databases, PostgresDatabases
from tests.ledger.fixtures import databases, server

__all__ = ["databases", "server"]

NEWEST = ScriptDirectory(str(MIGRATIONS)).get_current_head()


def settings(folder: Path, ledger_url: str) -> Path:
    """Write settings whose upstreams are all away but the ledger."""
    nowhere = "http://127.0.0.1:9"
    cluster = {"server": nowhere, "prometheus": nowhere, "forward_token_file": "a", "undo_token_file": "b"}
    values = {
        "data": str(folder),
        "ledger_url": ledger_url,
        "temporal_address": "127.0.0.1:9",
        "opa_url": nowhere,
        "opa_token_file": "token",
        "clusters": {"eu-1": cluster},
    }
    file = folder / "holdpoint.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def migrate(file: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = run(["migrate", "--settings", str(file), *options])
    return code, capsys.readouterr().out


def test_it_says_from_which_revision_to_which_and_does_nothing_twice(
    databases: Databases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = databases.bare()
    file = settings(tmp_path, url)

    first = migrate(file, capsys, "--output", "json")
    again = migrate(file, capsys, "--output", "json")

    assert (first[0], json.loads(first[1])) == (0, {"before": None, "after": NEWEST, "migrated": True})
    assert (again[0], json.loads(again[1])) == (0, {"before": NEWEST, "after": NEWEST, "migrated": False})
    assert migrate(file, capsys) == (0, f"the ledger is at revision {NEWEST} already\n")


def test_an_earlier_schema_is_brought_to_this_release(
    databases: Databases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = databases.bare()
    ledger = Ledger(url)
    ledger.write_now(upgrade, "0002")
    ledger.close()

    assert migrate(settings(tmp_path, url), capsys) == (
        0,
        f"the ledger was at revision 0002 and is at revision {NEWEST} now\n",
    )


def test_the_role_of_api_and_workers_is_granted_what_they_do(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = PostgresDatabases(server).bare()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute('CREATE ROLE "the :app%" LOGIN')

    code, said = migrate(settings(tmp_path, url), capsys, "--grant-to", "the :app%")

    assert code == 0, said
    with psycopg.connect(url, autocommit=True) as db:
        may = db.execute("SELECT has_table_privilege('the :app%', 'head', 'UPDATE')").fetchone()
        db.execute('DROP OWNED BY "the :app%"')
        db.execute('DROP ROLE "the :app%"')
    assert may == (True,)


def test_a_server_that_is_away_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = migrate(settings(tmp_path, "postgresql://u@127.0.0.1:9/db"), capsys, "--output", "json")

    assert (code, json.loads(said)["code"]) == (3, "upstream_unavailable")


@pytest.fixture(params=["without tables", "of an earlier release"])
def not_mine(request: pytest.FixtureRequest, server: str) -> Iterator[str]:
    """Return the URL of a ledger that is not of this release, as a role that may not migrate it."""
    url = PostgresDatabases(server).bare()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("DROP ROLE IF EXISTS least")
        db.execute("CREATE ROLE least LOGIN")
    if request.param == "of an earlier release":
        ledger = Ledger(url)
        ledger.write_now(upgrade, "0003")
        ledger.close()
        with psycopg.connect(url) as db:
            db.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO least")
    yield url.replace("postgres:@", "least@")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("DROP OWNED BY least")
        db.execute("DROP ROLE least")


def test_a_role_that_may_not_migrate_is_told_who_may(
    not_mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = migrate(settings(tmp_path, not_mine), capsys, "--output", "json")

    assert (code, json.loads(said)["code"]) == (2, "settings")
    assert "Run `holdpoint migrate` with the ledger_url of the owner" in json.loads(said)["detail"]


@pytest.mark.parametrize(
    ("command", "not_mine"),
    [(["api", "--port", "0"], "without tables"), (["worker"], "of an earlier release")],
    indirect=["not_mine"],
    ids=["api", "worker"],
)
def test_api_and_worker_on_a_ledger_that_is_not_migrated_say_what_to_run_and_exit_2(
    command: list[str], not_mine: str, tmp_path: Path
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "blob.key").write_bytes(b"k" * 32)
    asked: list[Any] = [*command, "--settings", settings(tmp_path, not_mine), "--output", "json"]

    done = subprocess.run(
        [sys.executable, "-m", "holdpoint.cli", *asked],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2, done.stderr
    assert "Run `holdpoint migrate`" in json.loads(done.stdout)["detail"]
    assert "Traceback" not in done.stderr
