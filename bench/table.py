"""`docs/benchmarks.md`: the last measurements as a table, each with the command that makes it."""

import json
import os
import platform
from pathlib import Path

from bench.cases import FOLDER, Case

PAGE = Path("docs") / "benchmarks.md"
BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"


def table(folder: Path = FOLDER) -> str:
    """Return the measurements of a folder as Markdown."""
    lines = [
        f"Measured on {os.cpu_count()} cores ({platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}).",
        "",
        "| Command | Case | Ours | Baseline | Ratio | Floor | |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for file in sorted(folder.glob("*.json")):
        lines += [_line(file.stem, Case.model_validate(case)) for case in json.loads(file.read_text())]
    return "\n".join(lines)


def _line(name: str, case: Case) -> str:
    sign = "≥" if case.better == "higher" else "≤"
    verdict = "" if case.good else "**missed**"
    return (
        f"| `make bench-{name}` | {case.case} | {case.ours:g} {case.unit} | {case.baseline:g} {case.unit} "
        f"| {case.ratio:g} | {sign} {case.floor:g} | {verdict} |"
    )


def write_page(page: Path = PAGE, folder: Path = FOLDER) -> None:
    """Put the table between the marks of the page; the words around it stay."""
    text = page.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table(folder)}\n{END}{after}")
