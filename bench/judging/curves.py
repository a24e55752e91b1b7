"""`python -m bench.judging.curves [RUNS]`: the figures of the pictures in docs/judge.md.

The same seeds and as many traces always give the same file. Draw it with `python -m bench.judging.pictures`.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.judge import GOOD, RULES, judged, share

FILE = Path("docs") / "pictures" / "judge-curves.json"
RUNS = 400
"""Traces of a cell: a rate of 1 % is known to ±0.5 % then."""

RPS = 1000
POWER = (1.25, 1.5, 2.0, 3.0, 4.0, 5.0)
"""How many times as bad as stable the canaries of the power curve are."""

Point = dict[str, float | str]


@dataclass(frozen=True)
class Curves:
    """Percentages of canaries that each rule fails: good ones by kind of trace, and bad ones by how bad."""

    runs: int
    false_fails: list[Point]
    power: list[Point]

    def write(self, file: Path) -> None:
        """Write them."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, file: Path) -> "Curves":
        """Return what was written."""
        return cls(**json.loads(file.read_text()))


def measure(runs: int) -> Curves:
    """Judge so many traces of each kind by each rule, all of them the same traces."""
    return Curves(
        runs=runs,
        false_fails=[{"kind": kind, **_failed(kind, 1.0, runs)} for kind, _ in GOOD],
        power=[{"ratio": ratio, **_failed("plain", ratio, runs)} for ratio in POWER],
    )


def _failed(kind: str, ratio: float, runs: int) -> Point:
    return {
        name: round(100 * share("fail", judged(rule, kind, RPS, ratio=ratio, runs=runs)), 3)
        for name, (rule, _) in RULES.items()
    }


if __name__ == "__main__":
    measure(int(sys.argv[1]) if sys.argv[1:] else RUNS).write(FILE)
