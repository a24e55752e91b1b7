"""Public keys that checks verify with: ECDSA on P-256 with SHA-256, what `cosign generate-key-pair` makes.

The file cannot say which algorithm to use: a key of another kind is refused, whatever a signature claims.
"""

import base64
import binascii

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from activities.checks.kind import Means
from holdpoint.models.errors import StepConfig


def key_of(name: str, means: Means) -> EllipticCurvePublicKey:
    """Return a key by its name. Raises StepConfig, saying what is missing."""
    if means.keys is None:
        raise StepConfig("the settings have no check_keys.")
    try:
        key = load_pem_public_key((means.keys / f"{name}.pub").read_bytes())
    except FileNotFoundError as error:
        raise StepConfig(f"there is no key {name}.pub in check_keys.") from error
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise StepConfig(f"{name}.pub in check_keys is no public key in PEM.") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise StepConfig(f"{name}.pub in check_keys is not an ECDSA key on P-256.")
    return key


def no_key(name: str, means: Means) -> str | None:
    """Return why a key cannot be had, or None."""
    try:
        key_of(name, means)
    except StepConfig as error:
        return error.message
    return None


def verifies(key: EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """Tell whether the key made the signature over the data."""
    try:
        key.verify(signature, data, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def decoded(text: object) -> bytes:
    """Return what a field holds in base64. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("has a field that is not text")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("has a field that is not base64") from error
