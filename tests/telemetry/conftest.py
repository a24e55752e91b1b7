"""A real ledger with tickets in it."""

from tests.worker.conftest import ledger, open_ticket

__all__ = ["ledger", "open_ticket"]
