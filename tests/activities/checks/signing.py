"""A key pair of tests, and files as cosign prints them."""

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from activities.checks.provenance import PAYLOAD, pre_authentication_encoding
from tests.activities.checks.scene import COMMIT, HEX

KEY, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
BUILDER = "https://ci.example/builder"


def write_key(folder: Path, key: Any = KEY, name: str = "release") -> Path:
    """Write the public key as `check_keys` has it; return the folder."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pub").write_bytes(pem)
    return folder


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def a_signature(
    key: ec.EllipticCurvePrivateKey = KEY,
    *,
    digest: str = f"sha256:{HEX}",
    kind: str = "cosign container image signature",
    field: str = "docker-manifest-digest",
) -> bytes:
    """Return a line of `cosign download signature`."""
    image = {"identity": {"docker-reference": "elsewhere/shop"}, "image": {field: digest}, "type": kind}
    payload = json.dumps({"critical": image, "optional": None}).encode()
    signature = key.sign(payload, ec.ECDSA(SHA256()))
    line = {"Base64Signature": text(signature), "Payload": text(payload), "Cert": None, "Bundle": None}
    return json.dumps(line).encode() + b"\n"


def an_attestation(key: ec.EllipticCurvePrivateKey = KEY, **changes: Any) -> bytes:
    """Return a line of `cosign download attestation`: SLSA provenance v1 unless told otherwise."""
    return an_envelope(a_statement(**changes), key)


def an_envelope(statement: Any, key: ec.EllipticCurvePrivateKey = KEY, kind: str = PAYLOAD) -> bytes:
    payload = json.dumps(statement).encode()
    signature = key.sign(pre_authentication_encoding(kind, payload), ec.ECDSA(SHA256()))
    envelope = {"payloadType": kind, "payload": text(payload), "signatures": [{"sig": text(signature)}]}
    return json.dumps(envelope).encode() + b"\n"


def a_statement(*, version: str = "v1", hex: str = HEX, commit: str = COMMIT) -> dict[str, Any]:
    materials = [{"uri": "git+https://git.example/shop", "digest": {"sha1": commit}}]
    dependencies = [{"uri": "git+https://git.example/shop", "digest": {"gitCommit": commit}}]
    predicates = {
        "v0.2": {"builder": {"id": BUILDER}, "materials": materials},
        "v1": {
            "buildDefinition": {"resolvedDependencies": dependencies},
            "runDetails": {"builder": {"id": BUILDER}},
        },
    }
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "shop", "digest": {"sha256": hex}}],
        "predicateType": f"https://slsa.dev/provenance/{version}",
        "predicate": predicates[version],
    }
