"""What the demo says while it runs, line by line, each with its second and its scenario."""

import sys
import time
from typing import TextIO


class Narrator:
    """Prints lines as they happen; scenarios that run at once are told apart by their name."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream, self._began = stream, time.monotonic()

    @property
    def seconds(self) -> float:
        """Return how long the demo has run."""
        return time.monotonic() - self._began

    def say(self, text: str, *, who: str = "") -> None:
        """Print one line, or several."""
        for line in text.splitlines() or [""]:
            self._stream.write(f"{self.seconds:6.1f} s  {who:<14}{line}\n")
        self._stream.flush()

    def heading(self, text: str) -> None:
        """Print what comes next."""
        self._stream.write(f"\n{text}\n")
        self._stream.flush()
