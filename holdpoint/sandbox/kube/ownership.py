"""Which manager owns which field (`metadata.managedFields`), for applies and for plain updates."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from holdpoint.sandbox.kube import fields
from holdpoint.sandbox.kube.fields import Fields


@dataclass(frozen=True)
class Manager:
    """One entry of managedFields."""

    name: str
    operation: str
    api_version: str
    fields: Fields
    subresource: str = ""
    time: str = ""

    def same(self, other: "Manager") -> bool:
        """Tell whether two entries belong to one manager."""
        return (self.name, self.operation, self.api_version, self.subresource) == (
            other.name,
            other.operation,
            other.api_version,
            other.subresource,
        )

    def shown(self) -> str:
        """Return the manager as conflict messages print it."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        if self.operation == "Update":
            text += f" using {self.api_version}"
        return text


def managers_of(body: dict[str, Any] | None) -> list[Manager]:
    """Return the managers of an object."""
    entries = body["metadata"].get("managedFields", []) if body else []
    return [
        Manager(
            name=entry.get("manager", ""),
            operation=entry.get("operation", "Update"),
            api_version=entry.get("apiVersion", ""),
            fields=fields.decode(entry.get("fieldsV1") or {}),
            subresource=entry.get("subresource", ""),
            time=entry.get("time", ""),
        )
        for entry in entries
    ]


def with_managers(body: dict[str, Any], managers: Iterable[Manager]) -> dict[str, Any]:
    """Return the object with these managers, those that own nothing left out."""
    ordered = sorted(managers, key=lambda m: (m.operation, m.time, m.name, m.subresource))
    entries = [_entry(manager) for manager in ordered if manager.fields]
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": {**metadata, **({"managedFields": entries} if entries else {})}}


def after_update(before: dict[str, Any] | None, after: dict[str, Any], writer: Manager) -> list[Manager]:
    """Return the managers after a plain write by `writer`, who takes what it changed."""
    touched, gone = fields.changed(before, after)
    lost = touched | gone
    out = []
    owned = touched
    for manager in managers_of(before):
        if manager.same(writer):
            owned |= manager.fields - gone
            writer = replace(writer, time=writer.time if lost else manager.time)
        else:
            out.append(replace(manager, fields=manager.fields - lost))
    return [*out, replace(writer, fields=owned)]


def _entry(manager: Manager) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": manager.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.encode(manager.fields),
    }
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry
