"""Images are signed with a key of ours, verified offline.

The format is cosign's (specs/SIGNATURE_SPEC.md of sigstore/cosign): a detached ECDSA signature over a payload
in Red Hat's "simple signing" form, which names the image's digest. The file is what `cosign download
signature IMAGE` prints: an object on each line, with `Payload` and `Base64Signature`. As the specification
says, `docker-reference` is ignored: a digest is the same image wherever it lies.
"""

from typing import Any

from activities.checks.image_files import Image, judged, lines_of, no_files, object_of
from activities.checks.kind import CheckKind, Found, Means, Scene
from activities.checks.public_keys import decoded, key_of, no_key, verifies
from holdpoint.models.checks import SignatureCheck

SUFFIX = ".sig"
TYPE = "cosign container image signature"
DIGEST = "docker-manifest-digest"


class Signature(CheckKind[SignatureCheck]):
    """One signature of the key for each image; others beside it do no harm."""

    kind, config, asks = "signature", SignatureCheck, "git"

    def refusal(self, config: SignatureCheck, means: Means) -> str | None:
        """Return that the key or the files are nowhere, if so."""
        return no_key(config.key, means) or no_files(config.folder, means)

    async def look(self, config: SignatureCheck, scene: Scene) -> Found:
        """Verify the signature of each image."""
        key = key_of(config.key, scene.means)

        def judge(image: Image, data: bytes) -> Found:
            try:
                payloads = [
                    payload
                    for line in lines_of(data)
                    if verifies(
                        key, decoded(line.get("Base64Signature")), payload := decoded(line.get("Payload"))
                    )
                ]
                named = [_digest(object_of(payload)) for payload in payloads]
            except ValueError as error:
                return Found(False, f"Its signature file {error}.")
            if image.digest in named:
                return Found(True, f"Signed with {config.key}.", {"key": config.key})
            if named:
                return Found(False, f"What {config.key} has signed there is another digest.")
            return Found(False, f"No signature there is of the key {config.key}.")

        return await judged(scene, config.images, config.folder, SUFFIX, judge)


def _digest(payload: dict[str, Any]) -> str | None:
    """Return the digest that a signed payload names; None if it is no image's signature."""
    critical = payload.get("critical")
    if not isinstance(critical, dict) or critical.get("type") != TYPE:
        return None
    image = critical.get("image")
    if not isinstance(image, dict):
        return None
    # The specification's example writes a capital letter, and cosign itself a small one.
    found = [value for name, value in image.items() if name.lower() == DIGEST]
    return found[0] if len(found) == 1 and isinstance(found[0], str) else None
