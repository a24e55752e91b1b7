"""Read the settings of one installation: `<data>/settings.yaml`, then HOLDPOINT_<FIELD> over it.

Only composition roots call this; everything below them gets values. What is allowed under `holdpoint up` only
(the embedded issuer, repositories by local path) hangs on HOLDPOINT_EMBEDDED, which `up` sets for its
processes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from holdpoint.ledger.engines import ledger_url
from holdpoint.models.errors import SettingsError
from holdpoint.models.settings import Settings

PREFIX = "HOLDPOINT_"
DEFAULT_DATA = ".holdpoint"
OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""OpenTelemetry's own name for our `otlp_endpoint`, which wins over it."""


def load_settings(
    data: Path | None, env: Mapping[str, str], *, file: Path | None = None, **options: Any
) -> Settings:
    """Return the settings: options over HOLDPOINT_<FIELD> over `file`, or over <data>/settings.yaml.

    Raises SettingsError, naming each wrong field.
    """
    named = data or (Path(env[f"{PREFIX}DATA"]) if env.get(f"{PREFIX}DATA") else None)
    values = {} if file is None else _from_file(file, needed=True)
    folder = (named or Path(str(values.get("data") or DEFAULT_DATA))).absolute()
    if file is None:
        values = _from_file(folder / "settings.yaml")
    # Only who starts this process can say that it is part of `up`, not the folder that `up` has left behind.
    values.pop("embedded", None)
    values.update(_from_environment(env))
    values.update({name: value for name, value in options.items() if value is not None})
    values["data"] = folder
    try:
        settings = Settings.model_validate(values)
        ledger_url(settings.ledger_url)  # a wrong one is told now, not at its first use
        return settings if settings.embedded else settings.model_copy(update={"local_repositories": False})
    except ValidationError as error:
        found = "; ".join(_said(item) for item in error.errors(include_url=False))
        raise SettingsError(
            f"The settings of {file or folder} cannot be used: {found}. "
            f"Set each in {file or 'settings.yaml'}, or as HOLDPOINT_<FIELD> in the environment."
        ) from error


def _said(item: ErrorDetails) -> str:
    """Return a mistake with its field, where it is of one."""
    message = item["msg"].removeprefix("Value error, ")
    return f"{'.'.join(map(str, item['loc']))}: {message}" if item["loc"] else message


def _from_file(path: Path, *, needed: bool = False) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if needed:
            raise SettingsError(
                f"{path} does not exist. --settings names a YAML file of settings."
            ) from error
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(
            f"{path} must be a mapping of settings, such as `opa_url: http://127.0.0.1:8181`."
        )
    return values


def _from_environment(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields that the environment names; lists and mappings are written as YAML or JSON."""
    found: dict[str, Any] = {}
    if env.get(OTLP):
        found["otlp_endpoint"] = env[OTLP]
    for field, info in Settings.model_fields.items():
        text = env.get(f"{PREFIX}{field.upper()}")
        if text is None or field == "data":
            continue
        kinds = (info.annotation, *get_args(info.annotation))
        structured = info.annotation is bool or any(get_origin(kind) in (list, dict) for kind in kinds)
        try:
            found[field] = yaml.safe_load(text) if structured else text
        except yaml.YAMLError as error:
            raise SettingsError(f"{PREFIX}{field.upper()} is not YAML: {error}") from error
    return found
