"""The ledger's key.

Ed25519, its ID the fingerprint of the public key, so that nobody has to be told which is which.
"""

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.dsse import Envelope
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it re-exports without saying so
    CryptoSigner,
    SSlibKey,
)

from holdpoint.ledger.files import write_new
from holdpoint.models.errors import SettingsError

PRIVATE, PUBLIC = "ledger.key", "ledger.pub"


class PublicKey:
    """What a verifier needs.

    The key, its fingerprint, and the name under which the ledger signs checkpoints.
    """

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.fingerprint = hashlib.sha256(
            key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).hexdigest()
        self.origin = f"holdpoint.dev/ledger/{self.fingerprint[:16]}"

    @classmethod
    def load(cls, pem: bytes) -> "PublicKey":
        """Return the key of a PEM file. Raises ValueError when it is not an Ed25519 public key."""
        key = load_pem_public_key(pem)
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("the public key is not an Ed25519 key")
        return cls(key)

    @property
    def raw(self) -> bytes:
        """Return the 32 bytes of the key."""
        return self._key.public_bytes_raw()

    @property
    def pem(self) -> bytes:
        """Return the key as `ledger.pub` holds it."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Tell whether this key made the signature over the data."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


class Signer:
    """Signs checkpoints and statements. The private key never leaves it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    @classmethod
    def load_or_create(cls, folder: Path) -> "Signer":
        """Return the signer of `ledger.key` (0600) in the folder, made with `ledger.pub` if there is none.

        Raises SettingsError when the file is not an Ed25519 key.
        """
        path = folder / PRIVATE
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise SettingsError(f"{path} cannot be read as a private key: {error}.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingsError(f"{path} is not an Ed25519 private key.")
        signer = cls(key)
        public = folder / PUBLIC
        if not public.exists():
            write_new(public, signer.public.pem, 0o644)
        return signer

    def sign(self, data: bytes) -> bytes:
        """Return the 64 bytes of the signature over the data."""
        return self._key.sign(data)

    def envelope(self, payload: bytes, payload_type: str) -> dict[str, object]:
        """Return the payload in a DSSE envelope, signed; as JSON has it."""
        envelope = Envelope(payload, payload_type, {})
        public = SSlibKey.from_crypto(self._key.public_key(), keyid=self.public.fingerprint)
        envelope.sign(CryptoSigner(self._key, public))
        signed: dict[str, object] = envelope.to_dict()
        return signed


def _create(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_new(path, pem)  # the first of several processes wins, and all read its key
