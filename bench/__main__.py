"""`python -m bench NAME...`: measure, print what came of it, and write `build/bench/NAME.json`."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import approval, canaries, cases, freeze, judge, memory, policy, table, tickets
from bench.cases import Case

Measurement = Callable[[], Coroutine[Any, Any, list[Case]]]

MEASUREMENTS: dict[str, Measurement] = {
    "tickets": tickets.measure,
    "approval": approval.measure,
    "policy": policy.measure,
    "canaries": canaries.measure,
    "freeze": freeze.measure,
    "memory": memory.measure,
    "judge": judge.measure,
}


def main(names: list[str]) -> int:
    """Run the named measurements, all if none is named; return 0 if every ratio keeps to its floor."""
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        sys.stderr.write(f"error: no measurement {unknown[0]!r}; there are: {', '.join(MEASUREMENTS)}\n")
        return 2
    good = True
    for name in names or list(MEASUREMENTS):
        sys.stderr.write(f"bench-{name}\n")
        found = asyncio.run(MEASUREMENTS[name]())
        _show(name, found)
        sys.stderr.write(f"written: {cases.write(name, found)}\n")
        good = good and all(case.good for case in found)
    if not names:
        table.write_page()
    return 0 if good else 1


def _show(name: str, found: list[Case]) -> None:
    shown = Table("case", "ours", "baseline", "ratio", "floor", "unit", title=f"bench-{name}")
    for case in found:
        style = None if case.good else "red"
        ratio, floor = f"{case.ratio:g}", f"{case.floor:g} ({case.better})"
        shown.add_row(case.case, f"{case.ours:g}", f"{case.baseline:g}", ratio, floor, case.unit, style=style)
    Console().print(shown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
