"""Evidence files.

One ticket's, or the whole ledger's. They verify offline with nothing but the public key.
"""

import base64
import hashlib
from typing import Any

from sqlalchemy import Connection, select

from holdpoint.ledger import checkpoint, schema, tickets
from holdpoint.ledger.canonical import canonical, exact, parse
from holdpoint.ledger.derived import intents_of_entries
from holdpoint.ledger.merkle import leaf_hash, root_from_inclusion, root_of
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.statement import EVIDENCE, EXPORT, seal
from holdpoint.ledger.tree import Tree
from holdpoint.models.errors import Conflict

_E = schema.entries


def build_evidence(db: Connection, ticket: str, *, signer: Signer, history: bytes | None) -> bytes:
    """Return one ticket's evidence: its entries, the history, and the signed statement that binds them.

    Reads only. Raises NotFound, and Conflict when the stored entries are not the ones that were recorded:
    what was edited in the database is never signed.
    """
    view = tickets.get_ticket(db, ticket)
    now = checkpoint.current(db)
    tree = Tree(db, now.size)
    raws, leaves = [], []
    query = select(_E.c.seq, _E.c.kind, _E.c.raw).where(_E.c.ticket == ticket).order_by(_E.c.seq)
    for seq, kind, raw in db.execute(query):
        leaf, proof = leaf_hash(raw), tree.proof(seq - 1)
        if root_from_inclusion(leaf, seq - 1, now.size, proof) != now.root:
            raise Conflict(
                f"The ledger was edited: entry {seq} ({kind}) is not in its tree. Nothing is signed."
            )
        raws.append(raw)
        listed = {"seq": seq, "kind": kind, "leaf": leaf.hex()}
        leaves.append({**listed, "proof": [base64.b64encode(node).decode() for node in proof]})
    entries = [parse(raw) for raw in raws]
    predicate = {
        "ticket": exact(view),
        "decisions": _decisions(entries),
        "verdicts": [exact(verdict) for step in view.steps for verdict in step.verdicts],
        "approvals": exact(view.approvals),
        "checkpoint": checkpoint.sign_note(now, signer),
        "leaves": leaves,
        "history": None if history is None else _digest(history),
    }
    envelope = seal(
        predicate_type=EVIDENCE,
        subject=_subject(db, ticket, entries),
        predicate=predicate,
        signer=signer,
    )
    told = None if history is None else base64.b64encode(history).decode()
    return _file(raws, {"format": EVIDENCE, "history": told, "statement": envelope})


def export_all(db: Connection, *, signer: Signer) -> bytes:
    """Return every entry and every intent with its attempts, under one signed checkpoint.

    Reads only. Raises Conflict when the stored entries are not the ones that were recorded.
    """
    now = checkpoint.current(db)
    raws = list(db.execute(select(_E.c.raw).order_by(_E.c.seq)).scalars())
    leaves = [leaf_hash(raw) for raw in raws]
    if len(leaves) != now.size or root_of(leaves) != now.root:
        raise Conflict("The ledger was edited: its entries are not the ones in its tree. Nothing is signed.")
    entries = [parse(raw) for raw in raws]
    predicate = {
        "checkpoint": checkpoint.sign_note(now, signer),
        "published": checkpoint.published(db),
        "leaves": [
            {"seq": entry["seq"], "kind": entry["kind"], "leaf": leaf.hex()}
            for entry, leaf in zip(entries, leaves, strict=True)
        ],
    }
    envelope = seal(
        predicate_type=EXPORT,
        subject=[{"name": signer.public.origin, "digest": {"sha256": now.root.hex()}}],
        predicate=predicate,
        signer=signer,
    )
    return _file(raws, {"format": EXPORT, "intents": intents_of_entries(entries), "statement": envelope})


def _file(raws: list[bytes], rest: dict[str, Any]) -> bytes:
    """Return the canonical form of `rest` with the entries."""
    # They are in this form already, and `entries` sorts before every name of the rest.
    return b'{"entries":[' + b",".join(raws) + b"]," + canonical(rest).removeprefix(b"{")


def _digest(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def _subject(db: Connection, ticket: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the evidence is about.

    The change as submitted, the commit, and each image named by digest.
    """
    stored = tickets.change_of(db, ticket)
    images = {image for entry in entries for image in _images(entry["body"]) if "@sha256:" in image}
    return [
        {"name": ticket, "digest": {"sha256": stored.digest.removeprefix("sha256:")}},
        {"name": stored.repository, "digest": {"gitCommit": stored.commit}},
        *(
            {"name": image.split("@")[0], "digest": {"sha256": image.rpartition(":")[2]}}
            for image in sorted(images)
        ),
    ]


def _images(body: Any) -> list[str]:
    found = body.get("images", []) if isinstance(body, dict) else []
    asked = body.get("input") if isinstance(body, dict) else None
    nested = asked.get("images", []) if isinstance(asked, dict) else []
    return [image for image in [*found, *nested] if isinstance(image, str)]


def _decisions(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return which policy revision decided what, in order."""
    return [
        {"seq": entry["seq"], "revision": decision.get("revision"), "digest": decision.get("digest")}
        for entry in entries
        if isinstance(decision := entry["body"].get("decision"), dict)
    ]
