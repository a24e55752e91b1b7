"""What the database says when it cannot go on, in our words: never a raw error, never a credential."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from holdpoint.models.errors import InvalidRequest, UpstreamUnavailable

_SAID = {
    "25006": "it is read-only (a standby?): point ledger_url at the primary",
    "25P03": "the transaction stood still for too long and was ended by the server",
    "28P01": "it refused the password: look at ledger_password_file",
    "40P01": "two transactions waited for each other",
    "42501": "the ledger's role lacks a privilege: see deploy/postgres",
    "42883": "its tables are of an earlier version: bring them up to date first",
    "42P01": "it has no tables yet: bring it up to date first",
    "53100": "its disk is full",
    "53300": "it has no connection left",
    "55P03": "another transaction held the ledger for too long",
    "57014": "it took too long",
}
"""By SQLSTATE (PostgreSQL, appendix A), what to say instead of the server's own words."""


@contextmanager
def edge() -> Iterator[None]:
    """Let the database's outages leave as UpstreamUnavailable, and a value it cannot keep as InvalidRequest.

    Mistakes of ours leave as they are.
    """
    try:
        yield
    except PoolTimeout as error:
        raise UpstreamUnavailable("The ledger is busy: no connection came free. Try again.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise UpstreamUnavailable(
                "The connection to the ledger was lost; its last write may or may not be kept. Try again."
            ) from error
        if isinstance(error, DataError):
            said = _first_line(error)
            raise InvalidRequest(f"The ledger cannot keep a value: {said}.", mistakes=[said]) from error
        known = _SAID.get(getattr(error.orig, "sqlstate", None) or "")
        if known is not None:
            raise UpstreamUnavailable(f"The ledger did not answer: {known}.") from error
        if isinstance(error, OperationalError | InterfaceError | InternalError):
            raise UpstreamUnavailable(
                f"The ledger did not answer: {_first_line(error)}. Try again."
            ) from error
        # Its other subclasses are mistakes of ours; the class itself is a damaged or foreign file.
        if isinstance(error, ProgrammingError) or type(error) is not DatabaseError:
            raise
        raise UpstreamUnavailable(f"The ledger's file cannot be read: {_first_line(error)}.") from error


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().split("\n")[0].rstrip(".")
