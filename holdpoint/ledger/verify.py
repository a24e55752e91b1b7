"""Verify an evidence file or an export: offline, from the file and the public key alone."""

import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from pydantic import ValidationError

from holdpoint.ledger.canonical import canonical, parse
from holdpoint.ledger.checkpoint import Checkpoint, open_note
from holdpoint.ledger.derived import intents_of_entries
from holdpoint.ledger.listed import Leaf, compare, compare_intents
from holdpoint.ledger.merkle import Frontier, root_from_inclusion
from holdpoint.ledger.signing import PublicKey
from holdpoint.ledger.statement import EVIDENCE, EXPORT, STATEMENT, EnvelopeModel, exact_base64, unseal
from holdpoint.models.base import Model, StrictModel

Json = dict[str, Any]


class SignedFile(StrictModel):
    """What both kinds of file have. Nothing else may stand in one."""

    format: str
    entries: list[Json]
    statement: EnvelopeModel


class EvidenceFile(SignedFile):
    """One ticket's evidence as it stands in a file."""

    history: str | None


class ExportFile(SignedFile):
    """The whole ledger as it stands in a file."""

    intents: list[Json]


class HistoryDigest(Model):
    """What the statement says of the history."""

    sha256: str
    size: int


class Predicate(Model):
    """What the verifier reads of a statement's predicate; all of the predicate is signed."""

    checkpoint: str
    leaves: list[Leaf]
    history: HistoryDigest | None = None
    published: list[str] = []


def verify_file(data: bytes, public_key_pem: bytes) -> list[str]:
    """Return what is wrong with a file, each with the entry or part it is about; empty means verified."""
    try:
        key = PublicKey.load(public_key_pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        return [f"public key: it cannot be read: {error}"]
    try:
        value = parse(data)
        problems = _not_canonical(data, canonical(value))
        return problems + _verify(value, key)
    except (ValueError, RecursionError) as error:
        return [f"file: it is not JSON as Holdpoint writes it: {error}"]


def _not_canonical(data: bytes, form: bytes) -> list[str]:
    if data == form:
        return []
    same = next((at for at, (a, b) in enumerate(zip(data, form, strict=False)) if a != b), len(form))
    return [f"file: from byte {same} on it is not the canonical form of what it says"]


def _verify(value: Any, key: PublicKey) -> list[str]:
    models: dict[str, type[EvidenceFile] | type[ExportFile]] = {EVIDENCE: EvidenceFile, EXPORT: ExportFile}
    form = value.get("format") if isinstance(value, dict) else None
    if not isinstance(form, str) or form not in models:
        return ["file: its format is neither that of evidence nor that of an export"]
    try:
        file = models[form].model_validate(value, strict=True)
    except ValidationError as error:
        return _mistakes("file", error)
    statement, problems = unseal(file.statement, key)
    if statement is None:
        return problems
    if (statement.get("_type"), statement.get("predicateType")) != (STATEMENT, form):
        problems.append(f"statement: it is not the statement of {form}")
    try:
        predicate = Predicate.model_validate(statement.get("predicate"), strict=True)
    except ValidationError as error:
        return problems + _mistakes("statement", error)
    problems += compare(predicate.leaves, file.entries)
    checkpoint, wrong = _note(predicate.checkpoint, key)
    problems += wrong
    if isinstance(file, EvidenceFile):
        return problems + _history(file, predicate) + _included(predicate.leaves, checkpoint)
    return problems + _complete(predicate, checkpoint, key) + _intents(file)


def _mistakes(part: str, error: ValidationError) -> list[str]:
    return [
        f"{part}: {'.'.join(str(step) for step in item['loc']) or 'it'}: {item['msg']}"
        for item in error.errors(include_url=False)
    ]


def _note(note: str, key: PublicKey) -> tuple[Checkpoint | None, list[str]]:
    try:
        return open_note(note, key), []
    except ValueError as error:
        return None, [f"checkpoint: {error}"]


def _history(file: EvidenceFile, predicate: Predicate) -> list[str]:
    if file.history is None or predicate.history is None:
        if file.history is None and predicate.history is None:
            return []
        return ["history: it was dropped" if file.history is None else "history: it was added"]
    try:
        data = exact_base64(file.history)
    except ValueError as error:
        return [f"history: {error}"]
    if (len(data), hashlib.sha256(data).hexdigest()) != (predicate.history.size, predicate.history.sha256):
        return ["history: it was changed: its digest is not the one in the statement"]
    return []


def _included(leaves: Sequence[Leaf], checkpoint: Checkpoint | None) -> list[str]:
    """Return the entries that are not in the tree of the checkpoint."""
    if checkpoint is None:
        return []
    problems = []
    for leaf in leaves:
        try:
            proof = [exact_base64(node) for node in leaf.proof]
        except ValueError as error:
            problems.append(f"{leaf}: its proof: {error}")
            continue
        root = root_from_inclusion(bytes.fromhex(leaf.leaf), leaf.seq - 1, checkpoint.size, proof)
        if root != checkpoint.root:
            problems.append(f"{leaf}: its proof does not lead to the checkpoint")
    return problems


def _complete(predicate: Predicate, checkpoint: Checkpoint | None, key: PublicKey) -> list[str]:
    """Hold the list of leaves against the checkpoint, and against each that was published."""
    problems = []
    for place, leaf in enumerate(predicate.leaves, start=1):
        if leaf.seq != place:
            problems.append(f"statement: {leaf} stands at place {place}: the sequence has a gap")
            break
    notes = [("checkpoint", checkpoint)] if checkpoint else []
    for text in predicate.published:
        note, wrong = _note(text, key)
        problems += wrong
        if note is not None:
            notes.append((f"checkpoint of {note.size} entries", note))
    roots = _roots(predicate.leaves, {note.size for _, note in notes})
    problems += [
        f"{name}: the entries are not the ones that it covers"
        for name, note in notes
        if roots.get(note.size) != note.root
    ]
    if checkpoint is not None and checkpoint.size != len(predicate.leaves):
        problems.append(f"checkpoint: it covers {checkpoint.size} entries, not {len(predicate.leaves)}")
    return problems


def _roots(leaves: Sequence[Leaf], sizes: set[int]) -> dict[int, bytes]:
    frontier = Frontier(0, b"")
    roots = {0: frontier.root()}
    for leaf in leaves:
        frontier.append(bytes.fromhex(leaf.leaf))
        if frontier.size in sizes:
            roots[frontier.size] = frontier.root()
    return roots


def _intents(file: ExportFile) -> list[str]:
    try:
        told = intents_of_entries(file.entries)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ["intents: the entries do not tell them as the ledger writes them"]
    return compare_intents(told, file.intents)
