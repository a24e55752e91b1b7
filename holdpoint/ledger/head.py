"""The head row: the next sequence number, the epoch, and the frontier of the tree.

Every write of the record passes here. The epoch rises with every freeze, lift and change of holder; who
checked freezes and holders at one epoch can only write at that epoch.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update

from holdpoint.ledger import schema
from holdpoint.ledger.clock import now_ms
from holdpoint.ledger.merkle import Frontier

_READ = select(schema.head.c.seq, schema.head.c.epoch, schema.head.c.frontier, now_ms().label("now")).where(
    schema.head.c.id == 1
)
_LOCK = _READ.with_for_update()
_SWAP = (
    update(schema.head)
    .where(
        schema.head.c.id == 1,
        schema.head.c.seq == bindparam("old_seq"),
        schema.head.c.epoch == bindparam("old_epoch"),
    )
    .values(seq=bindparam("new_seq"), epoch=bindparam("new_epoch"), frontier=bindparam("nodes"))
)


@dataclass(frozen=True)
class Head:
    """The head as it was read, and the database's time in milliseconds at that moment."""

    seq: int
    epoch: int
    frontier: bytes
    now: int


def read(db: Connection) -> Head:
    """Return the head without locking it."""
    return Head(*db.execute(_READ).one())


def lock(db: Connection) -> Head:
    """Return the head and keep other writers out until the transaction ends.

    What is read after this call, at READ COMMITTED or under SQLite's write lock, is as new as the head. On
    PostgreSQL the time may be from before a wait for the lock: deadlines are then shorter, never longer.
    """
    return Head(*db.execute(_LOCK).one())


def advance(db: Connection, seen: Head, frontier: Frontier, *, raise_epoch: bool) -> bool:
    """Move the head on by compare-and-set; False when another writer was first, and nothing was written."""
    done = db.execute(
        _SWAP,
        {
            "old_seq": seen.seq,
            "old_epoch": seen.epoch,
            "new_seq": frontier.size,
            "new_epoch": seen.epoch + raise_epoch,
            "nodes": frontier.dump(),
        },
    )
    return done.rowcount == 1
