"""The codec by itself: what it writes tells nothing, what it cannot open says which key is missing."""

import base64
import os
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, FailureError

from holdpoint.clients.payloads import EncryptingCodec, PayloadKeys, data_converter
from holdpoint.models.errors import SettingsError

PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"title":"shop 2"}')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "k1.key").write_bytes(os.urandom(32))
    (tmp_path / "k2.key").write_bytes(base64.b64encode(os.urandom(32)) + b"\n")
    return tmp_path


def codec(folder: Path, writes: str | None = "k1") -> EncryptingCodec:
    return EncryptingCodec(PayloadKeys(folder), writes)


async def test_what_is_encrypted_tells_its_key_and_nothing_else(folder: Path) -> None:
    [sealed] = await codec(folder).encode([PLAIN])

    assert sealed.metadata["encoding"] == b"binary/encrypted"
    assert sealed.metadata["encryption-key-id"] == b"k1"
    assert b"shop" not in sealed.SerializeToString()
    assert await codec(folder).decode([sealed]) == [PLAIN]


async def test_the_same_payload_is_never_written_the_same_way_twice(folder: Path) -> None:
    one, two = await codec(folder).encode([PLAIN, PLAIN])

    assert one.data != two.data


@pytest.mark.parametrize("writes", ["k2", None], ids=["under the next key", "with encryption off"])
async def test_what_an_older_key_wrote_is_still_read(folder: Path, writes: str | None) -> None:
    sealed = await codec(folder, "k1").encode([PLAIN])

    assert await codec(folder, writes).decode(sealed) == [PLAIN]


async def test_what_was_written_before_encryption_is_read_as_it_is(folder: Path) -> None:
    assert await codec(folder).decode([PLAIN]) == [PLAIN]


async def test_a_missing_key_is_named_with_its_file_and_may_come_later(folder: Path) -> None:
    sealed = await codec(folder, "k2").encode([PLAIN])
    key = (folder / "k2.key").read_bytes()
    (folder / "k2.key").unlink()
    reader = codec(folder, "k1")

    with pytest.raises(ApplicationError, match=r"payload key k2 cannot be read from .*k2\.key") as missing:
        await reader.decode(sealed)
    (folder / "k2.key").write_bytes(key)

    assert not missing.value.non_retryable
    assert await reader.decode(sealed) == [PLAIN]


async def test_another_key_under_the_same_name_is_an_error_and_no_garbage(folder: Path) -> None:
    sealed = await codec(folder).encode([PLAIN])
    (folder / "k1.key").write_bytes(os.urandom(32))

    with pytest.raises(ApplicationError, match="k1 does not open"):
        await codec(folder).decode(sealed)


async def test_a_payload_that_was_changed_is_an_error(folder: Path) -> None:
    [sealed] = await codec(folder).encode([PLAIN])
    changed = Payload(metadata=dict(sealed.metadata), data=sealed.data[:-1] + b"x")

    for one in (changed, Payload(metadata=dict(sealed.metadata), data=b"short")):
        with pytest.raises(ApplicationError, match="does not open"):
            await codec(folder).decode([one])


async def test_a_key_id_is_never_a_path(folder: Path) -> None:
    metadata = {"encoding": b"binary/encrypted", "encryption-key-id": b"../k1"}

    with pytest.raises(ApplicationError, match="cannot be one"):
        await codec(folder).decode([Payload(metadata=metadata, data=b"x" * 40)])


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"short", "must be 32 random bytes"), (None, "cannot be read")],
    ids=["too short", "not there"],
)
def test_a_writing_key_that_cannot_be_used_is_said_at_the_start(
    tmp_path: Path, data: bytes | None, words: str
) -> None:
    if data is not None:
        (tmp_path / "k1.key").write_bytes(data)

    with pytest.raises(SettingsError, match=words):
        data_converter(tmp_path, "k1")


def test_a_writing_key_without_a_folder_is_said_at_the_start() -> None:
    with pytest.raises(SettingsError, match="payload_keys names no folder"):
        data_converter(None, "k1")


async def _failure(converter: DataConverter) -> Failure:
    failure = Failure()
    await converter.encode_failure(ApplicationError("the password is 1234", type="secret"), failure)
    return failure


async def test_a_failures_words_are_encrypted_and_come_back(folder: Path) -> None:
    converter = data_converter(folder, "k1")

    failure = await _failure(converter)

    assert b"1234" not in failure.SerializeToString()
    error = await converter.decode_failure(failure)
    assert isinstance(error, FailureError)
    assert error.message == "the password is 1234"
