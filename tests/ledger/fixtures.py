"""The fixtures that give a test its own ledger on each kind of database; a conftest imports them."""

from collections.abc import Iterator

import pytest

from tests.ledger.databases import Databases, PostgresDatabases, SqliteFiles, a_server


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Start one PostgreSQL server for all tests of this process."""
    with a_server() as made:
        yield made.url


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Make databases of one kind: every test of the ledger runs on both, `make test-real` has PostgreSQL."""
    if request.param == "sqlite":
        return SqliteFiles(tmp_path_factory.mktemp("databases"))
    return PostgresDatabases(request.getfixturevalue("server"))


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    """Return the URL of this test's own, empty ledger."""
    made = databases.fresh()
    yield made
    databases.drop(made)
