"""What the first `up` makes in a data folder: settings, catalog, policies, keys and ledger."""

import secrets
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.policy_bundle import packaged_policies
from holdpoint.embedded.temporal_server import NAMESPACE
from holdpoint.ledger.files import replace, write_new
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import SettingsError
from holdpoint.service.tokens import create_issuer_keys

CLUSTER = "sandbox"
ENVIRONMENTS = ["staging", "production"]
HEADING = """\
# The settings of this installation, for `holdpoint worker` and `holdpoint api` too. Each field can also be
# given as HOLDPOINT_<FIELD>. `holdpoint up` writes its own addresses here and leaves the other fields as
# they are.
"""


def make_contents(folder: DataFolder) -> None:
    """Make what is missing: nothing that is there already is changed."""
    write_new(folder.catalog, resources.files("holdpoint.embedded").joinpath("catalog.yaml").read_bytes())
    if not folder.policies.exists():
        _copy_policies(folder.policies)
    create_issuer_keys(folder.keys)
    Signer.load_or_create(folder.keys)
    write_new(folder.keys / "blob.key", secrets.token_bytes(32))
    ledger = Ledger(folder.ledger_url)
    try:
        ledger.migrate()
    finally:
        ledger.close()


def write_settings(folder: DataFolder, ports: dict[str, int]) -> None:
    """Write our addresses into the settings; the fields that are not ours stay. Raises SettingsError."""
    settings = _settings(folder.settings)
    settings.setdefault("environments", ENVIRONMENTS)
    clusters = settings.setdefault("clusters", {})
    if not isinstance(clusters, dict):
        raise SettingsError(f"{folder.settings}: `clusters` must be a mapping of names to clusters.")
    sandbox = f"http://127.0.0.1:{ports['sandbox']}"
    tokens = folder.root / "sandbox" / "tokens"
    before = clusters.get(CLUSTER)
    kept = {"labels": before["labels"]} if isinstance(before, dict) and "labels" in before else {}
    clusters[CLUSTER] = {
        **kept,
        "server": sandbox,
        "prometheus": f"{sandbox}/prometheus",
        "scrape_interval": 1,
        "forward_token_file": str(tokens / "forward.token"),
        "undo_token_file": str(tokens / "undo.token"),
    }
    settings |= {
        "data": str(folder.root),
        "ledger_url": folder.ledger_url,
        "temporal_address": f"127.0.0.1:{ports['temporal']}",
        "temporal_namespace": NAMESPACE,
        "opa_url": f"http://127.0.0.1:{ports['opa']}",
        "opa_token_file": str(folder.root / "opa" / "token"),
        "local_repositories": True,
    }
    replace(folder.settings, (HEADING + yaml.safe_dump(settings, sort_keys=False)).encode())


def _settings(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text()) or {}
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise SettingsError(f"{file} must be a mapping of settings.")
    return found


def _copy_policies(target: Path) -> None:
    """Copy the policies that Holdpoint comes with, all or none; from then on they are the operator's."""
    half = target.with_name(f".{target.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(
        packaged_policies(), half, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns(".*")
    )
    half.rename(target)
