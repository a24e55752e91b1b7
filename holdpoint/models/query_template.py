"""Queries of a change file: templates over PromQL, in which values stand inside quotes and are escaped.

A template is a stranger's, and so is every value. What is checked here makes sure that a value can never end
the text that it stands in, and that canary and stable are asked different questions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

PLACEHOLDERS = ("namespace", "deployment", "pods")
"""`pods` is a pattern of the names of a Deployment's pods."""

PATTERNS = ("=~", "!~")
QUOTED = ("double", "single", "raw")
LONGEST_QUERY = 2000

_SELECTOR = re.compile(r"\s*[a-zA-Z_:][a-zA-Z0-9_:]*\s*\{[^{}]*\}\s*")
_HIDDEN = re.compile("[^\n\x20-\x7e\xa0-\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd]")
"""What nobody sees: control characters, and marks that turn the reading direction."""
_TOKEN = re.compile(
    r"""(?P<double>"(?:\\.|[^"\\\n])*")|(?P<single>'(?:\\.|[^'\\\n])*')|(?P<raw>`[^`]*`)"""
    r"""|(?P<comment>\#[^\n]*)|(?P<braces>\{\{|\}\})|(?P<open>[({\[])|(?P<close>[)}\]])"""
    r"""|(?P<quote>["'`])|(?P<operator>=~|!~|!=|=)|(?P<space>\s+)|(?P<other>.)""",
    re.DOTALL,
)
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_PAIRS = {")": "(", "}": "{", "]": "["}


@dataclass(frozen=True)
class Placeholder:
    """A place for a value, inside double quotes; `pattern` where a regular expression stands there."""

    name: str
    pattern: bool


def check_query(query: str) -> str:
    """Return `query` if values can be filled in, and they make a difference. Raises ValueError."""
    if len(query) > LONGEST_QUERY:
        raise ValueError(f"must be at most {LONGEST_QUERY} characters")
    if not query.strip():
        raise ValueError('must be a query, such as queue_lag{deployment="{{deployment}}"}')
    if _HIDDEN.search(query):
        raise ValueError("must have no characters that nobody sees")
    used = {part.name for part in parts(query) if isinstance(part, Placeholder)}
    if not used & {"deployment", "pods"}:
        raise ValueError(
            'must hold {{deployment}} or {{pods}}, as in deployment="{{deployment}}": else canary and stable '
            "would be asked the same"
        )
    return query


def check_counters(query: str) -> None:
    """Hold that a query names counters and does nothing with them. Raises ValueError.

    How much they rose is told series by series: a sum falls when a pod goes, and looks like a restart.
    """
    plain = "".join('"x"' if isinstance(part, Placeholder) else part for part in parts(query))
    bare = _TOKEN.sub(
        lambda found: '""' if found.lastgroup in ("double", "single", "raw") else found[0], plain
    )
    if not _SELECTOR.fullmatch(bare):
        raise ValueError(
            'must be counters as they are, such as jobs_failed_total{deployment="{{deployment}}"}: how much '
            "they rose is told by Holdpoint, so without rate(), increase() or sum()"
        )


def parts(query: str) -> list[str | Placeholder]:
    """Return the template's texts and placeholders, in order. Raises ValueError, saying what is wrong."""
    found: list[str | Placeholder] = []
    open_: list[str] = []
    operator = ""
    for token in _TOKEN.finditer(query):
        kind, text = token.lastgroup, token[0]
        if kind == "double":
            found += _filled(text, pattern=operator in PATTERNS)
        else:
            _check(kind, text, open_)
            found.append(text)
        if kind not in ("space", "comment"):
            operator = text if kind == "operator" else ""
    if open_:
        raise ValueError(f"must close every bracket: a {open_[-1]!r} stays open")
    return found


def _filled(text: str, *, pattern: bool) -> Iterator[str | Placeholder]:
    """Yield the parts of a text in double quotes."""
    at = 0
    for one in _PLACEHOLDER.finditer(text):
        if one[1] not in PLACEHOLDERS:
            known = ", ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)
            raise ValueError(f"must hold no placeholder but {known}; {one[0][:60]} is none of them")
        if one[1] == "pods" and not pattern:
            raise ValueError('must have {{pods}} as a pattern, as in pod=~"{{pods}}"')
        before = text[at : one.start()]
        if (len(before) - len(before.rstrip("\\"))) % 2:
            raise ValueError("must have no backslash before a placeholder")
        yield _plain(before)
        yield Placeholder(one[1], pattern)
        at = one.end()
    yield _plain(text[at:])


def _plain(text: str) -> str:
    if "{{" in text or "}}" in text:
        raise ValueError("must have {{ and }} around a placeholder only")
    return text


def _check(kind: str | None, text: str, open_: list[str]) -> None:
    """Take in what stands outside of double quotes. Raises ValueError."""
    if kind == "braces" or (kind in ("single", "raw", "comment") and ("{{" in text or "}}" in text)):
        raise ValueError('must have placeholders in double quotes only, as in deployment="{{deployment}}"')
    if kind == "quote":
        raise ValueError(f"must close every quote: a {text} stays open")
    if kind == "open":
        open_.append(text)
    elif kind == "close" and (not open_ or open_.pop() != _PAIRS[text]):
        raise ValueError(f"must open every bracket that it closes: a {text!r} was not opened")
