"""After all those lives, credentials lie where they lay and nowhere else."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e


def test_no_credential_is_in_history_ledger_blobs_archive_or_logs(stack: Stack) -> None:
    done = stack.run("submit", stack.change("web"), "--wait", by="ci")
    ticket = stack.until(done.document["id"], lambda view: view["closed_at"] is not None)
    stack.run("audit", "export", "--all", "-o", str(stack.data / "archive" / "all.json"), by="auditor")
    lying = sorted((stack.data / "sandbox" / "tokens").iterdir())
    secrets = [file.read_bytes().strip() for file in lying] + [
        token.encode() for token in stack.tokens.values()
    ]

    found = [
        (str(file.relative_to(stack.data)), lying[number].name if number < len(lying) else "login")
        for file in written(stack.data)
        for number, secret in enumerate(secrets)
        if any(form in file.read_bytes() for form in forms(secret))
    ]

    assert ticket["phase"] == "Succeeded"
    assert found == []
    assert {"ledger.db", "temporal", "logs", "archive"} <= {
        file.relative_to(stack.data).parts[0] for file in written(stack.data)
    }


def written(data: Path) -> Iterator[Path]:
    """Yield what the stack wrote: record, Temporal's database, blobs, archive, mirrors, state and logs."""
    for name in ("ledger.db", "ledger.db-wal", "temporal", "blobs", "archive", "git", "logs", "sandbox"):
        top = data / name
        files = [top] if top.is_file() else sorted(top.rglob("*"))
        yield from (file for file in files if file.is_file() and file.parent.name != "tokens")


def forms(secret: bytes) -> set[bytes]:
    """Return a secret as it is and inside of base64, where its place in threes decides how it looks."""
    encoded = {base64.b64encode(b"\0" * pad + secret)[4 if pad else 0 : -4] for pad in range(3)}
    return {secret, *encoded}
