"""What a measurement writes: the form that every later one keeps."""

import json
from pathlib import Path

import pytest

from bench.cases import Case, bounded, compared, none_of, write
from bench.table import BEGIN, END, write_page


def test_a_comparison_is_a_ratio_of_medians_with_the_noise_of_the_baseline() -> None:
    case = compared("calls", [8, 10, 90], [18, 20, 22], better="higher", floor=0.8, unit="1/s")

    assert (case.ours, case.baseline, case.ratio) == (10, 20, 0.5)
    assert case.case == "calls (3 rounds, noise ±10 %)"
    assert not case.good


@pytest.mark.parametrize(
    ("case", "good"),
    [
        (bounded("memory", 399, 400, unit="MB"), True),
        (bounded("memory", 401, 400, unit="MB"), False),
        (none_of("late writes", 0, unit="writes"), True),
        (none_of("late writes", 1, unit="writes"), False),
    ],
)
def test_a_bound_is_kept_or_missed(case: Case, good: bool) -> None:
    assert case.good is good


def test_the_page_keeps_its_words_and_gets_the_figures(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"before\n{BEGIN}\nold figures\n{END}\nafter\n")

    file = write("memory", [bounded("one worker", 401, 400, unit="MB")], tmp_path)
    write_page(page, tmp_path)

    assert list(json.loads(file.read_text())[0]) == [
        "case", "ours", "baseline", "ratio", "better", "floor", "unit",
    ]  # fmt: skip
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old figures" not in text
    assert "| `make bench-memory` | one worker | 401 MB | 400 MB | 1.002 | ≤ 1 | **missed** |" in text
