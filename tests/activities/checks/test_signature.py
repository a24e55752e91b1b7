"""Only a signature of the named key over this very digest passes."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.activities.checks.scene import HEX, IMAGE, a_scene, looked
from tests.activities.checks.signing import KEY, OTHER, a_signature, text, write_key

FILE = f"signatures/sha256-{HEX}.sig"


async def verified(tmp_path: Path, data: bytes | None, **more: Any) -> tuple[bool | None, str]:
    files = {} if data is None else {FILE: data}
    scene = a_scene(files=files, keys=write_key(tmp_path), **more)
    found = await looked(scene, signature={"key": "release", "folder": "signatures"})
    return found.passed, found.message


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(a_signature(), id="of the key"),
        pytest.param(a_signature(OTHER) + b"\n" + a_signature(), id="beside that of another"),
        pytest.param(a_signature(field="Docker-manifest-digest"), id="written as in the specification"),
    ],
)
async def test_signature_of_the_key_over_the_digest_passes(tmp_path: Path, data: bytes) -> None:
    passed, message = await verified(tmp_path, data)

    assert passed
    assert message == f"registry.example:5000/shop@sha256:{HEX[:12]}: Signed with release."


def tampered() -> bytes:
    """Return a line whose payload is another than the one that was signed."""
    line = json.loads(a_signature(digest="sha256:" + "c" * 64))
    other = json.loads(a_signature())
    return json.dumps({**line, "Payload": other["Payload"]}).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(None, "There is no file", id="no file"),
        pytest.param(b"", "No signature there is of the key", id="empty file"),
        pytest.param(a_signature(OTHER), "No signature there is of the key", id="of another key"),
        pytest.param(a_signature(digest="sha256:" + "c" * 64), "another digest", id="of another image"),
        pytest.param(a_signature(kind="something else"), "another digest", id="of another kind"),
        pytest.param(tampered(), "No signature there is of the key", id="tampered payload"),
        pytest.param(b"not json", "is not JSON", id="no JSON"),
        pytest.param(b"[" * 100_000, "is not JSON", id="deep nesting"),
        pytest.param(b'{"Base64Signature": "%%", "Payload": ""}', "not base64", id="no base64"),
        pytest.param(b'{"Base64Signature": 1, "Payload": 2}', "not text", id="numbers"),
        pytest.param(a_signature() * 51, "allowed are 50", id="too many lines"),
        pytest.param(
            json.dumps({"Base64Signature": text(b"x"), "Payload": text(b"x")}).encode(),
            "No signature there is of the key",
            id="no DER",
        ),
    ],
)
async def test_anything_else_is_refused(tmp_path: Path, data: bytes | None, said: str) -> None:
    passed, message = await verified(tmp_path, data)

    assert passed is False
    assert said in message


async def test_image_that_is_not_pinned_cannot_be_verified(tmp_path: Path) -> None:
    passed, message = await verified(tmp_path, a_signature(), images=(IMAGE, "registry.example/other:1.0"))

    assert passed is False
    assert "registry.example/other:1.0" in message


async def test_images_that_are_named_are_enough_and_one_that_is_not_there_fails(tmp_path: Path) -> None:
    scene = a_scene(
        files={FILE: a_signature()}, keys=write_key(tmp_path), images=(IMAGE, "registry.example/side:1.0")
    )
    asked = {"key": "release", "folder": "signatures"}

    found = await looked(scene, signature={**asked, "images": ["registry.example:5000/shop"]})
    missing = await looked(scene, signature={**asked, "images": ["registry.example/gone"]})

    assert found.passed
    assert (missing.passed, missing.message) == (False, "The change has no image registry.example/gone.")


async def test_file_of_the_settings_folder_counts_where_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / f"sha256-{HEX}.sig").write_bytes(a_signature())
    scene = a_scene(keys=write_key(tmp_path), kept=tmp_path)

    assert (await looked(scene, signature={"key": "release"})).passed


@pytest.mark.parametrize(
    ("key", "said"),
    [
        pytest.param(ed25519.Ed25519PrivateKey.generate(), "not an ECDSA key on P-256", id="Ed25519"),
        pytest.param(ec.generate_private_key(ec.SECP384R1()), "not an ECDSA key on P-256", id="P-384"),
        pytest.param(None, "no key release.pub", id="no key"),
    ],
)
async def test_check_without_a_key_that_fits_cannot_run(tmp_path: Path, key: Any, said: str) -> None:
    if key is not None:
        write_key(tmp_path, key)
    scene = a_scene(files={FILE: a_signature(KEY)}, keys=tmp_path)

    found = await looked(scene, signature={"key": "release", "folder": "signatures"})

    assert found.passed is False
    assert said in found.message
