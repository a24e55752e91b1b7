"""The pictures of docs/judge.md are those of the figures beside them."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.judging.curves import FILE
from bench.judging.pictures import PICTURES, draw

ROOT = Path(__file__).parents[2]


def test_they_are_drawn_anew_from_the_committed_figures(tmp_path: Path) -> None:
    for picture in draw(ROOT / FILE, tmp_path):
        kept = ROOT / FILE.parent / picture.name
        assert picture.read_text() == kept.read_text(), "run python -m bench.judging.pictures"


@pytest.mark.parametrize("name", PICTURES)
def test_each_is_shown_on_the_page_and_is_svg(name: str) -> None:
    assert f"(pictures/{name})" in (ROOT / "docs" / "judge.md").read_text()
    assert ElementTree.parse(ROOT / FILE.parent / name).getroot().tag.endswith("svg")
