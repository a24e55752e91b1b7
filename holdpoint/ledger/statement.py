"""The signed statements.

In-toto (in-toto.io/Statement/v1) in a DSSE envelope (secure-systems-lab/dsse, v1).
"""

import base64
import binascii
from typing import Any, Literal

from holdpoint.ledger.canonical import canonical, parse
from holdpoint.ledger.signing import PublicKey, Signer
from holdpoint.models.base import StrictModel

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
EVIDENCE = "https://holdpoint.dev/evidence/v1"
EXPORT = "https://holdpoint.dev/export/v1"


class SignatureLine(StrictModel):
    """One signature of an envelope."""

    keyid: str
    sig: str


class EnvelopeModel(StrictModel):
    """A DSSE envelope as it stands in a file."""

    payload: str
    payloadType: Literal["application/vnd.in-toto+json"]
    signatures: list[SignatureLine]


def seal(
    *, predicate_type: str, subject: list[dict[str, Any]], predicate: dict[str, Any], signer: Signer
) -> dict[str, Any]:
    """Return the statement, canonical and signed, as an envelope."""
    statement = {
        "_type": STATEMENT,
        "subject": subject,
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return signer.envelope(canonical(statement), PAYLOAD_TYPE)


def unseal(envelope: EnvelopeModel, key: PublicKey) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the statement and what is wrong with it.

    It is returned, where it can be read, even when it is not ours: so a file with a bad signature can still
    be gone through entry by entry.
    """
    problems = []
    try:
        payload = exact_base64(envelope.payload)
        statement = parse(payload)
        if not isinstance(statement, dict) or canonical(statement) != payload:
            raise ValueError("its payload is not canonical JSON")
    except ValueError as error:
        return None, [f"statement: {error}"]
    if len(envelope.signatures) != 1:
        return statement, ["statement: it must have exactly one signature"]
    line = envelope.signatures[0]
    if line.keyid != key.fingerprint:
        problems.append(f"statement: it is signed by the key {line.keyid[:64]}, not by {key.fingerprint}")
    try:
        signature = exact_base64(line.sig)
    except ValueError as error:
        return statement, [*problems, f"statement: its signature: {error}"]
    if not key.verifies(signature, _authenticated(payload)):
        problems.append("statement: its signature does not verify: it was changed, or another key signed it")
    return statement, problems


def exact_base64(text: str) -> bytes:
    """Return the bytes of standard base64. Raises ValueError when they would be written in another way."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError("its base64 is not the canonical one")
    return data


def _authenticated(payload: bytes) -> bytes:
    # DSSE's pre-authentication encoding, written out so that verifying needs a hash and a key and no more.
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
