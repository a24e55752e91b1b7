"""What the pictures of docs/judge.md are drawn from: how many good canaries each rule fails, and bad ones."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.cases import FOLDER

CURVES = FOLDER / "judge-curves.json"
"""Where `make bench-judge` leaves them; the file of the pictures in docs is a copy."""

Point = dict[str, float | str]


@dataclass(frozen=True)
class Curves:
    """Percentages of each rule: by kind of trace and requests a second, and by how bad the canary is."""

    false_fails: list[Point]
    power: list[Point]

    def write(self, file: Path) -> Path:
        """Write them and return the file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")
        return file

    @classmethod
    def read(cls, file: Path) -> "Curves":
        """Return what was written."""
        return cls(**json.loads(file.read_text()))
