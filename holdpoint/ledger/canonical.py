"""RFC 8785, the one form in which the record is hashed and signed.

What is canonical here parses back to the same bytes: that is what lets a verifier compare a whole file with
its own canonical form. Values that JSON cannot carry exactly are written as text on the way in, never
rounded.
"""

import hashlib
import json
import math
from typing import Any

import rfc8785
from pydantic_core import to_jsonable_python

_EXACT = 2**53 - 1
"""Beyond this an integer is not exact in JSON (RFC 8785 section 3.2.2.3, I-JSON)."""


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 form of a value that `exact` or `parse` returned. Raises ValueError."""
    if _plain(value):
        # Without floats and with ASCII names the standard library writes the same, five times as fast.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    return rfc8785.dumps(value)


def _plain(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-_EXACT <= value <= _EXACT)
    if kind is dict:
        for name, inner in value.items():
            if type(name) is not str or not name.isascii() or not _plain(inner):
                return False
        return True
    if kind is list:
        for inner in value:  # noqa: SIM110 - a generator would take a second frame for each level
            if not _plain(inner):
                return False
        return True
    return False


def digest_of(data: bytes) -> str:
    """Return `sha256:<hex>` of the bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def exact(value: Any) -> Any:
    """Return the value as JSON carries it exactly: models as objects; times, NaN, huge integers as text."""
    return _exact(to_jsonable_python(value, inf_nan_mode="constants"))


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {_text(str(name)): _exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        return str(value)
    if isinstance(value, float) and (not math.isfinite(value) or abs(value) > _EXACT):
        return str(value)
    return value


def _text(value: str) -> str:
    # A lone surrogate has no UTF-8 form; it can come from an escape in a YAML or JSON file.
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def parse(data: bytes) -> Any:
    """Return the value of JSON text. Raises ValueError, also for duplicate names and for NaN."""
    return json.loads(
        data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > _EXACT:
        raise ValueError(f"the integer {text[:20]} is not exact in JSON")
    return int(text)
