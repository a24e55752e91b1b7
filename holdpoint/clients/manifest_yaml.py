"""Read a file of manifests as plain JSON values, whatever a stranger put into it.

Nesting and aliases are counted on the parser's events, before anything is built. What an approver reads must
be what is applied: a key that stands twice is refused, as Kubernetes' own strict decoding does.
"""

import json
import re
from typing import Any

import yaml

MAX_BYTES = 2 * 1024 * 1024
"""The API server takes 1.5 MiB in one object; a file beyond this is not a manifest."""

MAX_VALUES, MAX_DEPTH = 200_000, 60
"""Bounds of one document with its aliases followed: a billion laughs ends here."""

MAX_ALIASES, MAX_MERGED = 1000, 20
"""Aliases in one file; merges (`<<`) copy what they name while parsing, so a file with them has fewer."""

MAX_INTEGER = 2**53 - 1
"""Beyond it programs that read JSON see different numbers (RFC 8785, section 3.2.2.3)."""

_TEXT, _INTEGER, _MERGE = (f"tag:yaml.org,2002:{name}" for name in ("str", "int", "merge"))
_PLAIN_NUMBER = re.compile(r"0|-?[1-9][0-9]*")

# The C parser is some twenty times faster; the pure one gives the same events where libyaml is missing.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_PARSER):  # type: ignore[misc]  # which of the two is known only when it runs
    """Reads plain JSON values: what looks like a date stays text, as the API server would have it."""

    yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping. Raises ConstructorError for a key that stands twice or is not plainly text."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == _INTEGER and _PLAIN_NUMBER.fullmatch(key.value):
                key.tag = _TEXT  # as the API server's own reader has it
            if key.tag not in (_TEXT, _MERGE):
                raise _wrong(key, "a key that is no text; write it in quotes")
            if key.value in seen:
                raise _wrong(key, f"the key {key.value[:80]!r} stands twice")
            seen.add(key.value)
        built: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return built


def _wrong(key: yaml.Node, problem: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)


def read_documents(data: bytes, *, most: int = MAX_BYTES) -> list[Any]:
    """Return the documents of one file that are not empty. Raises ValueError with one line about it."""
    if len(data) > most:
        raise ValueError(f"it has {len(data)} bytes, at most {most} are allowed")
    try:
        _check_events(data)
        documents = [item for item in yaml.load_all(data, Loader=_Loader) if item is not None]
        for item in documents:
            _check_values(item, 0, 0)
        return [_as_json(item) for item in documents]
    except yaml.YAMLError as error:
        raise ValueError(_said(error)) from error
    except (UnicodeError, TypeError, RecursionError) as error:
        raise ValueError(f"{error}"[:200]) from error


def _check_events(data: bytes) -> None:
    """Raise ValueError when building the values could take long: deep nesting, or many aliases."""
    limit = MAX_MERGED if b"<<" in data else MAX_ALIASES
    depth = aliases = 0
    for event in yaml.parse(data, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
        if aliases > limit:
            raise ValueError(f"more than {limit} YAML aliases")


def _check_values(node: Any, count: int, depth: int) -> int:
    """Return how many values there are with aliases followed. Raises ValueError for what is too much."""
    if count > MAX_VALUES or depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_VALUES} values, or nested deeper than {MAX_DEPTH}")
    if isinstance(node, int) and abs(node) > MAX_INTEGER:
        raise ValueError(f"a number is larger than {MAX_INTEGER}; write it as text")
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        count = _check_values(child, count + 1, depth + 1)
    return count


def _as_json(item: Any) -> Any:
    """Return the value as JSON has it. Raises ValueError for NaN or half a surrogate pair."""
    text = json.dumps(item, allow_nan=False, ensure_ascii=False)
    text.encode()
    return json.loads(text)


def _said(error: yaml.YAMLError) -> str:
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = " ".join(problem.split())[:200]
    return said if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {said}"
