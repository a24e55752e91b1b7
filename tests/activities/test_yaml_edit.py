"""A value is changed where it stands, and nothing else of the file; what cannot be done so is refused."""

from typing import Any

import pytest

from activities.yaml_edit import LARGEST, set_value

FILE = """\
# top
images:   # what runs
  - name: shop   # the shop
    newTag: "6.13.0"   # keep
  - {name: web, newTag: 1.2.3}
empty:
replicas: 3
note: 'it''s'
anchor: &x old
again: *x
none: ~
"example.com/x": y
flow: {k: [1, 2]}
text: |
  several
  lines
"""


@pytest.mark.parametrize(
    ("path", "value", "before", "after"),
    [
        pytest.param("images[0].newTag", "6.14.1", '"6.13.0"   #', '"6.14.1"   #', id="keeps quotes"),
        pytest.param("images[name=web].newTag", "2.0.0", "1.2.3}", "2.0.0}", id="item by name"),
        pytest.param("images[name=web].newTag", "a, b}", "1.2.3}", '"a, b}"}', id="quotes where needed"),
        pytest.param("images[name=web].newTag", "on", "1.2.3}", '"on"}', id="a word of YAML 1.1"),
        pytest.param("images[name=web].newTag", "123e456", "1.2.3}", '"123e456"}', id="a number for Go"),
        pytest.param("images[name=web].newTag", "1.2", "1.2.3}", '"1.2"}', id="text like a number"),
        pytest.param("empty", "v1", "empty:", "empty: v1", id="value left out"),
        pytest.param("replicas", 5, "replicas: 3", "replicas: 5", id="number"),
        pytest.param("replicas", "5", "replicas: 3", 'replicas: "5"', id="text, not number"),
        pytest.param("note", "it's new", "'it''s'", "'it''s new'", id="single quotes"),
        pytest.param("none", True, "none: ~", "none: true", id="true"),
        pytest.param('["example.com/x"]', "z", 'x": y', 'x": z', id="key in brackets"),
        pytest.param("flow.k[1]", 7, "[1, 2]", "[1, 7]", id="item of a flow"),
        pytest.param("images[0].newTag", "ä\n", '"6.13.0"', '"\\u00e4\\n"', id="not printable"),
    ],
)
def test_only_the_value_changes(path: str, value: Any, before: str, after: str) -> None:
    assert set_value(FILE.encode(), path, value).decode() == FILE.replace(before, after)


def test_value_that_is_there_already_leaves_the_file_alone() -> None:
    assert set_value(FILE.encode(), "images[0].newTag", "6.13.0") == FILE.encode()


def test_line_ends_and_letters_beyond_ascii_stay() -> None:
    data = 'ü: "ö" # €\r\nx: 1\r\n'.encode()

    assert set_value(data, "x", 2) == data.replace(b"x: 1", b"x: 2")


def test_json_stays_json() -> None:
    assert set_value(b'{"a": {"b": "c"}, "d": 1}\n', "a.b", "x") == b'{"a": {"b": "x"}, "d": 1}\n'


def test_second_of_several_documents_is_changed() -> None:
    assert set_value(b"---\n---\na: 1\n---\nx: 1\n", "x", 2) == b"---\n---\na: 1\n---\nx: 2\n"


@pytest.mark.parametrize(
    ("data", "path", "reason"),
    [
        pytest.param(FILE, "anchor", "an anchor", id="anchored"),
        pytest.param(FILE, "again", "used twice", id="alias"),
        pytest.param(FILE, "images", "no single value", id="list"),
        pytest.param(FILE, "text", "several lines", id="block"),
        pytest.param(FILE, "nope.x", "is not there", id="absent"),
        pytest.param(FILE, "images[9].newTag", "is not there", id="item that is not there"),
        pytest.param("a: 1\n---\na: 1\n", "a", "stands in 2 of its documents", id="twice"),
        pytest.param("a: [\n", "a", "line 2", id="no YAML"),
        pytest.param("a: 1\na: 2\n", "a", "stands twice", id="key twice"),
        pytest.param("a: 1\n" + "# x\n" * (LARGEST // 4), "a", "bytes", id="too large"),
    ],
)
def test_what_cannot_be_changed_by_itself_is_refused(data: str, path: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        set_value(data.encode(), path, "x")
