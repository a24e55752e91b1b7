"""Make OPA's bundle from `<data>/policies`, and the command line that serves it.

The bundle's revision is a digest of the files in it, so that a recorded decision names exactly the rules that
were in force. OPA asks for a token; the bundle carries its digest, and the rule that checks it is ours.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from holdpoint.ledger.files import write_new
from holdpoint.models.errors import PolicyBundle

ENTRY_POINT = "data.holdpoint.decision"
"""What holdpoint/clients/policy.py asks for, which is slow to import; a test holds the two together."""

_LIMIT = 60
"""Seconds for one run of the compiler, which takes a tenth of one."""


def packaged_policies() -> Path:
    """Return the policies that Holdpoint comes with: package data in a wheel, `policies` in a checkout."""
    packaged = Path(__file__).parents[1] / "policies"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "policies"


def ensure_token(file: Path) -> None:
    """Make the token that OPA asks for, unless it is there."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_new(file, secrets.token_urlsafe(32).encode())


class Bundle:
    """The bundle of one installation, `folder/bundle.tar.gz`, with OPA's token beside it in `token`."""

    def __init__(self, *, opa: Path, policies: Path, folder: Path) -> None:
        self._opa = opa
        self._policies = policies
        self._folder = folder
        self._built: str | None = None

    @property
    def file(self) -> Path:
        """Return the path of the bundle."""
        return self._folder / "bundle.tar.gz"

    @property
    def token_file(self) -> Path:
        """Return the path of OPA's token."""
        return self._folder / "token"

    def refresh(self) -> bool:
        """Build the bundle if the files changed since the last time; tell whether it was built.

        Raises PolicyBundle with the compiler's words. The bundle that was there stays in force then.
        """
        ensure_token(self.token_file)
        token = self.token_file.read_text("utf-8").strip()
        revision = self.revision()
        state = hashlib.sha256(f"{revision}\0{token}".encode()).hexdigest()
        if state == self._built and self.file.exists():
            return False
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="build-") as folder:
            source, target = Path(folder) / "source", Path(folder) / "bundle.tar.gz"
            self._stage(source, token)
            self._opa_says("build", "--bundle", str(source), "--revision", revision, "--output", str(target))
            self._check_entry_point(target)
            os.replace(target, self.file)
        self._built = state
        return True

    def revision(self) -> str:
        """Return the digest of every file that decides, by path and content."""
        digest = hashlib.sha256()
        for path in self._files():
            name = path.relative_to(self._policies).as_posix().encode()
            content = path.read_bytes()
            for part in (name, content):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()[:24]

    def command(self, port: int) -> list[str]:
        """Return the command line of the server: local, with a token, rules from the bundle alone."""
        return [
            str(self._opa),
            "run",
            "--server",
            f"--addr=127.0.0.1:{port}",
            "--authentication=token",
            "--authorization=basic",
            "--skip-version-check",
            "--log-level=error",
            "--watch",
            "--bundle",
            str(self.file),
        ]

    def _files(self) -> list[Path]:
        """Return what decides: rules and their data, without tests, and without `system`, which is ours."""
        found = (
            path
            for path in self._policies.rglob("*")
            if path.is_file()
            and path.suffix in (".rego", ".json", ".yaml")
            and not path.name.endswith("_test.rego")
            and path.relative_to(self._policies).parts[0] not in ("system", "access")
        )
        return sorted(found)

    def _stage(self, source: Path, token: str) -> None:
        for path in self._files():
            copy = source / path.relative_to(self._policies)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        (source / "system" / "authz").mkdir(parents=True)
        shutil.copyfile(
            packaged_policies() / "system" / "authz" / "authz.rego", source / "system/authz/authz.rego"
        )
        (source / "access").mkdir()
        digest = hashlib.sha256(token.encode()).hexdigest()
        (source / "access" / "data.json").write_text(json.dumps({"token_sha256": digest}))

    def _check_entry_point(self, bundle: Path) -> None:
        """Raise PolicyBundle when the rules leave the decision undefined, whatever they are asked."""
        answer = self._opa_says("eval", "--bundle", str(bundle), "--format", "json", ENTRY_POINT)
        if not json.loads(answer).get("result"):
            raise PolicyBundle(f"The policies have no {ENTRY_POINT}. Restore {self._policies}/holdpoint.")

    def _opa_says(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode != 0:
            said = re.sub(r"(bundle )?/[^:;]*?/build-[^/]+/source(: |/)", "", done.stderr or done.stdout)
            words = " ".join(said.split())[:800]
            raise PolicyBundle(f"The policies in {self._policies} do not compile: {words}")
        return done.stdout

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(  # noqa: S603 - an OPA that opa.py found, with fixed arguments
                [str(self._opa), *arguments], capture_output=True, text=True, timeout=_LIMIT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PolicyBundle(f"OPA could not be run to compile the policies: {error}.") from error
