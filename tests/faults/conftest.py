"""The databases of the faults: the same as those of the ledger's own tests."""

from tests.ledger.fixtures import databases, server, url

__all__ = ["databases", "server", "url"]
