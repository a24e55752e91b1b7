"""The change file's JSON Schema and its reference page, both made from the models."""

import json
from typing import Any

from holdpoint.models.change import STEP_KINDS, Change
from holdpoint.models.checks import CHECK_KINDS
from holdpoint.models.durations import format_duration
from holdpoint.service.change_bounds import DEEPEST, LARGEST_FILE, MOST_ALIASES, MOST_NODES
from holdpoint.service.change_errors import LINE_WORDS, NAME_WORDS, describe

SCHEMA_ID = "urn:holdpoint:schema:change:v1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

EXAMPLE = """\
apiVersion: holdpoint.dev/v1
kind: Change
metadata:
  title: podinfo 6.14.1
  service: podinfo
  environment: staging          # staging | production | any name the settings know
  type: standard                # standard | normal | emergency
spec:
  source:
    repository: ./podinfo       # path (relative to the file) or URL
    revision: 6.14.1            # tag, branch or commit; resolved once, the commit is recorded
    paths: [kustomize/deployment.yaml, kustomize/service.yaml]
  target: {cluster: sandbox, namespace: default}
  plan:
    steps:
      - canary: {deployment: podinfo, weights: [10, 50], bake: 5s}
  analysis:
    errorRatio: {max: 0.01}
    latency: {quantile: 0.99, max: 300ms}
"""

_HEAD = f"""\
# The change file

<!-- Made by docs/generate_change_reference.py from holdpoint/models/change.py. Do not edit. -->

A change file is YAML: one `Change` of `holdpoint.dev/v1`. `holdpoint validate FILE` names every mistake at
once, with its line; `holdpoint schema change` prints the JSON Schema for an editor.

```yaml
{EXAMPLE}```

An unknown field, a field twice, a tag, a merge key (`<<`) and a second document are mistakes. A file may have
{LARGEST_FILE // 1024} KiB, {DEEPEST} levels, {MOST_NODES:,} values and {MOST_ALIASES} aliases. YAML reads
`6.10` as a number, `on` as true and `2026-01-01` as a date: put such text in quotes.

- A **name** is {NAME_WORDS.removeprefix("a name of ")}.
- A **line** is {LINE_WORDS}.
- A **duration** is a number with its unit (`ms`, `s`, `m`, `h`, `d`), also joined: `300ms`, `5s`, `1h30m`.
  It is at least `1ms` and at most `366d`.
"""


def change_schema() -> dict[str, Any]:
    """Return the JSON Schema of a change file, for editors and for programs that write such files."""
    schema: dict[str, Any] = Change.model_json_schema()
    for one in schema["$defs"].values():
        for field in one.get("properties", {}).values():
            _defaults_as_written(field)
    schema["$defs"]["Step"]["oneOf"] = [{"required": [kind]} for kind in STEP_KINDS]
    schema["$defs"]["CheckSpec"]["oneOf"] = [{"required": [kind]} for kind in CHECK_KINDS]
    schema["$defs"]["QueryCheck"]["anyOf"] = [{"required": ["max"]}, {"required": ["min"]}]
    schema["$defs"]["Analysis"]["anyOf"] = [{"required": ["errorRatio"]}, {"required": ["latency"]}]
    return {"$schema": DIALECT, "$id": SCHEMA_ID, **schema}


def _defaults_as_written(field: dict[str, Any]) -> None:
    """Give the default as a person writes it: seconds as a duration, and none where there is none."""
    if "examples" in field and isinstance(field.get("default"), int | float):
        field["default"] = format_duration(field["default"])
    if field.get("default", ...) is None:
        del field["default"]


def change_reference() -> str:
    """Return docs/change-file.md."""
    schema = change_schema()
    sections = [_HEAD]
    for path, title, name in _walk(schema):
        node = schema if name is None else schema["$defs"][name]
        sections.append(_section(path, title, node, schema))
    return "\n".join(sections)


def _walk(schema: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """Return (path, title, definition) of every mapping of the format, in the order of a file."""
    found: list[tuple[str, str, str | None]] = []
    seen = set[str | None]()

    def visit(path: str, name: str | None) -> None:
        if name is not None and name in seen:
            return  # prechecks and postchecks are of one form, which stands there once
        seen.add(name)
        found.append((path, path or "The file", name))
        node = schema if name is None else schema["$defs"][name]
        for field, value in node["properties"].items():
            below = f"{path}.{field}" if path else field
            if (reference := _reference(value)) is not None:
                visit(below, reference)
            elif (reference := _reference(value.get("items", {}))) is not None:
                visit(f"{below}[]", reference)

    visit("", None)
    return found


def _reference(node: dict[str, Any]) -> str | None:
    for one in (node, *node.get("anyOf", [])):
        if "$ref" in one:
            return str(one["$ref"]).rpartition("/")[2]
    return None


def _section(path: str, title: str, node: dict[str, Any], schema: dict[str, Any]) -> str:
    required = set(node.get("required", []))
    lines = [
        f"## `{title}`" if path else f"## {title}",
        "",
        node.get("description", ""),
        "",
        "| Field | Required | Allowed | Meaning |",
        "|---|---|---|---|",
    ]
    for name, field in node["properties"].items():
        need = "yes" if name in required else _default(field)
        lines.append(f"| `{name}` | {need} | {_allowed(field)} | {_meaning(field, schema)} |")
    return "\n".join([*lines, ""])


def _meaning(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return the field's description; Pydantic leaves it out where it is that of the mapping itself."""
    below = schema["$defs"].get(_reference(field), {})
    return str(field.get("description") or below.get("description", ""))


def _default(field: dict[str, Any]) -> str:
    return (
        f"no; `{json.dumps(field['default']).strip(chr(34))}`" if field.get("default") is not None else "no"
    )


def _allowed(field: dict[str, Any]) -> str:
    """Return what a field may hold, in the words of this page."""
    node = next((one for one in field.get("anyOf", []) if one != {"type": "null"}), field)
    if _reference(node) is not None:
        return "a mapping, below"
    if not {"type", "enum", "const"} & set(node):
        return "a value or a text"
    if node.get("type") == "array":
        return f"a list of {_span(node)}{_items(node['items'])}"
    if node.get("type") == "object":
        values = "lines" if "patternProperties" in node else "single values"
        return f"a mapping of {_span(node, 'Properties')}names to {values}"
    if "exclusiveMinimum" in node or "minimum" in node:
        return _number(node)
    words = describe(node)
    if words == NAME_WORDS:
        return "a name"
    if "pattern" in node and "examples" not in node:
        return "a line"
    if "examples" in node:
        return "a duration"
    return words if words in ("text", "a number") else " or ".join(f"`{one}`" for one in words.split(" or "))


def _span(node: dict[str, Any], what: str = "Items") -> str:
    low, high = node.get(f"min{what}", 0), node.get(f"max{what}")
    return "" if high is None else f"{low} to {high} "


def _items(node: dict[str, Any]) -> str:
    if "$ref" in node:
        return "mappings, below"
    if node.get("type") == "integer":
        return f"whole numbers, {node['minimum']} to {node['maximum']}"
    if describe(node) == NAME_WORDS:
        return "names"
    if "maxLength" not in node:
        return "texts"
    return "lines" if "pattern" in node else "paths inside the repository"


def _number(node: dict[str, Any]) -> str:
    low = f"above {node['exclusiveMinimum']}" if "exclusiveMinimum" in node else f"from {node['minimum']}"
    high = f"below {node['exclusiveMaximum']}" if "exclusiveMaximum" in node else f"up to {node['maximum']}"
    return f"a number {low}, {high}"
