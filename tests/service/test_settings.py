"""Settings come from the file, the environment wins, and every mistake is named."""

from pathlib import Path

import pytest
import yaml

from holdpoint.models.errors import SettingsError
from holdpoint.service.settings import load_settings

GOOD = {
    "ledger_url": "sqlite:///ledger.db",
    "temporal_address": "127.0.0.1:7233",
    "opa_url": "http://127.0.0.1:8181",
    "opa_token_file": "opa/token",
    "clusters": {},
}


def write(folder: Path, **changes: object) -> Path:
    (folder / "settings.yaml").write_text(yaml.safe_dump({**GOOD, **changes}))
    return folder


def test_the_file_is_read(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path), {})

    assert settings.temporal_address == "127.0.0.1:7233"
    assert settings.data == tmp_path


def test_the_environment_wins(tmp_path: Path) -> None:
    env = {
        "HOLDPOINT_DATA": str(write(tmp_path)),
        "HOLDPOINT_OPA_URL": "http://opa:1",
        "HOLDPOINT_ENVIRONMENTS": "[blue, green]",
        "HOLDPOINT_LOCAL_REPOSITORIES": "true",
        "HOLDPOINT_EMBEDDED": "true",
        "HOLDPOINT_TOKEN": "not a setting",
    }

    settings = load_settings(None, env)

    assert settings.opa_url == "http://opa:1"
    assert settings.environments == ["blue", "green"]
    assert settings.local_repositories
    assert settings.data == tmp_path


def test_only_who_starts_the_process_makes_it_part_of_the_embedded_stack(tmp_path: Path) -> None:
    folder = write(tmp_path, embedded=True, local_repositories=True)

    outside, inside = load_settings(folder, {}), load_settings(folder, {"HOLDPOINT_EMBEDDED": "true"})

    assert (outside.embedded, outside.local_repositories) == (False, False)
    assert (inside.embedded, inside.local_repositories) == (True, True)


def test_the_environment_alone_is_enough(tmp_path: Path) -> None:
    env = {
        f"HOLDPOINT_{name.upper()}": yaml.safe_dump(value) if value == {} else str(value)
        for name, value in GOOD.items()
    }

    assert load_settings(tmp_path, env).ledger_url == GOOD["ledger_url"]


def test_every_mistake_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, environments="staging", temporal_adress="x"), {})

    assert "environments" in caught.value.message
    assert "temporal_adress" in caught.value.message


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "\x00"], ids=["a list", "broken", "binary"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.yaml").write_text(text)

    with pytest.raises(SettingsError):
        load_settings(tmp_path, {})
