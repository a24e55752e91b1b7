"""Mask secrets in text and data before they are recorded, logged or sent. Masks too much, not too little."""

import re
from typing import Any, TypeVar

MASK = "[redacted]"

T = TypeVar("T")

_WORDS = (
    r"(?:password|passwd|passphrase|pwd|token|secret|authorization|api_?key|access_?key|private_?key|signing_?key"
    r"|credentials?|cookie|session_?id)s?"
)
_KEY = re.compile(rf"(?:^|_){_WORDS}$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_PRIVATE_KEY = r"-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)"
_PAIR = (
    rf"\b((?:[A-Za-z0-9]{{1,40}}[_-]){{0,5}}{_WORDS.replace('_?', '[_-]?')}"
    rf"[\"']?\s{{0,5}}[:=]\s{{0,5}}[\"']?)"
    rf"(?!\[redacted\]|Bearer\b|Basic\b)[^\s\"',;&]{{4,}}"
)
_TEXT: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (("private key",), re.compile(_PRIVATE_KEY, re.DOTALL), MASK),
    (("eyj",), re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), MASK),
    (
        ("bearer", "basic"),
        re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
        rf"\1 {MASK}",
    ),
    (("gh", "github_pat_"), re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"), MASK),
    (("glpat-",), re.compile(r"\bglpat-[\w-]{20,}"), MASK),
    (("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}\b"), MASK),
    (("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
    (("://",), re.compile(r"(?<=://)([^/\s:@]{0,200}):[^/\s@]{1,500}@"), rf"\1:{MASK}@"),
    (
        ("pass", "pwd", "token", "secret", "authorization", "key", "credential", "cookie", "session"),
        re.compile(_PAIR, re.IGNORECASE),
        rf"\1{MASK}",
    ),
)
"""Traces (in lower case, one of them is in whatever the pattern matches), pattern, and what it leaves."""

_TRACES = tuple(dict.fromkeys(trace for traces, _, _ in _TEXT for trace in traces))


def redact(value: T) -> T:
    """Return the value, at any depth, with everything masked that looks like a secret."""
    masked: T = _redact(value)
    return masked


def is_secret_name(name: str) -> bool:
    """Tell whether this names a secret: `password`, `DB_PASSWORD`, `apiKey`, but not `tokenFile`."""
    return _KEY.search(_CAMEL.sub("_", name).lower().replace("-", "_").replace(".", "_")) is not None


def _redact(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return _redact_dict(value)
    if isinstance(value, list | tuple):
        return type(value)(_redact(inner) for inner in value)
    return value


def _redact_dict(value: dict[Any, Any]) -> dict[Any, Any]:
    sealed = value.get("kind") == "Secret" and ("data" in value or "stringData" in value)
    # An environment variable of a container: {"name": "DB_PASSWORD", "value": "..."}.
    named = isinstance(value.get("name"), str) and is_secret_name(value["name"])
    return {
        name: _mask(inner)
        if (isinstance(name, str) and is_secret_name(name))
        or (sealed and name in ("data", "stringData"))
        or (named and name == "value")
        else _redact(inner)
        for name, inner in value.items()
    }


def _mask(value: Any) -> Any:
    # Names inside stay, so that one still sees which secret was there.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {name: _mask(inner) for name, inner in value.items()}
    return MASK


def redact_text(text: str) -> str:
    """Return the text with private keys, tokens, passwords in URLs and `password=...` pairs masked."""
    if not _suspicious(text):
        return text
    for _, pattern, mask in _TEXT:
        text = pattern.sub(mask, text)
    return text


def _suspicious(text: str) -> bool:
    """Tell whether a pattern may match: few texts have a trace. Beyond ASCII other letters count as ours."""
    if not text.isascii():
        return True
    lower = text.lower()
    for trace in _TRACES:  # noqa: SIM110 - a generator would take as long as the patterns
        if trace in lower:
            return True
    return False
