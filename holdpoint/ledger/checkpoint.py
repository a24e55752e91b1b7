"""Checkpoints: size and root of the tree as a signed note (c2sp.org/tlog-checkpoint and /signed-note).

Whoever kept one can tell later whether what it covered was rewritten.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from holdpoint.ledger import head, schema
from holdpoint.ledger.merkle import HASH, Frontier
from holdpoint.ledger.signing import PublicKey, Signer
from holdpoint.ledger.tree import Tree
from holdpoint.models.errors import Conflict

_ED25519 = b"\x01"
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_C = schema.checkpoints


@dataclass(frozen=True)
class Checkpoint:
    """How many leaves the tree had, and its root."""

    size: int
    root: bytes


def sign_note(checkpoint: Checkpoint, signer: Signer) -> str:
    """Return the checkpoint as a signed note."""
    text = _text(checkpoint, signer.public)
    signed = _key_id(signer.public) + signer.sign(text.encode())
    return f"{text}\n— {signer.public.origin} {base64.b64encode(signed).decode()}\n"


def open_note(note: str, key: PublicKey) -> Checkpoint:
    """Return what a note says, if it is signed by this key and nothing else is in it. Raises ValueError."""
    lines = note.split("\n")
    if len(lines) != 6 or lines[3] or lines[5]:
        raise ValueError("the checkpoint is not a note of three lines and one signature")
    if not _SIZE.fullmatch(lines[1]):
        raise ValueError("the checkpoint's size is not a number")
    try:
        checkpoint = Checkpoint(int(lines[1]), base64.b64decode(lines[2], validate=True))
        prefix = f"— {key.origin} "
        if not lines[4].startswith(prefix):
            raise ValueError("the checkpoint is signed by another key")
        signed = base64.b64decode(lines[4].removeprefix(prefix), validate=True)
    except binascii.Error as error:
        raise ValueError("the checkpoint is not base64 where it must be") from error
    text = _text(checkpoint, key)
    again = f"{text}\n{prefix}{base64.b64encode(signed).decode()}\n"
    if again != note or len(checkpoint.root) != HASH or signed[:4] != _key_id(key):
        raise ValueError("the checkpoint was changed, or another key signed it")
    if not key.verifies(signed[4:], text.encode()):
        raise ValueError("the checkpoint's signature does not verify")
    return checkpoint


def current(db: Connection) -> Checkpoint:
    """Return the checkpoint of the ledger as it is now."""
    seen = head.read(db)
    return Checkpoint(seen.seq, Frontier(seen.seq, seen.frontier).root())


def publish(db: Connection, signer: Signer) -> str:
    """Sign the ledger as it is now, keep the note and return it.

    Raises Conflict when it is not what the last note covered with entries after it: then the ledger was
    rewritten.
    """
    seen = head.lock(db)  # of two that publish at once the second finds what the first has published
    last = db.execute(select(_C.c.note).order_by(_C.c.size.desc()).limit(1)).scalar_one_or_none()
    now = current(db)
    if last is not None:
        before = open_note(last, signer.public)
        if before.size > now.size or Tree(db, before.size).root() != before.root:
            raise Conflict(
                f"The ledger was rewritten: the checkpoint of {before.size} entries no longer holds."
            )
        if before.size == now.size:
            return str(last)
    note = sign_note(now, signer)
    db.execute(insert(_C), {"size": now.size, "note": note, "at": seen.now})
    return note


def published(db: Connection) -> list[str]:
    """Return all notes that were published, oldest first."""
    return list(db.execute(select(_C.c.note).order_by(_C.c.size)).scalars())


def _text(checkpoint: Checkpoint, key: PublicKey) -> str:
    return f"{key.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def _key_id(key: PublicKey) -> bytes:
    return hashlib.sha256(key.origin.encode() + b"\n" + _ED25519 + key.raw).digest()[:4]
