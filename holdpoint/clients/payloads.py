"""Payloads that Temporal cannot read: AES-256-GCM under a key that is named beside it (design decision 14).

One key writes; every key in the folder reads. So a new key is put beside the old one everywhere, then named
as the writing one; the old file may go when the last history that it wrote is past its retention. Search
attributes and workflow IDs never pass a codec: they are opaque values.

The form is that of Temporal's own samples (`encoding: binary/encrypted`), so that their tools know it.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)
from temporalio.exceptions import ApplicationError

from holdpoint.models.errors import SettingsError, UpstreamUnavailable

ENCODING, CIPHER = b"binary/encrypted", b"AES-256-GCM"
SUFFIX = ".key"
KEY_BYTES, NONCE_BYTES = 32, 12
"""A nonce is random for each payload: at most 2^32 payloads a key (NIST SP 800-38D, 8.3)."""

UPSTREAM = "payload_key"
"""Names the hold of a ticket whose payload cannot be opened here."""

_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class PayloadKeys:
    """A folder with a file `<key ID>.key` for each key: 32 bytes in base64, or raw.

    A file that is added later is found when a payload first names it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, AESGCM] = {}

    def cipher(self, key: str) -> AESGCM:
        """Return the cipher of a key ID. Raises SettingsError, naming the file."""
        if key not in self._known:
            self._known[key] = AESGCM(self._read(key))
        return self._known[key]

    def _read(self, key: str) -> bytes:
        if not _KEY_ID.fullmatch(key):
            raise SettingsError(f"A payload names a key that cannot be one: {key[:64]!r}.")
        file = self._folder / f"{key}{SUFFIX}"
        try:
            data = file.read_bytes()
        except OSError as error:
            raise SettingsError(
                f"The payload key {key} cannot be read from {file}: {error.strerror}. "
                "Put the key's file there, on every worker and API of the installation."
            ) from error
        if len(data) == KEY_BYTES:
            return data
        try:
            decoded = base64.b64decode(data.strip(), validate=True)
        except (binascii.Error, ValueError):
            decoded = b""
        if len(decoded) != KEY_BYTES:
            raise SettingsError(
                f"The payload key {file} must be {KEY_BYTES} random bytes, such as "
                f"`openssl rand -base64 {KEY_BYTES}` prints."
            )
        return decoded


class EncryptingCodec(PayloadCodec):
    """Encrypts with the writing key, or nothing without one; decrypts with whatever key a payload names.

    What was written before encryption was on is read as it is.
    """

    def __init__(self, keys: PayloadKeys, writes: str | None) -> None:
        self._keys, self._writes = keys, writes
        if writes is not None:
            keys.cipher(writes)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads encrypted."""
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads as they were. Without the right key raises ApplicationError, to be retried."""
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        if self._writes is None:
            return payload
        nonce, key = secrets.token_bytes(NONCE_BYTES), self._writes.encode()
        sealed = self._keys.cipher(self._writes).encrypt(nonce, payload.SerializeToString(), key)
        metadata = {"encoding": ENCODING, "encryption-cipher": CIPHER, "encryption-key-id": key}
        return Payload(metadata=metadata, data=nonce + sealed)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key = payload.metadata.get("encryption-key-id", b"")
        name = key.decode("ascii", "replace")
        try:
            cipher = self._keys.cipher(name)
            data = cipher.decrypt(payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:], key)
        except SettingsError as error:
            raise _closed(error.message) from error
        except (InvalidTag, ValueError) as error:
            raise _closed(
                f"The payload key {name} does not open what is said to be written with it: "
                f"its file is another key, or the payload was changed."
            ) from error
        return Payload.FromString(data)


def _closed(message: str) -> ApplicationError:
    # Retryable: the key may come, and a ticket must wait for it, not end.
    return ApplicationError(message, {"upstream": UPSTREAM}, type=UpstreamUnavailable.code)


def data_converter(folder: Path | None = None, writes: str | None = None) -> DataConverter:
    """Return how everything of ours is written to Temporal and read from it. Raises SettingsError.

    With a writing key messages and stack traces of failures are encrypted as well.
    """
    if folder is None:
        if writes is not None:
            raise SettingsError("payload_key names the key that writes, but payload_keys names no folder.")
        return pydantic_data_converter
    codec = EncryptingCodec(PayloadKeys(folder), writes)
    if writes is None:
        return replace(pydantic_data_converter, payload_codec=codec)
    return replace(
        pydantic_data_converter,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
