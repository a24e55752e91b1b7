"""The plan's diff in words: whole for `diff` and a dry run, in short for `show` and for who decides."""

from collections.abc import Iterator
from typing import Any

from holdpoint.models.phases import Phase
from holdpoint.models.plan_diff import MARKS, FieldDiff, field_text

MOST_ROWS = 300
"""Rows after which objects are only counted: a person reads some screens of it, and --all shows the rest."""
MOST_FIELDS = 25
MOST_LINES = 40
LONGEST = 160
"""Characters of one value on its row."""

STYLES = {"+": "32", "-": "31", "~": "33", "!": "1;31", ">": "36"}
"""Codes of colours (ECMA-48, SGR) by what a row begins with."""

COLUMNS = (0, 4, 8)
"""Where the mark of an object, of a field and of a line of a text stands."""

FIELD_MARKS = {"added": "+", "removed": "-", "changed": "~"}


def diff_text(diff: dict[str, Any], *, whole: bool = False) -> str:
    """Return the diff; without `whole` in some screens, and with what is left out counted."""
    if not diff.get("known", True):
        return f"What it alters on the cluster is unknown: {diff.get('message')}"
    rows: list[str] = []
    objects = diff.get("objects") or []
    for number, one in enumerate(objects):
        if not whole and len(rows) >= MOST_ROWS:
            rows.append(f"and {counted(len(objects) - number, 'more object')}; --all shows them")
            break
        rows += _object_rows(one, whole=whole)
    where = ", ".join(f"{name}/{diff.get('namespace')}" for name in str(diff.get("cluster")).split(", "))
    count = {change: sum(one["change"] == change for one in objects) for change in MARKS}
    facts = {
        "created": count["create"],
        "changed": count["change"],
        "deleted": count["delete"],
        "refused": count["refused"],
        "sent": count["send"],
        "unchanged": diff.get("unchanged", 0),
    }
    return "\n".join([f"On {where}: {facts_text(facts)}", *rows])


def facts_text(facts: dict[str, Any]) -> str:
    """Return the counts, those that are not 0."""
    names = ("created", "changed", "deleted", "refused", "sent", "unchanged")
    said = [_fact(name, facts[name]) for name in names if facts.get(name)]
    altering = any(facts.get(name) for name in names[:-1])
    return ", ".join(said) if altering else f"nothing is altered ({', '.join(said) or 'no objects'})"


def _fact(name: str, number: int) -> str:
    return counted(number, "request") if name == "sent" else f"{number} {name}"


def summary_lines(view: dict[str, Any]) -> list[str]:
    """Return what a ticket's plan alters, in short."""
    summary = view.get("plan_diff")
    if not summary:
        waits = view["phase"] == Phase.EVALUATING
        return ["  alters     unknown: it has not been evaluated"] if waits else []
    if not summary.get("known", True):
        return [f"  alters     unknown: {summary.get('message')}"]
    lines = [f"  alters     {facts_text(summary.get('facts') or {})}"]
    objects = summary.get("objects") or []
    lines += [f"               {row}" for one in objects for row in _line_rows(one)]
    if summary.get("more"):
        lines.append(f"               and {counted(summary['more'], 'more object')}")
    return [*lines, f"               whole: holdpoint diff {view['id']}"] if objects else lines


def style_of(row: str) -> str:
    """Return the colour's code for a row by its mark; empty for none."""
    indent = len(row) - len(row.lstrip())
    return STYLES.get(row[indent : indent + 1], "") if indent in COLUMNS else ""


def counted(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _line_rows(one: dict[str, Any]) -> Iterator[str]:
    yield f"{MARKS.get(one['change'], '?')} {one['object']}{_said(one, 'refused: ')}"
    first = one.get("first") or []
    yield from (
        f"    {FIELD_MARKS.get(field['change'], '?')} {field['field']}: {field['text']}" for field in first
    )
    left = one.get("fields", 0) - len(first)
    if first and left > 0:
        yield f"    and {counted(left, 'more field')}"


def _said(one: dict[str, Any], refused: str) -> str:
    message = one.get("message")
    if not message:
        return ""
    return f": {refused if one['change'] == 'refused' else ''}{message}"


def _object_rows(one: dict[str, Any], *, whole: bool) -> Iterator[str]:
    fields = one.get("fields") or []
    said = _said(one, "the API server would refuse it: ")
    where = f" on {one['cluster']}" if one.get("cluster") else ""
    yield f"{MARKS.get(one['change'], '?')} {one['kind']} {one['name']}{where}{said}"
    most = len(fields) if whole else MOST_FIELDS
    for field in fields[:most]:
        yield from _field_rows(field, whole=whole)
    if len(fields) > most:
        yield f"    and {counted(len(fields) - most, 'more field')}"


def _field_rows(field: dict[str, Any], *, whole: bool) -> Iterator[str]:
    head = f"    {FIELD_MARKS.get(field['change'], '?')} {field['field']}:"
    lines = field.get("lines") or []
    if lines:
        most = len(lines) if whole else MOST_LINES
        yield head
        yield from (f"        {line}" for line in lines[:most])
        if len(lines) > most:
            yield f"        and {counted(len(lines) - most, 'more line')}"
        return
    yield f"{head} {field_text(FieldDiff.model_validate(field), longest=None if whole else LONGEST)}"
