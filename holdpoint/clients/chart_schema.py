"""Hold that the schemas of a chart's values lie within themselves.

Helm resolves what a `values.schema.json` refers to, also at `https://` and `file://` addresses. A chart whose
schemas would have it do so is refused before it runs.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = "values.schema.json"
DRAFTS = re.compile(r"https?://json-schema\.org/(draft-0[4-7]|draft/2019-09|draft/2020-12)/schema#?")
"""Addresses of the drafts themselves, which Helm has within it."""

LARGEST = 2 * 1024 * 1024
"""Bytes of one schema, and of a packed chart that is looked into."""

MOST_MEMBERS, DEEPEST = 5000, 5
"""Files in a packed chart, and charts packed in each other."""


def check(chart: Path) -> None:
    """Return if no schema of the chart, or of one packed in it, refers to anything outside of itself.

    Raises ValueError with one line about the one that does, or that cannot be read.
    """
    for file in sorted(chart.rglob("*")):
        where = str(file.relative_to(chart))
        if file.name == NAME:
            _check_schema(where, file.read_bytes())
        elif file.suffix in (".tgz", ".gz") and "charts" in file.relative_to(chart).parts:
            _check_packed(where, file.read_bytes(), 0)


def _check_packed(where: str, data: bytes, depth: int) -> None:
    if depth > DEEPEST or len(data) > LARGEST:
        raise ValueError(f"{where} is packed too deep, or larger than {LARGEST} bytes: unpack it")
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as packed:
            for number, member in enumerate(packed):
                if number > MOST_MEMBERS or member.size > 10 * LARGEST:
                    raise ValueError(f"{where} holds too much: unpack it")
                _check_member(f"{where}/{member.name}", packed, member, depth)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{where} is no packed chart: {error}") from error


def _check_member(where: str, packed: tarfile.TarFile, member: tarfile.TarInfo, depth: int) -> None:
    name = Path(member.name.replace("\\", "/"))  # Helm takes either for a separator
    content = packed.extractfile(member) if member.isfile() else None
    if content is not None and name.name == NAME:
        _check_schema(where, content.read(LARGEST + 1))
    elif content is not None and name.suffix in (".tgz", ".gz") and "charts" in name.parts:
        _check_packed(where, content.read(LARGEST + 1), depth + 1)


def _check_schema(where: str, data: bytes) -> None:
    if len(data) > LARGEST:
        raise ValueError(f"{where} is larger than {LARGEST} bytes")
    try:
        schema = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is not JSON: {str(error)[:100]}") from error
    for reference in _references(schema):
        raise ValueError(
            f"{where} refers to {reference[:80]!r}: nothing is fetched while rendering, so a schema may "
            "refer to itself only"
        )


def _references(schema: Any) -> Iterator[str]:
    """Yield what a schema refers to outside of itself."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            for key in ("$ref", "$dynamicRef", "$recursiveRef"):
                if isinstance(node.get(key), str) and not node[key].startswith("#"):
                    yield node[key]
            draft = node.get("$schema")
            if isinstance(draft, str) and not DRAFTS.fullmatch(draft):
                yield draft
