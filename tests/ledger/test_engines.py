"""The address of the ledger, its password, and how outages are said."""

import logging
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from holdpoint.ledger import freezes, head
from holdpoint.ledger.engines import ledger_url
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import InvalidRequest, SettingsError, UpstreamUnavailable
from holdpoint.models.record import Scope
from tests.ledger.databases import PostgresDatabases


@pytest.fixture
def postgresql(server: str) -> str:
    """Return the URL of an empty ledger on PostgreSQL."""
    return PostgresDatabases(server).fresh()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "not a database URL", id="empty"),
        pytest.param("//hunter2@host/db", "not a database URL", id="no scheme"),
        pytest.param("postgresql://u:hunter2@host:port/db", "not a database URL", id="a port in letters"),
        pytest.param("mysql://u:hunter2@host/db", "'mysql' is no database", id="another database"),
        pytest.param(
            "postgresql+asyncpg://u:hunter2@host/db", "'postgresql\\+asyncpg' is", id="another driver"
        ),
        pytest.param("postgresql://u:hunter2@host", "names no database", id="no database"),
    ],
)
def test_a_bad_url_is_said_with_its_field_and_without_its_password(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"^ledger_url: .*{said}") as caught:
        ledger_url(text)

    assert "hunter2" not in caught.value.message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_takes_our_driver(scheme: str) -> None:
    assert ledger_url(f"{scheme}://u@host/db").drivername == "postgresql+psycopg"


def test_a_server_that_is_not_there_is_unavailable_and_no_password_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    missing = Ledger("postgresql://u:hunter2@127.0.0.1:1/db")

    with caplog.at_level(logging.DEBUG), pytest.raises(UpstreamUnavailable, match="ledger") as caught:
        missing.read_now(head.read)

    assert "hunter2" not in f"{caught.value.message} {caught.value.__cause__} {caplog.text}"
    assert "\n" not in caught.value.message
    missing.close()


def test_a_password_file_that_cannot_be_read_is_named(postgresql: str, tmp_path: Path) -> None:
    missing = Ledger(postgresql, tmp_path / "password")
    with pytest.raises(UpstreamUnavailable, match=r"ledger_password_file: .* cannot be read"):
        missing.read_now(head.read)
    missing.close()


def test_the_password_is_read_for_each_new_connection(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    real = psycopg.Connection.connect

    def connect(*args: object, **kwargs: object) -> object:
        used.append(str(kwargs["password"]))
        return real(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(psycopg, "connect", connect)
    file = tmp_path / "password"
    for password in ("first", "second"):
        file.write_text(f"{password}\n")
        ledger = Ledger(postgresql, file)
        ledger.read_now(head.read)
        ledger.close()

    assert set(used) == {"first", "second"}


def test_an_empty_database_says_what_it_lacks(server: str) -> None:
    bare = Ledger(PostgresDatabases(server).bare())

    with pytest.raises(UpstreamUnavailable, match="no tables yet"):
        bare.read_now(head.read)
    bare.close()


@pytest.mark.parametrize("wrong", [{"reason": "a\x00b"}, {"by": "a\x00b"}])
def test_a_value_that_postgresql_cannot_keep_is_an_invalid_request(
    postgresql: str, wrong: dict[str, str]
) -> None:
    ledger = Ledger(postgresql)
    told: dict[str, Any] = {"scope": Scope(everything=True), "reason": "INC", "by": "x", "until": None}

    with pytest.raises(InvalidRequest, match="cannot keep a value"):
        ledger.write_now(freezes.create_freeze, **{**told, **wrong}, except_types=[])

    assert ledger.read_now(head.read).seq == 0
    ledger.close()


def test_no_transaction_of_ours_waits_or_idles_for_ever(postgresql: str) -> None:
    ledger = Ledger(postgresql)
    query = text(
        "SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout'), "
        "current_setting('statement_timeout'), current_setting('transaction_isolation')"
    )

    assert tuple(ledger.write_now(lambda db: db.execute(query).one())) == (
        "5s",
        "10s",
        "1min",
        "read committed",
    )
    assert tuple(ledger.read_now(lambda db: db.execute(query).one()))[3] == "repeatable read"
    ledger.close()
