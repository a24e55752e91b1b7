"""What the checks of all kinds share: formats of names and labels, and how values are printed in messages."""

import json
import re
from typing import Any

from holdpoint.sandbox.kube.status import Cause, invalid_value, required

Body = dict[str, Any]

NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"
PORT_RANGE = "must be between 1 and 65535, inclusive"

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_KEY_NAME = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{_SUBDOMAIN}')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    f"'{_LABEL}')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    f"for validation is '{_VALUE}')"
)
_KEY_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{_KEY_NAME}')"
)


def printed(value: Any) -> str:
    """Return a value as Kubernetes' messages print it."""
    return json.dumps(value, separators=(",", ":"))


def is_count(value: Any) -> bool:
    """Tell whether a value is a whole number that is not negative and fits 32 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def counts(spec: Body, *names: str) -> list[Cause]:
    """Return a cause for each of these fields that is there and negative."""
    given = ((name, spec.get(name)) for name in names)
    return [
        invalid_value(f"spec.{name}", printed(value), NEGATIVE)
        for name, value in given
        if value is not None and not is_count(value)
    ]


def name(field: str, value: str, *, label: bool) -> list[Cause]:
    """Return the cause for a name that is not allowed: a label (63 characters) or a subdomain (253)."""
    pattern, text, longest = (_LABEL, _LABEL_TEXT, 63) if label else (_SUBDOMAIN, _SUBDOMAIN_TEXT, 253)
    if not re.fullmatch(pattern, value):
        return [invalid_value(field, printed(value), text)]
    if len(value) > longest:
        return [invalid_value(field, printed(value), f"must be no more than {longest} characters")]
    return []


def labels(field: str, given: Any) -> list[Cause]:
    """Return the causes for labels that are not allowed."""
    causes = []
    for key, value in (given or {}).items():
        prefix, slash, last = key.rpartition("/")
        if (
            not re.fullmatch(_KEY_NAME, last)
            or len(last) > 63
            or (slash and not re.fullmatch(_SUBDOMAIN, prefix))
        ):
            causes.append(invalid_value(field, printed(key), _KEY_TEXT))
        if not isinstance(value, str) or not re.fullmatch(_VALUE, value):
            causes.append(invalid_value(field, printed(value), _VALUE_TEXT))
        elif len(value) > 63:
            causes.append(invalid_value(field, printed(value), "must be no more than 63 characters"))
    return causes


def metadata(given: Body, *, label: bool) -> list[Cause]:
    """Return the causes for an object's own name and labels."""
    text = given.get("name", "")
    named = name("metadata.name", text, label=label) if text else []
    missing = [] if text else [required("metadata.name", "name or generateName is required")]
    return [*missing, *named, *labels("metadata.labels", given.get("labels"))]
