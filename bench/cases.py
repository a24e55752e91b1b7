"""What a measurement came to: a figure of ours beside a baseline of the same run, and where it is written."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

FOLDER = Path("build") / "bench"
"""Where `make bench-NAME` leaves its JSON, in the checkout."""


class Case(BaseModel):
    """One line of a measurement.

    `floor` bounds `ratio`: from below where higher is better, else from above.
    """

    model_config = ConfigDict(frozen=True)

    case: str
    ours: float
    baseline: float
    ratio: float
    better: Literal["higher", "lower"]
    floor: float
    unit: str

    @property
    def good(self) -> bool:
        """Tell whether the ratio keeps to its floor."""
        return self.ratio >= self.floor if self.better == "higher" else self.ratio <= self.floor


def compared(
    case: str,
    ours: Sequence[float],
    baseline: Sequence[float],
    *,
    better: Literal["higher", "lower"],
    floor: float,
    unit: str,
) -> Case:
    """Return the case of several rounds: medians, and in its name how far the baseline's rounds lie apart.

    The baseline is what nothing of ours touches, so its spread is the machine's noise.
    """
    mine, theirs = statistics.median(ours), statistics.median(baseline)
    noise = (max(baseline) - min(baseline)) / theirs * 50
    return Case(
        case=f"{case} ({len(baseline)} rounds, noise ±{noise:.0f} %)",
        ours=_rounded(mine),
        baseline=_rounded(theirs),
        ratio=_rounded(mine / theirs),
        better=better,
        floor=floor,
        unit=unit,
    )


def against(case: str, ours: float, baseline: float, *, unit: str) -> Case:
    """Return the case of one round against a peer, where lower is better: it must not be above the peer."""
    return Case(
        case=case,
        ours=_rounded(ours),
        baseline=_rounded(baseline),
        ratio=_rounded(ours / baseline),
        better="lower",
        floor=1.0,
        unit=unit,
    )


def bounded(case: str, ours: float, bound: float, *, unit: str) -> Case:
    """Return the case of a figure that has a bound instead of a baseline; it must not be above the bound."""
    return against(case, ours, bound, unit=unit)


def none_of(case: str, count: int, *, unit: str) -> Case:
    """Return the case of something that must not happen at all."""
    return Case(
        case=case, ours=float(count), baseline=0.0, ratio=float(count), better="lower", floor=0.0, unit=unit
    )


def write(name: str, cases: Iterable[Case], folder: Path = FOLDER) -> Path:
    """Write the cases of one measurement and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps([case.model_dump() for case in cases], indent=2, ensure_ascii=False) + "\n")
    return file


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
