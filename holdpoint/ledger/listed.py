"""Hold entries against the signed list of their leaf hashes, and name each that does not fit."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from holdpoint.ledger.canonical import canonical
from holdpoint.ledger.merkle import leaf_hash
from holdpoint.models.base import Model


class Leaf(Model):
    """One leaf as a statement lists it; `proof` is the audit path in base64, nearest first."""

    seq: int
    kind: str
    leaf: str = Field(pattern=r"^[0-9a-f]{64}$")
    proof: list[str] = []

    def __str__(self) -> str:
        return f"entry {self.seq} ({self.kind})"


def compare(listed: Sequence[Leaf], entries: Sequence[dict[str, Any]]) -> list[str]:
    """Return a sentence for each entry that was changed, dropped, added, doubled or moved.

    Empty when all fit.
    """
    by_hash, by_seq = {leaf.leaf: leaf for leaf in listed}, {leaf.seq: leaf for leaf in listed}
    present = [leaf_hash(canonical(entry)).hex() for entry in entries]
    problems, changed = [], set()
    for place, (entry, found) in enumerate(zip(entries, present, strict=True), start=1):
        if found in by_hash:
            continue
        seq = entry.get("seq")
        original = by_seq.get(seq) if isinstance(seq, int) else None
        if original is None or original.leaf in present or original.seq in changed:
            problems.append(f"{_name(entry)} was added, at place {place}: the statement does not list it")
        else:
            changed.add(original.seq)
            problems.append(f"{original} was changed: its hash is not the one in the statement")
    count = Counter(present)
    for leaf in listed:
        if count[leaf.leaf] == 0 and leaf.seq not in changed:
            problems.append(f"{leaf} was dropped")
        if count[leaf.leaf] > 1:
            problems.append(f"{leaf} stands {count[leaf.leaf]} times")
    return problems + _moved(listed, [by_hash[found] for found in dict.fromkeys(present) if found in by_hash])


def _moved(listed: Sequence[Leaf], present: Sequence[Leaf]) -> list[str]:
    here = {leaf.leaf for leaf in present}
    wanted = [leaf for leaf in listed if leaf.leaf in here]
    return [
        f"{is_there} was moved: it stands where {should} belongs"
        for should, is_there in zip(wanted, present, strict=True)
        if should.leaf != is_there.leaf
    ]


def _name(entry: dict[str, Any]) -> str:
    return f"entry {str(entry.get('seq'))[:20]} ({str(entry.get('kind'))[:64]})"


def compare_intents(told: Sequence[dict[str, Any]], listed: Sequence[dict[str, Any]]) -> list[str]:
    """Return a sentence for each listed intent that is not what the entries tell."""
    by_id = {intent["id"]: intent for intent in told}
    seen = [str(intent.get("id"))[:64] for intent in listed]
    problems = [
        f"intent {id}: {'it is not as its entries tell it' if id in by_id else 'no entry tells of it'}"
        for id, intent in zip(seen, listed, strict=True)
        if by_id.get(id) != intent
    ]
    problems += [f"intent {id}: it was dropped from the list" for id in by_id if id not in seen]
    if not problems and seen != list(by_id):
        problems.append("intents: they are doubled or not in the order in which they were opened")
    return problems
