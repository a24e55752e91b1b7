"""The list of settings in the help of `holdpoint worker` and `holdpoint api`, made from their model."""

from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from holdpoint.models.durations import format_duration
from holdpoint.models.settings import Settings

HEAD = "Settings (in the file as named here; in the environment as HOLDPOINT_<NAME>, lists as YAML)"
DURATIONS = ("drain",)


def rows() -> list[tuple[str, str]]:
    """Return each setting: its name and type, and what it means with its default."""
    return [
        (f"{name}: {_type(name, field)}", f"{field.description} [{_default(name, field)}]")
        for name, field in Settings.model_fields.items()
    ]


def _type(name: str, field: FieldInfo) -> str:
    if name in DURATIONS:
        return "duration"
    return _named(field.annotation)


def _named(annotation: Any) -> str:
    if annotation in (str, Path, bool):
        return {str: "text", Path: "path", bool: "true|false"}[annotation]
    inner = [one for one in get_args(annotation) if one is not type(None)]
    origin = get_origin(annotation)
    if origin is list:
        return "list"
    if origin is dict:
        return "mapping"
    return "|".join(inner) if inner and isinstance(inner[0], str) else _named(inner[0])


def _default(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "default: .holdpoint" if name == "data" else "required"
    if field.default is None:
        return "default: none"
    value = field.default
    if name in DURATIONS:
        value = format_duration(value)
    elif isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, list):
        value = f"[{', '.join(value)}]"
    return f"default: {value}"
