"""Mask the secrets of an object so that one still sees whether they change, and never what they are.

What `holdpoint.models.redact` masks is replaced by `[redacted] #` and a short digest of the value. The
digest is keyed, so that nobody who reads it can try values until one fits.
"""

import json
from collections.abc import Callable
from typing import Any

from holdpoint.models.redact import MASK, redact

Fingerprint = Callable[[bytes], str]
"""Returns a short keyed digest."""

APPLIED_BEFORE = "kubectl.kubernetes.io/last-applied-configuration"
"""The whole object again as one text, a Secret's content included: kubectl's own, and no part of a diff."""


def masked(body: dict[str, Any], fingerprint: Fingerprint) -> dict[str, Any]:
    """Return the object with every secret masked."""
    plain = _without_copy(body)
    found: dict[str, Any] = _masked(plain, redact(plain), fingerprint)
    return found


def masked_text(text: str, fingerprint: Fingerprint) -> str:
    """Return a text with every secret masked that is known by its form."""
    safe = redact(text)
    return text if safe == text else _masked_text(text, safe, fingerprint)


def _without_copy(body: dict[str, Any]) -> dict[str, Any]:
    meta = body.get("metadata") or {}
    notes = meta.get("annotations") or {}
    if APPLIED_BEFORE not in notes:
        return body
    rest = {name: value for name, value in notes.items() if name != APPLIED_BEFORE}
    return {**body, "metadata": {**meta, "annotations": rest}}


def _masked(plain: Any, safe: Any, fingerprint: Fingerprint) -> Any:
    """Return the redacted value with a digest wherever it says less than the plain one."""
    if isinstance(plain, dict) and isinstance(safe, dict):
        return {name: _masked(value, safe[name], fingerprint) for name, value in plain.items()}
    if isinstance(plain, list) and isinstance(safe, list):
        return [_masked(one, other, fingerprint) for one, other in zip(plain, safe, strict=True)]
    if isinstance(plain, str) and isinstance(safe, str) and plain != safe and safe != MASK:
        return _masked_text(plain, safe, fingerprint)
    return safe if plain == safe else f"{MASK} #{fingerprint(_bytes(plain))}"


def _masked_text(plain: str, safe: str, fingerprint: Fingerprint) -> str:
    """Return a text of which parts are masked, each masked line with the digest of what it was."""
    lines, masks = plain.split("\n"), safe.split("\n")
    if len(lines) != len(masks):  # a private key over several lines became one word
        return f"{safe}\n#{fingerprint(_bytes(plain))}"
    return "\n".join(
        mask if line == mask else f"{mask} #{fingerprint(_bytes(line))}"
        for line, mask in zip(lines, masks, strict=True)
    )


def _bytes(value: Any) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text.encode("utf-8", "surrogatepass")
