"""Read the settings: `<data>/settings.yaml`, and the environment over it. Only composition roots do."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from holdpoint.models.errors import SettingsError
from holdpoint.models.settings import Settings

FILE = "settings.yaml"
PREFIX = "HOLDPOINT_"


def load_settings(data: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the installation whose data folder is `data`.

    A variable `HOLDPOINT_<FIELD>` wins over the file; lists and mappings are given as YAML or JSON.
    Raises SettingsError, which names the file and every field that is wrong.
    """
    data = data.resolve()
    file = data / FILE
    values = _read(file) | _from_environment(os.environ if environment is None else environment)
    values["data"] = str(data)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"The settings cannot be used ({file} and {PREFIX}*): {wrong}.") from error


def _read(file: Path) -> dict[str, Any]:
    """Return the file's fields; none if there is no file, since all of them may come from the environment."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error.strerror}.") from error
    return _mapping(text, str(file))


def _mapping(text: str, source: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{source} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{source} must hold fields and values, not a {type(values).__name__}.")
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that the environment gives, by field."""
    found: dict[str, Any] = {}
    for field, described in Settings.model_fields.items():
        variable = PREFIX + field.upper()
        text = environment.get(variable)
        if text is None or field == "data":
            continue
        plain = described.annotation in (str, Path, bool)
        found |= {field: text} if plain else _mapping(f"{field}: {text}", variable)
    return found
