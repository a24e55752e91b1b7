"""Images come from the commit of the change: a signed SLSA provenance says so, verified offline.

The file is what `cosign download attestation IMAGE` prints: DSSE envelopes (secure-systems-lab/dsse,
protocol.md), one on each line, with an in-toto Statement v0.1 or v1 whose predicate is SLSA provenance v0.2
(`materials`) or v1 (`buildDefinition.resolvedDependencies`).
"""

from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from activities.checks.image_files import Image, judged, lines_of, no_files, object_of
from activities.checks.kind import CheckKind, Found, Means, Scene
from activities.checks.public_keys import decoded, key_of, no_key, verifies
from holdpoint.models.checks import ProvenanceCheck

SUFFIX = ".att"
PAYLOAD = "application/vnd.in-toto+json"
STATEMENTS = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
V1, V02 = "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"
COMMITS = ("gitCommit", "sha1")
"""Names of a commit in a digest set: in-toto's own, and the one that SLSA v0.2 had."""


class Provenance(CheckKind[ProvenanceCheck]):
    """One provenance of the key for each image; other attestations beside it do no harm."""

    kind, config, asks = "provenance", ProvenanceCheck, "git"

    def refusal(self, config: ProvenanceCheck, means: Means) -> str | None:
        """Return that the key or the files are nowhere, if so."""
        return no_key(config.key, means) or no_files(config.folder, means)

    async def look(self, config: ProvenanceCheck, scene: Scene) -> Found:
        """Verify the provenance of each image."""
        key, commit = key_of(config.key, scene.means), scene.stored.commit

        def judge(image: Image, data: bytes) -> Found:
            try:
                statements = list(_signed(key, data))
            except ValueError as error:
                return Found(False, f"Its attestation file {error}.")
            if not statements:
                return Found(False, f"No provenance there is signed with {config.key}.")
            faults = [_fault(statement, image, commit, config.builder) for statement in statements]
            if None in faults:
                said = f"Built from commit {commit[:12]}, signed with {config.key}."
                return Found(True, said, {"key": config.key, "commit": commit})
            return Found(False, f"{faults[0]}")

        return await judged(scene, config.images, config.folder, SUFFIX, judge)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that a DSSE signature is over: PAE of protocol.md, version 1."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _signed(key: EllipticCurvePublicKey, data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the SLSA provenances that the key has signed. Raises ValueError for a file of another form."""
    for envelope in lines_of(data):
        signatures = envelope.get("signatures")
        if envelope.get("payloadType") != PAYLOAD or not isinstance(signatures, list):
            continue
        payload = decoded(envelope.get("payload"))
        signed = pre_authentication_encoding(PAYLOAD, payload)
        given = [decoded(one.get("sig")) for one in signatures if isinstance(one, dict)]
        if not any(verifies(key, signature, signed) for signature in given):
            continue
        statement = object_of(payload)
        if statement.get("_type") in STATEMENTS and statement.get("predicateType") in (V1, V02):
            yield statement


def _fault(statement: dict[str, Any], image: Image, commit: str, builder: str | None) -> str | None:
    """Return what a provenance does not say, or None."""
    if not any(digest.get("sha256") == image.hex for digest in _digests(statement.get("subject"))):
        return "Its provenance is of another image."
    predicate = _mapping(statement.get("predicate"))
    if statement["predicateType"] == V1:
        made_of = _mapping(predicate.get("buildDefinition")).get("resolvedDependencies")
        made_by = _mapping(_mapping(predicate.get("runDetails")).get("builder")).get("id")
    else:
        made_of = predicate.get("materials")
        made_by = _mapping(predicate.get("builder")).get("id")
    if not any(digest.get(name) == commit for digest in _digests(made_of) for name in COMMITS):
        return f"Its provenance does not name commit {commit[:12]}, which source.revision is."
    if builder is not None and made_by != builder:
        return f"Its provenance is of the builder {str(made_by)[:100]!r}, not of {builder!r}."
    return None


def _digests(listed: object) -> list[dict[str, Any]]:
    """Return the digest sets of subjects, materials or dependencies."""
    entries = listed if isinstance(listed, list) else []
    return [_mapping(_mapping(entry).get("digest")) for entry in entries]


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
