"""Only a signed provenance of this image that names this commit passes."""

import json
from pathlib import Path
from typing import Any

import pytest

from activities.checks.provenance import pre_authentication_encoding
from tests.activities.checks.scene import COMMIT, HEX, a_scene, looked
from tests.activities.checks.signing import (
    BUILDER,
    OTHER,
    a_statement,
    an_attestation,
    an_envelope,
    write_key,
)

FILE = f"attestations/sha256-{HEX}.att"


async def verified(tmp_path: Path, data: bytes, **more: Any) -> tuple[bool | None, str]:
    scene = a_scene(files={FILE: data}, keys=write_key(tmp_path))
    asked = {"key": "release", "folder": "attestations", **more}
    found = await looked(scene, provenance=asked)
    return found.passed, found.message


def test_pre_authentication_encoding_is_that_of_the_specification() -> None:
    # The example of protocol.md of secure-systems-lab/dsse.
    said = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")

    assert said == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@pytest.mark.parametrize("version", ["v1", "v0.2"])
async def test_provenance_that_names_the_commit_passes(tmp_path: Path, version: str) -> None:
    data = an_envelope({"_type": "x"}) + an_attestation(version=version)

    passed, message = await verified(tmp_path, data, builder=BUILDER)

    assert passed
    assert COMMIT[:12] in message


def unsigned() -> bytes:
    envelope = json.loads(an_attestation())
    return json.dumps({**envelope, "signatures": []}).encode()


def swapped() -> bytes:
    """Return an envelope with the signature of another payload."""
    envelope = json.loads(an_attestation(commit="f" * 40))
    return json.dumps({**envelope, "payload": json.loads(an_attestation())["payload"]}).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(an_attestation(OTHER), "No provenance there is signed", id="of another key"),
        pytest.param(unsigned(), "No provenance there is signed", id="unsigned"),
        pytest.param(swapped(), "No provenance there is signed", id="another payload"),
        pytest.param(an_attestation(commit="f" * 40), "does not name commit", id="another commit"),
        pytest.param(an_attestation(hex="f" * 64), "of another image", id="another image"),
        pytest.param(an_envelope(a_statement(), kind="text/plain"), "No provenance", id="another type"),
        pytest.param(an_envelope([]), "is not a JSON object", id="no statement"),
        pytest.param(
            an_envelope({**a_statement(), "subject": 1, "predicate": []}), "of another image", id="odd fields"
        ),
        pytest.param(b"{", "is not JSON", id="no JSON"),
    ],
)
async def test_anything_else_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    passed, message = await verified(tmp_path, data)

    assert passed is False
    assert said in message


async def test_another_builder_is_refused_where_one_is_named(tmp_path: Path) -> None:
    passed, message = await verified(tmp_path, an_attestation(), builder="https://laptop.example")

    assert passed is False
    assert "https://laptop.example" in message
