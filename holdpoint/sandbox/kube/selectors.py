"""Label selectors: the text form of `labelSelector` and the object form of `spec.selector`."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from holdpoint.sandbox.kube.status import bad_request

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]

_KEY = r"(?:[A-Za-z0-9.\-]+/)?[A-Za-z0-9](?:[A-Za-z0-9_.\-]*[A-Za-z0-9])?"
_SET = re.compile(rf"^({_KEY})\s+(in|notin)\s*\(([^()]*)\)$")
_EQUAL = re.compile(rf"^({_KEY})\s*(==|=|!=)\s*([A-Za-z0-9_.\-]*)$")
_EXISTS = re.compile(rf"^(!?)\s*({_KEY})$")


def parse(text: str) -> Test:
    """Return the test of a `labelSelector`; raises 400 for what cannot be read."""
    tests = [_requirement(part.strip()) for part in _split(text)] if text.strip() else []
    return lambda labels: all(test(labels) for test in tests)


def matches(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Tell whether labels match a `metav1.LabelSelector`; None matches nothing, an empty one everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return subset(wanted, labels) and all(
        _expression(e, labels) for e in selector.get("matchExpressions") or []
    )


def subset(wanted: Labels, labels: Labels) -> bool:
    """Tell whether all wanted labels are there."""
    return all(labels.get(key) == value for key, value in wanted.items())


def _expression(expression: Mapping[str, Any], labels: Labels) -> bool:
    key, values = expression.get("key", ""), expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def _split(text: str) -> list[str]:
    return re.split(r",(?![^()]*\))", text)


def _requirement(part: str) -> Test:
    if found := _SET.match(part):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        wanted = operator == "in"
        return lambda labels: (labels.get(key) in values) == wanted
    if found := _EQUAL.match(part):
        key, operator, value = found.groups()
        wanted = operator != "!="
        return lambda labels: (labels.get(key) == value) == wanted
    if found := _EXISTS.match(part):
        negated, key = found.groups()
        return lambda labels: (key in labels) != bool(negated)
    raise bad_request(f"unable to parse requirement: found '{part}', expected a label selector requirement")


def parse_fields(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return the test of a `fieldSelector` on name and namespace; raises 400 for other fields."""
    wanted: list[tuple[str, str, bool]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = re.match(r"^metadata\.(name|namespace)\s*(==|=|!=)\s*(.*)$", part)
        if not found:
            raise bad_request(f'field label not supported: "{re.split("[!=]", part)[0]}"')
        wanted.append((found[1], found[3], found[2] != "!="))
    return lambda metadata: all((metadata.get(name, "") == value) == equal for name, value, equal in wanted)
