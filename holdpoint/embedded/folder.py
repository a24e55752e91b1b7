"""The data folder of the embedded stack: where everything lies, and that nobody else can read it."""

import json
import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdpoint.models.errors import SettingsError

FOLDERS = ("blobs", "archive", "keys", "sandbox", "temporal", "git", "logs", "run", "opa")


@dataclass(frozen=True)
class DataFolder:
    """The paths of one installation; `root` is absolute."""

    root: Path

    @property
    def settings(self) -> Path:
        """The settings that every process of ours reads."""
        return self.root / "settings.yaml"

    @property
    def catalog(self) -> Path:
        """What is known of each service; read again when it changes."""
        return self.root / "catalog.yaml"

    @property
    def policies(self) -> Path:
        """The Rego that decides; read again when it changes."""
        return self.root / "policies"

    @property
    def keys(self) -> Path:
        """The keys of ledger, issuer and blobs, each 0600."""
        return self.root / "keys"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What holds only while the stack is up."""
        return self.root / "run"

    @property
    def ports(self) -> Path:
        """The ports of the last run, so that addresses stay what they were."""
        return self.run / "ports.json"

    @property
    def ledger_url(self) -> str:
        """The ledger's SQLAlchemy URL."""
        return f"sqlite:///{self.root / 'ledger.db'}"


def folder_at(path: Path) -> DataFolder:
    """Return the data folder at a path, whether it is there or not."""
    return DataFolder(path.expanduser().absolute())


def open_folder(path: Path) -> DataFolder:
    """Return the data folder, made 0700 if it was not there. Raises SettingsError if others can read it."""
    folder = folder_at(path)
    root = folder.root
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_open(root, "the data folder", 0o700)
        for name in FOLDERS:
            (root / name).mkdir(mode=0o700, exist_ok=True)
        for secret in sorted((root / "keys").iterdir()):
            if secret.suffix != ".pub":
                _refuse_open(secret, "a key", 0o600)
    except OSError as error:
        raise SettingsError(f"The data folder {root} cannot be used: {error}.") from error
    return folder


def read_document(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file; None where there is none, or another thing."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _refuse_open(path: Path, what: str, wanted: int) -> None:
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise SettingsError(f"{path} ({what}) belongs to user {found.st_uid}, not to you ({os.geteuid()}).")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SettingsError(
            f"{path} ({what}) can be read by others: its mode is {stat.S_IMODE(found.st_mode):04o}. "
            f"Close it: chmod {wanted:04o} {shlex.quote(str(path))}"
        )
