"""What a measurement is doing now, on stderr: some take many minutes."""

import sys
import time

_BEGAN = time.monotonic()


def say(text: str) -> None:
    """Print one line with the seconds since the measurements began."""
    sys.stderr.write(f"{time.monotonic() - _BEGAN:7.1f} s  {text}\n")
    sys.stderr.flush()
