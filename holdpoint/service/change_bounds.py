"""The first look at a change file: is it YAML of a size and form that can be read safely?

The file comes from strangers. Everything that could cost more than its length (nesting, aliases that expand
aliases) is counted on the parser's events, before anything is built from it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from holdpoint.service.change_mistakes import Mistake

LARGEST_FILE = 256 * 1024
"""Bytes. A hundred steps with two hundred paths take a tenth of it."""

DEEPEST = 40
MOST_NODES = 10_000
"""Nodes after every alias is expanded; also the work that validating costs at most."""

MOST_ALIASES = 50

# The C parser is some twenty times faster; the pure one gives the same events where libyaml is missing.
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.1 does not allow in a file, section 5.1."""


class TooMuch(Exception):
    """A bound is passed, or the text is not YAML: there is nothing more to look for."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.message)
        self.mistake = mistake


def decode(source: bytes | str) -> str:
    """Return the file as text. Raises TooMuch if it is too long, not UTF-8, or holds control characters."""
    try:
        raw = source.encode() if isinstance(source, str) else source
        if len(raw) > LARGEST_FILE:
            raise TooMuch(
                Mistake(
                    field="",
                    found=f"{len(raw)} bytes",
                    allowed=f"at most {LARGEST_FILE} bytes (256 KiB)",
                    message=f"The file is too long: it has {len(raw)} bytes, allowed are {LARGEST_FILE}.",
                )
            )
        text = raw.decode()
    except UnicodeError as error:
        raise TooMuch(_not_utf8(error)) from error
    if control := _CONTROL.search(text):
        raise TooMuch(_control(text, control.start()))
    return text


def _not_utf8(error: UnicodeError) -> Mistake:
    where = error.start if isinstance(error, UnicodeDecodeError | UnicodeEncodeError) else 0
    before = error.object[:where] if isinstance(error, UnicodeDecodeError) else b""
    return Mistake(
        field="",
        line=before.count(b"\n") + 1,
        column=where - before.rfind(b"\n"),
        found="bytes that are not UTF-8",
        allowed="text in UTF-8",
        message="The file is not UTF-8 text. Save it as UTF-8.",
    )


def _control(text: str, where: int) -> Mistake:
    char = text[where]
    return Mistake(
        field="",
        line=text.count("\n", 0, where) + 1,
        column=where - text.rfind("\n", 0, where),
        found=f"U+{ord(char):04X}",
        allowed="printable characters",
        message=f"The file holds the control character U+{ord(char):04X}. Remove it.",
    )


@dataclass
class _Count:
    """How much has been seen: per open node its start in the count, its anchor and the height below it."""

    nodes: int = 0
    aliases: int = 0
    open: list[tuple[int, str | None]] = field(default_factory=list)
    heights: list[int] = field(default_factory=lambda: [0])
    sizes: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    """Anchor -> (nodes, height) of what it names; None while that is still open."""


def check_bounds(text: str) -> list[Mistake]:
    """Return the mistakes of form (tags, several documents). Raises TooMuch where reading on is no use."""
    mistakes: list[Mistake] = []
    count, documents = _Count(), 0
    try:
        for event in yaml.parse(text, Loader=LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    mistakes.append(_second_document(event))
                count.sizes.clear()
            elif isinstance(event, yaml.NodeEvent):
                _count(event, count)
                mistakes.extend(_tag_mistake(event))
            elif isinstance(event, yaml.CollectionEndEvent):
                _close(count)
    except yaml.YAMLError as error:
        raise TooMuch(syntax_mistake(error, text)) from error
    return mistakes


def _count(event: yaml.NodeEvent, count: _Count) -> None:
    """Add one node, or everything that an alias stands for. Raises TooMuch past a bound."""
    size, height = 1, 1
    if isinstance(event, yaml.AliasEvent):
        count.aliases += 1
        if event.anchor not in count.sizes:
            raise _bound(event, f"the alias *{event.anchor}", "aliases of anchors that stand before them")
        named = count.sizes[event.anchor]
        if named is None:
            raise _bound(event, f"the alias *{event.anchor} inside itself", "aliases of finished values")
        size, height = named
    elif isinstance(event, yaml.CollectionStartEvent):
        count.open.append((count.nodes, event.anchor))
        count.heights.append(0)
        height = 0
        if event.anchor:
            count.sizes[event.anchor] = None
    elif event.anchor:
        count.sizes[event.anchor] = (1, 1)
    count.nodes += size
    count.heights[-1] = max(count.heights[-1], height)
    _hold_bounds(event, count, depth=len(count.open) + height)


def _close(count: _Count) -> None:
    before, anchor = count.open.pop()
    height = count.heights.pop() + 1
    count.heights[-1] = max(count.heights[-1], height)
    if anchor:
        count.sizes[anchor] = (count.nodes - before, height)


def _hold_bounds(event: yaml.NodeEvent, count: _Count, *, depth: int) -> None:
    if depth > DEEPEST:
        raise _bound(event, f"nesting deeper than {DEEPEST}", f"at most {DEEPEST} levels")
    if count.aliases > MOST_ALIASES:
        raise _bound(event, f"more than {MOST_ALIASES} aliases", f"at most {MOST_ALIASES} aliases")
    if count.nodes > MOST_NODES:
        raise _bound(
            event, f"more than {MOST_NODES} values", f"at most {MOST_NODES} values, aliases expanded"
        )


def _bound(event: yaml.Event, found: str, allowed: str) -> TooMuch:
    return TooMuch(
        Mistake.at(
            event.start_mark,
            found=found,
            allowed=allowed,
            message=f"The file cannot be read safely: found {found}; allowed are {allowed}.",
        )
    )


def _second_document(event: yaml.Event) -> Mistake:
    return Mistake.at(
        event.start_mark,
        found="a second document",
        allowed="one document a file",
        message="The file holds several documents (`---`). Put each change into a file of its own.",
    )


def _tag_mistake(event: yaml.NodeEvent) -> Iterator[Mistake]:
    tag = getattr(event, "tag", None)
    if tag:
        shown = str(tag).replace("tag:yaml.org,2002:", "!!")[:80]
        yield Mistake.at(
            event.start_mark,
            found=shown,
            allowed="values without a tag",
            message=f"The tag {shown} is not supported. Write the value without it.",
        )


def syntax_mistake(error: yaml.YAMLError, text: str) -> Mistake:
    """Return what the YAML parser says, with the place that it names."""
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed")
    context = getattr(error, "context", None)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = f"{context}: {problem}" if context else problem
    if mark is not None and text[mark.index : mark.index + 1] == "\t":
        said = "a tab stands where YAML indents with spaces"
    return Mistake.at(
        mark, found=said[:200], allowed="YAML", message=f"The file is not valid YAML: {said[:200]}."
    )
