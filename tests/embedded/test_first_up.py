import stat
from pathlib import Path

import pytest
import yaml

from holdpoint.clients.catalog import Catalog
from holdpoint.embedded import first_up
from holdpoint.embedded.folder import DataFolder, open_folder
from holdpoint.embedded.stack_servers import PORTS
from holdpoint.models.errors import SettingsError
from holdpoint.service.settings import load_settings

CHOSEN = {name: 20000 + number for number, name in enumerate(PORTS)}


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


def test_keys_are_readable_by_their_owner_alone(folder: DataFolder) -> None:
    first_up.make_contents(folder)

    private = [key for key in folder.keys.iterdir() if key.suffix == ".key"]
    assert sorted(key.stem for key in private) == ["blob", "issuer", "ledger"]
    assert {stat.S_IMODE(key.stat().st_mode) for key in private} == {0o600}


def test_a_second_up_changes_nothing_that_is_there(folder: DataFolder) -> None:
    first_up.make_contents(folder)
    folder.catalog.write_text("services: {}\n")
    rule = next(folder.policies.rglob("decision.rego"))
    rule.write_text("package ours\n")
    key = (folder.keys / "ledger.key").read_bytes()

    first_up.make_contents(folder)

    assert folder.catalog.read_text() == "services: {}\n"
    assert rule.read_text() == "package ours\n"
    assert (folder.keys / "ledger.key").read_bytes() == key


def test_the_example_catalog_can_be_read(folder: DataFolder) -> None:
    first_up.make_contents(folder)

    facts = Catalog(folder.catalog).facts("podinfo")

    assert facts.known
    assert [(window.start, window.end, window.zone) for window in facts.windows] == [
        ("09:00", "17:00", "UTC")
    ]


def test_a_copy_of_the_policies_that_was_interrupted_is_made_anew(folder: DataFolder) -> None:
    half = folder.root / ".policies.half"
    half.mkdir()
    (half / "torn.rego").write_text("package")

    first_up.make_contents(folder)

    assert not (folder.policies / "torn.rego").exists()
    assert list(folder.policies.rglob("decision.rego"))


def test_settings_can_be_loaded_and_name_the_ports(folder: DataFolder) -> None:
    first_up.write_settings(folder, CHOSEN)

    settings = load_settings(folder.root, {"HOLDPOINT_EMBEDDED": "true"})

    assert settings.local_repositories
    assert settings.opa_url == f"http://127.0.0.1:{CHOSEN['opa']}"
    assert settings.clusters["sandbox"].prometheus == f"http://127.0.0.1:{CHOSEN['sandbox']}/prometheus"


def test_what_an_operator_added_to_the_settings_stays(folder: DataFolder) -> None:
    first_up.write_settings(folder, CHOSEN)
    settings = yaml.safe_load(folder.settings.read_text())
    settings["environments"].append("qa")
    folder.settings.write_text(yaml.safe_dump(settings))

    first_up.write_settings(folder, {**CHOSEN, "opa": 30000})

    loaded = load_settings(folder.root, {})
    assert loaded.environments == ["staging", "production", "qa"]
    assert loaded.opa_url.endswith(":30000")


@pytest.mark.parametrize("text", ["[1]", "a: [", "clusters: 3"])
def test_settings_that_cannot_be_read_are_named(folder: DataFolder, text: str) -> None:
    folder.settings.write_text(text)

    with pytest.raises(SettingsError, match=r"settings\.yaml"):
        first_up.write_settings(folder, CHOSEN)
